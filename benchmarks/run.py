"""All benchmarks, their CSVs and the table that is printed."""

import os
import platform

import numpy as np
import torch

from benchmarks import embedding_measures, embeddings, growth, map_pairs, neighbors, saliency_maps
from common import csv_files
from common.settings import PRECISIONS


def run(parts, folder):
    """Run the named parts, write their CSVs into the folder and print a table."""
    rows = list(_contests(parts))
    if rows:
        columns = [*rows[0]._fields, "ratio", "reached"]
        csv_files.write(folder / "results.csv", [(*row, row.ratio, row.reached) for row in rows], columns)
        print(described(rows))
    if "growth" in parts:
        csv_files.write(folder / "growth.csv", _told(growth.rows()), growth.COLUMNS)


def _contests(parts):
    contests = {
        "maps": [saliency_maps.cpu_rows, *(lambda p=p: saliency_maps.gpu_rows(p) for p in PRECISIONS)],
        "pairs": [map_pairs.rows, map_pairs.from_disk],
        "neighbors": [
            neighbors.against_metric_learning,
            neighbors.against_the_product,
            neighbors.null_against_calls,
            neighbors.on_a_gpu,
        ],
        "embedding": [embeddings.rows],
        "spaces": [embedding_measures.shape, embedding_measures.neighbors],
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


def described(rows):
    """The contests as a table for people."""
    lines = [f"{os.cpu_count()} CPU cores, {platform.processor() or platform.machine()}, torch {torch.__version__}", ""]
    lines += ["| what | against | device | ours | theirs | ratio | target | reached |", "|---" * 8 + "|"]
    for row in rows:
        measured = not np.isnan(row.ratio)
        ours, theirs = (f"{each:.3g} {row.unit}" if measured else "" for each in (row.ours, row.theirs))
        ratio = f"{row.ratio:.2f}" if measured else ""
        cells = (row.what, row.against, row.device, ours, theirs, ratio, f"{row.target:g}", row.reached)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
