"""nr_precision.csv: the NR-Precision of every loss, fold and property."""

from report import csv_tables

# The last tells of which embeddings the scores are (embedding_files.digest).
SCORE_COLUMNS = "loss type fold property distance max_neighbors n_images r_precision nr_precision embeddings".split()


def read_scores(file):
    """nr_precision.csv, or an empty table of its columns."""
    return csv_tables.read(file, SCORE_COLUMNS, ["r_precision", "nr_precision"], embeddings=str)
