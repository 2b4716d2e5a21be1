"""Settings of maps that differ from the run's own: other noise, base image, attribution or weights.

Controls and causes change one setting at a time, and record it in the provenance of their maps.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxtyping import Float

if TYPE_CHECKING:  # torch takes seconds to load
    import torch

BASES = ("black", "mean colour", "blurred")
SMOOTHGRAD, INTEGRATED = "SmoothGrad", "integrated gradients"
BLUR = 0.1  # standard deviation of the blur, as a share of the image's shorter side


class MapSettings(NamedTuple):
    """What differs from the run's own maps; the defaults are those."""

    name: str = ""  # of the folder of the maps
    draw: int = 0  # the number of the noise: each number gives other noise
    noise_samples: int | None = None  # None: the settings'
    noise_sigma: float | None = None  # None: the settings'
    base: str = BASES[0]  # what images are compared with, one of BASES
    attribution: str = SMOOTHGRAD
    random_share: float = 0  # share of the layers, from the last one on, that have random weights
    random_draw: int = 0  # the number of these weights

    def provenance(self) -> dict[str, Any]:
        """Return what is not at its default, for the provenance of the maps."""
        return {
            f"{name} here": value
            for name, value in self._asdict().items()
            if name != "name" and value != self._field_defaults[name]
        }

    @property
    def purpose(self) -> tuple[str, ...]:
        """Return what the seed of the noise depends on besides network and image."""
        changed = ((name, getattr(self, name)) for name in ("draw", "random_share", "random_draw"))
        return tuple(f"{name} {value}" for name, value in changed if value)


OWN = MapSettings()


def base_image(
    kind: str, image: "Float[torch.Tensor, 'c h w']", black: "Float[torch.Tensor, 'c h w']"
) -> "Float[torch.Tensor, 'c h w']":
    """Return the base image, of one of BASES, of a transformed image; black: the black one."""
    if kind == "black":
        return black
    if kind == "mean colour":
        return image.mean(dim=(1, 2), keepdim=True).expand_as(image)
    from torchvision.transforms.functional import gaussian_blur

    sigma = BLUR * min(image.shape[1:])
    return gaussian_blur(image, 2 * round(3 * sigma) + 1, sigma)


def integrated_gradients(
    network: "torch.nn.Module",
    image: "Float[torch.Tensor, 'c h w']",
    base: "Float[torch.Tensor, 'c h w']",
    base_embedding: "Float[torch.Tensor, '1 d']",
    distance: Callable,
    steps: int,
    batch_size: int,
) -> "Float[torch.Tensor, '1 c h w']":
    """Return integrated gradients of the distance to the base image, from it to the image.

    base_embedding: the base image's. Source: Sundararajan et al., ICML 2017, by captum.
    """
    from captum.attr import IntegratedGradients  # it takes seconds to load

    from dml_analysis.networks.modules import at_least_float32

    def measure(images: "Float[torch.Tensor, 'n c h w']") -> "Float[torch.Tensor, ' n']":
        return distance(at_least_float32(network(images)), base_embedding)[:, 0]

    attribute = IntegratedGradients(measure).attribute
    return attribute(
        image[None], baselines=base[None], n_steps=steps, internal_batch_size=batch_size
    ).detach()
