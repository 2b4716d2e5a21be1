"""The replication's analysis: rates that are chosen, and tests of its plan."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from dml_analysis.metrics.map_halves import compare_halves
from dml_analysis.replication import learning_rates
from tests.conftest import ROOT, copied


def trials(rows):
    names = ["loss", "type", "learning_rate", "loss_rate_factor", "validation_map_at_r"]
    return pd.DataFrame(rows, columns=names).assign(iteration=50)


def test_rates_are_chosen_by_validation_classes():
    table = learning_rates.chosen(
        trials(
            [("A", "Ranking", 1e-5, 1, 0.2), ("A", "Ranking", 1e-4, 1, 0.3), ("A", "Ranking", 1e-3, 1, 0.1),
             ("B", "Classification", 1e-5, 1, 0.2), ("B", "Classification", 1e-4, 1, 0.1),
             ("B", "Classification", 1e-5, 100, 0.1), ("B", "Classification", 1e-4, 100, 0.2)]
        )
    )  # fmt: skip
    assert table.loss.tolist() == ["A", "B"] and table.trials.tolist() == [3, 4]
    assert table[["learning_rate", "loss_rate_factor"]].to_numpy().tolist() == [
        [1e-4, 1],
        [1e-5, 1],
    ]
    assert table.at_edge.tolist() == ["no", "yes"]
    settings = yaml.safe_load(learning_rates.as_settings(table))
    assert settings["by_method"]["A"] == {"learning_rate": 1e-4, "loss_rate_factor": 1}


# ---------------------------------------------------------------------------------------------------------------------
# Maps in two halves of the noise.
# ---------------------------------------------------------------------------------------------------------------------
def noisy(signals, noise, seed):
    return signals + noise * np.random.default_rng(seed).normal(size=signals.shape)


def test_halves_by_hand():
    """Of one image: only correlations across halves count, averaged over both ways."""
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 3, 1, 5, 4))
    halves = compare_halves(first, second)

    def z(a, b):
        return np.arctanh(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    assert halves.ceilings == pytest.approx([np.tanh(z(first[i], second[i])) for i in range(3)])
    expected = np.tanh((z(first[0], second[2]) + z(first[2], second[0])) / 2)
    assert halves.similarity[0, 2] == halves.similarity[2, 0] == pytest.approx(expected)
    assert np.isnan(halves.similarity.diagonal()).all()


def test_noise_does_not_bias_the_corrected_similarity():
    """The true correlation of the signals is 0.8; that of the maps is lower with more noise."""
    rng = np.random.default_rng(1)
    common, own = rng.normal(size=(40, 30, 30)), rng.normal(size=(2, 40, 30, 30))
    signals = np.sqrt(0.8) * common + np.sqrt(0.2) * own
    for noise, raw in ((0.5, 0.64), (2, 0.16)):
        halves = compare_halves(noisy(signals, noise, 2), noisy(signals, noise, 3))
        assert halves.similarity[0, 1] == pytest.approx(raw, abs=0.01)
        assert halves.corrected[0, 1] == pytest.approx(0.8, abs=0.02)


def test_images_with_a_constant_map_are_left_out():
    first, second = np.random.default_rng(0).random((2, 2, 3, 4, 4))
    expected = compare_halves(first[:, 1:], second[:, 1:])
    first[1, 0] = 0.5
    found = compare_halves(first, second)
    assert found.similarity[0, 1] == expected.similarity[0, 1]
    first[1] = 0.5
    assert np.isnan(compare_halves(first, second).corrected).all()
    with pytest.raises(ValueError, match="need maps"):
        compare_halves(first, second[:, 1:])


def test_the_script_of_rates(trained, tmp_path, run_inside, fails):
    """Of a finished training it takes the one rate; of settings that train nothing, none."""
    copied(trained, tmp_path)
    script = "replication/1_choose_rates.py"
    output = run_inside(script, tmp_path / "tiny.yaml")
    table = pd.read_csv(tmp_path / "results/tiny/chosen_rates.csv")
    assert table.loss.tolist() == ["Contrastive", "ArcFace"] and (table.trials == 1).all()
    assert "  by_method:\n    Contrastive: {learning_rate: " in output
    shutil.rmtree(tmp_path / "results/tiny/reality_check")
    assert "run reality_check/2_train_models.py first" in fails(script, tmp_path / "tiny.yaml")
    assert "have no `training:` block" in fails(script, ROOT / "settings/paper.yaml")
