"""The top of the page: context, the answer in a few lines, and one figure."""

from typing import NamedTuple

import pandas as pd

from dml_analysis.config import Settings
from dml_analysis.controls import noise_ceilings
from dml_analysis.files import csv_files
from dml_analysis.paper import Model, Protocol, as_printed
from dml_analysis.report import claim_section, findings, map_findings, run_section
from dml_analysis.report.section import TEMPLATE_FOLDER, rendered

ANSWER = ("alike", "order", "differences")  # the findings that answer the page's question


class Similarity(NamedTuple):
    """How alike the maps of a kind of pair are."""

    label: str
    mean: float
    lowest: float
    highest: float
    n_pairs: int


def section(settings: Settings) -> str:
    """Return the HTML of the top."""
    answers = {
        protocol.name: [each for each in findings.of_run(settings, protocol) if each.name in ANSWER]
        for protocol in settings.protocols
    }
    return rendered(
        "summary",
        settings=settings,
        answers=answers,
        figures={protocol.name: _figure(settings, protocol) for protocol in settings.protocols},
        verdicts=claim_section.counts(claim_section.read(settings)),
        is_papers=run_section.is_papers(settings),
        citation=(TEMPLATE_FOLDER / "citation.bib").read_text(encoding="utf-8"),
    )


def _figure(settings: Settings, protocol: Protocol) -> dict | None:
    """Return what the template shows of a protocol's figure, None without baseline or ceiling."""
    file = noise_ceilings.csv_file(settings, protocol, settings.shown_dataset)
    table = csv_files.read(file, noise_ceilings.COLUMNS)
    bounds = map_findings.bounds_of(table, settings.models)
    if bounds.limits is None:
        return None
    return {
        "rows": similarities(table, settings.models),
        "low": bounds.limits[0],
        "high": bounds.limits[1],
        "n_images": int(table.n_images.max()),
        "file": file.relative_to(settings.paths["results"].parent).as_posix(),
    }


def similarities(table: pd.DataFrame, models: list[Model]) -> list[Similarity]:
    """Return the kinds of pairs, from the noise ceiling to the random-weights baseline.

    table: of noise_ceilings.COLUMNS.
    """
    of_kind = map_findings.bounds_of(table, models).rows
    nothing = table[:0]
    losses = of_kind.get("other loss, same fold", nothing)
    trained = {model.name for model in models if model.trained}
    others = [model.name for model in models if model.is_none]
    with_none = table[table.kind == "other loss, same fold"]
    is_none = with_none.loss_a.isin(others) & with_none.loss_b.isin(trained)
    is_none |= with_none.loss_b.isin(others) & with_none.loss_a.isin(trained)
    same_type = losses.type_a == losses.type_b
    rows = {
        "one network, other noise (ceiling)": of_kind.get("other noise", nothing),
        "one loss, two folds": of_kind.get("same loss, other fold", nothing),
        "two losses of one type": losses[same_type],
        "two losses of two types": losses[~same_type],
        f"a loss and “{as_printed(others[0])}”" if others else "": with_none[is_none],
        "two random networks": of_kind.get("two random", nothing),
        "a loss and random weights (baseline)": of_kind.get("random weights", nothing),
    }
    return [
        Similarity(label, r.mean(), r.min(), r.max(), len(r))
        for label, r in ((label, each.correlation_mean) for label, each in rows.items())
        if len(r)
    ]
