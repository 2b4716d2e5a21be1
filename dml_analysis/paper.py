"""The paper's lists: its methods, datasets, properties and the two protocols.

Standard library alone, so that the renderer's environment can use it.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

PUBLISHED = Path(__file__).parent / "published"  # the folder of published numbers


# --------------------------------------------------------------------------------------------------
# The methods (Table 1) and where their checkpoints are.
# --------------------------------------------------------------------------------------------------
class Model(NamedTuple):
    """One of the compared methods: a loss with its setup, or a user's own networks."""

    name: str  # as printed in the paper's tables
    year: int | None
    group: str  # by which tables summarise methods and tests compare them; the paper's: loss types
    distance: str  # as in Table 1, RAW_EUCLIDEAN, or module:function; "None" uses the Euclidean one
    key: str = ""  # the loss in the names of the Reality Check's experiments
    runs: dict[str, int | str] = {}  # dataset -> number in the experiment's name
    trained: bool = True  # False: not trained with a loss, so left out of its group's mean
    # Of methods that settings add to the paper's; see docs/own_models.md.
    network: str = ""  # module:function, timm:name, or an experiment folder of the Reality Check
    checkpoint: str = ""  # a path, which may contain {fold} and {dataset}, or the word random
    head: str = ""  # "keep" or "drop" the classifier of a timm network
    crop: tuple | None = None  # (shorter side, size of the centre) of a timm network's images
    embeddings: dict[str, str] = {}  # dataset -> path of its embeddings, instead of a network
    # Of users' own methods that reality_check/2_train_models.py trains.
    loss: str = ""  # a class of pytorch_metric_learning.losses, or module:class
    loss_arguments: dict[str, Any] = {}
    miner: str = ""  # a class of pytorch_metric_learning.miners, or module:class
    miner_arguments: dict[str, Any] = {}
    loss_learning_rate: float | None = None  # of the loss's own parameters
    images_per_class: int = 4  # in a batch

    @property
    def is_own(self) -> bool:
        """Return whether this is not one of the paper's fifteen methods."""
        return bool(self.network or self.embeddings or self.loss)

    @property
    def is_none(self) -> bool:
        """Return whether this is the paper's "None": an untrained embedder on the frozen trunk."""
        return not self.trained and not self.is_own

    @property
    def is_random(self) -> bool:
        """Return whether the weights are random."""
        return self.checkpoint == "random"

    @property
    def per_fold(self) -> bool:
        """Return whether there is a network for each fold, rather than a single one."""
        paths = [self.checkpoint, *self.embeddings.values()]
        in_layout = bool(self.loss) or (not self.embeddings and ":" not in self.network)
        return in_layout or any("{fold}" in path for path in paths)


def _runs(cars196: int | str, cub200: int, sop: int) -> dict[str, int | str]:
    """Return the numbers in the names of a method's experiments, by dataset."""
    return {"Cars196": cars196, "CUB200": cub200, "SOP": sop}


# Table 1's distances first normalise embeddings to unit length. This one, for users' own methods,
# does not.
RAW_EUCLIDEAN = "Raw Euclidean Distance"

# The untrained network, and its group, in tables and in CSV files. There pandas.read_csv would read
# "None" as a missing value. Settings and --models accept both.
NONE, UNTRAINED = "None", "Untrained"


def as_printed(name: str) -> str:
    """Return the name of a method or a group as tables print it."""
    return NONE if name == UNTRAINED else name


def as_in_files(name: str) -> str:
    """Return the name of a method or a group as CSV files spell it."""
    return UNTRAINED if name == NONE else name


# In the order of Table 1. Settings select from these. All tables use the order of their groups.
MODELS = [
    Model("Contrastive", 2006, "Ranking", "Euclidean Distance", "contrastive", _runs(46, 41, 21)),
    Model("Triplet", 2006, "Ranking", "Euclidean Distance", "triplet", _runs(46, 37, 34)),
    Model("NTXent", 2016, "Ranking", "Cosine Similarity", "ntxent", _runs(49, 28, 23)),
    Model("ProxyNCA", 2017, "Classification", "Squared Euclidean", "proxy_nca", _runs(5, 25, 23)),
    Model("Margin", 2017, "Ranking", "Euclidean Distance",
          "margin_no_weight_decay", _runs("", 15, 30)),
    Model("Margin / class", 2017, "Ranking", "Euclidean Distance",
          "margin_param_per_class_no_weight_decay", _runs(20, 24, 35)),
    Model("Normalized Softmax", 2017, "Classification", "Dot Product Similarity",
          "normalized_softmax", _runs(45, 15, 47)),
    Model("CosFace", 2018, "Classification", "Cosine Similarity", "cosface", _runs(15, 20, 8)),
    Model("ArcFace", 2019, "Classification", "Cosine Similarity", "arcface", _runs(49, 36, 49)),
    Model("FastAP", 2019, "Ranking", "Squared Euclidean", "fastap", _runs(27, 17, 16)),
    Model("SNR Contrastive", 2019, "Ranking", "SNR Distance", "snr_contrastive", _runs(33, 5, 29)),
    Model("Multi Similarity", 2019, "Ranking", "Cosine Similarity",
          "multi_similarity", _runs(22, 9, 6)),
    Model("Multi Similarity + Miner", 2019, "Ranking", "Cosine Similarity",
          "multi_similarity_with_ms_miner", _runs(38, 45, 36)),
    Model("SoftTriple", 2019, "Classification", "Cosine Similarity",
          "soft_triple", _runs(14, 46, 18)),
    Model(NONE, None, NONE, "Euclidean Distance", "none", {}, trained=False),
]  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Datasets and folds.
# --------------------------------------------------------------------------------------------------
class Dataset(NamedTuple):
    """A dataset that methods are trained on."""

    name: str
    experiments: str  # a method's experiment folder, from its key and its number
    trained_as: str = "Cars196"  # the dataset whose hyperparameters and schedule are used
    check_every: int = 500  # iterations between two validation steps, in the Reality Check
    patience: int = 1500  # iterations after the best checkpoint at which training stops


