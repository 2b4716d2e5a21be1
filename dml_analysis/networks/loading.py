"""Networks that are built: from a source, or a checkpoint, to a module that is ready for inference."""

import difflib
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

from dml_analysis.config import BN_INCEPTION
from dml_analysis.errors import InputError, one_line
from dml_analysis.imports import imported
from dml_analysis.methods import TIMM
from dml_analysis.networks import checkpoints
from dml_analysis.networks.crops import measured_crop, transformed
from dml_analysis.networks.descriptions import Description
from dml_analysis.networks.folding import with_folded_batchnorm
from dml_analysis.networks.image_gradients import with_fast_image_gradients
from dml_analysis.networks.modules import Bfloat16, Embedder, tensor_digest, place_of, ready_for_inference, seeded
from dml_analysis.seeds import derived_seed

ALIKE = 1e-3  # how far, as a share of their size, embeddings of one image may be from each other in two batches


class Ready(NamedTuple):
    """A network or trunk that is ready for inference."""

    module: nn.Module  # images (n, 3, h, w) to numbers (n, d)
    transform: Callable  # an RGB image, of PIL, to a tensor (3, h, w)

    @property
    def device(self):
        return place_of(self.module)


# ---------------------------------------------------------------------------------------------------------------------
# Building.
# ---------------------------------------------------------------------------------------------------------------------
def build(source):
    """(module, transform) of a source, with its weights, in eval mode.

    Raises InputError if it cannot be built, or its checkpoint does not fit.
    """
    if source.network.startswith(TIMM):
        module, transform = seeded(source.seed or 0, lambda: _timm_network(source))
    else:
        module, transform = seeded(source.seed or 0, lambda: _called(source.network))
        if source.checkpoint:
            checkpoints.fill(module, source.checkpoint, checkpoints.read_state(source.checkpoint, nested=True), ())
    return module.eval(), transform


def _called(name):
    """What module:function returns, which has to be (nn.Module, transform)."""
    function = imported("dml_analysis.networks.bn_inception:build" if name == BN_INCEPTION else name)
    try:
        found = function()
    except (Exception, SystemExit) as error:
        raise InputError(f"{name}: failed ({type(error).__name__}: {one_line(error)})") from None
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], nn.Module) or not callable(found[1]):
        raise InputError(f"{name}: must return (torch.nn.Module, transform), not {type(found).__name__}")
    return found


def _timm_network(source):
    import timm  # slow to import

    name = source.network.removeprefix(TIMM)
    if not timm.is_model(name):
        nearest = ", ".join(difflib.get_close_matches(name.split(".")[0], timm.list_models(), n=5, cutoff=0.4))
        raise InputError(f"{source.network}: timm has no such network; the nearest are {nearest or 'none'}")
    state = checkpoints.read_state(source.checkpoint, nested=True) if source.checkpoint else {}
    classifier = timm.create_model(name, pretrained=False).pretrained_cfg.get("classifier") or ()
    classifiers = (classifier,) if isinstance(classifier, str) else classifier
    outputs = _classifier_outputs(source, state, classifiers)
    module = timm.create_model(name, pretrained=False, num_classes=outputs)
    if state:
        ignored = () if outputs else tuple(f"{each}." for each in classifiers)
        checkpoints.fill(module, source.checkpoint, state, ignored)
    config = timm.data.resolve_model_data_config(module)
    if source.crop:
        resized, size = source.crop
        config |= {"input_size": (3, size, size), "crop_pct": size / resized, "crop_mode": "center"}
    return module, timm.data.create_transform(**config, is_training=False)


def _classifier_outputs(source, state, classifiers):
    """How many numbers the classifier of a timm network gives, which the settings keep; 0 to take the features before it."""
    weights = [state[f"{each}.weight"] for each in classifiers if f"{each}.weight" in state]
    if weights and not source.head:
        raise InputError(
            f"{source.checkpoint}: has a classifier, {classifiers[0]}, of {len(weights[0])} outputs; in the settings, add "
            "`head: keep` to take these as the embedding, or `head: drop` to take the features before it"
        )
    if source.head == "keep" and not weights:
        raise InputError(f"{source.checkpoint}: `head: keep`, but it has no classifier; remove that line")
    return len(weights[0]) if source.head == "keep" else 0


