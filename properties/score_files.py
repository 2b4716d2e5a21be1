"""nr_precision.csv: the NR-Precision of every loss, fold and property."""

import pandas as pd

from utils import InputError

# The last tells of which embeddings the scores are (embedding_files.digest).
SCORE_COLUMNS = "loss type fold property distance max_neighbors n_images r_precision nr_precision embeddings".split()


def read_scores(file):
    """nr_precision.csv, or an empty table of its columns."""
    if not file.is_file():
        return pd.DataFrame(columns=SCORE_COLUMNS)
    numbers = {"r_precision": "", "nr_precision": ""}
    table = pd.read_csv(file, keep_default_na=False, na_values=numbers, dtype={"embeddings": str})
    if list(table.columns) != SCORE_COLUMNS:
        raise InputError(f"{file}: columns are {','.join(table.columns)}, not {','.join(SCORE_COLUMNS)}; delete it")
    return table
