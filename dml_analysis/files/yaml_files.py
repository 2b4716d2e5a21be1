"""Reader of YAML files with plain content, in bounded time and memory.

Plain content is texts, numbers, true, false, null, lists and mappings as YAML 1.2 defines them:
1e-4 is a number, and `no`, 1:30 and 2020-01-01 are texts, unlike in YAML 1.1. A mapping has each
key once.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer

from dml_analysis.errors import refused
from dml_analysis.files import atomic_files

WHAT = "a YAML file"
MAX_BYTES = 250_000  # reading takes minutes for a few megabytes that are cut inside a list
MAX_VALUES = 100_000  # once all aliases are followed
TAG = "tag:yaml.org,2002:"
# Kind -> the pattern of its texts without quotes, and its value.
PLAIN: dict[str, tuple[str, Callable[[str], Any]]] = {
    "null": ("~|null|Null|NULL|", lambda text: None),
    "bool": ("true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
    "int": ("[-+]?[0-9]+", int),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        lambda text: float(re.sub(r"\.(?=[a-zA-Z])", "", text)),
    ),
}
# libyaml's parser is several times as fast, but PyYAML may have been built without it. Python composes
# what it parses, because libyaml's own composer crashes on lists that are nested too deeply.
_BASES: Any = (Composer, yaml.CBaseLoader) if yaml.__with_libyaml__ else (yaml.BaseLoader,)
VALUES = {TAG + kind: value for kind, (_, value) in PLAIN.items()} | {TAG + "str": str}


class _Loader(*_BASES):  # type: ignore[misc]  # mypy does not know bases that are chosen
    """PyYAML's loader that knows the kinds of PLAIN alone."""

    def __init__(self, text: str) -> None:
        """Set the text to read."""
        _BASES[-1].__init__(self, text)
        Composer.__init__(self)


for kind, (pattern, _) in PLAIN.items():
    _Loader.add_implicit_resolver(TAG + kind, re.compile(rf"(?:{pattern})\Z"), None)


def read(file: Path, kind: type, hint: str) -> Any:
    """Return the content of a YAML file, which must be a `kind`: dict or list.

    Raise InputError for anything else. hint: as for errors.refused.
    """
    text = atomic_files.read_text(file, WHAT, hint, MAX_BYTES)
    with refused(file, WHAT, hint):
        node = yaml.compose(text, Loader=_Loader)
        content = _value(node, iter(range(MAX_VALUES))) if node else None
        if not isinstance(content, kind) or not content:
            raise ValueError(
                f"{type(content).__name__ if content else 'empty'}, but must be a {kind.__name__}"
            )
        return content


def _value(node: yaml.Node, budget: Iterator[int]) -> Any:
    """Return the content of a node. budget: an iterator over the number of values that are allowed."""
    if next(budget, None) is None:
        raise ValueError(f"more than {MAX_VALUES} values")
    if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
        return [_value(each, budget) for each in node.value]
    if isinstance(node, yaml.ScalarNode) and node.tag in VALUES:
        return VALUES[node.tag](node.value)
    if not isinstance(node, yaml.MappingNode) or node.tag != TAG + "map":
        raise ValueError(f"line {node.start_mark.line + 1}: the tag {node.tag} is not read here")
    content: dict = {}
    for key_node, value in node.value:
        key, line = _value(key_node, budget), key_node.start_mark.line + 1
        if isinstance(key, list | dict):
            raise ValueError(f"line {line}: a key is not a word")
        if key in content:
            raise ValueError(f"line {line}: the key {key!r} is listed twice")
        content[key] = _value(value, budget)
    return content
