"""Networks built from a source or a checkpoint, checked, described and made ready for inference."""

import difflib
import re
from pathlib import Path
from typing import Any, NamedTuple

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
from dml_analysis.networks.modules import (
    Embedder,
    place_of,
    ready_for_inference,
    seeded,
    tensor_digest,
)
from dml_analysis.networks.sources import Source
from dml_analysis.networks.transforms import Transform
from dml_analysis.seeds import derived_seed

# Largest difference between an image's embeddings in two batches, relative to their maximum.
ALIKE = 1e-3


class Ready(NamedTuple):
    """A network or trunk that is ready for inference."""

    module: nn.Module  # images (n, 3, h, w) to embeddings or features (n, d)
    transform: Transform  # an RGB image to a tensor (3, h, w)

    @property
    def device(self) -> torch.device:
        """Return the device of its module."""
        return place_of(self.module)


# -------------------------------------------------------------------------------------------------
# Building.
# -------------------------------------------------------------------------------------------------
def build(source: Source) -> tuple[nn.Module, Transform]:
    """Return (module, transform) of a source, with its weights, in eval mode.

    Raises InputError if it cannot be built, or its checkpoint does not fit.
    """
    if source.network.startswith(TIMM):
        module, transform = seeded(source.seed or 0, lambda: _timm_network(source))
    else:
        module, transform = seeded(source.seed or 0, lambda: _called(source.network))
        if source.checkpoint:
            state = checkpoints.read_state(source.checkpoint, nested=True)
            checkpoints.fill(module, source.checkpoint, state, ())
    return module.eval(), transform


def _called(name: str) -> tuple[nn.Module, Transform]:
    """Return the result of module:function.

    Raises InputError if it fails, or returns something else than (nn.Module, transform).
    """
    paper_trunk = "dml_analysis.networks.bn_inception:build"
    function = imported(paper_trunk if name == BN_INCEPTION else name)
    try:
        result = function()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"{name}: failed ({reason})") from None
    is_pair = isinstance(result, tuple) and len(result) == 2
    if not is_pair or not isinstance(result[0], nn.Module) or not callable(result[1]):
        raise InputError(
            f"{name}: must return (torch.nn.Module, transform), not {type(result).__name__}"
        )
    return result


def _timm_network(source: Source) -> tuple[nn.Module, Transform]:
    """Return (module, transform) of a timm network, with the source's weights if it has any.

    Raises InputError if timm has no network of this name, or the checkpoint does not fit.
    """
    import timm  # slow to import

    name = source.network.removeprefix(TIMM)
    if not timm.is_model(name):
        names = difflib.get_close_matches(name.split(".")[0], timm.list_models(), n=5, cutoff=0.4)
        raise InputError(
            f"{source.network}: timm has no such network; the nearest are {', '.join(names) or 'none'}"
        )
    state = checkpoints.read_state(source.checkpoint, nested=True) if source.checkpoint else {}
    original: Any = timm.create_model(name, pretrained=False)
    classifier = original.pretrained_cfg.get("classifier") or ()
    classifiers = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    outputs = _classifier_outputs(source, state, classifiers)
    module = timm.create_model(name, pretrained=False, num_classes=outputs)
    if source.checkpoint and state:
        ignored = () if outputs else tuple(f"{layer}." for layer in classifiers)
        checkpoints.fill(module, source.checkpoint, state, ignored)
    config = timm.data.resolve_model_data_config(module)
    if source.crop:
        resized, size = source.crop
        config |= {"input_size": (3, size, size), "crop_pct": size / resized}
        config |= {"crop_mode": "center"}
    return module, timm.data.create_transform(**config, is_training=False)


def _classifier_outputs(
    source: Source, state: dict[str, torch.Tensor], classifiers: tuple[str, ...]
) -> int:
    """Return the number of outputs of a timm network's classifier if the settings keep it.

    0 means that the network gives the features before it. Raises InputError if the settings'
    `head` does not fit the checkpoint.
    """
    names = (f"{layer}.weight" for layer in classifiers)
    weights = [state[name] for name in names if name in state]
    if weights and not source.head:
        raise InputError(
            f"{source.checkpoint}: has a classifier, {classifiers[0]}, of {len(weights[0])} "
            "outputs; in the settings, add `head: keep` to take these as the embedding, "
            "or `head: drop` to take the features before it"
        )
    if source.head == "keep" and not weights:
        raise InputError(
            f"{source.checkpoint}: `head: keep`, but it has no classifier; remove that line"
        )
    return len(weights[0]) if source.head == "keep" else 0


# -------------------------------------------------------------------------------------------------
# Describing.
# -------------------------------------------------------------------------------------------------
def describe(source: Source) -> Description:
    """Return the Description of a source, measured on test images.

    Raises InputError if it is not a network that this package can use.
    """
    module, transform = build(source)
    try:
        crop = measured_crop(transform)
    except ValueError as error:
        raise InputError(f"{source.network}: its transform {error}") from None
    outputs = outputs_of(source.network, module, transform)
    text = re.sub(r" at 0x[0-9a-f]+", "", " ".join(str(transform).split()))
    return Description(outputs, crop, text, transformed(transform), _weights_of(source, module))


