"""Settings: one YAML file in the folder settings/ names one run and one folder of results. This reads and checks it."""

import argparse
import re
from pathlib import Path
from typing import NamedTuple

from dml_analysis import schema, sweeps
from dml_analysis.checkout import PATHS, ROOT
from dml_analysis.errors import InputError
from dml_analysis.files.csv_files import MISSING_WORDS
from dml_analysis.imports import NAME
from dml_analysis.methods import PAPER, TIMM, find, models_from, read_list
from dml_analysis.paper import DATASETS, FOLDS, MODELS, PROTOCOLS, as_printed, dataset_of

PRECISIONS = ("float32", "tf32", "bf16")
TSNE_MODEL = "Contrastive"  # the paper's, in Figure 3
FEWEST_TSNE_IMAGES = 4
TUNED = [each.name for each in DATASETS.values() if each.trained_as == each.name]  # for which there are hyperparameters
# What training leaves as it is: the trunk (embedders are trained on its features, each image seen as it is), of BatchNorm
# the running statistics, as the Reality Check did, or all, or nothing.
FROZEN = ("batchnorm_statistics", "batchnorm", "trunk", "nothing")
# Batches as the Reality Check's sampler gives them: each class in turn, over all of them, so that what a batch has of each is
# only about right. Or as one would expect: of some classes, so many images each.
SAMPLERS = ("original", "strict")
# What becomes of an image before it is trained on; see dml_analysis/training/augmentation.py.
AUGMENTATIONS = ("reality_check", "base", "adv", "big", "red", "none")
# How batches are filled; see dml_analysis/training/batch_sampler.py and fillers.py. All but the first two go by the embeddings of the last look.
FILLERS = ("classes", "uniform", "greedy_coreset", "d2_coreset", "fid_matched", "distance_histogram_matched")
BY_EMBEDDINGS = FILLERS[2:]
RHO_FORMS = ("push", "swap")  # see dml_analysis/training/roth/rho_regularization.py
OPTIMIZERS = ("RMSprop", "Adam", "AdamW", "SGD")
MOST_RATES = 10
BN_INCEPTION = "bn_inception"  # the paper's trunk
DIMENSIONS = 128  # of the embeddings of the paper's models, whatever their trunk


class SaliencySettings(NamedTuple):
    images: int | None = None  # test images per dataset, evenly spaced over the test set; all of them by default
    noise_samples: int = 50  # l, noisy copies of an image
    noise_sigma: float = 0.15  # standard deviation of the noise as a share of the transformed image's value range
    batch_size: int = 25  # see paper.yaml
    keep_maps: bool = True  # false: maps are deleted once compared, but for those that Figure 2 shows


class PropertySettings(NamedTuple):
    networks: str = "Cars196"  # the networks that embed the rendered cars: those trained on this dataset
    images: int | None = None  # rendered cars, evenly spaced; all of them by default
    batch_size: int = 25
    tsne_images: int = 1000
    tsne_model: str = TSNE_MODEL  # or, where the models have none of that name, the first of them


class CauseSettings(NamedTuple):
    scenes: int | None = None  # counterfactual ones, the first so many; all of them by default
    mapped_scenes: int = 20  # of which saliency maps are made
    pairs: int = 6  # of a car and its wrong neighbour, that are explained,
    pair_models: int = 4  # under so many models, evenly spaced over the trained ones
    randomised_models: int = 15  # whose weights are made random layer by layer, evenly spaced over all,
    randomised_images: int = 8  # for maps of so many images


class ControlSettings(NamedTuple):
    images: int = 24  # per dataset, of which maps under other noise and of random weights are made
    random_networks: int = 3
    permutations: int = 1000  # of the labels, for what NR-Precision is by chance
    vary: bool = True  # whether maps of these are made with other sigmas, samples, base images, too
    varied_sigmas: list = [0.05, 0.15, 0.3]
    varied_samples: list = [6, 12, 25]  # fewer than the settings' noise_samples


class ClusterSettings(NamedTuple):
    """What a task of a job array asks of a Slurm cluster (--executor slurm); what is None is left to the cluster."""

    tasks: int = 8  # that may run at once
    hours: float = 24  # of a task; one that needs more is put back into the queue, and goes on
    gpus: int = 1  # of a task; 0 for none
    cpus: int = 8
    memory: float | None = None  # GB
    partition: str | None = None
    account: str | None = None
    setup: list = []  # lines of shell that come first, such as `module load cuda`
    sbatch: dict = {}  # further options of sbatch, such as {qos: long}


