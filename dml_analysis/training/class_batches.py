"""Batches of a training run: indices of images, sampled class by class."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Int, Shaped

from dml_analysis.seeds import derived_seed

Labels = Shaped[np.ndarray, " n"] | Sequence[int]


class ClassBatches:
    """The batches of a training run: for every iteration, from 1 on, the indices of its images.

    An epoch takes `per_class` images of each of some classes, in random order. With the sampler
    "original" an epoch has all classes, and batches are cut from the concatenated epochs, as in
    the Reality Check: a batch may end in the middle of a class. With "strict" each batch is an
    epoch of batch_size / per_class classes. A class with fewer images than `per_class` repeats
    some with "original". A batch depends only on its iteration and the seed.
    """

    def __init__(
        self, labels: Labels, per_class: int, batch_size: int, sampler: str, seed: int
    ) -> None:
        """Group the images by class. labels: of the images; sampler: "original" or "strict"."""
        self.classes = indices_by_class(labels)
        self.per_class, self.batch_size, self.seed = per_class, batch_size, seed
        strict = sampler == "strict"
        self.classes_per_epoch = batch_size // per_class if strict else len(self.classes)
        self.epoch = lru_cache(maxsize=4)(self._epoch)  # many batches are cut from one

    def _epoch(self, number: int) -> Int[np.ndarray, " epoch"]:
        """Return the indices of the images of an epoch, numbered from 0."""
        rng = np.random.default_rng(derived_seed(self.seed, "batches", number))
        classes = rng.permutation(len(self.classes))[: self.classes_per_epoch]
        return np.concatenate(
            [sampled(rng, self.classes[label], self.per_class) for label in classes]
        )

    def indices(self, iteration: int) -> Int[np.ndarray, " batch_size"]:
        """Return the indices of the images of an iteration."""
        first, last = (iteration - 1) * self.batch_size, iteration * self.batch_size
        size = self.classes_per_epoch * self.per_class
        numbers = range(first // size, (last - 1) // size + 1)
        indices = np.concatenate([self.epoch(number) for number in numbers])
        return indices[first - numbers[0] * size :][: self.batch_size]


def indices_by_class(labels: Labels) -> list[Int[np.ndarray, " m"]]:
    """Return the indices of the images of each class, in the order of the labels."""
    labels = np.asarray(labels)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def sampled(
    rng: np.random.Generator, indices: Int[np.ndarray, " n"], count: int
) -> Int[np.ndarray, " count"]:
    """Return `count` random indices, without repetition unless there are too few."""
    return rng.choice(indices, count, replace=len(indices) < count)


def problem(
    labels: Labels, names: Mapping[int, str], per_class: int, batch_size: int, sampler: str
) -> str:
    """Return why such batches are impossible, or may consist of one class, and what to do.

    The text is empty if there is no problem. names: label -> class name in messages.
    """
    classes, counts = np.unique(np.asarray(labels), return_counts=True)
    smallest, n_smallest = names[classes[counts.argmin()]], counts.min()
    batch = f"a batch of {batch_size} with {per_class} images a class"
    n_classes = batch_size // per_class
    if len(classes) < 2:
        return f"{len(classes)} class to train on, but a loss needs two; add classes"
    if n_smallest < min(per_class, 2):
        return (
            f"{smallest} has one image, but training needs two of each class; "
            "add images or remove the class"
        )
    if per_class >= batch_size:
        return f"{batch} has only one class; enlarge `batch_size`"
    if sampler == "original":
        if batch_size <= 2 * per_class and len(classes) * per_class % batch_size:
            return (
                f"{batch} may have only one class, where one epoch ends and the next begins; "
                "enlarge `batch_size`, or set sampler: strict"
            )
        if counts.max() >= per_class:
            return ""  # smaller classes repeat images, as SOP's do
    elif batch_size % per_class:
        return (
            f"sampler: strict needs a batch_size that is a multiple of {per_class} images a "
            f"class, but it is {batch_size}; change `batch_size`"
        )
    elif n_classes > len(classes):
        return (
            f"{batch} needs {n_classes} classes, but there are {len(classes)}; "
            "set a smaller `batch_size`, or sampler: original"
        )
    if n_smallest < per_class:
        return (
            f"{smallest} has {n_smallest} images, but a batch needs {per_class} of each class; "
            "set fewer images a class"
        )
    return ""
