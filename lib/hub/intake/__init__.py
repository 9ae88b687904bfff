"""How pictures come in: read, measured, compared, judged, labelled."""
