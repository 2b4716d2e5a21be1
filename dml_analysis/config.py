"""Settings of a run, read from a YAML file and checked."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    InstanceOf,
    field_validator,
    model_validator,
)

from dml_analysis import sweeps
from dml_analysis.blocks import Block, EachOnce, Number, checked, each_once, text, unknown_key
from dml_analysis.checkout import PATHS, ROOT
from dml_analysis.checksums import Records
from dml_analysis.errors import InputError
from dml_analysis.files import yaml_files
from dml_analysis.files.csv_files import MISSING_WORDS
from dml_analysis.imports import NAME
from dml_analysis.methods import TIMM, models_from
from dml_analysis.paper import (
    DATASETS,
    FOLDS,
    MODELS,
    PROTOCOLS,
    RENDERED,
    Model,
    Protocol,
    as_printed,
    dataset_of,
)

TSNE_MODEL = "Contrastive"  # the paper's, in Figure 3
FEWEST_TSNE_IMAGES = 4
OWN = "; for images of your own, give their folder in `paths`"
BN_INCEPTION = "bn_inception"  # the paper's trunk
DIMENSIONS = 128  # of the embeddings of the paper's models, whatever their trunk
MAX_RATES = 10

# What training does not change: the trunk (embedders are trained on its features of images without
# augmentation), BatchNorm's running statistics (as in the Reality Check), all of BatchNorm, or nothing.
Frozen = Literal["batchnorm_statistics", "batchnorm", "trunk", "nothing"]
# "original": batches as from the Reality Check's sampler, which cycles over all classes, so that a
# batch has only roughly the set number of images per class. "strict": exactly that number.
Sampler = Literal["original", "strict"]
Schedule = Literal["constant", "cosine"]  # of learning rates
# See dml_analysis/training/augmentation.py.
Augmentation = Literal["reality_check", "base", "adv", "big", "red", "none"]
# How batches are sampled; see dml_analysis/training/class_batches.py and roth/batch_samplers.py. All
# but the first two use the embeddings of the last validation step.
Filler = Literal[
    "classes",
    "uniform",
    "greedy_coreset",
    "d2_coreset",
    "fid_matched",
    "distance_histogram_matched",
]
RhoForm = Literal["push", "swap"]  # see dml_analysis/training/roth/rho_regularization.py
AUGMENTATIONS, FILLERS, RHO_FORMS = map(get_args, (Augmentation, Filler, RhoForm))
# Which weights of each training the networks are: those of the best validation step, or of the first
# that reached training.reached.
CheckpointName = Literal["best", "reached"]
BY_EMBEDDINGS = FILLERS[2:]
CHECKPOINTS = get_args(CheckpointName)
# Of the training settings, those that are no part of a run's provenance: the learning rate and the
# hyperparameters have keys of their own, the others do not change the weights.
NOT_IN_PROVENANCE = ("learning_rate", "trial_fold", "hyperparameters", "keep_embeddings", "workers")


# --------------------------------------------------------------------------------------------------
# Kinds of values.
# --------------------------------------------------------------------------------------------------
def _path(given: Any) -> Any:
    """Return a text as a path, relative to the checkout unless it is absolute."""
    if not isinstance(given, str | Path) or not str(given).strip() or set(str(given)) & set("\0\n"):
        raise ValueError("a path")
    try:
        return ROOT / Path(given).expanduser()
    except RuntimeError:
        raise ValueError("the home folder of a user that exists") from None


def _rates(given: Any) -> Any:
    """Return a learning rate or a list of them."""
    rates = given if isinstance(given, list) else [given]
    if (
        not rates
        or len(rates) > MAX_RATES
        or not all(type(rate) in (int, float) and 0 < rate <= 10 for rate in rates)
    ):
        raise ValueError(f"a number above 0, at most 10, or a list of at most {MAX_RATES}")
    each_once(rates)
    return given


Count = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=1, le=10**5)]
Positive = Annotated[Number, Field(gt=0, le=10)]
Factor = Annotated[Number, Field(gt=0, le=10**6)]
Fold = Annotated[int, Field(ge=0, lt=len(FOLDS))]
Images = Annotated[Count | None, BeforeValidator(lambda given: None if given == "all" else given)]
Word = Annotated[str, text(".+", "a word")]
NAMED = (
    "a name of letters, digits and _, not one such as NA that reads as a missing value in CSV files"
)
DatasetName = Annotated[str, text(r"[A-Za-z]\w{0,39}", NAMED, MISSING_WORDS)]
TRUNKS = f"{BN_INCEPTION}, module:function or timm:name"
Trunk = Annotated[str, text(rf"{BN_INCEPTION}|{NAME.pattern}|{TIMM}.+", TRUNKS)]
Device = Annotated[
    str, text("auto|cpu|mps|cuda(:[0-9]{1,3})?", "auto, cpu, cuda, cuda:<number> or mps")
]
Option = Annotated[str, text("[a-z][a-z-]{0,39}", "an option of sbatch, without --")]


# --------------------------------------------------------------------------------------------------
# The blocks.
# --------------------------------------------------------------------------------------------------
class SaliencySettings(Block):
    """The block `saliency`."""

    images: Images = None  # test images per dataset, evenly spaced; all of them by default
    noise_samples: int = Field(50, ge=1, le=10**4)  # noisy copies of an image
    # Standard deviation of the noise, as a share of the transformed image's value range.
    noise_sigma: Positive = 0.15
    batch_size: BatchSize = 25  # see paper.yaml
    # false: maps are deleted once they are compared, except those that Figure 2 shows.
    keep_maps: bool = True

    @classmethod
    def in_provenance(cls) -> tuple[str, ...]:
        """Return the settings that provenance has, unless they are at their defaults."""
        return ("noise_samples", "noise_sigma")


class PropertySettings(Block):
    """The block `properties`."""

    # Whose images are embedded: rendered cars, or a folder of your own; see docs/own_properties.md.
    dataset: DatasetName = RENDERED[0]
    networks: DatasetName = "Cars196"  # the dataset whose networks embed them
    images: Images = None  # of them, evenly spaced; all of them by default
    batch_size: BatchSize = 25
    tsne_images: int = Field(1000, ge=FEWEST_TSNE_IMAGES)
    # If the models have none of that name, the first one is used.
    tsne_model: Annotated[Word, AfterValidator(as_printed)] = TSNE_MODEL

    @property
    def of_cars(self) -> bool:
        """Return whether the images are rendered cars, whose properties are Table 5's."""
        return self.dataset in RENDERED

    @property
    def images_called(self) -> str:
        """Return what tables, figures and messages call the images."""
        return "rendered cars" if self.of_cars else f"images of {self.dataset}"


