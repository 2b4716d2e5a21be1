"""What a run makes for people to open: every table and figure of the paper, from the lists of the analyses."""

import properties.tables
import saliency.tables
from common import tables
from properties import probe
from reality_check import accuracy


def table_names(settings):
    """The names of all tables, in their order."""
    return sorted(entry.name for entry in saliency.tables.entries(settings) + properties.tables.ENTRIES)


def files(settings):
    """All files of tables, figures and the like that the numbered scripts of the analyses leave to be opened."""
    found = [settings.results / name for name in ("inputs.csv", "run.json")] + [accuracy.csv_file(settings)]
    if any(model.is_none for model in settings.models):
        found.append(probe.csv_file(settings))
    for protocol in settings.protocols:
        found += [tables.folder(settings, protocol) / f"{name}.md" for name in table_names(settings)]
        if any(not model.embeddings for model in settings.models):
            found += [settings.figures / protocol.name / f"{name}.png" for name in ("figure2", "figure2_more")]
    return found + [settings.figures / f"{name}.png" for name in ("figure3", "figure4")]
