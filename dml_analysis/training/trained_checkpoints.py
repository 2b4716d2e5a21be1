"""The checkpoints of networks that are trained here, linked to the weights of their runs."""

import filecmp
from pathlib import Path

from dml_analysis.config import Settings
from dml_analysis.files import atomic_files
from dml_analysis.networks import checkpoint_files
from dml_analysis.store import ResultStore
from dml_analysis.training.training_runs import (
    TrainingRun,
    all_stores,
    chosen_stores,
    options_of,
    trained_files,
)
from dml_analysis.training.trunk_features import start_trunk


def place_checkpoints(settings: Settings) -> None:
    """Put the weights of all complete runs where networks are loaded from; delete their states.

    The trunk of "None" is written, too, if it does not exist. Prints how many runs never reached
    `training.reached`; a file next to their checkpoints says so, and `checkpoint: reached` leaves
    them out.
    """
    # The complete run, but only the requested datasets: others may not exist yet.
    whole = settings.whole.model_copy(update={"datasets": settings.datasets})
    for model in whole.models:
        if model.is_none:
            start_trunk(settings, model)
    threshold = options_of(settings).reached
    complete = [store for store in chosen_stores(whole) if store.is_complete()]
    for store in complete:
        _place(settings, store.subject, "best")
        if _has_reached(store):
            _place(settings, store.subject, "reached")
            _never_reached_file(store.subject).unlink(missing_ok=True)
        elif threshold is not None:
            atomic_files.write_text(_never_reached_file(store.subject), f"{threshold:g}\n")
    for store in all_stores(whole):
        if store.is_complete():
            (store.folder / "state.pth").unlink(missing_ok=True)
    below = [store for store in complete if threshold is not None and not _has_reached(store)]
    if below:
        score = below[0].read()["validation_map_at_r"][0]
        print(
            f"training.reached: {threshold:g}: {len(below)} of {len(complete)} trainings never "
            f"reached it, such as {below[0].subject.name} (at most {score:.3f}); "
            "`checkpoint: reached` leaves them out"
        )


def _never_reached_file(run: TrainingRun) -> Path:
    """Return the file that says that a run never reached `training.reached`."""
    return run.network.files[0].parent / checkpoint_files.NEVER_REACHED


def _has_reached(store: ResultStore) -> bool:
    """Return whether a complete run has weights of the step that first had `training.reached`."""
    return bool(store.read().get("reached_iteration", [0])[0])


def _place(settings: Settings, run: TrainingRun, checkpoint: str) -> None:
    """Link the files of a network's checkpoint to those of its run, unless they are the same."""
    from dml_analysis.networks import checkpoints

    for file, source in zip(trained_files(run.network, checkpoint), run.weights_files(checkpoint)):
        if not _is_same(file, source):
            if run.has_frozen_trunk:
                start_trunk(settings, run.network.model)
            checkpoint_files.check_exist([source])
            checkpoints.link(source, file)


def _is_same(file: Path, source: Path) -> bool:
    """Return whether a checkpoint is that of a run; if the run's file is gone, whether it exists."""
    if not (file.is_file() and source.is_file()):
        return file.is_file()
    return file.samefile(source) or filecmp.cmp(file, source, shallow=False)
