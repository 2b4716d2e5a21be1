"""The scripts of replication/ from trainings to their tables, on tiny networks of the shipped cars."""

import numpy as np
import pandas as pd
import pytest

from dml_analysis.config import load_settings
from dml_analysis.metrics.map_halves import compare_halves
from dml_analysis.paper import PROTOCOLS
from dml_analysis.replication import map_measures, probes, trainings
from dml_analysis.saliency.saliency_maps import mapped_samples
from tests import fake_data
from tests.conftest import succeed

TRAINING = fake_data.TILES_TRAINING | {"iterations": 4, "reached": 0.05, "patience": 4}
BEFORE = [
    "reality_check/2_train_models.py", "reality_check/3_evaluate_models.py",
    "reality_check/4_measure_gains.py", "properties/2_embed_cars.py",
    "properties/3_score_properties.py", "embedding_space/1_measure_spaces.py",
]  # fmt: skip
OWN = [
    f"replication/{name}.py"
    for name in ("2_compute_maps", "4_probe_networks", "3_collect_trainings")
]


def write_settings(folder, **changes):
    return fake_data.write_studied_settings(
        folder, models=["Contrastive", "ArcFace", "None"], folds=[0, 2], training=TRAINING,
        trunk="tests.networks:tiny_trunk", protocol=["paper", "released"],
        properties={"networks": "SyntheticCars", "images": 60, "tsne_images": 40},
        saliency={"images": 6, "noise_samples": 2}, **{"sweep": {"seeds": [0, 1]}} | changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory):
    """Return the settings file of a project whose networks are trained."""
    file = write_settings(tmp_path_factory.mktemp("replication"))
    for script in BEFORE:
        succeed(script, file)
    return file


@pytest.mark.slow
def test_from_trainings_to_tables(settings_file, run_inside, fails):
    settings = load_settings(settings_file)
    assert "run replication/2_compute_maps.py first" in fails(OWN[-1], settings_file)
    for script in OWN:
        run_inside(script, settings_file)
    table = trainings.read(settings)
    assert len(table) == 12 and table.groupby("loss").size().tolist() == [4, 4, 4]
    trained = table[table.loss != "None"]
    assert set(trained.ended_by) == {"limit"} and (trained.iterations == 4).all()
    assert (trained.low <= trained.improvement).all() and (
        trained.improvement <= trained.high
    ).all()
    assert ((trained.low <= 0) == (trained.failed == "yes")).all()
    log = pd.read_csv(settings.variants[1].results / "reality_check/training_log_SyntheticCars.csv")
    log = log[(log.loss == "ArcFace") & (log.fold == 2) & (log.iteration > 0)]
    row = table[(table.loss == "ArcFace") & (table.fold == 2) & (table.seed == 1)].iloc[0]
    assert row.validation_map_at_r == pytest.approx(log.validation_map_at_r.max())

    scores = trainings.read_scores(settings)
    assert len(scores) == 12 * 2 * 11
    steps = trainings.read_steps(settings)
    assert len(steps) == 2 * 2 * 2 * 3 * 3 and (steps.best == "yes").sum() == 2 * 2 * 2 * 3
    probed = probes.read(settings)
    assert len(probed) == 12 * 2 * 10 and "model" not in set(probed.property)
    features = probed[(probed.loss == "None") & (probed.representation == "features")]
    assert features.groupby("property").percent.nunique().eq(1).all()  # one trunk

    maps, pairs = map_measures.read(settings), map_measures.read_pairs(settings)
    assert len(maps) == 12 * 2 and len(pairs) == 66 * 2
    samples = mapped_samples(settings, "SyntheticCars")
    networks = map_measures.networks_with_maps(settings.variants[0])[:2]
    halves = [
        [store.read("maps")["maps"] for store in stores]
        for stores in (
            map_measures.stores_of(settings.variants[0], each, samples, PROTOCOLS["released"])
            for each in networks
        )
    ]
    first, second = (np.array(half) for half in zip(*halves))
    assert not np.array_equal(first, second)
    expected = compare_halves(first, second)
    labels = [(each.model.name, each.fold) for each in networks]
    of_pair = pairs[(pairs.protocol == "released") & (pairs.seed_a == 0) & (pairs.seed_b == 0)]
    of_pair = of_pair.set_index(["loss_a", "fold_a", "loss_b", "fold_b"])
    assert of_pair.similarity[*labels[0], *labels[1]] == pytest.approx(expected.similarity[0, 1])


@pytest.mark.slow
def test_networks_at_the_same_accuracy(settings_file, run_inside):
    """Their scores are of the first validation step that reached the score."""
    reached = settings_file.with_stem("reached")
    reached.write_text(f"extends: {settings_file.name}\ncheckpoint: reached\n")
    for script in BEFORE[:3]:
        run_inside(script, reached)
    settings = load_settings(reached)
    table = trainings.over_seeds(settings, trainings.trainings_of)
    trained = table[table.loss != "None"]
    assert (trained.validation_map_at_r >= TRAINING["reached"]).all()
    for seed, variant in enumerate(settings.variants):
        log = trainings.log_of(variant)
        log = log[(log.iteration > 0) & (log.validation_map_at_r >= TRAINING["reached"])]
        first = log.groupby(["loss", "fold"]).iteration.min()
        rows = trained[trained.seed == seed].set_index(["loss", "fold"])
        assert rows.iteration.equals(first.loc[rows.index])


def test_a_sweep_of_other_things_is_refused(tmp_path, fails):
    sweep = {"factors": {"size": {"small": {"training": {"batch_size": 4}}}}}
    file = write_settings(tmp_path, sweep=sweep)
    for script in OWN[:2]:
        assert "sweep is of seeds alone" in fails(script, file)
