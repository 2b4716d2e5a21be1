"""YAML files: plain content, in bounded time and memory.

Plain means texts, numbers, true, false, null, lists and mappings, as YAML 1.2 has them: 1e-4 is a number, and `no`, 1:30 and
2020-01-01 are texts, which they are not in YAML 1.1. A key stands in a mapping once.
"""

import re

import yaml

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files

WHAT = "a YAML file"
MOST_BYTES, MOST_VALUES = 10**6, 10**5  # the values once all aliases are followed
DEEPEST = 50  # lists and mappings inside one another
PLAIN = "plain"  # the tag of what is neither quoted nor tagged
WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
WHOLE = re.compile("[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan")


def read(file, kind, hint):
    """The content of a YAML file, of a kind: dict or list. Raises InputError on anything else; hint: as for errors.refused."""
    text = atomic_files.read_text(file, WHAT, hint, MOST_BYTES)
    with refused(file, WHAT, hint):
        node = yaml.compose(text, Loader=_Loader)
        content = _value(node, iter(range(MOST_VALUES)), 0) if node else None
        if not isinstance(content, kind) or not content:
            raise ValueError(f"{'empty' if not content else type(content).__name__}, but must be a {kind.__name__}")
        return content


class _Loader(yaml.BaseLoader):
    def resolve(self, kind, value, implicit):
        return PLAIN if kind is yaml.ScalarNode and implicit[0] else super().resolve(kind, value, implicit)


def _value(node, budget, depth):
    """What a node holds; budget: an iterator that ends with the number of values that a file may have."""
    if next(budget, None) is None:
        raise ValueError(f"more than {MOST_VALUES} values")
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} lists and mappings inside one another")
    if node.tag not in (PLAIN, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))):
        raise ValueError(f"line {node.start_mark.line + 1}: the tag {node.tag} is not read here")
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, budget, depth + 1) for each in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, budget, depth)
    return _plain(node.value) if node.tag == PLAIN else node.value


def _mapping(node, budget, depth):
    found = {}
    for key, value in node.value:
        name = _value(key, budget, depth + 1)
        if isinstance(name, (list, dict)) or name in found:
            what = "a key is no word" if isinstance(name, (list, dict)) else f"the key {name!r} stands twice"
            raise ValueError(f"line {key.start_mark.line + 1}: {what}")
        found[name] = _value(value, budget, depth + 1)
    return found


def _plain(text):
    """The value of a text without quotes."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text.replace(".inf", "inf").replace(".nan", "nan")) if NUMBER.fullmatch(text) else text
