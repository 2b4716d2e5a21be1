"""The look that all figures share, and their files."""

import matplotlib

matplotlib.use("Agg")  # no display needed
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

import utils

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # letters stay letters, as publishers ask for
}


def new_figure(*args, **kwargs):
    """plt.subplots in the shared style; a grid of axes always comes as a 2-d array."""
    with plt.rc_context(STYLE):
        return plt.subplots(*args, squeeze=False, layout="constrained", **kwargs)


def save(figure, settings, name):
    """Write figures/<settings>/<name>.png and .pdf, with what there is to know about the networks as a footnote."""
    if settings.note:
        figure.supxlabel(settings.note, fontsize=7, color="0.35")
    for ending, extra in [("png", {}), ("pdf", {"metadata": {"CreationDate": None}})]:
        file = settings.figures / f"{name}.{ending}"
        with plt.rc_context(STYLE), utils.written_aside(file) as aside:
            figure.savefig(aside, **extra)
        print(f"wrote {file}")
    plt.close(figure)


def show_image(axes, image, title="", **kwargs):
    """An image without ticks or frame, its title above it."""
    axes.imshow(image, **kwargs)
    axes.set_title(title, pad=3)
    axes.axis("off")
