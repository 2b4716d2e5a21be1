"""Training: batches, images, what is frozen, stopping and going on, and the script on a dataset of one's own."""

import shutil
from collections import Counter

import numpy as np
import pytest
import timm
import torch
import yaml
from PIL import Image

from dml_analysis import paper
from dml_analysis.config import AUGMENTATIONS, TrainingSettings, load_settings
from dml_analysis.datasets.images import Crop
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.networks import bn_inception, efficientnet_lite
from dml_analysis.networks.modules import Embedder, EmbeddingNetwork, seeded
from dml_analysis.training import class_batches, training_loop, training_runs
from dml_analysis.training.hyperparameters import hyperparameters
from dml_analysis.training.losses import TrainingLoss, training_loss
from dml_analysis.training.trainer import (
    Standardised,
    Training,
    for_raw_features,
    freeze,
    layer_groups,
    rate_factor,
)
from dml_analysis.training.training_inputs import AugmentedImages, Images
from dml_analysis.training.training_loop import TrainingLoop
from tests import fake_data
from tests.conftest import ROOT
from tests.networks import Infinite, tiny_trunk

SCRIPT = "reality_check/2_train_models.py"
TRAINED = [model for model in paper.MODELS if model.trained]


# ---------------------------------------------------------------------------------------------------------------------
# Batches.
# ---------------------------------------------------------------------------------------------------------------------
LABELS = np.repeat(np.arange(9), 7)


def test_the_original_sampler_goes_through_all_classes():
    made = class_batches.ClassBatches(LABELS, 4, 32, "original", seed=1)
    row = np.concatenate(
        [made.indices(iteration) for iteration in range(1, 10)]
    )  # 288 images are 8 passes of 36
    for number in range(8):
        some = row[36 * number : 36 * number + 36]
        assert Counter(LABELS[some]) == dict.fromkeys(range(9), 4) and len(set(some)) == 36
        assert (LABELS[some].reshape(9, 4) == LABELS[some][::4, None]).all()  # class by class
    assert len(set(LABELS[made.indices(1)])) == 8 and Counter(LABELS[made.indices(2)]) != Counter(
        LABELS[made.indices(1)]
    )
    orders = {tuple(LABELS[made.epoch(number)]) for number in range(8)}
    assert len(orders) == 8


def test_the_strict_sampler_takes_so_many_of_each():
    made = class_batches.ClassBatches(LABELS, 4, 32, "strict", seed=1)
    for iteration in range(1, 20):
        assert sorted(Counter(LABELS[made.indices(iteration)]).values()) == [4] * 8
        assert len(set(made.indices(iteration))) == 32
    assert {
        label for iteration in range(1, 20) for label in LABELS[made.indices(iteration)]
    } == set(range(9))


@pytest.mark.parametrize("sampler", ["original", "strict"])
def test_a_batch_depends_on_its_number_and_the_seed_alone(sampler):
    made, again, other = (
        class_batches.ClassBatches(LABELS, 4, 32, sampler, seed) for seed in (1, 1, 2)
    )
    assert made.indices(5).tolist() == again.indices(5).tolist() != other.indices(5).tolist()
    made.indices(1)
    assert made.indices(5).tolist() == again.indices(5).tolist()


NAMES = {label: f"class {label}" for label in range(20)}


@pytest.mark.parametrize(
    "labels, per_class, batch_size, sampler, message",
    [([1] * 9, 4, 32, "original", "1 class to train on, but a loss needs two"),
     ([0, 0, 1, 2, 2], 2, 5, "original", "class 1 has one image, but training needs two of each class"),
     (LABELS, 32, 32, "original", "a batch of 32 with 32 images a class has only one class"),
     (LABELS, 4, 8, "original", "a batch of 8 with 4 images a class may have only one class, where one epoch"),
     (LABELS, 8, 32, "original", "class 0 has 7 images, but a batch needs 8 of each class"),
     ([0] * 9 + [1] * 3, 4, 8, "strict", "class 1 has 3 images, but a batch needs 4 of each class"),
     (LABELS, 3, 32, "strict", "sampler: strict needs a batch_size that is a multiple of 3 images a class, but it is 32"),
     (LABELS, 1, 32, "strict", "a batch of 32 with 1 images a class needs 32 classes, but there are 9")],
)  # fmt: skip
def test_impossible_batches(labels, per_class, batch_size, sampler, message):
    assert class_batches.problem(labels, NAMES, per_class, batch_size, sampler).startswith(message)


@pytest.mark.parametrize(
    "labels, per_class, batch_size, sampler",
    [(LABELS, 4, 32, "original"), (LABELS, 4, 32, "strict"), ([0, 0, 1, 2, 2], 1, 4, "original"),
     ([0, 0, 1, 1, 2, 2, 2, 2], 4, 12, "original"),  # of two classes it repeats images
     (LABELS[:56], 4, 8, "original")],  # a pass of 8 classes is four complete batches
)  # fmt: skip
def test_possible_batches(labels, per_class, batch_size, sampler):
    assert class_batches.problem(labels, NAMES, per_class, batch_size, sampler) == ""


