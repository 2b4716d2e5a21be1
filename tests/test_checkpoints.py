"""Checkpoints in the Reality Check's layout: what is read, what is refused, and what "None" is."""

import pytest
import torch

from dml_analysis import paper
from dml_analysis.config import load_settings
from dml_analysis.errors import InputError
from dml_analysis.networks import checkpoints, loading, specifications
from dml_analysis.networks.bn_inception import bninception_trunk
from dml_analysis.networks.checkpoint_files import (
    same_file_key,
    saved_models_folder,
    untrained_trunk_file,
)
from dml_analysis.networks.modules import Embedder, device_of, ready_for_inference
from dml_analysis.networks.specifications import network_of

CONTRASTIVE, NONE = paper.MODELS[0], paper.MODELS[-1]


@pytest.fixture
def settings(project):
    return load_settings(project / "tiny.yaml")


@pytest.fixture
def folder(settings):
    return saved_models_folder(settings, CONTRASTIVE, "RenderedCars", 0)


def load(settings, model=CONTRASTIVE):
    return network_of(settings, model, "RenderedCars", 0).load().module


def test_layout(folder, settings):
    assert (
        folder
        == settings.paths["models"]
        / "rendered_cars_contrastive"
        / "Test50_50_Partitions4_0"
        / "saved_models"
    )
    trunk, embedder = (
        torch.load(folder / f"{part}_best.pth", weights_only=True) for part in ("trunk", "embedder")
    )
    assert not [name for name in trunk if name.startswith("last_linear")]
    assert sorted(embedder) == [
        "last_linear.bias",
        "last_linear.weight",
        "net.0.bias",
        "net.0.weight",
    ]
    assert embedder["net.0.weight"].shape == (128, 1024)


def test_trunk_is_a_hard_link(trained):
    settings = load_settings(trained / "tiny.yaml")
    folders = [
        saved_models_folder(settings, model, "RenderedCars", 0) for model in settings.models[:2]
    ]
    trunks = {same_file_key(folder / "trunk_best.pth") for folder in folders}
    assert trunks == {same_file_key(untrained_trunk_file(settings))}
    assert len({same_file_key(folder / "embedder_best.pth") for folder in folders}) == 2


def test_networks_that_share_a_trunk(settings):
    """Hard links of one file are one trunk; a copy with the same bytes is taken for another."""
    some = specifications.networks_of(settings, "RenderedCars", [0])
    assert [len(group) for group in specifications.by_trunk(some)] == [3]
    file = some[0].files[0]
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    assert [len(group) for group in specifications.by_trunk(some)] == [1, 2]
    assert len({network.provenance()["trunk"] for network in some}) == 1


def test_network_embeds(settings):
    network = load(settings)
    with torch.no_grad():
        embeddings = network(torch.randn(2, 3, 227, 227) * 50)
    assert embeddings.shape == (2, 128) and not network.training
    assert not torch.allclose(embeddings[0], embeddings[1])
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_folded_batchnorm(settings):
    """The same features, up to rounding."""
    network = network_of(settings, CONTRASTIVE, "RenderedCars", 0)
    images = torch.randn(2, 3, 227, 227, dtype=torch.float64) * 50
    trunks = [
        checkpoints.fill(bninception_trunk(), network.files[0]).eval(),
        network.trunk().module,
    ]
    trunks += [network.trunk("meta").module, network.trunk(folded=False).module]
    norms = [
        sum(isinstance(module, torch.nn.BatchNorm2d) for module in trunk.modules())
        for trunk in trunks
    ]
    assert norms == [69, 0, 0, 69]
    plain, folded = (trunk.double()(images) for trunk in trunks[:2])
    torch.testing.assert_close(plain, folded, rtol=0, atol=1e-4 * plain.abs().max().item())


def test_float32_on_gpus_is_not_tf32():
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    device_of("cpu")
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


def test_epoch_in_the_file_name(settings, folder):
    expected = load(settings).embedder.net[0].weight
    for part in ("trunk", "embedder"):
        (folder / f"{part}_best.pth").rename(folder / f"{part}_best120.pth")
        (folder / f"{part}_best9.pth").write_bytes(b"an earlier epoch, not to be read")
    torch.testing.assert_close(load(settings).embedder.net[0].weight, expected)


def test_none_is_seeded_by_fold(settings):
    weights = [
        loading.load_embedder(None, 1024, 128, settings.seed, fold).net[0].weight
        for fold in (0, 0, 1)
    ]
    torch.testing.assert_close(weights[0], weights[1])
    assert not torch.allclose(weights[0], weights[2])
    assert (
        loading.load_embedder(None, 1024, 128, settings.seed + 1, 0).net[0].weight[0, 0]
        != weights[0][0, 0]
    )


def test_imagenet_file(settings, tmp_path):
    """The ImageNet file has a classification layer, and some copies have BatchNorm tensors of shape [1, C]."""
    state = bninception_trunk().state_dict()
    state = {
        name: value for name, value in state.items() if not name.endswith("num_batches_tracked")
    }
    for name in state:
        if "_bn." in name:
            state[name] = state[name][None]
    state |= {"last_linear.weight": torch.zeros(1000, 1024), "last_linear.bias": torch.zeros(1000)}
    file = tmp_path / "bn_inception.pth"
    torch.save(state, file)
    settings = settings.model_copy(
        update={"training": None, "paths": settings.paths | {"imagenet_trunk": file}}
    )
    loaded = load(settings, NONE).trunk.state_dict()
    torch.testing.assert_close(loaded["conv1_7x7_s2.weight"], state["conv1_7x7_s2.weight"])


def test_none_without_its_trunk(settings):
    settings = settings.model_copy(
        update={
            "training": None,
            "paths": settings.paths | {"imagenet_trunk": settings.results / "x.pth"},
        }
    )
    with pytest.raises(InputError, match="x.pth: missing"):
        load(settings, NONE)


def test_inference_asks_for_no_weight_gradients():
    embedder = ready_for_inference(Embedder(4, 2))
    assert not embedder.training and not embedder.net[0].weight.requires_grad


def test_a_checkpoint_has_the_same_bytes_whatever_it_is_called(tmp_path):
    """Nothing of the process that writes it, nor of its name, is in it: a network trained again is the same file."""
    state = Embedder(4, 2).state_dict()
    for name in ("a.pth", "another.pth"):
        checkpoints.save(state, tmp_path / name)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "another.pth").read_bytes()
