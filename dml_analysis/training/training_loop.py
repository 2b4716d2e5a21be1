"""How a run is made: from the images of a fold to its best weights, with a look at the validation classes now and then."""

import time
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from dml_analysis.config import BY_EMBEDDINGS
from dml_analysis.errors import InputError, refused
from dml_analysis.files import csv_files
from dml_analysis.metrics.coordinates import ZeroEmbedding
from dml_analysis.metrics.retrieval import retrieval_scores
from dml_analysis.networks import checkpoints
from dml_analysis.networks.modules import (
    Embedder,
    EmbeddingNetwork,
    device_of,
    make_repeatable,
    seeded,
)
from dml_analysis.networks.specifications import no_direction, start_source
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore
from dml_analysis.training import trunk_features
from dml_analysis.training.losses import has_proxies, training_loss
from dml_analysis.training.roth import batch_samplers
from dml_analysis.training.roth.rho_regularization import RhoMiner
from dml_analysis.training.trainer import (
    EPOCH,
    SMALLEST_SPREAD,
    Standardised,
    Training,
    for_raw_features,
    freeze,
)
from dml_analysis.training.training_inputs import Features, Images
from dml_analysis.training.training_runs import (
    LOOKS,
    PARTS,
    features_of,
    looks_store,
    parts_of,
    tuned_as,
)

MOST_READERS = 8  # processes beside a GPU


class _Work(NamedTuple):
    """What a run works with."""

    store: ResultStore
    parts: dict  # part -> items
    labels: np.ndarray  # (n,) the training images' classes, counted from 0 without gaps
    places: object  # places(embeddings) -> a function from iterations to the places (batch_size,) of their images
    inputs: object  # training_inputs.Images or Features
    training: object  # training.Training


def _begin(store):
    """The _Work of a run, at its beginning."""
    network, settings = store.subject.network, store.subject.network.settings
    options, parts = settings.training, parts_of(network)
    seed = derived_seed(
        settings.seed, "training", network.model.name, network.dataset, network.fold
    )
    labels = np.unique([item.label for item in parts["train"]], return_inverse=True)[1]
    classes = int(labels.max()) + 1
    kit = seeded(
        seed,
        lambda: training_loss(
            network.model, tuned_as(settings, network.dataset), classes, settings.dimensions
        ),
    )
    if options.frozen == "trunk":
        inputs = Features(_features_by_id(network), parts["train"])
        trunk = _standardised(network, inputs.of(parts["train"]))
    else:
        trunk, transform = trunk_features.built(settings, start_source(settings, network.model))
        inputs = Images(
            parts["train"],
            transform,
            network.crop,
            options,
            seed,
            readers(options, device_of(settings.device, settings.precision)),
        )
    kit = adapted(kit, options, store.subject.name)
    embedder = seeded(
        derived_seed(seed, "embedder"), lambda: Embedder(network.features, settings.dimensions)
    )
    module = freeze(EmbeddingNetwork(trunk, embedder), options.frozen)
    make_repeatable(device_of(settings.device, settings.precision))
    training = Training(
        module,
        kit,
        options,
        store.subject.rate,
        seed,
        device_of(settings.device, settings.precision),
        settings.precision,
    )
    places = partial(batch_samplers.places, options, labels, kit.images_per_class, seed)
    return _Work(store, parts, labels, places, inputs, training)


def _standardised(network, features):
    """Standardised by the features (n, f) of a network's training images; says how many of them carry little or nothing.

    Raises InputError if no feature varies.
    """
    try:
        standardised = Standardised(features)
    except ValueError as error:
        raise InputError(
            f"{network.source.network}: {error}; check its weights and its transform"
        ) from None
    if standardised.constant or standardised.raised:
        _say_once(
            f"{network.dataset}, fold {network.fold}: of {features.shape[1]:,} features of {network.source.network}, "
            f"{standardised.constant} do not vary over the {len(features):,} training images and get no weight; "
            f"{standardised.raised} vary little and are scaled by {SMALLEST_SPREAD:g} of the median spread"
        )
    return standardised


@cache
def _say_once(line):
    tqdm.write(line)


def readers(options, device):
    """How many processes read ahead. On a CPU the network takes all cores, so that of a few none is to spare for others."""
    if options.workers is not None:
        return options.workers
    cores = torch.get_num_threads()
    return cores // 4 if device.type == "cpu" else min(cores, MOST_READERS)


def adapted(kit, options, where):
    """The TrainingLoss as the settings of trainings want it for all models: images per class, rho-regularisation.

    Raises InputError, beginning with `where`, if a loss that has a vector for each class is to be regularised.
    """
    kit = kit._replace(images_per_class=options.images_per_class or kit.images_per_class)
    if not options.rho:
        return kit
    if has_proxies(kit.function):
        raise InputError(
            f"{where}: has no tuples of images for rho-regularisation to switch; leave it out by --models"
        )
    return kit._replace(miner=RhoMiner(kit.miner, options.rho, options.rho_form))


def _features_by_id(network):
    stores = features_of(network)
    return {row: feature for store in stores
            for row, feature in zip(store.rows, torch.from_numpy(store.read()["features"]))}  # fmt: skip