# ---------------------------------------------------------------------------------------------------------------------
# Images.
# ---------------------------------------------------------------------------------------------------------------------
def test_bn_inception_takes_larger_images():
    """Of 256 pixels its last maps are 8 x 8, of which each feature is the mean; of 227 they are 7 x 7, as ever."""
    trunk = seeded(0, bn_inception.bninception_trunk).eval()
    with torch.no_grad():
        for side, maps in ((227, 7), (256, 8)):
            images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
            last = trunk.features(images)
            assert last.shape == (1, 1024, maps, maps)
            torch.testing.assert_close(trunk(images), last.mean(dim=(2, 3)))


def images(samples, augmentation="reality_check", workers=0):
    transform, crop = efficientnet_lite.transform(40, 32), Crop(40, (32, 32))
    shown = AugmentedImages(samples, transform, crop, augmentation, 0)
    return Images(shown, workers)


def test_an_image_is_augmented_differently_at_every_iteration(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "1.png")
    inputs = images([Sample("1", tmp_path / "1.png", 0)])
    first, second = inputs.batches(lambda iteration: np.array([0, 0]), 1, 2)
    seen = [*first, *second]  # twice in a batch, in two batches
    assert not any(torch.equal(a, b) for place, a in enumerate(seen) for b in seen[:place])
    (again,) = inputs.batches(lambda iteration: np.array([0, 0]), 2, 2)
    assert torch.equal(again, second)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_images_are_the_same_with_any_number_of_readers(tmp_path, augmentation):
    rng, samples = np.random.default_rng(0), []
    for name, size in (("1", (90, 60)), ("2", (64, 100))):
        samples.append(Sample(name, tmp_path / f"{name}.png", 0))
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(samples[-1].path)
    none, two = (
        torch.stack(
            [*images(samples, augmentation, workers).batches(lambda _: np.array([0, 1, 0]), 1, 3)]
        )
        for workers in (0, 2)
    )
    assert none.shape[:2] == (3, 3) and torch.equal(none, two)


# ---------------------------------------------------------------------------------------------------------------------
# A step.
# ---------------------------------------------------------------------------------------------------------------------
def small_training(frozen="batchnorm_statistics", model=TRAINED[0], **options):
    options = TrainingSettings(frozen=frozen, **{"learning_rate": 0.01} | options)
    network = freeze(EmbeddingNetwork(tiny_trunk()[0], seeded(1, lambda: Embedder(6, 8))), frozen)
    kit = seeded(2, lambda: training_loss(model, "Cars196", 4, 8))
    return Training(network, kit, options, options.learning_rate, seed=3)


def some_batch():
    images = torch.rand(16, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    return images, torch.arange(16) % 4


def changed(training):
    """The names of the network's tensors that a step changes."""
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    training.step(*some_batch())
    return {
        name
        for name, value in training.network.state_dict().items()
        if not torch.equal(value, before[name])
    }


CONV, NORM, EMBEDDER = {"trunk.0.weight", "trunk.0.bias"}, {"trunk.1.weight", "trunk.1.bias"}, {
    "embedder.net.0.weight", "embedder.net.0.bias", "embedder.last_linear.weight", "embedder.last_linear.bias"}  # fmt: skip
STATISTICS = {"trunk.1.running_mean", "trunk.1.running_var", "trunk.1.num_batches_tracked"}


@pytest.mark.parametrize(
    "frozen, expected",
    [("batchnorm_statistics", CONV | NORM | EMBEDDER), ("batchnorm", CONV | EMBEDDER), ("trunk", EMBEDDER),
     ("nothing", CONV | NORM | EMBEDDER | STATISTICS)],
)  # fmt: skip
def test_what_is_frozen_stays_as_it_is(frozen, expected):
    assert changed(small_training(frozen)) == expected


@pytest.mark.parametrize("model", TRAINED, ids=lambda model: model.name)
def test_every_loss_is_trained_with_its_own_parameters(model):
    training = small_training(model=model)
    before = [parameter.clone() for parameter in training.function.parameters()]
    training.step(*some_batch())
    after = list(training.function.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after))
    assert len(training.optimizers) == (2 if after else 1)
    for optimizer in training.optimizers:
        assert isinstance(optimizer, torch.optim.RMSprop) and optimizer.defaults["momentum"] == 0.9
    decay = {optimizer.defaults["weight_decay"] for optimizer in training.optimizers[1:]}
    assert decay <= ({0} if model.name.startswith("Margin") else {1e-4})
    assert training.optimizers[0].defaults["weight_decay"] == 1e-4
    if after:
        rate = next(v for k, v in hyperparameters(model, "Cars196").items() if k.endswith("_lr"))
        assert training.optimizers[1].param_groups[0]["lr"] == rate


def test_rates_of_trunk_and_embedder():
    both = small_training().optimizers[0].param_groups
    assert [group["lr"] for group in both] == [0.01, 0.01]
    apart = small_training(embedder_learning_rate=0.5).optimizers[0].param_groups
    assert [group["lr"] for group in apart] == [0.01, 0.5]
    assert len(small_training("trunk").optimizers[0].param_groups) == 1
    assert isinstance(small_training(optimizer="AdamW").optimizers[0], torch.optim.AdamW)


