"""What a training is shown: images, augmented by workers, or the features that a frozen trunk gives of them."""

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from common.errors import InputError
from common.seeds import derived_seed
from common.shelf import blocks
from data.images import Crop, open_image
from reality_check.augmentation import augmented, network_input
from reality_check.transforms import network_inputs

AT_ONCE = 32  # images that are embedded; no setting, as rounding depends on it


class Images(NamedTuple):
    """Images from their files. Both methods raise InputError on one that open_image refuses."""

    transform: Callable
    crop: Crop  # of the transform
    augmentation: str  # see common.settings.AUGMENTATIONS
    workers: int  # processes that read ahead
    seed: int  # of the augmentation

    def batches(self, items, places, first, last):
        """Yield the images (n, 3, h, w) of the iterations from `first` to `last`.

        places: iteration -> the places (n,) of its images among the items. What becomes of an image depends on it, on the
        iteration and on its place in the batch, and on nothing else.
        """
        keys = ([(iteration, turn, int(place)) for turn, place in enumerate(places(iteration))]
                for iteration in range(first, last + 1))  # fmt: skip
        loader = DataLoader(_Shown(self, items), batch_sampler=keys, num_workers=self.workers, collate_fn=_stacked)
        for images in loader:
            if isinstance(images, str):
                raise InputError(images)
            yield images

    def whole(self, items):
        """Yield the images (n, 3, h, w) of the items as they are for whoever uses the network."""
        inputs = network_inputs(items, self.transform)
        for some in blocks(items, AT_ONCE):
            yield torch.stack([next(inputs) for _ in some])


class _Shown(Dataset):
    """The images of a training, by (iteration, place in its batch, place among the items)."""

    def __init__(self, inputs, items):
        self.inputs, self.items = inputs, items

    def __getitem__(self, key):
        iteration, turn, place = key
        item, inputs = self.items[place], self.inputs
        try:
            image = open_image(item.path)
        except InputError as error:
            return str(error)  # a worker's exceptions bring its whole traceback
        if inputs.augmentation == "none":
            return inputs.transform(image)
        rng = random.Random(derived_seed(inputs.seed, "augmentation", iteration, turn, item.image_id))
        return network_input(augmented(image, inputs.crop, rng, inputs.augmentation), inputs.transform, inputs.crop)


def _stacked(images):
    wrong = next((each for each in images if isinstance(each, str)), None)
    return wrong or torch.stack(images)


class Features(NamedTuple):
    """The features (f,) of images by their ids, from a trunk that is not trained."""

    by_id: dict

    def batches(self, items, places, first, last):
        """As of Images, the features (n, f)."""
        features = self.of(items)
        for iteration in range(first, last + 1):
            yield features[places(iteration)]

    def whole(self, items):
        yield self.of(items)

    def of(self, items):
        """(n, f), a row for each item."""
        return torch.stack([self.by_id[item.image_id] for item in items])
