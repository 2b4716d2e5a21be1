"""All benchmarks, their CSVs and the table that is printed."""

import platform
from pathlib import Path

import pandas as pd
import torch

from benchmarks import map_pairs, neighbors, saliency_maps, training_steps
from benchmarks.measure import CONTEST
from dml_analysis.files import csv_files

CPU_INFO = Path("/proc/cpuinfo")  # Linux has it


def run(parts, folder):
    """Run the named parts, write their CSVs into the folder and print a table of all contests on all processors.

    In results.csv the rows of other processors stay, and those of contests that were not run now.
    """
    rows, file = list(_contests(parts)), folder / "results.csv"
    if rows:
        columns = ["processor", *rows[0]._fields, "ratio", "reached"]
        name = f"{processor()}, {torch.get_num_threads()} cores"
        new = pd.DataFrame([(name, *row, row.ratio, row.reached) for row in rows], columns=columns)
        csv_files.write_table(file, merged(pd.read_csv(file) if file.exists() else new[:0], new))
        print(described(pd.read_csv(file)))


def processor():
    """The processor's name; on Linux with its family and model, where it has such: clouds give one name to processors that differ."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        lines = []
    pairs = (
        line.partition(":") for line in reversed(lines)
    )  # of several processors the first stays
    known = {key.strip(): value.strip() for key, _, value in pairs}
    if {"model name", "cpu family", "model"} <= known.keys():
        return f"{known['model name']}, family {known['cpu family']}, model {known['model']}"
    return known.get("model name") or platform.processor() or platform.machine()


def merged(old, new):
    """The rows of both tables, without old ones of which there are new ones, in the order of the new contests."""
    key = ["processor", *CONTEST]
    others = old[~old.set_index(key).index.isin(new.set_index(key).index)]
    return pd.concat([each for each in (new, others) if len(each)], ignore_index=True)


def _contests(parts):
    contests = {
        "maps": [saliency_maps.cpu_rows],
        "pairs": [map_pairs.rows],
        "neighbors": [
            neighbors.against_metric_learning,
            neighbors.against_the_product,
            neighbors.null_against_calls,
        ],
        "training": [training_steps.rows],
    }
    for part in contests:
        if part in parts:
            for measure in contests[part]:
                yield from _told(measure())


def _told(rows):
    """The rows, each printed as soon as it is measured: all of them take a while."""
    for row in rows:
        print(*row, sep=", ", flush=True)
        yield row


def described(table):
    """The contests as a table for people: a row for each, a column for each processor."""
    processors = list(dict.fromkeys(table.processor))
    lines = [
        "| what | against | device | wanted | " + " | ".join(processors) + " |",
        "|---" * (4 + len(processors)) + "|",
    ]
    for key, rows in table.groupby(CONTEST, sort=False):
        cell_of = {row.processor: _cell(row) for row in rows.itertuples()}
        cells = [
            *key[:3],
            f"{rows.target.iloc[0]:g}",
            *(cell_of.get(each, "") for each in processors),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row):
    if pd.isna(row.ratio):
        return row.reached
    short = "" if row.reached == "yes" else " (not reached)"
    return f"{row.ratio:.3g}: {row.ours:.3g}, not {row.theirs:.3g} {row.unit}{short}"
