"""What goes into a network and what comes out, without torch."""

from typing import NamedTuple

from data.images import Crop


class Architecture(NamedTuple):
    crop: Crop  # of an image, which the network sees
    features: int  # that the trunk gives
    dimensions: int  # of the embeddings


BN_INCEPTION = Architecture(Crop(256, 227), 1024, 128)
