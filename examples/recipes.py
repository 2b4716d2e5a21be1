"""Networks of other libraries, as settings name them: copy what you need into a module of your own.

`network: examples.recipes:open_clip_tower` calls a function without arguments, so set its defaults to
your own names and files. Nothing is downloaded. docs/own_models.md says what else can be set.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageOps
from torch import nn
from torchvision import transforms

from dml_analysis.networks.embedding import embeddings_of
from dml_analysis.networks.transforms import Transform


def open_clip_tower(name: str = "ViT-B-32") -> tuple[nn.Module, Transform, Transform]:
    """Return OpenCLIP's model and transforms: its `encode_image` gives the embeddings.

    Its weights are the `checkpoint` of the settings.
    """
    import open_clip

    return open_clip.create_model_and_transforms(name, load_weights=False)


class Entry(nn.Module):
    """One entry of a network's output, which is a dictionary or a tuple."""

    def __init__(self, network: nn.Module, key: str | int) -> None:
        """Wrap a network. key: the entry's, such as "pooler_output" or 0."""
        super().__init__()
        self.network, self.key = network, key

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the entry for these images: a tensor (n, d), or the first token of (n, t, d)."""
        embeddings = self.network(images)[self.key]
        return embeddings if embeddings.ndim == 2 else embeddings[:, 0]


def hugging_face(folder: str = "weights/dinov2-base") -> tuple[nn.Module, Transform]:
    """Return a vision model of Hugging Face and its processor, from a folder of files."""
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)

    def transform(image: Image.Image) -> torch.Tensor:
        return processor(images=image, return_tensors="pt")["pixel_values"][0]

    model: Any = AutoModel.from_pretrained(folder, local_files_only=True)
    return Entry(model, "last_hidden_state"), transform


def scripted(file: str = "weights/network.pt", resized: int = 256, size: int = 224) -> Any:
    """Return a TorchScript network and a transform: the middle of a resized image, 0 to 1."""
    steps = [transforms.Resize(resized), transforms.CenterCrop(size), transforms.ToTensor()]
    return torch.jit.load(file, map_location="cpu"), transforms.Compose(steps)


class OneChannel(nn.Module):
    """A network that takes gray images, as one that takes images in colour."""

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network."""
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of these images, averaged over their channels."""
        return self.network(images.mean(dim=1, keepdim=True))


def pad_to_square(size: int = 224) -> Transform:
    """Return a transform that adds margins, which no network of settings may have.

    Maps could not be laid back into the image: give embeddings instead (save_embeddings).
    """
    pad = transforms.Lambda(lambda image: ImageOps.pad(image, (size, size)))
    return transforms.Compose([pad, transforms.ToTensor()])


def save_embeddings(network: nn.Module, transform: Transform, listed: Path, file: Path) -> None:
    """Write the embeddings of listed images, for `embeddings` of the settings.

    listed: images_<dataset>.csv, as data/4_list_images.py writes it.
    """
    images = pd.read_csv(listed)
    embeddings = embeddings_of(network, transform, images["path"].tolist())
    np.savez(file, embeddings=embeddings, image_ids=images["image_id"].to_numpy())
