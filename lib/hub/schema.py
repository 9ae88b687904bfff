"""The hub's schema in PostgreSQL: the numbered files in migrations/, each run once."""

from pathlib import Path

from lib.storage import schemas

SCHEMA = schemas.Schema("hub", Path(__file__).with_name("migrations"), lock=7_236_114_002,
                        remedy="let a user who may create schemas and roles run: python -m lib hub migrate")
