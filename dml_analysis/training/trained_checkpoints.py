"""The checkpoints of networks that are trained here, linked to the best weights of their runs."""

import filecmp
from pathlib import Path

from dml_analysis.config import Settings
from dml_analysis.networks import checkpoint_files
from dml_analysis.training.training_runs import TrainingRun, all_stores, chosen_stores
from dml_analysis.training.trunk_features import start_trunk


def place_checkpoints(settings: Settings) -> None:
    """Put the weights of all complete runs where networks are loaded from; delete their states.

    The trunk of "None" is written, too, if it does not exist.
    """
    # The complete run, but only the requested datasets: others may not exist yet.
    whole = settings.whole.model_copy(update={"datasets": settings.datasets})
    for model in whole.models:
        if model.is_none:
            start_trunk(settings, model)
    for store in chosen_stores(whole):
        if store.is_complete():
            _place(settings, store.subject)
    for store in all_stores(whole):
        if store.is_complete():
            (store.folder / "state.pth").unlink(missing_ok=True)


def _place(settings: Settings, run: TrainingRun) -> None:
    """Link the files of a network to those of its run, unless they are the same."""
    from dml_analysis.networks import checkpoints

    for file, source in zip(run.network.files, run.weights_files):
        if file and not _is_same(file, source):
            if run.has_frozen_trunk:
                start_trunk(settings, run.network.model)
            checkpoint_files.check_exist([source])
            checkpoints.link(source, file)


def _is_same(file: Path, source: Path) -> bool:
    """Return whether a checkpoint is that of a run; if the run's file is gone, whether it exists."""
    if not (file.is_file() and source.is_file()):
        return file.is_file()
    return file.samefile(source) or filecmp.cmp(file, source, shallow=False)
