"""The replication's tests and verdicts, on results with effects that were put into them."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from dml_analysis import checkout
from dml_analysis.config import load_settings
from dml_analysis.embedding_space import training_factors
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics.embedding_measures import COLUMNS as MEASURES
from dml_analysis.metrics.embedding_measures import PERFORMANCE
from dml_analysis.paper import NONE, PROPERTIES
from dml_analysis.replication import (
    claims,
    evidence,
    learning_rates,
    map_measures,
    probes,
    results_text,
    trainings,
)
from tests.conftest import succeed

SETTINGS = checkout.ROOT / "settings"
CELLS = list(product((0, 2), (0, 1)))
ENDINGS = ("_unseen", "_reached", "_reached_unseen", "_same_rate", "_rho")
FAILED = ("Contrastive", 0, 0)
# log ratios of the types, ranking to classification
EFFECTS = {"rotation_z": 0.3, "color_hue": 0.3, "sun_rotation": 0.3}


class Sampled:
    """Results of all trainings, with noise from a seed."""

    def __init__(self, cells=CELLS):
        self.rng = np.random.default_rng(0)
        models = load_settings(SETTINGS / "replication.yaml").models
        self.types = {model.name: model.group for model in models}
        self.keys = [(name, *cell) for name in self.types for cell in cells]

    def noise(self, size=0.01):
        return self.rng.normal() * size

    def is_ranking(self, name):
        return self.types[name] == "Ranking"

    def labels(self, key):
        return (key[0], self.types[key[0]], *key[1:])

    def trainings(self):
        for key in self.keys:
            failed = "yes" if key == FAILED else "no"
            ended = "untrained" if key[0] == NONE else "early stopping"
            scores = 0.1, 0.08, 0.12, failed, 0.6, 0.2 + self.noise()
            yield (*self.labels(key), 1e-4, 1.0, 300, 5.5, 150, ended, 0.3, *scores)

    def scores(self):
        for key, protocol, prop in product(self.keys, ("paper", "released"), PROPERTIES):
            first = {"model": 3, "rotation_z": 2, "camera_loc_z": 1}.get(prop.name, 0)
            effect = EFFECTS.get(prop.name, 0) * self.is_ranking(key[0])
            value = np.exp(first + effect + self.noise(0.05))
            yield (*self.labels(key), protocol, prop.name, 3000, value)

    def maps(self):
        for key, protocol in product(self.keys, ("paper", "released")):
            more = 0.05 * self.is_ranking(key[0])
            values = 0.5 + self.noise(), 0.5 + self.noise(), 0.5 + more + self.noise()
            entropy = 0.9 - more + self.noise()
            yield (*self.labels(key), protocol, 48, 0.7 + self.noise(), *values, entropy)

    def pairs(self):
        for protocol, (a, b) in product(("paper", "released"), combinations(self.keys, 2)):
            of_none = 0.1 + 0.1 * (a[1:] != b[1:])  # further off in other folds and seeds
            similarity = 0.9 + 0.03 * (a[0] == b[0]) - of_none * (NONE in (a[0], b[0]))
            similarity += self.noise(0.003)
            yield (protocol, *a, *b, 0.7 * similarity, similarity)

    def steps(self):
        decay = {name: self.noise(0.1) for name in self.types}
        for key, iteration, part in product(self.keys, (50, 150), ("train", "test")):
            values = dict.fromkeys(MEASURES, 0.5)
            values |= {name: 1 + self.noise() for name in MEASURES if name not in PERFORMANCE}
            values["rho_2"] = 1 + decay[key[0]]
            values["recall_at_1"] = 0.6 - decay[key[0]] / 2 + self.noise()
            best = "yes" if iteration == 150 else "no"
            if key[0] != NONE:
                yield (*self.labels(key), iteration, part, best, *values.values())

    def probes(self):
        for key, kind, prop in product(self.keys, probes.REPRESENTATIONS, PROPERTIES[1:]):
            value = 50 - 10 * (kind == "embeddings") * (key[0] != NONE) + self.noise()
            yield (*self.labels(key), kind, prop.name, 3000, 15.0, value)

    def factors(self):
        losses = "Contrastive", "Triplet", "Margin", "SNR"
        for (factor, value, change), loss, seed in product(
            (("base", "base", 0), ("rho", "swap", 0.02), ("rho", "push", -0.02)), losses, range(6)
        ):
            scores = 0.3, 0.6 + change + self.noise(0.005), 0.2, 0.6, 0.4, 0.5
            labels = factor, value, seed, loss, "Ranking", "SyntheticCars", 0, 300
            yield (*labels, *scores)


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory):
    """Return the file of settings like the replication's, with all the results that tests take."""
    folder = tmp_path_factory.mktemp("replication")
    paths = f"paths: {{results: {folder / 'results'}, figures: {folder / 'figures'}}}\n"
    file = folder / "tiny.yaml"
    training = "training: {reached: 0.25}\n"
    file.write_text(f"extends: {SETTINGS / 'replication.yaml'}\n{paths}{training}")
    for ending in ENDINGS:
        (folder / f"tiny{ending}.yaml").write_text("extends: tiny.yaml\n")
    runs, sampled = evidence.runs_of(file), Sampled()
    of_seed_0 = Sampled(CELLS[::2])
    for settings in (runs.best, runs.reached, runs.same_rate):
        of_run = of_seed_0 if settings is runs.same_rate else sampled
        csv_files.write(trainings.csv_file(settings), list(of_run.trainings()), trainings.COLUMNS)
        csv_files.write(map_measures.csv_file(settings), list(of_run.maps()), map_measures.COLUMNS)
        csv_files.write(map_measures.pairs_file(settings), list(of_run.pairs()), map_measures.PAIRS)
    for settings in runs[:5]:
        of_run = of_seed_0 if settings is runs.same_rate else sampled
        csv_files.write(trainings.scores_file(settings), list(of_run.scores()), trainings.SCORES)
    csv_files.write(trainings.steps_file(runs.best), list(sampled.steps()), trainings.STEPS)
    csv_files.write(probes.csv_file(runs.best), list(sampled.probes()), probes.COLUMNS)
    file_of_rho = training_factors.networks_file(runs.rho)
    csv_files.write(file_of_rho, list(sampled.factors()), training_factors.COLUMNS)
    return file


