"""The training of a network: from the images of a fold to its best weights, with validation steps.

A run that was interrupted resumes from its last state and ends with the same bytes.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from tqdm import tqdm

from dml_analysis import threads
from dml_analysis.config import BY_EMBEDDINGS, CHECKPOINTS
from dml_analysis.datasets.readers import ids_of
from dml_analysis.errors import InputError, refused
from dml_analysis.files import csv_files
from dml_analysis.metrics.coordinates import ZeroEmbedding
from dml_analysis.metrics.retrieval import Retrieval, retrieval_scores
from dml_analysis.networks import checkpoints, modules
from dml_analysis.networks.modules import Embedder, EmbeddingNetwork, seeded
from dml_analysis.networks.specifications import no_direction
from dml_analysis.seeds import derived_seed
from dml_analysis.store import ResultStore
from dml_analysis.training.losses import TrainingLoss, has_proxies, training_loss
from dml_analysis.training.roth.batch_samplers import batch_indices
from dml_analysis.training.roth.rho_regularization import RhoMiner
from dml_analysis.training.trainer import (
    EPOCH,
    Checkpoint,
    Standardised,
    Training,
    for_raw_features,
    freeze,
)
from dml_analysis.training.training_inputs import AugmentedImages, BatchIndices, Features, Images
from dml_analysis.training.training_runs import (
    SPLITS,
    STEP_COLUMNS,
    TrainingRun,
    embeddings_store,
    trained_files,
)
from dml_analysis.training.trunk_features import build_trunk

MAX_READERS = 8  # processes that read images for a GPU


def train(
    store: ResultStore, features: Sequence[ResultStore], advance: Callable[[int], Any]
) -> dict[str, Any]:
    """Train the run of a store, from where it was interrupted if it was; return the store's arrays.

    features: the stores of the frozen trunk's features of all images, if it is frozen. advance(n)
    is called after n iterations. Raises InputError if the loss or an embedding is not finite.
    """
    # Embedders alone gain nothing by more threads, and results would depend on their number.
    with threads.one() if store.subject.has_frozen_trunk else nullcontext():
        store.begin()
        loop = TrainingLoop(store, features)
        loop.train(advance)
        loop.write_weights()
    best, reached = loop.training.best, loop.training.reached
    arrays = {"validation_map_at_r": [best.score], "iteration": [best.iteration]}
    if store.subject.options.reached is not None:
        arrays["reached_iteration"] = [reached.iteration if reached else 0]
    return arrays


class TrainingLoop:
    """A run in training: its images, its network, and its log."""

    def __init__(self, store: ResultStore, features: Sequence[ResultStore] = ()) -> None:
        """Build the network, or restore it from the run's last state. See train."""
        self.store, self.run = store, store.subject
        self.state_file = store.folder / "state.pth"
        network, options = self.run.network, self.run.options
        purpose = ("training", network.model.name, network.dataset, network.fold)
        self.seed = derived_seed(network.seed, *purpose)
        labels = [sample.label for sample in self.run.splits["train"]]
        self.labels = np.unique(labels, return_inverse=True)[1]
        self.loss = seeded(self.seed, lambda: loss_of(self.run, int(self.labels.max()) + 1))
        device = modules.device_of(network.device)
        self.inputs, trunk = self._inputs_and_trunk(features, device)
        sizes = (network.features, network.dimensions)
        embedder = seeded(derived_seed(self.seed, "embedder"), lambda: Embedder(*sizes))
        module = freeze(EmbeddingNetwork(trunk, embedder), options.frozen)
        modules.make_repeatable(device)
        self.training = Training(module, self.loss, options, self.run.rate, self.seed, device)
        self.log: list[dict[str, Any]] = []
        self.losses: list[float] = []  # since the last validation step
        self._load()

    def _inputs_and_trunk(
        self, features: Sequence[ResultStore], device: torch.device
    ) -> tuple[Features | Images, torch.nn.Module]:
        """Return what is trained on, and the trunk: for features, their standardisation."""
        network, options, samples = self.run.network, self.run.options, self.run.splits["train"]
        if features:
            inputs = Features(_by_id(features), samples)
            (of_training,) = inputs.in_order(samples)
            where = f"{network.dataset}, fold {network.fold}"
            return inputs, standardised(of_training, network.source.network, where)
        trunk, transform = build_trunk(network.source, self.run.imagenet_trunk)
        assert network.crop is not None  # only embeddings given as a file have none
        images = AugmentedImages(samples, transform, network.crop, options.augmentation, self.seed)
        return Images(images, reader_count(options.workers, device)), trunk

    def train(self, advance: Callable[[int], Any]) -> None:
        """Train until the last iteration, or until validation does not improve any more."""
        training, options = self.training, self.run.options
        every, patience = options.rhythm(self.run.network.dataset)
        advance(training.iteration)
        if not self.log:
            self.validate(time.perf_counter())
        started = time.perf_counter()
        while self.log[-1]["iteration"] != training.iteration or not training.is_over(patience):
            stop = min(options.iterations, (training.iteration // every + 1) * every)
            indices = self._batch_indices()
            for images in self.inputs.batches(indices, training.iteration + 1, stop):
                self.step(images, indices(training.iteration + 1))
                advance(1)
                if training.iteration % EPOCH == 0 and training.iteration < stop:
                    self.save()
            self.validate(started)
            started = time.perf_counter()
            self.save()

    def _batch_indices(self) -> BatchIndices:
        """Return the function that samples batches until the next validation step.

        Samplers by embeddings use those of the last validation step.
        """
        options, embeddings = self.run.options, None
        if options.filler in BY_EMBEDDINGS:
            last = embeddings_store(self.store, self.log[-1]["iteration"])
            embeddings = last.load(SPLITS.index("train"))["embeddings"]
        return batch_indices(
            options, self.labels, self.loss.images_per_class, self.seed, embeddings
        )

    def step(self, images: Float[torch.Tensor, "n *shape"], indices: Int[np.ndarray, " n"]) -> None:
        """Train on the next iteration's images, or their features, with these indices."""
        try:
            loss = self.training.step(images, torch.from_numpy(self.labels[indices]))
        except InputError as error:
            raise InputError(f"{self.run.name}: {error}") from None
        self.losses.append(loss)

    # ---------------------------------------------------------------------------------------------
    # Validation.
    # ---------------------------------------------------------------------------------------------
    def validate(self, started: float) -> None:
        """Add a row to the log; save the weights if they are the best, and embeddings if requested.

        started: the time of time.perf_counter() at which the row's training began.
        """
        training, iteration = self.training, self.training.iteration
        embeddings = {"validation": self._embeddings("validation")}
        scores = self.scores(embeddings["validation"], "validation")
        best = iteration > 0 and training.record(scores.map_at_r)
        row = {
            "iteration": iteration,
            "training_loss": float(np.mean(self.losses)) if self.losses else None,
            "validation_precision_at_1": scores.recall_at_1,
            "validation_map_at_r": scores.map_at_r,
            "best": "yes" if best else "no",
            **{f"{name}_rate": rate for name, rate in training.rates.items()},
            "seconds": time.perf_counter() - started,
        }
        if self.run.options.keep_embeddings:
            embeddings |= {split: self._embeddings(split) for split in ("train", "test")}
            # Test images come after all selection: their scores are logged and used nowhere.
            test = self.scores(embeddings["test"], "test")
            row["test_precision_at_1_only_shown"] = test.recall_at_1
            row["test_map_at_r_only_shown"] = test.map_at_r
            store = embeddings_store(self.store, iteration)
            for number, split in enumerate(SPLITS):
                store.save(number, embeddings=embeddings[split])
        self.log.append(row)
        self.losses = []

    def _embeddings(self, split: str) -> Float[np.ndarray, "n d"]:
        """Return the embeddings of a split's images, float32."""
        batches = self.inputs.in_order(self.run.splits[split])
        return torch.cat([self.training.embedded(images) for images in batches]).numpy()

    def scores(self, embeddings: Float[np.ndarray, "n d"], split: str) -> Retrieval:
        """Return the retrieval scores of a split's images by cosine, whatever the model's distance.

        The Reality Check selects the best iteration by these. Raises InputError if an embedding is
        zero or not finite.
        """
        name, iteration = self.run.name, self.training.iteration
        samples = self.run.splits[split]
        if not np.isfinite(embeddings).all():
            raise InputError(
                f"{name}: embeddings are not finite after iteration {iteration}; "
                "set a smaller learning_rate"
            )
        try:
            with threads.kept():  # torch's rounding depends on them
                return retrieval_scores(embeddings, np.array([sample.label for sample in samples]))
        except ZeroEmbedding as error:
            where = f"{name}, iteration {iteration}, {split} images"
            raise no_direction(where, ids_of(samples), error) from None

    # ---------------------------------------------------------------------------------------------
    # Files.
    # ---------------------------------------------------------------------------------------------
    def save(self) -> None:
        """Write the log and the state from which an interrupted run resumes."""
        self._write_log()
        state = {**self.training.state(), "log": self.log, "losses": self.losses}
        checkpoints.save(state, self.state_file)

    def _load(self) -> None:
        """Restore the last state, if the run was interrupted."""
        file = self.state_file
        if file.is_file():
            with refused(file, "the state of a training", "delete it to train from the beginning"):
                state = checkpoints.loaded(file)
                self.training.load(state)
                self.log, self.losses = state["log"], state["losses"]

    def _write_log(self) -> None:
        rows = [[row.get(name) for name in STEP_COLUMNS] for row in self.log]
        csv_files.write(self.store.folder / "log.csv", rows, STEP_COLUMNS)

    def write_weights(self) -> None:
        """Write the log and the weights of a run that is complete; delete older checkpoints."""
        self._write_log()
        self._write_weights(self.training.best, self.run.weights_files())
        if self.training.reached:
            self._write_weights(self.training.reached, self.run.weights_files("reached"))
        for checkpoint in CHECKPOINTS:
            for file in trained_files(self.run.network, checkpoint):
                file.unlink(missing_ok=True)

    def _write_weights(self, checkpoint: Checkpoint, files: tuple[Path, Path]) -> None:
        """Write the weights at a validation step to the files of trunk and embedder."""
        network: Any = self.training.network
        network.load_state_dict(checkpoint.weights)
        network.cpu()
        embedder, (trunk_file, embedder_file) = network.embedder, files
        if self.run.has_frozen_trunk:
            embedder = for_raw_features(network.trunk, embedder)
        else:
            state = network.trunk.state_dict().items()
            checkpoints.save({name: value.contiguous() for name, value in state}, trunk_file)
        checkpoints.save(embedder.state_dict(), embedder_file)


# -------------------------------------------------------------------------------------------------
# What a run is built from.
# -------------------------------------------------------------------------------------------------
def loss_of(run: TrainingRun, classes: int) -> TrainingLoss:
    """Return a run's loss for this number of classes, adapted to the training settings.

    They set the images per class and rho-regularisation for all models. Raises InputError as
    training_loss does, or if a loss with a vector for each class is to be regularised.
    """
    network, options = run.network, run.options
    kit = training_loss(
        network.model, run.tuned_as, classes, network.dimensions, options.loss_rate_factor
    )
    kit = kit._replace(images_per_class=options.images_per_class or kit.images_per_class)
    if not options.rho:
        return kit
    if has_proxies(kit.function):
        raise InputError(
            f"{run.name}: has no tuples of images for rho-regularisation to switch; "
            "leave it out by --models"
        )
    return kit._replace(miner=RhoMiner(kit.miner, options.rho, options.rho_form))


def standardised(features: Float[torch.Tensor, "n f"], trunk: str, where: str) -> Standardised:
    """Return the module that standardises features of a trunk by those of the training images.

    It prints how many features carry little or no information. trunk, where: names of the trunk
    and of the training images in messages. Raises InputError if no feature varies.
    """
    try:
        module = Standardised(features)
    except ValueError as error:
        raise InputError(f"{trunk}: {error}; check its weights and its transform") from None
    if module.constant or module.raised:
        n_images, n_features = features.shape
        _print_once(
            f"{where}: of {n_features:,} features of {trunk}, {module.constant} do not vary over "
            f"the {n_images:,} training images and get no weight; {module.raised} vary little"
        )
    return module


@cache
def _print_once(line: str) -> None:
    tqdm.write(line)


def reader_count(workers: int | None, device: torch.device) -> int:
    """Return how many processes read ahead: `workers`, by default as many as suit the machine.

    On a CPU the network uses all cores, so that few are free for reading.
    """
    if workers is not None:
        return workers
    cores = torch.get_num_threads()
    return cores // 4 if device.type == "cpu" else min(cores, MAX_READERS)


def _by_id(stores: Sequence[ResultStore]) -> dict[str, Float[torch.Tensor, " f"]]:
    """Return the features in stores, by image id."""
    return {
        image_id: row
        for store in stores
        for image_id, row in zip(store.rows, torch.from_numpy(store.read()["features"]))
    }
