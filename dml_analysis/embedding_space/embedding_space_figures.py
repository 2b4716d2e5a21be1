"""Figures of embedding spaces: the matrix of correlations with performance, and the panels behind four of them."""

import textwrap

import numpy as np

from dml_analysis import figures
from dml_analysis.embedding_space import measure_correlations, training_factors
from dml_analysis.errors import InputError
from dml_analysis.methods import groups
from dml_analysis.metrics.embedding_measures import LABELS, PERFORMANCE, SHAPE
from dml_analysis.paper import PROPERTIES
from dml_analysis.saliency.saliency_tables import SHORT_NAMES

SHOWN = ("pi_intra", "pi_inter", "pi_ratio", "rho_2")  # as that study's figure
MOST_NAMED = 6  # losses whose dots in a box are named
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8}  # these names
PROPERTY_LABELS = {each.name: each.label for each in PROPERTIES}


def draw(settings):
    """Write correlations_<dataset> and, where networks were measured on training images, spaces_<dataset>.

    Raises InputError if nothing has been measured.
    """
    for dataset in settings.datasets:
        table = measure_correlations.read(settings, dataset)
        if table.empty:
            file = measure_correlations.csv_file(settings, dataset)
            raise InputError(
                f"{file}: no correlation in it; run embedding_space/2_correlate_measures.py first"
            )
        shows = {"dataset": dataset}
        caption = (
            f"Pearson correlation, over methods, of what the networks' spaces are like with their retrieval of test images of {dataset}; "
            "bold where the 95% interval, by the bootstrap over methods, does not hold 0."
        )
        figures.draw(
            settings,
            settings.figures / f"correlations_{dataset}",
            matrix(settings, dataset, table),
            shows,
            caption,
        )
        if "train" not in set(table.of):
            print(f"left out: spaces_{dataset}: given embeddings are of test images alone")
            continue
        caption = (
            f"Recall@1 on test images of {dataset} over four measures of the training images' space, a point for each method; r with "
            "its 95% interval, and what can be read off the figure of Roth et al. (ICML 2020)."
        )
        figures.draw(
            settings,
            settings.figures / f"spaces_{dataset}",
            panels(settings, dataset, table),
            shows,
            caption,
        )


# ---------------------------------------------------------------------------------------------------------------------
# The matrix.
# ---------------------------------------------------------------------------------------------------------------------
def matrix(settings, dataset, table):
    """Pearson correlations over methods of all measures (rows) with all measures of performance on test images (columns)."""
    chosen = measure_correlations.over_methods(table).set_index(["of", "measure", "performance"])
    cars = measure_correlations.of_cars(settings.protocols[0])
    blocks = [("train", list(SHAPE), "on training images"), ("test", list(SHAPE), "on test images"),
              ("train", list(PERFORMANCE), "on training images"),
              (cars, [each.name for each in PROPERTIES], f"NR-Precision, protocol {settings.protocols[0].name}")]  # fmt: skip
    blocks = [block for block in blocks if block[0] in chosen.index.get_level_values(0)]
    heights = [len(names) for _, names, _ in blocks]
    half = _split(heights)
    columns = [blocks[:half], blocks[half:]]
    figure = figures.plt.figure(
        figsize=(figures.PAGE, 0.17 * max(sum(len(b[1]) + 3 for b in c) for c in columns) + 1),
        layout="constrained",
    )
    for side, column in zip(figure.subfigures(1, 2), columns):
        axes = side.subplots(
            len(column), 1, squeeze=False, height_ratios=[len(names) for _, names, _ in column]
        )[:, 0]
        for place, (axis, (of, names, title)) in enumerate(zip(axes, column)):
            _heat(axis, chosen.loc[of], names, title, last=place == len(column) - 1)
    n = chosen.n_methods.max()
    figure.suptitle(f"{dataset}: Pearson correlation with performance on test images, over {n} methods\n"
                    "bold: its 95% interval by the bootstrap over methods does not hold 0")  # fmt: skip
    return figure


def _split(heights):
    """After how many blocks the second column begins, so that both are about as high."""
    sums = np.cumsum(heights)
    return int(np.abs(2 * sums - sums[-1]).argmin()) + 1


