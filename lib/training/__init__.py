"""Phase 2: fit, export, search."""
