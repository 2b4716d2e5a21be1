"""Section "What was run": settings, networks, data, code and versions."""

from dml_analysis.config import Settings
from dml_analysis.files import atomic_files, csv_files
from dml_analysis.methods import groups
from dml_analysis.properties import property_scores
from dml_analysis.report.section import rendered
from dml_analysis.saliency import map_comparisons


def section(settings):
    record = _record(settings)
    return rendered("run", settings=settings, papers=is_papers(settings), groups=_names(settings), facts=[*_of_data(settings), *_of_code(record)],
                    versions=_versions(record))  # fmt: skip


def is_papers(settings):
    """Whether networks and data are the paper's, so that its numbers could come out again."""
    datasets = Settings.model_fields["datasets"].default
    return not settings.note and set(settings.datasets) <= set(datasets)


def _record(settings):
    """What run.json says of each script, the one that ran last in the end; [] without the file."""
    file = settings.results / "run.json"
    scripts = atomic_files.read_json(file).get("scripts", {}) if file.exists() else {}
    return sorted(scripts.items(), key=lambda each: each[1]["when"])


def _names(settings):
    return {
        group: [each.name for each in settings.models if each.group == group]
        for group in groups(settings.models)
    }


def _of_data(settings):
    """(what, value) of datasets, images, folds and protocols."""
    yield "Settings", f"{settings.name} (settings/{settings.name}.yaml), seed {settings.seed}"
    yield "Datasets", ", ".join(settings.datasets)
    yield "Folds", ", ".join(map(str, settings.folds))
    yield "Protocols", ", ".join(each.name for each in settings.protocols)
    for dataset in dict.fromkeys(settings.tables.values()):
        counts = [
            f"{count(map_comparisons.pairs_file(settings, each, dataset), map_comparisons.COLUMNS)} (protocol {each.name})"
            for each in settings.protocols
        ]
        yield f"Images of {dataset} whose maps are compared", ", ".join(counts)
    counts = dict.fromkeys(
        count(property_scores.scores_file(settings, each), property_scores.COLUMNS)
        for each in settings.protocols
    )
    yield (
        "Rendered cars that are embedded",
        f"{', '.join(counts)}, by the networks of {settings.properties.networks}",
    )


def count(file, columns):
    """The number of images in a CSV file, as text."""
    numbers = sorted(set(csv_files.read(file, columns).n_images))
    return " to ".join(f"{n:,}" for n in dict.fromkeys([*numbers[:1], *numbers[-1:]])) or "none yet"


def _of_code(record):
    """(what, value) of the code and the machine, from what scripts have recorded."""
    if not record:
        yield "Code", "no script has recorded what it ran with (run.json)"
        return
    yield "Commit", ", ".join(dict.fromkeys(str(each.get("git_commit"))[:12] for _, each in record))
    first, last = (record[place][1]["when"][:16].replace("T", " ") for place in (0, -1))
    yield "Scripts ran", f"{first} to {last} UTC"
    devices = dict.fromkeys(
        f"{each['device']}, {each['threads']} threads" for _, each in record if each.get("threads")
    )
    yield "Device", "; ".join(devices) or "not recorded"


def _versions(record):
    """Package -> version, of the script that ran last."""
    if not record:
        return {}
    return {"Python": record[-1][1].get("python", "")} | record[-1][1].get("versions", {})
