"""The replication's main results in one figure: similarity of maps, and differences between types."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dml_analysis import figures
from dml_analysis.config import Settings
from dml_analysis.paper import PROPERTIES
from dml_analysis.replication.evidence import ACCURACY, BUDGET, METHODS, PUBLISHED, TRAININGS

SIMILARITIES = {
    "one method, two trainings": (4, "trainings of one method"),
    "two methods": (4, "trainings of two methods"),
    "a method and “None”": (7, "a method and None"),
}
STEP = 0.24  # between two marks of a row


def plot_overview(settings: Settings, tests: pd.DataFrame) -> None:
    """Write the figure `overview`; tests: the table of tests.csv."""
    sizes = tests[(tests.question == 2) & (tests.methods == METHODS[0]) & (tests.n_second > 0)]
    n_ranking, n_classification = sizes.n_first.max(), sizes.n_second.max()
    caption = (
        "Left: noise-corrected correlation of two trainings' saliency maps at equal accuracy, mean "
        "over pairs, by both protocols; the line at 1 is the noise ceiling. Right: log ratio of "
        "NR-Precision of ranking to classification losses, with 95% intervals over methods: the "
        f"published Table 6 (9 and 5 losses), and here ({n_ranking} and {n_classification} methods, protocol paper)."
    )
    figures.draw(settings, settings.figures / "overview", overview(tests), {}, caption)


def overview(tests: pd.DataFrame) -> Figure:
    """Return the figure."""
    figure, ((left, right),) = figures.new_figure(
        1, 2, figsize=(figures.PAGE, 3.2), width_ratios=(1, 1.6)
    )
    usual = tests[(tests.methods == METHODS[0]) & (tests.trainings == TRAININGS[0])]
    usual = usual[(usual.covariate == "")]
    _plot_similarities(left, usual[usual.checkpoint == ACCURACY])
    published = tests[(tests.question == 11) & (tests.protocol == PUBLISHED)]
    here = usual[(usual.question == 2) & (usual.protocol == "paper") & (usual.unit == "method")]
    series = [
        ("published", published, ("#000000", "D")),
        ("equal accuracy", here[here.checkpoint == ACCURACY], figures.look(0)),
        ("equal budget", here[here.checkpoint == BUDGET], figures.look(1)),
    ]
    _plot_ratios(right, series)
    figures.legend_above(figure, left, right, ncols=5)
    return figure


def _plot_similarities(axes: Axes, tests: pd.DataFrame) -> None:
    figures.label_rows(axes, list(SIMILARITIES))
    for number, protocol in enumerate(("paper", "released")):
        color, marker = figures.look(number + 2)
        of_protocol = tests[tests.protocol == protocol].set_index(["question", "measure"]).estimate
        values = [of_protocol[key] for key in SIMILARITIES.values()]
        rows = [row + STEP * (number - 0.5) for row in range(len(values))]
        axes.plot(values, rows, marker, color=color, ms=4, label=f"protocol {protocol}")
    axes.axvline(1, color="0.5", lw=0.8)
    axes.set(xlabel="noise-corrected correlation of maps", ylim=(len(SIMILARITIES) - 0.5, -0.5))
    axes.grid(axis="x", **figures.GRID)


def _plot_ratios(axes: Axes, series: list[tuple[str, pd.DataFrame, tuple[str, str]]]) -> None:
    figures.label_rows(axes, [prop.label for prop in PROPERTIES])
    axes.axvline(0, color="0.5", lw=0.8)
    for number, (name, tests, (color, marker)) in enumerate(series):
        tests = tests.set_index("measure")
        for row, prop in enumerate(PROPERTIES):
            test = tests.loc[prop.name]
            y = row + STEP * (number - 1)
            axes.plot([test.low, test.high], [y, y], color=color, lw=1)
            axes.plot(test.estimate, y, marker, color=color, ms=4, label=name if not row else None)
    axes.set(xlabel="log ratio of NR-Precision", ylim=(len(PROPERTIES) - 0.4, -0.6))
    axes.grid(axis="x", **figures.GRID)
