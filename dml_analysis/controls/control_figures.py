"""Figures of controls: bounds, permutation nulls, trees of models, ablations, sample sizes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import dendrogram

from dml_analysis import figures
from dml_analysis.controls import (
    compared_groupings,
    compared_representations,
    map_ablations,
    noise_ceilings,
    score_controls,
)
from dml_analysis.datasets.readers import labels_of
from dml_analysis.files import csv_files
from dml_analysis.methods import trained_groups
from dml_analysis.metrics import groupings
from dml_analysis.metrics.representation_similarity import MEASURES
from dml_analysis.paper import Model, Protocol
from dml_analysis.saliency.saliency_tables import SHORT_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dml_analysis.config import Settings

TICKS = (-0.5, 0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # of NR-Precision
# In standard deviations: the normal quantile for 1%, two-sided. The paper takes it as a threshold
# of NR-Precision itself.
NULL_WIDTH = 2.576
NAME_WIDTH = 24  # characters of a line of a tree's labels


def draw(settings: "Settings") -> None:
    """Write all figures of controls with results, by each protocol; print which are left out."""
    makers = (
        _draw_bounds,
        _draw_nulls,
        _draw_representations,
        _draw_trees,
        _draw_ablations,
        _draw_needed,
        _draw_orders,
    )
    figures.draw_what_there_is(settings, makers, "controls/1_bound_maps.py to 5_vary_maps.py")


# --------------------------------------------------------------------------------------------------
# Bounds.
# --------------------------------------------------------------------------------------------------
def _draw_bounds(settings: "Settings", protocol: Protocol) -> None:
    for dataset in settings.datasets:
        file = noise_ceilings.csv_file(settings, protocol, dataset)
        table = csv_files.table(file, noise_ceilings.COLUMNS)
        caption = (
            f"Correlation of saliency maps of {dataset}, mean over {table.n_images.max()} images, "
            "from the noise ceiling (a network with itself under other noise) to the random-weights "
            "baseline. Dots: networks or pairs of networks, their number in parentheses. Bars: "
            "means. Rows are of trained networks alone, unless they name an untrained one."
        )
        figure = bounds_figure(settings, table)
        figures.draw_by_protocol(settings, protocol, f"bounds_{dataset}", figure, caption)


def bounds_figure(settings: "Settings", table: pd.DataFrame) -> "Figure":
    """Return a line of dots for each kind of pair, from the noise ceiling to the baseline."""
    lines = noise_ceilings.kinds_of(table, settings.whole.models)
    labels = [f"{kind} ({len(rows)})" for kind, rows in lines]
    figure, axes = figures.rows_figure(labels, row_height=0.3, margin=0.7)
    _plot_spreads(axes, [rows.correlation_mean for _, rows in lines])
    axes.set_xlabel("correlation of saliency maps")
    return figure


def _plot_spreads(axes: "Axes", rows: Sequence[pd.Series]) -> None:
    """Plot the values of each row as dots, and a bar at their mean."""
    rng = np.random.default_rng(0)  # dots are spread over their row
    for place, values in enumerate(rows):
        y = place + rng.uniform(-0.25, 0.25, len(values))
        axes.plot(values, y, "o", ms=2, alpha=0.4, color=figures.COLORS[0], mew=0)
        bar = [place - 0.35, place + 0.35]
        axes.plot([values.mean()] * 2, bar, color=figures.COLORS[1], lw=1.6)
    axes.grid(axis="x", **figures.GRID)


# --------------------------------------------------------------------------------------------------
# Permutation nulls.
# --------------------------------------------------------------------------------------------------
def _draw_nulls(settings: "Settings", protocol: Protocol) -> None:
    files = (score_controls.file_of(settings, protocol, name) for name in ("nulls", "intervals"))
    nulls = csv_files.table(next(files), score_controls.NULLS)
    intervals = csv_files.table(next(files), score_controls.INTERVALS)
    caption = (
        f"NR-Precision of {intervals.n_images.max():,} {settings.properties.images_called}. Marks: "
        "methods, mean over folds, with 95% intervals by the bootstrap over queries. Grey: the "
        f"permutation null, mean ± {NULL_WIDTH} standard deviations, means over trained networks. "
        f"Dashed: {NULL_WIDTH}, the paper's threshold."
    )
    figure = nulls_figure(settings, nulls, intervals)
    figures.draw_by_protocol(settings, protocol, "nulls", figure, caption)


def nulls_figure(settings: "Settings", nulls: pd.DataFrame, intervals: pd.DataFrame) -> "Figure":
    """Return a row for each property: the models' values with their intervals, and the null."""
    models, labels = settings.whole.models, labels_of(settings)
    figure, axes = figures.rows_figure(list(labels.values()), row_height=0.36)
    trained = nulls[nulls.loss.isin([model.name for model in models if model.trained])]
    null = trained.groupby("property")[["null_mean", "null_std"]].mean().reindex(list(labels))
    for row, (_, (mean, std)) in enumerate(null.iterrows()):
        low, high = mean - NULL_WIDTH * std, mean + NULL_WIDTH * std
        axes.fill_betweenx([row - 0.42, row + 0.42], low, high, color="0.75", lw=0)
    looks = figures.group_looks(models)
    order = [group for group, _, _ in looks]
    intervals = intervals.sort_values(
        "type", key=lambda types: types.map(order.index), kind="stable"
    )
    for row, name in enumerate(labels):
        rows = intervals[intervals.property == name]
        places = row + np.linspace(-0.32, 0.32, max(len(rows), 2))
        for place, model in zip(places, rows.itertuples()):
            _, color, marker = looks[order.index(model.type)]
            axes.plot([model.low, model.high], [place] * 2, color=color, lw=0.8)
            axes.plot(model.nr_precision, place, marker, color=color, ms=2.2, label=model.type)
    axes.axvline(NULL_WIDTH, color="0.3", lw=0.8, ls="--")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(min(-0.25, 1.1 * intervals.low.min()), 1.2 * intervals.high.max())
    low, high = axes.get_xlim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("NR-Precision (linear below 1)")
    axes.grid(axis="x", **figures.GRID)
    figures.legend_above(figure, axes)
    return figure


