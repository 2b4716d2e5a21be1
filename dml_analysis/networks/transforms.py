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


class Float32:
    """A transform whose tensors of other floating-point numbers are cast to float32."""

    def __init__(self, transform: Transform) -> None:
        """Wrap a transform."""
        self.transform = transform

    def __call__(self, image: Image.Image) -> "Float[torch.Tensor, '3 h w']":
        """Return the transformed image."""
        result = self.transform(image)
        is_float = getattr(result, "is_floating_point", bool)
        return result.float() if is_float() else result

    def __repr__(self) -> str:
        """Return the text of the transform itself."""
        return repr(self.transform)


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
