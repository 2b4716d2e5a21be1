"""The paper's lists against the published tables, settings and their errors, seeds and files."""

import ast
import json
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from dml_analysis import checkout, methods, paper, provenance
from dml_analysis import config as reader
from dml_analysis.errors import InputError
from dml_analysis.files import atomic_files
from dml_analysis.scripts import narrowed
from dml_analysis.seeds import derived_seed
from tests import fake_data

PUBLISHED = checkout.ROOT / "dml_analysis" / "published"


def published(name):
    return pd.read_csv(PUBLISHED / name)


def test_settings_extend_others(tmp_path):
    base = "protocol: paper\nseed: 3\nfolds: [0, 1]\nsaliency: {images: 5, noise_samples: 7}\n"
    (tmp_path / "base.yaml").write_text(base)
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\nfolds: [2]\nsaliency: {images: 6}\n")
    (tmp_path / "grandchild.yaml").write_text("extends: child.yaml\nseed: 4\n")
    settings = reader.load_settings(child)
    assert (settings.name, settings.seed, settings.folds) == ("child", 3, [2])
    assert (settings.saliency.images, settings.saliency.noise_samples) == (6, 7)
    settings = reader.load_settings(tmp_path / "grandchild.yaml")
    assert (settings.seed, settings.folds, settings.saliency.images) == (4, [2], 6)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("extends: other.yaml", "other.yaml: missing"),
        ("extends: child.yaml", "a chain of more than 5 files"),
        ("extends: [a]", "give the name of a settings file"),
    ],
)
def test_settings_that_cannot_extend_others(tmp_path, line, problem):
    (tmp_path / "child.yaml").write_text(f"{line}\nseed: 1\n")
    with pytest.raises(InputError, match=problem):
        reader.load_settings(tmp_path / "child.yaml")


