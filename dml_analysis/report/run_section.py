"""Section "What was run": settings, networks, data, code and versions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dml_analysis.config import Settings
from dml_analysis.files import atomic_files, csv_files
from dml_analysis.methods import groups
from dml_analysis.properties import property_scores
from dml_analysis.report.section import rendered
from dml_analysis.saliency import map_comparisons


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    scripts = atomic_files.read_record(settings.results / "run.json").get("scripts", {})
    runs = sorted(scripts.values(), key=lambda run: run["when"])
    names = {
        group: [model.name for model in settings.models if model.group == group]
        for group in groups(settings.models)
    }
    versions = {"Python": runs[-1].get("python", "")} | runs[-1].get("versions", {}) if runs else {}
    return rendered(
        "run",
        settings=settings,
        is_papers=is_papers(settings),
        groups=names,
        facts=[*_of_data(settings), *_of_code(runs)],
        versions=versions,
    )


def is_papers(settings: Settings) -> bool:
    """Return whether networks and datasets are the paper's."""
    datasets = Settings.model_fields["datasets"].default
    return not settings.note and set(settings.datasets) <= set(datasets)


def _of_data(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what settings, datasets, images, folds and protocols are."""
    yield "Settings", f"{settings.name} (settings/{settings.name}.yaml), seed {settings.seed}"
    yield "Datasets", ", ".join(settings.datasets)
    yield "Folds", ", ".join(map(str, settings.folds))
    yield "Protocols", ", ".join(protocol.name for protocol in settings.protocols)
    for dataset in dict.fromkeys(settings.tables.values()):
        counts = []
        for protocol in settings.protocols:
            file = map_comparisons.pairs_file(settings, protocol, dataset)
            n = count(file, map_comparisons.COLUMNS)
            counts.append(f"{n} (protocol {protocol.name})")
        yield f"Images of {dataset} whose maps are compared", ", ".join(counts)
    files = [property_scores.scores_file(settings, protocol) for protocol in settings.protocols]
    n = ", ".join(dict.fromkeys(count(file, property_scores.COLUMNS) for file in files))
    networks = f"by the networks of {settings.properties.networks}"
    called = settings.properties.images_called
    yield f"{called[0].upper()}{called[1:]} that are embedded", f"{n}, {networks}"


def count(file: Path, columns: dict[str, Any]) -> str:
    """Return the number of images in a CSV file as text."""
    numbers = csv_files.read(file, columns).n_images
    if numbers.empty:
        return "none yet"
    return "–".join(f"{n:,}" for n in dict.fromkeys([numbers.min(), numbers.max()]))


def _of_code(runs: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield what code and machine were, from the records of scripts in the order of time."""
    if not runs:
        yield "Code", "no script has recorded what it ran with (run.json)"
        return
    yield "Commit", ", ".join(dict.fromkeys(str(run.get("git_commit"))[:12] for run in runs))
    first, last = (run["when"][:16].replace("T", " ") for run in (runs[0], runs[-1]))
    yield "Scripts ran", f"{first} to {last} UTC"
    devices = [f"{run['device']}, {run['threads']} threads" for run in runs if run.get("threads")]
    yield "Device", "; ".join(dict.fromkeys(devices)) or "not recorded"