def _weights_of(source: Source, module: nn.Module) -> str:
    """Return the digest of a module's tensors. Raises InputError if some are no plain tensors."""
    try:
        return tensor_digest(module)
    except Exception as error:  # no plain tensor, or one without a shape yet
        raise InputError(
            f"{source.network}: its state_dict must hold plain tensors alone ({one_line(error)})"
        ) from None


def outputs_of(name: str, module: nn.Module, transform: Transform) -> int:
    """Return how many numbers a network gives for an image.

    name: the network's, for messages. Raises InputError unless it gives a tensor (n, d) of finite
    numbers with gradients, the same each time, whatever the other images of the batch are.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)
    images = torch.stack([transform(Image.fromarray(image)) for image in pixels]).requires_grad_()
    try:
        outputs = [module(batch) for batch in (images, images[:2], images[:2])]
    except Exception as error:
        reason = one_line(error)
        raise InputError(f"{name}: fails for images {tuple(images.shape)} ({reason})") from None
    for output, n in zip(outputs, (3, 2, 2)):
        is_tensor = isinstance(output, torch.Tensor)
        if not is_tensor or output.ndim != 2 or len(output) != n or not output.shape[1]:
            shape = tuple(output.shape) if is_tensor else type(output).__name__
            raise InputError(
                f"{name}: gives {shape} for {n} images, but must give a tensor ({n}, d)"
            )
    three, two, repeated = outputs
    if three.shape[1] != two.shape[1]:
        raise InputError(
            f"{name}: gives {three.shape[1]} numbers an image, and then {two.shape[1]}; "
            "let it give as many for every batch"
        )
    if not torch.isfinite(three).all():
        raise InputError(
            f"{name}: gives NaN or infinite numbers for images of noise; check its weights"
        )
    if not three.requires_grad:
        raise InputError(f"{name}: gives no gradients; remove torch.no_grad and detach from it")
    scale = three.abs().max()
    if (two - repeated).abs().max() > ALIKE * scale:
        raise InputError(
            f"{name}: gives other numbers for the same images each time; remove its random layers"
        )
    if (three[:2] - two).abs().max() > ALIKE * scale:
        raise InputError(
            f"{name}: an image's numbers depend on the other images of its batch; remove the layers that combine images"
        )
    return three.shape[1]


# -------------------------------------------------------------------------------------------------
# Loading.
# -------------------------------------------------------------------------------------------------
def load_source(
    source: Source,
    description: Description,
    device: torch.device | str = "cpu",
    folded: bool = True,
) -> Ready:
    """Return a source's network, ready for inference; see for_inference for the options.

    Raises InputError if it cannot be built, or its weights or transform differ from those that
    were described.
    """
    module, transform = build(source)
    check_transform(source, transform, description)
    if _weights_of(source, module) != description.weights:
        raise InputError(
            f"{source.network}: its weights are others than when results were first made of it; "
            "if they come from a file, name it as `checkpoint`; else delete networks.json and "
            "this model's folders among the results"
        )
    return Ready(for_inference(module, device, folded), transform)


def load_trunk(
    source: Source,
    description: Description,
    file: Path,
    device: torch.device | str = "cpu",
    folded: bool = True,
) -> Ready:
    """Return a source's trunk with the weights of a checkpoint file, ready for inference.

    Raises InputError if it cannot be built, its transform differs from the one that was described,
    or the file does not fit.
    """
    module, transform = build(source)
    check_transform(source, transform, description)
    filled = checkpoints.fill(module, file)
    return Ready(for_inference(filled, device, folded), transform)


def check_transform(source: Source, transform: Transform, description: Description) -> None:
    """Raise InputError if a transform gives another result than when it was described."""
    if description.transformed and transformed(transform) != description.transformed:
        raise InputError(
            f"{source.network}: its transform makes something else of an image than when results "
            "were first made of it; delete networks.json and the folders of its results, "
            "or put the transform back"
        )


def for_inference(
    trunk: nn.Module, device: torch.device | str = "cpu", folded: bool = True
) -> nn.Module:
    """Return a trunk in eval mode on a device, with weights frozen; the trunk itself changes.

    folded: whether BatchNorm may be folded into the convolutions before it, which is faster but
    does not keep the trained layers.
    """
    trunk = with_folded_batchnorm(trunk.eval()) if folded else trunk
    return ready_for_inference(trunk, device)


def load_embedder(
    file: Path | None,
    features: int,
    dimensions: int,
    seed: int,
    fold: int,
    device: torch.device | str = "cpu",
) -> Embedder:
    """Return an embedder, ready for inference, with the weights of a file.

    Without a file, its weights are random: they depend on the settings' seed and on the fold.
    Raises InputError if the file does not fit.
    """
    if file is None:
        weights_seed = derived_seed(seed, "embedder of None", fold)
        embedder = seeded(weights_seed, lambda: Embedder(features, dimensions))
    else:
        embedder = checkpoints.fill(Embedder(features, dimensions), file)
    return ready_for_inference(embedder, device)