RENDERED = ("RenderedCars", "SyntheticCars")  # images whose properties are Table 5's
DATASETS = {
    "SOP": Dataset("SOP", "sop_{key}{run}_reproduction0", "SOP", 2000, 4000),
    "Cars196": Dataset("Cars196", "cars_{key}{run}_reproduction0"),
    "CUB200": Dataset("CUB200", "cub_{key}{run}_reproduction0", "CUB200", 200, 1000),
    "SyntheticCars": Dataset("SyntheticCars", "synthetic_cars_{key}"),
    "RenderedCars": Dataset("RenderedCars", "rendered_cars_{key}"),
}
FOLDS = (0, 1, 2, 3)  # the Reality Check's cross-validation; each fold has one checkpoint
FOLD_FOLDER = "Test50_50_Partitions4_{fold}"


def dataset_of(name: str) -> Dataset:
    """Return the Dataset of that name.

    For one that settings add, a folder with a sub-folder per class, return the defaults.
    """
    return DATASETS.get(name) or Dataset(name, f"{name}_{{key}}")


def experiment_folder(model: Model, dataset: str) -> str:
    """Return the name of the folder with a method's checkpoints for a dataset.

    The Reality Check's 42 folders have these names.
    """
    return dataset_of(dataset).experiments.format(key=model.key, run=model.runs.get(dataset, ""))


# --------------------------------------------------------------------------------------------------
# The properties of the rendered cars (Table 5), in the order of samples.csv.
# --------------------------------------------------------------------------------------------------
KINDS = ("categorical", "ordinal", "continuous")


class Property(NamedTuple):
    """A property that varies between images."""

    name: str  # column of samples.csv
    label: str  # as printed in Table 5
    values: tuple[Any, ...]  # that an image may have; of rendered cars each is equally likely
    column: str = ""  # the header of its column in Table 6; by default the label
    column_group: str = ""  # Table 6's header above this and neighbouring columns
    kind: str = "categorical"  # one of KINDS; the values of a continuous one are bins
    unit: str = ""  # printed after each value
    bins: int = 0  # of a continuous one, at most


CAR_MODELS = (
    "Ferrari Enzo", "Mercedes Benz 300sel", "Megane RS", "Mercedes AMG Coupe",
    "Range Rover Evoque", "Tesla Model S",
)  # fmt: skip
DEGREES = tuple(range(0, 360, 45))
HUES = tuple(i / 10 for i in range(10))  # 0 to 1 is one turn of a Hue/Saturation/Value node
FACTORS = tuple(i / 4 for i in range(9))  # of saturation and value; 1 keeps the colour
PROPERTIES = [
    Property("model", "Car model", CAR_MODELS, "Model", "Car"),
    Property("rotation_z", "Car rotation", DEGREES, "Rotation", "Car", "ordinal", "°"),
    Property("color_hue", "Car color hue", HUES, "Hue", "Car Color", "ordinal"),
    Property("color_sat", "Car color saturation", FACTORS, "Saturation", "Car Color", "ordinal"),
    Property("color_val", "Car color value", FACTORS, "Value", "Car Color", "ordinal"),
    Property("bg_color_hue", "Background color hue", HUES, "Hue", "Background Color", "ordinal"),
    Property(
        "bg_color_sat",
        "Background color saturation",
        FACTORS,
        "Saturation",
        "Background Color",
        "ordinal",
    ),
    Property(
        "bg_color_val", "Background color value", FACTORS, "Value", "Background Color", "ordinal"
    ),
    Property(
        "camera_loc_z", "Camera height", (0.5, 1.5, 2.5, 3.5), "Camera Height", kind="ordinal"
    ),  # metres
    Property("sun_elevation", "Sun elevation", (0, 45, 90), "Elevation", "Sun", "ordinal", "°"),
    Property("sun_rotation", "Sun rotation", DEGREES, "Rotation", "Sun", "ordinal", "°"),
]


# --------------------------------------------------------------------------------------------------
# The two protocols: that of the paper's text, and that of the code its authors released.
# --------------------------------------------------------------------------------------------------
class Protocol(NamedTuple):
    """The choices in which text and released code differ. docs/protocols.md explains each."""

    name: str
    # What signed gradients are averaged over before the absolute value: "samples" or "channels".
    signed_mean_over: str
    jsd_base: float  # base of the logarithm in the Jensen-Shannon divergence
    table_folds: tuple[int, ...]  # folds that Tables 2-4 average over
    truncate_percent: bool  # int(100 r) in table cells, instead of rounding
    max_neighbors: int | None  # cap on R in R-Precision
    own_distance: bool  # neighbours by the method's distance, else Euclidean on raw embeddings
    test_unit: str  # one observation of Table 6's Mann-Whitney test
    test_alternative: str


PROTOCOLS = {
    # The text states neither the unit nor the side of its test. We read it as a two-sided test
    # of each loss's mean over the folds.
    "paper": Protocol("paper", "samples", 2.0, FOLDS, False, None, True, "loss_mean", "two-sided"),
    "released": Protocol(
        "released", "channels", math.e, (0,), True, 1023, False, "loss_fold", "half two-sided"
    ),
}
