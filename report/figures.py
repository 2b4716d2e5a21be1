"""The look that all figures share, and their files."""

import matplotlib

matplotlib.use("Agg")  # no display needed
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

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
    """plt.subplots with axes that make room for each other and always come as a 2-d array."""
    return plt.subplots(*args, squeeze=False, layout="constrained", **kwargs)


def save(figure, settings, name):
    """Write figures/<settings>/<name>.png and .pdf, with what there is to know about the networks as a footnote."""
    if settings.note:
        figure.supxlabel(settings.note, fontsize=7, color="0.35")
    for ending, extra in [("png", {}), ("pdf", {"metadata": {"CreationDate": None}})]:
        file = settings.figures / f"{name}.{ending}"
        with utils.written_aside(file) as aside:
            figure.savefig(aside, **extra)
        print(f"wrote {file}")
    plt.close(figure)


def show_image(axes, image, title="", **kwargs):
    """An image without ticks or frame, its title above it."""
    axes.imshow(image, **kwargs)
    axes.set_title(title, pad=3)
    axes.axis("off")
