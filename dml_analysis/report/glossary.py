"""Section "Glossary", and the terms in the page's texts that show their definition."""

import re
from html import escape
from typing import NamedTuple

from dml_analysis.config import Settings
from dml_analysis.report.section import rendered


class Term(NamedTuple):
    """A term of the field."""

    name: str
    definition: str

    @property
    def id(self) -> str:
        """Return its address in the page."""
        return f"term-{self.name.lower().replace(' ', '-')}"


TERMS = [
    Term(
        "saliency map",
        "How strongly each pixel of an image moves its embedding away from that of a black image, "
        "by SmoothGrad: the mean gradient over noisy copies of the image, scaled to 0 to 1.",
    ),
    Term(
        "noise ceiling",
        "The mean correlation of a network's maps with its own maps under other noise. Maps of two "
        "networks cannot be expected to be more alike.",
    ),
    Term(
        "random-weights baseline",
        "The mean correlation of a trained network's maps with those of a network of the same "
        "architecture and random weights. The architecture alone makes maps that alike.",
    ),
    Term(
        "noise-corrected",
        "Divided by the root of both networks' noise ceilings, which estimates the correlation "
        "of maps without noise (disattenuation).",
    ),
    Term(
        "Jensen-Shannon divergence",
        "How different two maps are, each taken as a distribution over pixels; 0 means the same.",
    ),
    Term(
        "NR-Precision",
        "How many of an image's R nearest neighbours share its value of a property, in standard "
        "deviations above what random neighbours would share. It grows with the root of R.",
    ),
    Term(
        "protocol",
        "paper: as the paper's text defines it. released: as the authors' code computes it, which "
        "differs in maps, folds, distances and rounding.",
    ),
    Term("fold", "One of the splits of the training classes into training and validation classes."),
    Term(
        "type of loss",
        "Ranking losses compare the embeddings of images; classification losses compare "
        "embeddings with a vector for each class.",
    ),
    Term(
        "counterfactual set",
        "Rendered images of one car: one original, and one for each property in which only that "
        "property differs.",
    ),
    Term(
        "permutation test",
        "p is the share of random assignments of labels that give at least the observed effect.",
    ),
    Term(
        "Holm",
        "A correction of p for several tests: with it, a true set of no effects is rejected at "
        "all with a probability of at most the level.",
    ),
    Term(
        "improvement",
        "MAP@R of a trained network minus that of the frozen trunk that its training started from.",
    ),
    Term(
        "density",
        "π ratio: the mean distance within classes divided by that between classes, of embeddings.",
    ),
    Term(
        "spectral decay",
        "ρ: how far the singular values of the embeddings are from being equal; a small ρ means "
        "that many directions are in use.",
    ),
]
OF_NAME = {term.name.lower(): term for term in TERMS}
PATTERN = re.compile(rf"\b({'|'.join(map(re.escape, OF_NAME))})\b", re.IGNORECASE)
# A protocol that begins, or a paragraph or caption.
TEXTS = re.compile(
    r'data-of="(?P<protocol>\w+)"|(?P<tag><(p|caption|figcaption)\b[^>]*>)(?P<text>.*?)(?=</\3>)',
    re.DOTALL,
)


def section(settings: Settings) -> str:
    """Return the HTML of the section."""
    return rendered("glossary", terms=sorted(TERMS, key=lambda term: term.name.lower()))


def marked(html: str) -> str:
    """Return a section in which each term shows its definition where a protocol has it first."""
    protocol, seen = "", set()

    def of_term(match: re.Match[str]) -> str:
        term = OF_NAME[match[0].lower()]
        if (protocol, term) in seen:
            return match[0]
        seen.add((protocol, term))
        target = escape(term.id)
        return f'<button type="button" class="term" popovertarget="{target}">{match[0]}</button>'

    def of_text(match: re.Match[str]) -> str:
        nonlocal protocol
        if match["protocol"]:
            protocol = match["protocol"]
            return match[0]
        parts = re.split(r"(<(?:a|code|button)\b.*?</(?:a|code|button)>|<[^>]*>)", match["text"])
        parts[::2] = [PATTERN.sub(of_term, part) for part in parts[::2]]
        return match["tag"] + "".join(parts)

    return TEXTS.sub(of_text, html)
