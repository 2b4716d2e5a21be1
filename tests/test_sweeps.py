"""Sweeps: the runs that settings describe, and what a factor changes, by hand."""

import numpy as np
import pandas as pd
import pytest

from dml_analysis.checkout import ROOT
from dml_analysis.config import AUGMENTATIONS, FILLERS, load_settings
from dml_analysis.embedding_space import training_factors
from dml_analysis.errors import InputError
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.scripts import narrowed, options_parser, settings_from
from dml_analysis.training import augmentation
from dml_analysis.training.roth import batch_samplers
from tests import fake_data

SWEEP = {
    "seeds": [0, 3],
    "factors": {
        "batch size": {32: {}, 16: {"training": {"batch_size": 16}}},
        "images": {
            "red": {"training": {"augmentation": "red"}},
            "adv": {"training": {"augmentation": "adv"}},
        },
    },
}


@pytest.fixture
def settings(tmp_path):
    return load_settings(fake_data.write_settings(tmp_path, "swept", sweep=SWEEP))


def test_one_factor_at_a_time(settings):
    assert [variant[:3] for variant in settings.sweep[:4]] == [
        ("base", "base", 0), ("batch size", "16", 0), ("images", "adv", 0), ("images", "red", 0)]  # fmt: skip
    assert len(settings.sweep) == 8 and {variant.seed for variant in settings.sweep[4:]} == {3}
    base, small, adv = (variant.settings for variant in settings.sweep[:3])
    assert small.training == base.training.model_copy(
        update={"batch_size": 16}
    ) and adv.training == base.training.model_copy(update={"augmentation": "adv"})
    assert settings.sweep[4].settings.seed == 3 and settings.base_names == {"batch size": "32"}


def test_each_has_folders_of_its_own(settings):
    for find in (
        lambda each: each.results,
        lambda each: each.paths["models"],
        lambda each: each.figures,
    ):
        assert len({find(variant) for variant in settings.variants}) == 8
    assert settings.variants[1].results == settings.results / "batch_size_16" / "seed0"


def test_narrowed(settings):
    some = narrowed(settings, models=["ArcFace"])
    assert all([model.name for model in variant.models] == ["ArcFace"] for variant in some.variants)
    assert all(len(variant.whole.models) == 3 for variant in some.variants)


@pytest.mark.parametrize(
    "sweep, words",
    [
        ({"seeds": [1, 1]}, "sweep.seeds: [1, 1] is not allowed; give a list of one or more, each once"),
        ({"sedes": [1]}, "sweep.sedes: unknown key; did you mean seeds"),
        ({"factors": {"a": 3}}, "sweep.factors.a: 3 is not allowed; give a block"),
        ({"factors": {"a": {"x": {"training": {"batch_size": 0}}}}}, "sweep.factors.a.x: training.batch_size: 0 is not allowed"),
        ({"factors": {"a": {"x": {"colour": 1}}}}, "sweep.factors.a.x: colour: unknown key"),
        ({"factors": {"a": {"x!": {"seed": 1}}}}, "sweep.factors.a.x!: 'x!' is not allowed; give a name of letters"),
        ({"factors": {"NA": {"a": {"seed": 1}}}}, "sweep.factors.NA: 'NA' is not allowed; give a name"),
        ({"factors": {"a": {"x y": {"seed": 1}, "x_y": {"seed": 1}}}}, "would share its files"),
        ({"factors": {"a": {"x": {"sweep": {}}}}}, "sweep.factors.a.x: a sweep inside of another; leave it out"),
        ({"factors": {"a": {"x": 3}}}, "sweep.factors.a.x: 3 is not allowed; give a block"),
        ({"seeds": [*range(1001)]}, "sweep: 1001 runs; give at most 1000"),
    ],
)  # fmt: skip
def test_bad_sweeps(tmp_path, sweep, words):
    with pytest.raises(InputError) as error:
        load_settings(fake_data.write_settings(tmp_path, sweep=sweep))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_mean_interval_by_hand():
    # mean 2, s = 1, n = 3: half = t(.975; 2) / sqrt(3) = 4.302653 / 1.732051
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert mean_interval([5])[0] == 5 and np.isnan(mean_interval([5])[1:]).all()


def row(factor, value, seed, loss, recall, rho):
    return (
        factor,
        value,
        seed,
        loss,
        "Ranking",
        "Cars196",
        0,
        10,
        0.2,
        recall,
        0.1,
        recall,
        rho,
        1.0,
    )


def test_changes_by_hand():
    rows = [row("base", "base", 0, "A", 0.5, 0.30), row("base", "base", 1, "A", 0.4, 0.20), row("base", "base", 0, "B", 0.2, 0.1),
            row("size", "16", 0, "A", 0.6, 0.35), row("size", "16", 1, "A", 0.4, 0.15), row("size", "16", 0, "B", 0.1, 0.1),
            row("size", "16", 7, "B", 0.9, 0.9)]  # fmt: skip
    found = pd.DataFrame(
        training_factors.changes(pd.DataFrame(rows, columns=list(training_factors.COLUMNS))),
        columns=list(training_factors.CHANGES),
    )
    found = found.set_index(["measure", "loss"])
    # A: +20% and 0%; B: -50%, its seed 7 has no base; all: mean of 10 and -50
    assert found.loc["recall_change"].change.to_dict() == pytest.approx(
        {"A": 10, "B": -50, "all": -20}
    )
    assert found.loc["recall_change"].n_seeds.to_dict() == {"A": 2, "B": 1, "all": 2}
    assert found.loc["rho_2_change"].change.to_dict() == pytest.approx(
        {"A": 0, "B": 0, "all": 0}, abs=1e-12
    )
    # A: mean 10, s = 14.142136, half = 12.706205 * 10
    assert found.loc[("recall_change", "A"), ["low", "high"]].tolist() == pytest.approx(
        [-117.062, 137.062], abs=1e-2
    )


def test_settings_know_all_that_there_is():
    assert set(AUGMENTATIONS) == {*augmentation.KINDS, "none"}
    assert set(FILLERS) == {"classes", "uniform", *batch_samplers.CORESETS, *batch_samplers.MATCHED}


@pytest.mark.parametrize("name", ["factors", "replication", "roth"])
def test_the_settings_that_are_shipped(name):
    """Every run of a sweep is one that can be: its checks are those of a settings file by itself."""
    settings = load_settings(ROOT / "settings" / f"{name}.yaml")
    assert len({variant.results for variant in settings.variants}) == len(settings.variants)
    assert all(variant.training for variant in settings.variants)


def test_one_run_of_a_sweep(settings, tmp_path):
    """Its settings, folder of results included, are those that long scripts use; others are listed."""
    file = str(tmp_path / "swept.yaml")

    def parsed(*options):
        return settings_from(options_parser("").parse_args(["--settings", file, *options]))

    assert parsed("--variant", "batch_size_16/seed3").results == settings.variants[5].results
    assert parsed("--variant", "base/seed0").training.batch_size == settings.training.batch_size
    with pytest.raises(
        InputError, match="shows one run; name it with --variant, such as --variant base/seed0"
    ):
        parsed()
    with pytest.raises(
        InputError, match="has no run 'seed0'; known: base/seed0, batch_size_16/seed0,"
    ):
        parsed("--variant", "seed0")
    fake_data.write_settings(tmp_path, "swept")
    with pytest.raises(InputError, match="the settings have no `sweep`"):
        parsed("--variant", "base/seed0")
