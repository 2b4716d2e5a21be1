"""What a script says of bad input: one line, `error: ...`, that names the file or the setting and what is wrong.

Each case spoils one thing in a small project; a numbered script then has to end in that line with exit status 1, without
a traceback, and with the results of earlier scripts untouched. data/1_prepare.py and the renderer have cases of their own
(test_prepare.py, test_rendering.py), and so have results that were made of other things (test_survival.py).
"""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from tests import fake_data
from tests.conftest import first_embedder, snapshot

MAPS, COMPARE, PLOT = "saliency/1_compute_maps.py", "saliency/2_compare_maps.py", "saliency/4_plot_maps.py"
EMBED, SCORE, PROBE = (f"properties/{name}.py" for name in ("2_embed_cars", "3_score_properties", "6_probe_features"))
CHECK, TRAIN, EVALUATE = (
    f"reality_check/{name}.py" for name in ("1_check_inputs", "2_train_models", "3_evaluate_models")
)
CASES = []


def case(script, message, *options, after=False):
    """Make a test of a function that spoils a project's folder; `after`: one whose scripts have all been run."""

    def add(spoil):
        CASES.append(pytest.param(spoil, script, message, options, after, id=spoil.__name__))
        return spoil

    return add


def edit_settings(folder, **changes):
    fake_data.write_settings(folder, **changes)


def add_to_settings(folder, line):
    file = folder / "tiny.yaml"
    file.write_text(file.read_text() + line + "\n")


# ---------------------------------------------------------------------------------------------------------------------
# Settings and options.
# ---------------------------------------------------------------------------------------------------------------------
@case(MAPS, "tiny.yaml: no such settings file")
def no_settings(folder):
    (folder / "tiny.yaml").unlink()


@case(MAPS, "tiny.yaml: not a YAML file")
def settings_that_are_no_yaml(folder):
    add_to_settings(folder, "folds: [0")


@case(MAPS, "tiny.yaml: unknown key 'nois' in the settings")
def unknown_setting(folder):
    add_to_settings(folder, "nois: 3")


@case(MAPS, "tiny.yaml: saliency: keep_maps is 'no thanks', but must be true or false")
def setting_of_another_kind(folder):
    edit_settings(folder, saliency={"keep_maps": "no thanks"})


@case(MAPS, "tiny.yaml: saliency: images is 0, but must be")
def no_images_wanted(folder):
    edit_settings(folder, saliency={"images": 0})


@case(MAPS, "tiny.yaml: protocol: unknown 'printed'; known: paper, released")
def unknown_protocol(folder):
    edit_settings(folder, protocol="printed")


@case(MAPS, "tiny.yaml: precision: unknown 'half'; known: float32, tf32, bf16")
def unknown_precision(folder):
    edit_settings(folder, precision="half")


@case(MAPS, "precision: tf32 is for NVIDIA's GPUs, and this run is on cpu; set float32 or bf16")
def precision_of_another_device(folder):
    edit_settings(folder, device="cpu", precision="tf32")


@case(MAPS, "tiny.yaml: datasets: unknown 'Cars'")
def unknown_dataset_in_settings(folder):
    edit_settings(folder, datasets=["Cars"])


@case(MAPS, "tiny.yaml: unknown model 'Contrastiv'; known: Contrastive")
def unknown_model_in_settings(folder):
    edit_settings(folder, models=["Contrastiv"])


@case(MAPS, "unknown model 'Triplet'; known: Contrastive, ArcFace, None", "--models", "Triplet")
def model_that_the_settings_lack(folder):
    pass


@case(MAPS, "unknown dataset 'SOP'", "--datasets", "SOP")
def dataset_that_the_settings_lack(folder):
    pass


@case(EMBED, "unknown fold 3", "--folds", "3")
def fold_that_the_settings_lack(folder):
    pass


@case(MAPS, "protocol 'released' compares saliency maps of fold 0 only", "--folds", "2")
def fold_that_the_protocol_leaves_out(folder):
    edit_settings(folder, protocol="released", folds=[0, 2])


@case(TRAIN, "settings 'tiny' have no `training:` block")
def nothing_to_train(folder):
    edit_settings(folder, training=None)


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints.
# ---------------------------------------------------------------------------------------------------------------------
def own_trunk(folder):
    """The first network's trunk, as a file of its own instead of a link."""
    file = first_embedder(folder).with_name("trunk_best.pth")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    return file


def edit_checkpoint(file, edit):
    state = torch.load(file, weights_only=True)
    edit(state)
    torch.save(state, file)


@case(MAPS, "trunk_best.pth: missing")
def no_trunk(folder):
    own_trunk(folder).unlink()


@case(EMBED, "embedder_best.pth: missing")
def no_embedder(folder):
    first_embedder(folder).unlink()


