"""The table of models that a run has: read from its settings; everything else about models asks this table."""

from common.errors import InputError
from utils import MODELS

PAPER = "paper"  # the word for all of the paper's in the settings


def models_from(given):
    """The models that a settings file's `models` names: a list of names, in which "paper" stands for the fifteen.

    Raises InputError if there is no such model.
    """
    by_name = {model.name: model for model in MODELS}
    names = dict.fromkeys(name for each in given for name in (by_name if each == PAPER else [each]))
    return [find(name, MODELS) for name in names]


def find(name, models):
    """The model of that name. Raises InputError if there is none."""
    known = {model.name: model for model in models}
    if name not in known:
        raise InputError(f"unknown model {name!r}; known: {', '.join(known)}")
    return known[name]


def groups(models):
    """The groups of the models, in the order in which they first come."""
    return list(dict.fromkeys(model.group for model in models))


def trained_groups(models):
    """The groups that have a trained model: those whose means and differences are of interest."""
    return groups([model for model in models if model.trained])


def grouped(models):
    """The models in the order of Tables 2-6: group by group, within a group as given."""
    order = groups(models)
    return sorted(models, key=lambda model: order.index(model.group))


def slug(name):
    """A name as it appears in file names: "Margin / class" -> "margin_class"."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
