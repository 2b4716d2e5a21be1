"""Sources of networks that are not in the Reality Check's layout, and their descriptions.

Descriptions are recorded in results/<settings>/networks.json, so that scripts that only need shapes
do not build the networks, which takes torch (loading.py).
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from dml_analysis import checksums, imports
from dml_analysis.blocks import Block, checked
from dml_analysis.checksums import Records
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
    """A Crop in networks.json."""

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
    """What builds a network (`module:function`, `timm:name` or bn_inception), and its weights."""

    network: str
    checkpoint: Path | None = None
    head: str = ""  # of a timm network with a classifier: "keep" or "drop" it
    # Of a timm network: (shorter side, size of the centre), instead of timm's own.
    crop: tuple[int, int] | None = None
    seed: int | None = None  # of random weights

    def inputs(self) -> list[Path]:
        """Return the files that determine the network."""
        code = [imports.code_file(self.network)] if self.has_code() else []
        return [*code, self.checkpoint] if self.checkpoint else code

    def has_code(self) -> bool:
        """Return whether its code is a file of the user's, not a library's."""
        return self.network != BN_INCEPTION and not self.network.startswith(TIMM)

    def provenance(self, records: Records) -> dict[str, Any]:
        """Return its digests, for the provenance of results.

        Raise MissingFile if a file is missing and was never read.
        """
        provenance: dict[str, Any] = {"network": self.network}
        if self.has_code():
            provenance["code"] = checksums.short(records, imports.code_file(self.network))
        if self.checkpoint:
            provenance["checkpoint"] = checksums.short(records, self.checkpoint)
        options = {"head": self.head, "crop": self.crop, "random weights, seed": self.seed}
        set_options = {name: value for name, value in options.items() if value not in ("", None)}
        return provenance | set_options

    def description(self, records: Records) -> Description:
        """Return its Description. Raise InputError if it cannot be built or is not valid."""
        if self.network == BN_INCEPTION:
            return descriptions.BN_INCEPTION
        return described(records, self)

    def describe(self) -> Description:
        """Build the network and return its Description."""
        from dml_analysis.networks import loading  # torch takes seconds to load

        return loading.describe(self)


class EmbeddingFile(NamedTuple):
    """A file of embeddings, instead of a network."""

    file: Path

    def inputs(self) -> list[Path]:
        """Return the file."""
        return [self.file]

    def provenance(self, records: Records) -> dict[str, Any]:
        """Return its digest, for the provenance of results."""
        return {"embeddings": checksums.short(records, self.file)}

    def description(self, records: Records) -> Description:
        """Return its Description."""
        return described(records, self)

    def describe(self) -> Description:
        """Read the file and return its Description."""
        return Description(embedding_files.read(self.file).shape[1], None)


def random_seed(seed: int, name: str) -> int:
    """Return the seed of the weights of a model with random weights."""
    return derived_seed(seed, "weights", name)


# --------------------------------------------------------------------------------------------------
# networks.json
# --------------------------------------------------------------------------------------------------
def described(records: Records, source: Source | EmbeddingFile) -> Description:
    """Return the Description of a source, from networks.json if it is recorded there."""
    key = digest(source.provenance(records))
    entry = atomic_files.read_record(_file(records)).get(key)
    return _read(records, source, entry) if entry else _fresh(source, key)


@cache
def _fresh(source: Source | EmbeddingFile, key: str) -> Description:
    """Return and print the Description of a source. key: of its digests, for the cache alone."""
    description = source.describe()
    print(f"{source[0]}: {description.in_words()}")
    return description


def keep(records: Records, sources: Iterable[Source | EmbeddingFile]) -> None:
    """Add the descriptions of sources to networks.json."""
    entries = {}
    for source in sources:
        content = source.description(records)._asdict()
        content["crop"] = content["crop"] and content["crop"]._asdict()
        entries[digest(source.provenance(records))] = {"of": str(source[0]), **content}
    atomic_files.add_to_record(_file(records), entries)


def _file(records: Records) -> Path:
    return records.results / "networks.json"


def _read(records: Records, source: Source | EmbeddingFile, entry: dict[str, Any]) -> Description:
    """Return the Description of an entry. Raise InputError if it is not valid."""
    file = _file(records)
    with refused(file, "what a script has written", "delete it"):
        checked(Written, entry, f"{file}: ")
        if (entry["crop"] is None) != isinstance(source, EmbeddingFile):
            raise ValueError("crop: networks have one, files of embeddings do not")
        sizes = (entry["crop"] or {}).items()
        crop = {name: tuple(n) if isinstance(n, list) else n for name, n in sizes}
        fields = {name: entry[name] for name in Description._fields}
        return Description(**fields | {"crop": Crop(**crop) if crop else None})