class CauseSettings(Block):
    """The block `causes`."""

    # Counterfactual sets, the first so many; all of them by default.
    sets: Annotated[Images, Field(ge=2)] = None
    mapped_sets: Count = 20  # counterfactual sets with saliency maps
    pairs: int = Field(6, ge=1, le=1000)  # explained pairs of a car and its wrong neighbour
    pair_models: int = Field(4, ge=1, le=1000)  # that explain them, evenly spaced over trained ones
    # Models whose weights are made random layer by layer, evenly spaced; and images of their maps.
    randomised_models: int = Field(15, ge=1, le=1000)
    randomised_images: Count = 8


class ControlSettings(Block):
    """The block `controls`."""

    images: Count = 24  # per dataset, with maps under other noise and of random weights
    random_networks: int = Field(3, ge=1, le=100)
    permutations: int = Field(1000, ge=20, le=10**6)  # of the labels, for NR-Precision by chance
    vary: bool = True  # whether to make maps with other sigmas, samples and base images, too
    varied_sigmas: Annotated[list[Positive], EachOnce] = [0.05, 0.15, 0.3]
    # Fewer than the settings' noise_samples.
    varied_samples: Annotated[list[Annotated[int, Field(ge=1, le=10**4)]], EachOnce] = [6, 12, 25]


class ClusterSettings(Block):
    """What each task of a job array requests of Slurm (--executor slurm); None: Slurm's default."""

    tasks: int = Field(8, ge=1, le=1000)  # that may run at once
    # A task that needs more is put back into the queue and continues.
    hours: Number = Field(24, gt=0, le=10**4)
    gpus: int = Field(1, ge=0, le=64)
    cpus: int = Field(8, ge=1, le=10**4)
    memory: Number | None = Field(None, gt=0, le=10**5)  # GB
    partition: Word | None = None
    account: Word | None = None
    setup: list[Word] = []  # shell lines that run first, such as `module load cuda`
    sbatch: dict[Option, Any] = {}  # further options of sbatch, such as {qos: long}