def make(store, tick):
    """Make the run of a store, from where it was stopped if it was; returns its arrays. tick(n) is called after n iterations."""
    store.begin()
    work = _begin(store)
    log, losses = _loaded(work)
    training = work.training
    every, patience = store.subject.network.settings.training.rhythm(store.subject.network.dataset)
    last = training.options.iterations
    tick(training.iteration)
    if not log:
        log.append(_look(work, losses, time.perf_counter()))
    started = time.perf_counter()
    while log[-1]["iteration"] != training.iteration or not training.is_over(patience):
        next_look, places = min(last, (training.iteration // every + 1) * every), _places(work, log)
        for images in work.inputs.batches(places, training.iteration + 1, next_look):
            losses.append(_step(work, images, places(training.iteration + 1)))
            tick(1)
            if training.iteration % EPOCH == 0 and training.iteration < next_look:
                _save(work, log, losses)
        log.append(_look(work, losses, started))
        losses, started = [], time.perf_counter()
        _save(work, log, losses)
    _write_weights(work, log)
    return [{"validation_map_at_r": [training.best.score], "iteration": [training.best.iteration]}]


def _places(work, log):
    """See _Work.places, up to the next look; what goes by embeddings takes those that the last look has kept."""
    kept = None
    if work.training.options.filler in BY_EMBEDDINGS:
        kept = looks_store(work.store, log[-1]["iteration"], work.parts).load(PARTS.index("train"))[
            "embeddings"
        ]
    return work.places(kept)


def _step(work, images, places):
    """Train on the images of the next iteration, and their places; returns the loss."""
    try:
        return work.training.step(images, torch.from_numpy(work.labels[places]))
    except InputError as error:
        raise InputError(f"{work.store.subject.name}: {error}") from None


def _look(work, losses, started):
    """The row of the log for how the network does now; keeps its weights if it does best, and its embeddings if asked to."""
    training, kept = work.training, {}
    kept["validation"] = _embedded(work, "validation")
    validation = _accuracies(work, kept["validation"], "validation")
    best = training.iteration > 0 and training.look(validation.map_at_r)
    row = {
        "iteration": training.iteration,
        "training_loss": float(np.mean(losses)) if losses else None,
        "validation_precision_at_1": validation.recall_at_1,
        "validation_map_at_r": validation.map_at_r,
        "best": "yes" if best else "no",
        **{f"{name}_rate": rate for name, rate in training.rates.items()},
        "seconds": time.perf_counter() - started,
    }
    if not training.options.keep_embeddings:
        return row
    kept["train"], kept["test"] = (_embedded(work, part) for part in ("train", "test"))
    # What follows comes after all choices: it is shown, and nothing else.
    test = _accuracies(work, kept["test"], "test")
    store = looks_store(work.store, training.iteration, work.parts)
    for place, part in enumerate(work.parts):
        store.save(place, embeddings=kept[part])
    return row | {"test_precision_at_1_only_shown": test.recall_at_1,
                  "test_map_at_r_only_shown": test.map_at_r}  # fmt: skip


def _embedded(work, part):
    """The embeddings (n, d) of a part's images, float32."""
    return torch.cat(
        [work.training.embedded(images) for images in work.inputs.whole(work.parts[part])]
    ).numpy()


def _accuracies(work, embeddings, part):
    if not np.isfinite(embeddings).all():
        raise InputError(
            f"{work.store.subject.name}: embeddings are not finite after iteration {work.training.iteration}; set a smaller learning_rate"
        )
    items = work.parts[part]
    try:  # by cosine for all models, as the Reality Check chooses the best look
        return retrieval_scores(embeddings, [item.label for item in items])
    except ZeroEmbedding as error:
        where = f"{work.store.subject.name}, iteration {work.training.iteration}, {part} images"
        raise no_direction(where, items, error) from None


def _save(work, log, losses):
    """Write down all that a run that is stopped now needs to go on, and the log so far."""
    _write_log(work, log)
    checkpoints.save(
        {**work.training.state(), "log": log, "losses": losses}, work.store.subject.state_file
    )


def _write_log(work, log):
    csv_files.write(
        work.store.subject.log_file, [[row.get(name) for name in LOOKS] for row in log], LOOKS
    )


def _loaded(work):
    """(log, losses since the last look), with the training where it was when it was stopped."""
    file = work.store.subject.state_file
    if not file.is_file():
        return [], []
    with refused(file, "the state of a training", "delete it, and the training begins anew"):
        state = checkpoints.loaded(file)
        work.training.load(state)
        return state["log"], state["losses"]


def _write_weights(work, log):
    """Write the best weights and the log of a run that has come to its end."""
    run, training = work.store.subject, work.training
    training.network.load_state_dict(training.best.weights)
    training.network.cpu()
    trunk, embedder = training.network.trunk, training.network.embedder
    files = run.files()
    if training.options.frozen == "trunk":
        embedder = for_raw_features(trunk, embedder)
    else:
        checkpoints.save(
            {name: value.contiguous() for name, value in trunk.state_dict().items()}, files[0]
        )
    checkpoints.save(embedder.state_dict(), files[1])
    _write_log(work, log)
    for file in run.network.files:  # a checkpoint that is not of what comes now
        file.unlink(missing_ok=True)
