"""Explained pairs in the page: pictures of query and neighbour with saliency maps laid over."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from dml_analysis import figures
from dml_analysis.causes import explained_pairs
from dml_analysis.causes.cause_figures import OPACITY
from dml_analysis.causes.explained_pairs import Pair
from dml_analysis.config import Settings
from dml_analysis.datasets.images import Crop, cropped, open_image
from dml_analysis.report import pictures
from dml_analysis.saliency.saliency_figures import COLOR_MAP
from dml_analysis.store import ResultStore

SIDE = 160  # pixels of a picture in the page, of which a pair has two
QUALITY = 70


def pairs_and_stores(settings: Settings) -> tuple[list[Any], dict[str, list[ResultStore]]]:
    """Return the explained pairs, and by protocol the complete stores of their maps.

    Return ([], {}) if there are none.
    """
    folders = [settings.results / each.name / "causes" / "pairs" for each in settings.protocols]
    if not settings.properties.of_cars or not any(folder.is_dir() for folder in folders):
        return [], {}
    pairs = explained_pairs.chosen_pairs(settings)
    stores = {
        protocol.name: [store for store in of_protocol if store.is_complete()]
        for protocol, of_protocol in explained_pairs.stores_of(settings, pairs).items()
    }
    return (pairs, stores) if any(stores.values()) else ([], {})


def pictures_of(
    pairs: Sequence[Pair], stores: dict[str, list[ResultStore]]
) -> list[dict[str, list[dict[str, str]]]]:
    """Return for each pair and protocol the pictures under all models: name and data URL."""
    urls: list[dict[str, list[dict[str, str]]]] = [
        {protocol: [] for protocol in stores} for _ in pairs
    ]
    for protocol, of_protocol in stores.items():
        for store in of_protocol:
            subject: Any = store.subject
            for pair, maps, by_protocol in zip(pairs, store.read("maps")["maps"], urls):
                address = _address(pair, subject.network.crop, maps)
                by_protocol[protocol].append(
                    {"model": subject.network.model.name, "address": address}
                )
    return urls


def _address(pair: Iterable[Any], crop: Crop, maps: Float[np.ndarray, "2 h w"]) -> str:
    """Return the data URL of a picture of both images with their maps."""
    seen = [np.asarray(cropped(open_image(item.path), crop)) for item in pair]
    return pictures.address(side_by_side([laid_over(*each) for each in zip(seen, maps)]), QUALITY)


def laid_over(
    picture: UInt8[np.ndarray, "h w 3"], saliency: Float[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a picture with a map in [0, 1] laid over, as in the figure of pairs."""
    color_map = figures.matplotlib.colormaps[COLOR_MAP]
    colors = 255 * color_map(np.asarray(saliency, dtype=np.float64))[..., :3]
    return ((1 - OPACITY) * picture + OPACITY * colors).round().astype(np.uint8)


def side_by_side(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Image.Image:
    """Return pictures from left to right, each resized to SIDE x SIDE."""
    joined = Image.new("RGB", (SIDE * len(images), SIDE))
    for position, image in enumerate(images):
        resized = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        joined.paste(resized, (SIDE * position, 0))
    return joined
