"""The table of models that a run has: read from its settings; everything else about models asks this table."""

import re
from itertools import combinations
from pathlib import Path

from dml_analysis import schema
from dml_analysis.checkout import ROOT
from dml_analysis.errors import InputError
from dml_analysis.files.csv_files import MISSING_WORDS
from dml_analysis.imports import NAME, is_name
from dml_analysis.paper import DATASETS, MODELS, NONE, RAW_EUCLIDEAN, UNTRAINED, Model, as_printed

PAPER = "paper"  # the word for all of the paper's in the settings
DISTANCES = [*dict.fromkeys(model.distance for model in MODELS), RAW_EUCLIDEAN]
TIMM = "timm:"
ALL = "all"  # in CSV files in the place of a loss, where a row is of all
MOST = 500
TAKEN = (
    "missing",
    "undefined",
    "no maps",
    "not given",
    ALL,
    "random weights",
)  # what cells of tables and CSV files say
TAKEN_NAMES = (ALL, "random weights", UNTRAINED)  # what CSV files have in the place of a loss
LONGEST = 80  # bytes of a name in those of files, two of which make that of an array
TEXT = schema.word(re.compile(".*", re.DOTALL), "a word")
CLASS = re.compile(rf"[A-Za-z_]\w*|{NAME.pattern}")
ARGUMENTS = schema.mapping_of(
    schema.word(re.compile(r"[A-Za-z_]\w*"), "a name"),
    schema.Kind(lambda value: value is None or isinstance(value, (bool, int, float, str)), "a number or a word"),
    "a block of `argument: value` lines, numbers and words",
)
KEYS = {
    "name": TEXT,
    "year": schema.whole(1, 9999),
    "group": TEXT,
    "trained": schema.FLAG,
    "distance": schema.either(schema.one_of(DISTANCES), schema.word(NAME, "module:function")),
    "network": TEXT,
    "checkpoint": TEXT,
    "head": schema.one_of(["keep", "drop"]),
    "crop": schema.Kind(
        lambda value: (
            isinstance(value, list)
            and len(value) == 2
            and all(schema.whole(1, 10**4).fits(each) for each in value)
            and value[1] <= value[0]
        ),
        "[shorter side, size of the middle], whole numbers such as [256, 224]",
    ),
    "embeddings": schema.mapping_of(
        schema.word(re.compile(r"[A-Za-z]\w*"), "a dataset"),
        schema.word(re.compile(".+"), "a path"),
        f"a path for each of some of {', '.join(DATASETS)} or of your own datasets",
    ),
    "loss": schema.word(CLASS, "a class of pytorch_metric_learning, or module:class"),
    "loss_arguments": ARGUMENTS,
    "miner": schema.word(CLASS, "a class of pytorch_metric_learning, or module:class"),
    "miner_arguments": ARGUMENTS,
    "loss_learning_rate": schema.above(0, 10),
    "images_per_class": schema.whole(1, 10**5),
}
OF_LOSS = ("loss_arguments", "miner", "miner_arguments", "loss_learning_rate", "images_per_class")


def models_from(given):
    """The models that a settings file's `models` lists.

    given: names of the paper's, in which "paper" stands for all fifteen, and mappings that describe others. Raises
    InputError if there is no such model, or two go by one name.
    """
    if len(given) > MOST:
        raise InputError(f"models: {len(given)} of them; at most {MOST}")
    models, names = [], []
    for each in given:
        if isinstance(each, dict):
            models.append(_own(each))
        elif not isinstance(each, str):
            raise InputError(f"models: {schema.shown(each)} is neither a name nor a block of `key: value` lines")
        elif as_printed(each) in names:
            raise InputError(f"models: {each!r} is there twice; keep one")
        else:
            names.append(as_printed(each))
            models += MODELS if each == PAPER else [find(each, MODELS)]
    # One that is named beside "paper" comes where it is named first.
    models = [each for place, each in enumerate(models) if each.is_own or each not in models[:place]]
    for model in models:
        if (
            model.name in (f"{group} Mean" for group in groups(models))
            or model.group in TAKEN
            or (model.is_own and model.name in TAKEN_NAMES)
        ):
            raise InputError(
                f"models: {model.name!r} of group {model.group!r}: tables have a word for this; name it otherwise"
            )
    for model, other in combinations(models, 2):
        if slug(model.name) == slug(other.name):
            raise InputError(f"models: {other.name!r} and {model.name!r} would share their files; rename one of them")
        if model.group != other.group and model.group.lower() == other.group.lower():
            raise InputError(f"models: groups {model.group!r} and {other.group!r} differ by their letters' case only")
    return models


