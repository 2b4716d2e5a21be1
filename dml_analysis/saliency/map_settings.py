"""Maps made otherwise than a run's own: other noise, another base image, another attribution, weights that nothing has learned.

Controls and causes ask for them, one thing changed at a time. What is changed stands in `provenance` of these maps.
"""

from typing import NamedTuple

BASES = ("black", "mean colour", "blurred")
SMOOTHGRAD, INTEGRATED = "SmoothGrad", "integrated gradients"
BLUR = 0.1  # standard deviation of the blur, as a share of the image's shorter side


class Condition(NamedTuple):
    """What is another than in the run's own maps; the defaults are those."""

    name: str = ""  # of the folder of its maps
    draw: int = 0  # of the noise: another number is other noise
    noise_samples: int | None = None  # the settings' by default
    noise_sigma: float | None = None  # the settings' by default
    base: str = BASES[
        0
    ]  # what images are compared with: the black image, one of their mean colour, their blurred selves
    attribution: str = SMOOTHGRAD
    random_share: float = (
        0  # of the network's layers, from the last one on, that have random weights
    )
    random_draw: int = 0  # of these weights

    def provenance(self):
        """For provenance: what is not at its default."""
        return {f"{name} here": value for name, value in self._asdict().items()
                if name != "name" and value != self._field_defaults[name]}  # fmt: skip

    @property
    def purpose(self):
        """What noise is drawn for, beside network and image: nothing in the run's own maps."""
        changed = ((name, getattr(self, name)) for name in ("draw", "random_share", "random_draw"))
        return tuple(f"{name} {value}" for name, value in changed if value)


OWN = Condition()


def base_image(kind, image, black):
    """The base image (C, H, W), of one of BASES, of a transformed image (C, H, W); black: the black one."""
    if kind == "black":
        return black
    if kind == "mean colour":
        return image.mean(dim=(1, 2), keepdim=True).expand_as(image)
    from torchvision.transforms.functional import gaussian_blur  # torch takes seconds to load

    sigma = BLUR * min(image.shape[1:])
    return gaussian_blur(image, 2 * round(3 * sigma) + 1, sigma)


def integrated_gradients(network, image, base, base_embedding, distance, steps, batch_size):
    """Integrated gradients (1, C, H, W) of the distance to the base image, from that on to the image, both (C, H, W).

    Sundararajan et al., ICML 2017, by captum. base_embedding (1, d) is the base image's.
    """
    from captum.attr import IntegratedGradients  # it takes seconds to load

    def measure(images):
        return distance(network(images), base_embedding)[:, 0]

    attribute = IntegratedGradients(measure).attribute
    return attribute(
        image[None], baselines=base[None], n_steps=steps, internal_batch_size=batch_size
    ).detach()
