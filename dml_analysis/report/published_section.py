"""Section "Published numbers beside these": compared_with_paper.csv, and the study's numbers where they lie beside it."""

from dml_analysis.files import csv_files
from dml_analysis.paper import PROPERTIES
from dml_analysis.report.published_comparison import COLUMNS
from dml_analysis.report.section import rendered, run_first

TEXTS = ("table", "row", "column", "statistic", "note")
KINDS = {name: str if name in TEXTS else float for name in COLUMNS}
LABELS = {prop.name: prop.label for prop in PROPERTIES}
KEY = ["table", "row", "column", "statistic"]
STUDY = "study"  # the settings whose results the repository keeps


def section(settings):
    found = {protocol.name: rows_of(settings, protocol) for protocol in settings.protocols}
    if not any(found.values()):
        raise run_first("Comparisons with the published numbers", "report/1_list_results.py")
    names = sorted({row["table"] for rows in found.values() for row in rows})
    with_study = any(row["study"] is not None for rows in found.values() for row in rows)
    return rendered("published", found=found, names=names, settings=settings, with_study=with_study, study=STUDY, labels=LABELS,
                    notes={name: notes_of(rows) for name, rows in found.items()})  # fmt: skip


def file_of(results, protocol):
    return results / protocol.name / "compared_with_paper.csv"


def rows_of(settings, protocol):
    """The rows of the file as dictionaries, each with the study's own number, or None, as `study`."""
    rows = _read(file_of(settings.results, protocol))
    beside = settings.results.parent / STUDY
    study = [] if beside == settings.results else _read(file_of(beside, protocol))
    known = {tuple(row[name] for name in KEY): row["ours"] for row in study}
    return [row | {"study": known.get(tuple(row[name] for name in KEY))} for row in rows]


def _read(file):
    return csv_files.read(file, KINDS, key=KEY).to_dict("records")


def notes_of(rows):
    """Table -> what keeps its numbers from being comparable."""
    return {row["table"]: row["note"] for row in rows if row["note"]}
