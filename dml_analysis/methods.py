"""The models of a run, from its settings, and their groups."""

import os
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dml_analysis.blocks import Block, Number, checked, shown, text
from dml_analysis.checkout import ROOT
from dml_analysis.errors import InputError
from dml_analysis.files import yaml_files
from dml_analysis.files.csv_files import MISSING_WORDS
from dml_analysis.imports import NAME, is_name
from dml_analysis.paper import MODELS, NONE, RAW_EUCLIDEAN, UNTRAINED, Model, as_printed

PAPER = "paper"  # stands for all of the paper's models in the settings
DISTANCES = [*dict.fromkeys(model.distance for model in MODELS), RAW_EUCLIDEAN]
TIMM = "timm:"
HUBS = ("hf-hub:", "hf_hub:", "local-dir:")  # what timm and open_clip put before names of hubs
HUB = (
    "nothing is downloaded from hubs; fetch the file of weights, write `network: timm:NAME` with "
    "the architecture's name, and give the file as `checkpoint`"
)
ALL = "all"  # in CSV files instead of a loss, if a row is of all
MAX_MODELS = 500
# Words in cells of tables and CSV files.
TAKEN = ("missing", "undefined", "no maps", "not given", ALL, "random weights")
TAKEN_NAMES = (ALL, "random weights", UNTRAINED)  # what CSV files have instead of a loss
MAX_NAME = 80  # bytes of a name as part of file and array names
OF_LOSS = ("loss_arguments", "miner", "miner_arguments", "loss_learning_rate", "images_per_class")


def _crop(given: Any) -> tuple[int, int]:
    sizes = given if isinstance(given, list) and all(type(each) is int for each in given) else []
    if len(sizes) != 2 or not 1 <= sizes[1] <= sizes[0] <= 10**4:
        raise ValueError("[shorter side, size of the middle], whole numbers such as [256, 224]")
    return sizes[0], sizes[1]


def _distance(given: str) -> str:
    if given not in DISTANCES and not is_name(given):
        raise ValueError(f"one of {', '.join(DISTANCES)}, or module:function")
    return given


def _scalar(given: Any) -> Any:
    if isinstance(given, list | dict):
        raise ValueError("a number or a word")
    return given


def _path(given: str) -> str:
    if not given or set(given.replace("{fold}", "").replace("{dataset}", "")) & set("{}"):
        raise ValueError("a path, in whose braces only {fold} and {dataset} may stand")
    return os.path.expanduser(given)


PathText = Annotated[str, AfterValidator(_path)]
ClassName = Annotated[
    str,
    text(rf"[A-Za-z_]\w*|{NAME.pattern}", "a class of pytorch_metric_learning, or module:class"),
]
Arguments = dict[
    Annotated[str, text(r"[A-Za-z_]\w*", "a name")], Annotated[Any, AfterValidator(_scalar)]
]


class Entry(Block):
    """What settings say of a model that is not the paper's; paper.Model explains the keys."""

    name: str = ""
    year: int | None = Field(None, ge=1, le=9999)
    group: str = ""
    trained: bool = True
    distance: Annotated[str, AfterValidator(_distance)] = DISTANCES[0]
    network: PathText = ""
    checkpoint: PathText = ""
    head: Literal["", "keep", "drop"] = ""
    crop: Annotated[tuple | None, BeforeValidator(_crop)] = None
    embeddings: dict[str, PathText] = Field({}, min_length=1)
    loss: ClassName = ""
    loss_arguments: Arguments = {}
    miner: ClassName = ""
    miner_arguments: Arguments = {}
    loss_learning_rate: Number | None = Field(None, gt=0, le=10)
    images_per_class: int = Field(4, ge=1, le=10**5)

    @classmethod
    def in_provenance(cls) -> tuple[str, ...]:
        """Return the settings that provenance has, unless they are at their defaults."""
        return OF_LOSS


def models_from(given: Any) -> list[Model]:
    """Return the models that a settings file's `models` lists.

    given: names of the paper's models, with "paper" for all fifteen, mappings that describe others,
    and paths of YAML files with such lists; or one of these. Raise InputError if there is no such
    model, or if two would share their files.
    """
    given = given if isinstance(given, list) else [given]
    given = [model for each in given for model in (read_list(each) if _is_file(each) else [each])]
    if not 1 <= len(given) <= MAX_MODELS:
        raise InputError(f"models: {len(given)} of them; give 1 to {MAX_MODELS}")
    models: list[Model] = []
    names: list[str] = []
    for each in given:
        if isinstance(each, Model):
            models.append(each)
        elif isinstance(each, dict):
            models.append(_own(each))
        elif not isinstance(each, str):
            raise InputError(
                f"models: {shown(each)} is not allowed; give a name or a block of `key: value` lines"
            )
        elif as_printed(each) in names:
            raise InputError(f"models: {each!r} is listed twice; keep one")
        else:
            names.append(as_printed(each))
            models += MODELS if each == PAPER else [find(each, MODELS)]
    # The paper's models may be listed by name and by "paper": keep the first.
    models = [model for i, model in enumerate(models) if model.is_own or model not in models[:i]]
    means = [f"{group} Mean" for group in groups(models)]
    for model in models:
        if (
            model.name in means
            or model.group in TAKEN
            or (model.is_own and model.name in TAKEN_NAMES)
        ):
            whose = f"{model.name!r} of group {model.group!r}"
            raise InputError(f"models: {whose}: tables use this word; choose another")
    for model, other in combinations(models, 2):
        if slug(model.name) == slug(other.name):
            raise InputError(
                f"models: {other.name!r} and {model.name!r} would share their files; rename one of them"
            )
        if model.group != other.group and model.group.lower() == other.group.lower():
            both = f"{model.group!r} and {other.group!r}"
            raise InputError(
                f"models: groups {both} differ by their letters' case only; spell them alike"
            )
    return models


