"""The figure of the toy example: its points, their embeddings by each variant, and spectra."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from dml_analysis import figures
from dml_analysis.embedding_space import toy_example

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN_COLORS = ("#0072B2", "#009E73", "#E69F00", "#CC79A7")  # Okabe and Ito
TRAIN_MARKERS = "osD^"
TEST_COLORS = ("black", "#D55E00", "0.5", "#56B4E9")
TEST_MARKERS = "x+1|"
RINGS = (0.82, 0.66, 0.5, 0.34)  # radii at which test segments, embedded at radius 1, are plotted
SHOWN = {
    "s2": "s2 / (s1 + s2), singular values of training points",
    "test_recall_at_1": "Recall@1 of test points",
}
COLUMNS = 4  # of panels
BELOW = 0.3  # the distance of a mean to the dots of its seeds, in lines


def draw(stem: Path, result: toy_example.Result) -> None:
    """Write the figure to <stem>.png and .pdf."""
    shows = {"variants": [variant.name for variant in result.variants], "seeds": list(result.seeds)}
    caption = (
        "The toy example of Roth et al. (ICML 2020). Above: training and test points, and where each "
        f"variant of the training embeds them on the unit circle (seed {result.seeds[0]}, turned so "
        "that the first singular direction is up). Test points are plotted on rings inside the "
        "circle. Below: spectra of the training points' embeddings, and Recall@1 of test points. "
        f"Dots: {len(result.seeds)} seeds. Bars: means with 95% intervals by Student's t."
    )
    figures.write(stem, panels(result), json.dumps(shows), caption)


def panels(result: toy_example.Result) -> "Figure":
    """Return points and their embeddings of the first seed; below, measures over all seeds."""
    lines = -(-(1 + len(result.variants)) // COLUMNS)
    size = (figures.PAGE, 1.65 * lines + 2.4)
    figure = figures.plt.figure(figsize=size, layout="constrained")
    subfigures: Any = figure.subfigures(2, 1, height_ratios=[1.65 * lines + 0.3, 2.1])
    above, below = subfigures
    axes = above.subplots(lines, COLUMNS, squeeze=False).flat
    for axis in axes:
        axis.axis("off")
    _plot_points(axes[0], result.data)
    spaces = []
    for train, test in zip(result.train[:, 0], result.test[:, 0]):
        rotation = turned_up(train)
        spaces.append((train @ rotation, test @ rotation))
    bottom = min(-RINGS[-1], np.min(np.array(spaces)[..., 1])) - 0.1
    for axis, variant, (train, test) in zip(axes[1:], result.variants, spaces):
        _plot_circle(axis, result.data, train, test, bottom)
        axis.set_title(f"{variant.name}\n({variant.source})", fontsize=7.5)
    figures.legend_above(above, axes[0], ncols=8, fontsize=7)
    _plot_measures(below.subplots(1, len(SHOWN), sharey=True), result)
    return figure


def _plot_points(axis: "Axes", data: toy_example.Data) -> None:
    _scatter(axis, data.train, data.train_classes, TRAIN_COLORS, TRAIN_MARKERS, "class")
    _scatter(axis, data.test, data.test_classes, TEST_COLORS, TEST_MARKERS, "test")
    axis.axis("on")
    axis.set(aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axis.set_title("data", fontsize=7.5)


def _scatter(
    axis: "Axes",
    points: Float[np.ndarray, "n 2"],
    classes: Int[np.ndarray, " n"],
    colors: Sequence[str],
    markers: str,
    name: str,
) -> None:
    for number, (color, marker) in enumerate(zip(colors, markers)):
        x, y = points[classes == number].T
        axis.scatter(x, y, s=9, linewidth=0.8, color=color, marker=marker,
                     label=f"{name} {number + 1}")  # fmt: skip


def _plot_circle(
    axis: "Axes",
    data: toy_example.Data,
    train: Float[np.ndarray, "n 2"],
    test: Float[np.ndarray, "n 2"],
    bottom: float,
) -> None:
    """Plot training points on the circle, and test points on a ring for each segment."""
    for radius in (1, *RINGS):
        axis.add_patch(
            figures.plt.Circle((0, 0), radius, fill=False, color="0.85", linewidth=0.5, zorder=0)
        )
    _scatter(axis, train, data.train_classes, TRAIN_COLORS, TRAIN_MARKERS, "class")
    rings = np.array(RINGS)[data.test_classes, None] * test
    _scatter(axis, rings, data.test_classes, TEST_COLORS, TEST_MARKERS, "test")
    axis.set(aspect="equal", xlim=(-1.1, 1.1), ylim=(bottom, 1.1))


def turned_up(embeddings: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "2 2"]:
    """Return the rotation that turns the first singular direction, and the mean, upwards.

    It is to be multiplied from the right.
    """
    first = np.linalg.svd(embeddings)[2][0]
    x, y = first if embeddings.mean(axis=0) @ first >= 0 else -first
    return np.array([[y, x], [-x, y]])


def _plot_measures(axes: Sequence["Axes"], result: toy_example.Result) -> None:
    rows = list(toy_example.rows_of(result))
    for axis, (column, label) in zip(axes, SHOWN.items()):
        place = list(toy_example.COLUMNS).index(column)
        for line, (name, mean, low, high) in enumerate(toy_example.summary(rows, column)):
            values = [row[place] for row in rows if row[0] == name]
            lines = np.full(len(values), line)
            axis.scatter(values, lines, s=8, color="#0072B2", alpha=0.4, linewidth=0)
            axis.plot([low, high], [line + BELOW] * 2, color="black", linewidth=1.2)
            axis.plot(mean, line + BELOW, "|", color="black", markersize=6, markeredgewidth=1.2)
        axis.set_xlabel(label, fontsize=7)
        axis.set_xlim(left=0)
        axis.grid(axis="x", alpha=0.3, linewidth=0.5)
    labels = [f"{variant.name} ({variant.source})" for variant in result.variants]
    axes[0].set_yticks(range(len(labels)), labels, fontsize=7)
    axes[0].invert_yaxis()