@case(MAPS, "trunk_best.pth: not a readable checkpoint")
def truncated_trunk(folder):
    file = own_trunk(folder)
    file.write_bytes(file.read_bytes()[:-5000])


@case(EVALUATE, "embedder_best.pth: not a readable checkpoint")
def empty_embedder(folder):
    first_embedder(folder).write_bytes(b"")


@case(EMBED, "embedder_best.pth: not a readable checkpoint")
def web_page_in_place_of_a_checkpoint(folder):
    first_embedder(folder).write_text("<!DOCTYPE html><html>Quota exceeded</html>")


@case(MAPS, "embedder_best.pth: holds no plain state_dict")
def checkpoint_that_is_a_list(folder):
    torch.save([1, 2], first_embedder(folder))


@case(MAPS, "embedder_best.pth: lacks tensor 'net.0.bias'")
def checkpoint_without_a_tensor(folder):
    edit_checkpoint(first_embedder(folder), lambda state: state.pop("net.0.bias"))


@case(MAPS, "embedder_best.pth: has unknown tensor 'extra'")
def checkpoint_with_one_more_tensor(folder):
    edit_checkpoint(first_embedder(folder), lambda state: state.update(extra=torch.zeros(1)))


@case(MAPS, "embedder_best.pth: net.0.bias has shape (64,), but (128,) is needed")
def checkpoint_of_another_shape(folder):
    edit_checkpoint(first_embedder(folder), lambda state: state.update({"net.0.bias": torch.zeros(64)}))


@case(MAPS, "trunk_best.pth: conv1_7x7_s2.bias contains NaN")
def checkpoint_with_nan(folder):
    edit_checkpoint(own_trunk(folder), lambda state: state["conv1_7x7_s2.bias"].fill_(float("nan")))


def write_config(folder, text):
    configs = first_embedder(folder).parents[1] / "configs"
    configs.mkdir(parents=True)
    (configs / "config.yaml").write_text(text)


@case(CHECK, "config.yaml: names ArcFaceLoss, but the folder is for Contrastive")
def run_of_another_loss(folder):
    write_config(folder, yaml.safe_dump({"loss_funcs": {"metric_loss": {"ArcFaceLoss": {}}}}))


@case(CHECK, "config.yaml: not a YAML file")
def configuration_that_is_no_yaml(folder):
    write_config(folder, "a: [1, 2")


@case(CHECK, '52deb4733.pth: missing; put the trunk of "None" there')
def no_imagenet_file(folder):
    paths = {"models": str(folder / "models"), "RenderedCars": str(folder / "cars"), "results": str(folder / "results")}
    paths["imagenet_trunk"] = str(folder / "bn_inception-52deb4733.pth")
    edit_settings(folder, training=None, paths=paths)


@case(CHECK, "52deb4733.pth: its sha256 begins")
def imagenet_file_with_other_content(folder):
    shutil.copy(own_trunk(folder), folder / "bn_inception-52deb4733.pth")
    no_imagenet_file(folder)


# ---------------------------------------------------------------------------------------------------------------------
# Images and what is known of them.
# ---------------------------------------------------------------------------------------------------------------------
def edit_samples(folder, edit):
    file = folder / "cars/samples.csv"
    edit(pd.read_csv(file)).to_csv(file, index=False)


@case(MAPS, "cars/samples.csv: missing")
def no_samples(folder):
    (folder / "cars/samples.csv").unlink()


@case(EMBED, "samples.csv: column 'camera_loc_z' is missing")
def samples_without_a_property(folder):
    edit_samples(folder, lambda table: table.drop(columns="camera_loc_z"))


@case(EMBED, "samples.csv: not a table with a column 'frame'")
def samples_without_frames(folder):
    edit_samples(folder, lambda table: table.drop(columns="frame"))


@case(EMBED, "samples.csv: frame 1 has no color_hue")
def sample_without_a_value(folder):
    edit_samples(folder, lambda table: table.assign(color_hue=[None, *table.color_hue[1:]]))


@case(EMBED, "samples.csv: frame 1 is listed twice")
def frame_listed_twice(folder):
    edit_samples(folder, lambda table: pd.concat([table, table[:1]]))


@case(EMBED, "7.png: image is missing (1 of the 96")
def missing_image(folder):
    (folder / "cars/images/7.png").unlink()


@case(EMBED, "96.png: has no row in")
def image_that_is_not_listed(folder):
    edit_samples(folder, lambda table: table[:-1])


@case(EMBED, "5.png: not a readable image")
def text_in_place_of_an_image(folder):
    (folder / "cars/images/5.png").write_text("no image")


@case(CHECK, "3.png: not a readable image", "--deep")
def truncated_image(folder):
    file = folder / "cars/images/3.png"
    file.write_bytes(file.read_bytes()[:300])


