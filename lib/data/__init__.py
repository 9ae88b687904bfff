"""Phase 1: labels and pictures ingested, the data set that training reads, label formats."""
