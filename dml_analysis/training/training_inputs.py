"""What a training is shown: images, augmented by workers, or the features that a frozen trunk gives of them."""

import random
from functools import partial
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from dml_analysis.errors import InputError
from dml_analysis.networks.transforms import network_inputs
from dml_analysis.seeds import derived_seed
from dml_analysis.store import blocks
from dml_analysis.training.augmentation import augmented, begun, network_input
from dml_analysis.training.decoded_images import FORKS, Decoded

AT_ONCE = 32  # images that are embedded; no setting, as rounding depends on it


class Images:
    """Images from their files. Both methods raise InputError on one that open_image refuses.

    items: which training sees; transform: from an RGB image to a tensor, with this crop; options: dml_analysis.config.TrainingSettings;
    seed: of the augmentation; workers: processes that read ahead.
    """

    def __init__(self, items, transform, crop, options, seed, workers):
        self.transform, self._keys = transform, _Keys()
        shown = _Shown(items, transform, crop, options, seed)
        # The workers stay for all of a run: to fork makes this process copy the memory that it writes into next, all of it.
        self._loader = DataLoader(
            shown, batch_sampler=self._keys, collate_fn=_stacked, num_workers=workers, persistent_workers=workers > 0,
            multiprocessing_context="fork" if FORKS and workers else None,
        )  # fmt: skip

    def batches(self, places, first, last):
        """Yield the images (n, 3, h, w) of the iterations from `first` to `last`.

        places: iteration -> the places (n,) of its images among the items. What becomes of an image depends on it, on the
        iteration and on its place in the batch, and on nothing else.
        """
        self._keys.coming = (
            [(iteration, turn, int(place)) for turn, place in enumerate(places(iteration))]
            for iteration in range(first, last + 1)
        )
        for images in self._loader:
            if isinstance(images, str):
                raise InputError(images)
            yield images

    def whole(self, items):
        """Yield the images (n, 3, h, w) of the items as they are for whoever uses the network."""
        inputs = network_inputs(items, self.transform)
        for some in blocks(items, AT_ONCE):
            yield torch.stack([next(inputs) for _ in some])


class _Keys:
    """The keys of the batches that are asked for next, worked out as they are: some fillers take long."""

    coming = ()

    def __iter__(self):
        return iter(self.coming)


class _Shown(Dataset):
    """What a training is shown, by (iteration, place in its batch, place among the items)."""

    def __init__(self, items, transform, crop, options, seed):
        self.items, self.transform, self.crop, self.seed = items, transform, crop, seed
        self.augmentation, prepared = (
            options.augmentation,
            partial(begun, crop=crop, kind=options.augmentation),
        )
        self.decoded = Decoded(
            [item.path for item in items], prepared, round(options.decoded * 1e9)
        )

    def __getitem__(self, key):
        iteration, turn, place = key
        try:
            image = self.decoded[place]
        except InputError as error:
            return str(error)  # a worker's exceptions bring its whole traceback
        if self.augmentation == "none":
            return self.transform(image)
        rng = random.Random(
            derived_seed(self.seed, "augmentation", iteration, turn, self.items[place].image_id)
        )
        return network_input(
            augmented(image, self.crop, rng, self.augmentation), self.transform, self.crop
        )


def _stacked(images):
    wrong = next((each for each in images if isinstance(each, str)), None)
    return wrong or torch.stack(images)


class Features(NamedTuple):
    """The features (f,) of images by their ids, from a trunk that is not trained."""

    by_id: dict
    items: list  # which training sees

    def batches(self, places, first, last):
        """As of Images, the features (n, f)."""
        features = self.of(self.items)
        for iteration in range(first, last + 1):
            yield features[places(iteration)]

    def whole(self, items):
        yield self.of(items)

    def of(self, items):
        """(n, f), a row for each item."""
        return torch.stack([self.by_id[item.image_id] for item in items])