def test_the_schedule_of_learning_rates():
    assert [rate_factor(n, 4, 0, "constant") for n in (1, 4)] == [1, 1]
    assert [rate_factor(n, 9, 4, "constant") for n in (1, 3, 4, 9)] == [0.25, 0.75, 1, 1]
    # After two iterations of warm-up, three thirds of half a cosine: at 0, 60 and 120 degrees.
    assert [rate_factor(n, 4, 2, "cosine") for n in (1, 2, 3, 4)] == pytest.approx(
        [0.5, 1, 0.75, 0.25]
    )
    training = small_training(
        model=TRAINED[3], iterations=4, warmup_iterations=2, schedule="cosine"
    )
    full = training.rates["loss"] / 0.5
    for factor in (0.5, 1, 0.75, 0.25):
        training.step(*some_batch())
        rates = [g["lr"] for o in training.optimizers for g in o.param_groups]
        assert rates == pytest.approx([0.01 * factor, 0.01 * factor, full * factor])
        assert list(training.rates.values()) == pytest.approx(rates)


def test_layers_have_falling_learning_rates():
    trunk = timm.create_model("test_vit", num_classes=0)
    rate_of = {
        id(weight): group["lr"]
        for group in layer_groups(trunk, 0.8, 0.5)
        for weight in group["params"]
    }
    rates = {name: rate_of[id(weight)] for name, weight in trunk.named_parameters()}
    assert rates["norm.weight"] == 0.8 and rates["blocks.5.mlp.fc2.bias"] == pytest.approx(0.8)
    assert rates["blocks.4.attn.qkv.weight"] == pytest.approx(0.4)
    assert rates["patch_embed.proj.weight"] == min(rates.values()) == pytest.approx(0.8 / 2**6)
    network = EmbeddingNetwork(trunk, Embedder(64, 8))
    options = TrainingSettings(learning_rate=0.8, layer_decay=0.5)
    made = Training(network, TrainingLoss(Infinite(), None, None, 4), options, 0.8, 0)
    groups = made.optimizers[0].param_groups
    assert {group["weight_decay"] for group in groups} == {1e-4}  # also of biases
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


def test_gradients_are_clipped():
    options = {"optimizer": "SGD", "learning_rate": 1, "momentum": 0, "weight_decay": 0}
    for clip, smaller in ((0.001, True), (1e6, False)):
        training = small_training(gradient_clipping=clip, **options)
        before = [weight.detach().clone() for weight in training.network.parameters()]
        training.step(*some_batch())
        after = training.network.parameters()
        steps = [(a - b).detach().flatten() for a, b in zip(after, before, strict=True)]
        assert (torch.cat(steps).norm().item() == pytest.approx(0.001, rel=1e-3)) == smaller


CLASSIFICATION = ["ProxyAnchorLoss", "SubCenterArcFaceLoss", "SphereFaceLoss", "LargeMarginSoftmaxLoss", "P2SGradLoss", "SoftmaxLoss"]  # fmt: skip


@pytest.mark.parametrize("loss", CLASSIFICATION)
def test_further_classification_losses_fall(loss):
    model = paper.Model("Mine", None, "Classification", "Cosine Similarity", "mine", loss=loss,
                        loss_learning_rate=0.01)  # fmt: skip
    training = small_training(model=model, optimizer="Adam")
    before = [weight.clone() for weight in training.function.parameters()]
    values = [training.step(*some_batch()) for _ in range(20)]
    assert values[-1] < 0.98 * values[0]
    assert not any(torch.equal(a, b) for a, b in zip(before, training.function.parameters()))


class Failing(torch.nn.Module):
    """A loss whose gradient fails on the second batch: it keeps the first one's graph."""

    total = 0.0

    def forward(self, embeddings, labels, tuples=None):
        self.total = self.total + embeddings.exp().sum()
        return self.total


def test_a_loss_that_fails_is_named_with_its_iteration():
    training = small_training()
    training.function = Failing()
    training.step(*some_batch())
    with pytest.raises(InputError, match=r"the loss fails at iteration 2 \(Trying to backward"):
        training.step(*some_batch())

    def out_of_memory(*given):
        raise RuntimeError("CUDA out of memory")

    training.function = out_of_memory
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        training.step(*some_batch())


def test_a_loss_that_is_not_finite_is_named_with_its_iteration():
    training = small_training()
    training.step(*some_batch())
    training.function = Infinite()
    with pytest.raises(
        InputError, match="the loss is nan at iteration 2; set a smaller learning_rate"
    ):
        training.step(*some_batch())


def test_the_best_validation_step_is_saved_and_ends_the_training():
    training = small_training(iterations=1000)
    scores = {5: 0.2, 10: 0.5, 15: 0.5, 20: 0.4}  # an equal score is no better one
    for training.iteration, score in scores.items():
        marked = training.network.embedder.net[0].bias
        marked.data.fill_(training.iteration)
        assert training.record(score) == (training.iteration in (5, 10))
    assert (training.best.iteration, training.best.score) == (10, 0.5)
    assert (training.best.weights["embedder.net.0.bias"] == 10).all()
    assert not training.is_over(patience=11) and training.is_over(patience=10)
    training.iteration = 1000
    assert training.is_over(patience=2000)


