"""Explain wrong cars at rank 1: which properties they share with the query more than by chance.

Reads: the embeddings that properties/2_embed_cars.py has saved.
Writes: results/<settings>/<protocol>/causes/wrong_neighbors.csv.
Runtime: a distance matrix of all images for each network.
"""

from dml_analysis.causes import rank_1_errors
from dml_analysis.errors import run_script
from dml_analysis.scripts import start
from dml_analysis.views import write_all


def main():
    run = start(__doc__, __file__)
    files = [view for settings in run.variants for view in rank_1_errors.views(settings)]
    write_all(files, run.options.dry_run)


if __name__ == "__main__":
    run_script(main)
