"""Plot Figure 2: the saliency maps of one image under every model, and a page of more images.

Reads: the maps that 1_compute_maps.py has saved.
Writes: figures/<settings>/<protocol>/figure2 and figure2_more, as .png and .pdf.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance
    from dml_analysis.saliency import saliency_figures

    saliency_figures.draw(settings)
    provenance.record(settings, __file__)


if __name__ == "__main__":
    run_script(main)
