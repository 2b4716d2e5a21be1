"""Plot the matrix of correlations, and the methods' embedding spaces alongside Roth et al.

Reads: what 1_measure_spaces.py and 2_correlate_measures.py have written.
Writes: figures/<settings>/correlations_<dataset> and spaces_<dataset> as .png and .pdf.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__, narrowing=["datasets"]).parse_args())
    from dml_analysis.embedding_space import embedding_space_figures  # matplotlib takes a second

    embedding_space_figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
