"""What the API and the hub's app share of HTTP."""
