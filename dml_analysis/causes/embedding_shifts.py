"""What a change of one property does: how far each network's embedding moves, and whether the changed pixels carry its maps.

Two stages, of embeddings of all frames of the scenes and of maps of some scenes' first frames; the CSV files show both.
"""

from functools import partial
from pathlib import Path

import numpy as np

from dml_analysis.datasets import counterfactuals
from dml_analysis.datasets.counterfactuals import COUNTERFACTUALS
from dml_analysis.datasets.images import cropped, open_image
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import ALL, counted, groups
from dml_analysis.metrics.shift_sizes import (
    carried,
    changed_pixels,
    interval,
    movements,
    rank_correlation,
)
from dml_analysis.networks.specifications import by_trunk, network_stage, networks_of
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.map_settings import MapSettings
from dml_analysis.saliency.saliency_maps import MapMaker
from dml_analysis.seeds import derived_seed
from dml_analysis.stages import Job, Stage
from dml_analysis.views import View

SCENES = MapSettings("scenes")  # the run's own maps, but of scenes
EMBEDDINGS = Path("causes", "embeddings")
NAMES = [each.name for each in PROPERTIES]
COLUMNS = {"loss": str, "type": str, "dataset": str, "fold": int, "property": csv_files.one_of(NAMES), "n_scenes": int,
           "movement": float, "low": float, "high": float, "n_mapped": int, "changed_mass": float,
           "changed_pixels": float}  # fmt: skip
RANKS = {"unit": csv_files.one_of(["model", "group"]), "loss": str, "type": str, "n_properties": int,
         "spearman": csv_files.between(-1, 1), "p_value": csv_files.between(0, 1)}  # fmt: skip


def csv_file(settings, protocol):
    return settings.results / protocol.name / "causes" / "movements.csv"


def ranks_file(settings, protocol):
    return settings.results / protocol.name / "causes" / "movement_ranks.csv"


def networks_shown(settings):
    """The networks that are shown the scenes: those that embed the rendered cars."""
    return networks_of(settings, settings.properties.networks, settings.folds, COUNTERFACTUALS)


def scenes_of(settings):
    return counterfactuals.scenes(settings, settings.causes.scenes)


def mapped_items(settings):
    """The first frames of the scenes of which maps are made."""
    return [scene.base for scene in scenes_of(settings)[: settings.causes.mapped_scenes]]


# ---------------------------------------------------------------------------------------------------------------------
# The stages.
# ---------------------------------------------------------------------------------------------------------------------
def embeddings_stage(settings):
    """The embeddings of all frames of the scenes."""
    items, networks = counterfactuals.items_of(scenes_of(settings)), networks_shown(settings)
    make = partial(car_embeddings.make, settings, items)
    jobs = [
        Job([car_embeddings.store_of(each, items, EMBEDDINGS) for each in group], make)
        for group in by_trunk(networks)
    ]
    return network_stage(
        "embeddings of scenes", "image", jobs, networks, [items], lambda store: [store.subject]
    )


def maps_stage(settings):
    """The maps of some scenes' first frames, under the networks of the folds that the protocols' tables are about."""
    items = mapped_items(settings)
    mapped = [
        each
        for each in networks_shown(settings)
        if each.has_maps and saliency_maps.protocols_of(settings, each.fold)
    ]
    maker = MapMaker(mapped, settings)

    def make(stores, number, tick):
        first = number * saliency_maps.MAPS_PER_CHUNK
        rows = slice(first, first + saliency_maps.MAPS_PER_CHUNK)
        return maker.maps(stores, items, rows, tick)

    jobs = [
        Job(
            [
                saliency_maps.store_of(settings, network, protocol, items, SCENES)
                for protocol in saliency_maps.protocols_of(settings, network.fold)
            ],
            make,
        )
        for network in mapped
    ]
    if not jobs:
        return Stage("maps of scenes", "map", [], views(settings))
    return network_stage(
        "maps of scenes",
        "map",
        jobs,
        mapped,
        [items],
        lambda store: [store.subject.network],
        views=views(settings),
    )


