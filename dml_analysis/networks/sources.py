"""Where a network comes from that is not in the Reality Check's layout, or a trunk; and what is known of it without torch.

What takes torch is in loading.py: to build it, and to describe it. Its description is kept in results/<records>/
networks.json, so that scripts which only ask for shapes need not build it again.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from dml_analysis import checksums, imports
from dml_analysis.blocks import Block, checked
from dml_analysis.config import BN_INCEPTION
from dml_analysis.datasets import embedding_files
from dml_analysis.datasets.images import Crop
from dml_analysis.errors import refused
from dml_analysis.files import atomic_files
from dml_analysis.methods import TIMM
from dml_analysis.networks import descriptions
from dml_analysis.networks.descriptions import Description
from dml_analysis.seeds import derived_seed, digest

Side = Annotated[int, Field(ge=1, le=10**5)]
Sides = Annotated[list[Side], Field(min_length=2, max_length=2)]


class WrittenCrop(Block):
    resized: Side | Sides
    size: Sides


class Written(Block):
    """What networks.json says of a network."""

    of: str
    outputs: Annotated[int, Field(ge=1, le=10**7)]
    crop: WrittenCrop | None
    transform: str
    transformed: str
    weights: str


class Source(NamedTuple):
    """What builds a network (`module:function`, `timm:name` or bn_inception), and the file of its weights."""

    network: str
    checkpoint: Path | None = None
    head: str = ""  # of a timm network with a classifier: "keep" or "drop" it
    crop: tuple | None = (
        None  # of a timm network: (shorter side, size of the middle) instead of timm's own
    )
    seed: int | None = None  # of a network with random weights

    def inputs(self):
        """The files that tell it from another."""
        code = [imports.code_file(self.network)] if self.has_code() else []
        return code + [self.checkpoint] * bool(self.checkpoint)

    def has_code(self):
        """Whether its code is a file that somebody may change, other than a library's."""
        return self.network != BN_INCEPTION and not self.network.startswith(TIMM)

    def provenance(self, records):
        """Its digests, for the provenance of results. Raises MissingFile if a file is missing and was never read."""
        provenance = {"network": self.network}
        if self.has_code():
            provenance["code"] = checksums.short(records, imports.code_file(self.network))
        if self.checkpoint:
            provenance["checkpoint"] = checksums.short(records, self.checkpoint)
        options = {"head": self.head, "crop": self.crop, "random weights, seed": self.seed}
        return provenance | {
            name: value for name, value in options.items() if value not in ("", None)
        }

    def description(self, records):
        """Its Description. Raises InputError if it cannot be built, or is not what a network has to be."""
        return (
            descriptions.BN_INCEPTION if self.network == BN_INCEPTION else described(records, self)
        )

    def describe(self):
        from dml_analysis.networks import loading  # torch takes seconds to load

        return loading.describe(self)


class EmbeddingFile(NamedTuple):
    """A file of embeddings, instead of a network."""

    file: Path

    def inputs(self):
        return [self.file]

    def provenance(self, records):
        return {"embeddings": checksums.short(records, self.file)}

    def description(self, records):
        return described(records, self)

    def describe(self):
        return Description(embedding_files.read(self.file).shape[1], None)


def random_seed(seed, name):
    """The seed of the weights of a model that has random ones."""
    return derived_seed(seed, "weights", name)


# ---------------------------------------------------------------------------------------------------------------------
# networks.json
# ---------------------------------------------------------------------------------------------------------------------
def described(records, source):
    """The Description of a source, from networks.json if it is there."""
    key = _key(records, source)
    kept = atomic_files.read_record(_file(records)).get(key)
    return _read(records, source, kept) if kept else _fresh(source, key)


@cache
def _fresh(source, key):
    found = source.describe()
    print(f"{source[0]}: {found.in_words()}")
    return found


def keep(records, some):
    """Write the descriptions of these sources to networks.json, beside those of others."""
    found = {_key(records, each): _written(each, each.description(records)) for each in some}
    atomic_files.add_to_record(_file(records), found)


def _key(records, source):
    return digest(source.provenance(records))


def _file(records):
    return records.results / "networks.json"


def _written(source, found):
    return {"of": str(source[0]), **found._asdict(), "crop": found.crop and found.crop._asdict()}


def _read(records, source, kept):
    with refused(_file(records), "what a script has written", "delete it"):
        checked(Written, kept, f"{_file(records)}: ")
        if (kept["crop"] is None) != isinstance(source, EmbeddingFile):
            raise ValueError("crop: of a network, and of none else")
        crop = kept["crop"] and Crop(
            **{name: tuple(n) if isinstance(n, list) else n for name, n in kept["crop"].items()}
        )
        return Description(**{name: kept[name] for name in Description._fields} | {"crop": crop})
