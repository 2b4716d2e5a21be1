"""Network inputs: image files read and transformed, in threads that read ahead."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from jaxtyping import Float
from PIL import Image

from dml_analysis.datasets.images import open_image
from dml_analysis.datasets.readers import Sample

if TYPE_CHECKING:
    import torch

# From an RGB image to the tensor (3, h, w) that a network takes.
Transform: TypeAlias = "Callable[[Image.Image], torch.Tensor]"

AHEAD = 64  # images that are read before the network needs them
BLACK = (256, 256)  # size of the black image; no result depends on it


def network_inputs(
    samples: Iterable[Sample], transform: Transform
) -> Iterator["Float[torch.Tensor, '3 h w']"]:
    """Yield the transformed image of each sample, in order.

    Threads read the next images while the network is at work. Raises InputError on an image that
    open_image refuses, once all images before it were yielded.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        queue: deque[Future[torch.Tensor]] = deque()
        for sample in samples:
            queue.append(pool.submit(_read, sample.path, transform))
            if len(queue) > AHEAD:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()


def _read(path: Path, transform: Transform) -> "Float[torch.Tensor, '3 h w']":
    """Return the transformed image of a file."""
    return transform(open_image(path))


def black_input(transform: Transform) -> "Float[torch.Tensor, '3 h w']":
    """Return the transformed black image, which is the baseline of attributions.

    For BN-Inception its channels are -104, -117 and -128 everywhere.
    """
    return transform(Image.new("RGB", BLACK))
