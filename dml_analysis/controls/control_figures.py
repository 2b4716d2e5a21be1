"""Figures of controls: floor and ceiling, nulls, trees of models, what survives other settings, how many images it takes."""

import numpy as np
from scipy.cluster.hierarchy import dendrogram

from dml_analysis import figures
from dml_analysis.controls import compared_groupings, map_ablations, noise_ceilings, score_controls
from dml_analysis.files import csv_files
from dml_analysis.methods import groups, trained_groups
from dml_analysis.metrics import groupings
from dml_analysis.paper import PROPERTIES
from dml_analysis.saliency.saliency_tables import SHORT_NAMES

LABELS = {each.name: each.label for each in PROPERTIES}
TICKS = (-0.5, 0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # of NR-Precision
# In standard deviations: the normal quantile for 1%, two-sided, which the paper takes for NR-Precision itself.
NULL_WIDTH = 2.576


def draw(settings):
    """Write all figures of controls whose results exist, by each protocol; says what it leaves out."""
    makers = (_draw_bounds, _draw_nulls, _draw_trees, _draw_variations, _draw_needed, _draw_orders)
    figures.draw_what_there_is(settings, makers, "controls/1_bound_maps.py to 5_vary_maps.py")


# ---------------------------------------------------------------------------------------------------------------------
# Floor and ceiling.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_bounds(settings, protocol):
    for dataset in settings.datasets:
        table = csv_files.table(
            noise_ceilings.csv_file(settings, protocol, dataset), noise_ceilings.COLUMNS
        )
        caption = (
            f"Between floor and ceiling: correlation of saliency maps ({dataset}, {table.n_images.max()} images), a dot for each "
            "network with itself under other noise, or each pair of networks; a bar is the mean of its line. A line is of trained networks alone, unless it names an untrained one."
        )
        figures.draw_by_protocol(
            settings, protocol, f"bounds_{dataset}", bounds_figure(settings, table), caption
        )


def bounds_figure(settings, table):
    """A line of dots for each kind of pair, from the ceiling to the floor."""
    lines = noise_ceilings.kinds_of(table, settings.whole.models)
    figure, ((axes,),) = figures.new_figure(figsize=(figures.PAGE, 0.3 * len(lines) + 0.7))
    rng = np.random.default_rng(0)  # dots are spread over their line
    for place, (_, some) in enumerate(lines):
        spread = rng.uniform(-0.25, 0.25, len(some))
        axes.plot(
            some.correlation_mean,
            place + spread,
            "o",
            ms=2,
            alpha=0.4,
            color=figures.COLORS[0],
            mew=0,
        )
        axes.plot(
            [some.correlation_mean.mean()] * 2,
            [place - 0.35, place + 0.35],
            color=figures.COLORS[1],
            lw=1.6,
        )
    axes.set_yticks(range(len(lines)), [f"{kind} ({len(some)})" for kind, some in lines])
    axes.invert_yaxis()
    axes.set_xlabel("correlation of saliency maps")
    axes.grid(axis="x", color="0.9", lw=0.5)
    return figure


# ---------------------------------------------------------------------------------------------------------------------
# Nulls.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_nulls(settings, protocol):
    nulls = csv_files.table(
        score_controls.file_of(settings, protocol, "nulls"), score_controls.NULLS
    )
    intervals = csv_files.table(
        score_controls.file_of(settings, protocol, "intervals"), score_controls.INTERVALS
    )
    caption = (
        f"NR-Precision of each model ({intervals.n_images.max():,} images, mean over folds; lines are 95% intervals by the bootstrap "
        f"over queries). Grey: mean ± {NULL_WIDTH} standard deviations under permuted labels, means over trained networks. Dashed: {NULL_WIDTH}, the paper's threshold."
    )
    figures.draw_by_protocol(
        settings, protocol, "nulls", nulls_figure(settings, nulls, intervals), caption
    )


def nulls_figure(settings, nulls, intervals):
    """A row for each property: the models' values with their intervals, and what chance gives."""
    names = [each.name for each in PROPERTIES]
    figure, ((axes,),) = figures.new_figure(figsize=(figures.PAGE, 0.36 * len(names) + 0.9))
    trained = nulls[
        nulls.loss.isin([model.name for model in settings.whole.models if model.trained])
    ]
    chance = trained.groupby("property")[["null_mean", "null_std"]].mean().reindex(names)
    order = groups(settings.whole.models)
    for row, name in enumerate(names):
        mean, width = chance.null_mean[name], NULL_WIDTH * chance.null_std[name]
        axes.fill_betweenx([row - 0.42, row + 0.42], mean - width, mean + width, color="0.75", lw=0)
        some = intervals[intervals.property == name]
        places = row + np.linspace(-0.32, 0.32, max(len(some), 2))
        for place, each in zip(
            places,
            some.sort_values("type", key=lambda column: column.map(order.index)).itertuples(),
        ):
            color, marker = figures.look(order.index(each.type))
            first = row == 0 and each.loss == some[some.type == each.type].loss.iloc[0]
            axes.plot([each.low, each.high], [place] * 2, color=color, lw=0.8)
            axes.plot(
                each.nr_precision,
                place,
                marker,
                color=color,
                ms=2.2,
                label=each.type if first else None,
            )
    axes.axvline(NULL_WIDTH, color="0.3", lw=0.8, ls="--")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(min(-0.25, 1.1 * intervals.low.min()), 1.2 * intervals.high.max())
    shown = [tick for tick in TICKS if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()
    axes.set_yticks(range(len(names)), [LABELS[name] for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("NR-Precision (linear below 1)")
    axes.grid(axis="x", color="0.9", lw=0.5)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    return figure


# ---------------------------------------------------------------------------------------------------------------------
# Trees.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_trees(settings, protocol):
    file = compared_groupings.file_of(settings, protocol, "model_similarities")
    table = csv_files.table(
        file, compared_groupings.SIMILARITIES, key=["analysis", "loss_a", "loss_b"]
    )
    tests = csv_files.table(
        compared_groupings.file_of(settings, protocol, "groupings"),
        compared_groupings.GROUPS,
        key=["analysis"],
    )
    caption = (
        "Which models are alike by their saliency maps (mean correlation), their embeddings of rendered cars (debiased linear CKA) and their "
        "profiles of properties (correlation of standardised NR-Precisions): trees by average linkage. p: permutation test of "
        "whether losses of a group are more alike; c: cophenetic correlation, how well a tree shows its similarities."
    )
    figures.draw_by_protocol(
        settings,
        protocol,
        "trees",
        trees_figure(settings, table, tests.set_index("analysis")),
        caption,
    )


def trees_figure(settings, table, tests):
    """A tree for each analysis; a model's name has the colour of its group."""
    figure, (axes,) = figures.new_figure(
        1, len(compared_groupings.ANALYSES), figsize=(figures.PAGE, 3.2)
    )
    group_of, order = (
        {model.name: model.group for model in settings.whole.models},
        groups(settings.whole.models),
    )
    for panel, analysis in zip(axes, compared_groupings.ANALYSES):
        some = table[table.analysis == analysis]
        names = list(dict.fromkeys([*some.loss_a, *some.loss_b]))
        matrix = np.eye(len(names))
        for a, b, value in zip(some.loss_a, some.loss_b, some.similarity):
            matrix[names.index(a), names.index(b)] = matrix[names.index(b), names.index(a)] = value
        tree = groupings.linkage(matrix)
        dendrogram(
            tree,
            labels=names,
            orientation="left",
            ax=panel,
            color_threshold=0,
            above_threshold_color="0.3",
        )
        panel.locator_params(axis="x", nbins=3)
        panel.set_xlim(
            1.02 * tree[:, 2].max(), max(0, 1.5 * tree[:, 2].min() - 0.5 * tree[:, 2].max())
        )
        for label in panel.get_yticklabels():
            name = label.get_text()
            label.set(
                text=SHORT_NAMES.get(name, name),
                color=figures.look(order.index(group_of[name]))[0],
                fontsize=6.5,
            )
        panel.set_yticklabels(panel.get_yticklabels())
        test = tests.loc[analysis]
        panel.set_title(
            f"{analysis}\np = {test.p_value:.3f}, c = {test.cophenetic:.2f}", fontsize=7.5
        )
        panel.set_xlabel("1 - similarity")
        panel.spines[["top", "left", "right"]].set_visible(False)
    handles = [figures.plt.Line2D([], [], color=figures.look(n)[0], lw=3, label=group) for n, group in enumerate(order)
               if group in trained_groups(settings.whole.models)]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


# ---------------------------------------------------------------------------------------------------------------------
# What survives, and how much it takes.
# ---------------------------------------------------------------------------------------------------------------------
def _draw_variations(settings, protocol):
    dataset = settings.shown_dataset
    table = csv_files.table(
        map_ablations.csv_file(settings, protocol, dataset), map_ablations.COLUMNS
    )
    caption = (
        f"Mean correlation of two losses' maps, within and between groups, over the number of noisy samples and sigma, and with "
        f"another base image or attribution ({dataset}, {table.n_images.max()} images)."
    )
    figures.draw_by_protocol(
        settings, protocol, f"variations_{dataset}", variations_figure(table), caption
    )


def variations_figure(table):
    """Left lines over the samples, one for each sigma; right a pair of dots for each base image and attribution."""
    figure, (axes,) = figures.new_figure(
        1, 2, figsize=(figures.PAGE, 2.6), sharey=True, width_ratios=[2, 1.4]
    )
    smooth = table[table.variation.isin(["own", "sigma and samples"])]
    for number, (sigma, some) in enumerate(smooth.groupby("sigma")):
        color, marker = figures.look(number)
        some = some.sort_values("samples")
        for name, line, fill in (("within", "-", color), ("between", ":", "white")):
            label = f"σ {sigma:g}, {name}"
            axes[0].plot(
                some.samples,
                some[name],
                marker + line,
                color=color,
                mfc=fill,
                ms=3.5,
                lw=1,
                label=label,
            )
    axes[0].set(xlabel="noisy samples", ylabel="correlation of maps")
    log_ticks(axes[0], sorted(set(smooth.samples)))
    others = [("own", table[table.variation == "own"].iloc[0])]
    others += [(row.base if row.variation == "base image" else row.attribution, row)
               for _, row in table[table.variation.isin(["base image", "attribution"])].iterrows()]  # fmt: skip
    for name, shift, fill in (("within", -0.1, figures.COLORS[0]), ("between", 0.1, "white")):
        places, values = (
            [place + shift for place in range(len(others))],
            [row[name] for _, row in others],
        )
        axes[1].plot(places, values, "o", color=figures.COLORS[0], mfc=fill, ms=4, label=name)
    axes[1].set_xticks(range(len(others)), [name.replace(" ", "\n") for name, _ in others])
    axes[1].set(xlim=(-0.5, len(others) - 0.5), xlabel="base image or attribution")
    for panel in axes:
        panel.grid(color="0.9", lw=0.5)
        panel.legend(frameon=False, fontsize=6)
    return figure


def log_ticks(axes, numbers):
    """A logarithmic x-axis on which these numbers are written out."""
    axes.set_xscale("log")
    axes.set_xticks(numbers, [f"{number:,}" for number in numbers])
    axes.minorticks_off()


def _draw_needed(settings, protocol):
    dataset = settings.shown_dataset
    maps = csv_files.table(
        map_ablations.needed_file(settings, protocol, dataset),
        map_ablations.NEEDED,
        key=["samples", "images"],
    )
    file = score_controls.file_of(settings, protocol, "differences")
    scores = csv_files.table(file, score_controls.DIFFERENCES, key=["property", "queries", "folds"])
    caption = (
        "How much it takes to tell two losses apart with a power of 80% at 5%. Left: by saliency maps, which are told apart if they are "
        f"less alike than each loss's own under other noise ({dataset}). Right: by NR-Precision, mean over the properties."
    )
    figures.draw_by_protocol(
        settings, protocol, f"needed_{dataset}", needed_figure(maps, scores), caption
    )


def needed_figure(maps, scores):
    """The share of pairs that are told apart: left over images, a line for each number of samples; right over queries, by folds."""
    figure, (axes,) = figures.new_figure(1, 2, figsize=(figures.PAGE, 2.4), sharey=True)
    means = scores.groupby(["folds", "queries"]).told_apart.mean().reset_index()
    for panel, table, by, over, of in ((axes[0], maps, "samples", "images", "noisy samples"),
                                       (axes[1], means, "folds", "queries", "folds")):  # fmt: skip
        for number, (value, some) in enumerate(table.groupby(by)):
            color, marker = figures.look(number)
            label = f"{value} {of}" if value > 1 else f"{value} {of.removesuffix('s')}"
            panel.plot(
                some[over],
                100 * some.told_apart,
                marker + "-",
                color=color,
                ms=3,
                lw=1,
                label=label,
            )
        panel.set_xlabel(over)
        log_ticks(panel, sorted(set(table[over])))
        panel.grid(color="0.9", lw=0.5)
        panel.legend(frameon=False, fontsize=6)
    axes[0].set_ylabel("pairs told apart in %")
    return figure


def _draw_orders(settings, protocol):
    file = score_controls.file_of(settings, protocol, "orders")
    table = csv_files.table(file, score_controls.ORDERS, key=["loss", "n_images"])
    caption = (
        "Is the order of the properties by NR-Precision the same among fewer images? Spearman's correlation with their order among all "
        f"{table.n_all.max():,}, a line for each model."
    )
    figures.draw_by_protocol(settings, protocol, "orders", orders_figure(settings, table), caption)


def orders_figure(settings, table):
    """A line for each model, over the number of images."""
    figure, ((axes,),) = figures.new_figure(figsize=(figures.COLUMN, 2.3))
    for number, group in enumerate(groups(settings.whole.models)):
        color, marker = figures.look(number)
        some = table[table.type == group]
        for place, (_, of_model) in enumerate(some.groupby("loss")):
            label = None if place else group
            axes.plot(
                of_model.n_images,
                of_model.order_as_all,
                marker + "-",
                color=color,
                ms=3,
                lw=0.8,
                alpha=0.8,
                label=label,
            )
    axes.set(xlabel="images", ylabel="order as among all", ylim=(None, 1.02))
    log_ticks(axes, sorted(set(table.n_images)))
    axes.grid(color="0.9", lw=0.5)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper center",
        ncols=3,
        frameon=False,
        handletextpad=0.3,
    )
    return figure