def _own(entry):
    """A model that is not the paper's, from its mapping."""
    name = entry.get("name", "")
    where = f"models: {schema.shown(name)}"
    schema.check(where, entry, KEYS)
    for key in ("name", "group"):
        if key in entry and entry[key].strip() in MISSING_WORDS - {""}:
            raise InputError(f"{where}: {key} {entry[key]!r} reads as a missing value in CSV files; name it otherwise")
    if not slug(name) or not name.isprintable() or name == PAPER or len(slug(name).encode()) > LONGEST:
        raise InputError(f"{where}: give each a name with letters or digits, at most {LONGEST}, other than {PAPER!r}")
    model = Model(**{"year": None, "group": "", "distance": DISTANCES[0], **_paths_as_given(where, entry)})
    if model.is_random:
        model = model._replace(trained=False)
    model = model._replace(group=as_printed(model.group.strip()) if model.group or model.trained else NONE)
    if not model.group.isprintable() or not model.group:
        raise InputError(f"{where}: name its `group`, such as Ranking, Classification or one of your own")
    if bool(model.network or model.loss) == bool(model.embeddings):
        raise InputError(f"{where}: give it either a `network` or `embeddings`, or a `loss` to train with")
    if model.loss:
        return _with_loss(where, model)
    if lost := [key for key in OF_LOSS if key in entry]:
        raise InputError(f"{where}: `{lost[0]}` is for models with a `loss`")
    _check_network(where, model)
    return model


def _with_loss(where, model):
    """A model that is trained here, from the settings' trunk or a network of its own."""
    if not model.trained:
        raise InputError(f"{where}: has a `loss`, so it will be trained; leave `trained` and `checkpoint: random` out")
    if is_folder(model.network):
        raise InputError(f"{where}: training begins with module:function or timm:name, not with a folder")
    if model.checkpoint and not model.network:
        raise InputError(f"{where}: name the `network` that `checkpoint` is the weights of")
    if "{" in model.checkpoint:
        raise InputError(f"{where}: all trainings begin with one `checkpoint`; leave the braces out of its path")
    _check_network(where, model)
    if model.head == "keep":
        raise InputError(f"{where}: the embedder is trained on the features; leave `head: keep` out")
    return model._replace(key=slug(model.name))


def _paths_as_given(where, entry):
    """The entry with its crop as a tuple, and paths whose braces hold {fold} or {dataset} only."""
    for text in (entry.get("network", ""), entry.get("checkpoint", ""), *entry.get("embeddings", {}).values()):
        rest = str(text).replace("{fold}", "").replace("{dataset}", "")
        if set(rest) & set("{}"):  # also where braces are doubled, or a format is given
            raise InputError(f"{where}: {text!r}: only {{fold}} and {{dataset}} may stand in braces")
    return entry | {"crop": tuple(entry["crop"]) if "crop" in entry else None}


def _check_network(where, model):
    if model.network.startswith(TIMM):
        if not model.checkpoint:
            raise InputError(f"{where}: timm networks come without weights; give a `checkpoint`, or the word random")
    elif ":" in model.network and not is_name(model.network):
        raise InputError(f"{where}: network {model.network!r} is neither module:function, timm:name nor a folder")
    elif model.head or model.crop:
        raise InputError(f"{where}: `head` and `crop` are for timm networks only")
    if model.checkpoint and (model.embeddings or is_folder(model.network)):
        raise InputError(f"{where}: `checkpoint` is for networks that module:function or timm:name builds")
    if len({"{fold}" in path for path in model.embeddings.values()}) > 1:
        raise InputError(f"{where}: write {{fold}} into the paths of all its embeddings, or of none")


def is_folder(network):
    """Whether a model's network is a folder in the Reality Check's layout."""
    return bool(network) and ":" not in network


def read_list(text):
    """The list of models in a YAML file, where a settings file's `models` is its path."""
    from dml_analysis.files import yaml_files  # it needs a library that the renderer's environment has not

    return yaml_files.read(ROOT / Path(text), list, "it is to hold a list of models, as examples/models.yaml does")


def find(name, models):
    """The model of that name. Raises InputError if there is none."""
    known = {model.name: model for model in models}
    if as_printed(name) not in known:
        raise InputError(f"unknown model {name!r}; known: {', '.join(known)}")
    return known[as_printed(name)]


def groups(models):
    """The groups of the models, in the order in which they first come."""
    return list(dict.fromkeys(model.group for model in models))


def trained_groups(models):
    """The groups that have a trained model: those whose means and differences are of interest."""
    return groups([model for model in models if model.trained])


def counted(models, group):
    """The models of a group that count in its means: the trained ones; where there are none, all."""
    some = [model for model in models if model.group == group]
    return [model for model in some if model.trained] or some


def about_own(models, given):
    """What a table's caption has to say of models that are not the paper's; given: what embeddings alone lack there."""
    once = ", ".join(model.name for model in models if not model.per_fold)
    without = ", ".join(model.name for model in models if model.embeddings)
    text = f" One network for all folds, which counts once: {once}." if once else ""
    return text + (f" Given by embeddings, which {given}: {without}." if without and given else "")


def grouped(models):
    """The models in the order of Tables 2-6: group by group, within a group as given."""
    order = groups(models)
    return sorted(models, key=lambda model: order.index(model.group))


def slug(name):
    """A name as it appears in file names: "Margin / class" -> "margin_class"."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
