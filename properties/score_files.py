"""nr_precision.csv: the NR-Precision of every loss, fold and property."""

import pandas as pd

SCORE_COLUMNS = "loss type fold property distance max_neighbors n_images r_precision nr_precision".split()


def read_scores(file):
    """nr_precision.csv, or an empty table of its columns."""
    if not file.is_file():
        return pd.DataFrame(columns=SCORE_COLUMNS)
    return pd.read_csv(file, keep_default_na=False, na_values={"r_precision": "", "nr_precision": ""})