class TrainingSettings(NamedTuple):
    """How networks are trained here; by default as the Reality Check trained its own."""

    frozen: str = "batchnorm_statistics"  # see FROZEN
    optimizer: str = "RMSprop"  # of torch.optim
    # Of trunk and embedder. A list of several: each is tried on the first fold, and the best by its validation classes taken.
    learning_rate: float | list = 1e-6
    embedder_learning_rate: float | None = None  # by default that of the trunk
    weight_decay: float = 1e-4
    momentum: float = 0.9  # of optimizers that have one
    batch_size: int = 32
    sampler: str = "original"  # see SAMPLERS
    images_per_class: int | None = None  # in a batch; by default the loss's
    filler: str = "classes"  # see FILLERS
    augmentation: str = "reality_check"  # see AUGMENTATIONS
    embedding_dimensions: int = DIMENSIONS
    rho: float = 0  # share of a ranking loss's tuples that rho-regularisation switches,
    rho_form: str = "swap"  # and how; see RHO_FORMS
    iterations: int = 100_000  # at most
    check_every: int | None = None  # iterations between two looks at the validation classes; by default the dataset's
    patience: int | None = None  # iterations after the best look at which it stops; by default the dataset's
    hyperparameters: str | None = (
        None  # the dataset whose hyperparameters the losses take; by default as paper.DATASETS says
    )
    keep_embeddings: bool = True  # of all images at every look, for whoever asks about the course of a training
    workers: int | None = None  # processes that read and augment images; by default as many as suit the machine
    decoded: float = 2  # GB of images that are kept in memory, decoded; on Linux

    @property
    def learning_rates(self):
        return self.learning_rate if isinstance(self.learning_rate, list) else [self.learning_rate]

    def rhythm(self, dataset):
        """(check_every, patience) in iterations, where they are not set those of the Reality Check for the dataset."""
        known = DATASETS[self.hyperparameters] if self.hyperparameters else dataset_of(dataset)
        return self.check_every or known.check_every, self.patience or known.patience


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
    causes: CauseSettings = CauseSettings()
    controls: ControlSettings = ControlSettings()
    cluster: ClusterSettings = ClusterSettings()
    training: TrainingSettings | None = None  # set: reality_check/2_train_models.py trains the networks
    paths: dict = PATHS
    unnarrowed: "Settings | None" = None  # of narrowed settings those of the whole run
    sweep: list = []  # of sweeps.Variant; such settings are several runs, and long scripts make them all
    base_names: dict = {}  # factor of the sweep -> the name of the value that the file itself has

    @property
    def variants(self):
        """The settings of every run that they describe."""
        return [variant.settings for variant in self.sweep] or [self]

    @property
    def dimensions(self):
        """Of the embeddings of all networks whose embedders are in the Reality Check's layout, or trained here."""
        return (self.training or TrainingSettings()).embedding_dimensions

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
            what = f"embedders over a frozen {trunk}" if self.training.frozen == "trunk" else f"{trunk}, all of it"
            datasets = ", ".join(self.whole.datasets)
            notes.append(f"Networks trained here, not the Reality Check's: {what}, on {datasets}.")
        own = [model for model in self.whole.models if model.is_own]
        named = [f"{model.name} ({model.network or model.loss or 'given embeddings'})" for model in own]
        return " ".join(notes + ([f"Not of the paper: {', '.join(named)}."] if named else []))

    def recorded(self):
        """All settings that numbers or their number may depend on, as run.json keeps them."""
        models = [_given(model) if model.is_own else model.name for model in self.models]
        names = {"protocols": [each.name for each in self.protocols], "models": models}
        blocks = {name: value._asdict() if value else None for name, value in
                  ((name, getattr(self, name)) for name in BLOCKS if name != "cluster")}  # fmt: skip
        plain = ("seed", "datasets", "folds", "trunk", "device", "precision", "allow_partial", "tables")
        swept = {"sweep": [variant[:3] for variant in self.sweep]} if self.sweep else {}
        return names | {name: getattr(self, name) for name in plain} | blocks | swept


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


def _each_once(value, kind):
    return isinstance(value, list) and value and all(map(kind.fits, value)) and len(set(value)) == len(value)


