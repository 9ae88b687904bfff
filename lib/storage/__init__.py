"""Files, PostgreSQL and runs: where things are kept."""
