"""Section "Figures": the figures of a run that stand under no question, as pictures in the page."""

from pathlib import Path
from typing import Any

from PIL import Image

from dml_analysis.config import Settings
from dml_analysis.errors import refused
from dml_analysis.files import atomic_files
from dml_analysis.report import pictures
from dml_analysis.report.section import rendered, run_first

FIRST = 2  # number of a figure; the page begins with Figure 1
# Figures under questions (cause_section.py, control_section.py): how the names of files begin ->
# their titles. What a figure shows is in the caption next to it.
UNDER_QUESTIONS = {
    "regions": "Where maps lie",
    "embedding_shifts": "How far embeddings move",
    "rankings": "Embedding shift and NR-Precision",
    "wrong_neighbors": "What wrong neighbours share",
    "randomization": "Maps of random weights",
    "bounds": "Between baseline and ceiling",
    "nulls": "NR-Precision and chance",
    "orders": "The order of properties in fewer images",
    "trees": "Trees of models",
    "representations": "Similarity of embeddings",
    "variations": "Maps by other settings",
    "needed": "How many images and queries it takes",
}
GROUPS = {  # all others
    "Saliency maps": {
        "figure2_more": "Saliency maps of several images",
        "figure2": "Saliency maps of one image (the paper's Figure 2)",
    },
    "Embeddings and properties": {
        "figure3": "Embeddings in two dimensions (the paper's Figure 3)",
        "figure4": "Images with properties (the paper's Figure 4)",
        "spaces": "Embedding spaces",
        "correlations": "Correlations with performance",
    },
    "Training": {
        "classes": "Classes",
        "training": "Training runs",
        "gains": "Improvement by training",
        "factors": "Factors",
        "toy": "The toy example",
    },
}
OTHERS = "Others"
ELSEWHERE = ("pair", "pairs")  # the section of nearest neighbours shows what they show
TITLES = UNDER_QUESTIONS | {k: v for titles in GROUPS.values() for k, v in titles.items()}


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    files = files_of(settings)
    if not files:
        scripts = "saliency/4_plot_maps.py, properties/5_plot_embeddings.py and the like"
        raise run_first("Figures", scripts)
    groups: dict[str, list[Any]] = {group: [] for group in [*GROUPS, OTHERS]}
    for protocol, file in files:
        name = beginning_of(file.stem)
        if name not in UNDER_QUESTIONS and not file.stem.startswith(ELSEWHERE):
            group = next((group for group, titles in GROUPS.items() if name in titles), OTHERS)
            groups[group].append(described(settings, protocol, file))
    for shown in groups.values():
        shown.sort(key=lambda figure: figure["number"])
    return rendered("figures", groups={name: shown for name, shown in groups.items() if shown})


def files_of(settings: Settings) -> list[tuple[str, Path]]:
    """Return protocol and file of all available figures, those of no protocol ("") first."""
    names = [protocol.name for protocol in settings.protocols]
    folders = {"": settings.figures} | {name: settings.figures / name for name in names}
    return [
        (protocol, file)
        for protocol, folder in folders.items()
        for file in sorted(folder.glob("[!.]*.png"))
    ]


def described(settings: Settings, protocol: str, file: Path) -> dict[str, Any]:
    """Return what templates show of a figure, without the run's note, which the page begins with.

    protocol: its name, "" for a figure of none.
    """
    with refused(file, "a figure", "plot it again"), Image.open(file, formats=["PNG"]) as image:
        picture = pictures.on_white(image)
        address = pictures.lossless_address(picture)
    stems = {file.stem for _, file in files_of(settings)}
    ordered = sorted(stems, key=lambda stem: ([*TITLES, stem].index(beginning_of(stem)), stem))
    shared = protocol if len(settings.protocols) > 1 else ""
    return {
        "number": FIRST + ordered.index(file.stem),
        "id": f"figure-{file.stem}" + (f"-{shared}" if shared else ""),
        "protocol": shared,
        "file": file.relative_to(settings.paths["figures"].parent).as_posix(),
        "title": title_of(file.stem),
        "caption": caption_of(file).removesuffix(settings.note).strip(),
        "width": picture.width,
        "height": picture.height,
        "address": address,
    }


def beginning_of(stem: str) -> str:
    """Return the key of TITLES with which the name of a figure's file begins, or else all of it."""
    return next((name for name in TITLES if stem == name or stem.startswith(f"{name}_")), stem)


def title_of(stem: str) -> str:
    """Return the title of a figure by its file's name, which may end with a dataset."""
    name = beginning_of(stem)
    dataset = stem.removeprefix(name).strip("_")
    return TITLES.get(name, name) + (f", {dataset}" if dataset else "")


def caption_of(file: Path) -> str:
    """Return the caption in the .txt file of a figure on one line, empty if there is none."""
    file = file.with_suffix(".txt")
    if not file.is_file():
        return ""
    return " ".join(atomic_files.read_text(file, "a caption", "plot the figure again").split())
