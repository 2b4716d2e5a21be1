"""Plot Figure 3, a t-SNE of embeddings coloured by three properties, and Figure 4, sample images of the rendered cars.

The t-SNE coordinates are kept, and written to results/<settings>/properties/tsne.csv. Writes figures/<settings>/figure3 and
figure4 as .png and .pdf.
"""

from dml_analysis.properties import tsne
from dml_analysis.scripts import stage_script


def draw(settings):
    from dml_analysis.properties import property_figures  # matplotlib takes a second to load

    property_figures.draw(settings)


if __name__ == "__main__":
    stage_script(__doc__, __file__, tsne.stage, then=draw)
