"""The figure of the toy example: its points, where each variant embeds them, and the spectra over all seeds."""

import json

import numpy as np

from dml_analysis import figures
from dml_analysis.embedding_space import toy_example

TRAIN_COLORS = (
    "#0072B2",
    "#009E73",
    "#E69F00",
    "#CC79A7",
)  # told apart by the colour-blind too (Okabe and Ito)
TRAIN_MARKERS = "osD^"
TEST_COLORS = ("black", "#D55E00", "0.5", "#56B4E9")
TEST_MARKERS = "x+1|"
RINGS = (
    0.82,
    0.66,
    0.5,
    0.34,
)  # radii at which test segments are drawn, all of which are embedded at 1
SHOWN = {
    "s2": "s2 / (s1 + s2), singular values of training points",
    "test_recall_at_1": "Recall@1 of test points",
}
COLUMNS = 4  # of panels
BELOW = 0.3  # how far a mean is under the dots of its seeds, in lines


def figure(stem, result):
    """Write the figure of a toy.Result to <stem>.png and .pdf."""
    shows = {"variants": [each.name for each in result.variants], "seeds": list(result.seeds)}
    caption = (
        "The toy example of Roth et al. (ICML 2020): training and test points, where each variant of the training embeds them on the "
        f"unit circle (first seed), and the spectra of the embeddings and Recall@1 of test points over {len(result.seeds)} seeds."
    )
    figures.write(stem, panels(result), json.dumps(shows), caption)


def panels(result):
    """The points and, for the first seed, their embeddings by every variant; below measures over all seeds."""
    lines = -(-(1 + len(result.variants)) // COLUMNS)
    whole = figures.plt.figure(figsize=(figures.PAGE, 1.65 * lines + 2.7), layout="constrained")
    above, below = whole.subfigures(2, 1, height_ratios=[1.65 * lines + 0.3, 2.4])
    axes = above.subplots(lines, COLUMNS, squeeze=False).flat
    for axis in axes:
        axis.axis("off")
    _points(axes[0], result.data)
    turned = [_turned(train[0], test[0]) for train, test in zip(result.train, result.test)]
    bottom = min(-RINGS[-1], *(space[:, 1].min() for spaces in turned for space in spaces)) - 0.1
    for axis, variant, spaces in zip(axes[1:], result.variants, turned):
        _circle(axis, result.data, *spaces, bottom)
        axis.set_title(f"{variant.name}\n({variant.source})", fontsize=7.5)
    above.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=8,
        frameon=False,
        fontsize=7,
    )
    _measures(below.subplots(1, len(SHOWN), sharey=True), result)
    below.supxlabel(
        f"Embeddings of seed {result.seeds[0]}, turned so that the first singular direction is up. Test points, which lie on "
        f"the circle too, are drawn on rings inside it.\nDots: the {len(result.seeds)} seeds; bars: means and their 95% "
        "intervals by Student's t.", fontsize=6.5, color="0.35",
    )  # fmt: skip
    return whole


def _points(axis, data):
    _scatter(axis, data.train, data.train_classes, TRAIN_COLORS, TRAIN_MARKERS, "class")
    _scatter(axis, data.test, data.test_classes, TEST_COLORS, TEST_MARKERS, "test")
    axis.axis("on")
    axis.set(aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axis.set_title("data", fontsize=7.5)


def _scatter(axis, points, classes, colors, markers, name):
    for number, (color, marker) in enumerate(zip(colors, markers)):
        axis.scatter(
            *points[classes == number].T,
            s=9,
            linewidth=0.8,
            color=color,
            marker=marker,
            label=f"{name} {number + 1}",
        )


def _circle(axis, data, train, test, bottom):
    """Training points on the circle; test points, which lie on it too, on a ring for each segment."""
    for radius in (1, *RINGS):
        axis.add_patch(
            figures.plt.Circle((0, 0), radius, fill=False, color="0.85", linewidth=0.5, zorder=0)
        )
    _scatter(axis, train, data.train_classes, TRAIN_COLORS, TRAIN_MARKERS, "class")
    rings = np.array(RINGS)[data.test_classes, None] * test
    _scatter(axis, rings, data.test_classes, TEST_COLORS, TEST_MARKERS, "test")
    axis.set(aspect="equal", xlim=(-1.1, 1.1), ylim=(bottom, 1.1))


def _turned(train, test):
    turn = turned_up(train)
    return train @ turn, test @ turn


def turned_up(embeddings):
    """The rotation (2, 2) by which embeddings (n, 2) @ it have their first singular direction, and their mean, upwards."""
    first = np.linalg.svd(embeddings)[2][0]
    x, y = first if embeddings.mean(axis=0) @ first >= 0 else -first
    return np.array([[y, x], [-x, y]])


def _measures(axes, result):
    rows = list(toy_example.rows_of(result))
    for axis, (column, label) in zip(axes, SHOWN.items()):
        place = list(toy_example.COLUMNS).index(column)
        for line, (name, mean, low, high) in enumerate(toy_example.summary(rows, column)):
            values = [row[place] for row in rows if row[0] == name]
            axis.scatter(
                values, np.full(len(values), line), s=8, color="#0072B2", alpha=0.4, linewidth=0
            )
            axis.plot([low, high], [line + BELOW] * 2, color="black", linewidth=1.2)
            axis.plot(mean, line + BELOW, "|", color="black", markersize=6, markeredgewidth=1.2)
        axis.set_xlabel(label, fontsize=7)
        axis.set_xlim(left=0)
        axis.grid(axis="x", alpha=0.3, linewidth=0.5)
    axes[0].set_yticks(
        range(len(result.variants)),
        [f"{each.name} ({each.source})" for each in result.variants],
        fontsize=7,
    )
    axes[0].invert_yaxis()