def test_trunks_in_bfloat16_are_trained_with_float32_embeddings():
    network = EmbeddingNetwork(tiny_trunk()[0].to(torch.bfloat16), Embedder(6, 8))
    kit = TrainingLoss(torch.nn.TripletMarginLoss(), None, None, 4)
    training = Training(network, kit, TrainingSettings(learning_rate=0.01), 0.01, seed=0)
    embeddings = training.embedded(some_batch()[0].to(torch.bfloat16))
    assert embeddings.dtype == torch.float32


def test_embedder_for_raw_features():
    features = torch.randn(40, 5) * 3 + 1
    standardised, embedder = Standardised(features), Embedder(5, 3)
    assert standardised(features).mean().abs() < 1e-5 and standardised(
        features
    ).std() == pytest.approx(1, abs=0.05)
    raw = for_raw_features(standardised, embedder)
    torch.testing.assert_close(
        raw(features), embedder(standardised(features)), atol=1e-5, rtol=1e-4
    )


def test_features_that_do_not_vary_get_no_weight():
    """By hand: spreads 2, 2, 4, 0, 0 (but for rounding) and .002; the median of those that vary is 2, and a tenth of it .2."""
    two = 2**0.5  # values m - s / sqrt(2) and m + s / sqrt(2) have the standard deviation s
    spreads = torch.tensor([2, 2, 4, 0, 1e-7, 0.002])
    features = torch.stack([3 - spreads / two, 3 + spreads / two])
    standardised = Standardised(features)
    assert standardised.scale.tolist() == pytest.approx([0.5, 0.5, 0.25, 0, 0, 5], rel=1e-3)
    assert (standardised.constant, standardised.raised) == (2, 1)


def test_a_feature_that_only_unseen_images_activate_moves_no_embedding():
    features = torch.rand(40, 5)
    features[:, 2] = 0
    standardised, embedder = Standardised(features), Embedder(5, 3)
    raw = for_raw_features(standardised, embedder)
    assert (raw.net[0].weight[:, 2] == 0).all()
    unseen = torch.rand(1, 5)
    torch.testing.assert_close(
        raw(unseen + torch.tensor([0, 0, 100.0, 0, 0])),
        raw(unseen + torch.tensor([0, 0, 0.0, 0, 0])),
    )
    torch.testing.assert_close(raw(unseen), embedder(standardised(unseen)), atol=1e-5, rtol=1e-4)


def test_the_number_of_features_without_weight_is_said_once(capsys):
    features = torch.rand(40, 5)
    features[:, 2:4], features[:, 4] = 0, features[:, 4] / 100
    for _ in range(2):
        training_loop.standardised(features, "timm:tiny", "Tiles, fold 1")
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        "Tiles, fold 1: of 5 features of timm:tiny, 2 do not vary over the 40 training images and get no weight; "
        "1 vary little"
    )
    with pytest.raises(
        InputError,
        match="^timm:tiny: the trunk gives the same features for all training images; check its w",
    ):
        training_loop.standardised(torch.ones(3, 2), "timm:tiny", "Tiles, fold 1")


# ---------------------------------------------------------------------------------------------------------------------
# The script.
# ---------------------------------------------------------------------------------------------------------------------
def networks(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted((folder / "models").rglob("saved_models/*.pth"))
    }


def test_what_a_training_leaves(whole):
    assert len(networks(whole)) == 4
    log = fake_data.read_rows(whole / "results/tiles/reality_check/training_log_Tiles.csv")
    assert [int(row["iteration"]) for row in log] == [0, 2, 4, 6] * 2
    for row in log:
        assert (row["training_loss"] == "") == (row["iteration"] == "0") and float(
            row["trunk_rate"]
        ) == 0.003
        assert 0 <= float(row["test_map_at_r_only_shown"]) <= 1
    for run in fake_data.read_rows(whole / "results/tiles/reality_check/training_Tiles.csv"):
        steps = [row for row in log if row["loss"] == run["loss"] and row["iteration"] != "0"]
        scores = [float(row["validation_map_at_r"]) for row in steps]
        best = steps[int(np.argmax(scores))]
        assert run["iteration"] == best["iteration"] and float(run["validation_map_at_r"]) == max(
            scores
        )
        assert [row["best"] for row in steps if row["iteration"] == best["iteration"]] == ["yes"]
    assert not list((whole / "models").rglob("state.pth"))


def test_embeddings_are_saved_at_every_validation_step(whole, tiles):
    settings = load_settings(whole / "tiles.yaml")
    (store, _) = training_runs.chosen_stores(settings)
    splits = store.subject.splits
    assert [len(items) for items in splits.values()] == [36, 12, 48]
    saved = {
        iteration: training_runs.embeddings_store(store, iteration) for iteration in (0, 2, 4, 6)
    }
    for step in saved.values():
        assert step.is_complete() and step.load(1)["embeddings"].shape == (12, 128)
    assert not np.array_equal(saved[0].load(2)["embeddings"], saved[6].load(2)["embeddings"])
    # Those of the best step are what the network of that checkpoint gives.
    from dml_analysis.networks.embedding import embedded

    best = int(store.read()["iteration"][0])
    (array,) = embedded([(store.subject.network, True)], splits["test"], 10, lambda ticks: None)
    np.testing.assert_allclose(saved[best].load(2)["embeddings"], array, atol=2e-3)