def read_list(path: str) -> list:
    """Return the list of models in a YAML file, which a settings file's `models` names."""
    return yaml_files.read(
        ROOT / Path(path), list, "it must contain a list of models, as examples/models.yaml does"
    )


def _is_file(given: Any) -> bool:
    """Return whether an entry of `models` is the path of a YAML file."""
    return isinstance(given, str) and given.endswith((".yaml", ".yml"))


def _own(given: dict) -> Model:
    """Return a model that is not the paper's, from its mapping."""
    where = f"models.{shown(given.get('name', ''))}"
    entry = checked(Entry, given, f"{where}.")
    if problem := next((words for wrong, words in _rules(entry) if wrong), None):
        raise InputError(f"{where}: {problem}")
    group, trained = (
        as_printed(entry.group.strip()) or NONE,
        entry.trained and entry.checkpoint != "random",
    )
    key = slug(entry.name) if entry.loss else ""
    return Model(**dict(entry) | {"group": group, "trained": trained, "key": key})


def _rules(entry: Entry) -> list[tuple[Any, str]]:
    """Return, for each rule about keys together, whether it is broken and the message."""
    name, network, checkpoint, loss = entry.name, entry.network, entry.checkpoint, entry.loss
    group, trained, is_timm = (
        entry.group.strip(),
        entry.trained and checkpoint != "random",
        network.startswith(TIMM),
    )
    other_keys = [key for key in OF_LOSS if key in entry.model_fields_set]
    missing_words = [each for each in (name, group) if each.strip() in MISSING_WORDS - {""}]
    bad_name = (
        not slug(name)
        or not name.isprintable()
        or name == PAPER
        or len(slug(name).encode()) > MAX_NAME
    )
    return [
        (missing_words, f"{''.join(missing_words[:1])!r} reads as a missing value in CSV files; choose another name"),
        (bad_name, f"give each a name with letters or digits, at most {MAX_NAME}, other than {PAPER!r}"),
        (not group.isprintable() or (not group and (trained or entry.group)),
         "name its `group`, such as Ranking, Classification or one of your own"),
        (bool(network or loss) == bool(entry.embeddings),
         "give it either a `network` or `embeddings`, or a `loss` to train with"),
        (other_keys and not loss, f"`{''.join(other_keys[:1])}` is for models with a `loss`"),
        (loss and not trained,
         "has a `loss`, so it will be trained; leave `trained` and `checkpoint: random` out"),
        (loss and is_folder(network), "training begins with module:function or timm:name, not with a folder"),
        (loss and checkpoint and not network, "name the `network` that `checkpoint` is the weights of"),
        (loss and "{" in checkpoint, "all trainings begin with one `checkpoint`; leave the braces out of its path"),
        (loss and entry.head == "keep", "the embedder is trained on the features; leave `head: keep` out"),
        (network.removeprefix(TIMM).startswith(HUBS), HUB),
        (is_timm and not checkpoint, "timm networks come without weights; give a `checkpoint`, or the word random"),
        (":" in network and not is_timm and not is_name(network),
         f"network {network!r} is neither module:function, timm:name nor a folder"),
        (not is_timm and (entry.head or entry.crop), "`head` and `crop` are for timm networks only"),
        (checkpoint and (entry.embeddings or is_folder(network)),
         "`checkpoint` is for networks that module:function or timm:name builds"),
        (len({"{fold}" in path for path in entry.embeddings.values()}) > 1,
         "write {fold} into the paths of all its embeddings, or of none"),
    ]  # fmt: skip


def is_folder(network: str) -> bool:
    """Return whether a model's network is a folder in the Reality Check's layout."""
    return bool(network) and ":" not in network


def find(name: str, models: Iterable[Model]) -> Model:
    """Return the model of that name. Raise InputError if there is none."""
    known = {model.name: model for model in models}
    if as_printed(name) not in known:
        raise InputError(f"unknown model {name!r}; known: {', '.join(known)}")
    return known[as_printed(name)]


def groups(models: Iterable[Model]) -> list[str]:
    """Return the groups of the models, in the order of their first model."""
    return list(dict.fromkeys(model.group for model in models))


def trained_groups(models: Iterable[Model]) -> list[str]:
    """Return the groups that have a trained model, whose means and differences tables show."""
    return groups([model for model in models if model.trained])


def counted(models: Iterable[Model], group: str) -> list[Model]:
    """Return the models in the means of a group: the trained ones, or all if there are none."""
    members = [model for model in models if model.group == group]
    return [model for model in members if model.trained] or members


def about_own(models: list[Model], given: str) -> str:
    """Return what a table's caption says of models that are not the paper's.

    given: what applies to models given by embeddings.
    """
    once = ", ".join(model.name for model in models if not model.per_fold)
    without = ", ".join(model.name for model in models if model.embeddings)
    words = f" One network for all folds, which counts once: {once}." if once else ""
    return words + (f" Given by embeddings, which {given}: {without}." if without and given else "")


def grouped(models: list[Model]) -> list[Model]:
    """Return the models in the order of Tables 2-6: by group, within a group as given."""
    order = groups(models)
    return sorted(models, key=lambda model: order.index(model.group))


def slug(name: str) -> str:
    """Return a name as in file names: "Margin / class" -> "margin_class"."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
