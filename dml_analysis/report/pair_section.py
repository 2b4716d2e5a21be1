"""Explained pairs in the page: pictures of query and neighbour with what moves the distance between them laid over."""

import numpy as np
from PIL import Image

from dml_analysis import figures
from dml_analysis.causes import explained_pairs
from dml_analysis.causes.cause_figures import OPACITY
from dml_analysis.datasets.images import cropped, open_image
from dml_analysis.report import pictures
from dml_analysis.saliency.saliency_figures import COLOR_MAP

SIDE = 160  # pixels of a picture in the page, of which a pair has two
QUALITY = 70


def found(settings):
    """(Pairs, protocol -> whole stores of their maps, one for each network that was asked); ([], {}) where there are none."""
    if not any(
        (settings.results / each.name / "causes" / "pairs").is_dir() for each in settings.protocols
    ):
        return [], {}
    chosen = explained_pairs.chosen_pairs(settings)
    stores = {protocol.name: [store for store in some if store.is_complete()]
               for protocol, some in explained_pairs.stores_of(settings, chosen).items()}  # fmt: skip
    return (chosen, stores) if any(stores.values()) else ([], {})


def maps_of(chosen, stores):
    """For each pair: protocol -> a dictionary for each model that was asked, with its name and the address of its picture."""
    read = {
        name: [(store.subject.network, store.read("maps")["maps"]) for store in some]
        for name, some in stores.items()
    }
    return [
        {name: [{"model": network.model.name, "address": _address(pair, network.crop, maps[number])} for network, maps in some]
         for name, some in read.items()}
        for number, pair in enumerate(chosen)
    ]  # fmt: skip


def _address(pair, crop, maps):
    """The address of a picture of both, by a network's crop and its maps (2, h, w)."""
    seen = [np.asarray(cropped(open_image(item.path), crop)) for item in pair]
    return pictures.address(side_by_side([laid_over(*each) for each in zip(seen, maps)]), QUALITY)


def laid_over(picture, saliency):
    """(h, w, 3) of uint8: a picture of such, with a map (h, w) in [0, 1] over it, as in the figure of pairs."""
    colors = (
        255
        * figures.matplotlib.colormaps[COLOR_MAP](np.asarray(saliency, dtype=np.float64))[..., :3]
    )
    return ((1 - OPACITY) * picture + OPACITY * colors).round().astype(np.uint8)


def side_by_side(some):
    """Pictures (h, w, 3), each SIDE x SIDE, from left to right."""
    whole = Image.new("RGB", (SIDE * len(some), SIDE))
    for place, each in enumerate(some):
        whole.paste(
            Image.fromarray(each).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (SIDE * place, 0)
        )
    return whole


def model_to_show(neighbors, query, neighbor, asked):
    """The place of the model under which a neighbour is nearest to a query, of those that were asked before all others.

    neighbors: for each model an array (q, m) of the nearest of each query, nearest first; query: its place among these. None if the
    neighbour is among the m nearest under no model.
    """
    ranks = [(place not in asked, rank, place) for place, some in enumerate(neighbors)
             for rank in np.flatnonzero(some[query] == neighbor)]  # fmt: skip
    return min(ranks)[2] if ranks else None
