"""Section "Figures": the figures of a run that stand under no question, as pictures in the page."""

from PIL import Image

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files
from dml_analysis.report import pictures
from dml_analysis.report.section import rendered, run_first

WIDEST = 1200  # pixels
QUALITY = 70
# Beginning of a file's name -> its title; what it shows is in the caption beside it
TITLES = {
    "figure2_more": "Saliency maps of several images",
    "figure2": "Saliency maps of one image (the paper's Figure 2)",
    "figure3": "Embeddings in two dimensions (the paper's Figure 3)",
    "figure4": "Rendered cars (the paper's Figure 4)",
    "classes": "Classes",
    "training": "Trainings",
    "gains": "What training gained",
    "spaces": "Embedding spaces",
    "correlations": "What goes with performance",
    "factors": "Factors",
    "toy": "The toy example",
}
# The same of figures that stand under questions (causes.py, controls.py)
OF_QUESTIONS = {
    "regions": "Where maps lie",
    "movements": "How far embeddings move",
    "rankings": "Movement beside NR-Precision",
    "wrong_neighbors": "What wrong neighbours share",
    "pairs": "Explained pairs",
    "pair": "Explained pair",
    "randomization": "Maps of random weights",
    "bounds": "Between floor and ceiling",
    "nulls": "NR-Precision and chance",
    "trees": "Trees of models",
    "variations": "Maps made in other ways",
    "needed": "How many images and queries it takes",
    "orders": "The order of properties among fewer images",
}


def section(settings):
    found = files_of(settings)
    if not found:
        raise run_first(
            "Figures", "saliency/4_plot_maps.py, properties/5_plot_embeddings.py and the like"
        )
    shown = [
        (described(settings, file), protocol)
        for protocol, file in found
        if not file.stem.startswith(tuple(OF_QUESTIONS))
    ]
    return rendered("figures", figures=shown, settings=settings)


def files_of(settings):
    """(protocol or "", file) of all figures that there are: first those of all protocols, by name."""
    folders = [("", settings.figures)] + [
        (each.name, settings.figures / each.name) for each in settings.protocols
    ]
    return [
        (protocol, file)
        for protocol, folder in folders
        for file in sorted(folder.glob("[!.]*.png"))
    ]


def described(settings, file):
    """What templates show of a figure; without the run's note, which the figure itself and the page's beginning have."""
    with refused(file, "a figure", "draw it again"), Image.open(file, formats=["PNG"]) as image:
        picture = pictures.no_wider(image, WIDEST)
        address = pictures.address(
            picture, QUALITY
        )  # here, as a picture is read from its file when it is asked for
    return {"title": title_of(file.stem), "caption": caption_of(file).removesuffix(settings.note).strip(), "width": picture.width, "height": picture.height,
            "address": address}  # fmt: skip


def title_of(stem):
    """The title of a figure of this name, with what the name has beyond it: a dataset."""
    titles = TITLES | OF_QUESTIONS
    name = next((each for each in titles if stem.startswith(each)), None)
    rest = stem[len(name or stem) :].strip("_")
    return titles.get(name, stem) + (f", {rest}" if rest else "")


def caption_of(file):
    """What the file beside a figure says of it, as one line; empty where there is none."""
    file = file.with_suffix(".txt")
    return (
        " ".join(atomic_files.read_text(file, "a caption", "draw the figure again").split())
        if file.is_file()
        else ""
    )
