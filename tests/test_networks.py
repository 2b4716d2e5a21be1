"""Networks that people bring: of timm, of other libraries, of their own, and what is refused."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import yaml
from PIL import Image
from torch import nn

from dml_analysis import checkout
from dml_analysis.config import load_settings
from dml_analysis.errors import InputError
from dml_analysis.imports import imported
from dml_analysis.methods import models_from
from dml_analysis.metrics.smoothgrad import base_embedding, input_gradients
from dml_analysis.networks import loading
from dml_analysis.networks.distances import distance_function
from dml_analysis.networks.embedding import embeddings_of
from dml_analysis.networks.modules import features_of
from dml_analysis.networks.sources import Source
from examples import recipes
from tests import fake_data
from tests.conftest import run_all
from tests.networks import CLIP, small_transform, tiny, tiny_trunk
from tests.test_own_properties import NAMES as SPRITE_PROPERTIES
from tests.test_own_properties import make_sprites

IMAGES = torch.rand(3, 3, 20, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def source_of(tmp_path, monkeypatch):
    """A function that returns the Source of own_networks:build, a module with the given code."""

    def write(code, **options):
        (tmp_path / "own_networks.py").write_text(code)
        monkeypatch.delitem(sys.modules, "own_networks", raising=False)
        monkeypatch.syspath_prepend(str(tmp_path))
        return Source("own_networks:build", **options)

    return write


@pytest.fixture
def made(monkeypatch):
    """A function that returns the Source of a build function that returns this."""

    def of(*result):
        monkeypatch.setitem(sys.modules, "made_networks", SimpleNamespace(build=lambda: result))
        return Source("made_networks:build")

    return of


def refused(source):
    """Return the line that a source is refused with."""
    with pytest.raises(InputError) as error:
        loading.describe(source)
    assert "\n" not in str(error.value)
    return str(error.value)


# ---------------------------------------------------------------------------------------------------------------------
# timm.
# ---------------------------------------------------------------------------------------------------------------------
def test_official_weights_are_converted_by_timm(tmp_path, capsys):
    """Tensors named as DINOv2's are, at another image size, under a trainer's prefix."""
    name, size = "vit_tiny_patch16_224", {"num_classes": 0, "depth": 2}
    expected = timm.create_model(name, img_size=32, **size)
    official = {f"teacher.backbone.{key}": value for key, value in expected.state_dict().items()}
    official["teacher.backbone.mask_token"] = torch.zeros(1, 192)
    official["teacher.head.weight"] = torch.zeros(2, 192)
    torch.save({"model": official}, tmp_path / "x.pth")
    with pytest.MonkeyPatch.context() as patch:
        create = timm.create_model
        patch.setattr(timm, "create_model", lambda *a, **k: create(*a, **k, depth=2))
        for crop in ((48, 32), (96, 64)):
            source = Source(f"timm:{name}", tmp_path / "x.pth", crop=crop)
            description = loading.describe(source)
            assert description.crop == (crop[0], (crop[1],) * 2) and description.outputs == 192
            module, _ = loading.build(source)
            grid = (crop[1] // 16) ** 2
            assert module.pos_embed.shape == (1, 1 + grid, 192)
            torch.testing.assert_close(module.blocks.state_dict(), expected.blocks.state_dict())
    assert "takes the " in capsys.readouterr().out


def test_clips_weights_are_converted_by_timm(tmp_path):
    """The image tower of a CLIP with its projection, which timm takes for a classifier."""
    import open_clip

    vision = {"image_size": 224, "layers": 12, "width": 192, "patch_size": 32, "head_width": 64}
    clip = open_clip.CLIP(**CLIP | {"embed_dim": 6, "vision_cfg": vision}, quick_gelu=True)
    torch.save(clip.state_dict(), tmp_path / "clip.pth")
    expected = clip.eval().encode_image(torch.ones(2, 3, 224, 224))
    with pytest.MonkeyPatch.context() as patch:
        create = timm.create_model
        size = {"embed_dim": 192, "num_heads": 3, "num_classes": 6}
        patch.setattr(timm, "create_model", lambda *a, **k: create(*a, **size | k))
        source = Source(
            "timm:vit_base_patch32_clip_quickgelu_224.openai", tmp_path / "clip.pth", "keep"
        )
        module, _ = loading.build(source)
    found = module(torch.ones(2, 3, 224, 224))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "name, crop, words",
    [("vit_base_patch16_224", (256, 224), ["augreg_in1k", "dino"]), ("resnet18", None, ["a1_in1k", "tv_in1k"])],
)  # fmt: skip
def test_a_name_whose_tags_differ(tmp_path, monkeypatch, name, crop, words):
    monkeypatch.setattr(loading, "build", lambda source: (None, None))
    line = refused(Source(f"timm:{name}", tmp_path / "x.pth", crop=crop))
    assert "differ in mean, standard deviation or crop" in line
    assert f"such as timm:{name}.{line.split(': ')[-1].split(', ')[0]}" in line
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    "name, more",
    [("resnet18", {"crop": (64, 32)}), ("resnet18.tv_in1k", {}), ("resnet18", {"seed": 3})],
)
def test_a_name_that_leaves_nothing_open(name, more):
    loading._check_tag(Source(f"timm:{name}", **more))


@pytest.mark.parametrize("network", ["hf-hub:timm/vit", "timm:hf_hub:timm/vit", "timm:local-dir:x"])
def test_hubs_are_not_asked(network):
    entry = {"name": "A", "group": "B", "network": network, "checkpoint": "x"}
    with pytest.raises(InputError, match="nothing is downloaded from hubs; fetch the file"):
        models_from([entry])
    if network.startswith("timm:"):
        assert "nothing is downloaded from hubs" in refused(Source(network))


def test_a_trunk_of_timm_needs_weights_of_its_own(tmp_path):
    file = fake_data.write_settings(tmp_path, trunk="timm:resnet18.tv_in1k", paths={})
    with pytest.raises(InputError, match="trunk: timm:resnet18.tv_in1k needs weights of its own"):
        load_settings(file)


# ---------------------------------------------------------------------------------------------------------------------
# Modules of one's own.
# ---------------------------------------------------------------------------------------------------------------------
class Odd(nn.Module):
    """tiny() with something done to what it gives."""

    def __init__(self, change, channels=3):
        super().__init__()
        self.inner, self.change = tiny()[0], change
        if channels == 1:
            self.inner[0] = nn.Conv2d(1, 4, 5, stride=3)

    def forward(self, images):
        return self.change(self.inner(images))


@pytest.mark.parametrize(
    "network, message",
    [(Odd(lambda x: 0 * x + 1), "gives the same numbers for all images; check its weights"),
     (Odd(torch.squeeze), "gives (5,) for 1 image, but must give a tensor (1, d)"),
     (Odd(lambda x: sys.exit("stop")), "it calls sys.exit(stop)"),
     (Odd(lambda x: x.long()), "gives numbers of torch.int64; let it give floats"),
     (Odd(lambda x: x, 1), "got 3 channels instead); average the three channels in its forward, as `OneChannel`")],
)  # fmt: skip
def test_what_a_network_gives(made, network, message):
    assert message in refused(made(network, small_transform()))


def test_gray_transforms(made):
    line = refused(made(tiny()[0], lambda image: small_transform()(image)[:1]))
    assert "gives torch.float32 (1, 20, 20)" in line and "leave it in colour" in line


PARSE = "import argparse; argparse.ArgumentParser().parse_args(['--unknown'])\n"


@pytest.mark.parametrize("code", [PARSE, f"def build():\n    {PARSE}"])
def test_modules_that_read_the_command_line(source_of, capfd, code):
    line = refused(source_of(code))
    assert "own_networks:build: " in line and "it calls sys.exit(2)" in line
    assert "usage" not in capfd.readouterr().err


@pytest.mark.parametrize("line", ["print(1, flush=True)", "print(1)"])
def test_modules_that_print_where_nobody_reads(source_of, tmp_path, line):
    """One line, whether or not it is the writing that fails."""
    source_of(f"def build():\n    {line}\n    raise ValueError\n")
    code = (
        "from dml_analysis.errors import run_script\n"
        "from dml_analysis.networks import loading, sources\n"
        "run_script(lambda: loading.describe(sources.Source('own_networks:build')))\n"
    )
    read, write = os.pipe()
    os.close(read)
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    command, streams = [sys.executable, "-c", code], {"stdout": write, "stderr": subprocess.PIPE}
    done = subprocess.run(command, cwd=tmp_path, env=buffered, text=True, **streams)
    os.close(write)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: own_networks:build: failed (")


def test_an_import_that_draws_random_numbers(source_of, tmp_path):
    """Weights are the same each time, although only the first call of `build` imports another module."""
    (tmp_path / "drawing.py").write_text("import torch\ntorch.rand(3)\n")
    source = source_of(
        "from torch import nn\nfrom tests.networks import small_transform\ndef build():\n    import drawing\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(1200, 5)), small_transform()\n"
    )
    loading.load_source(source, loading.describe(source))


def test_a_module_whose_helpers_are_called_as_ours(tmp_path, monkeypatch):
    """`utils` and `data` are those next to the module, in the folder that a script is started in."""
    (tmp_path / "utils.py").write_text("from tests.networks import tiny\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "__init__.py").write_text("NAME = 'mine'\n")
    (tmp_path / "theirs.py").write_text(
        "import data, utils\nbuild = utils.tiny\nNAME = data.NAME\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("utils", "data"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(
        sys, "path", [folder for folder in sys.path if folder != str(checkout.ROOT)]
    )
    assert imported("theirs:NAME") == "mine"
    assert loading.describe(Source("theirs:build")).outputs == 5


@pytest.mark.parametrize("number", [torch.bfloat16, torch.float16, torch.float64])
def test_other_numbers_are_cast(made, number, tmp_path):
    """What a network gives in bfloat16, and a transform in float64: the same as in float32, rounded."""
    network, exact = Odd(lambda x: x.to(number)), tiny()[0]
    source = made(network, lambda image: small_transform()(image).double())
    assert loading.describe(source).outputs == 5
    _, transform = loading.build(source)
    assert transform(Image.new("RGB", (30, 24))).dtype == torch.float32
    found, expected = features_of(network, IMAGES), features_of(exact, IMAGES)
    assert found.dtype == torch.promote_types(number, torch.float32)
    torch.testing.assert_close(found.float(), expected, rtol=0.01, atol=0.01)
    gradients = [
        input_gradients(each, IMAGES, base_embedding(each, IMAGES[0]), distance_function("Euclidean Distance"))
        for each in (network, exact)
    ]  # fmt: skip
    assert torch.corrcoef(torch.stack([each[1:].flatten() for each in gradients]))[0, 1] > 0.99
    Image.new("RGB", (30, 24)).save(tmp_path / "a.png")
    embedded = embeddings_of(
        exact, lambda image: small_transform()(image).double(), [tmp_path / "a.png"]
    )
    assert embedded.dtype == np.float32


def test_a_home_folder_in_a_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    entry = {"name": "A", "group": "B", "network": "a:b", "checkpoint": "~/x_{fold}.pth"}
    assert models_from([entry])[0].checkpoint == "/home/me/x_{fold}.pth"


# ---------------------------------------------------------------------------------------------------------------------
# Recipes.
# ---------------------------------------------------------------------------------------------------------------------
def test_the_entries_of_the_documentation():
    text = (checkout.ROOT / "docs/own_models.md").read_text()
    (block,) = [each for each in re.findall(r"```yaml\n(.*?)```", text, re.S) if "DINOv2" in each]
    models = models_from(yaml.safe_load(block))
    assert [model.name for model in models] == ["DINOv2", "Mine", "CLIP", "HF"]
    named = [model.network for model in models]
    assert all(timm.is_model(each[5:]) for each in named[:2])
    assert all(callable(imported(each)) for each in named[2:])


def test_open_clip(tmp_path, made):
    """The embeddings are those of encode_image, with the weights of a checkpoint of the complete model."""
    import open_clip

    (tmp_path / "tiny_clip.json").write_text(json.dumps(CLIP))
    open_clip.add_model_config(tmp_path)
    model, _, transform = open_clip.create_model_and_transforms("tiny_clip", load_weights=False)
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "x.pt"
    )
    source = made(*recipes.open_clip_tower("tiny_clip"))._replace(checkpoint=tmp_path / "x.pt")
    assert loading.describe(source).crop == (32, (32, 32))
    images = torch.stack(
        [transform(Image.new("RGB", (40, 50), colour)) for colour in ("red", "blue")]
    )
    torch.testing.assert_close(loading.build(source)[0](images), model.eval().encode_image(images))


def test_hugging_face(tmp_path, made):
    import transformers

    sizes = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    model = transformers.ViTModel(
        transformers.ViTConfig(**sizes, image_size=32, patch_size=16)
    ).eval()
    model.save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    source = made(*recipes.hugging_face(str(tmp_path)))
    description = loading.describe(source)
    assert description.crop == ((32, 32), (32, 32)) and description.outputs == 8
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(
        loading.build(source)[0](images), model(images).last_hidden_state[:, 0]
    )


def test_scripted(tmp_path, made):
    """Described, made ready, and with gradients, as any other."""
    torch.jit.trace(tiny()[0], IMAGES).save(tmp_path / "x.pt")
    source = made(*recipes.scripted(str(tmp_path / "x.pt"), 24, 20))
    ready = loading.load_source(source, loading.describe(source))
    torch.testing.assert_close(features_of(ready.module, IMAGES), features_of(tiny()[0], IMAGES))
    gradients = input_gradients(ready.module, IMAGES, torch.zeros(1, 5), torch.cdist)
    assert gradients.any() and not any(each.requires_grad for each in ready.module.parameters())


@pytest.mark.parametrize(
    "network", [recipes.Entry(Odd(lambda x: {"a": x}), "a"), recipes.Entry(Odd(lambda x: (0, x)), 1),
                recipes.Entry(Odd(lambda x: (x[:, None],)), 0)]
)  # fmt: skip
def test_entries(made, network):
    assert loading.describe(made(network, small_transform())).outputs == 5
    torch.testing.assert_close(network(IMAGES), tiny()[0](IMAGES))


def test_one_channel(made):
    gray = Odd(lambda x: x, channels=1)
    assert loading.describe(made(recipes.OneChannel(gray), small_transform())).outputs == 5
    gray_images = torch.rand(2, 1, 20, 20)
    torch.testing.assert_close(
        recipes.OneChannel(gray)(gray_images.expand(2, 3, 20, 20)), gray(gray_images)
    )


def test_pad_to_square(made, project, run_inside):
    """Refused as a network's, whose embeddings every script for embeddings takes."""
    line = refused(made(tiny()[0], recipes.pad_to_square(20)))
    assert "does more than to resize an image" in line and "give its embeddings in a file" in line
    entry = {
        "name": "Padded",
        "group": "Mine",
        "embeddings": {"RenderedCars": str(project / "padded.npz")},
    }
    settings = fake_data.write_settings(project, models=["ArcFace", entry])
    run_inside("data/4_list_images.py", settings)
    listed = project / "results/tiny/images_RenderedCars.csv"
    recipes.save_embeddings(tiny()[0], recipes.pad_to_square(20), listed, project / "padded.npz")
    run_inside("reality_check/3_evaluate_models.py", settings, "--models", "Padded")
    accuracy = pd.read_csv(project / "results/tiny/reality_check/accuracy.csv")
    assert accuracy.loss.tolist() == ["Padded"] and accuracy.precision_at_1.between(0, 1).all()


