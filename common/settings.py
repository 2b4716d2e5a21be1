"""Settings: one YAML file in the folder settings/ names one run and one folder of results. This reads and checks it."""

import argparse
import re
from pathlib import Path
from typing import NamedTuple

from common import kinds
from common.errors import InputError
from common.imports import NAME
from common.models import PAPER, TIMM, find, models_from, read_list
from utils import DATASETS, FOLDS, MODELS, PATHS, PROTOCOLS, ROOT

PRECISIONS = ("float32", "tf32", "bf16")
TSNE_MODEL = "Contrastive"  # the paper's, in Figure 3
FEWEST_TSNE_IMAGES = 4
BN_INCEPTION = "bn_inception"  # the paper's trunk


class SaliencySettings(NamedTuple):
    images: int | None = None  # test images per dataset, evenly spaced over the test set; all of them by default
    noise_samples: int = 50  # l, noisy copies of an image
    noise_sigma: float = 0.15  # standard deviation of the noise as a share of the transformed image's value range
    batch_size: int = 10
    keep_maps: bool = True  # false: maps are deleted once compared, but for those that Figure 2 shows


class PropertySettings(NamedTuple):
    networks: str = "Cars196"  # the networks that embed the rendered cars: those trained on this dataset
    images: int | None = None  # rendered cars, evenly spaced; all of them by default
    batch_size: int = 10
    tsne_images: int = 1000
    tsne_model: str = TSNE_MODEL  # or, where the models have none of that name, the first of them


class TrainingSettings(NamedTuple):
    iterations: int = 200
    batch_size: int = 32
    learning_rate: float = 1e-4  # of the embedder; the losses' own parameters have rates of their own
    check_every: int = 20  # iterations between two looks at the validation classes


class Settings(NamedTuple):
    name: str  # the settings file's name without its ending
    protocols: list = [PROTOCOLS["paper"]]
    seed: int = 0
    models: list = MODELS
    datasets: list = ["SOP", "Cars196", "CUB200"]
    folds: list = list(FOLDS)
    trunk: str = BN_INCEPTION  # of "None" and of demo networks: the paper's, module:function or timm:name
    device: str = "auto"
    precision: str = "float32"  # of the networks; "tf32" and "bf16" are faster on a GPU, and less exact
    allow_partial: bool = False  # take of a dataset what exists, instead of refusing one that is not whole
    tables: dict = {2: "SOP", 3: "Cars196", 4: "CUB200"}  # the dataset that a table is about; others are not made
    saliency: SaliencySettings = SaliencySettings()
    properties: PropertySettings = PropertySettings()
    training: TrainingSettings | None = None  # set: the networks are demo networks, made by 2_train_models.py
    paths: dict = PATHS
    unnarrowed: "Settings | None" = None  # of narrowed settings those of the whole run

    @property
    def whole(self):
        """The settings of the whole run, which its CSV files and tables are about."""
        return self.unnarrowed or self

    @property
    def results(self):
        return self.paths["results"] / self.name

    @property
    def figures(self):
        return self.paths["figures"] / self.name

    @property
    def shown_dataset(self):
        """The dataset that Figure 2 is about: Table 2's, or else the first table's."""
        return self.tables[min(self.tables)]

    def table_folds(self, protocol):
        """The folds whose saliency maps the protocol's Tables 2-4 need."""
        return [fold for fold in self.folds if fold in protocol.table_folds]

    def check_table_folds(self):
        """Raise InputError if no fold is left to compute or compare maps of."""
        if not any(self.table_folds(protocol) for protocol in self.protocols):
            names = " and ".join(repr(protocol.name) for protocol in self.protocols)
            folds = ", ".join(str(fold) for protocol in self.protocols for fold in protocol.table_folds)
            raise InputError(f"folds {self.folds}: protocol {names} compares saliency maps of fold {folds} only")

    @property
    def note(self):
        """What a reader of any table or figure of this run has to know about its networks."""
        notes = []
        if self.training is not None:
            trunk = self.trunk.split(".")[-1]
            notes.append(f"Demo networks: embedders trained briefly on a few rendered cars, over a frozen {trunk}.")
        own = [model for model in self.whole.models if model.is_own]
        named = [f"{model.name} ({model.network or 'given embeddings'})" for model in own]
        return " ".join(notes + ([f"Not of the paper: {', '.join(named)}."] if named else []))

    def recorded(self):
        """All settings that numbers or their number may depend on, as run.json keeps them."""
        models = [_given(model) if model.is_own else model.name for model in self.models]
        names = {"protocols": [each.name for each in self.protocols], "models": models}
        blocks = {name: value._asdict() if value else None for name, value in
                  (("saliency", self.saliency), ("properties", self.properties), ("training", self.training))}  # fmt: skip
        plain = ("seed", "datasets", "folds", "trunk", "device", "precision", "allow_partial", "tables")
        return names | {name: getattr(self, name) for name in plain} | blocks


