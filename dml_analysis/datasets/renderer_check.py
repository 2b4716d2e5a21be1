"""From the pictures of the variations to a CSV of measures, a contact sheet, and whether all is as it should be."""

from itertools import groupby

import numpy as np
import pandas as pd
from PIL import Image

from dml_analysis import figures, paper
from dml_analysis.datasets import variation_measures
from dml_analysis.datasets.images import open_image
from dml_analysis.errors import InputError, refused
from dml_analysis.files import csv_files
from dml_analysis.renderer import sampling

SMALLEST = 24  # pixels of a side: there is nothing to measure in fewer


def check(folder, results, figure_folder):
    """Measures, draws and judges. Raises InputError if a picture is missing or a property misbehaves."""
    table = measured(folder)
    csv_files.write_table(results / "variations.csv", table.round(4))
    print(f"wrote {results / 'variations.csv'}")
    caption = "Rendered cars, one property at a time"
    figures.write(figure_folder / "properties", contact_sheet(folder), caption, f"{caption}.")
    failed = []
    for statement, holds in variation_measures.statements(table):
        print(f"{'as it should be' if holds else 'WRONG'}: {statement}")
        failed += [] if holds else [statement]
    if failed:
        raise InputError(f"{folder}: {len(failed)} statements about the pictures do not hold, the first: {failed[0]}")


def measured(folder):
    """One row per variation: property, value, and the fields of variation_measures.Measures."""
    listed = sampling.variations()
    base = next(frame for frame, (_, values) in enumerate(listed, 1) if values == sampling.BASE)
    base_picture, base_silhouette = picture_of(folder, base), silhouette_of(folder, base)
    rows = []
    for frame, (name, values) in enumerate(listed, 1):
        picture, silhouette = picture_of(folder, frame), silhouette_of(folder, frame)
        for kind, each in (("images", picture), ("silhouettes", silhouette)):
            if each.shape[:2] != base_picture.shape[:2] or min(each.shape[:2]) < SMALLEST:
                size = f"{each.shape[1]} x {each.shape[0]}"
                raise InputError(
                    f"{file_of(folder, kind, frame)}: {size} pixels; all must have one size, from {SMALLEST} on"
                )
        measures = variation_measures.measure(picture, silhouette, base_picture, base_silhouette)
        rows.append({"property": name, "value": values[name], **measures._asdict()})
    return pd.DataFrame(rows)


def file_of(folder, kind, frame):
    """The file of a frame's picture (kind "images") or of the car's outline in it ("silhouettes")."""
    file = folder / kind / f"{frame}.png"
    if not file.is_file():
        raise InputError(f"{file}: missing; run data/2_render_cars.py --variations --output {folder}")
    return file


def picture_of(folder, frame):
    """(h, w, 3) from 0 to 1."""
    return np.asarray(open_image(file_of(folder, "images", frame)), dtype=float) / 255


def silhouette_of(folder, frame):
    """(h, w), True where the car is."""
    file = file_of(folder, "silhouettes", frame)
    with (
        refused(file, "a picture with an alpha channel", "render it again"),
        Image.open(file, formats=["PNG"]) as image,
    ):
        return np.asarray(image.getchannel("A")) > 127


def contact_sheet(folder):
    """A row of pictures per property."""
    rows = [list(group) for _, group in groupby(enumerate(sampling.variations(), 1), key=lambda each: each[1][0])]
    columns = max(map(len, rows))
    figure, axes = figures.new_figure(len(rows), columns, figsize=(figures.PAGE, 8.2))
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for panels, row, prop in zip(axes, rows, paper.PROPERTIES):
        for panel in panels:
            panel.axis("off")
        for panel, (frame, (name, values)) in zip(panels, row):
            panel.imshow(open_image(file_of(folder, "images", frame)))
            panel.set_title(str(values[name]).replace(" ", "\n", 1), fontsize=5, pad=2)
        panels[0].text(-0.08, 0.5, prop.label.replace(" ", "\n"), transform=panels[0].transAxes, fontsize=6.5,
                       ha="right", va="center")  # fmt: skip
    return figure