@case(CHECK, "4.png: not a readable image (mode I;16, more than 8 bits a channel)", "--deep")
def image_of_16_bits(folder):
    Image.fromarray(np.full((300, 400), 9000, np.uint16)).save(folder / "cars/images/4.png")


def use_dataset(folder, dataset):
    """Settings for one of the paper's datasets, in folder/data."""
    paths = {name: str(folder / name) for name in ("models", "results")} | {dataset: str(folder / "data")}
    edit_settings(folder, datasets=[dataset], models=["None"], paths=paths)
    (folder / "data").mkdir()
    return folder / "data"


@case(MAPS, "data/images.txt: missing; CUB200 belongs there")
def no_cub200(folder):
    use_dataset(folder, "CUB200")


@case(MAPS, "image 2 is in only one of images.txt and image_class_labels.txt")
def image_without_a_class(folder):
    data = use_dataset(folder, "CUB200")
    (data / "images.txt").write_text("1 001.Bird/a.jpg\n2 101.Bird/b.jpg\n")
    (data / "image_class_labels.txt").write_text("1 1\n")


@case(MAPS, "images.txt: line 'b.jpg' is not a number and")
def image_without_a_number(folder):
    data = use_dataset(folder, "CUB200")
    (data / "images.txt").write_text("1 001.Bird/a.jpg\nb.jpg\n")


@case(MAPS, "data: 2 images listed, but CUB200 has 11788")
def fewer_images_than_the_dataset_has(folder):
    data = use_dataset(folder, "CUB200")
    (data / "images.txt").write_text("1 001.Bird/a.jpg\n2 101.Bird/b.jpg\n")
    (data / "image_class_labels.txt").write_text("1 1\n2 101\n")


@case(MAPS, "data: none of the 2 images of CUB200 exists", "--allow-partial")
def part_of_a_dataset_that_is_nothing(folder):
    fewer_images_than_the_dataset_has(folder)


@case(MAPS, "data: a and b in it look like CUB200; keep one")
def dataset_that_is_there_twice(folder):
    data = use_dataset(folder, "CUB200")
    for name in ("a", "b"):
        (data / name).mkdir()
        (data / name / "images.txt").touch()


@case(MAPS, "Ebay_train.txt: its first line must name class_id and path")
def list_without_a_header(folder):
    (use_dataset(folder, "SOP") / "Ebay_train.txt").write_text("1 1 1 bicycle_final/1.JPG\n")


@case(MAPS, "Ebay_train.txt: not a readable list of images")
def empty_list(folder):
    (use_dataset(folder, "SOP") / "Ebay_train.txt").touch()


@case(MAPS, "cars_annos.mat: not a readable annotation file")
def annotations_that_are_no_matlab_file(folder):
    data = use_dataset(folder, "Cars196")
    (data / "car_ims").mkdir()
    (data / "cars_annos.mat").write_text("<html>404</html>")


@case(MAPS, "cars_test_annos.mat: has no field 'class'; put cars_test_annos_withlabels.mat beside it")
def annotations_without_classes(folder):
    data = use_dataset(folder, "Cars196")
    fake_data.annotations(data / "devkit/cars_train_annos.mat", fname=["1.jpg"], **{"class": [1]})
    fake_data.annotations(data / "devkit/cars_test_annos.mat", fname=["1.jpg"], bbox_x1=[3])


@case(MAPS, "its annotations list an image twice")
def image_listed_twice(folder):
    data = use_dataset(folder, "Cars196")
    (data / "car_ims").mkdir()
    fake_data.annotations(data / "cars_annos.mat", relative_im_path=["car_ims/1.jpg"] * 2, **{"class": [1, 2]})


# ---------------------------------------------------------------------------------------------------------------------
# Results of earlier scripts.
# ---------------------------------------------------------------------------------------------------------------------
@case(COMPARE, "saliency/maps: no saliency maps; run saliency/1_compute_maps.py")
def no_maps(folder):
    pass


@case(PLOT, "no saliency maps; run saliency/1_compute_maps.py")
def no_maps_to_plot(folder):
    pass


@case(SCORE, "embeddings: no embeddings; run properties/2_embed_cars.py")
def no_embeddings(folder):
    pass


@case("properties/5_plot_embeddings.py", "run properties/2_embed_cars.py")
def no_embeddings_to_plot(folder):
    pass


@case(PROBE, "properties/features: not whole; run properties/2_embed_cars.py")
def no_features_to_probe(folder):
    pass


@case("report/1_list_results.py", "results are missing, the first is")
def no_results(folder):
    pass


def edit_part(folder, name, **changes):
    """Change arrays of the first part of a shelf."""
    file = folder / "results/tiny" / name / "00000.npz"
    with np.load(file) as part:
        arrays = dict(part) | changes
    np.savez(file, **arrays)


