"""What networks are trained on, how trainings went, and what they gained: figures of each dataset."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dml_analysis import figures
from dml_analysis.config import BN_INCEPTION
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import open_image
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import csv_files
from dml_analysis.methods import grouped, groups
from dml_analysis.reality_check import improvements
from dml_analysis.training.training_stages import looks_file, read_looks

PUBLISHED = Path(__file__).parents[1] / "published" / "reality_check_validation.csv"
PUBLISHED_COLUMNS = {"loss": str, "dataset": str, "first_trial": float, "best_of_50": float}
COLUMNS = 5  # of panels
MOST_CLASSES, CLASSES_IN_A_ROW, TILE = 96, 12, 96  # of which an image is shown; pixels of its side


def draw(settings):
    """Write classes_<dataset>, training_<dataset> and gains_<dataset>: some images, the course of every run, all gains.

    Where images or gains are missing it says so and leaves their figure out. Raises InputError if nothing has been trained.
    """
    for dataset in settings.datasets:
        looks = _looks(settings, dataset)
        stem = settings.figures / f"training_{dataset}"
        shows = {"dataset": dataset, "looks": len(looks)}
        caption = (
            f"MAP@R at every look of every training on {dataset}: of each fold's validation classes, which choose the look that is "
            "taken, and of the test classes, which choose nothing."
        )
        figures.draw(settings, stem, curves(settings, dataset, looks), shows, caption)
        for draw_one in (_draw_gains, _draw_classes):
            try:
                draw_one(settings, dataset)
            except MissingFile as error:
                print(f"left out: {error}")


def _looks(settings, dataset):
    """The rows of the log, with whether their learning rate was chosen."""
    looks = read_looks(settings, dataset)
    if looks.empty:
        raise InputError(
            f"{looks_file(settings, dataset)}: no training in it; run reality_check/2_train_models.py first"
        )
    return looks


def _draw_gains(settings, dataset):
    gained = pd.DataFrame(
        improvements.gains_of(settings, dataset), columns=list(improvements.GAINS)
    )
    if gained.empty:
        raise MissingFile(
            f"{improvements.classes_file(settings, dataset)}: no gain in it; run reality_check/4_measure_gains.py"
        )
    stem, shows = settings.figures / f"gains_{dataset}", {"dataset": dataset}
    caption = (
        f"What training on {dataset} has gained in MAP@R over the frozen trunk, mean over folds, with 95% intervals by the bootstrap "
        "over classes; hollow where the interval is not above 0."
    )
    figures.draw(settings, stem, gains_figure(settings, gained), shows, caption)


def _draw_classes(settings, dataset):
    first = first_of_classes(settings, dataset)
    figure = classes_figure(first, readers.split_of(settings, dataset))
    shows = {"dataset": dataset, "images": readers.ids_of(first)}
    caption = f"An image of each class of {dataset}, of those for training and validation and of those for testing."
    figures.write(settings.figures / f"classes_{dataset}", figure, json.dumps(shows), caption)


def first_of_classes(settings, dataset):
    """The first image of each class; of classes evenly spaced over all where these are many."""
    parts = [
        readers.load_items(settings, dataset, part, 0) for part in ("train", "validation", "test")
    ]
    items = sorted((item for part in parts for item in part), key=lambda item: item.label)
    first = {item.label: item for item in reversed(items)}
    return readers.evenly_spaced([first[label] for label in sorted(first)], MOST_CLASSES)


def classes_figure(items, split):
    """The images in rows: above those of classes for training and validation, below those of test classes."""
    halves = [
        [item for item in items if (item.label < split.training_classes) == known]
        for known in (True, False)
    ]
    heights = [math.ceil(len(half) / CLASSES_IN_A_ROW) for half in halves]
    figure, axes = figures.new_figure(
        2, 1, figsize=(figures.PAGE, 0.6 * sum(heights) + 0.6), height_ratios=heights
    )
    for (panel,), half, what in zip(axes, halves, ("for training and validation", "for testing")):
        figures.show_image(
            panel,
            mosaic([item.path for item in half]),
            f"an image each of {len(half)} classes {what}",
        )
    return figure


def mosaic(paths):
    """An RGB array with the images of these files, squeezed into squares, in rows."""
    rows = math.ceil(len(paths) / CLASSES_IN_A_ROW)
    whole = Image.new("RGB", (CLASSES_IN_A_ROW * TILE, rows * TILE), "white")
    for place, path in enumerate(paths):
        row, column = divmod(place, CLASSES_IN_A_ROW)
        whole.paste(
            open_image(path).resize((TILE, TILE), Image.Resampling.LANCZOS),
            (column * TILE, row * TILE),
        )
    return np.asarray(whole)


def curves(settings, dataset, looks):
    """A panel per model: MAP@R at every look, of the validation classes of each fold, and of the test classes."""
    models = [model for model in grouped(settings.models) if (looks.loss == model.name).any()]
    columns = min(COLUMNS, len(models))
    rows = math.ceil(len(models) / columns)
    figure, axes = figures.new_figure(
        rows, columns, figsize=(figures.PAGE, 1.4 * rows + 1.0), sharex=True, sharey=True
    )
    for panel in axes.flat[len(models) :]:
        panel.axis("off")
    published = _published(settings, dataset)
    for panel, model in zip(axes.flat, models):
        _panel(panel, looks[looks.loss == model.name], published.get(model.name))
        panel.set_title(model.name, pad=3)
    for panel in axes[:, 0]:
        panel.set_ylabel("MAP@R in %")
    for panel in axes.flat[len(models) - columns : len(models)]:
        panel.set_xlabel("iteration")
        panel.tick_params(labelbottom=True)
    shown = {
        label: line
        for panel in axes.flat
        for line, label in zip(*panel.get_legend_handles_labels())
    }
    figure.legend(
        shown.values(), shown.keys(), loc="outside upper center", ncols=3, frameon=False, fontsize=7
    )
    return figure


def _panel(panel, looks, published):
    for (fold, chosen, _), run in looks.groupby(["fold", "chosen", "learning_rate"]):
        color = figures.COLORS[int(fold) % len(figures.COLORS)]
        if chosen == "no":
            label = "another learning rate, not chosen"
            panel.plot(
                run.iteration,
                100 * run.validation_map_at_r,
                color=color,
                alpha=0.4,
                lw=0.8,
                label=label,
            )
            continue
        panel.plot(
            run.iteration,
            100 * run.validation_map_at_r,
            color=color,
            lw=1.2,
            label=f"fold {fold}, validation",
        )
        panel.plot(run.iteration, 100 * run.test_map_at_r_only_shown, color=color, lw=0.9, ls=":",
                   label=f"fold {fold}, test (only shown)")  # fmt: skip
        best = run[run.best == "yes"].iloc[-1]
        panel.plot(
            best.iteration, 100 * best.validation_map_at_r, "o", color=color, ms=3.5, label="taken"
        )
    if published is not None:
        panel.axhline(
            100 * published,
            color="0.3",
            lw=0.8,
            ls="--",
            label="the Reality Check's search, best of 50",
        )
    panel.grid(color="0.9", lw=0.5)


def _published(settings, dataset):
    """Model -> the published MAP@R on validation classes, where dataset and network are the same as here."""
    if (
        settings.trunk != BN_INCEPTION
        or settings.training is None
        or settings.training.frozen == "trunk"
    ):
        return {}
    table = csv_files.read(PUBLISHED, PUBLISHED_COLUMNS, key=["loss", "dataset"])
    table = table[table.dataset == dataset]
    return dict(zip(table.loss, table.best_of_50))


def gains_figure(settings, gained):
    """The gain of each model with its interval, on either part; a hollow point is one whose interval is not above zero."""
    names = [model.name for model in grouped(settings.models) if (gained.loss == model.name).any()]
    figure, (axes,) = figures.new_figure(
        1, 2, figsize=(figures.PAGE, 0.19 * len(names) + 1.5), sharex=True, sharey=True
    )
    for panel, part in zip(axes, improvements.MEASURED):
        rows = gained[gained.part == part].set_index("loss").reindex(names)
        _gains_panel(settings, panel, rows)
        panel.set_title(f"{part} classes ({int(rows.n_classes.max())}), 95% intervals", pad=3)
        panel.set_xlabel("gain in MAP@R over the frozen trunk, points")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    shown = dict(zip(*reversed(axes[0].get_legend_handles_labels())))
    figure.legend(
        shown.values(), shown.keys(), loc="outside upper center", ncols=len(shown), frameon=False
    )
    return figure


def _gains_panel(settings, panel, rows):
    order = groups(settings.models)
    for place, row in enumerate(rows.itertuples()):
        color, marker = figures.look(order.index(row.type))
        panel.plot([100 * row.low, 100 * row.high], [place, place], color=color, lw=1.4)
        panel.plot(100 * row.gain, place, marker, color=color, ms=4.5, mfc=color if row.clear == "yes" else "white",
                   label=row.type)  # fmt: skip
    panel.axvline(0, color="0.5", lw=0.8)
    panel.grid(axis="x", color="0.9", lw=0.5)