def _heat(axis, chosen, names, title, last):
    values = np.array(
        [[chosen.correlation.get((name, each), np.nan) for each in PERFORMANCE] for name in names]
    )
    axis.imshow(values, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    for y, name in enumerate(names):
        for x, performance in enumerate(PERFORMANCE):
            if np.isfinite(values[y, x]):
                row = chosen.loc[name, performance]
                clear = row.low > 0 or row.high < 0
                axis.text(x, y, f"{values[y, x]:.2f}".replace("0.", "."), ha="center", va="center", fontsize=6,
                          weight="bold" if clear else "normal", color="white" if abs(values[y, x]) > 0.65 else "black")  # fmt: skip
    axis.set_yticks(
        range(len(names)), [(LABELS | PROPERTY_LABELS)[name] for name in names], fontsize=6.5
    )
    axis.set_xticks(
        range(len(PERFORMANCE)),
        PERFORMANCE.values() if last else [],
        rotation=45,
        ha="right",
        fontsize=6.5,
    )
    axis.tick_params(length=0)
    axis.set_title(title, fontsize=7.5)


# ---------------------------------------------------------------------------------------------------------------------
# The panels.
# ---------------------------------------------------------------------------------------------------------------------
def panels(settings, dataset, table):
    """What training images look like against Recall@1 on test images: a point for each method, the mean of its folds."""
    points = measure_correlations.means_of_methods(
        measure_correlations.of_networks(settings, dataset)
    )
    points = points.loc[
        [model.name for model in settings.whole.models if model.name in points.index]
    ]
    chosen = measure_correlations.over_methods(table)
    chosen = chosen[(chosen.of == "train") & (chosen.performance == "recall_at_1")].set_index(
        "measure"
    )
    figure, axes = figures.new_figure(1, len(SHOWN), figsize=(figures.PAGE, 2.9), sharey=True)
    published = measure_correlations.published()
    for axis, measure in zip(axes[0], SHOWN):
        for number, group in enumerate(groups(settings.whole.models)):
            color, marker = figures.look(number)
            names = [
                model.name
                for model in settings.whole.models
                if model.group == group and model.name in points.index
            ]
            some = points.loc[names]
            axis.scatter(some[measure, "train"], 100 * some["recall_at_1", "test"], s=50, color=color, marker=marker,
                         label=group if names else None, zorder=3)  # fmt: skip
        for number, (_, row) in enumerate(points.iterrows(), 1):
            axis.text(row[measure, "train"], 100 * row["recall_at_1", "test"], number, fontsize=5, color="white", weight="bold",
                      ha="center", va="center_baseline", zorder=4)  # fmt: skip
        axis.margins(x=0.1, y=0.1)
        found = chosen.loc[measure]
        theirs = "\n".join(
            f"{name} {value:.2f}" for name, value in published.get(measure, {}).items()
        )
        axis.set_title(
            f"r = {found.correlation:.2f} ({found.low:.2f} to {found.high:.2f})", fontsize=7
        )
        axis.set_xlabel(f"{LABELS[measure]}, training images\nRoth et al.:\n{theirs}", fontsize=6.5)
        axis.grid(alpha=0.3, linewidth=0.5)
    axes[0, 0].set_ylabel("Recall@1 on test images, %")
    names = [
        f"{number} {SHORT_NAMES.get(name, name)}".replace(" ", "\u00a0")
        for number, name in enumerate(points.index, 1)
    ]
    title = textwrap.fill(
        f"{dataset}, a point for each method, 95% intervals by the bootstrap over these: {', '.join(names)}",
        110,
    )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, title=title, loc="outside upper center", ncols=8, frameon=False)
    return figure


# ---------------------------------------------------------------------------------------------------------------------
# Factors.
# ---------------------------------------------------------------------------------------------------------------------
def draw_factors(settings):
    """Write factors: what each value of a sweep's factors changes. Raises InputError if there is nothing to compare."""
    caption = (
        "What each value of a factor changes, against the base of the same seed: Recall@1 on test images, and spectral decay of the "
        "training images' space. A dot is a loss, the mean of its seeds; a box holds the middle half of them."
    )
    figures.draw(
        settings,
        settings.figures / "factors",
        factors_figure(settings, training_factors.frame(settings)),
        {},
        caption,
    )


def factors_figure(settings, differences):
    """Above relative changes of Recall@1 on test images, below of the training images' rho@2: boxes over losses, a factor a panel.

    differences: of factors.differences. A dot is a loss, the mean of its seeds.
    """
    names = list(dict.fromkeys(differences.factor))
    values = {
        name: list(dict.fromkeys(differences[differences.factor == name].value)) for name in names
    }
    figure, axes = figures.new_figure(2, len(names), figsize=(figures.PAGE, 4.8), sharey="row", sharex="col",
                                      width_ratios=[len(values[name]) + 0.5 for name in names])  # fmt: skip
    rows = [
        ("recall_change", "Recall@1, test:\nchange in %"),
        (f"{training_factors.OF_SPACE[0]}_change", "ρ@2, training images:\nchange"),
    ]
    for line, (measure, label) in zip(axes, rows):
        for axis, name in zip(line, names):
            some = (
                differences[differences.factor == name]
                .groupby(["value", "loss", "type"], sort=False)[measure]
                .mean()
            )
            _boxes(axis, some.reset_index(), values[name], measure, groups(settings.models))
        line[0].set_ylabel(label)
    for axis, name in zip(axes[0], names):
        base = settings.base_names.get(name)
        axis.set_title(name + (f"\n(0: {base})" if base else ""), fontsize=7.5)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    return figure


def _boxes(axis, some, values, measure, kinds):
    axis.axhline(0, color="0.4", linewidth=0.8)
    shown = [some[some.value == value][measure].dropna() for value in values]
    axis.boxplot(shown, positions=range(len(values)), widths=0.6, showfliers=False, medianprops={"color": "black"},
                 boxprops={"color": "0.6"}, whiskerprops={"color": "0.6"}, capprops={"color": "0.6"})  # fmt: skip
    named = some.loss.nunique() <= MOST_NAMED
    for number, kind in enumerate(kinds):
        color, marker = figures.look(number)
        of_kind = some[some.type == kind]
        places = [values.index(value) for value in of_kind.value]
        axis.scatter(
            places, of_kind[measure], s=14, color=color, marker=marker, zorder=3, label=kind
        )
        for place, row in zip(places, of_kind.itertuples() if named else ()):
            name = SHORT_NAMES.get(row.loss, row.loss)
            axis.text(
                place + 0.33, getattr(row, measure), name, fontsize=5, va="center", bbox=BEHIND
            )
    axis.set_xlim(-0.5, len(values) - 0.5 + 0.25 * named)
    axis.set_xticks(
        range(len(values)), values, rotation=30 if max(map(len, values)) > 5 else 0, fontsize=6.5
    )
    axis.grid(axis="y", alpha=0.3, linewidth=0.5)