def test_rho_regularisation_is_for_losses_of_tuples(tiles, tmp_path, fails):
    settings = fake_data.write_tiles_settings(
        tiles, tmp_path, training=fake_data.TILES_TRAINING | {"rho": 0.1}
    )
    assert "ArcFace, Tiles, fold 0, learning rate 0.003: has no tuples of images" in fails(
        SCRIPT, settings
    )


@pytest.mark.parametrize(
    "changes",
    [{"frozen": "trunk"}, {"optimizer": "SGD", "patience": 3},
     {"filler": "greedy_coreset", "images_per_class": 2, "augmentation": "big", "embedding_dimensions": 32},
     {"warmup_iterations": 4, "schedule": "cosine", "gradient_clipping": 0.5, "reached": 0.01}],
)  # fmt: skip
def test_a_stopped_training_ends_with_the_same_bytes(
    tiles, tmp_path, run_inside, monkeypatch, changes
):
    """Stopped before its first step, after a validation step, and twice between two, once after its state was saved."""
    monkeypatch.setattr(training_loop, "EPOCH", 2)
    training = fake_data.TILES_TRAINING | {"iterations": 9, "check_every": 3} | changes
    folders = [tmp_path / name for name in ("whole", "stopped")]
    for folder in folders:
        folder.mkdir()
    whole, stopped = (
        fake_data.write_tiles_settings(tiles, folder, training=training) for folder in folders
    )
    run_inside(SCRIPT, whole)
    step, stops = TrainingLoop.step, [0, 3, 4, 5]

    def step_or_stop(loop, images, indices):
        is_arcface = loop.run.network.model.name == "ArcFace"
        if is_arcface and stops and loop.training.iteration == stops[0]:
            del stops[0]
            raise KeyboardInterrupt
        return step(loop, images, indices)

    monkeypatch.setattr(TrainingLoop, "step", step_or_stop)
    for left in (3, 2, 1, 0):
        with pytest.raises(SystemExit, match="stopped"):
            run_inside(SCRIPT, stopped)
        assert len(stops) == left
    run_inside(SCRIPT, stopped)
    count = 8 if "reached" in changes else 4
    assert len(networks(folders[0])) == count and networks(folders[0]) == networks(folders[1])
    log = "results/tiles/reality_check/training_log_Tiles.csv"
    first, second = (fake_data.rows_of_log((folder / log).read_bytes()) for folder in folders)
    assert first == second and len(first) == (8 if "patience" not in changes else len(first))


def test_workers_do_not_change_a_number(tiles, tmp_path, run_inside):
    folders = [tmp_path / f"{workers}" for workers in (0, 2)]
    for folder in folders:
        folder.mkdir()
        changes = {"workers": int(folder.name), "keep_embeddings": False}
        training = fake_data.TILES_TRAINING | changes
        run_inside(SCRIPT, fake_data.write_tiles_settings(tiles, folder, training=training))
    assert networks(folders[0]) == networks(folders[1]) != {}
    log = folders[1] / "results/tiles/reality_check/training_log_Tiles.csv"
    assert fake_data.read_rows(log)[-1]["test_map_at_r_only_shown"] == ""
    assert not list((folders[1] / "models").rglob("looks"))


@pytest.mark.parametrize("frozen", ["batchnorm_statistics", "trunk"])
def test_all_losses_train_and_their_checkpoints_load(tiles, tmp_path, run_inside, frozen):
    """Strictly: every tensor is accounted for; see checkpoints.fill."""
    training = fake_data.TILES_TRAINING | {
        "iterations": 2,
        "frozen": frozen,
        "keep_embeddings": False,
    }
    settings = fake_data.write_tiles_settings(tiles, tmp_path, training=training, models="paper")
    run_inside(SCRIPT, settings)
    assert len(networks(tmp_path)) == 28
    good = set()
    for store in training_runs.chosen_stores(load_settings(settings)):
        store.subject.network.check(good)
    assert len(good) == (1 if frozen == "trunk" else 14)
    output = run_inside("reality_check/3_evaluate_models.py", settings)
    assert output.count("Tiles ") == 15


def test_a_learning_rate_is_chosen_by_validation_classes(tiles, tmp_path, run_inside):
    training = fake_data.TILES_TRAINING | {"learning_rate": [0.003, 1e-7], "iterations": 2}
    settings = fake_data.write_tiles_settings(tiles, tmp_path, training=training, folds=[2, 0])
    run_inside(SCRIPT, settings)
    rows = fake_data.read_rows(tmp_path / "results/tiles/reality_check/training_Tiles.csv")
    assert len(rows) == 6  # two on the first fold of the settings, and one on the second
    for name in ("Contrastive", "ArcFace"):
        mine = [row for row in rows if row["loss"] == name]
        tried, (taken,) = (
            [row for row in mine if row["fold"] == "2"],
            [row for row in mine if row["fold"] == "0"],
        )
        best = max(tried, key=lambda row: float(row["validation_map_at_r"]))
        assert (
            taken["learning_rate"] == best["learning_rate"]
            and taken["chosen"] == best["chosen"] == "yes"
        )
        assert [row["chosen"] for row in tried].count("no") == 1
    for store in training_runs.chosen_stores(load_settings(settings)):
        for source, file in zip(store.subject.weights_files(), store.subject.network.files):
            assert source.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("scores", [(0.3, 0.2), (0.2, 0.3)])