# ---------------------------------------------------------------------------------------------------------------------
# CSV files.
# ---------------------------------------------------------------------------------------------------------------------
def views(settings):
    """movements.csv of the whole run, by every protocol."""
    whole = settings.whole
    some = scenes_of(whole)
    items = counterfactuals.items_of(some)
    stores = [
        car_embeddings.store_of(each, items, EMBEDDINGS)
        for each in networks_shown(whole)
        if each.is_known()
    ]
    return [View(csv_file(settings, protocol), COLUMNS, stores, partial(rows_of, whole, protocol, some))
            for protocol in settings.protocols]  # fmt: skip


def rows_of(settings, protocol, some, stores, columns):
    """A row for each network and property."""
    mapped = mapped_items(settings)
    for store in stores:
        network = store.subject
        moved = moved_by(network, protocol, car_embeddings.read(store))
        low, high = interval(
            moved, derived_seed(settings.seed, "scenes")
        )  # the same draws of scenes for all networks
        carries, n_mapped = np.full((2, len(NAMES)), np.nan), 0
        if (
            network.has_maps
            and (
                kept := saliency_maps.store_of(settings, network, protocol, mapped, SCENES)
            ).is_complete()
        ):
            carries, n_mapped = carried_by(kept, some[: len(mapped)]), len(mapped)
        for place, name in enumerate(NAMES):
            yield [*network.labels.values(), name, len(some), moved[:, place].mean(), low[place], high[place], n_mapped,
                   *carries[:, place]]  # fmt: skip


def moved_by(network, protocol, embedded):
    """(s, p): see movements; embedded (s (1 + p), d): of all frames, scene by scene, by the protocol's distance."""
    coordinates = property_scores.coordinates_by(network, protocol, embedded)
    by_scene = coordinates.reshape(-1, 1 + len(NAMES), coordinates.shape[1])
    try:
        return movements(by_scene[:, 0], by_scene[:, 1:])
    except ValueError as error:
        raise InputError(f"{network.name}: embeddings of scenes: {error}") from None


def carried_by(store, some):
    """(2, p): the means over scenes of what movements.carried gives for the maps of these scenes' first frames."""
    found, crop = [], store.subject.network.crop
    for scene, saliency in zip(some, store.read("maps")["maps"]):
        base = picture(scene.base, crop)
        found.append(
            [
                carried(saliency, changed_pixels(base, picture(item, crop)))
                for item in scene.changed.values()
            ]
        )
    return np.nanmean(found, axis=0).T


def picture(item, crop):
    """What a network sees of an image, (h, w, 3) in [0, 1]."""
    return np.asarray(cropped(open_image(item.path), crop), dtype=np.float64) / 255


def means_of_models(settings, protocol):
    """(movements, NR-Precisions): tables of each model (rows) and property, means over the folds. MissingFile if there are none."""
    moved = csv_files.table(csv_file(settings, protocol), COLUMNS, key=["loss", "fold", "property"])
    file, hint = (
        property_scores.scores_file(settings, protocol),
        "run properties/3_score_properties.py first",
    )
    scored = csv_files.table(file, property_scores.COLUMNS, list(property_scores.KEY), hint)
    return [table.pivot_table(value, "loss", "property")[NAMES] for table, value in
            ((moved, "movement"), (scored, "nr_precision"))]  # fmt: skip


def write_ranks(settings):
    """Write movement_ranks.csv: do the properties whose change moves a model most also cluster best, by NR-Precision?

    For each model and each group's mean, Spearman's correlation over the properties. Raises InputError if there are no scores.
    """
    for protocol in settings.protocols:
        rows = _rank_rows(settings.whole.models, *means_of_models(settings, protocol))
        csv_files.write(ranks_file(settings, protocol), rows, RANKS)
        print(f"wrote {ranks_file(settings, protocol)}")


def _rank_rows(models, moved, scored):
    """A row for each model and each group; see means_of_models."""
    both = [model for model in models if model.name in moved.index and model.name in scored.index]
    units = [("model", model.name, model.group, [model.name]) for model in both]
    units += [
        ("group", ALL, group, [model.name for model in counted(both, group)])
        for group in groups(both)
    ]
    for unit, name, group, names in units:
        a, b = (table.loc[names].mean() for table in (moved, scored))
        yield [unit, name, group, len(NAMES), *rank_correlation(a, b)]