class MethodRates(Block):
    """Learning rates of one method, instead of those of the block `training`."""

    learning_rate: Annotated[Any, AfterValidator(_rates)] | None = None
    loss_rate_factor: Factor | None = None


class TrainingSettings(Block):
    """How networks are trained; the defaults are the Reality Check's."""

    frozen: Frozen = "batchnorm_statistics"
    optimizer: Literal["RMSprop", "Adam", "AdamW", "SGD"] = "RMSprop"  # of torch.optim
    # Of trunk and embedder. If a list, each is tried on the first fold, and the best by its validation
    # classes is used.
    learning_rate: Annotated[Any, AfterValidator(_rates)] = 1e-6
    embedder_learning_rate: Positive | None = None  # by default that of the trunk
    # Of a loss's own parameters, such as class vectors, as a multiple of the Reality Check's rate, or
    # of the loss_learning_rate of a loss that the settings name.
    loss_rate_factor: Factor = 1
    by_method: dict[str, MethodRates] = {}  # method -> its rates, where they differ from these
    # The fold on which several learning rates are tried; by default the settings' first.
    trial_fold: Fold | None = None
    # Over so many iterations all learning rates rise linearly from zero; then they follow the schedule:
    # "cosine" takes them down to zero, over all iterations.
    warmup_iterations: int = Field(0, ge=0, le=10**7)
    schedule: Schedule = "constant"
    # From each of the trunk's layers to the one before it, the learning rate is multiplied by this.
    layer_decay: Number = Field(1, gt=0, le=1)
    gradient_clipping: Number | None = Field(None, gt=0, le=10**6)  # maximum norm of the network's
    weight_decay: Number = Field(1e-4, ge=0, le=10)
    momentum: Number = Field(0.9, ge=0, lt=1)  # of optimizers that have one
    batch_size: int = Field(32, ge=2, le=10**5)
    sampler: Sampler = "original"
    images_per_class: BatchSize | None = None  # in a batch; by default the loss's
    filler: Filler = "classes"
    augmentation: Augmentation = "reality_check"
    embedding_dimensions: int = Field(DIMENSIONS, ge=1, le=10**5)
    # Share of a ranking loss's tuples that rho-regularisation switches, and how.
    rho: Number = Field(0, ge=0, le=1)
    rho_form: RhoForm = "swap"
    iterations: int = Field(100_000, ge=1, le=10**7)  # at most
    # Iterations between two validation steps, and after the best checkpoint until training stops; by
    # default the dataset's.
    check_every: int | None = Field(None, ge=1, le=10**7)
    patience: int | None = Field(None, ge=1, le=10**7)
    # If set, the weights of the first validation step whose MAP@R is at least this are saved, too.
    reached: Number | None = Field(None, gt=0, le=1)
    # The dataset whose hyperparameters the losses take; by default as paper.DATASETS says.
    hyperparameters: Literal["SOP", "Cars196", "CUB200"] | None = None
    keep_embeddings: bool = True  # of all images at every validation step
    # Processes that read images; by default as many as suit the machine.
    workers: int | None = Field(None, ge=0, le=256)

    @classmethod
    def in_provenance(cls) -> tuple[str, ...]:
        """Return the settings that provenance has, unless they are at their defaults."""
        return tuple(name for name in cls.model_fields if name not in NOT_IN_PROVENANCE)

    @property
    def learning_rates(self) -> list[float]:
        """Return the learning rates to try."""
        return self.learning_rate if isinstance(self.learning_rate, list) else [self.learning_rate]

    def of_method(self, name: str) -> "TrainingSettings":
        """Return the settings with a method's own rates."""
        rates = self.by_method.get(name, MethodRates()).model_dump(exclude_none=True)
        return self.model_copy(update=rates | {"by_method": {}})

    def rhythm(self, dataset: str) -> tuple[int, int]:
        """Return check_every and patience in iterations; by default the Reality Check's."""
        known = DATASETS[self.hyperparameters] if self.hyperparameters else dataset_of(dataset)
        return self.check_every or known.check_every, self.patience or known.patience

    @model_validator(mode="after")
    def _check_together(self) -> "TrainingSettings":
        if self.check_every and self.check_every > self.iterations:
            raise InputError(
                f"training.check_every: {self.check_every} is more than iterations "
                f"({self.iterations}), so no network would ever be validated; lower it"
            )
        if self.filler in BY_EMBEDDINGS and not self.keep_embeddings:
            raise InputError(
                f"training.filler: {self.filler} needs the embeddings of validation steps; set keep_embeddings: true"
            )
        methods = [self, *map(self.of_method, self.by_method)]
        rates = [rate for method in methods for rate in method.learning_rates]
        rate = max(*rates, self.embedder_learning_rate or 0)
        if rate > 1 and self.optimizer != "SGD":
            raise InputError(
                f"training: a learning rate of {rate:g} cannot work, because a step of "
                f"{self.optimizer} changes each weight by about so much; give at most 1"
            )
        if self.warmup_iterations >= self.iterations:
            raise InputError(
                f"training.warmup_iterations: {self.warmup_iterations} is not less than iterations "
                f"({self.iterations}), so the learning rate would never be reached; lower it"
            )
        if self.layer_decay != 1 and self.frozen == "trunk":
            raise InputError(
                "training.layer_decay: the layers of a frozen trunk have no learning rates; leave it out"
            )
        return self


