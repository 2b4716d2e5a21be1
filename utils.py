"""What every script shares: paths to edit, the paper's losses, datasets and properties, and where results live.

This file imports the standard library alone, so that any script starts at once and the renderer's own
environment can use it too.
"""

import errno
import hashlib
import math
import sys
from pathlib import Path
from typing import NamedTuple

# ---------------------------------------------------------------------------------------------------------------------
# Paths. Edit these, or override them for one run in the `paths:` block of a settings file.
# ---------------------------------------------------------------------------------------------------------------------
ROOT = Path(__file__).resolve().parent
PATHS = {
    "models": ROOT / "reality_check" / "models",  # the *_reproduction0 folders of the Metric Learning Reality Check
    "imagenet_trunk": ROOT / "reality_check" / "models" / "bn_inception-52deb4733.pth",  # only for "None"
    "Cars196": ROOT / "data" / "Cars196",
    "CUB200": ROOT / "data" / "CUB_200_2011",
    "SOP": ROOT / "data" / "Stanford_Online_Products",
    "RenderedCars": ROOT / "data" / "rendered_cars",  # images/ and samples.csv
    "downloads": ROOT / "data" / "downloads",  # of data/1_prepare.py
    "results": ROOT / "results",  # every settings file gets a folder of its own in here ...
    "figures": ROOT / "figures",  # ... and in here
}


# ---------------------------------------------------------------------------------------------------------------------
# The losses (Table 1) and where their checkpoints live.
# ---------------------------------------------------------------------------------------------------------------------
class Loss(NamedTuple):
    name: str  # as printed in the paper's tables
    year: int | None
    type: str  # "Ranking", "Classification" or "None": the groups of all tables
    distance: str  # as printed in Table 1; "None" is compared by Euclidean distance
    key: str  # how the Reality Check spells it in its experiment names
    runs: dict  # dataset -> number in the experiment's name


def _runs(cars196, cub200, sop):
    return {"Cars196": cars196, "CUB200": cub200, "SOP": sop}


# In the order of Table 1; `grouped` gives the order of the other tables.
LOSSES = [
    Loss("Contrastive", 2006, "Ranking", "Euclidean Distance", "contrastive", _runs(46, 41, 21)),
    Loss("Triplet", 2006, "Ranking", "Euclidean Distance", "triplet", _runs(46, 37, 34)),
    Loss("NTXent", 2016, "Ranking", "Cosine Similarity", "ntxent", _runs(49, 28, 23)),
    Loss("ProxyNCA", 2017, "Classification", "Squared Euclidean", "proxy_nca", _runs(5, 25, 23)),
    Loss("Margin", 2017, "Ranking", "Euclidean Distance", "margin_no_weight_decay", _runs("", 15, 30)),
    Loss("Margin / class", 2017, "Ranking", "Euclidean Distance", "margin_param_per_class_no_weight_decay", _runs(20, 24, 35)),
    Loss("Normalized Softmax", 2017, "Classification", "Dot Product Similarity", "normalized_softmax", _runs(45, 15, 47)),
    Loss("CosFace", 2018, "Classification", "Cosine Similarity", "cosface", _runs(15, 20, 8)),
    Loss("ArcFace", 2019, "Classification", "Cosine Similarity", "arcface", _runs(49, 36, 49)),
    Loss("FastAP", 2019, "Ranking", "Squared Euclidean", "fastap", _runs(27, 17, 16)),
    Loss("SNR Contrastive", 2019, "Ranking", "SNR Distance", "snr_contrastive", _runs(33, 5, 29)),
    Loss("Multi Similarity", 2019, "Ranking", "Cosine Similarity", "multi_similarity", _runs(22, 9, 6)),
    Loss("Multi Similarity + Miner", 2019, "Ranking", "Cosine Similarity", "multi_similarity_with_ms_miner", _runs(38, 45, 36)),
    Loss("SoftTriple", 2019, "Classification", "Cosine Similarity", "soft_triple", _runs(14, 46, 18)),
    Loss("None", None, "None", "Euclidean Distance", "none", {}),
]  # fmt: skip
LOSS_TYPES = ("Ranking", "Classification", "None")


