"""The look that all figures share, and their files."""

import io
import json
import os
import textwrap

os.environ["MPLBACKEND"] = "Agg"  # no display needed, whatever the environment says
import matplotlib
import matplotlib.pyplot as plt

from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import atomic_files

NOTE_WIDTH = 18  # letters per inch
CAPTION_WIDTH = 100  # letters
COLUMN, PAGE = 3.25, 6.875  # widths of the paper's column and page, in inches
# Okabe and Ito's, which the colour-blind can tell apart; in grey, markers do it.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKERS = "os^DvPX<"
matplotlib.rcParams.update(
    {
        "font.size": 8,
        "axes.titlesize": 8,
        "figure.titlesize": 9,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,  # letters stay letters, as publishers ask for
        "text.parse_math": False,  # a model's name is a name
    }
)


def new_figure(*args, **kwargs):
    """plt.subplots whose axes make room for each other and always come as a 2-d array."""
    return plt.subplots(*args, squeeze=False, layout="constrained", **kwargs)


def look(number):
    """(color, marker) of the group of models with this number, in every figure."""
    return COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]


def draw(settings, stem, figure, shows, caption):
    """Write a figure of a run to <stem>.png and .pdf, with what a reader has to know of its networks at the foot.

    shows: what the figure is of, as a dictionary; the PNG's description keeps it. caption: goes to <stem>.txt.
    """
    if settings.note:
        note = textwrap.fill(settings.note, int(NOTE_WIDTH * figure.get_figwidth()))
        figure.supxlabel(note, fontsize=7, color="0.35")
    about = json.dumps(shows | {"settings": settings.name, "note": settings.note})
    write(stem, figure, about, f"{caption} {settings.note}".strip())


def draw_by_protocol(settings, protocol, name, figure, caption):
    """The same of a figure that is of one protocol."""
    shows, caption = {"protocol": protocol.name}, f"{caption} Protocol {protocol.name}."
    draw(settings, settings.figures / protocol.name / name, figure, shows, caption)


def draw_what_there_is(settings, makers, scripts):
    """Call each of the makers, with the settings and each protocol, and say what is left out because its results do not exist.

    Raises InputError, naming the scripts that make results, if all are.
    """
    drawn = 0
    for protocol in settings.protocols:
        for make in makers:
            try:
                make(settings, protocol)
                drawn += 1
            except MissingFile as error:
                print(f"left out: {error}")
    if not drawn:
        raise InputError(f"settings {settings.name!r}: nothing to draw; run {scripts} first")


def write(stem, figure, description, caption):
    """Write the figure to <stem>.png, which keeps the description, and <stem>.pdf, and its caption to <stem>.txt."""
    atomic_files.write_text(stem.with_name(f"{stem.name}.txt"), textwrap.fill(caption, CAPTION_WIDTH) + "\n")
    png, pdf = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.pdf")
    for file, metadata in [(pdf, {"CreationDate": None}), (png, {"Description": description})]:
        content = io.BytesIO()
        figure.savefig(content, format=file.suffix[1:], metadata=metadata)
        atomic_files.write_bytes(file, content.getvalue())
        figure.set_layout_engine("none")  # once arranged is enough
    print(f"wrote {png} and .pdf")
    plt.close(figure)


def show_image(axes, image, title="", **kwargs):
    """An image without ticks or frame, its title above it."""
    axes.imshow(image, **kwargs)
    axes.set_title(title, pad=3)
    axes.axis("off")
    axes.set(xticks=[], yticks=[])  # or room is looked for them all the same
