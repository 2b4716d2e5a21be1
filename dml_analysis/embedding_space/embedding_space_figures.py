"""Figures of embedding spaces: correlations with performance, methods, and factors of trainings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dml_analysis import figures
from dml_analysis.datasets.readers import labels_of
from dml_analysis.embedding_space import measure_correlations, training_factors
from dml_analysis.errors import InputError
from dml_analysis.metrics.embedding_measures import LABELS, PERFORMANCE, SHAPE
from dml_analysis.paper import Model
from dml_analysis.saliency.saliency_tables import SHORT_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dml_analysis.config import Settings

SHOWN = ("pi_intra", "pi_inter", "pi_ratio", "rho_2")  # as in the figure of Roth et al.
NAME_WIDTH, KEY_WIDTH = 30, 110  # characters of a line: labels of a matrix, names of the points
TITLES_WIDTH = 80  # characters, of the titles of all factors
MAX_NAMED = 6  # losses up to which the dots in a box are named
NAME_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8}


def draw(settings: "Settings") -> None:
    """Write correlations_<dataset> and, for networks measured on training images, spaces_<dataset>.

    Raises InputError if nothing has been measured.
    """
    for dataset in settings.datasets:
        table = measure_correlations.read(settings, dataset)
        if table.empty:
            file = measure_correlations.csv_file(settings, dataset)
            raise InputError(
                f"{file}: no correlation in it; run embedding_space/2_correlate_measures.py first"
            )
        shows, stem = {"dataset": dataset}, settings.figures / f"correlations_{dataset}"
        caption = (
            f"Pearson correlation, over {table.n_methods.max()} methods, of measures of embedding "
            f"spaces (rows) with retrieval of test images of {dataset} (columns). Bold: the 95% "
            "interval by the bootstrap over methods excludes 0. Blue: positive; red: negative."
        )
        figures.draw(settings, stem, matrix(settings, dataset, table), shows, caption)
        if "train" not in set(table.of):
            print(f"left out: spaces_{dataset}: given embeddings are of test images alone")
            continue
        caption = (
            f"Recall@1 on test images of {dataset} over four measures of the training images' "
            f"space. Numbered points: {table.n_methods.max()} methods, mean over folds. r: Pearson "
            "correlation, with its 95% interval by the bootstrap over methods; below, the "
            "correlations read off the figure of Roth et al. (ICML 2020)."
        )
        figure, stem = panels(settings, dataset, table), settings.figures / f"spaces_{dataset}"
        figures.draw(settings, stem, figure, shows, caption)


# --------------------------------------------------------------------------------------------------
# The matrix.
# --------------------------------------------------------------------------------------------------
def matrix(settings: "Settings", dataset: str, table: pd.DataFrame) -> "Figure":
    """Return Pearson correlations over methods of all measures with performance on test images.

    Measures are in the rows, performance in the columns.
    """
    table = measure_correlations.over_methods(table).set_index(["of", "measure", "performance"])
    protocol, properties = settings.protocols[0], labels_of(settings)
    blocks = [("train", list(SHAPE), "on training images"), ("test", list(SHAPE), "on test images"),
              ("train", list(PERFORMANCE), "on training images"),
              (measure_correlations.of_properties(settings, protocol), list(properties),
               f"NR-Precision, protocol {protocol.name}")]  # fmt: skip
    blocks = [block for block in blocks if block[0] in table.index.get_level_values(0)]
    sums = np.cumsum([len(names) for _, names, _ in blocks])
    half = int(np.abs(2 * sums - sums[-1]).argmin()) + 1  # both columns are about as high
    columns = [blocks[:half], blocks[half:]]
    lines = max(sum(len(names) + 3 for _, names, _ in column) for column in columns)
    line = 0.17 * figures.most_lines(properties.values(), NAME_WIDTH)  # inches
    height = line * lines + 0.7
    figure = figures.plt.figure(figsize=(figures.PAGE, height), layout="constrained")
    sides: Any = figure.subfigures(1, 2)
    for side, column in zip(sides, columns):
        heights = [len(names) for _, names, _ in column]
        axes = side.subplots(len(column), 1, squeeze=False, height_ratios=heights)[:, 0]
        for number, (axis, (of, names, title)) in enumerate(zip(axes, column), 1):
            printed = properties if of not in ("train", "test") else LABELS
            labels = [figures.wrapped(printed[name], NAME_WIDTH) for name in names]
            _plot_matrix(axis, table.loc[of], names, labels, title, number == len(column))
    return figure


def _plot_matrix(
    axis: "Axes",
    table: pd.DataFrame,
    names: Sequence[str],
    labels: Sequence[str],
    title: str,
    is_last: bool,
) -> None:
    performances = list(PERFORMANCE)
    values = table.correlation.unstack().reindex(index=names, columns=performances).to_numpy()
    axis.imshow(values, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    for y, x in np.argwhere(np.isfinite(values)):
        row = table.loc[names[y], performances[x]]
        weight = "bold" if row.low > 0 or row.high < 0 else "normal"
        color = "white" if abs(values[y, x]) > 0.65 else "black"
        text = f"{values[y, x]:.2f}".replace("-0.00", "0.00").replace("0.", ".")
        axis.text(x, y, text, ha="center", va="center", fontsize=6, weight=weight, color=color)
    axis.set_yticks(range(len(names)), labels, fontsize=6.5)
    ticks = PERFORMANCE.values() if is_last else []
    axis.set_xticks(range(len(performances)), ticks, rotation=45, ha="right", fontsize=6.5)
    axis.tick_params(length=0)
    axis.set_title(title, fontsize=7.5)
    if is_last:
        axis.set_xlabel("performance on test images", fontsize=7)


# --------------------------------------------------------------------------------------------------
# The panels.
# --------------------------------------------------------------------------------------------------
def panels(settings: "Settings", dataset: str, table: pd.DataFrame) -> "Figure":
    """Return test Recall@1 over measures of training images: a point per method, mean of folds."""
    models = settings.whole.models
    points = measure_correlations.of_methods(measure_correlations.of_networks(settings, dataset))
    points = points.loc[[model.name for model in models if model.name in points.index]]
    table = measure_correlations.over_methods(table)
    table = table[(table.of == "train") & (table.performance == "recall_at_1")]
    table, of_roth = table.set_index("measure"), measure_correlations.published()
    names = [SHORT_NAMES.get(name, name) for name in points.index]
    numbered = [f"{n} {name}".replace(" ", "\u00a0") for n, name in enumerate(names, 1)]
    key = figures.wrapped(", ".join(numbered), KEY_WIDTH)
    figure, axes = figures.new_figure(1, len(SHOWN), figsize=(figures.PAGE, 2.8), sharey=True)
    for axis, measure in zip(axes[0], SHOWN):
        x, y = points[measure, "train"], 100 * points["recall_at_1", "test"]
        _plot_methods(axis, x, y, models)
        row, values = table.loc[measure], of_roth.get(measure, {})
        axis.set_title(f"r = {row.correlation:.2f} [{row.low:.2f}, {row.high:.2f}]", fontsize=7)
        axis.locator_params(axis="x", nbins=4)
        numbers = "\n".join(f"{name} {value:.2f}" for name, value in values.items())
        label = f"{LABELS[measure]}, training images\nRoth et al.:\n{numbers}"
        axis.set_xlabel(label, fontsize=6.5)
    axes[0, 0].set_ylabel("Recall@1 on test images, %")
    figures.legend_above(figure, axes[0, 0], title=key, title_fontsize=7)
    return figure


def _plot_methods(axis: "Axes", x: pd.Series, y: pd.Series, models: Sequence[Model]) -> None:
    for group, color, marker in figures.group_looks(models):
        names = [model.name for model in models if model.group == group and model.name in x.index]
        label = group if names else None
        axis.scatter(x[names], y[names], s=50, color=color, marker=marker, label=label, zorder=3,
                     edgecolors="white", linewidths=0.5)  # fmt: skip
    for number, name in enumerate(x.index, 1):
        axis.text(x[name], y[name], str(number), fontsize=5, color="white", weight="bold",
                  ha="center", va="center_baseline", zorder=4)  # fmt: skip
    axis.margins(x=0.1, y=0.1)
    axis.grid(alpha=0.3, linewidth=0.5)


# --------------------------------------------------------------------------------------------------
# Factors.
# --------------------------------------------------------------------------------------------------
def draw_factors(settings: "Settings") -> None:
    """Write factors: what each value of a sweep's factors changes.

    Raises InputError if there is nothing to compare.
    """
    differences = training_factors.read_differences(settings)
    caption = (
        "What each value of a factor changes, compared with the base of the same seed: Recall@1 on "
        "test images (above), and spectral decay ρ@2 of the training images' space (below). Dots: "
        f"{differences.loss.nunique()} methods, mean over seeds. Boxes: quartiles of the dots; "
        "black: the median."
    )
    figure = factors_figure(settings, differences)
    figures.draw(settings, settings.figures / "factors", figure, {}, caption)


def factors_figure(settings: "Settings", differences: pd.DataFrame) -> "Figure":
    """Return boxes over losses, a column of panels for each factor.

    Above are relative changes of Recall@1 on test images, below changes of the training images'
    rho@2. A dot is a loss, the mean of its seeds. differences: of training_factors.differences.
    """
    factors = {name: list(rows.value.unique())
               for name, rows in differences.groupby("factor", sort=False)}  # fmt: skip
    figure, axes = figures.new_figure(2, len(factors), figsize=(figures.PAGE, 4.8), sharey="row", sharex="col",
                                      width_ratios=[len(values) + 0.5 for values in factors.values()])  # fmt: skip
    labels = ("Recall@1, test:\nchange in %", "ρ@2, training images:\nchange")
    for line, measure, label in zip(axes, training_factors.MEASURES, labels):
        for axis, (name, values) in zip(line, factors.items()):
            rows = differences[differences.factor == name]
            means = rows.groupby(["value", "loss", "type"], sort=False)[measure].mean()
            table = means.rename("change").reset_index()
            _plot_boxes(axis, table, values, figures.group_looks(settings.models))
        line[0].set_ylabel(label)
    for axis, name in zip(axes[0], factors):
        base = settings.base_names.get(name)
        share = (len(factors[name]) + 0.5) / sum(len(values) + 0.5 for values in factors.values())
        width = int(TITLES_WIDTH * share)
        title = figures.wrapped(name, width) + (
            "\n" + figures.wrapped(f"(0: {base})", width) if base else ""
        )
        axis.set_title(title, fontsize=7.5)
    figures.legend_above(figure, axes[0, 0])
    return figure


def _plot_boxes(
    axis: "Axes", table: pd.DataFrame, values: list[str], looks: Sequence[tuple[str, str, str]]
) -> None:
    axis.axhline(0, color="0.4", lw=0.8)
    changes = [table[table.value == value].change.dropna() for value in values]
    grey = {"color": "0.6"}
    axis.boxplot(changes, positions=range(len(values)), widths=0.6, showfliers=False, medianprops={"color": "black"},
                 boxprops=grey, whiskerprops=grey, capprops=grey)  # fmt: skip
    named = table.loss.nunique() <= MAX_NAMED
    for group, color, marker in looks:
        dots = table[table.type == group]
        x = [values.index(value) for value in dots.value]
        axis.scatter(x, dots.change, s=14, color=color, marker=marker, zorder=3, label=group)
        for place, dot in zip(x, dots.itertuples() if named else ()):
            name = SHORT_NAMES.get(dot.loss, dot.loss)
            axis.text(place + 0.33, dot.change, name, fontsize=5, va="center", bbox=NAME_BOX)
    axis.set_xlim(-0.5, len(values) - 0.5 + 0.25 * named)
    rotation = 30 if max(map(len, values)) > 5 else 0
    axis.set_xticks(range(len(values)), values, rotation=rotation, fontsize=6.5)
    axis.grid(axis="y", alpha=0.3, linewidth=0.5)