IMAGES = schema.either(schema.whole(1), schema.one_of([ALL]))
BATCH_SIZE = schema.whole(1, 10**5)
PATH = schema.word(re.compile(r"(?=.*\S)[^\0\n]+"), "a path")
TEXT = schema.word(re.compile(".+"), "a word")
WORD = schema.Kind(
    lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z]\w{0,39}", value) and value not in MISSING_WORDS,
    "a word of letters, digits and _, not one such as NA that reads as a missing value in CSV files",
)
OPTION = schema.word(re.compile("[a-z][a-z-]{0,39}"), "an option of sbatch")
RATE = schema.above(0, 10)
BLOCKS = {
    "saliency": SaliencySettings, "properties": PropertySettings, "causes": CauseSettings, "controls": ControlSettings,
    "cluster": ClusterSettings, "training": TrainingSettings,
}  # fmt: skip
KINDS = {
    "protocol": schema.either(schema.one_of(PROTOCOLS), schema.several_of(PROTOCOLS)),
    "seed": schema.whole(-(2**63)),
    "models": schema.Kind(
        lambda value: isinstance(value, (str, list)) and value, "a list of models, or the file of one"
    ),
    "datasets": schema.Kind(
        lambda value: (
            isinstance(value, list) and value and all(map(WORD.fits, value)) and len(set(value)) == len(value)
        ),
        f"a list, each once, of {', '.join(DATASETS)} and names of datasets of your own (letters, digits and _, not NA or the like)",
    ),
    "folds": schema.several_of(FOLDS),
    "trunk": schema.word(
        re.compile(rf"{BN_INCEPTION}|{NAME.pattern}|{TIMM}.+"), f"{BN_INCEPTION}, module:function or timm:name"
    ),
    "device": schema.word(re.compile("auto|cpu|mps|cuda(:[0-9]{1,3})?"), "auto, cpu, cuda, cuda:<number> or mps"),
    "precision": schema.one_of(PRECISIONS),
    "allow_partial": schema.FLAG,
    "tables": schema.mapping_of(
        schema.one_of([2, 3, 4]),
        WORD,
        "a block that names for one or more of 2, 3 and 4 a dataset",
    ),
    "saliency": {
        "images": IMAGES,
        "noise_samples": schema.whole(1, 10**4),
        "noise_sigma": schema.above(0, 10),
        "batch_size": BATCH_SIZE,
        "keep_maps": schema.FLAG,
    },
    "properties": {
        "networks": WORD,
        "images": IMAGES,
        "batch_size": BATCH_SIZE,
        "tsne_images": schema.whole(FEWEST_TSNE_IMAGES),
        "tsne_model": TEXT,
    },
    "causes": {
        "scenes": schema.either(schema.whole(2), schema.one_of([ALL])),
        "mapped_scenes": schema.whole(1),
        "pairs": schema.whole(1, 1000),
        "pair_models": schema.whole(1, 1000),
        "randomised_models": schema.whole(1, 1000),
        "randomised_images": schema.whole(1),
    },
    "controls": {
        "images": schema.whole(1),
        "random_networks": schema.whole(1, 100),
        "permutations": schema.whole(20, 10**6),
        "vary": schema.FLAG,
        "varied_sigmas": schema.Kind(
            lambda value: _each_once(value, schema.above(0, 10)), "a list of numbers above 0, each once"
        ),
        "varied_samples": schema.Kind(
            lambda value: _each_once(value, schema.whole(1, 10**4)), "a list of whole numbers, each once"
        ),
    },
    "cluster": {
        "tasks": schema.whole(1, 1000),
        "hours": schema.above(0, 10**4),
        "gpus": schema.whole(0, 64),
        "cpus": schema.whole(1, 10**4),
        "memory": schema.above(0, 10**5),
        "partition": TEXT,
        "account": TEXT,
        "setup": schema.Kind(
            lambda value: isinstance(value, list) and all(map(TEXT.fits, value)), "a list of lines of shell"
        ),
        "sbatch": schema.Kind(
            lambda value: isinstance(value, dict) and all(map(OPTION.fits, value)),
            "a block of options of sbatch, without --",
        ),
    },
    "training": {
        "frozen": schema.one_of(FROZEN),
        "optimizer": schema.one_of(OPTIMIZERS),
        "learning_rate": schema.Kind(
            lambda value: (
                RATE.fits(value)
                or (
                    isinstance(value, list)
                    and 0 < len(value) <= MOST_RATES
                    and all(map(RATE.fits, value))
                    and len(set(value)) == len(value)
                )
            ),
            f"{RATE.words}, or a list of at most {MOST_RATES}, each once",
        ),
        "embedder_learning_rate": RATE,
        "weight_decay": schema.between(0, 10),
        "momentum": schema.Kind(
            lambda value: type(value) in (int, float) and 0 <= value < 1, "a number from 0 to 1, without 1"
        ),
        "batch_size": schema.whole(2, 10**5),
        "sampler": schema.one_of(SAMPLERS),
        "images_per_class": schema.whole(1, 10**5),
        "filler": schema.one_of(FILLERS),
        "augmentation": schema.one_of(AUGMENTATIONS),
        "embedding_dimensions": schema.whole(1, 10**5),
        "rho": schema.between(0, 1),
        "rho_form": schema.one_of(RHO_FORMS),
        "iterations": schema.whole(1, 10**7),
        "check_every": schema.whole(1, 10**7),
        "patience": schema.whole(1, 10**7),
        "hyperparameters": schema.one_of(TUNED),
        "keep_embeddings": schema.FLAG,
        "workers": schema.whole(0, 256),
        "decoded": schema.between(0, 10**4),
    },
    "paths": dict.fromkeys(PATHS, PATH),
}
HINT = "see the folder settings/; for the paper's defaults write protocol: paper"
RUN_NAME = schema.word(
    re.compile(r"\w[\w .+-]{0,99}"), "letters, digits, blanks and - _ . +, beginning with a letter or digit"
)


