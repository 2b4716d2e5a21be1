"""Section "Figures": all figures of a run, as pictures in the page."""

import json

from PIL import Image

from common.errors import refused
from report import pictures
from report.section import rendered, run_first

WIDEST = 1440  # pixels
QUALITY = 80
# Beginning of a file's name -> its title, and what it shows
SHOWN = {
    "figure2_more": ("Saliency maps of several images", "One row for each image: the image, then its map under every model."),
    "figure2": ("Saliency maps of one image", "The image, then its saliency map under every model (the paper's Figure 2)."),
    "figure3": (
        "Embeddings in two dimensions",
        "t-SNE of the embeddings of rendered cars, three times the same points, coloured by car model, rotation and sun rotation "
        "(the paper's Figure 3).",
    ),
    "figure4": ("Rendered cars", "A sample of the rendered cars (the paper's Figure 4)."),
    "classes": ("Classes", "An image each of the classes for training and validation, and of those for testing."),
    "training": (
        "Trainings",
        "MAP@R at every look of every training, by fold: on validation classes, with a dot where the look was taken, and on test "
        "classes, which are only shown.",
    ),
    "gains": ("What training gained", "MAP@R gained over the frozen trunk, for each loss, with 95% intervals over classes."),
    "spaces": (
        "Embedding spaces",
        "Recall@1 on test images against the shape of the space of training images (density and spectral decay), a point for each "
        "method, and what Roth et al. found.",
    ),
    "correlations": (
        "What goes with performance",
        "Pearson correlations over methods: measures of embedding spaces, and NR-Precision of properties, with performance on test "
        "images. Bold: the 95% interval does not hold 0.",
    ),
    "toy": (
        "The toy example",
        "The toy example of Roth et al.: embeddings of four classes on the circle with and without rho-regularisation, and over "
        "seeds their singular values and Recall@1.",
    ),
}  # fmt: skip


def section(settings):
    shown = [(_described(file), protocol) for protocol, file in files_of(settings)]
    if not shown:
        raise run_first("Figures", "saliency/4_plot_maps.py, properties/5_plot_embeddings.py and the like")
    return rendered("figures", figures=shown, settings=settings)


def files_of(settings):
    """(protocol or "", file) of all figures that there are: first those of all protocols, by name."""
    folders = [("", settings.figures)] + [(each.name, settings.figures / each.name) for each in settings.protocols]
    return [(protocol, file) for protocol, folder in folders for file in sorted(folder.glob("[!.]*.png"))]


def _described(file):
    """What the template shows of a figure."""
    with refused(file, "a figure", "draw it again"), Image.open(file, formats=["PNG"]) as image:
        description = image.info.get("Description", "")
        picture = pictures.no_wider(image, WIDEST)
    title, text = title_of(file.stem)
    facts = facts_in(description)
    return {"title": title, "text": text, "facts": facts, "alt": f"{text} {facts}".strip(), "width": picture.width,
            "height": picture.height, "address": pictures.address(picture, QUALITY), "name": file.stem}  # fmt: skip


def title_of(stem):
    """(title, what it shows) of a figure of this name."""
    return next((found for name, found in SHOWN.items() if stem.startswith(name)), (stem, f"Figure {stem}."))


def facts_in(description):
    """What a PNG's description says that a reader may want to know, as a sentence or two."""
    try:
        shows = json.loads(description or "{}")
    except ValueError:
        return ""
    number = {
        name: shows[name] if isinstance(shows[name], int) else len(shows[name])
        for name in ("images", "looks")
        if name in shows
    }
    facts = [f"{word} {shows[name]}" for name, word in (("loss", "loss"), ("dataset", "dataset"), ("fold", "fold"),
                                                         ("protocol", "protocol")) if name in shows]  # fmt: skip
    facts += [f"{count} {name}" for name, count in number.items()]
    text = ", ".join(facts)
    return " ".join(each for each in (f"{text[:1].upper()}{text[1:]}." if text else "", shows.get("note", "")) if each)