ARCFACE = "RenderedCars/fold0/arcface"


@case(COMPARE, "arcface/00000.npz: not a readable part", after=True)
def truncated_maps(folder):
    shutil.rmtree(folder / "results/tiny/paper/saliency/comparisons")
    file = folder / "results/tiny/paper/saliency/maps" / ARCFACE / "00000.npz"
    file.write_bytes(file.read_bytes()[:9000])


@case(PLOT, "arcface/00000.npz: not a readable part (maps is float16 (2, 9, 9), not float16 (2, 227, 227))", after=True)
def maps_of_another_size(folder):
    edit_part(folder, f"paper/saliency/maps/{ARCFACE}", maps=np.zeros((2, 9, 9), np.float16))


@case(COMPARE, "00000.npz: not a readable part", after=True)
def truncated_comparisons(folder):
    file = folder / "results/tiny/paper/saliency/comparisons/RenderedCars/fold0/00000.npz"
    file.write_bytes(file.read_bytes()[:900])


@case(SCORE, "fold0/arcface: contains NaN", after=True)
def nan_embeddings(folder):
    edit_part(folder, f"properties/embeddings/{ARCFACE}", embeddings=np.full((96, 128), np.nan, np.float32))
    shutil.rmtree(folder / "results/tiny/paper/properties/scores")


@case(SCORE, "arcface/00000.npz: not a readable part (its rows are others)", after=True)
def embeddings_of_other_images(folder):
    edit_part(folder, f"properties/embeddings/{ARCFACE}", rows=np.array([f"9{i}" for i in range(96)]))
    shutil.rmtree(folder / "results/tiny/paper/properties/scores")


@case(EMBED, "fold0/arcface: has parts, but no made_of.json to say what of", after=True)
def embeddings_without_what_they_are_made_of(folder):
    (folder / "results/tiny/properties/embeddings" / ARCFACE / "made_of.json").unlink()


@case(MAPS, "made_of.json: not readable", after=True)
def half_of_what_maps_are_made_of(folder):
    file = folder / "results/tiny/paper/saliency/maps" / ARCFACE / "made_of.json"
    file.write_bytes(file.read_bytes()[:30])


@case(EVALUATE, "files.json: what it says of", after=True)
def checksums_of_another_form(folder):
    (folder / "results/tiny/files.json").write_text('{"a": 1}')


@case(MAPS, "files.json: not readable", after=True)
def checksums_in_utf_16(folder):
    file = folder / "results/tiny/files.json"
    file.write_text(file.read_text(), encoding="utf-16")


# Tables are made from CSV files, which people may have opened and saved. (Where the inputs exist, they are written anew.)
PAIRS = "paper/saliency/pairs_RenderedCars.csv"
CSV_FILES = {"saliency/3_make_tables.py": [PAIRS], "report/1_list_results.py": ["paper/tables/table2.csv", "paper/tables/table6.csv"],
             "properties/4_make_tables.py": ["paper/properties/nr_precision.csv", "paper/properties/mann_whitney.csv"]}  # fmt: skip
SPOILT = {
    "empty": lambda file: file.write_bytes(b""),
    "of_another_table": lambda file: file.write_text("loss,score\nNone,1\n"),
    "without_a_column": lambda file: pd.read_csv(file).iloc[:, :-1].to_csv(file, index=False),
    "with_semicolons": lambda file: file.write_text(file.read_text().replace(",", ";")),
    "in_utf_16": lambda file: file.write_text(file.read_text(), encoding="utf-16"),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-30].rstrip(b"0123456789.")),
    "with_words_for_numbers": lambda file: file.write_text(file.read_text().replace("0.", "about 0.")),
    "that_is_a_folder": lambda file: file.unlink() or file.mkdir(),
}
for script, names in CSV_FILES.items():
    for name in names:
        for kind, spoil in SPOILT.items():

            def spoil_csv(folder, name=name, spoil=spoil):
                spoil(folder / "results/tiny" / name)
                shutil.rmtree(folder / "cars")

            spoil_csv.__name__ = f"{name.split('/')[-1].split('.')[0]}_{kind}"
            case(script, f"{name.split('/')[-1]}: not what a script has written", after=True)(spoil_csv)


# ---------------------------------------------------------------------------------------------------------------------
# The tests.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spoil, script, message, options, after", CASES)
def test_one_clear_line(request, fails, spoil, script, message, options, after):
    folder = request.getfixturevalue("copy" if after else "project")
    spoil(folder)
    before = results(folder)
    assert message in fails(script, folder / "tiny.yaml", *options)
    assert results(folder) == before


def results(folder):
    """File -> content, without what the check of inputs writes itself."""
    return {file: content for file, content in snapshot(folder / "results").items() if file.name != "inputs.csv"}
