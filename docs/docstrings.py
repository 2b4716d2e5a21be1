"""How the API reference reads docstrings: doctests as examples, and the fields of classes."""

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Lay out the docstrings of functions, and list the fields of classes with their comments."""

    def on_function(self, *, func: griffe.Function, **kwargs: Any) -> None:
        """Set arguments off, begin paragraphs at sources and errors, put doctests into blocks."""
        if not func.docstring:
            return
        name = "|".join(re.escape(parameter.name) for parameter in func.parameters) or "(?!)"
        text, doctest, rest = func.docstring.value.partition(">>> ")
        text = re.sub(
            rf"(^|\.\s)((?:{name})(?:, (?:{name}))*):(?=\s)", r"\1**\2**:", text, flags=re.M
        )
        text = re.sub(r"\.\s+(?=Source: |Raises )", ".\n\n", text)
        func.docstring.value = text + (f"```pycon\n{doctest}{rest}\n```" if doctest else "")

    def on_class_members(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Add a list of the fields to a docstring."""
        if cls.docstring and cls.attributes:
            fields = [f"    {name}: {comment_of(field)}" for name, field in cls.attributes.items()]
            cls.docstring.value += "\n\nAttributes:\n" + "\n".join(fields)


def comment_of(field: griffe.Attribute) -> str:
    """Return the comment behind a field, or else that on the line before it."""
    lines, index = field.lines_collection[field.filepath], (field.lineno or 1) - 1
    before = lines[index - 1].strip()
    return lines[index].partition("  # ")[2] or before.removeprefix("# ") * before.startswith("# ")
