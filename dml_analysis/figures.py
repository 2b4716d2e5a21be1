"""The style that all figures share, and their files."""

import io
import json
import os
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["MPLBACKEND"] = "Agg"  # no display needed, whatever the environment says
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Shaped
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import atomic_files
from dml_analysis.methods import groups
from dml_analysis.paper import Model, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from dml_analysis.config import Settings

CAPTION_WIDTH = 100  # characters
LINE = 0.14  # inches, of a line of text of the usual size
LEGEND_HEIGHT = 0.35  # inches, of a legend of one line
LABEL_WIDTH = 34  # characters of a line of a row's label, or of a legend's
COLUMN, PAGE = 3.25, 6.875  # widths of the paper's column and page, in inches
# Okabe and Ito's colours, which colour-blind readers can tell apart. In print without colours,
# the markers differ.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKERS = "os^DvPX<"
GRID: Any = {"color": "0.9", "lw": 0.5}
matplotlib.rcParams.update(
    {
        "font.size": 8,
        "axes.titlesize": 8,
        "figure.titlesize": 9,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,  # text stays text, as publishers require
        "text.parse_math": False,  # names of models may contain $
    }
)


def new_figure(*args: Any, **kwargs: Any) -> tuple[Figure, Shaped[np.ndarray, "rows columns"]]:
    """Return a new figure and its axes, always a 2-d array; arguments as plt.subplots."""
    return plt.subplots(*args, squeeze=False, layout="constrained", **kwargs)


def look(number: int) -> tuple[str, str]:
    """Return the color and the marker of the group of models with this number."""
    return COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]


def group_looks(models: Iterable[Model]) -> list[tuple[str, str, str]]:
    """Return (group, color, marker) of each group of the models, in their order."""
    return [(group, *look(number)) for number, group in enumerate(groups(models))]


def rows_figure(
    labels: Sequence[str], row_height: float = 0.32, margin: float = 0.9
) -> tuple[Figure, Axes]:
    """Return a new figure as wide as a page, and its axes with a labelled row for each label.

    Row 0 is at the top. row_height: in inches, if labels have one line. margin: in inches.
    """
    figure, ((axes,),) = new_figure(figsize=(PAGE, rows_height(labels, row_height) + margin))
    label_rows(axes, labels)
    return figure, axes


def wrapped(text: str, width: int = LABEL_WIDTH) -> str:
    """Return a text in lines of at most so many characters."""
    return textwrap.fill(text, max(width, 1))


def most_lines(texts: Iterable[str], width: int = LABEL_WIDTH) -> int:
    """Return how many lines the longest of these texts has, wrapped."""
    return max((wrapped(text, width).count("\n") + 1 for text in texts), default=1)


def rows_height(labels: Sequence[str], row_height: float) -> float:
    """Return the height in inches of rows with these labels; row_height: of a label of one line."""
    return len(labels) * max(row_height, LINE * most_lines(labels) + 0.04)


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Label rows 0, 1, ... of axes, from the top down."""
    axes.set_yticks(range(len(labels)), [wrapped(label) for label in labels])
    axes.invert_yaxis()


def legend_above(figure: Figure | SubFigure, *panels: Axes, ncols: int = 4, **kwargs: Any) -> None:
    """Put the legend of these axes above the figure, in at most so many columns.

    A figure grows by what the legend needs beyond one line. kwargs: as of Figure.legend.
    """
    handles, labels = legend_entries(*panels)
    if not labels:
        return
    labels = [wrapped(label) for label in labels]
    for columns in range(min(ncols, len(labels)), 0, -1):
        legend = figure.legend(handles, labels, loc="outside upper center", ncols=columns,
                               frameon=False, **kwargs)  # fmt: skip
        if columns == 1 or extent(legend).width < figure.bbox.width:
            break
        legend.remove()
    if isinstance(figure, Figure):
        height = extent(legend).height / figure.dpi
        figure.set_figheight(figure.get_figheight() + max(0, height - LEGEND_HEIGHT))


def legend_entries(*panels: Axes) -> tuple[list[Artist], list[str]]:
    """Return the handles and labels of these axes' legend, each label once."""
    handles: dict[str, Artist] = {}
    for panel in panels:
        artists, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, artists))
    return list(handles.values()), list(handles)


def plot_model_lines(
    axes: Axes, table: "pd.DataFrame", models: Iterable[Model], x: str, y: str
) -> None:
    """Plot column y of a table over column x: a line for each model, which is a mean over folds.

    The table has columns loss and type; lines of a group share their look and label.
    """
    for group, color, marker in group_looks(models):
        for _, rows in table[table.type == group].groupby("loss", sort=False):
            means = rows.groupby(x)[y].mean()
            axes.plot(means.index, means, marker + "-", color=color, ms=3, lw=0.9, label=group)


def log_ticks(axes: Axes, numbers: Iterable[int]) -> None:
    """Make the x axis logarithmic, with ticks at these numbers."""
    ticks = sorted(set(numbers))
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()