def load_settings(file):
    """Read a settings file; every key and value is checked, so that a typing error never means a default."""
    from dml_analysis.files import yaml_files  # it needs a library that the renderer's environment has not

    file = Path(file)
    given = yaml_files.read(file, dict, HINT)
    try:
        schema.check("the file's name, which is that of its results,", file.stem, RUN_NAME)
        if "sweep" not in given:
            return _settings_from(given, file.stem)
        sweep = given.pop("sweep")
        swept, base = sweeps.variants(sweep, given, file.stem, _settings_from), _settings_from(given, file.stem)
        return base._replace(sweep=swept, base_names=sweeps.base_names(sweep))
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _settings_from(given, name):
    given = {key: value for key, value in given.items() if not (key in BLOCKS and value is None)}
    schema.check("", given, KINDS | {"paths": KINDS["paths"] | _own_paths(given.get("datasets"))})
    values = {key: value for key, value in given.items() if key not in ("protocol", *BLOCKS)}
    for block in BLOCKS.keys() & given.keys():
        values[block] = BLOCKS[block](**{key: _meant(key, value) for key, value in given[block].items()})
    values["paths"] = PATHS | {key: _path(path) for key, path in given.get("paths", {}).items()}
    _check_names(values["paths"], {"datasets": Settings._field_defaults["datasets"]} | given)
    values["models"] = models_from(_models_given(given.get("models", PAPER)))
    values["protocols"] = [PROTOCOLS[each] for each in _listed(given.get("protocol", "paper"))]
    settings = Settings(name=name, **values)
    _check_together(settings)
    return settings


def _own_paths(datasets):
    """What the values of `paths` may be for datasets of one's own."""
    return dict.fromkeys(filter(WORD.fits, datasets) if isinstance(datasets, list) else (), PATH)


def _meant(key, value):
    if key == "tsne_model":
        return as_printed(value)
    return None if key in ("images", "scenes") and value == ALL else value


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


def _check_names(paths, given):
    """Raise InputError unless all datasets that the settings name are known, or have a path."""
    for name in given["datasets"]:
        if name not in paths:
            raise InputError(
                f"datasets: {name!r} is none of {', '.join(DATASETS)}; for one of your own, give its folder in `paths`"
            )
    named = {f"tables: {number}": name for number, name in given.get("tables", {}).items()}
    if "networks" in given.get("properties", {}):
        named["properties: networks"] = given["properties"]["networks"]
    for where, name in named.items():
        if name not in DATASETS and name not in given["datasets"]:
            raise InputError(
                f"{where} is {name!r}, but must be one of {', '.join(dict.fromkeys([*DATASETS, *given['datasets']]))}"
            )


