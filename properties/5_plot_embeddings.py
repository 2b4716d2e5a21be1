"""Plot Figure 3, a t-SNE of embeddings coloured by three properties, and Figure 4, sample images of the rendered cars.

The t-SNE coordinates are kept, and written to results/<settings>/properties/tsne.csv. Writes figures/<settings>/figure3 and
figure4 as .png and .pdf.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from properties import tsne
from reality_check.stage_scripts import stage_script


def draw(settings):
    from properties import figures  # matplotlib takes a second to load

    figures.draw(settings)


if __name__ == "__main__":
    stage_script(__doc__, __file__, tsne.stage, then=draw)