def draw(
    settings: "Settings", stem: Path, figure: Figure, shows: dict[str, Any], caption: str
) -> None:
    """Write a figure to <stem>.png and .pdf.

    shows: the content of the figure, which goes into the PNG's description. caption: goes to
    <stem>.txt, with the settings' note on the networks at its end.
    """
    description = json.dumps(shows | {"settings": settings.name, "note": settings.note})
    write(stem, figure, description, f"{caption} {settings.note}".strip())


def draw_by_protocol(
    settings: "Settings", protocol: Protocol, name: str, figure: Figure, caption: str
) -> None:
    """Write a figure of one protocol, as `draw`, to the protocol's folder."""
    shows, caption = {"protocol": protocol.name}, f"{caption} Protocol {protocol.name}."
    draw(settings, settings.figures / protocol.name / name, figure, shows, caption)


def draw_what_there_is(
    settings: "Settings", makers: Iterable[Callable[["Settings", Protocol], object]], scripts: str
) -> None:
    """Call each of the makers for each protocol, and print which ones have no results to plot.

    scripts: the scripts that compute the results. Raises InputError, which names them, if none of
    the makers has results.
    """
    n_plots = 0
    for protocol in settings.protocols:
        for make in makers:
            try:
                make(settings, protocol)
                n_plots += 1
            except MissingFile as error:
                print(f"left out: {error}")
    if not n_plots:
        raise InputError(f"settings {settings.name!r}: no results to plot; run {scripts} first")


def extent(artist: Artist) -> Bbox:
    """Return where an artist is in its figure, in pixels, with the fonts that it is written with."""
    use_fonts_that_have(artist)
    with missing_glyphs_ignored():
        return artist.get_window_extent()


@contextmanager
def missing_glyphs_ignored() -> Iterator[None]:
    """Silence matplotlib about characters without a font; use_fonts_that_have says so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def use_fonts_that_have(artist: Artist) -> None:
    """Let each text of an artist fall back to installed fonts for what the usual font lacks."""
    usual = _characters(font_manager.findfont(font_manager.FontProperties()))
    for text in artist.findobj(Text):
        missing = {c for c in text.get_text() if ord(c) not in usual and not c.isspace()}
        if fonts := {font for character in sorted(missing) if (font := _font_with(character))}:
            families = text.get_fontfamily()
            text.set_fontfamily([*families, *sorted(fonts - {*families})])


@cache
def _font_with(character: str) -> str | None:
    """Return the family of an installed font that has a character; say so if there is none."""
    fonts = font_manager.fontManager.ttflist
    for font in sorted(fonts, key=lambda font: ("Sans" not in font.name, font.name)):
        # matplotlib's font of last resort has a box for everything.
        if "LastResort" not in font.fname and ord(character) in _characters(font.fname):
            return font.name
    _say_that_no_font_has(unicodedata.name(character, "unknown").split()[0])
    return None


@cache
def _say_that_no_font_has(script: str) -> None:
    """Print once that characters of a script cannot be shown."""
    print(f"no installed font has {script} characters: figures show boxes; install Noto's fonts")


@cache
def _characters(file: str) -> frozenset[int]:
    """Return the numbers of the characters that a font file has, if it can be drawn at any size."""
    try:
        font = FT2Font(file)
    except (OSError, RuntimeError):  # uninstalled since matplotlib listed it, or broken
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()


def write(stem: Path, figure: Figure, description: str, caption: str) -> None:
    """Write the figure to <stem>.png and <stem>.pdf, its caption to <stem>.txt; close the figure.

    description: goes into the PNG file. If the PNG stays the same, so does the PDF, which takes
    longer to make.
    """
    text = textwrap.fill(caption, CAPTION_WIDTH) + "\n"
    atomic_files.write_text(stem.with_name(f"{stem.name}.txt"), text)
    png, pdf = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.pdf")
    use_fonts_that_have(figure)
    picture = io.BytesIO()
    with missing_glyphs_ignored():
        figure.savefig(picture, format="png", metadata={"Description": description})
        if not (pdf.is_file() and png.is_file() and png.read_bytes() == picture.getvalue()):
            figure.set_layout_engine("none")  # the layout is computed only once
            document = io.BytesIO()
            figure.savefig(document, format="pdf", metadata={"CreationDate": None})
            atomic_files.write_bytes(pdf, document.getvalue())
            atomic_files.write_bytes(png, picture.getvalue())  # last: it vouches for the PDF
    print(f"wrote {png} and .pdf")
    plt.close(figure)


def show_image(axes: Axes, image: np.ndarray | Image.Image, title: str = "", **kwargs: Any) -> None:
    """Plot an image without ticks or frame, its title above it; kwargs as Axes.imshow."""
    axes.imshow(image, **kwargs)
    axes.set_title(title, pad=3)
    axes.axis("off")
    axes.set(xticks=[], yticks=[])  # the layout would leave room for hidden ticks