def grouped(losses):
    """The losses in the order of Tables 2-6: ranking, classification, "None"; within a group as given."""
    return sorted(losses, key=lambda loss: LOSS_TYPES.index(loss.type))


def slug(name):
    """A name as it appears in file names: "Margin / class" -> "margin_class"."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


# ---------------------------------------------------------------------------------------------------------------------
# Datasets and folds.
# ---------------------------------------------------------------------------------------------------------------------
class Dataset(NamedTuple):
    name: str
    experiments: str  # the experiment folder of a loss, from its key and its number
    hyperparameters: str  # whose row of reality_check/hyperparameters.csv its losses are trained with


DATASETS = {
    "SOP": Dataset("SOP", "sop_{key}{run}_reproduction0", "SOP"),
    "Cars196": Dataset("Cars196", "cars_{key}{run}_reproduction0", "Cars196"),
    "CUB200": Dataset("CUB200", "cub_{key}{run}_reproduction0", "CUB200"),
    "RenderedCars": Dataset("RenderedCars", "rendered_cars_{key}", "Cars196"),
}
FOLDS = (0, 1, 2, 3)  # the Reality Check's cross validation; each fold is one checkpoint
FOLD_FOLDER = "Test50_50_Partitions4_{fold}"


def experiment_folder(loss, dataset):
    """The folder that holds a loss's checkpoints for a dataset; the Reality Check's 42 names are derived here."""
    return DATASETS[dataset].experiments.format(key=loss.key, run=loss.runs.get(dataset, ""))


# ---------------------------------------------------------------------------------------------------------------------
# The properties of the rendered cars (Table 5), in the order of samples.csv.
# ---------------------------------------------------------------------------------------------------------------------
class Property(NamedTuple):
    name: str  # column of samples.csv
    label: str  # as printed in Table 5
    values: tuple  # the possible values; each image draws one uniformly and independently


CAR_MODELS = (
    "Ferrari Enzo", "Mercedes Benz 300sel", "Megane RS", "Mercedes AMG Coupe", "Range Rover Evoque", "Tesla Model S",
)  # fmt: skip
DEGREES = tuple(range(0, 360, 45))
HUES = tuple(i / 10 for i in range(10))  # one turn of a Hue/Saturation/Value node is 0 to 1
FACTORS = tuple(i / 4 for i in range(9))  # the node's saturation and value are factors, 1 leaves the colour as it is
PROPERTIES = [
    Property("model", "Car model", CAR_MODELS),
    Property("rotation_z", "Car rotation", DEGREES),
    Property("color_hue", "Car color hue", HUES),
    Property("color_sat", "Car color saturation", FACTORS),
    Property("color_val", "Car color value", FACTORS),
    Property("bg_color_hue", "Background color hue", HUES),
    Property("bg_color_sat", "Background color saturation", FACTORS),
    Property("bg_color_val", "Background color value", FACTORS),
    Property("camera_loc_z", "Camera height", (0.5, 1.5, 2.5, 3.5)),  # metres
    Property("sun_elevation", "Sun elevation", (0, 45, 90)),  # degrees
    Property("sun_rotation", "Sun rotation", DEGREES),
]


# ---------------------------------------------------------------------------------------------------------------------
# The two protocols: the paper's text, and what the code its authors released computes.
# ---------------------------------------------------------------------------------------------------------------------
class Protocol(NamedTuple):
    """Every place where text and released code differ. The README's section on protocols explains each."""

    signed_mean_over: str  # what a signed gradient is averaged over before its absolute value: "samples" or "channels"
    jsd_base: float  # base of the logarithm in the Jensen-Shannon divergence
    table_folds: tuple  # folds that Tables 2-4 average over
    truncate_percent: bool  # table cells: int(100 r) instead of rounding
    max_neighbors: int | None  # cap on R in R-Precision
    own_distance: bool  # neighbours by the loss's own distance, else Euclidean on raw embeddings
    test_unit: str  # what counts as one observation in the Mann-Whitney test of Table 6
    test_alternative: str