class Settings(Block):
    """The settings of a run, in an own folder of results."""

    name: str = Field(exclude=True)  # the settings file's name without its ending
    protocols: list[InstanceOf[Protocol]] = Field([PROTOCOLS["paper"]], alias="protocol")
    seed: int = Field(0, ge=-(2**63), lt=2**63)
    models: list[InstanceOf[Model]] = MODELS
    datasets: Annotated[list[DatasetName], EachOnce] = ["SOP", "Cars196", "CUB200"]
    folds: Annotated[list[Fold], EachOnce] = list(FOLDS)
    trunk: Trunk = BN_INCEPTION  # of "None" and of demo networks
    device: Device = "auto"
    allow_partial: bool = False  # use incomplete datasets, instead of refusing them
    # The dataset that each table is about; other tables are not made.
    tables: dict[Literal[2, 3, 4], DatasetName] = Field(
        {2: "SOP", 3: "Cars196", 4: "CUB200"}, min_length=1
    )
    saliency: SaliencySettings = SaliencySettings()
    properties: PropertySettings = PropertySettings()
    causes: CauseSettings = CauseSettings()
    controls: ControlSettings = ControlSettings()
    cluster: ClusterSettings = ClusterSettings()
    # If set, reality_check/2_train_models.py trains the networks.
    training: TrainingSettings | None = None
    checkpoint: CheckpointName = "best"
    paths: dict[str, Annotated[Path, BeforeValidator(_path)]] = PATHS
    unnarrowed: "Settings | None" = Field(None, exclude=True)  # of narrowed settings: all of them
    sweep: list[sweeps.Variant] = []  # several runs, all of which long scripts make
    # Factor -> the name of the value that the file itself has.
    base_names: dict[str, str] = Field({}, exclude=True)

    @classmethod
    def in_provenance(cls) -> tuple[str, ...]:
        """Return the settings that provenance has, unless they are at their defaults."""
        return ("seed",)

    @property
    def variants(self) -> "list[Settings]":
        """Return the settings of every run that they describe."""
        return [variant.settings for variant in self.sweep] or [self]

    @property
    def dimensions(self) -> int:
        """Return the dimensions of embeddings in the Reality Check's layout, or trained here."""
        return (self.training or TrainingSettings()).embedding_dimensions

    @property
    def whole(self) -> "Settings":
        """Return the settings of the complete run, which its CSV files and tables are about."""
        return self.unnarrowed or self

    @property
    def results(self) -> Path:
        """Return the folder of results."""
        return self.paths["results"] / self.name

    @property
    def records(self) -> Records:
        """Return where the digests of inputs are recorded."""
        return Records(self.results, self.paths["models"])

    @property
    def figures(self) -> Path:
        """Return the folder of figures."""
        return self.paths["figures"] / self.name

    @property
    def shown_dataset(self) -> str:
        """Return the dataset of Figure 2: Table 2's, or else the first table's."""
        return self.tables[min(self.tables)]

    def table_folds(self, protocol: Protocol) -> list[int]:
        """Return the folds whose saliency maps the protocol's Tables 2-4 need."""
        return [fold for fold in self.folds if fold in protocol.table_folds]

    def check_table_folds(self) -> None:
        """Raise InputError if no protocol compares maps of the settings' folds."""
        if not any(self.table_folds(protocol) for protocol in self.protocols):
            names = " and ".join(repr(protocol.name) for protocol in self.protocols)
            folds = ", ".join(
                str(fold) for protocol in self.protocols for fold in protocol.table_folds
            )
            raise InputError(
                f"folds {self.folds}: protocol {names} compares saliency maps of fold {folds} only"
            )

    @property
    def note(self) -> str:
        """Return what readers of tables and figures must know about the networks; may be empty."""
        notes = []
        if self.training is not None:
            trunk = self.trunk.split(".")[-1]
            what = (
                f"embedders over a frozen {trunk}"
                if self.training.frozen == "trunk"
                else f"{trunk}, all of it"
            )
            datasets = ", ".join(self.whole.datasets)
            notes.append(f"Networks trained here, not the Reality Check's: {what}, on {datasets}.")
            if self.checkpoint == "reached" and self.training.reached is not None:
                score = f"{100 * self.training.reached:g}%"
                notes.append(f"Each as soon as its validation MAP@R was at least {score}.")
        own = [model for model in self.whole.models if model.is_own]
        named = [
            f"{model.name} ({model.network or model.loss or 'given embeddings'})" for model in own
        ]
        return " ".join(notes + ([f"Not of the paper: {', '.join(named)}."] if named else []))

    def recorded(self) -> dict[str, Any]:
        """Return all settings that results may depend on, for run.json."""
        models = [_given(model) if model.is_own else model.name for model in self.models]
        swept = {"sweep": [variant[:3] for variant in self.sweep]} if self.sweep else {}
        others = self.model_dump(exclude={"protocols", "models", "cluster", "paths", "sweep"})
        protocols = [protocol.name for protocol in self.protocols]
        return {"protocols": protocols, "models": models} | others | swept

    # Validation of values from the YAML file, and of values together.
    @field_validator("protocols", mode="before")
    @classmethod
    def _protocols(cls, given: Any) -> Any:
        values = given if isinstance(given, list) else [given]
        if not all(isinstance(each, Protocol) or each in list(PROTOCOLS) for each in values):
            raise ValueError(f"one of {', '.join(PROTOCOLS)}, or a list of these")
        return [
            each if isinstance(each, Protocol) else PROTOCOLS[each] for each in each_once(values)
        ]

    @field_validator("models", mode="before")
    @classmethod
    def _models(cls, given: Any) -> list[Model]:
        return models_from(given)

    @field_validator("paths")
    @classmethod
    def _paths(cls, given: dict[str, Path]) -> dict[str, Path]:
        return PATHS | given

    @model_validator(mode="after")
    def _check_together(self) -> "Settings":
        with_images = [*self.datasets, self.properties.dataset]
        if unknown := [name for name in self.paths if name not in (*PATHS, *with_images)]:
            raise InputError(
                f"paths.{unknown[0]}: {unknown_key(unknown[0], [*PATHS, *with_images])}"
            )
        if without := [name for name in self.datasets if name not in self.paths]:
            known = ", ".join(DATASETS)
            raise InputError(
                f"datasets: {without[0]!r} is none of {known}; for one of your own, give its folder in `paths`"
            )
        weights = self.paths["imagenet_trunk"]
        if self.trunk.startswith(TIMM) and weights.name.startswith(BN_INCEPTION):
            raise InputError(
                f"trunk: {self.trunk} needs weights of its own, not {weights.name}; "
                "give their file as `imagenet_trunk` in `paths`"
            )
        if not self.properties.of_cars:
            own = {*self.paths} - {*DATASETS, *PATHS}
            _check_name("properties.dataset", self.properties.dataset, [*RENDERED, *own], OWN)
        datasets, networks = [*DATASETS, *self.datasets], self.properties.networks
        for number, name in self.tables.items():
            _check_name(f"tables.{number}", name, datasets)
        for model in self.models:
            for name in model.embeddings:
                with_images = [*datasets, self.properties.dataset]
                _check_name(f"models.{model.name!r}.embeddings", name, with_images)
        names = [TSNE_MODEL, *(model.name for model in self.models)]
        _check_name("properties.tsne_model", self.properties.tsne_model, names)
        _check_name("properties.networks", networks, datasets)
        if self.training:
            for name in self.training.by_method:
                trained = [model.name for model in self.models if model.trained]
                _check_name("training.by_method", name, trained)
            _check_name(
                "properties.networks",
                networks,
                self.datasets,
                ", as only their networks are trained here",
            )
        elif losses := [model.name for model in self.models if model.loss]:
            raise InputError(
                f"models: {', '.join(losses)}: a `loss` is for training; add a `training:` block"
            )
        if self.checkpoint == "reached" and getattr(self.training, "reached", None) is None:
            raise InputError("checkpoint: reached needs training.reached; add it")
        return self


