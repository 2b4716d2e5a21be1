"""Figures of many methods with long names: no text is clipped, and none collides with another."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.path import Path as Outline
from matplotlib.text import Text

from dml_analysis import figures
from dml_analysis.causes import cause_figures, embedding_shifts
from dml_analysis.causes.explained_pairs import Pair
from dml_analysis.checkout import ROOT
from dml_analysis.config import load_settings
from dml_analysis.controls import control_figures, noise_ceilings
from dml_analysis.datasets.images import Crop, open_image
from dml_analysis.datasets.readers import Sample
from dml_analysis.embedding_space import embedding_space_figures, measure_correlations
from dml_analysis.embedding_space.training_factors import MEASURES as CHANGES
from dml_analysis.metrics.embedding_measures import LABELS, PERFORMANCE, SHAPE
from dml_analysis.metrics.map_mass import REGIONS
from dml_analysis.metrics.representation_similarity import MEASURES
from dml_analysis.paper import MODELS, PROPERTIES
from dml_analysis.properties import property_figures
from dml_analysis.reality_check import training_figures
from dml_analysis.saliency import saliency_figures
from dml_analysis.saliency.map_settings import BASES, INTEGRATED, SMOOTHGRAD

NAMES = [f"Multi Similarity with a Miner, distilled into itself {n}" for n in range(20)]
GROUPS = ["Ranking", "Classification", "Self-supervised and then fine-tuned"]
(NONE,) = [model for model in MODELS if model.is_none]
LONG = [
    NONE._replace(name=name, group=GROUPS[n % 3], trained=True, network="timm:resnet18")
    for n, name in enumerate(NAMES)
]
ALL = [*LONG, NONE]
GROUP_OF = {model.name: model.group for model in ALL}
EVERY_NAME, FOLDS = list(GROUP_OF), [0, 1, 2, 3]
OF_CARS = [prop.name for prop in PROPERTIES]
PAIRS = list(combinations(NAMES, 2))
IMAGE = Sample("123456", ROOT / "data/sample_cars/images/1.jpg", 0)
MAP = np.random.default_rng(0).uniform(size=(32, 32))
ANALYSES = ["maps", "embeddings", "embeddings (neighbours)", "embeddings (Procrustes)", "properties"]  # fmt: skip


@pytest.fixture(scope="module")
def settings():
    return load_settings("settings/demo.yaml").model_copy(update={"models": ALL})


def table(numbers, **levels):
    """A row for each combination of the levels, with random numbers in these columns."""
    rows = pd.MultiIndex.from_product(levels.values(), names=list(levels)).to_frame(index=False)
    random = np.random.default_rng(0)
    for column in numbers:
        rows[column] = random.uniform(0.1, 0.9, len(rows))
    return rows.assign(type=rows.loss.map(GROUP_OF)) if "loss" in rows else rows


def of_pairs(numbers, **levels):
    """The same with a row for each pair of methods and each combination of the levels."""
    rows = table(numbers, pair=PAIRS, **levels)
    return rows.assign(loss_a=rows.pair.str[0], loss_b=rows.pair.str[1])


# --------------------------------------------------------------------------------------------------
# The figures.
# --------------------------------------------------------------------------------------------------
def regions(settings):
    rows = table(["mass", "pixels"], region=REGIONS, loss=EVERY_NAME)
    return cause_figures.regions_figure(settings, rows)


def shifts(settings):
    changes = [*OF_CARS, embedding_shifts.RENDER_NOISE]
    return cause_figures.shifts_figure(ALL, table(["shift"], property=changes, loss=EVERY_NAME))


def ranks(settings):
    rows = table(["score", "shift"], loss=EVERY_NAME, property=OF_CARS)
    return cause_figures.ranks_figure(
        ALL, *(rows.pivot(index="loss", columns="property", values=of) for of in ("shift", "score"))
    )


def errors(settings):
    rows = table(["low", "excess", "high"], property=OF_CARS, type=GROUPS)
    return cause_figures.errors_figure(ALL, rows)


def randomization(settings):
    rows = table(["correlation_mean"], loss=EVERY_NAME, random_share=[0, 0.5, 1])
    return cause_figures.randomization_figure(ALL, rows)


def pairs(settings):
    crop = Crop(36, (32, 32))
    networks = [SimpleNamespace(model=model, crop=crop) for model in LONG[:4]]
    both = [Pair(IMAGE, IMAGE)] * 2
    return cause_figures.pairs_figure(both, networks, [[np.array([MAP, MAP])] * 2] * 4)


def bounds(settings):
    rows = of_pairs(["correlation_mean"], kind=noise_ceilings.KINDS)
    untrained = rows[:12].assign(loss_b="None")
    return control_figures.bounds_figure(settings, pd.concat([rows, untrained]))


def nulls(settings):
    null = table(["null_mean", "null_std"], loss=EVERY_NAME, property=OF_CARS)
    intervals = table(["low", "nr_precision", "high"], loss=EVERY_NAME, property=OF_CARS)
    return control_figures.nulls_figure(settings, null, intervals)


def representations(settings):
    rows = of_pairs(["similarity", "null_mean"], measure=list(MEASURES))
    return control_figures.representations_figure(settings, rows)


def trees(settings):
    rows = of_pairs(["similarity"], analysis=ANALYSES)
    tests = table(["p_value", "cophenetic"], analysis=ANALYSES).set_index("analysis")
    return control_figures.trees_figure(settings, rows, tests)


def close_trees(settings):
    """Similarities that differ in the third decimal: ticks have many digits."""
    rows = of_pairs(["similarity"], analysis=ANALYSES)
    rows["similarity"] = 0.58 + rows.similarity / 100
    tests = table(["p_value", "cophenetic"], analysis=ANALYSES).set_index("analysis")
    return control_figures.trees_figure(settings, rows, tests)


def ablations(settings):
    numbers = ["within", "between"]
    smooth = table(numbers, sigma=[0.05, 0.15, 0.3], samples=[5, 10, 25, 50, 100])
    own = smooth[:1].assign(variation="own")
    bases = table(numbers, base=BASES[1:], samples=[50])
    others = table(numbers, attribution=[INTEGRATED], samples=[50])
    parts = [own, smooth.assign(variation="sigma and samples"),
             bases.assign(variation="base image"), others.assign(variation="attribution")]  # fmt: skip
    rows = pd.concat(parts, ignore_index=True).fillna({"base": BASES[0], "attribution": SMOOTHGRAD})
    return control_figures.ablations_figure(rows)


def needed(settings):
    maps = table(["told_apart"], samples=[5, 10, 25, 50], images=[10, 20, 50, 100, 200])
    counts = {"queries": [50, 100, 200, 500, 1000, 2000], "folds": [1, 2, 4]}
    return control_figures.needed_figure(maps, table(["told_apart"], property=OF_CARS, **counts))


def orders(settings):
    counts = [50, 100, 200, 500, 1000, 2000]
    return control_figures.orders_figure(ALL, table(["order_as_all"], loss=EVERY_NAME, n_images=counts))  # fmt: skip


def correlations(settings):
    """Of measures with performance."""
    of = {"train": [*SHAPE, *PERFORMANCE], "test": list(SHAPE),
          measure_correlations.of_properties(settings, settings.protocols[0]): OF_CARS}  # fmt: skip
    parts = [
        table(["low", "correlation", "high"], of=[name], measure=measures, performance=PERFORMANCE)
        for name, measures in of.items()
    ]
    return pd.concat(parts).assign(points="methods", kind="pearson", n_methods=20)


def matrix(settings):
    return embedding_space_figures.matrix(settings, "SyntheticCars", correlations(settings))


def spaces(settings):
    columns = [(measure, part) for measure in LABELS for part in ("train", "test")]
    points = table(columns, loss=NAMES, fold=FOLDS).drop(columns="type").set_index(["loss", "fold"])
    points.columns = pd.MultiIndex.from_tuples(points.columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure_correlations, "of_networks", lambda *_: points)
        return embedding_space_figures.panels(settings, "SyntheticCars", correlations(settings))


def factors(settings):
    parts = [
        table(CHANGES, factor=[factor], value=values, loss=NAMES)
        for factor, values in {"images per class": ["2", "4", "8"], "embedding dimensions": ["128", "512"],
                               "batch sampler": ["random", "distance weighted"]}.items()
    ]  # fmt: skip
    settings = settings.model_copy(update={"base_names": {"images per class": "the settings' own"}})
    return embedding_space_figures.factors_figure(settings, pd.concat(parts))


def tsne(settings):
    ids = [str(n) for n in range(96)]
    coordinates = table(["x", "y"], image_id=ids)
    values = pd.DataFrame({"model": [f"Mercedes Benz 300sel, version {n % 6}" for n in range(96)],
                           "rotation_z": np.arange(96) % 8 * 45,
                           "sun_rotation": np.arange(96) % 8 * 45}, index=ids)  # fmt: skip
    shown = [prop for prop in PROPERTIES if prop.name in values]
    return property_figures.tsne_figure(coordinates, values, shown)


def training(settings):
    numbers = ["validation_map_at_r", "test_map_at_r_only_shown"]
    log = table(numbers, loss=EVERY_NAME, fold=FOLDS, chosen=["yes", "no"], learning_rate=[0.0001],
                iteration=[0, 400, 800, 1200, 1600])  # fmt: skip
    log["best"] = np.where(log.iteration == 800, "yes", "no")
    return training_figures.curves(settings, "SyntheticCars", log)


def improvements(settings):
    rows = table(["low", "gain", "high"], loss=NAMES, part=["validation", "test"])
    return training_figures.improvements_figure(settings, rows.assign(n_classes=24, clear="yes"))


def one_map(settings):
    maps = {name: {IMAGE.image_id: MAP} for name in EVERY_NAME[1:]}
    return saliency_figures.one_image(ALL, [IMAGE], [open_image(IMAGE.path)], maps)


def many_maps(settings):
    samples, pictures = [IMAGE] * 3, [open_image(IMAGE.path)] * 3
    maps = {name: {IMAGE.image_id: MAP} for name in EVERY_NAME[1:]}
    return saliency_figures.many_images(ALL, samples, pictures, maps)


FIGURES = [regions, shifts, ranks, errors, randomization, pairs, bounds, nulls, representations, trees,
           close_trees, ablations, needed, orders, matrix, spaces, factors, tsne, training, improvements, one_map,
           many_maps]  # fmt: skip


# --------------------------------------------------------------------------------------------------
# The check.
# --------------------------------------------------------------------------------------------------
def texts_drawn(figure, monkeypatch):
    """(text, its outline in pixels) of all texts in a figure but marks of points in axes."""
    drawn = []
    draw = Text.draw

    def noted(text, renderer, *args, **kwargs):
        text.set_bbox({"pad": -0.8, "alpha": 0})  # moves with the text's rotation
        draw(text, renderer, *args, **kwargs)
        if text.get_visible() and text.get_text().strip() and text not in marks:
            patch = text.get_bbox_patch()
            outline = patch.get_transform().transform_path(patch.get_path())
            drawn.append((text.get_text(), outline))

    marks = {text for axes in figure.axes for text in axes.texts}
    monkeypatch.setattr(Text, "draw", noted)
    figure.draw_without_rendering()
    return drawn


def problems(figure, monkeypatch):
    """What is wrong with the texts of a figure."""
    drawn = texts_drawn(figure, monkeypatch)
    width, height = figure.bbox.size
    page = Outline([[-1, -1], [width + 1, -1], [width + 1, height + 1], [-1, height + 1]])
    clipped = [text for text, outline in drawn if not page.contains_points(outline.vertices).all()]
    collide = [
        (one, other)
        for (one, outline), (other, another) in combinations(drawn, 2)
        if outline.intersects_path(another, filled=True)
    ]
    return {"clipped": clipped, "collide": collide}


@pytest.mark.parametrize("make", FIGURES, ids=lambda make: make.__name__)
def test_texts_are_in_the_figure_and_apart(make, settings, monkeypatch):
    figure = make(settings)
    assert problems(figure, monkeypatch) == {"clipped": [], "collide": []}
    figures.plt.close(figure)


def test_the_check_sees_what_is_wrong(monkeypatch):
    """Labels in rows of half their height collide, and a title over the edge is clipped."""
    figure, _ = figures.rows_figure(NAMES)
    figure.set_figheight(1)
    figure.text(0.9, 0.5, "far beyond the edge")
    found = problems(figure, monkeypatch)
    assert found["clipped"] == ["far beyond the edge"] and len(found["collide"]) > 10
    figures.plt.close(figure)