PROTOCOLS = {
    # The text states neither unit nor side of its test; a loss's mean over the folds and both sides are our reading.
    "paper": Protocol("samples", 2.0, FOLDS, False, None, True, "loss_mean", "two-sided"),
    "released": Protocol("channels", math.e, (0,), True, 1023, False, "loss_fold", "half two-sided"),
}


# ---------------------------------------------------------------------------------------------------------------------
# Errors, seeds, blocks.
# ---------------------------------------------------------------------------------------------------------------------
class InputError(Exception):
    """Something the user gave is wrong: the message is one line that names the file or setting and what to do."""


class MissingFile(InputError):
    """A file that the user has to provide is not there."""


def run_script(main):
    """Run a script's main(); bad input ends in one line on stderr and exit status 1 instead of a traceback."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES):
            raise
        sys.exit(f"error: {error.filename}: {error.strerror}; what is finished is kept")
    except KeyboardInterrupt:
        sys.exit("stopped; what is finished is kept, run the same command to go on")


def check_positive(options, *names):
    """Raise InputError if one of the parsed options is below 1; None is none."""
    for name in names:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} {value}: must be at least 1")


def derived_seed(*purpose):
    """A 63-bit seed that depends on nothing but what the random numbers are for, e.g. (seed, "noise", loss, image)."""
    text = "\x1f".join(str(part) for part in purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def blocks(items, size):
    """(number, its items) of the blocks of so many items, in their order."""
    return [(start // size, items[start : start + size]) for start in range(0, len(items), size)]


# ---------------------------------------------------------------------------------------------------------------------
# Where each result lives. Data flows one way: inputs -> arrays -> CSV -> tables and figures.
# ---------------------------------------------------------------------------------------------------------------------
def saved_models_folder(settings, loss, dataset, fold):
    """The checkpoints of one network: trunk_best.pth and embedder_best.pth."""
    folder = settings.paths["models"] / experiment_folder(loss, dataset)
    return folder / FOLD_FOLDER.format(fold=fold) / "saved_models"


def accuracy_file(settings):
    """Precision@1, R-Precision and MAP@R of each network on its test set."""
    return settings.results / "reality_check" / "accuracy.csv"


def accuracy_note(settings, loss, dataset, fold):
    """Which checkpoint files a row of accuracy.csv was made with."""
    return settings.results / "reality_check" / "made_with" / f"{dataset}_fold{fold}_{slug(loss.name)}.json"


def maps_folder(settings, dataset, fold, loss):
    """Saliency maps of one network: block_00000.npz, ... with arrays `maps` and `image_ids`."""
    return settings.results / "saliency" / "maps" / dataset / f"fold{fold}" / slug(loss.name)


def similarity_folder(settings, dataset, fold):
    """Correlation and JSD of every pair of losses on each image: block_00000.npz, ..., block by block as the maps."""
    return settings.results / "saliency" / "per_image" / f"{dataset}_fold{fold}"


def pairs_file(settings, dataset):
    return settings.results / "saliency" / f"pairs_{dataset}.csv"


def embeddings_file(settings, fold, loss):
    """Embeddings of the rendered cars, `embeddings` (n, d) float32; the ids are in the .txt file beside it."""
    return settings.results / "properties" / "embeddings" / f"{slug(loss.name)}_fold{fold}.npy"


def made_with_file(results):
    """Beside results of one network, such as its embeddings: which checkpoint files they were made with."""
    return results.with_suffix(".json")


def trunk_features_file(settings):
    """What the untrained trunk of "None" gives for the rendered cars, (n, 1024) float32; ids as beside embeddings."""
    return settings.results / "properties" / "embeddings" / "untrained_trunk.npy"


def properties_file(settings, name):
    return settings.results / "properties" / name


def table_file(settings, name):
    return settings.results / "tables" / name
