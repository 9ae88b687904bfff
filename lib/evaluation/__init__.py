"""Phase 3: scores beside baselines, label audit, what to label next, figures, viewer."""
