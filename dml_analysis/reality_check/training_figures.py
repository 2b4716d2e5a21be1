"""Figures of each dataset: the images of training, the course of training, and the improvements."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from dml_analysis import figures, paper
from dml_analysis.config import BN_INCEPTION, Settings
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import Sample, Split
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import csv_files
from dml_analysis.methods import grouped, groups
from dml_analysis.reality_check import improvements
from dml_analysis.training.training_logs import RUN_KEY, log_file, read_log
from dml_analysis.training.training_runs import SPLITS

PUBLISHED = paper.PUBLISHED / "reality_check_validation.csv"
PUBLISHED_COLUMNS = {"loss": str, "dataset": str, "first_trial": float, "best_of_50": float}
PANELS_PER_ROW = 5
TITLE_WIDTH = 18  # characters of a line of a panel's title
# Of lines and dots in the figure of training: label in the legend, properties
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "validation": ("validation classes", {"lw": 1.2}),
    "test": ("test classes", {"lw": 0.9, "ls": ":"}),
    "selected": ("selected step", {"marker": "o", "ls": "none", "ms": 3.5}),
    "not chosen": ("rate not chosen", {"lw": 0.8, "alpha": 0.4}),
    "published": ("the Reality Check's best of 50", {"color": "0.3", "lw": 0.8, "ls": "--"}),
}
MAX_CLASSES = 96  # of which an image is shown
CLASSES_PER_ROW, TILE = 12, 96  # TILE: pixels of an image's side


def plot(settings: Settings) -> None:
    """Write classes_<dataset>, training_<dataset> and gains_<dataset>.

    If images or improvements are missing, it says so and leaves their figure out. Raises
    InputError if nothing has been trained.
    """
    for dataset in settings.datasets:
        _plot_training(settings, dataset)
        for plot_one in (_plot_improvements, _plot_classes):
            try:
                plot_one(settings, dataset)
            except MissingFile as error:
                print(f"left out: {error}")


# -------------------------------------------------------------------------------------------------
# The course of training.
# -------------------------------------------------------------------------------------------------
def _plot_training(settings: Settings, dataset: str) -> None:
    """Write training_<dataset>. Raises InputError if nothing has been trained."""
    log = read_log(settings, dataset)
    if log.empty:
        raise InputError(
            f"{log_file(settings, dataset)}: no training in it; "
            "run reality_check/2_train_models.py first"
        )
    shows = {"dataset": dataset, "validation_steps": len(log)}
    n_runs = log.groupby(RUN_KEY).ngroups
    caption = (
        f"MAP@R at every validation step of {n_runs} trainings on {dataset}. Colors: folds. Solid: a "
        "fold's validation classes, which select the step (dot). Dotted: the test classes, which "
        "select nothing. Pale: learning rates that were not chosen."
    )
    figure = curves(settings, dataset, log)
    figures.draw(settings, settings.figures / f"training_{dataset}", figure, shows, caption)


def curves(settings: Settings, dataset: str, log: pd.DataFrame) -> Figure:
    """Return a panel per model: MAP@R at every validation step, a line per run and split.

    log: the rows of read_log.
    """
    models = [model for model in grouped(settings.models) if (log.loss == model.name).any()]
    columns = min(PANELS_PER_ROW, len(models))
    rows = math.ceil(len(models) / columns)
    lines = figures.most_lines([model.name for model in models], TITLE_WIDTH)
    size = (figures.PAGE, (1.3 + figures.LINE * lines) * rows + 0.8)
    figure, axes = figures.new_figure(rows, columns, figsize=size, sharex=True, sharey=True)
    panels = axes.flat[: len(models)]
    for panel in axes.flat[len(models) :]:
        panel.axis("off")
    published = _published(settings, dataset)
    for panel, model in zip(panels, models):
        _curves_panel(panel, log[log.loss == model.name], published.get(model.name))
        panel.set_title(figures.wrapped(model.name, TITLE_WIDTH), pad=3)
    for panel in panels[-columns:]:
        panel.tick_params(labelbottom=True)
    figure.supxlabel("iteration", fontsize=8)
    figure.supylabel("MAP@R in %", fontsize=8)
    _label_looks(panels[0], log, bool(published))
    figures.legend_above(figure, panels[0], fontsize=7)
    return figure


def _label_looks(panel: Axes, log: pd.DataFrame, has_published: bool) -> None:
    """Give a panel legend entries for the colors of folds and the looks of lines that occur."""
    for fold in sorted(log.fold.unique()):
        panel.plot([], [], color=_color(fold), label=f"fold {fold}")
    occur = {"not chosen": (log.chosen == "no").any(), "published": has_published}
    for name, (label, look) in LOOKS.items():
        if occur.get(name, True):
            panel.plot([], [], label=label, **{"color": "0.3"} | look)


def _color(fold: int) -> str:
    return figures.COLORS[int(fold) % len(figures.COLORS)]


def _curves_panel(panel: Axes, log: pd.DataFrame, published: float | None) -> None:
    """Plot the runs of a model, and its published MAP@R if there is one."""
    for (fold, chosen, _), steps in log.groupby(["fold", "chosen", "learning_rate"]):
        color = _color(fold)
        x, validation = steps.iteration, 100 * steps.validation_map_at_r
        if chosen == "no":
            panel.plot(x, validation, color=color, **LOOKS["not chosen"][1])
            continue
        panel.plot(x, validation, color=color, **LOOKS["validation"][1])
        panel.plot(x, 100 * steps.test_map_at_r_only_shown, color=color, **LOOKS["test"][1])
        best = steps[steps.best == "yes"].iloc[-1]
        best_score = 100 * best.validation_map_at_r
        panel.plot(best.iteration, best_score, color=color, **LOOKS["selected"][1])
    if published is not None:
        panel.axhline(100 * published, **LOOKS["published"][1])
    panel.grid(**figures.GRID)


def _published(settings: Settings, dataset: str) -> dict[str, float]:
    """Return model -> published MAP@R on validation classes, if dataset and network are the same."""
    training = settings.training
    if settings.trunk != BN_INCEPTION or training is None or training.frozen == "trunk":
        return {}
    table = csv_files.read(PUBLISHED, PUBLISHED_COLUMNS, key=["loss", "dataset"])
    table = table[table.dataset == dataset]
    return dict(zip(table.loss, table.best_of_50))


# -------------------------------------------------------------------------------------------------
# Improvements.
# -------------------------------------------------------------------------------------------------
def _plot_improvements(settings: Settings, dataset: str) -> None:
    """Write gains_<dataset>. Raises MissingFile if there are no improvements."""
    table = improvements.read(settings, dataset)
    if table.empty:
        raise MissingFile(
            f"{improvements.classes_file(settings, dataset)}: no improvement in it; "
            "run reality_check/4_measure_gains.py"
        )
    caption = (
        f"Improvement in MAP@R over the frozen trunk by training on {dataset}. Marks: methods, mean "
        "over folds, with 95% intervals by the bootstrap over classes. Hollow: the interval is not "
        "above zero."
    )
    stem, figure = settings.figures / f"gains_{dataset}", improvements_figure(settings, table)
    figures.draw(settings, stem, figure, {"dataset": dataset}, caption)


def improvements_figure(settings: Settings, table: pd.DataFrame) -> Figure:
    """Return the improvement of each model with its interval, one panel per split.

    A hollow point is one whose interval is not above zero. table: of improvements.COLUMNS.
    """
    names = [model.name for model in grouped(settings.models) if (table.loss == model.name).any()]
    order, size = groups(settings.models), (figures.PAGE, figures.rows_height(names, 0.19) + 1.2)
    figure, (axes,) = figures.new_figure(1, 2, figsize=size, sharex=True, sharey=True)
    for panel, split in zip(axes, improvements.MEASURED):
        rows = table[table.part == split].set_index("loss").reindex(names)
        for y, row in enumerate(rows.itertuples()):
            color, marker = figures.look(order.index(row.type))
            fill = color if row.clear == "yes" else "white"
            panel.plot([100 * row.low, 100 * row.high], [y, y], color=color, lw=1.4)
            panel.plot(100 * row.gain, y, marker, color=color, ms=4.5, mfc=fill, label=row.type)
        panel.axvline(0, color="0.5", lw=0.8)
        panel.grid(axis="x", **figures.GRID)
        panel.set_title(f"{int(rows.n_classes.max())} {split} classes", pad=3)
    axes[0].set_yticks(range(len(names)), [figures.wrapped(name) for name in names])
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    figure.supxlabel("improvement in MAP@R, percentage points", fontsize=8)
    figures.legend_above(figure, axes[0])
    return figure


# -------------------------------------------------------------------------------------------------
# Images of classes.
# -------------------------------------------------------------------------------------------------
def _plot_classes(settings: Settings, dataset: str) -> None:
    """Write classes_<dataset>. Raises MissingFile if an image is missing."""
    samples = samples_of_classes(settings, dataset)
    figure = classes_figure(samples, readers.split_of(settings, dataset))
    description = json.dumps({"dataset": dataset, "images": readers.ids_of(samples)})
    caption = (
        f"An image of each of {len(samples)} classes of {dataset}: of those for training and "
        "validation, and of those for testing."
    )
    figures.write(settings.figures / f"classes_{dataset}", figure, description, caption)


def samples_of_classes(settings: Settings, dataset: str) -> list[Sample]:
    """Return the first image of each class; of MAX_CLASSES evenly spaced ones if there are more."""
    parts = [readers.load_samples(settings, dataset, split, 0) for split in SPLITS]
    samples = sorted((sample for part in parts for sample in part), key=lambda item: item.label)
    first = {sample.label: sample for sample in reversed(samples)}
    return readers.evenly_spaced([first[label] for label in sorted(first)], MAX_CLASSES)


def classes_figure(samples: Sequence[Sample], split: Split) -> Figure:
    """Return the images in rows: above those for training and validation, below those for testing."""
    halves: dict[str, list[Path]] = {"for training and validation": [], "for testing": []}
    for sample in samples:
        is_training = sample.label < split.training_classes
        halves["for training and validation" if is_training else "for testing"].append(sample.path)
    heights = [math.ceil(len(paths) / CLASSES_PER_ROW) for paths in halves.values()]
    size = (figures.PAGE, 0.6 * sum(heights) + 0.6)
    figure, axes = figures.new_figure(2, 1, figsize=size, height_ratios=heights)
    for (panel,), (purpose, paths) in zip(axes, halves.items()):
        figures.show_image(panel, mosaic(paths), f"{len(paths)} classes {purpose}")
    return figure


def mosaic(paths: Sequence[Path]) -> UInt8[np.ndarray, "h w 3"]:
    """Return an RGB array with these images, squeezed into squares, in rows."""
    rows = math.ceil(len(paths) / CLASSES_PER_ROW)
    canvas = Image.new("RGB", (CLASSES_PER_ROW * TILE, rows * TILE), "white")
    for index, path in enumerate(paths):
        row, column = divmod(index, CLASSES_PER_ROW)
        tile = open_image(path).resize((TILE, TILE), Image.Resampling.LANCZOS)
        canvas.paste(tile, (column * TILE, row * TILE))
    return np.asarray(canvas)
