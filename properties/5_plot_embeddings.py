"""Plot Figure 3, a t-SNE of embeddings coloured by three properties, and Figure 4, sample cars.

Reads: the embeddings that 2_embed_cars.py has saved, of the model `properties: tsne_model`.
Writes: results/<settings>/properties/tsne.csv, figures/<settings>/figure3 and figure4 as .png and
.pdf.
Runtime: t-SNE of `properties: tsne_images` images.
"""

from dml_analysis.errors import run_script
from dml_analysis.properties import car_embeddings, tsne
from dml_analysis.scripts import start
from dml_analysis.todo import todo
from dml_analysis.views import View


def main():
    from dml_analysis.properties import property_figures  # matplotlib takes a second to load

    run = start(__doc__, __file__)
    work = []
    for settings in run.variants:
        store = tsne.store_of(settings)
        work.append(((settings, tsne.embeddings_shown(settings, store)), [store]))

    for (settings, embedded), chunk in todo(work, "t-SNE coordinates", run):
        (store,) = chunk.stores
        rows = {image_id: row for row, image_id in enumerate(embedded.rows)}
        embeddings = car_embeddings.read(embedded)[[rows[image_id] for image_id in store.rows]]
        x, y = tsne.tsne(store.subject, embeddings, settings.seed).T
        chunk.save({"x": x, "y": y})

    for (settings, _), (store,) in work:
        View(tsne.csv_file(settings), tsne.COLUMNS, [store]).write()
        property_figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
