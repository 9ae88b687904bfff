"""Phase 4: from a picture to an answer by an export alone, and the HTTP API around it."""