@pytest.fixture(scope="module")
def answered(settings_file):
    succeed("replication/5_test_questions.py", settings_file)
    settings = evidence.runs_of(settings_file).best
    return evidence.read(settings), claims.read(settings), settings


def one(tests, **labels):
    rows = tests.loc[(tests[list(labels)] == pd.Series(labels)).all(axis=1)]
    assert len(rows) == 1
    return rows.iloc[0]


EQUAL = {"checkpoint": evidence.ACCURACY, "methods": "twenty", "trainings": "all"}


def test_effects_are_found_and_others_are_not(answered):
    tests, _, _ = answered
    here = EQUAL | {"protocol": "paper", "question": 2, "covariate": "", "unit": "method"}
    row = one(tests, measure="rotation_z", **here)
    assert (row.n_first, row.n_second, row.scale) == (9, 11, "log")
    assert row.low < 0.3 < row.high and row.p_holm < 0.001
    assert row.smallest_p == pytest.approx(1 / 167960) and 0 < row.power <= 1
    assert one(tests, measure="camera_loc_z", **here).p_holm > 0.05
    assert one(tests, measure="rotation_z", **here | {"covariate": "map_at_r"}).p_value < 0.001
    fourteen = one(tests, measure="rotation_z", **here | {"methods": "paper's fourteen"})
    assert (fourteen.n_first, fourteen.n_second) == (9, 5)
    assert fourteen.smallest_p == pytest.approx(1 / 2002)


