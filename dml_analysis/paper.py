"""The paper's lists: its models, datasets, properties and the two protocols.

Standard library alone, so that the renderer's own environment can use it.
"""

import math
from typing import NamedTuple


# ---------------------------------------------------------------------------------------------------------------------
# The models (Table 1) and where their checkpoints are.
# ---------------------------------------------------------------------------------------------------------------------
class Model(NamedTuple):
    name: str  # as printed in the paper's tables
    year: int | None
    group: str  # what tables condense models by, and tests compare; the paper has groups of losses
    distance: str  # as printed in Table 1, RAW_EUCLIDEAN, or module:function; "None" is compared by Euclidean distance
    key: str = ""  # how the Reality Check spells the loss in its experiment names
    runs: dict = {}  # dataset -> number in the experiment's name
    trained: bool = True  # False: no loss has trained it, so it counts in no mean of its group
    # Of models that settings add to the paper's; README, "Your own model"
    network: str = ""  # module:function, timm:name, or the folder of an experiment in the Reality Check's layout
    checkpoint: str = ""  # a path, in which {fold} and {dataset} stand for themselves, or the word random
    head: str = ""  # "keep" or "drop" the classifier of a timm network
    crop: tuple | None = None  # (shorter side, size of the middle) of a timm network's images
    embeddings: dict = {}  # dataset -> path of its images' embeddings, instead of a network
    # Of models of one's own that reality_check/2_train_models.py trains
    loss: str = ""  # a class of pytorch_metric_learning.losses, or module:class
    loss_arguments: dict = {}
    miner: str = ""  # a class of pytorch_metric_learning.miners, or module:class
    miner_arguments: dict = {}
    loss_learning_rate: float | None = None  # of the loss's own parameters
    images_per_class: int = 4  # in a batch

    @property
    def is_own(self):
        """Whether it is not one of the paper's fifteen."""
        return bool(self.network or self.embeddings or self.loss)

    @property
    def is_none(self):
        """Whether it is the paper's "None": an untrained embedder on the trunk that all others begin with."""
        return not self.trained and not self.is_own

    @property
    def is_random(self):
        """Whether its weights are drawn at random."""
        return self.checkpoint == "random"

    @property
    def per_fold(self):
        """Whether it has a network for each fold, rather than one that counts once."""
        paths = [self.checkpoint, *self.embeddings.values()]
        in_layout = bool(self.loss) or (not self.embeddings and ":" not in self.network)
        return in_layout or any("{fold}" in path for path in paths)


def _runs(cars196, cub200, sop):
    return {"Cars196": cars196, "CUB200": cub200, "SOP": sop}


# All distances of Table 1 normalise embeddings to unit length first. This one is for models of one's own, and does not.
RAW_EUCLIDEAN = "Raw Euclidean Distance"

# The network without training, and its group, as tables print it and as CSV files spell it: there pandas.read_csv would
# take "None" for a missing value. Settings and --models take both.
NONE, UNTRAINED = "None", "Untrained"


def as_printed(name):
    """The name of a model or a group as tables print it."""
    return NONE if name == UNTRAINED else name


def as_in_files(name):
    """The same as CSV files spell it."""
    return UNTRAINED if name == NONE else name