# --------------------------------------------------------------------------------------------------
# Representations.
# --------------------------------------------------------------------------------------------------
def _draw_representations(settings: "Settings", protocol: Protocol) -> None:
    file = compared_groupings.file_of(settings, protocol, "representation_similarities")
    table = csv_files.table(file, compared_representations.COLUMNS, compared_representations.KEY)
    caption = (
        f"Similarity of embeddings of {table.n_images.max():,} {settings.properties.images_called}, "
        "by three measures. Dots: pairs of methods, mean over folds, or methods in two folds, mean "
        "over pairs of folds; their number in parentheses. Bars: means. Chance: the permutation "
        "null's mean."
    )
    figure = representations_figure(settings, table)
    figures.draw_by_protocol(settings, protocol, "representations", figure, caption)


def representations_figure(settings: "Settings", table: pd.DataFrame) -> "Figure":
    """Return a panel for each measure: two folds, two losses of and across groups, chance."""
    measures = table.measure.unique()
    size = (figures.PAGE, 1.25 * len(measures) + 0.3)
    figure, axes = figures.new_figure(len(measures), 1, figsize=size, sharex=True)
    for (panel,), measure in zip(axes, measures):
        rows = table[table.measure == measure]
        kinds = compared_representations.kinds_of(rows, settings.whole.models)
        figures.label_rows(panel, [f"{kind} ({len(values)})" for kind, values in kinds])
        _plot_spreads(panel, [values for _, values in kinds])
        panel.set_title(MEASURES[measure].label, pad=3)
    axes[-1, 0].set_xlabel("similarity of embeddings")
    return figure


# --------------------------------------------------------------------------------------------------
# Trees.
# --------------------------------------------------------------------------------------------------
def _draw_trees(settings: "Settings", protocol: Protocol) -> None:
    file = compared_groupings.file_of(settings, protocol, "model_similarities")
    key = ["analysis", "loss_a", "loss_b"]
    table = csv_files.table(file, compared_groupings.SIMILARITIES, key=key)
    file = compared_groupings.file_of(settings, protocol, "groupings")
    tests = csv_files.table(file, compared_groupings.GROUPS, key=key[:1])
    caption = (
        f"Trees of {len({*table.loss_a, *table.loss_b})} methods by average linkage. Similarities "
        "are of saliency maps (mean correlation), of embeddings of "
        f"{settings.properties.images_called} (debiased linear CKA, shared nearest neighbours, "
        "Procrustes) and of profiles of properties (correlation of standardised NR-Precisions). "
        "p: permutation test of whether methods of a group are more alike. c: cophenetic "
        "correlation, how well the tree shows the similarities."
    )
    figure = trees_figure(settings, table, tests.set_index("analysis"))
    figures.draw_by_protocol(settings, protocol, "trees", figure, caption)