def _given(model):
    """What a settings file says of a model that is not the paper's."""
    return {name: value for name, value in model._asdict().items() if value not in (None, "", {})}


def unlike_defaults(block, *names):
    """Name -> value of the named settings, of Settings or one of its blocks, that are not at their defaults.

    In what results are made of, defaults are left out: then a setting that is new does not make old results look foreign.
    """
    return {name: getattr(block, name) for name in names if getattr(block, name) != block._field_defaults[name]}


# ---------------------------------------------------------------------------------------------------------------------
# From the YAML file.
# ---------------------------------------------------------------------------------------------------------------------
ALL = "all"  # of the images
IMAGES = kinds.either(kinds.whole(1), kinds.one_of([ALL]))
BATCH_SIZE = kinds.whole(1, 10**5)
PATH = kinds.word(re.compile(r"(?=.*\S)[^\0\n]+"), "a path")
TEXT = kinds.word(re.compile(".+"), "a word")
BLOCKS = {"saliency": SaliencySettings, "properties": PropertySettings, "training": TrainingSettings}
KINDS = {
    "protocol": kinds.either(kinds.one_of(PROTOCOLS), kinds.several_of(PROTOCOLS)),
    "seed": kinds.whole(-(2**63)),
    "models": kinds.Kind(
        lambda value: isinstance(value, (str, list)) and value, "a list of models, or the file of one"
    ),
    "datasets": kinds.several_of(DATASETS),
    "folds": kinds.several_of(FOLDS),
    "trunk": kinds.word(
        re.compile(rf"{BN_INCEPTION}|{NAME.pattern}|{TIMM}.+"), f"{BN_INCEPTION}, module:function or timm:name"
    ),
    "device": kinds.word(re.compile("auto|cpu|mps|cuda(:[0-9]{1,3})?"), "auto, cpu, cuda, cuda:<number> or mps"),
    "precision": kinds.one_of(PRECISIONS),
    "allow_partial": kinds.FLAG,
    "tables": kinds.mapping_of(
        kinds.one_of([2, 3, 4]),
        kinds.one_of(DATASETS),
        f"a block that names for one or more of 2, 3 and 4 one of {', '.join(DATASETS)}",
    ),
    "saliency": {
        "images": IMAGES,
        "noise_samples": kinds.whole(1, 10**4),
        "noise_sigma": kinds.above(0, 10),
        "batch_size": BATCH_SIZE,
        "keep_maps": kinds.FLAG,
    },
    "properties": {
        "networks": kinds.one_of(DATASETS),
        "images": IMAGES,
        "batch_size": BATCH_SIZE,
        "tsne_images": kinds.whole(FEWEST_TSNE_IMAGES),
        "tsne_model": TEXT,
    },
    "training": {
        "iterations": kinds.whole(1, 10**7),
        "batch_size": kinds.Kind(
            lambda value: kinds.whole(8, 10**5).fits(value) and value % 4 == 0,
            "a multiple of 4, from 8 to 100,000: ranking losses take four images of a class",
        ),
        "learning_rate": kinds.above(0, 10),
        "check_every": kinds.whole(1, 10**7),
    },
    "paths": dict.fromkeys(PATHS, PATH),
}
HINT = "see the folder settings/; for the paper's defaults write protocol: paper"
RUN_NAME = kinds.word(
    re.compile(r"\w[\w .+-]{0,99}"), "letters, digits, blanks and - _ . +, beginning with a letter or digit"
)


