"""Networks of callers: used by one batch at a time, and left as they were."""

import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

from dml_analysis.config import load_settings
from dml_analysis.datasets import readers
from dml_analysis.metrics import smoothgrad
from dml_analysis.networks.embedding import embedded, embeddings_of
from dml_analysis.networks.specifications import networks_of
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.network_comparison import compare_networks
from dml_analysis.saliency.pair_explanations import explain_pair

TO_TENSOR = transforms.Compose(
    [transforms.Resize(24), transforms.CenterCrop(20), transforms.ToTensor()]
)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.drop = (
            nn.Conv2d(3, 4, 5, stride=3),
            nn.BatchNorm2d(4),
            nn.Dropout(0.5),
        )
        self.last = nn.Linear(4 * 36, 6)

    def forward(self, images):
        return self.last(self.drop(self.norm(self.first(images))).flatten(1))


class Keeping(nn.Module):
    """Embeds images by what a hook has kept of them, as is usual to get at inner layers; no second batch may come between."""

    kept = {}

    def __init__(self):
        super().__init__()
        self.inner, self.at_work = Small(), False
        self.inner.norm.register_forward_hook(
            lambda module, inputs, output: self.kept.update(features=output)
        )

    def forward(self, images):
        assert not self.at_work, "two batches at once"
        self.at_work = True
        self.inner(images)
        time.sleep(0.002)
        self.at_work = False
        return self.kept["features"].flatten(1)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{i}.png" for i in range(12)]
    for file in files:
        Image.fromarray(rng.integers(0, 255, (24, 30, 3), dtype=np.uint8)).save(file)
    return files


def test_a_network_that_keeps_features_gets_its_own(pictures, two_threads):
    """Rows are those of each image by itself, although a hook keeps them between two layers."""
    network = Keeping()
    found = embeddings_of(network, TO_TENSOR, pictures, batch_size=2)
    for row, file in zip(found, pictures):
        network.inner.eval()
        with torch.no_grad():
            alone = network.inner.norm(
                network.inner.first(TO_TENSOR(Image.open(file))[None])
            ).flatten()
        np.testing.assert_allclose(row, alone.numpy(), atol=1e-5)
    compare_networks((network, Small()), TO_TENSOR, pictures[:3], noise_samples=4)


def test_a_network_whose_copies_are_not_its_own_is_refused(pictures):
    """Its copy's hook stores in the original, so that the copy, with random weights, would return what was kept before."""
    network = Keeping()
    network.kept = {}  # a copy gets one of its own, into which nothing stores
    embeddings_of(network, TO_TENSOR, pictures[:3])
    with pytest.raises(
        ValueError,
        match="a copy of the network gives other numbers; let its hooks store nothing outside",
    ):
        compare_networks((network, Small()), TO_TENSOR, pictures[:3], noise_samples=4)
    network.forward = threading.Lock()
    with pytest.raises(ValueError, match="the network cannot be copied .*pickle"):
        compare_networks((network, Small()), TO_TENSOR, pictures[:3], noise_samples=4)


def test_scripts_show_a_network_one_batch_at_a_time(trained, monkeypatch, two_threads):
    settings = load_settings(trained / "tiny.yaml")
    network, at_work = networks_of(settings, "RenderedCars", [0])[0], threading.Lock()
    items = readers.load_samples(settings, "RenderedCars", "test")[:5]

    def alone(function):
        def called(*arguments):
            assert at_work.acquire(blocking=False), "two batches at once"
            try:
                return function(*arguments)
            finally:
                at_work.release()

        return called

    monkeypatch.setattr(smoothgrad, "input_gradients", alone(smoothgrad.input_gradients))
    maker = saliency_maps.MapMaker([network], settings)
    stores = saliency_maps.stores_of(settings, network, items)
    maker.maps(stores, items, slice(None), lambda ticks: None)
    monkeypatch.setattr(
        "dml_analysis.networks.embedding.features_of",
        alone(lambda trunk, images: torch.ones(len(images), 1024)),
    )
    embedded([(network, True)], items, 2, lambda ticks: None)


def test_images_may_share_batches(trained):
    """The copies of several images go through the network together, where a batch has room for them: the same maps, but for rounding."""
    settings, found, sizes = load_settings(trained / "tiny.yaml"), {}, []
    items = readers.load_samples(settings, "RenderedCars", "test")[:5]
    for batch_size in (2, 5):  # of two copies each: one image, or two
        changed = settings.model_copy(
            update={"saliency": settings.saliency.model_copy(update={"batch_size": batch_size})}
        )
        network = networks_of(changed, "RenderedCars", [0])[0]
        maker, ticks = saliency_maps.MapMaker([network], changed), []
        stores = saliency_maps.stores_of(changed, network, items)
        found[batch_size] = maker.maps(stores, items, slice(None), ticks.append)[0]["maps"]
        sizes.append(ticks)
    assert sizes == [[1] * 5, [2, 2, 1]]
    assert (
        np.abs(found[2] - found[5]).mean() < 1e-3
        and np.corrcoef(found[2].ravel(), found[5].ravel())[0, 1] > 0.9999
    )


def state_of(network):
    """All of a network that a training goes on from."""
    return {
        "modes": [module.training for module in network.modules()],
        "wants gradients": [parameter.requires_grad for parameter in network.parameters()],
        "gradients": [
            None if each.grad is None else each.grad.tolist() for each in network.parameters()
        ],
        "values": {name: value.tolist() for name, value in network.state_dict().items()},
        "strides": [parameter.stride() for parameter in network.parameters()],
        "hooks": [
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in network.modules()
        ],
    }


@pytest.mark.parametrize("use", ["embeddings", "comparison", "pair"])
@pytest.mark.parametrize("gradients", [True, False])
def test_a_callers_network_is_left_as_it_was(pictures, use, gradients):
    """Mode, module by module; which parameters ask for gradients, and those that they have; weights, layout and hooks."""
    network, other = Small().train(), Small()
    network.norm.eval()
    network.first.requires_grad_(False)
    network.last.register_forward_hook(lambda module, inputs, output: None)
    network(torch.rand(2, 3, 20, 20)).sum().backward()
    before, random = state_of(network), torch.get_rng_state()
    with torch.set_grad_enabled(gradients):  # callers may have them switched off
        if use == "embeddings":
            assert embeddings_of(network, TO_TENSOR, pictures).shape == (12, 6)
        elif use == "comparison":
            compare_networks((network, other), TO_TENSOR, pictures[:3], noise_samples=3)
        else:
            explain_pair(network, TO_TENSOR, *pictures[:2], noise_samples=3)
    assert state_of(network) == before and torch.equal(torch.get_rng_state(), random)
    optimizer = torch.optim.SGD(
        [each for each in network.parameters() if each.requires_grad], lr=0.1
    )
    network(torch.rand(2, 3, 20, 20)).sum().backward()
    optimizer.step()
    assert (
        state_of(network)["values"]["last.weight"] != before["values"]["last.weight"]
    )  # its training goes on


def test_a_network_is_put_back_when_an_image_is_broken(pictures):
    network = Small().train()
    pictures[3].write_bytes(b"no image")
    with pytest.raises(Exception, match=r"3\.png"):
        embeddings_of(network, TO_TENSOR, pictures)
    assert all(module.training for module in network.modules())
