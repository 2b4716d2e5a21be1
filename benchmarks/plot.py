"""The figures of the benchmarks."""

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator

from benchmarks.measure import CONTEST, exponent
from dml_analysis import figures
from dml_analysis.errors import InputError

LEAST_SPAN = 10  # from the lower to the upper end of a curve's axis, lest what hardly grows look steep
RATIOS = (
    "How many times as fast, or as small, each long part is as another way to do the same, beside what it should be."
)
GROWTH = "How time and memory of the long parts grow with the number of images."
MARKERS = "os^Dv<>"  # of processors
COLORS = {"yes": "tab:green", "no": "tab:red"}


def plot(folder):
    """ratios and growth, as .png and .pdf, of the CSVs in the folder."""
    for name, draw, caption in (("results", ratios, RATIOS), ("growth", growth, GROWTH)):
        file = folder / f"{name}.csv"
        if not file.is_file():
            raise InputError(f"{file}: missing; run benchmarks/1_run_benchmarks.py")
        stem = folder / ("ratios" if name == "results" else name)
        figures.write(stem, draw(pd.read_csv(file)), f"of {file.name}", caption)


def ratios(table):
    """How many times as fast, or as small, ours is, beside what it should be; contests without measurements are named."""
    contests = list(table.groupby(CONTEST, sort=False))
    figure, ((axes,),) = figures.new_figure(figsize=(figures.PAGE, 0.38 * len(contests) + 0.8))
    markers, labels = dict(zip(table.processor.unique(), MARKERS)), []
    for y, ((what, against, device, unit), rows) in enumerate(contests):
        axes.plot(rows.target.iloc[0], y, "|", color="black", markersize=12, label="wanted" if y == 0 else None)
        labels.append(f"{what}, {'time' if unit == 's' else 'memory'} ({device})\nagainst {against}")
        if rows.ratio.isna().all():
            axes.annotate(
                "not measured", (rows.target.iloc[0], y), (6, 0), textcoords="offset points", va="center", color="0.5"
            )
        for row in rows.dropna(subset="ratio").itertuples():
            axes.plot(row.ratio, y, markers[row.processor], color=COLORS[row.reached])
            axes.annotate(f"{row.ratio:.3g}", (row.ratio, y), (6, 5), textcoords="offset points", fontsize=7)
    for processor, marker in markers.items():
        axes.plot([], [], marker, color="0.5", label=processor)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    _few_ticks(axes.xaxis)
    axes.set_xlabel("times as fast, or as small")
    axes.margins(x=0.12)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(markers) + 1)  # above, where no row is
    axes.grid(axis="x", color="0.92")
    return figure


def growth(table):
    """Time above, memory below, of every curve."""
    curves = list(table.groupby(["what", "along"], sort=False))
    figure, axes = figures.new_figure(2, len(curves), figsize=(2.4 * len(curves), 4.4))
    for column, ((what, along), points) in zip(axes.T, curves):
        column[0].set_title(what)
        costs_by_unit = {"seconds": points.seconds, "MB beyond the inputs": 1000 * points.extra_gb}
        for panel, (unit, costs) in zip(column, costs_by_unit.items()):
            _curve(panel, points["size"], costs)
            panel.set(xlabel=along, ylabel=unit)
    return figure


def _curve(axes, sizes, costs):
    axes.loglog(sizes, costs, "o-")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes], rotation=45)
    axes.xaxis.minorticks_off()
    _few_ticks(axes.yaxis)
    axes.margins(0.15)
    low, high = axes.get_ylim()
    widened = max(1, np.sqrt(LEAST_SPAN * low / high))
    axes.set_ylim(low / widened, high * widened)
    power = exponent(sizes, costs)
    label = "not measured" if np.isnan(power) else f"exponent {round(power, 2) + 0.0:.2f}"  # no -0.00
    axes.annotate(label, (0.05, 0.92), xycoords="axes fraction")
    axes.grid(color="0.92")


def _few_ticks(axis):
    """Ticks of a logarithmic axis at 1, 2 and 5 of every power of ten, written out: some axes span less than one."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.minorticks_off()