# ---------------------------------------------------------------------------------------------------------------------
# Through every script.
# ---------------------------------------------------------------------------------------------------------------------
SCRIPTS = [
    "reality_check/1_check_inputs.py",
    "reality_check/3_evaluate_models.py",
    *(f"saliency/{name}.py" for name in ("1_compute_maps", "2_compare_maps", "3_make_tables", "4_plot_maps", "5_list_similarities")),
    *(f"properties/{name}.py" for name in ("2_embed_cars", "3_score_properties", "4_make_tables", "5_plot_embeddings", "6_probe_features")),
    *(f"embedding_space/{name}.py" for name in ("1_measure_spaces", "2_correlate_measures", "3_plot_spaces")),
    *(f"causes/{name}.py" for name in ("1_locate_maps", "2_shift_embeddings", "3_explain_errors", "4_explain_pairs",
                                       "5_randomise_weights", "6_plot_causes")),
    *(f"controls/{name}.py" for name in ("1_bound_maps", "2_bound_scores", "3_test_groups", "4_compare_groupings", "5_vary_maps",
                                         "6_make_tables", "7_plot_controls")),
    "report/1_list_results.py",
    "report/2_make_report.py",
]  # fmt: skip
RENDERED_CARS_ONLY = ("2_shift_embeddings", "3_explain_errors", "4_explain_pairs", "6_plot_causes")
TOWERS = [
    {"name": "ViT", "group": "Timm", "network": "timm:vit_tiny_patch16_224", "crop": [48, 32], "head": "drop"},
    {"name": "ConvNeXt", "group": "Timm", "network": "timm:convnext_atto", "crop": [48, 32], "head": "drop"},
    {"name": "CLIP", "group": "Towers", "network": "tests.networks:clip", "distance": "Cosine Similarity"},
    {"name": "Tiny", "group": "Towers", "network": "tests.networks:tiny"},
]  # fmt: skip


