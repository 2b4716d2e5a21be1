"""Plot Figure 3, a t-SNE of embeddings coloured by three properties, and Figure 4, sample images of the rendered cars.

The t-SNE coordinates are kept in results/<settings>/properties/tsne.csv. Writes figures/<settings>/figure3 and figure4
as .png and .pdf.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings import run_record
from settings.reader import settings_from_command_line


def main():
    settings = settings_from_command_line(__doc__)
    run_record.check(settings)
    from report import contents

    contents.make_figures(settings, contents.PROPERTY_FIGURES)
    run_record.note(settings, __file__)


if __name__ == "__main__":
    utils.run_script(main)
