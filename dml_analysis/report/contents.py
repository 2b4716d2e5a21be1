"""What a run makes for people to open: every table and figure of the paper, from the lists of the analyses."""

from dml_analysis import tables
from dml_analysis.controls import control_tables
from dml_analysis.embedding_space import embedding_spaces, measure_correlations
from dml_analysis.properties import linear_probe, property_tables
from dml_analysis.reality_check import accuracy, improvements, model_selection
from dml_analysis.saliency import saliency_tables
from dml_analysis.training import training_logs


def table_names(settings):
    """The names of all tables, in their order."""
    return sorted([*_own_names(settings), *_bounded_names(settings)])


def _own_names(settings):
    return [entry.name for entry in saliency_tables.entries(settings) + property_tables.ENTRIES]


def _bounded_names(settings):
    """Of Tables 2 to 4 between their bounds."""
    return [entry.name for entry in control_tables.entries(settings)]


def files(settings):
    """All files of tables, figures and the like that the numbered scripts of the analyses leave to be opened."""
    found = [settings.results / name for name in ("inputs.csv", "run.json")] + [
        accuracy.csv_file(settings)
    ]
    if any(model.is_none for model in settings.models):
        found.append(linear_probe.csv_file(settings))
    for protocol in settings.protocols:
        found += [
            tables.folder(settings, protocol) / f"{name}.md"
            for name in sorted(_own_names(settings))
        ]
        if any(not model.embeddings for model in settings.models):
            found += [
                settings.figures / protocol.name / f"{name}.png"
                for name in ("figure2", "figure2_more")
            ]
    found += [settings.figures / f"{name}.png" for name in ("figure3", "figure4")]
    return (
        found
        + _of_spaces(settings)
        + _of_questions(settings)
        + (_of_training(settings) if settings.training else [])
    )


def _of_questions(settings):
    """Of causes and controls, which not everyone asks for, what has been made."""
    found = []
    for protocol in settings.protocols:
        for question in ("causes", "controls"):
            found += sorted((settings.results / protocol.name / question).glob("*.csv"))
        some = [
            tables.folder(settings, protocol) / f"{name}.md" for name in _bounded_names(settings)
        ]
        found += [file for file in some if file.is_file()]
    return found


def _of_spaces(settings):
    found = [embedding_spaces.spaces_file(settings)]
    if not any(model.trained and not model.embeddings for model in settings.models):
        return found
    for dataset in settings.datasets:
        drawn = [settings.figures / f"{name}_{dataset}.png" for name in ("correlations", "spaces")]
        found += [measure_correlations.csv_file(settings, dataset), *drawn]
    return found


def _of_training(settings):
    drawn = (
        ("classes", "training", "gains")
        if any(model.is_none for model in settings.models)
        else ("classes", "training")
    )
    figures = [f"{what}_{dataset}" for dataset in settings.datasets for what in drawn]
    files_of = [training_logs.runs_file, training_logs.log_file, improvements.csv_file]
    if settings.training.keep_embeddings:
        files_of += [model_selection.csv_file, embedding_spaces.steps_file]
    tables = [file_of(settings, dataset) for dataset in settings.datasets for file_of in files_of]
    return tables + [settings.figures / f"{name}.png" for name in figures]