@pytest.mark.slow
def test_a_vit_a_convnext_and_a_clip_through_every_script(tmp_path):
    """Every network is in every file, and has a number there; then once more with own properties."""
    for tower, nest, prefix in zip(
        TOWERS, ("state_dict", "model_ema"), ("model.", "module._orig_mod.")
    ):
        state = timm.create_model(tower["network"].removeprefix("timm:")).state_dict()
        tensors = {f"{prefix}{name}": value for name, value in state.items()}
        torch.save({nest: tensors, "epoch": 3}, tmp_path / f"{tower['name']}.ckpt")
    (tmp_path / "models").mkdir()
    torch.save(
        tiny_trunk()[0].state_dict(), tmp_path / "models/tests_networks_tiny_trunk_trunk.pth"
    )
    of_timm = [each | {"checkpoint": str(tmp_path / f"{each['name']}.ckpt")} for each in TOWERS[:2]]
    models = [*of_timm, *TOWERS[2:], "None"]
    settings = fake_data.write_studied_settings(
        tmp_path, models=models, trunk="tests.networks:tiny_trunk", seed=1,
        saliency={"images": 6, "noise_samples": 4, "noise_sigma": 0.15, "batch_size": 8},
        properties={"networks": "SyntheticCars", "images": 100, "tsne_images": 40, "tsne_model": "CLIP"},
    )  # fmt: skip
    run_all(settings, SCRIPTS)
    files = fake_data.check_csv_files(tmp_path / "results/tiny")
    names = {*(tower["name"] for tower in TOWERS), "Untrained"}
    for file, column in [
        ("reality_check/accuracy.csv", "mean_average_precision_at_r"),
        ("embedding_space/embedding_space.csv", "map_at_r"),
        ("paper/properties/nr_precision.csv", "nr_precision"),
        ("paper/saliency/pairs_SyntheticCars.csv", "correlation_mean"),
        ("paper/causes/embedding_shifts.csv", "shift"),
        ("paper/controls/bounds_SyntheticCars.csv", "correlation_mean"),
    ]:
        name = "loss" if "loss" in files[file] else "loss_a"
        assert names <= set(files[file][name]), file
        assert files[file][column].notna().all(), file
    assert (tmp_path / "results/tiny/report.html").is_file()

    make_sprites(tmp_path / "own")
    given = yaml.safe_load(settings.read_text())
    given["properties"] |= {"dataset": "Sprites", "images": "all"}
    given["paths"]["Sprites"] = str(tmp_path / "own")
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(given))
    rendered_cars_only = [f"causes/{name}.py" for name in RENDERED_CARS_ONLY]
    run_all(own, [script for script in SCRIPTS if script not in rendered_cars_only])
    scores = fake_data.check_csv_files(tmp_path / "results/own")[
        "paper/properties/nr_precision.csv"
    ]
    assert names == set(scores.loss) and set(scores.property) == set(SPRITE_PROPERTIES)
    assert scores.nr_precision.notna().all()
