"""Plot Figure 3, a t-SNE of embeddings coloured by three properties, and Figure 4, sample images of the rendered cars.

The t-SNE coordinates are kept, and written to results/<settings>/properties/tsne.csv. Writes figures/<settings>/figure3 and
figure4 as .png and .pdf.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common import shelf
from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    options = options_parser(__doc__, long=True).parse_args()
    settings = settings_from(options)
    from properties import tsne

    shelf.run(tsne.stage(settings), settings, options, __file__)
    if not options.dry_run:
        from properties import figures

        figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