def test_the_better_rate_by_validation_classes_is_chosen(tiles, tmp_path, scores):
    rates = [0.003, 0.001]
    settings = load_settings(
        fake_data.write_tiles_settings(
            tiles,
            tmp_path,
            training=fake_data.TILES_TRAINING | {"learning_rate": rates},
            folds=[0, 1],
        )
    )
    trials = training_runs.trial_stores(settings)["Contrastive", "Tiles"]
    assert training_runs.chosen_rates(settings) == {}
    assert training_runs.chosen_stores(settings) == []
    for store, score in zip(trials, scores, strict=True):
        store.save(0, validation_map_at_r=[score], iteration=[2])
    best = rates[int(np.argmax(scores))]
    assert training_runs.chosen_rates(settings) == {("Contrastive", "Tiles"): best}
    chosen = training_runs.chosen_stores(settings)
    assert [(store.subject.network.fold, store.subject.rate) for store in chosen] == [
        (0, best),
        (1, best),
    ]


def test_a_checkpoint_of_another_rate_is_replaced(tiles, tmp_path, run_inside):
    training = fake_data.TILES_TRAINING | {"learning_rate": [0.003, 0.001], "iterations": 2}
    settings = load_settings(
        fake_data.write_tiles_settings(
            tiles, tmp_path, training=training, models=["Contrastive", "None"]
        )
    )
    run_inside(SCRIPT, tmp_path / "tiles.yaml")
    (other,) = {0.003, 0.001} - set(training_runs.chosen_rates(settings).values())
    before = networks(tmp_path)
    training["learning_rate"] = other
    settings = fake_data.write_tiles_settings(
        tiles, tmp_path, training=training, models=["Contrastive", "None"]
    )
    run_inside(SCRIPT, settings)
    (store,) = training_runs.chosen_stores(load_settings(settings))
    assert networks(tmp_path) != before
    assert [file.read_bytes() for file in store.subject.network.files] == [
        file.read_bytes() for file in store.subject.weights_files()
    ]


def test_weights_that_first_reached_a_score(tiles, tmp_path, run_inside, fails):
    training = fake_data.TILES_TRAINING | {"reached": 0.01}
    settings = fake_data.write_tiles_settings(tiles, tmp_path, training=training)
    run_inside(SCRIPT, settings)
    assert len(networks(tmp_path)) == 8
    for store in training_runs.chosen_stores(load_settings(settings)):
        assert store.read("reached_iteration")["reached_iteration"].tolist() == [2]
    copy = fake_data.write_tiles_settings(
        tiles, tmp_path, name="copy", training=training, checkpoint="reached"
    )
    content = yaml.safe_load(copy.read_text())
    content["paths"]["models"] = str(tmp_path / "models")
    copy.write_text(yaml.safe_dump(content))
    before = networks(tmp_path)
    assert "all networks exist" in run_inside(SCRIPT, copy) and networks(tmp_path) == before
    (store, _) = training_runs.chosen_stores(load_settings(copy))
    assert store.subject.network.files[0].name == "trunk_reached.pth"
    from dml_analysis.networks.embedding import embedded

    samples = store.subject.splits["test"]
    (array,) = embedded([(store.subject.network, True)], samples, 10, lambda ticks: None)
    step = training_runs.embeddings_store(store, 2)
    np.testing.assert_allclose(step.load(2)["embeddings"], array, atol=2e-3)
    trunk = store.subject.network.files[0]
    trunk.rename(tmp_path / "aside.pth")
    assert "trunk_reached.pth: missing" in fails("reality_check/3_evaluate_models.py", copy)
    (tmp_path / "aside.pth").rename(trunk)
    assert "Contrastive" in run_inside("reality_check/3_evaluate_models.py", copy)


def test_a_score_that_was_never_reached(tiles, tmp_path, run_inside, fails):
    training = fake_data.TILES_TRAINING | {"reached": 0.99, "check_every": 6}
    settings = fake_data.write_tiles_settings(
        tiles, tmp_path, training=training, models=["Contrastive", "None"]
    )
    printed = run_inside(SCRIPT, settings)
    counted = "training.reached: 0.99: 1 of 1 trainings never reached it, such as Contrastive"
    assert counted in printed
    assert [path.name for path in networks(tmp_path)] == ["embedder_best.pth", "trunk_best.pth"]
    reached = tmp_path / "reached.yaml"
    reached.write_text(f"extends: {settings.name}\ncheckpoint: reached\n")
    assert counted in run_inside(SCRIPT, reached)
    assert "Contrastive" in run_inside("reality_check/3_evaluate_models.py", settings)
    printed = run_inside("reality_check/3_evaluate_models.py", reached)
    assert "Contrastive" not in printed and "None" in printed
    assert "checkpoint: reached needs training.reached" in fails(
        SCRIPT, fake_data.write_tiles_settings(tiles, tmp_path, checkpoint="reached")
    )


