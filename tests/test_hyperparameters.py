"""The hyperparameters of the fourteen losses, the distances, the trunk's calibration; the values of losses are test_losses'."""

import numpy as np
import pytest
import torch

from dml_analysis import paper
from dml_analysis.metrics.coordinates import euclidean_coordinates
from dml_analysis.networks.bn_inception import bninception_trunk
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.modules import calibrate_batchnorm, features_of, seeded
from dml_analysis.training.hyperparameters import hyperparameters
from dml_analysis.training.losses import training_loss

TRAINED = [model for model in paper.MODELS if model.trained]


@pytest.mark.parametrize("dataset", ["Cars196", "CUB200", "SOP"])
@pytest.mark.parametrize("loss", TRAINED, ids=lambda loss: loss.name)
def test_every_loss_learns_from_a_batch(loss, dataset):
    torch.manual_seed(0)
    embeddings = torch.randn(24, 16, requires_grad=True)
    labels = torch.arange(24) % 6
    kit = training_loss(loss, dataset, classes=6, dimensions=16)
    assert (kit.miner is not None) == (loss.name == "Multi Similarity + Miner")
    assert kit.images_per_class == {"Ranking": 4, "Classification": 1}[loss.group]
    assert (kit.learning_rate is not None) == (len(list(kit.function.parameters())) > 0)
    value = kit.function(embeddings, labels, kit.miner(embeddings, labels) if kit.miner else None)
    value.backward()
    assert torch.isfinite(value) and value > 0 and embeddings.grad.abs().sum() > 0


def test_hyperparameters_reach_the_losses():
    losses = {loss.name: loss for loss in TRAINED}
    contrastive = training_loss(losses["Contrastive"], "Cars196", 6, 16).function
    assert (contrastive.pos_margin, contrastive.neg_margin) == (0.2652, 0.5409)
    assert training_loss(losses["Margin / class"], "SOP", 6, 16).function.beta.shape == (6,)
    assert training_loss(losses["Margin"], "SOP", 6, 16).function.beta.tolist() == pytest.approx(
        [1.1072]
    )
    assert training_loss(losses["ArcFace"], "CUB200", 6, 16).function.margin == pytest.approx(
        np.radians(23.22)
    )
    assert training_loss(losses["Normalized Softmax"], "Cars196", 6, 16).learning_rate == 0.011
    assert "reg_weight" not in hyperparameters(losses["SoftTriple"], "SOP")  # printed as N/A
    assert hyperparameters(losses["Triplet"], "RenderedCars") == hyperparameters(
        losses["Triplet"], "Cars196"
    )


def test_calibration_tells_images_apart():
    trunk = seeded(3, bninception_trunk)
    images = (
        torch.rand(8, 3, 227, 227, generator=torch.Generator().manual_seed(0))
        * torch.arange(1, 9).view(-1, 1, 1, 1)
        * 30
    )
    before = features_of(trunk.eval(), images)
    after = features_of(calibrate_batchnorm(trunk, images), images)
    spread = [(x.std(dim=0) / x.abs().mean()).mean() for x in (before, after)]
    assert spread[1] > 20 * spread[0] and not trunk.training


@pytest.mark.parametrize("loss", paper.MODELS, ids=lambda loss: loss.name)
def test_euclidean_coordinates_rank_as_the_distance(loss):
    embeddings = np.random.default_rng(0).normal(size=(30, 6)) * np.linspace(0.1, 5, 30)[:, None]
    distance = distance_function(loss.distance)
    matrix = distance(torch.tensor(embeddings), torch.tensor(embeddings)).numpy()
    ours = euclidean_coordinates(embeddings, loss.distance)
    squared = ((ours[:, None] - ours[None]) ** 2).sum(axis=2)
    sign = -1 if distance.is_inverted else 1
    off = ~np.eye(30, dtype=bool)
    theirs, mine = (sign * matrix)[off].reshape(30, 29), squared[off].reshape(30, 29)
    np.testing.assert_array_equal(np.argsort(theirs, axis=1), np.argsort(mine, axis=1))


@pytest.mark.parametrize("old, new, message", [("Contrastive,Cars196,pos_margin", "Contrastive,Cars196,margn", "Contrastive lacks pos_margin"),
                                               ("Margin / class,", "Marg,", "Margin / class lacks parameters"),
                                               ("Triplet,Cars196,margin,", "Triplet,Cars196,margin,x", "is not a number")])  # fmt: skip
def test_hyperparameters_that_are_not_whole(monkeypatch, tmp_path, old, new, message):
    """A library's default is never taken for one that was found."""
    from dml_analysis.errors import InputError
    from dml_analysis.training import hyperparameters as reader

    text = reader.FILE.read_text()
    assert old in text
    (tmp_path / "h.csv").write_text(text.replace(old, new))
    monkeypatch.setattr(reader, "FILE", tmp_path / "h.csv")
    with pytest.raises(InputError, match=message):
        for model in TRAINED:
            hyperparameters(model, "Cars196")