# In the order of Table 1. Settings take these or some of them; the order of their groups is that of all tables.
MODELS = [
    Model("Contrastive", 2006, "Ranking", "Euclidean Distance", "contrastive", _runs(46, 41, 21)),
    Model("Triplet", 2006, "Ranking", "Euclidean Distance", "triplet", _runs(46, 37, 34)),
    Model("NTXent", 2016, "Ranking", "Cosine Similarity", "ntxent", _runs(49, 28, 23)),
    Model("ProxyNCA", 2017, "Classification", "Squared Euclidean", "proxy_nca", _runs(5, 25, 23)),
    Model("Margin", 2017, "Ranking", "Euclidean Distance", "margin_no_weight_decay", _runs("", 15, 30)),
    Model("Margin / class", 2017, "Ranking", "Euclidean Distance", "margin_param_per_class_no_weight_decay", _runs(20, 24, 35)),
    Model("Normalized Softmax", 2017, "Classification", "Dot Product Similarity", "normalized_softmax", _runs(45, 15, 47)),
    Model("CosFace", 2018, "Classification", "Cosine Similarity", "cosface", _runs(15, 20, 8)),
    Model("ArcFace", 2019, "Classification", "Cosine Similarity", "arcface", _runs(49, 36, 49)),
    Model("FastAP", 2019, "Ranking", "Squared Euclidean", "fastap", _runs(27, 17, 16)),
    Model("SNR Contrastive", 2019, "Ranking", "SNR Distance", "snr_contrastive", _runs(33, 5, 29)),
    Model("Multi Similarity", 2019, "Ranking", "Cosine Similarity", "multi_similarity", _runs(22, 9, 6)),
    Model("Multi Similarity + Miner", 2019, "Ranking", "Cosine Similarity", "multi_similarity_with_ms_miner", _runs(38, 45, 36)),
    Model("SoftTriple", 2019, "Classification", "Cosine Similarity", "soft_triple", _runs(14, 46, 18)),
    Model(NONE, None, NONE, "Euclidean Distance", "none", {}, trained=False),
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Datasets and folds.
# ---------------------------------------------------------------------------------------------------------------------
class Dataset(NamedTuple):
    name: str
    experiments: str  # a model's experiment folder, from its key and its number
    trained_as: str = "Cars196"  # whose hyperparameters and rhythm its models are trained with
    check_every: int = 500  # iterations between two looks at the validation classes, in the Reality Check
    patience: int = 1500  # iterations after the best look at which it stops


DATASETS = {
    "SOP": Dataset("SOP", "sop_{key}{run}_reproduction0", "SOP", 2000, 4000),
    "Cars196": Dataset("Cars196", "cars_{key}{run}_reproduction0"),
    "CUB200": Dataset("CUB200", "cub_{key}{run}_reproduction0", "CUB200", 200, 1000),
    "SyntheticCars": Dataset("SyntheticCars", "synthetic_cars_{key}"),
    "RenderedCars": Dataset("RenderedCars", "rendered_cars_{key}"),
}
FOLDS = (0, 1, 2, 3)  # the Reality Check's cross validation; each fold is one checkpoint
FOLD_FOLDER = "Test50_50_Partitions4_{fold}"


def dataset_of(name):
    """The Dataset of that name; of one that settings add, a folder with a sub-folder per class, what holds for all such."""
    return DATASETS.get(name) or Dataset(name, f"{name}_{{key}}")


def experiment_folder(model, dataset):
    """The folder that holds a model's checkpoints for a dataset; the Reality Check's 42 names are derived here."""
    return dataset_of(dataset).experiments.format(key=model.key, run=model.runs.get(dataset, ""))


# ---------------------------------------------------------------------------------------------------------------------
# The properties of the rendered cars (Table 5), in the order of samples.csv.
# ---------------------------------------------------------------------------------------------------------------------
class Property(NamedTuple):
    name: str  # column of samples.csv
    label: str  # as printed in Table 5
    values: tuple  # the possible values; each image draws one uniformly and independently
    column: str = ""  # the head of its column in Table 6; by default the label
    column_group: str = ""  # what Table 6 prints over this and its neighbours' columns


CAR_MODELS = (
    "Ferrari Enzo", "Mercedes Benz 300sel", "Megane RS", "Mercedes AMG Coupe", "Range Rover Evoque", "Tesla Model S",
)  # fmt: skip
DEGREES = tuple(range(0, 360, 45))
HUES = tuple(i / 10 for i in range(10))  # one turn of a Hue/Saturation/Value node is 0 to 1
FACTORS = tuple(i / 4 for i in range(9))  # the node's saturation and value are factors, 1 leaves the colour as it is
PROPERTIES = [
    Property("model", "Car model", CAR_MODELS, "Model", "Car"),
    Property("rotation_z", "Car rotation", DEGREES, "Rotation", "Car"),
    Property("color_hue", "Car color hue", HUES, "Hue", "Car Color"),
    Property("color_sat", "Car color saturation", FACTORS, "Saturation", "Car Color"),
    Property("color_val", "Car color value", FACTORS, "Value", "Car Color"),
    Property("bg_color_hue", "Background color hue", HUES, "Hue", "Background Color"),
    Property("bg_color_sat", "Background color saturation", FACTORS, "Saturation", "Background Color"),
    Property("bg_color_val", "Background color value", FACTORS, "Value", "Background Color"),
    Property("camera_loc_z", "Camera height", (0.5, 1.5, 2.5, 3.5), "Camera Height"),  # metres
    Property("sun_elevation", "Sun elevation", (0, 45, 90), "Elevation", "Sun"),  # degrees
    Property("sun_rotation", "Sun rotation", DEGREES, "Rotation", "Sun"),
]


# ---------------------------------------------------------------------------------------------------------------------
# The two protocols: the paper's text, and what the code its authors released computes.
# ---------------------------------------------------------------------------------------------------------------------
class Protocol(NamedTuple):
    """Every place where text and released code differ. The README's section on protocols explains each."""

    name: str
    signed_mean_over: str  # what a signed gradient is averaged over before its absolute value: "samples" or "channels"
    jsd_base: float  # base of the logarithm in the Jensen-Shannon divergence
    table_folds: tuple  # folds that Tables 2-4 average over
    truncate_percent: bool  # table cells: int(100 r) instead of rounding
    max_neighbors: int | None  # cap on R in R-Precision
    own_distance: bool  # neighbours by the model's own distance, else Euclidean on raw embeddings
    test_unit: str  # what counts as one observation in the Mann-Whitney test of Table 6
    test_alternative: str


PROTOCOLS = {
    # The text states neither unit nor side of its test; a loss's mean over the folds and both sides are our reading.
    "paper": Protocol("paper", "samples", 2.0, FOLDS, False, None, True, "loss_mean", "two-sided"),
    "released": Protocol("released", "channels", math.e, (0,), True, 1023, False, "loss_fold", "half two-sided"),
}
