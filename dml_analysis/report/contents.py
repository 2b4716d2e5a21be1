"""The tables, figures and other files of a run that are for people to open."""

from pathlib import Path

from dml_analysis import tables
from dml_analysis.config import Settings
from dml_analysis.controls import control_tables
from dml_analysis.embedding_space import embedding_spaces, measure_correlations
from dml_analysis.properties import property_tables, trunk_probe
from dml_analysis.reality_check import accuracy, improvements, model_selection
from dml_analysis.saliency import saliency_tables
from dml_analysis.training import training_logs


def table_names(settings: Settings) -> list[str]:
    """Return the names of all tables, in their order."""
    return sorted([*_own_names(settings), *_bounded_names(settings)])


def _own_names(settings: Settings) -> list[str]:
    return [entry.name for entry in saliency_tables.entries(settings) + property_tables.ENTRIES]


def _bounded_names(settings: Settings) -> list[str]:
    """Return the names of Tables 2 to 4 with floor and ceiling."""
    return [entry.name for entry in control_tables.entries(settings)]


def files(settings: Settings) -> list[Path]:
    """Return all files of tables, figures and the like that the numbered scripts write."""
    paths = [settings.results / name for name in ("inputs.csv", "run.json")]
    paths.append(accuracy.csv_file(settings))
    if any(model.is_none for model in settings.models):
        paths.append(trunk_probe.csv_file(settings))
    for protocol in settings.protocols:
        folder = tables.folder(settings, protocol)
        paths += [folder / f"{name}.md" for name in sorted(_own_names(settings))]
        if any(not model.embeddings for model in settings.models):
            figures = settings.figures / protocol.name
            paths += [figures / f"{name}.png" for name in ("figure2", "figure2_more")]
    paths += [settings.figures / f"{name}.png" for name in ("figure3", "figure4")]
    paths += [*_of_spaces(settings), *_of_questions(settings)]
    return paths + (_of_training(settings) if settings.training else [])


def _of_questions(settings: Settings) -> list[Path]:
    """Return the available files of causes and controls, which are optional."""
    paths = []
    for protocol in settings.protocols:
        for question in ("causes", "controls"):
            paths += sorted((settings.results / protocol.name / question).glob("*.csv"))
        folder = tables.folder(settings, protocol)
        bounded = [folder / f"{name}.md" for name in _bounded_names(settings)]
        paths += [file for file in bounded if file.is_file()]
    return paths


def _of_spaces(settings: Settings) -> list[Path]:
    paths = [embedding_spaces.spaces_file(settings)]
    if any(model.trained and not model.embeddings for model in settings.models):
        for dataset in settings.datasets:
            paths.append(measure_correlations.csv_file(settings, dataset))
            paths += [
                settings.figures / f"{name}_{dataset}.png" for name in ("correlations", "spaces")
            ]
    return paths


def _of_training(settings: Settings) -> list[Path]:
    files_of = [training_logs.runs_file, training_logs.log_file, improvements.csv_file]
    if settings.training and settings.training.keep_embeddings:
        files_of += [model_selection.csv_file, embedding_spaces.steps_file]
    names = ["classes", "training"]
    if any(model.is_none for model in settings.models):
        names.append("gains")
    paths = [file_of(settings, dataset) for dataset in settings.datasets for file_of in files_of]
    datasets = settings.datasets
    return paths + [settings.figures / f"{name}_{d}.png" for d in datasets for name in names]
