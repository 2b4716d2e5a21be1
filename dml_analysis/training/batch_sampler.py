"""Which images make up the batches of a training."""

from functools import lru_cache

import numpy as np

from dml_analysis.errors import InputError
from dml_analysis.seeds import derived_seed


class Batches:
    """The batches of a training: for every number of an iteration, from 1 on, the places of its images in a list of labels.

    A pass takes `per_class` images of some classes, in an order of its own. With the sampler "original" a pass goes through
    all classes and batches are cut from one long row of passes, as the Reality Check had it: a batch may end in the middle of
    a class. With "strict" each batch is a pass through batch_size / per_class classes. Of a class with fewer images than
    that, "original" repeats some. A batch depends on nothing but its number and the seed.
    """

    def __init__(self, labels, per_class, batch_size, sampler, seed):
        labels = np.asarray(labels)
        self.of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self.per_class, self.batch_size, self.seed = per_class, batch_size, seed
        self.classes = batch_size // per_class if sampler == "strict" else len(self.of_class)
        self.pass_of = lru_cache(maxsize=4)(self._pass_of)  # many batches are cut from one

    def _pass_of(self, number):
        """The places of the images of a pass, numbered from 0."""
        rng = np.random.default_rng(derived_seed(self.seed, "batches", number))
        chosen = rng.permutation(len(self.of_class))[: self.classes]
        return np.concatenate([some(rng, self.of_class[each], self.per_class) for each in chosen])

    def of(self, iteration):
        """The places (batch_size,) of the images of an iteration."""
        first, last, size = (
            (iteration - 1) * self.batch_size,
            iteration * self.batch_size,
            self.classes * self.per_class,
        )
        numbers = range(first // size, (last - 1) // size + 1)
        row = np.concatenate([self.pass_of(number) for number in numbers])
        return row[first - numbers[0] * size :][: self.batch_size]


def some(rng, places, count):
    """`count` of the places, each once unless there are too few."""
    return rng.choice(places, count, replace=len(places) < count)


def check(where, labels, names, per_class, batch_size, sampler):
    """Raise InputError if there are no such batches.

    where: what a message begins with; labels (n,): the classes of the images; names: label -> what a message calls it.
    """
    found, counts = np.unique(np.asarray(labels), return_counts=True)
    if len(found) < 2:
        raise InputError(f"{where}: {len(found)} class to train on; a loss takes two at least")
    if counts.min() < 2:
        raise InputError(
            f"{where}: {names[found[counts.argmin()]]} has one image; training takes two of each class at least"
        )
    if per_class >= batch_size:
        raise InputError(
            f"{where}: a batch of {batch_size} with {per_class} images a class is of one class; enlarge `batch_size`"
        )
    if sampler == "original" and batch_size <= 2 * per_class and len(found) * per_class % batch_size:
        raise InputError(
            f"{where}: a batch of {batch_size} with {per_class} images a class may be of one class, where a pass over the "
            "classes ends and the next begins; enlarge `batch_size`, or set sampler: strict"
        )
    if sampler == "original" and counts.max() >= per_class:
        return  # which repeats images of classes that have fewer, as SOP's
    if sampler == "strict" and batch_size % per_class:
        raise InputError(
            f"{where}: batch_size {batch_size} is no multiple of {per_class} images a class, as sampler: strict takes"
        )
    if sampler == "strict" and batch_size // per_class > len(found):
        raise InputError(
            f"{where}: a batch of {batch_size} with {per_class} images a class takes {batch_size // per_class} classes, of "
            f"which there are {len(found)}; set a smaller `batch_size`, or sampler: original"
        )
    if counts.min() < per_class:
        raise InputError(
            f"{where}: {names[found[counts.argmin()]]} has {counts.min()} images, but {per_class} of a class are to be in a "
            "batch; take fewer images of a class"
        )