# ---------------------------------------------------------------------------------------------------------------------
# Describing.
# ---------------------------------------------------------------------------------------------------------------------
def describe(source):
    """The Description of a source, found by trying it. Raises InputError if it is not what a network has to be."""
    module, transform = build(source)
    try:
        crop = measured_crop(transform)
    except ValueError as error:
        raise InputError(f"{source.network}: its transform {error}") from None
    outputs = outputs_of(source.network, module, transform)
    text = re.sub(r" at 0x[0-9a-f]+", "", " ".join(str(transform).split()))
    return Description(outputs, crop, text, transformed(transform), _weights_of(source, module))


def _weights_of(source, module):
    """The fingerprint of a module's tensors."""
    try:
        return tensor_digest(module)
    except Exception as error:  # what is no plain tensor, or has no shape yet
        raise InputError(
            f"{source.network}: its state_dict must hold plain tensors alone ({one_line(error)})"
        ) from None


def outputs_of(name, module, transform):
    """How many numbers a network gives for an image, whatever the other images of its batch are.

    Raises InputError if it gives something else, or another number each time.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)
    images = torch.stack([transform(Image.fromarray(each)) for each in pixels]).requires_grad_()
    try:
        found = [module(some) for some in (images, images[:2], images[:2])]
    except Exception as error:
        raise InputError(f"{name}: fails for images {tuple(images.shape)} ({one_line(error)})") from None
    for some, n in zip(found, (3, 2, 2)):
        if not isinstance(some, torch.Tensor) or some.ndim != 2 or len(some) != n or not some.shape[1]:
            shape = tuple(some.shape) if isinstance(some, torch.Tensor) else type(some).__name__
            raise InputError(f"{name}: gives {shape} for {n} images, but must give a tensor ({n}, d)")
    three, two, again = found
    if three.shape[1] != two.shape[1]:
        raise InputError(f"{name}: gives {three.shape[1]} numbers an image, and then {two.shape[1]}")
    if not torch.isfinite(three).all():
        raise InputError(f"{name}: gives NaN or infinite numbers for images of noise")
    if not three.requires_grad:
        raise InputError(f"{name}: gives no gradients; take torch.no_grad and detach out of it")
    scale = three.abs().max()
    if (two - again).abs().max() > ALIKE * scale:
        raise InputError(f"{name}: gives other numbers for the same images each time; is there a random layer?")
    if (three[:2] - two).abs().max() > ALIKE * scale:
        raise InputError(f"{name}: an image's numbers depend on the other images of its batch")
    return three.shape[1]


# ---------------------------------------------------------------------------------------------------------------------
# Loading.
# ---------------------------------------------------------------------------------------------------------------------
def load_source(source, described, device="cpu", precision="float32", folded=True):
    """A source's network, Ready. Raises InputError if its weights or its transform are not as they were described."""
    module, transform = build(source)
    check_transform(source, transform, described)
    if _weights_of(source, module) != described.weights:
        raise InputError(
            f"{source.network}: its weights are others than when results were first made of it; if they come from a file, "
            "name it as `checkpoint`; else delete networks.json and this model's folders among the results"
        )
    return Ready(for_inference(module, device, precision, folded), transform)


def load_trunk(source, described, file, device="cpu", precision="float32", folded=True):
    """The trunk of a source, Ready, with the weights of a checkpoint file. Raises InputError as load_source does."""
    module, transform = build(source)
    check_transform(source, transform, described)
    return Ready(for_inference(checkpoints.fill(module, file), device, precision, folded), transform)


def check_transform(source, transform, described):
    """Raise InputError if a transform does something else than when it was described."""
    if described.transformed and transformed(transform) != described.transformed:
        raise InputError(
            f"{source.network}: its transform makes something else of an image than when results were first made of it; "
            "delete networks.json and the folders of its results, or put the transform back"
        )


def for_inference(trunk, device="cpu", precision="float32", folded=True):
    """A trunk ready for inference on a device, and faster than as it was trained.

    precision: see Settings; of its choices only bf16 is made here, the others are device_of's. folded: whether BatchNorm
    may be folded into the convolutions, so that layers are no longer those that were trained.
    """
    trunk = ready_for_inference(with_folded_batchnorm(trunk.eval()) if folded else trunk, device)
    if folded and torch.device(device).type == "cpu":
        with_fast_image_gradients(trunk)
    return Bfloat16(trunk) if precision == "bf16" else trunk


def load_embedder(file, features, dimensions, seed, fold, device="cpu"):
    """An embedder from its file, or the random one of a model without, from a run's seed and the fold."""
    if file is None:
        embedder = seeded(derived_seed(seed, "embedder of None", fold), lambda: Embedder(features, dimensions))
    else:
        embedder = checkpoints.fill(Embedder(features, dimensions), file)
    return ready_for_inference(embedder, device)