def test_models_may_be_listed_in_files(tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text(
        "- Triplet\n- {name: Mine, group: Own, network: 'a:b', distance: Dot Product Similarity}\n"
    )
    names = [model.name for model in methods.models_from(["Margin", str(file)])]
    assert names == ["Margin", "Triplet", "Mine"]
    assert [model.name for model in methods.models_from("Triplet")] == ["Triplet"]


def test_models_are_those_of_table_1():
    table = published("table1_losses.csv")
    assert [model.name for model in paper.MODELS] == table.loss.map(paper.as_printed).tolist()
    for model, row in zip(paper.MODELS[:-1], table.itertuples()):
        assert (model.year, model.group, model.distance) == (row.year, row.type, row.distance)
    assert table.loss.iloc[-1] == table.type.iloc[-1] == "Untrained"


def test_grouped_models_have_the_order_of_table_6():
    names = [model.name for model in methods.grouped(paper.MODELS)]
    assert names == published("table6_nrprec.csv").loss.map(paper.as_printed).unique().tolist()


def test_groups_are_those_of_the_models_in_their_order():
    some = [
        model._replace(group=group) for model, group in zip(paper.MODELS, ["B", "A", "B"])
    ] + paper.MODELS[-1:]
    assert methods.groups(some) == ["B", "A", "None"] and methods.trained_groups(some) == ["B", "A"]
    assert [model.group for model in methods.grouped(some)] == ["B", "B", "A", "None"]


def test_untrained_models_count_only_where_their_group_has_no_other():
    some = [
        model._replace(group="A", trained=trained)
        for model, trained in zip(paper.MODELS, (True, False, True))
    ]
    assert (
        methods.counted(some, "A") == [some[0], some[2]]
        and methods.counted(some[1:2], "A") == some[1:2]
    )


def test_properties_are_those_of_table_5():
    table = published("table5_properties.csv")
    ours = [(p.name, p.label, "|".join(map(str, p.values))) for p in paper.PROPERTIES]
    assert ours == list(table[["property", "label", "values"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    "loss, dataset, folder",
    [("Margin", "Cars196", "cars_margin_no_weight_decay_reproduction0"),
     ("Margin / class", "SOP", "sop_margin_param_per_class_no_weight_decay35_reproduction0"),
     ("SoftTriple", "CUB200", "cub_soft_triple46_reproduction0")],
)  # fmt: skip
def test_experiment_folders(loss, dataset, folder):
    assert paper.experiment_folder(methods.find(loss, paper.MODELS), dataset) == folder


def test_there_are_42_experiments():
    trained = [model for model in paper.MODELS if model.trained]
    datasets = ("SOP", "Cars196", "CUB200")
    folders = {paper.experiment_folder(model, name) for model in trained for name in datasets}
    assert len(folders) == 42


def test_slugs_are_distinct():
    assert methods.slug("Margin / class") == "margin_class"
    assert len({methods.slug(loss.name) for loss in paper.MODELS}) == len(paper.MODELS)


def test_seeds_come_from_their_purpose():
    assert derived_seed(0, "noise", "a") == derived_seed(0, "noise", "a")
    assert derived_seed(0, "noise", "a") != derived_seed(1, "noise", "a")
    assert derived_seed("a", "bc") != derived_seed("ab", "c")
    assert 0 <= derived_seed("x") < 2**63


@pytest.mark.parametrize("name", ["paper", "released", "reality_check", "demo"])
def test_shipped_settings_load(name):
    settings = reader.load_settings(checkout.ROOT / "settings" / f"{name}.yaml")
    assert settings.name == name and settings.models == paper.MODELS
    folds = [settings.table_folds(protocol) for protocol in settings.protocols]
    both, all_four = [[0, 1], [0]], [[0, 1, 2, 3]]
    assert folds == {"released": [[0]], "demo": both}.get(name, all_four)
    assert bool(settings.note) == (name in ("demo", "reality_check"))


def test_the_reality_checks_training_is_the_default():
    """Its settings spell out all of it, but for how many processes read images."""
    training = reader.load_settings(checkout.ROOT / "settings" / "reality_check.yaml").training
    assert training == reader.TrainingSettings(workers=training.workers)
    rhythms = {name: training.rhythm(name) for name in ("Cars196", "CUB200", "SOP")}
    assert rhythms == {"Cars196": (500, 1500), "CUB200": (200, 1000), "SOP": (2000, 4000)}


def test_the_papers_settings_are_the_defaults():
    """paper.yaml spells them out, and released.yaml says what differs."""
    default = reader.Settings(name="paper")
    assert reader.load_settings(checkout.ROOT / "settings" / "paper.yaml") == default
    released = reader.load_settings(checkout.ROOT / "settings" / "released.yaml")
    assert released == default.model_copy(
        update={"name": "released", "protocols": [paper.PROTOCOLS["released"]]}
    )


def test_models_by_name_and_all_of_the_papers(tmp_path):
    settings = reader.load_settings(fake_data.write_settings(tmp_path, models=["None", "paper"]))
    assert [model.name for model in settings.models] == [
        "None",
        *(model.name for model in paper.MODELS[:-1]),
    ]


def test_the_untrained_network_has_two_spellings(tmp_path):
    """The one of tables, and the one of CSV files, which pandas does not take for a missing value."""
    kinds = [
        reader.load_settings(fake_data.write_settings(tmp_path, models=["ArcFace", name]))
        for name in ("None", "Untrained")
    ]
    assert (
        kinds[0].models
        == kinds[1].models
        == [methods.find("ArcFace", paper.MODELS), paper.MODELS[-1]]
    )
    for name in ("None", "Untrained"):
        assert narrowed(kinds[0], models=["Untrained", name]).models == paper.MODELS[-1:]
    properties = {"networks": "RenderedCars", "tsne_model": "Untrained"}
    settings = reader.load_settings(fake_data.write_settings(tmp_path, properties=properties))
    assert settings.properties.tsne_model == "None"
    own = {"name": "Fresh", "group": "Untrained", "trained": False, "network": "a:b"}
    settings = reader.load_settings(fake_data.write_settings(tmp_path, models=["None", own]))
    assert methods.groups(settings.models) == ["None"]


def test_published_and_kept_results_are_read_as_they_are_meant():
    for folder in (PUBLISHED,):
        assert fake_data.check_csv_files(folder)


def test_narrowed_settings_know_the_whole_run(tmp_path):
    settings = reader.load_settings(
        fake_data.write_settings(tmp_path, folds=[0, 1], datasets=["RenderedCars", "SOP"])
    )
    narrow = narrowed(settings, models=["ArcFace", "ArcFace"], folds=[1])
    assert [model.name for model in narrow.models] == ["ArcFace"] and narrow.folds == [1]
    assert narrowed(settings, datasets=["RenderedCars"]).note == settings.note
    assert narrow.whole == settings and narrowed(narrow, folds=[1]).whole == settings


def test_values_are_taken_as_they_are(tmp_path):
    """In what results are made of, 1 stays 1 and 0.5 stays 0.5; what is at its default is left out."""
    file = fake_data.write_settings(
        tmp_path, training=fake_data.TRAINING | {"rho": 1, "weight_decay": 0.5, "momentum": 0.9}
    )
    provenance = reader.unlike_defaults(
        reader.load_settings(file).training, "rho", "weight_decay", "momentum", "sampler"
    )
    assert json.dumps(provenance) == '{"rho": 1, "weight_decay": 0.5}'


def test_what_is_not_said_is_the_default(tmp_path):
    file = fake_data.write_settings(tmp_path, saliency=None, training=None)
    settings = reader.load_settings(file)
    assert settings.saliency == reader.SaliencySettings() and settings.training is None
    assert (
        settings.paths["results"] == tmp_path / "results"
        and settings.paths["SOP"] == checkout.PATHS["SOP"]
    )


def test_hyperparameters_are_those_of_the_papers_datasets():
    tuned = [name for name, dataset in paper.DATASETS.items() if dataset.trained_as == name]
    for name in paper.DATASETS:
        if name in tuned:
            assert reader.TrainingSettings(hyperparameters=name).rhythm("Mine") == (
                paper.DATASETS[name].check_every,
                paper.DATASETS[name].patience,
            )
        else:
            with pytest.raises(ValueError, match="'SOP', 'Cars196' or 'CUB200'"):
                reader.TrainingSettings(hyperparameters=name)


def test_the_renderer_needs_no_library_of_settings():
    """Its environment has numpy and Blender alone: what it imports asks for neither pydantic nor PyYAML, nor pandas."""
    blocked = "import sys; sys.modules.update(dict.fromkeys(['pydantic', 'yaml', 'pandas', 'torch', 'scipy']))\n"
    modules = "leases, paper, provenance, seeds, checkout, files.atomic_files, renderer.sampling, renderer.sampled_cars, renderer.mask_files"
    code = blocked + "\n".join(f"import dml_analysis.{name}" for name in modules.split(", "))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=checkout.ROOT
    )
    assert done.returncode == 0, done.stderr


def test_half_a_file_is_never_left(tmp_path):
    file = tmp_path / "deep" / "result.csv"
    atomic_files.write_text(file, "whole")
    with pytest.raises(RuntimeError), atomic_files.written_aside(file) as aside:
        aside.write_text("ha")
        raise RuntimeError
    assert file.read_text() == "whole"
    assert list(file.parent.iterdir()) == [file]


def test_the_record_of_a_run(tmp_path):
    settings = reader.load_settings(fake_data.write_settings(tmp_path))
    for script in ("1_compute_maps.py", "2_compare_maps.py"):
        provenance.record(settings, checkout.ROOT / "saliency" / script, "cpu")
    record = json.loads((settings.results / "run.json").read_text())
    assert set(record["scripts"]) == {"saliency/1_compute_maps.py", "saliency/2_compare_maps.py"}
    assert record["scripts"]["saliency/1_compute_maps.py"]["versions"]["torch"]
    assert record["scripts"]["saliency/1_compute_maps.py"]["threads"] == torch.get_num_threads()
    assert record["settings"]["saliency"]["noise_samples"] == 2 and record["settings"][
        "protocols"
    ] == ["paper"]
    (settings.results / "run.json").write_text("{")
    with pytest.raises(InputError, match="run.json: not readable"):
        provenance.record(settings, checkout.ROOT / "saliency" / "1_compute_maps.py")


LAYERS = """checkout errors leases memory number_texts paper seeds threads workers
blocks cluster files imports pipeline
checksums methods provenance store
renderer sweeps views
config
figures scripts tables
datasets todo
networks
metrics preparation
properties saliency training
causes controls embedding_space reality_check
replication
report"""


def test_imports_go_one_way():
    """Data flows one way, and so do imports: no part of the package imports from a later line, nor from its neighbours."""
    layer_of = {
        name: number for number, names in enumerate(LAYERS.splitlines()) for name in names.split()
    }
    package = checkout.ROOT / "dml_analysis"
    parts = {
        file.relative_to(package).parts[0].removesuffix(".py") for file in package.rglob("*.py")
    } - {"__init__"}
    assert parts == layer_of.keys()
    for file in set(package.rglob("*.py")) - {
        package / "__init__.py"
    }:  # which imports what is asked for
        here = file.relative_to(package).parts[0].removesuffix(".py")
        for name in imported(file):
            assert name == here or layer_of[name] < layer_of[here], (
                f"{file.relative_to(checkout.ROOT)} imports {name}"
            )


def imported(file):
    """The parts of the package that a file imports from, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("dml_analysis") for alias in node.names), file
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("dml_analysis"):
            _, *parts = node.module.split(".")
            yield from parts[:1] or (alias.name for alias in node.names)


def test_no_module_has_its_scripts_name():
    scripts = list(checkout.ROOT.glob("[a-z]*/[0-9]_*.py"))
    assert len(scripts) > 15
    assert not [file for file in scripts if file.with_name(file.name[2:]).exists()]


def test_random_numbers_and_folders_go_by_the_old_spellings(tmp_path):
    """Of the network that CSV files call Untrained, and of one for all folds, whose fold is -1 there."""
    from dml_analysis.metrics.smoothgrad import noisy_copies
    from dml_analysis.networks.specifications import network_of
    from dml_analysis.saliency import saliency_maps

    own = {"name": "Once", "group": "Mine", "network": "tests.networks:tiny"}
    settings = reader.load_settings(fake_data.write_settings(tmp_path, models=["None", own]))
    item, image = (
        SimpleNamespace(image_id="7"),
        torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)),
    )
    for model, path, purpose, seed in zip(
        settings.models,
        ("RenderedCars/fold1/none", "RenderedCars/all_folds/once"),
        (("None", "RenderedCars", 1), ("Once", "RenderedCars", "all")),
        (5352892607522829077, 4377977813564639350),
    ):
        network = network_of(settings, model, "RenderedCars", 1)
        assert network.path.as_posix() == path and network.name.startswith(
            f"{purpose[0]}, RenderedCars"
        )
        assert derived_seed(0, "saliency noise", *purpose, "7") == seed
        expected, noise = noisy_copies(image, 2, 0.15, seed), saliency_maps.Noise(2, 0.15, 0)
        assert torch.equal(saliency_maps.copies_of(network, item, image, noise), expected)
    assert network.fold == -1 and network.labels["fold"] == -1