def test_failed_trainings_are_left_out(answered, settings_file):
    """The means over the trainings of one loss alone change."""
    tests = answered[0]
    here = EQUAL | {"question": 1}
    both = [one(tests, **here | {"trainings": each}).estimate for each in evidence.TRAININGS]
    table = trainings.read(evidence.runs_of(settings_file).reached)
    of_loss = table[table.loss == FAILED[0]].map_at_r
    assert both[0] - both[1] == pytest.approx((of_loss.mean() - of_loss[1:].mean()) / 9)


def test_similarities(answered):
    tests, _, _ = answered
    here = EQUAL | {"protocol": "paper"}
    same = one(tests, question=4, measure="one method minus two", **here)
    assert same.estimate == pytest.approx(0.03, abs=0.002) and same.p_value < 0.001
    assert same.n_first == 20 and same.unit == "training"
    none = one(tests, question=7, measure="two methods minus a method and None", **here)
    assert none.estimate == pytest.approx(0.1, abs=0.003) and none.p_value == 2 / 2**20


def test_probes_of_embeddings_lose_ten_points(answered):
    tests = answered[0]
    for kind, change in (("features", 0), ("embeddings", -10)):
        row = one(tests, question=10, measure=f"color_hue, {kind}: trained minus None")
        assert row.estimate == pytest.approx(change, abs=0.1) and row.n_first == 20


def test_the_overview(answered, settings_file, run_script):
    """A figure whose caption says what each mark is, on the published and our numbers."""
    settings = answered[2]
    run_script("replication/6_plot_results.py", "--settings", str(settings_file))
    import shutil

    shutil.copy(settings.figures / "overview.png", "/tmp/overview.png")
    caption = (settings.figures / "overview.txt").read_text()
    assert "9 and 11 methods" in " ".join(caption.split())
    assert (settings.figures / "overview.png").stat().st_size > 20_000


def test_shares_of_variance(answered):
    settings = answered[2]
    table = pd.read_csv(settings.results / "variance_shares.csv")
    shares = table[["type", "method", "fold", "seed", "residual"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    here = (table.checkpoint == evidence.BUDGET) & (table.protocol == "paper")
    assert table[here & (table.quantity == "gini")].type.item() > 0.8
    assert table[here & (table.quantity == "color_val")].residual.item() > 0.7
    # Maps of one method have .03 more in common, of .1 that two trainings differ in.
    assert table[here & (table.quantity == "maps")].method.item() == pytest.approx(0.3, abs=0.05)
    assert len(table) == 2 * (1 + 2 * (1 + 4 + 11))


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("pixels", "holds"), ("none", "holds"), ("background mass_on_car", "cannot be said"),
        ("highlights gini", "holds"), ("highlights entropy", "holds"),
        ("property rotation_z", "holds"), ("property color_hue", "contradicted"),
        ("property sun_rotation", "contradicted"), ("property model", "cannot be said"),
        ("Table 2 types: within minus between", "holds"),
        ("Table 2 distances: within minus between", "cannot be said"),
        ("spectral decay, best step", "holds"), ("density, best step", "contradicted"),
        ("regularisation swap", "holds"), ("regularisation push", "contradicted"),
    ],
)  # fmt: skip
def test_verdicts(answered, name, verdict):
    table = answered[1]
    rows = table[(table.id == name) & (table.protocol != "released")]
    assert rows.verdict.tolist() == [verdict], rows.reason.tolist()


def result(estimate=0.0, low=-1.0, high=1.0, p_value=0.5, published=np.nan):
    return claims.Result(estimate, low, high, p_value, 0.01, published, np.nan, 20)


