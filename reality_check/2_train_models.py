"""Train a network for every model, dataset and fold of the settings, by the protocol of the Metric
Learning Reality Check.

Needs settings with a `training:` block: settings/reality_check.yaml trains the paper's networks,
settings/replication.yaml and settings/demo.yaml smaller ones. Checkpoints have the Reality Check's
layout, like the downloaded ones.

Reads: the images of the datasets, the trunk that training starts from.
Writes: checkpoints in the settings' models folder;
results/<settings>/reality_check/training_<dataset>.csv (one row per run) and
training_log_<dataset>.csv (one row per validation step).
Runtime: a forward and a backward pass of each image of a batch, for up to 100,000 batches per
network.
"""

from collections.abc import Callable

from dml_analysis.config import Settings
from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import device_of
from dml_analysis.scripts import Run, start
from dml_analysis.store import ResultStore
from dml_analysis.todo import todo
from dml_analysis.training import training_logs, training_runs, trunk_features
from dml_analysis.training.trained_checkpoints import place_checkpoints
from dml_analysis.training.training_checks import (
    check_classes,
    check_runs,
    prepare_features,
    prepare_runs,
)
from dml_analysis.views import View, check_views


def main():
    run = start(__doc__, __file__)
    for settings in run.variants:
        check_classes(settings)
    check_views(view for settings in run.variants for view in training_logs.views(settings))
    if not run.options.dry_run:
        for settings in run.variants:
            check_runs(settings)
    save_trunk_features(run)
    train_missing(run, "trials of learning rates", training_runs.trials_to_train, last=False)
    train_missing(run, "networks", training_runs.chosen_stores, training_logs.views)
    for settings in run.variants:
        place_checkpoints(settings)


def save_trunk_features(run: Run) -> None:
    """Save the features of frozen trunks, on which embedders are trained."""
    work = [
        (settings, [store])
        for settings in run.variants
        for store in training_runs.all_features_stores(settings)
    ]

    def check(missing):
        stores = {store.folder: (each.subject, store) for each in missing for store in each.stores}
        for settings, store in stores.values():
            prepare_features(settings, *store.subject)

    def device():
        return device_of(run.settings)

    for settings, chunk in todo(
        work, "trunk features", run, prepare=check, device=device, last=False, optional=True
    ):
        model, samples = chunk.stores[0].subject
        trunk = trunk_features.load_start_trunk(settings, model)
        features = trunk_features.features_of(trunk, samples[chunk.rows], chunk.advance)
        chunk.save({"features": features})


def train_missing(
    run: Run,
    what: str,
    stores_of: Callable[[Settings], list[ResultStore]],
    views_of: Callable[[Settings], list[View]] = lambda settings: [],
    last: bool = True,
) -> None:
    """Train the runs of the stores of all variants that are missing, then write the views."""
    work = [(settings, [store]) for settings in run.variants for store in stores_of(settings)]
    files = [view for settings in run.variants for view in views_of(settings)]

    def check(missing):
        prepare_runs([(each.subject, each.stores[0].subject) for each in missing])

    def iterations(missing):
        return missing.subject.training.iterations

    def device():
        return device_of(run.settings)

    for settings, chunk in todo(
        work, what, run, files, unit="iteration", units=iterations, prepare=check, device=device,
        last=last, optional=True, hint="; or set keep_embeddings: false",
        extra_bytes=sum(training_runs.embeddings_bytes(store) for _, (store,) in work),
    ):  # fmt: skip
        from dml_analysis.training.training_loop import train  # torch takes seconds to load

        (store,) = chunk.stores
        features = training_runs.features_stores(settings, store.subject.network)
        chunk.save(train(store, features, chunk.advance))


if __name__ == "__main__":
    run_script(main)