def test_a_method_may_have_rates_of_its_own(tiles, tmp_path, fails):
    """Its runs are those of settings that give all methods these rates; other methods keep theirs."""
    own = {"ArcFace": {"learning_rate": 0.001, "loss_rate_factor": 100}}
    stores = {}
    for name, changes in (("own", {"by_method": own}), ("all", own["ArcFace"]), ("usual", {})):
        training = fake_data.TILES_TRAINING | changes
        file = fake_data.write_tiles_settings(tiles, tmp_path, name, training)
        stores[name] = {
            store.subject.network.model.name: store
            for store in training_runs.chosen_stores(load_settings(file))
        }
    for method, like in (("ArcFace", "all"), ("Contrastive", "usual")):
        one, other = stores["own"][method], stores[like][method]
        assert one.provenance == other.provenance and one.folder == other.folder
    assert stores["own"]["ArcFace"].provenance != stores["usual"]["ArcFace"].provenance
    training = fake_data.TILES_TRAINING | {"by_method": {"Arcface": {}}}
    line = fails(SCRIPT, fake_data.write_tiles_settings(tiles, tmp_path, "wrong", training))
    assert "training.by_method: 'Arcface' is not allowed; give one of Contrastive, ArcFace" in line


def test_learning_rates_are_chosen_on_a_fold_of_their_own(tiles, tmp_path, run_inside):
    """Of two seeds, each for itself; fold 3 has trials alone."""
    training = fake_data.TILES_TRAINING | {
        "learning_rate": [0.003, 0.001],
        "trial_fold": 3,
        "iterations": 2,
    }
    training |= {"keep_embeddings": False, "frozen": "trunk"}
    settings = fake_data.write_tiles_settings(tiles, tmp_path, training=training, models=["Contrastive", "None"],
                            folds=[0, 1], sweep={"seeds": [0, 1]})  # fmt: skip
    run_inside(SCRIPT, settings)
    for seed in (0, 1):
        file = tmp_path / f"results/tiles/base/seed{seed}/reality_check/training_Tiles.csv"
        rows = fake_data.read_rows(file)
        trials = [row for row in rows if row["fold"] == "3"]
        best = max(trials, key=lambda row: float(row["validation_map_at_r"]))
        assert [row["chosen"] for row in trials] == ["no", "no"]
        assert [(row["fold"], row["learning_rate"], row["chosen"]) for row in rows[2:]] == [
            (fold, best["learning_rate"], "yes") for fold in "01"
        ]
    assert len(networks(tmp_path)) == 8


@pytest.mark.parametrize("frozen", ["trunk", "nothing"])
def test_foundation_models_beside_the_papers_losses(tiles, tmp_path, run_inside, frozen):
    """By settings/foundation_models.yaml, with a tiny vision transformer for each tower."""
    content = yaml.safe_load((ROOT / "settings/foundation_models.yaml").read_text())
    load_settings(ROOT / "settings/foundation_models.yaml")
    state = timm.create_model("test_vit", num_classes=0).state_dict()
    torch.save(state, tmp_path / "tower.pth")
    models = ["Contrastive"] if frozen == "trunk" else []
    for model in content["models"][1:]:
        assert timm.is_model(model["network"].removeprefix("timm:"))
        small = {"network": "timm:test_vit", "checkpoint": str(tmp_path / "tower.pth")}
        models.append({key: model[key] for key in model if key not in ("crop", "head")} | small)
    training = content["training"] | {"iterations": 6, "check_every": 3, "warmup_iterations": 2}
    training |= {"frozen": frozen, "learning_rate": 1e-4, "batch_size": 8, "sampler": "original"}
    if frozen == "nothing":
        training |= {"layer_decay": 0.75, "embedder_learning_rate": 1e-3}
        models = [model for model in models if "DINOv2" in model["name"]]
    run_inside(
        SCRIPT, fake_data.write_tiles_settings(tiles, tmp_path, training=training, models=models)
    )
    trained = [model for model in models if "loss" in model or model == "Contrastive"]
    assert len(networks(tmp_path)) == 2 * len(trained)
    starts = list((tmp_path / "models").glob("timm_*_trunk.pth"))
    assert len(starts) == (frozen == "trunk")  # one for all losses
    log = fake_data.read_rows(tmp_path / "results/tiles/reality_check/training_log_Tiles.csv")
    rates = [float(row["trunk_rate"]) for row in log[:3]]
    # Of iterations 1, 3 and 6: half of the warm-up, and half a cosine's fifths after its first.
    assert rates == pytest.approx([5e-5, 9.0451e-5, 9.5492e-6], rel=1e-4)


def test_one_dataset_of_several(tiles, tmp_path, run_inside, fails):
    """Another that is not there does not keep it from being trained, measured and plotted."""
    settings = fake_data.write_tiles_settings(tiles, tmp_path, datasets=["Tiles", "Gone"])
    content = yaml.safe_load(settings.read_text())
    content["paths"]["Gone"] = str(tmp_path / "gone")
    settings.write_text(yaml.safe_dump(content))
    assert "gone: missing" in fails(SCRIPT, settings)
    for script in (SCRIPT, "reality_check/4_measure_gains.py", "reality_check/5_plot_training.py"):
        run_inside(script, settings, "--datasets", "Tiles")
    assert len(networks(tmp_path)) == 4 and (tmp_path / "figures/tiles/gains_Tiles.png").is_file()