def _check_together(settings):
    """What values have to do with each other."""
    known = dict.fromkeys([*DATASETS, *settings.datasets])
    for model in settings.models:
        for name in model.embeddings:
            if name not in known:
                raise InputError(f"models: {model.name!r}: embeddings of {name!r}, which is none of {', '.join(known)}")
    names = list(dict.fromkeys([TSNE_MODEL, *(model.name for model in settings.models)]))
    schema.check("properties: tsne_model", settings.properties.tsne_model, schema.one_of(names))
    training = settings.training
    if training and settings.properties.networks not in settings.datasets:
        raise InputError(
            f"properties: networks is {settings.properties.networks!r}, but must be one of the datasets ({', '.join(settings.datasets)}), "
            "as only their networks are trained here"
        )
    if training and training.check_every and training.check_every > training.iterations:
        raise InputError(
            f"training: check_every is {training.check_every}, but must be at most iterations ({training.iterations}), "
            "or no network would ever be looked at"
        )
    if training and training.filler in BY_EMBEDDINGS and not training.keep_embeddings:
        raise InputError(
            f"training: filler {training.filler} goes by the embeddings of looks; set keep_embeddings: true"
        )
    if any(model.loss for model in settings.models) and not training:
        names = ", ".join(model.name for model in settings.models if model.loss)
        raise InputError(f"models: {names}: a `loss` is for training; add a `training:` block to the settings")


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
        models=[find(name, settings.models) for name in dict.fromkeys(map(as_printed, models))]
        if models
        else settings.models,
        datasets=chosen(datasets, settings.datasets, "dataset"),
        folds=chosen(folds, settings.folds, "fold"),
        unnarrowed=settings.whole,
        sweep=[
            variant._replace(settings=narrowed(variant.settings, models, datasets, folds)) for variant in settings.sweep
        ],
    )


NARROWING = ("models", "datasets", "folds")  # the options by which a script does a part of what the settings say


def options_parser(description, long=False, sweeps=False, narrowing=()):
    """The options that every numbered script shares; with `long` also those of scripts that make results.

    Tables, figures and statistics are about the whole settings. So only these take options of NARROWING: long scripts, whose
    results add up; scripts that write files of their own for each dataset, datasets; and those that write nothing of a run.
    sweeps: whether it takes settings that describe several runs, as all long ones do.
    """
    narrowing = NARROWING if long else narrowing
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=Path, default=ROOT / "settings" / "paper.yaml", metavar="FILE",
                        help="what to run and how (default: settings/paper.yaml)")  # fmt: skip
    if "models" in narrowing:
        parser.add_argument("--models", "--losses", nargs="+", metavar="MODEL",
                            help='only these models, e.g. --models Triplet "Margin / class"')  # fmt: skip
    if "datasets" in narrowing:
        parser.add_argument("--datasets", nargs="+", metavar="DATASET", help="only these datasets")
    if "folds" in narrowing:
        parser.add_argument("--folds", nargs="+", type=int, metavar="FOLD", help="only these folds (0 to 3)")
    parser.add_argument("--allow-partial", action="store_true", help="take of a dataset what exists")
    parser.set_defaults(sweeps=sweeps or long, **dict.fromkeys(NARROWING))
    if long:
        parser.add_argument("--dry-run", action="store_true",
                            help="print what is missing and how much disk it takes, then exit")  # fmt: skip
        parser.add_argument("--no-wait", action="store_true",
                            help="do not wait for chunks that other processes make; exit with status 3")  # fmt: skip
        parser.add_argument("--executor", choices=["local", "slurm"], default="local",
                            help="slurm: submit what is missing as a job array, see `cluster` in the settings and CLUSTER.md")  # fmt: skip
    return parser


def settings_from(options):
    """The settings that parsed options ask for."""
    settings = load_settings(options.settings)
    if settings.sweep and not options.sweeps:
        raise InputError(
            f"{options.settings}: is a sweep, of which this script can show nothing; take a file without `sweep`"
        )
    if options.allow_partial:
        swept = [each._replace(settings=each.settings._replace(allow_partial=True)) for each in settings.sweep]
        settings = settings._replace(allow_partial=True, sweep=swept)
    return narrowed(settings, options.models, options.datasets, options.folds)