def load_settings(file):
    """Read a settings file; every key and value is checked, so that a typing error never means a default."""
    from common import yaml_files  # it needs a library that the renderer's environment has not

    file = Path(file)
    given = yaml_files.read(file, dict, HINT)
    try:
        return _settings_from(given, file.stem)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _settings_from(given, name):
    kinds.check("the file's name, which is that of its results,", name, RUN_NAME)
    given = {key: value for key, value in given.items() if not (key in BLOCKS and value is None)}
    kinds.check("", given, KINDS)
    values = {key: value for key, value in given.items() if key not in ("protocol", *BLOCKS)}
    for block in BLOCKS.keys() & given.keys():
        values[block] = BLOCKS[block](**{key: _meant(key, value) for key, value in given[block].items()})
    values["paths"] = PATHS | {key: _path(path) for key, path in given.get("paths", {}).items()}
    values["models"] = models_from(_models_given(given.get("models", PAPER)))
    values["protocols"] = [PROTOCOLS[each] for each in _listed(given.get("protocol", "paper"))]
    settings = Settings(name=name, **values)
    _check_together(settings)
    return settings


def _meant(key, value):
    return None if key == "images" and value == ALL else value


def _path(text):
    try:
        return ROOT / Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"paths: {text!r}: there is no such user") from None


def _listed(value):
    return value if isinstance(value, list) else [value]


def _models_given(value):
    """The list of models, which may be in a file of its own."""
    return read_list(value) if isinstance(value, str) and value != PAPER else _listed(value)


def _check_together(settings):
    """What values have to do with each other."""
    names = list(dict.fromkeys([TSNE_MODEL, *(model.name for model in settings.models)]))
    kinds.check("properties: tsne_model", settings.properties.tsne_model, kinds.one_of(names))
    training = settings.training
    if training and settings.properties.networks not in settings.datasets:
        raise InputError(
            f"properties: networks is {settings.properties.networks!r}, but must be one of the datasets ({', '.join(settings.datasets)}), "
            "as only their networks are trained here"
        )
    if training and training.check_every > training.iterations:
        raise InputError(
            f"training: check_every is {training.check_every}, but must be at most iterations ({training.iterations}), "
            "or no network would ever be looked at"
        )


# ---------------------------------------------------------------------------------------------------------------------
# From the command line.
# ---------------------------------------------------------------------------------------------------------------------
def narrowed(settings, models=None, datasets=None, folds=None):
    """The settings for some models, datasets or folds only; a name the settings do not have is an InputError."""

    def chosen(wanted, offered, what):
        for name in wanted or ():
            if name not in offered:
                raise InputError(f"unknown {what} {name!r}; known: {', '.join(map(str, offered))}")
        return list(dict.fromkeys(wanted)) if wanted else offered

    return settings._replace(
        models=[find(name, settings.models) for name in dict.fromkeys(models)] if models else settings.models,
        datasets=chosen(datasets, settings.datasets, "dataset"),
        folds=chosen(folds, settings.folds, "fold"),
        unnarrowed=settings.whole,
    )


def options_parser(description, long=False):
    """The options that every numbered script shares; with `long` also those of scripts that make results."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=Path, default=ROOT / "settings" / "paper.yaml", metavar="FILE",
                        help="what to run and how (default: settings/paper.yaml)")  # fmt: skip
    parser.add_argument("--models", "--losses", nargs="+", metavar="MODEL",
                        help='only these models, e.g. --models Triplet "Margin / class"')  # fmt: skip
    parser.add_argument("--datasets", nargs="+", metavar="DATASET", help="only these datasets")
    parser.add_argument("--folds", nargs="+", type=int, metavar="FOLD", help="only these folds (0 to 3)")
    parser.add_argument("--allow-partial", action="store_true", help="take of a dataset what exists")
    if long:
        parser.add_argument("--dry-run", action="store_true",
                            help="only say what is to do, how long it takes and how much disk")  # fmt: skip
        parser.add_argument("--no-wait", action="store_true",
                            help="do not wait for what other processes are at: end with status 3 and say what is left")  # fmt: skip
    return parser


def settings_from(options):
    """The settings that parsed options ask for."""
    settings = load_settings(options.settings)
    settings = settings._replace(allow_partial=settings.allow_partial or options.allow_partial)
    return narrowed(settings, options.models, options.datasets, options.folds)
