"""Plot what 2_correlate_measures.py has found: the matrix of correlations, and the spaces of the methods beside Roth et al.

Writes figures/<settings>/correlations_<dataset> and spaces_<dataset> as .png and .pdf.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from embedding_space import figures  # matplotlib takes a second to load

    figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
