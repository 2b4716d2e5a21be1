"""Constants against the published tables, settings and their errors, seeds and files."""

import json
import re

import pandas as pd
import pytest

import safe_files
import utils
from settings import reader, run_record
from tests import fake_data

PUBLISHED = utils.ROOT / "data" / "published"


def published(name):
    return pd.read_csv(PUBLISHED / name, keep_default_na=False)


def test_losses_are_those_of_table_1():
    table = published("table1_losses.csv")
    assert [loss.name for loss in utils.LOSSES] == table.loss.tolist()
    for loss, row in zip(utils.LOSSES[:-1], table.itertuples()):
        assert (str(loss.year), loss.type, loss.distance) == (str(row.year), row.type, row.distance)


def test_grouped_losses_have_the_order_of_table_6():
    assert [loss.name for loss in utils.grouped(utils.LOSSES)] == published("table6_nrprec.csv").loss.unique().tolist()


def test_properties_are_those_of_table_5():
    table = published("table5_properties.csv")
    ours = [(p.name, p.label, "|".join(map(str, p.values))) for p in utils.PROPERTIES]
    assert ours == list(table[["property", "label", "values"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    "loss, dataset, folder",
    [("Contrastive", "Cars196", "cars_contrastive46_reproduction0"),
     ("Margin", "Cars196", "cars_margin_no_weight_decay_reproduction0"),
     ("Margin / class", "SOP", "sop_margin_param_per_class_no_weight_decay35_reproduction0"),
     ("Multi Similarity + Miner", "CUB200", "cub_multi_similarity_with_ms_miner45_reproduction0"),
     ("SoftTriple", "CUB200", "cub_soft_triple46_reproduction0"),
     ("ArcFace", "SOP", "sop_arcface49_reproduction0")],
)  # fmt: skip
def test_experiment_folders(loss, dataset, folder):
    chosen = next(item for item in utils.LOSSES if item.name == loss)
    assert utils.experiment_folder(chosen, dataset) == folder


def test_there_are_42_experiments():
    trained = [loss for loss in utils.LOSSES if loss.type != "None"]
    assert len({utils.experiment_folder(loss, d) for loss in trained for d in ("SOP", "Cars196", "CUB200")}) == 42


def test_slugs_are_distinct():
    assert utils.slug("Margin / class") == "margin_class"
    assert len({utils.slug(loss.name) for loss in utils.LOSSES}) == len(utils.LOSSES)


def test_seeds_come_from_their_purpose():
    assert utils.derived_seed(0, "noise", "a") == utils.derived_seed(0, "noise", "a")
    assert utils.derived_seed(0, "noise", "a") != utils.derived_seed(1, "noise", "a")
    assert utils.derived_seed("a", "bc") != utils.derived_seed("ab", "c")
    assert 0 <= utils.derived_seed("x") < 2**63


@pytest.mark.parametrize("name", ["paper", "released", "demo"])
def test_shipped_settings_load(name):
    settings = reader.load_settings(utils.ROOT / "settings" / f"{name}.yaml")
    assert settings.name == name and len(settings.losses) == 15
    assert settings.map_folds == {"paper": [0, 1, 2, 3], "released": [0], "demo": [0, 1]}[name]
    assert bool(settings.note) == (name == "demo")


@pytest.mark.parametrize(
    "change, message",
    [({"protocl": "paper"}, "unknown key 'protocl'"),
     ({"protocol": "papers"}, "unknown 'papers'"),
     ({"losses": ["Tripled"]}, "unknown loss 'Tripled'"),
     ({"datasets": ["Cars"]}, "unknown 'Cars'"),
     ({"datasets": "SOP"}, "must be a list"),
     ({"folds": [4]}, "unknown 4"),
     ({"seed": "one"}, "must be a whole number"),
     ({"saliency": {"noise_samples": 0}}, "above zero"),
     ({"saliency": {"noise_samples": 2.5}}, "must be a whole number"),
     ({"saliency": {"sigma": 1}}, "unknown key 'sigma'"),
     ({"saliency": 3}, "must be a block"),
     ({"tables": {2: "SOPs"}}, "unknown 'SOPs'"),
     ({"tables": {7: "SOP"}}, "unknown 7"),
     ({"paths": {"model": "x"}}, "unknown key 'model'")],
)  # fmt: skip
def test_bad_settings(tmp_path, change, message):
    file = fake_data.write_settings(tmp_path, **change)
    with pytest.raises(utils.InputError, match=re.escape(message)) as error:
        reader.load_settings(file)
    assert "\n" not in str(error.value) and str(file) in str(error.value)


def test_settings_that_are_no_yaml(tmp_path):
    (tmp_path / "x.yaml").write_text("a: [1")
    with pytest.raises(utils.InputError, match="x.yaml: not a YAML file"):
        reader.load_settings(tmp_path / "x.yaml")
    with pytest.raises(utils.InputError, match="no such settings file"):
        reader.load_settings(tmp_path / "y.yaml")


def test_half_a_file_is_never_left(tmp_path):
    file = tmp_path / "deep" / "result.csv"
    safe_files.write_text(file, "whole")
    with pytest.raises(RuntimeError), safe_files.written_aside(file) as aside:
        aside.write_text("ha")
        raise RuntimeError
    assert file.read_text() == "whole"
    assert list(file.parent.iterdir()) == [file]


def test_results_of_other_settings_are_not_mixed(tmp_path):
    settings = reader.load_settings(fake_data.write_settings(tmp_path))
    run_record.note(settings, utils.ROOT / "saliency" / "1_compute_maps.py")
    record = json.loads((settings.results / "run.json").read_text())
    assert record["scripts"]["saliency/1_compute_maps.py"]["versions"]["torch"]
    other = settings._replace(saliency=settings.saliency._replace(noise_samples=9))
    with pytest.raises(utils.InputError, match="noise_samples"):
        run_record.check(other)
    run_record.check(settings._replace(folds=[1], saliency=settings.saliency._replace(batch_size=9)))
    with pytest.raises(utils.InputError, match="precision = float32, the settings now say bf16"):
        run_record.check(settings._replace(precision="bf16"))
