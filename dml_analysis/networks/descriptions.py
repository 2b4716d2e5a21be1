"""Descriptions of networks that need no torch: the crop that they see, and their output size."""

from typing import NamedTuple

from dml_analysis.datasets.images import Crop


class Description(NamedTuple):
    """What is known of a network without building it."""

    outputs: int  # numbers per image: dimensions of an embedding, or features of a trunk
    crop: Crop | None  # the part of an image that it sees; None for embeddings given as a file
    transform: str = ""  # from image to input, for people to read
    transformed: str = ""  # digest of the transform's result, because its text may be incomplete
    weights: str = ""  # digest of its tensors, for weights that come from no checkpoint file

    def in_words(self) -> str:
        """Return it as one line for people to read."""
        if self.crop is None:
            return f"{self.outputs} dimensions"
        side = self.crop.resized
        if isinstance(side, int):
            resized = f"a shorter side of {side}"
        else:
            resized = f"{side[1]} x {side[0]}"
        height, width = self.crop.size
        text = f"sees {width} x {height} pixels of {resized}, gives {self.outputs} numbers"
        return f"{text}; transform: {self.transform}" if self.transform else text


BN_INCEPTION = Description(
    1024, Crop(256, (227, 227)), "blue, green, red, 0 to 255, less (104, 117, 128)"
)
