"""Check of the renderer: measures of the rendered variations, a contact sheet and a verdict."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from PIL import Image

from dml_analysis import figures, paper
from dml_analysis.datasets import variation_measures
from dml_analysis.datasets.images import open_image
from dml_analysis.errors import InputError, refused
from dml_analysis.files import csv_files
from dml_analysis.renderer import sampling

MIN_SIDE = 24  # pixels; smaller pictures cannot be measured


def check(folder: Path, results: Path, figure_folder: Path) -> None:
    """Write the measures and the contact sheet, and print whether each statement holds.

    Raise InputError if a picture is missing or a statement does not hold.
    """
    table = measured(folder)
    csv_files.write_table(results / "variations.csv", table.round(4))
    print(f"wrote {results / 'variations.csv'}")
    caption = (
        f"{len(sampling.variations())} rendered cars. Rows: the property in which a car differs from "
        "one base car, with its value above each image."
    )
    figures.write(figure_folder / "properties", contact_sheet(folder), caption, caption)
    failures = []
    for statement, holds in variation_measures.statements(table):
        print(f"{'as expected' if holds else 'WRONG'}: {statement}")
        failures += [] if holds else [statement]
    if failures:
        raise InputError(
            f"{folder}: {len(failures)} statements about the pictures do not hold, the first: {failures[0]}"
        )


def measured(folder: Path) -> pd.DataFrame:
    """Return one row per variation: property, value, and variation_measures.Measures.

    Raise InputError if a picture is missing, or is too small or of another size.
    """
    variations = sampling.variations()
    base = next(frame for frame, (_, values) in enumerate(variations, 1) if values == sampling.BASE)
    base_picture, base_silhouette = picture_of(folder, base), silhouette_of(folder, base)
    rows = []
    for frame, (name, values) in enumerate(variations, 1):
        picture, silhouette = picture_of(folder, frame), silhouette_of(folder, frame)
        for kind, array in (("images", picture), ("silhouettes", silhouette)):
            if array.shape[:2] != base_picture.shape[:2] or min(array.shape[:2]) < MIN_SIDE:
                raise InputError(
                    f"{file_of(folder, kind, frame)}: {array.shape[1]} x {array.shape[0]} pixels; "
                    f"render all in one size of at least {MIN_SIDE}"
                )
        measures = variation_measures.measure(picture, silhouette, base_picture, base_silhouette)
        rows.append({"property": name, "value": values[name], **measures._asdict()})
    return pd.DataFrame(rows)


def file_of(folder: Path, kind: str, frame: int) -> Path:
    """Return the file of a frame's picture (kind "images") or silhouette ("silhouettes").

    Raise InputError if it does not exist.
    """
    file = folder / kind / f"{frame}.png"
    if not file.is_file():
        raise InputError(
            f"{file}: missing; run data/2_render_cars.py --variations --output {folder}"
        )
    return file


def picture_of(folder: Path, frame: int) -> Float[np.ndarray, "h w 3"]:
    """Return a frame's picture, its values from 0 to 1."""
    return np.asarray(open_image(file_of(folder, "images", frame)), dtype=float) / 255


def silhouette_of(folder: Path, frame: int) -> Bool[np.ndarray, "h w"]:
    """Return which pixels of a frame show the car."""
    file = file_of(folder, "silhouettes", frame)
    with (
        refused(file, "a picture with an alpha channel", "render it again"),
        Image.open(file, formats=["PNG"]) as image,
    ):
        return np.asarray(image.getchannel("A")) > 127


def contact_sheet(folder: Path) -> Figure:
    """Return a figure with one row of pictures per property."""
    frames = enumerate(sampling.variations(), 1)
    rows = [list(group) for _, group in groupby(frames, key=lambda entry: entry[1][0])]
    columns = max(map(len, rows))
    figure, axes = figures.new_figure(len(rows), columns, figsize=(figures.PAGE, 8.2))
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for panels, row, prop in zip(axes, rows, paper.PROPERTIES):
        for panel in panels:
            panel.axis("off")
        for panel, (frame, (name, values)) in zip(panels, row):
            panel.imshow(open_image(file_of(folder, "images", frame)))
            panel.set_title(str(values[name]).replace(" ", "\n", 1), fontsize=5, pad=2)
        label = prop.label.replace(" ", "\n")
        corner = panels[0].transAxes
        panels[0].text(-0.08, 0.5, label, transform=corner, fontsize=6.5, ha="right", va="center")
    return figure