def test_each_kind_of_verdict():
    """By the criteria of docs/analysis_plan.md, for a claim that an effect is positive."""
    difference, interval = claims.verdict_of_difference, claims.verdict_of_interval
    assert difference(result(0.2, 0.1, 0.3, 0.01), 1)[0] == "holds"
    assert difference(result(0.2, 0.1, 0.3, 0.06), 1)[0] == "cannot be said"
    assert difference(result(-0.2, -0.3, -0.1, 0.01), 1)[0] == "contradicted"
    assert difference(result(-0.2, -0.3, -0.1, 0.01), -1)[0] == "holds"
    assert difference(result(0.0, -0.1, 0.1, 0.9, published=0.2), 1)[0] == "contradicted"
    assert difference(result(0.0, -0.1, 0.1, 0.9, published=0.05), 1)[0] == "cannot be said"
    assert difference(result(np.nan), 1)[0] == "not testable here"
    assert interval(result(0.5, 0.1, 0.8), 1)[0] == "holds"
    assert interval(result(0.5, 0.1, 0.8), -1)[0] == "contradicted"
    assert interval(result(0.1, -0.3, 0.5, published=0.7), 1)[0] == "contradicted"
    assert interval(result(0.1, -0.3, 0.5, published=0.4), 1)[0] == "cannot be said"
    assert claims.verdict_of_equality(result(0, -0.009, 0.009))[0] == "holds"
    assert claims.verdict_of_equality(result(0, -0.02, 0.005))[0] == "cannot be said"
    assert claims.verdict_of_equality(result(0.03, 0.011, 0.05))[0] == "contradicted"
    assert claims.verdict_of_no_difference(result(p_value=0.5))[0] == "cannot be said"
    assert claims.verdict_of_no_difference(result(p_value=0.01))[0] == "contradicted"


def test_results_as_text(answered, settings_file, tmp_path):
    """Each number of the templates comes from the CSV files, and no row of a table is broken."""
    settings, runs = answered[2], evidence.runs_of(settings_file)
    rates = settings.model_copy(update={"name": "rates"})
    chosen = [("Triplet", "Ranking", 1e-4, 1.0, 0.3, 150, 6, "no")]
    csv_files.write(learning_rates.rates_file(rates), chosen, learning_rates.COLUMNS)
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- findings -->\nreplaced\n<!-- /findings -->\nafter\n")
    results, findings = results_text.texts(runs, rates, readme).values()
    assert findings.startswith("before\n<!-- findings -->\n- Of") and "replaced" not in findings
    assert findings.endswith("<!-- /findings -->\nafter\n")
    tables = [line for line in results.splitlines() if line.startswith("|")]
    assert len(tables) > 80 and all(line.endswith("|") for line in tables)
    for block in results.split("\n\n"):
        columns = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(columns) <= 1, block
    assert "of 80 trainings ended by early stopping" in results
    assert "Contrastive (fold 0, seed 0)" in results and "nan" not in results
    with pytest.raises(InputError, match="has no lines"):
        results_text.with_findings("no markers", "x")


# Names, levels of tests and counts of the design; all else in the templates is an expression.
ALLOWED = {"95%", "1%", "5%", "6", "1", "2", "3"}


@pytest.mark.parametrize("name", [results_text.TEMPLATE, results_text.FINDINGS])
def test_templates_have_no_numbers_of_their_own(name):
    assert set(results_text.literal_numbers(name)) <= ALLOWED


def test_the_results_are_those_of_the_csv_files():
    """Once the CSV files exist, both texts are what replication/7_write_results.py makes of them."""
    rates = load_settings(SETTINGS / "replication_rates.yaml")
    if not claims.csv_file(load_settings(SETTINGS / "replication.yaml")).exists():
        assert "No result exists yet" in (checkout.ROOT / "results" / "README.md").read_text()
        return
    runs = evidence.runs_of(SETTINGS / "replication.yaml")
    for file, text in results_text.texts(runs, rates, checkout.ROOT / "README.md").items():
        assert file.read_text(encoding="utf-8") == text, (
            f"{file}: run replication/7_write_results.py"
        )
