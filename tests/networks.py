"""Networks for tests: a trunk of random weights, and tiny networks of somebody's own, as settings name them."""

import torch
from torch import nn
from torchvision import transforms

from dml_analysis.datasets.images import open_image
from dml_analysis.networks import checkpoints
from dml_analysis.networks.bn_inception import bninception_trunk, network_input
from dml_analysis.networks.modules import calibrate_batchnorm, seeded

CALIBRATED_ON = 20  # images
OPEN_RELU = 2.5  # standard deviations by which the inputs of a seeded trunk's ReLUs are above zero on average


def seeded_trunk(seed):
    """A BN-Inception of random weights whose features still show what is in an image; see also calibrate_batchnorm.

    Thirty random layers lose most of an image. BatchNorm shifts that leave nearly all ReLUs open keep it.
    """
    trunk = seeded(seed, bninception_trunk)
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, OPEN_RELU)
    return trunk


def make_trunk(folder, seed=0):
    """folder/trunk.pth: a BN-Inception whose features tell the cars in folder/cars apart, as those of ImageNet's do."""
    files = sorted((folder / "cars" / "images").iterdir())[:CALIBRATED_ON]
    images = torch.stack([network_input(open_image(file)) for file in files])
    trunk = calibrate_batchnorm(seeded_trunk(seed), images)
    checkpoints.save(trunk.state_dict(), folder / "trunk.pth")


def small_transform(resized=24, size=20):
    return transforms.Compose(
        [transforms.Resize(resized), transforms.CenterCrop(size), transforms.ToTensor()]
    )


def tiny():
    """A network that takes images (n, 3, 20, 20) to embeddings (n, 5)."""
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 4, 5, stride=3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5)]
    return nn.Sequential(*layers), small_transform()


def tiny_too():
    """Another such, which sees more of an image at a time."""
    torch.manual_seed(6)
    layers = [nn.Conv2d(3, 5, 8, stride=4), nn.Tanh(), nn.Flatten(), nn.Linear(5 * 4 * 4, 6)]
    return nn.Sequential(*layers), small_transform()


class Signs(nn.Module):
    """A layer and the signs of what it gives, which no small change of an image moves."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3 * 20 * 20, 6)

    def forward(self, images):
        return torch.sign(self.layer(images.flatten(1)))


def signs():
    torch.manual_seed(7)
    return Signs(), small_transform()


def stretched(embeddings):
    """Coordinates for a distance of one's own: the second direction counts three times as much."""
    return embeddings * torch.tensor(
        [1.0, 3.0] + [1.0] * (embeddings.shape[1] - 2), dtype=embeddings.dtype
    )


def tiny_trunk():
    """A trunk with BatchNorm that takes images (n, 3, 20, 20) to features (n, 6)."""
    torch.manual_seed(4)
    layers = [
        nn.Conv2d(3, 6, 5, stride=3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ]
    return nn.Sequential(*layers), small_transform()


class Infinite(nn.Module):
    """A loss that is no number."""

    def forward(self, embeddings, labels, pairs=None):
        return embeddings.sum() * float("nan")


class TopRows(nn.Module):
    """Sees the first rows of an image alone, which in rendered pictures are backdrop."""

    def __init__(self, rows=1):
        super().__init__()
        self.rows, self.layer = rows, nn.Linear(3 * rows * 20, 6)

    def forward(self, images):
        return torch.tanh(self.layer(images[:, :, : self.rows].flatten(1)))


def top_rows():
    torch.manual_seed(5)
    return TopRows(), small_transform()


CLIP = {  # sizes of a CLIP, as open_clip has them
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1},
}


def clip():
    """A tiny CLIP and its transforms, as open_clip.create_model_and_transforms returns them."""
    import open_clip

    train, validation = (open_clip.image_transform(32, is_train) for is_train in (True, False))
    return open_clip.CLIP(**CLIP), train, validation