def test_losses_of_ones_own(tiles, tmp_path, run_inside):
    mine = {"name": "Mine", "group": "Classification", "loss": "pytorch_metric_learning.losses:ProxyAnchorLoss",
            "loss_learning_rate": 0.1, "loss_arguments": {"margin": 0.2}, "images_per_class": 2}  # fmt: skip
    other = {
        "name": "Other trunk",
        "group": "Ranking",
        "loss": "TripletMarginLoss",
        "network": "tests.networks:tiny",
    }
    settings = fake_data.write_tiles_settings(tiles, tmp_path, models=[mine, other, "None"])
    run_inside(SCRIPT, settings)
    assert "Mine" in run_inside("reality_check/3_evaluate_models.py", settings)
    assert (
        tmp_path / "models/Tiles_mine/Test50_50_Partitions4_0/saved_models/trunk_best.pth"
    ).is_file()
    output = run_inside("reality_check/4_measure_gains.py", settings)
    assert (
        output.count("\nMine ") == 2 and "\nOther trunk" not in output
    )  # which began with another trunk than None's
    run_inside("reality_check/5_plot_training.py", settings)
    for name in ("training_Tiles", "gains_Tiles"):
        assert (tmp_path / f"figures/tiles/{name}.png").is_file()


def test_a_dry_run_writes_nothing(tiles, tmp_path, run_inside):
    output = run_inside(SCRIPT, fake_data.write_tiles_settings(tiles, tmp_path), "--dry-run")
    assert "networks: 12 iterations to do, in 2 chunks" in output
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    "changes, spoil, message",
    [({}, lambda f: [(f / "class03" / f"{i}.png").unlink() for i in range(5)], "class03/5.png has one image, but training needs two"),
     ({}, lambda f: [(f / f"class{c:02}" / f"{i}.png").unlink() for c in (6, 7) for i in range(5)], "no validation class of fold 0 has two images"),
     ({}, lambda f: (f / "class01/2.png").write_bytes(b"no image"), "class01/2.png: not a readable image"),
     ({}, shutil.rmtree, "tiles: missing; a dataset of your own is a folder"),
     ({"batch_size": 4}, None, "Contrastive, Tiles, fold 0: a batch of 4 with 4 images a class has only one class"),
     ({"frozen": "trunk", "images_per_class": 64, "batch_size": 128}, None, "5.png has 6 images, but a batch needs 64 of each class"),
     ({"frozen": "trunk", "learning_rate": 10}, None, "training: a learning rate of 10 cannot work, because a step of RMSprop"),
     ({"frozen": "trunk", "batch_size": 9}, "SmoothAPLoss", "models: 'Mine': loss SmoothAPLoss: fails for embeddings (9, 128), their labels and None (All"),
     ({"layer_decay": 0.5}, None, "Contrastive, Tiles, fold 0: training.layer_decay: only the layers of timm's networks are known"),
     ({"layer_decay": 0.5, "frozen": "trunk"}, None, "training.layer_decay: the layers of a frozen trunk have no"),
     ({"warmup_iterations": 6}, None, "training.warmup_iterations: 6 is not less than iterations (6)"),
     ({"batch_size": 12}, "tests.networks:Infinite", "Mine, Tiles, fold 0, learning rate 0.003: the loss is nan at iteration 1; set a smaller"),
     ({}, "torch.nn:Identity", "models: 'Mine': loss torch.nn:Identity: fails for embeddings (8, 128)"),
     ({}, "tests.networks:Infinit", "tests.networks:Infinit: cannot be imported (module")],
)  # fmt: skip
def test_what_cannot_be_trained(tiles, tmp_path, fails, changes, spoil, message):
    shutil.copytree(tiles / "tiles", tmp_path / "tiles")
    models = ["Contrastive"]
    if isinstance(spoil, str):
        models = [{"name": "Mine", "group": "Ranking", "loss": spoil}]
    elif spoil:
        spoil(tmp_path / "tiles")
    line = fails(
        SCRIPT,
        fake_data.write_tiles_settings(
            tmp_path, tmp_path, training=fake_data.TILES_TRAINING | changes, models=models
        ),
    )
    assert message in line, line
    assert not list((tmp_path / "models").rglob("*_best.pth"))
    assert not list((tmp_path / "models").rglob("features"))


def test_a_broken_state_is_named(tiles, tmp_path, fails, run_inside, monkeypatch):
    settings, save = fake_data.write_tiles_settings(tiles, tmp_path), TrainingLoop.save

    def save_and_stop(*given):
        save(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingLoop, "save", save_and_stop)
    with pytest.raises(SystemExit, match="stopped"):
        run_inside(SCRIPT, settings)
    monkeypatch.setattr(TrainingLoop, "save", save)
    other = fake_data.write_tiles_settings(
        tiles,
        tmp_path,
        training=fake_data.TILES_TRAINING | {"learning_rate": 0.003, "weight_decay": 0.1},
    )
    assert "was made with weight_decay = 0.0001, but now weight_decay = 0.1" in fails(SCRIPT, other)
    (file,) = (tmp_path / "models").rglob("state.pth")
    file.write_bytes(file.read_bytes()[:1000])
    assert "state.pth: not the state of a training" in fails(
        SCRIPT, fake_data.write_tiles_settings(tiles, tmp_path)
    )
