"""Phase 1: labels and pictures ingested, the data set that training reads, label formats."""

from lib.data.dataset import as_records, picture_path, prepare, read_picture
from lib.data.ingest import ingest_labels, read_labels

__all__ = ["as_records", "ingest_labels", "picture_path", "prepare", "read_labels", "read_picture"]
