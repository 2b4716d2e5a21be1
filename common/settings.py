"""Settings: one YAML file in the folder settings/ names one run and one folder of results. This reads and checks it."""

import argparse
from pathlib import Path
from typing import NamedTuple

from common.errors import InputError
from common.imports import is_name
from common.models import PAPER, TIMM, find, models_from, read_list
from utils import DATASETS, FOLDS, MODELS, PATHS, PROTOCOLS, ROOT

PRECISIONS = ("float32", "tf32", "bf16")
TSNE_MODEL = "Contrastive"  # the paper's, in Figure 3
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
BLOCKS = {"saliency": SaliencySettings, "properties": PropertySettings, "training": TrainingSettings}
# In the file some keys are spelled otherwise than in Settings: a list of one protocol is a word there.
PLAIN = {"protocol": "paper", "models": [PAPER]} | {
    name: Settings._field_defaults[name]
    for name in ("seed", "datasets", "folds", "trunk", "device", "precision", "allow_partial", "tables")
}


def load_settings(file):
    """Read a settings file; every key and value is checked, so that a typing error never means a default."""
    import yaml  # not part of the renderer's environment

    file = Path(file)
    if not file.is_file():
        raise InputError(f"{file}: no such settings file; see the folder settings/")
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not a YAML file ({' '.join(str(error).split())})") from None
    try:
        return _settings_from(given, file.stem)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _settings_from(given, name):
    _check_keys("the settings", given, [*PLAIN, *BLOCKS, "paths"])
    values = {key: _checked_value(key, given[key], PLAIN[key]) for key in PLAIN if key in given}
    for block, kind in BLOCKS.items():
        if given.get(block) is not None:
            _check_keys(block, given[block], kind._fields)
            defaults = kind._field_defaults
            values[block] = kind(
                **{k: _checked_value(f"{block}: {k}", v, defaults[k]) for k, v in given[block].items()}
            )
    _check_keys("paths", given.get("paths", {}), PATHS)
    values["paths"] = PATHS | {key: ROOT / path for key, path in given.get("paths", {}).items()}
    values["models"] = models_from(_models_given(values.get("models", PAPER)))
    for key in {"datasets", "folds"} & values.keys():
        values[key] = [each for place, each in enumerate(values[key]) if each not in values[key][:place]]  # each once
    values["protocols"] = _protocols(_listed(values.pop("protocol", "paper")))
    settings = Settings(name=name, **values)
    _check_choices(settings)
    return settings


def _listed(value):
    return value if isinstance(value, list) else [value]


def _models_given(value):
    """The list of models, which may be in a file of its own."""
    return read_list(value) if isinstance(value, str) and value != PAPER else _listed(value)


def _protocols(names):
    for name in names:
        if name not in PROTOCOLS:
            raise InputError(f"protocol: unknown {name!r}; known: {', '.join(PROTOCOLS)}")
    return [PROTOCOLS[name] for name in dict.fromkeys(names)]


def _check_keys(where, block, known):
    if not isinstance(block, dict):
        raise InputError(f"{where} must be a block of `key: value` lines, not {block!r}")
    for key in block:
        if key not in known:
            raise InputError(f"unknown key {key!r} in {where}; known: {', '.join(known)}")


def _checked_value(key, value, default):
    """The value if it is of its default's kind; "all" where no number is meant."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_whole = isinstance(value, int) and is_number
    is_list = isinstance(value, list) and len(value) > 0
    fits, kind = {
        bool: (isinstance(value, bool), "true or false"),
        type(None): (is_whole and value > 0 or value == "all", "a whole number above zero, or all"),
        int: (is_whole and (value > 0 or key == "seed"), "a whole number above zero"),
        float: (is_number and value > 0, "a number above zero"),
        str: (isinstance(value, str) or key == "protocol" and is_list, "a word"),
        list: (is_list or key == "models" and isinstance(value, str), "a list"),
        dict: (isinstance(value, dict), "a mapping"),
    }[type(default)]
    if not fits:
        raise InputError(f"{key} is {value!r}, but must be {kind}")
    return None if default is None and value == "all" else value


def _check_choices(settings):
    choices = [
        ("datasets", settings.datasets, DATASETS),
        ("folds", settings.folds, FOLDS),
        ("device", [settings.device.split(":")[0]], ("auto", "cpu", "cuda", "mps")),
        ("precision", [settings.precision], PRECISIONS),
        ("tables", settings.tables, PLAIN["tables"]),
        ("tables", settings.tables.values(), DATASETS),
        ("properties: networks", [settings.properties.networks], DATASETS),
        ("properties: tsne_model", [settings.properties.tsne_model], [TSNE_MODEL, *(m.name for m in settings.models)]),
    ]
    if settings.trunk != BN_INCEPTION and not is_name(settings.trunk) and not settings.trunk.startswith(TIMM):
        raise InputError(f"trunk: {settings.trunk!r} is neither {BN_INCEPTION}, module:function nor timm:name")
    if not settings.tables:
        raise InputError("tables: name the dataset of at least one of Tables 2, 3 and 4")
    for key, values, known in choices:
        for value in values:
            if value not in known:
                raise InputError(f"{key}: unknown {value!r}; known: {', '.join(map(str, known))}")


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
