"""Section "Figures": the figures of a run that stand under no question, as pictures in the page."""

from pathlib import Path
from typing import Any

from PIL import Image

from dml_analysis.config import Settings
from dml_analysis.errors import refused
from dml_analysis.files import atomic_files
from dml_analysis.report import pictures
from dml_analysis.report.section import rendered, run_first

MAX_WIDTH = 1200  # pixels
QUALITY = 70
# How the names of files begin -> their titles. What a figure shows is in the caption next to it.
TITLES = {
    "figure2_more": "Saliency maps of several images",
    "figure2": "Saliency maps of one image (the paper's Figure 2)",
    "figure3": "Embeddings in two dimensions (the paper's Figure 3)",
    "figure4": "Images with properties (the paper's Figure 4)",
    "classes": "Classes",
    "training": "Training runs",
    "gains": "Improvement by training",
    "spaces": "Embedding spaces",
    "correlations": "Correlations with performance",
    "factors": "Factors",
    "toy": "The toy example",
}
# The same of figures that stand under questions (cause_section.py, control_section.py).
TITLES_UNDER_QUESTIONS = {
    "regions": "Where maps lie",
    "embedding_shifts": "How far embeddings move",
    "rankings": "Embedding shift and NR-Precision",
    "wrong_neighbors": "What wrong neighbours share",
    "pairs": "Explained pairs",
    "pair": "Explained pair",
    "randomization": "Maps of random weights",
    "bounds": "Between floor and ceiling",
    "nulls": "NR-Precision and chance",
    "trees": "Trees of models",
    "variations": "Maps by other settings",
    "needed": "How many images and queries it takes",
    "orders": "The order of properties in fewer images",
}


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    files = files_of(settings)
    if not files:
        scripts = "saliency/4_plot_maps.py, properties/5_plot_embeddings.py and the like"
        raise run_first("Figures", scripts)
    figures = [
        (described(settings, file), protocol)
        for protocol, file in files
        if not file.stem.startswith(tuple(TITLES_UNDER_QUESTIONS))
    ]
    return rendered("figures", figures=figures, settings=settings)


def files_of(settings: Settings) -> list[tuple[str, Path]]:
    """Return protocol and file of all available figures, those of no protocol ("") first."""
    names = [protocol.name for protocol in settings.protocols]
    folders = {"": settings.figures} | {name: settings.figures / name for name in names}
    return [
        (protocol, file)
        for protocol, folder in folders.items()
        for file in sorted(folder.glob("[!.]*.png"))
    ]


def described(settings: Settings, file: Path) -> dict[str, Any]:
    """Return what templates show of a figure, without the run's note, which the page begins with."""
    with refused(file, "a figure", "plot it again"), Image.open(file, formats=["PNG"]) as image:
        picture = pictures.no_wider(image, MAX_WIDTH)
        address = pictures.address(picture, QUALITY)
    return {
        "title": title_of(file.stem),
        "caption": caption_of(file).removesuffix(settings.note).strip(),
        "width": picture.width,
        "height": picture.height,
        "address": address,
    }


def title_of(stem: str) -> str:
    """Return the title of a figure by its file's name, which may end with a dataset."""
    titles = TITLES | TITLES_UNDER_QUESTIONS
    name = next((name for name in titles if stem.startswith(name)), stem)
    dataset = stem.removeprefix(name).strip("_")
    return titles.get(name, name) + (f", {dataset}" if dataset else "")


def caption_of(file: Path) -> str:
    """Return the caption in the .txt file of a figure on one line, empty if there is none."""
    file = file.with_suffix(".txt")
    if not file.is_file():
        return ""
    return " ".join(atomic_files.read_text(file, "a caption", "plot the figure again").split())
