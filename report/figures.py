"""The look that all figures share, and their files."""

import json

import matplotlib

matplotlib.use("Agg")  # no display needed
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
from PIL import Image  # noqa: E402

import safe_files
import utils

matplotlib.rcParams.update(
    {
        "font.size": 8,
        "axes.titlesize": 8,
        "figure.titlesize": 9,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,  # letters stay letters, as publishers ask for
    }
)


def new_figure(*args, **kwargs):
    """plt.subplots whose axes make room for each other and always come as a 2-d array."""
    return plt.subplots(*args, squeeze=False, layout="constrained", **kwargs)


def draw(settings, name, make, shows, inputs):
    """Write figures/<settings>/<name>.png and .pdf of the figure that make() returns, unless they are up to date.

    shows: what the figure is of, as a dictionary, kept in the PNG's description. Up to date are files that show the
    same and are newer than the input files and all code.
    """
    shows = json.dumps(shows | {"settings": settings.name, "note": settings.note})
    png, pdf = (settings.figures / f"{name}.{ending}" for ending in ("png", "pdf"))
    if _is_current(png, pdf, shows, inputs):
        print(f"{png} and .pdf are up to date")
        return
    figure = make()
    if settings.note:
        figure.supxlabel(settings.note, fontsize=7, color="0.35")
    write(settings.figures / name, figure, shows)


def write(stem, figure, description):
    """Write the figure to <stem>.png, which keeps the description, and <stem>.pdf."""
    png, pdf = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.pdf")
    for file, metadata in [(pdf, {"CreationDate": None}), (png, {"Description": description})]:
        with safe_files.written_aside(file) as aside:
            figure.savefig(aside, metadata=metadata)
        figure.set_layout_engine("none")  # once arranged is enough
    print(f"wrote {png} and .pdf")
    plt.close(figure)


def _is_current(png, pdf, shows, inputs):
    if not png.is_file() or not pdf.is_file():
        return False
    with Image.open(png) as image:
        if image.info.get("Description") != shows:
            return False
    made = png.stat().st_mtime_ns
    return all(
        file.stat().st_mtime_ns < made for file in [*inputs, *utils.ROOT.glob("*.py"), *utils.ROOT.glob("*/*.py")]
    )


def show_image(axes, image, title="", **kwargs):
    """An image without ticks or frame, its title above it."""
    axes.imshow(image, **kwargs)
    axes.set_title(title, pad=3)
    axes.axis("off")
