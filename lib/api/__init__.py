"""`python -m lib.api`: another name of lib.serving.api, for commands and deployments that say it."""
