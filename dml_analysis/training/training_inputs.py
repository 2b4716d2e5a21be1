"""Inputs of a network in training: augmented images, or features that a frozen trunk gives."""

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.utils.data import DataLoader, Dataset

from dml_analysis.datasets.images import Crop, open_image
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.networks.transforms import Transform, network_inputs
from dml_analysis.seeds import derived_seed
from dml_analysis.store import blocks
from dml_analysis.training.augmentation import augmented, network_input

BATCH_SIZE = 32  # images that are embedded at once; no setting, because rounding depends on it
BatchIndices = Callable[[int], Int[np.ndarray, " n"]]  # of an iteration's images
Key = tuple[int, int, int]  # iteration, position in the batch, index of the image


@dataclass
class AugmentedImages(Dataset):
    """The augmented image of every key, or why its file cannot be read."""

    samples: Sequence[Sample]
    transform: Transform  # from an RGB image to a tensor
    crop: Crop  # of the transform
    augmentation: str  # one of config.AUGMENTATIONS
    seed: int  # of the augmentation

    def __getitem__(self, key: Key) -> Float[torch.Tensor, "3 h w"] | str:
        """Return the augmented image of a key."""
        iteration, position, index = key
        sample = self.samples[index]
        try:
            image = open_image(sample.path)
        except InputError as error:
            return str(error)  # a worker's exceptions come with a complete traceback
        if self.augmentation == "none":
            return self.transform(image)
        seed = derived_seed(self.seed, "augmentation", iteration, position, sample.image_id)
        image = augmented(image, self.crop, random.Random(seed), self.augmentation)
        return network_input(image, self.transform, self.crop)


class Images:
    """Images from their files. Both methods raise InputError on one that open_image refuses."""

    def __init__(self, images: AugmentedImages, workers: int) -> None:
        """Set the images that training uses. workers: processes that read ahead."""
        self.transform, self._keys = images.transform, _BatchKeys()
        # The workers stay until the run ends, because each fork makes this process copy the memory
        # that it writes to next.
        self._loader = DataLoader(
            images,
            batch_sampler=self._keys,
            collate_fn=_stacked,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        )

    def batches(
        self, indices: BatchIndices, first: int, last: int
    ) -> Iterator[Float[torch.Tensor, "n 3 h w"]]:
        """Yield the images of the iterations from `first` to `last`.

        How an image is augmented depends only on the image, the iteration and its position in the
        batch.
        """
        self._keys.pending = (
            [(iteration, position, int(index)) for position, index in enumerate(indices(iteration))]
            for iteration in range(first, last + 1)
        )
        for images in self._loader:
            if isinstance(images, str):
                raise InputError(images)
            yield images

    def in_order(self, samples: Sequence[Sample]) -> Iterator[Float[torch.Tensor, "n 3 h w"]]:
        """Yield batches of the images of all samples, not augmented."""
        inputs = network_inputs(samples, self.transform)
        for block in blocks(samples, BATCH_SIZE):
            yield torch.stack([next(inputs) for _ in block])


class _BatchKeys:
    """The keys of the requested batches, computed when they are needed: some samplers are slow."""

    pending: Iterable[list[Key]] = ()

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.pending)


def _stacked(images: Sequence[torch.Tensor | str]) -> Float[torch.Tensor, "n 3 h w"] | str:
    """Return a batch of images, or the first problem among them."""
    problem = next((image for image in images if isinstance(image, str)), None)
    return problem or torch.stack(images)  # type: ignore[arg-type]


class Features(NamedTuple):
    """Features of images from a trunk that is not trained."""

    by_id: Mapping[str, Float[torch.Tensor, " f"]]
    samples: Sequence[Sample]  # that training uses

    def batches(
        self, indices: BatchIndices, first: int, last: int
    ) -> Iterator[Float[torch.Tensor, "n f"]]:
        """Yield the features of the iterations from `first` to `last`."""
        (features,) = self.in_order(self.samples)
        for iteration in range(first, last + 1):
            yield features[indices(iteration)]

    def in_order(self, samples: Sequence[Sample]) -> Iterator[Float[torch.Tensor, "n f"]]:
        """Yield the features of all samples, in one batch."""
        yield torch.stack([self.by_id[sample.image_id] for sample in samples])
