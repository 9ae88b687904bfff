"""The hub in a browser and over HTTP."""