def _check_name(where: str, name: str, known: Iterable[str], why: str = "") -> None:
    if name not in known:
        raise InputError(
            f"{where}: {name!r} is not allowed; give one of {', '.join(dict.fromkeys(known))}{why}"
        )


BLOCKS = ("saliency", "properties", "causes", "controls", "cluster", "training")
INTERNAL = [name for name, field in Settings.model_fields.items() if field.exclude]


def _given(model: Model) -> dict[str, Any]:
    """Return what a settings file says of a model that is not the paper's."""
    return {name: value for name, value in model._asdict().items() if value not in (None, "", {})}


def unlike_defaults(block: Block, *names: str) -> dict[str, Any]:
    """Return the settings of a block that are not at their defaults, for the provenance of results.

    names: of the settings, by default all that provenance has. It leaves defaults out, so that a
    new setting does not invalidate old results.
    """
    return {
        name: getattr(block, name)
        for name in names or block.in_provenance()
        if getattr(block, name) != type(block).model_fields[name].default
    }


# --------------------------------------------------------------------------------------------------
# From the YAML file.
# --------------------------------------------------------------------------------------------------
HINT = "see the folder settings/; for the paper's defaults write protocol: paper"
MAX_EXTENDED = 5  # settings files that extend each other


def load_settings(file: str | Path) -> Settings:
    """Return the settings in a file. Raise InputError for any unknown key or invalid value."""
    file = Path(file)
    given = _extended(file)
    try:
        if not re.fullmatch(r"\w[\w .+-]{0,99}", file.stem):
            allowed = "letters, digits, blanks and - _ . +, beginning with a letter or digit"
            raise InputError(f"the file's name is that of its results; rename it, to {allowed}")
        if "sweep" not in given:
            return _settings_from(given, file.stem)
        swept, base_names = sweeps.variants(given.pop("sweep"), given, file.stem, _settings_from)
        return _settings_from(given, file.stem).model_copy(
            update={"sweep": swept, "base_names": base_names}
        )
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _extended(file: Path, depth: int = 0) -> dict[Any, Any]:
    """Return the content of a settings file, with that of the file which it extends below it.

    A key of the file replaces the other's; of two blocks, each key. depth: how many files extend it.
    """
    given = yaml_files.read(file, dict, HINT)
    if "extends" not in given:
        return given
    name = given.pop("extends")
    if not isinstance(name, str) or not name:
        raise InputError(f"{file}: extends: give the name of a settings file next to it")
    if depth == MAX_EXTENDED:
        raise InputError(f"{file}: extends: a chain of more than {MAX_EXTENDED} files; shorten it")
    base = _extended(file.parent / name, depth + 1)
    merged = {
        key: base[key] | value
        if isinstance(value, dict) and isinstance(base.get(key), dict)
        else value
        for key, value in given.items()
    }
    return base | merged


def _settings_from(given: dict[Any, Any], name: str) -> Settings:
    if internal := [key for key in INTERNAL if key in given]:
        raise InputError(f"{internal[0]}: unknown key; leave it out")
    values = {key: value for key, value in given.items() if value is not None or key not in BLOCKS}
    return checked(Settings, {"name": name} | values)