def trees_figure(settings: "Settings", table: pd.DataFrame, tests: pd.DataFrame) -> "Figure":
    """Return a tree for each analysis, with models' names in the color of their group."""
    models, analyses = settings.whole.models, table.analysis.unique()
    n_rows = -(-len(analyses) // 3)
    names = [SHORT_NAMES.get(name, name) for name in {*table.loss_a, *table.loss_b}]
    height = (0.11 * figures.most_lines(names, NAME_WIDTH) + 0.03) * len(names) + 1
    figure, axes = figures.new_figure(n_rows, 3, figsize=(figures.PAGE, height * n_rows + 0.3))
    colors = {group: color for group, color, _ in figures.group_looks(models)}
    colors_of_models = {model.name: colors[model.group] for model in models}
    for panel in axes.flat[len(analyses) :]:
        panel.axis("off")
    for panel, analysis in zip(axes.flat, analyses):
        _plot_tree(panel, table[table.analysis == analysis], colors_of_models)
        test = tests.loc[analysis]
        p_value = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
        name = analysis.replace(" (", "\n(")  # the panels are narrow
        title = f"{name}\n{p_value}, c = {test.cophenetic:.2f}"
        panel.set_title(title, fontsize=7.5)
    handles = [
        figures.plt.Line2D([], [], color=colors[group], lw=3, label=group)
        for group in trained_groups(models)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


def _plot_tree(panel: "Axes", table: pd.DataFrame, colors: dict[str, str]) -> None:
    names = list(dict.fromkeys([*table.loss_a, *table.loss_b]))
    matrix = np.eye(len(names))
    for a, b, value in zip(table.loss_a, table.loss_b, table.similarity):
        matrix[names.index(a), names.index(b)] = matrix[names.index(b), names.index(a)] = value
    tree = groupings.linkage(matrix)
    dendrogram(tree, labels=names, orientation="left", ax=panel, color_threshold=0,
               above_threshold_color="0.3")  # fmt: skip
    panel.locator_params(axis="x", nbins=2)
    panel.tick_params(axis="x", labelsize=7)
    low, high = tree[:, 2].min(), tree[:, 2].max()
    panel.set_xlim(1.02 * high, max(0, 1.5 * low - 0.5 * high))
    order = [label.get_text() for label in panel.get_yticklabels()]
    labels = [figures.wrapped(SHORT_NAMES.get(name, name), NAME_WIDTH) for name in order]
    for label, name in zip(panel.set_yticklabels(labels, fontsize=6.5), order):
        label.set_color(colors[name])
    panel.set_xlabel("1 - similarity")
    panel.spines[["top", "left", "right"]].set_visible(False)


# --------------------------------------------------------------------------------------------------
# Ablations and sample sizes.
# --------------------------------------------------------------------------------------------------
def _draw_ablations(settings: "Settings", protocol: Protocol) -> None:
    dataset = settings.shown_dataset
    file = map_ablations.csv_file(settings, protocol, dataset)
    table = csv_files.table(file, map_ablations.COLUMNS)
    caption = (
        f"Correlation of saliency maps of {dataset}, mean over pairs of methods and over "
        f"{table.n_images.max()} images, under other map settings. Left: numbers of noisy samples, "
        "and noise of standard deviation σ. Right: the settings' own maps, and other base images "
        "or attributions. Filled: methods within a group; open: of two groups."
    )
    figure = ablations_figure(table)
    figures.draw_by_protocol(settings, protocol, f"variations_{dataset}", figure, caption)


def ablations_figure(table: pd.DataFrame) -> "Figure":
    """Return lines over the samples for each sigma, and dots for each base and attribution."""
    size = (figures.PAGE, 2.6)
    figure, (axes,) = figures.new_figure(1, 2, figsize=size, sharey=True, width_ratios=[2, 1.4])
    smooth = table[table.variation.isin(["own", "sigma and samples"])]
    for number, (sigma, rows) in enumerate(smooth.groupby("sigma")):
        color, marker = figures.look(number)
        rows = rows.sort_values("samples")
        for name, line, fill in (("within", "-", color), ("between", ":", "white")):
            axes[0].plot(rows.samples, rows[name], marker + line, color=color, mfc=fill, ms=3.5,
                         lw=1, label=f"σ = {sigma:g}, {name}")  # fmt: skip
    axes[0].set(xlabel="noisy samples", ylabel="correlation of maps")
    figures.log_ticks(axes[0], smooth.samples)
    changed = table[table.variation.isin(["base image", "attribution"])]
    others = pd.concat([table[table.variation == "own"].iloc[:1], changed])
    names = others.attribution.where(others.variation == "attribution", others.base)
    names = names.where(others.variation != "own", "own")
    places, color = np.arange(len(others)), figures.COLORS[0]
    for name, shift, fill in (("within", -0.1, color), ("between", 0.1, "white")):
        axes[1].plot(places + shift, others[name], "o", color=color, mfc=fill, ms=4)
    axes[1].set_xticks(places, [name.replace(" ", "\n") for name in names], fontsize=6.5)
    axes[1].set(xlim=(-0.5, len(others) - 0.5), xlabel="base image or attribution")
    for panel in axes:
        panel.grid(**figures.GRID)
    figures.legend_above(figure, axes[0])
    return figure


def _draw_needed(settings: "Settings", protocol: Protocol) -> None:
    dataset = settings.shown_dataset
    file = map_ablations.needed_file(settings, protocol, dataset)
    maps = csv_files.table(file, map_ablations.NEEDED, key=["samples", "images"])
    file = score_controls.file_of(settings, protocol, "differences")
    scores = csv_files.table(file, score_controls.DIFFERENCES, key=["property", "queries", "folds"])
    caption = (
        "Share of the pairs of methods that are told apart with a power of 80% at 5%, by sample "
        f"size. Left: by saliency maps of {dataset}, which are told apart if they are less alike "
        "than each method's own under other noise. Right: by NR-Precision, mean over the "
        "properties. Lines: numbers of noisy samples and of folds."
    )
    figure = needed_figure(maps, scores)
    figures.draw_by_protocol(settings, protocol, f"needed_{dataset}", figure, caption)


def needed_figure(maps: pd.DataFrame, scores: pd.DataFrame) -> "Figure":
    """Return the share of pairs told apart, over images by samples, and over queries by folds."""
    figure, (axes,) = figures.new_figure(1, 2, figsize=(figures.PAGE, 2.7), sharey=True)
    means = scores.groupby(["folds", "queries"]).told_apart.mean().reset_index()
    for panel, table, by, x, unit in ((axes[0], maps, "samples", "images", "noisy sample"),
                                      (axes[1], means, "folds", "queries", "fold")):  # fmt: skip
        for number, (value, rows) in enumerate(table.groupby(by)):
            color, marker = figures.look(number)
            label = f"{value} {unit}{'s' * (value > 1)}"
            panel.plot(rows[x], 100 * rows.told_apart, marker + "-", color=color, ms=3, lw=1,
                       label=label)  # fmt: skip
        panel.set_xlabel(x)
        figures.log_ticks(panel, table[x])
        panel.grid(**figures.GRID)
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    axes[0].set_ylabel("pairs told apart in %")
    return figure


def _draw_orders(settings: "Settings", protocol: Protocol) -> None:
    file = score_controls.file_of(settings, protocol, "orders")
    table = csv_files.table(file, score_controls.ORDERS, key=["loss", "n_images"])
    caption = (
        "Rank stability: Spearman's correlation of the properties' ranks by NR-Precision among "
        f"sampled images with those among all {table.n_all.max():,}. Lines: methods, mean over "
        "folds."
    )
    figure = orders_figure(settings.whole.models, table)
    figures.draw_by_protocol(settings, protocol, "orders", figure, caption)


def orders_figure(models: Sequence[Model], table: pd.DataFrame) -> "Figure":
    """Return a line for each model over the number of images."""
    figure, ((axes,),) = figures.new_figure(figsize=(figures.COLUMN, 2.3))
    figures.plot_model_lines(axes, table, models, "n_images", "order_as_all")
    axes.set(xlabel="images", ylabel="rank correlation", ylim=(None, 1.02))
    figures.log_ticks(axes, table.n_images)
    axes.grid(**figures.GRID)
    figures.legend_above(figure, axes, ncols=3, handletextpad=0.3)
    return figure
