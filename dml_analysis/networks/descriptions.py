"""What is to know of a network without torch: what part of an image goes in, and how many numbers come out."""

from typing import NamedTuple

from dml_analysis.datasets.images import Crop


class Description(NamedTuple):
    outputs: int  # how many numbers it gives for an image: the dimensions of embeddings, or a trunk's features
    crop: Crop | None  # what it sees of an image; None for embeddings without their network
    transform: str = ""  # from image to input, for people to read
    transformed: str = ""  # fingerprint of what the transform makes of an image, as its text may not tell all
    weights: str = ""  # fingerprint of its tensors, where no file tells them

    def in_words(self):
        """A line for people."""
        if self.crop is None:
            return f"{self.outputs} dimensions"
        side = self.crop.resized
        whole = f"a shorter side of {side}" if isinstance(side, int) else f"{side[1]} x {side[0]}"
        seen = f"sees {self.crop.size[1]} x {self.crop.size[0]} pixels of {whole}, gives {self.outputs} numbers"
        return f"{seen}; transform: {self.transform}" if self.transform else seen


BN_INCEPTION = Description(1024, Crop(256, (227, 227)), "blue, green, red, 0 to 255, less (104, 117, 128)")
