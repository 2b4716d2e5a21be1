"""The datasets' layouts and class splits, and what a broken one says."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from dml_analysis import checkout, paper
from dml_analysis.config import Settings, TrainingSettings
from dml_analysis.datasets import readers
from dml_analysis.datasets.images import check_header, cropped, open_image
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.metrics.inputs import property_codes
from dml_analysis.networks.bn_inception import network_input
from dml_analysis.networks.descriptions import BN_INCEPTION
from dml_analysis.networks.transforms import AHEAD, black_input, network_inputs
from dml_analysis.properties.property_tables import ENTRIES
from tests import fake_data, mock_inputs
from tests.conftest import forget


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings whose datasets all live in tmp_path, with image counts that are not checked."""
    monkeypatch.setattr(
        readers,
        "SPLITS",
        {name: split._replace(images=None) for name, split in readers.SPLITS.items()},
    )
    return Settings(name="test", paths=checkout.PATHS | dict.fromkeys(paper.DATASETS, tmp_path))


def test_cars196_in_one_folder(settings, tmp_path):
    names = [f"car_ims/{i:06}.jpg" for i in range(1, 5)]
    mock_inputs.annotations(
        tmp_path / "cars_annos.mat", relative_im_path=names, **{"class": [1, 98, 99, 196]}
    )
    items = readers.load_samples(settings, "Cars196", "test")
    assert [(item.image_id, item.label) for item in items] == [
        ("car_ims/000003.jpg", 98),
        ("car_ims/000004.jpg", 195),
    ]
    assert items[0].path == tmp_path / "car_ims/000003.jpg"
    assert [
        item.label for item in readers.load_samples(settings, "Cars196", "validation", fold=0)
    ] == [97]
    assert [item.label for item in readers.load_samples(settings, "Cars196", "train", fold=0)] == [
        0
    ]


def test_cars196_with_devkit(settings, tmp_path):
    for part, classes in [("train_annos", [1, 150]), ("test_annos_withlabels", [2, 151])]:
        mock_inputs.annotations(
            tmp_path / "devkit" / f"cars_{part}.mat",
            fname=["00001.jpg", "00002.jpg"],
            **{"class": classes},
        )
    ids = [item.image_id for item in readers.load_samples(settings, "Cars196", "test")]
    assert ids == ["cars_train/00002.jpg", "cars_test/00002.jpg"]


def test_cars196_as_kaggle_packs_it(settings, tmp_path):
    """Folders doubled, and cars_annos.mat beside them, whose images are those of the other layout."""
    for part, classes in [("train_annos", [150]), ("test_annos_withlabels", [151])]:
        mock_inputs.annotations(
            tmp_path / "devkit" / f"cars_{part}.mat", fname=["00001.jpg"], **{"class": classes}
        )
    mock_inputs.annotations(
        tmp_path / "cars_annos.mat", relative_im_path=["car_ims/000001.jpg"], **{"class": [1]}
    )
    for part in ("cars_train", "cars_test"):
        (tmp_path / part / part).mkdir(parents=True)
    items = readers.load_samples(settings, "Cars196", "test")
    assert [item.image_id for item in items] == ["cars_train/00001.jpg", "cars_test/00001.jpg"]
    assert items[1].path == tmp_path / "cars_test/cars_test/00001.jpg"


def test_cub200(settings, tmp_path):
    (tmp_path / "images.txt").write_text("1 001.Albatross/a.jpg\n2 101.Pelican/b.jpg\n")
    (tmp_path / "image_class_labels.txt").write_text("1 1\n2 101\n")
    (item,) = readers.load_samples(settings, "CUB200", "test")
    assert item == ("101.Pelican/b.jpg", tmp_path / "images/101.Pelican/b.jpg", 100)


def test_sop(settings, tmp_path):
    header = "image_id class_id super_class_id path\n"
    (tmp_path / "Ebay_train.txt").write_text(
        header + "1 1 1 chair_final/1.JPG\n2 11318 1 chair_final/2.JPG\n"
    )
    (tmp_path / "Ebay_test.txt").write_text(header + "3 11319 1 chair_final/3.JPG\n")
    (item,) = readers.load_samples(settings, "SOP", "test")
    assert item == ("chair_final/3.JPG", tmp_path / "chair_final/3.JPG", 11318)


def make_images(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


BY_NAME = ["Audi TT", "BMW X3"]  # of 196 classes, the first two


@pytest.mark.parametrize(
    "dataset, inside, names",
    [("Cars196", "", [f"{part}/{name}/1.jpg" for part in ("train", "test") for name in BY_NAME]),
     ("Cars196", "car_data/car_data", ["train/Audi TT/1.jpg", "test/BMW X3/2.jpg"]),
     ("Cars196", "cars196/images", ["Audi TT/1.jpg", "BMW X3/1.jpg"]),
     ("CUB200", "cub200/images", ["001.Albatross/1.jpg", "002.Auklet/1.jpg"])],
)  # fmt: skip
def test_copies_with_a_folder_for_each_class(settings, tmp_path, dataset, inside, names):
    """A class is a name, whichever of train and test its images are in."""
    make_images(tmp_path / inside, names)
    folder = readers.found(tmp_path, dataset)
    samples = readers._READERS[dataset](folder, 196)
    assert readers.is_by_class(folder, dataset)
    assert {sample.image_id for sample in samples} == set(names)
    classes = sorted({name.split("/")[-2] for name in names})
    assert all(classes[sample.label] == sample.path.parent.name for sample in samples)


def test_cars196_by_class_has_its_counts_checked(strict, tmp_path):
    names = [f"{part}/Car {i:03}/{n}.jpg" for i in range(196) for part in ("train", "test") for n in (1, 2)]  # fmt: skip
    make_images(tmp_path, names)
    with pytest.raises(InputError, match="784 images listed, but Cars196 has 16185"):
        readers.load_samples(strict, "Cars196", "test")
    partial = strict.model_copy(update={"allow_partial": True})
    samples = readers.load_samples(partial, "Cars196", "test")
    assert len(samples) == 98 * 4 and {sample.label for sample in samples} == set(range(98, 196))


@pytest.mark.parametrize(
    "dataset, sizes", [("CUB200", [25] * 4), ("SOP", [2829] * 4), ("RenderedCars", [6] * 4)]
)
def test_validation_folds(settings, tmp_path, dataset, sizes):
    """The Reality Check's blocks, each inside the first half and apart from the others."""
    (tmp_path / "samples.csv").touch()
    split = readers.split_of(settings, dataset)
    blocks = [set(range(first, last)) for first, last in split.validation]
    assert [len(block) for block in blocks] == sizes
    assert (
        len(set.union(*blocks)) == sum(sizes)
        and max(set.union(*blocks)) == split.training_classes - 1
    )


# ---------------------------------------------------------------------------------------------------------------------
# Counts, and datasets that are not whole.
# ---------------------------------------------------------------------------------------------------------------------
def write_cub200(folder, labels):
    """The annotations of CUB200 with an image for each of the labels, which count from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(enumerate(labels, start=1))
    (folder / "images.txt").write_text(
        "".join(f"{n} {label:03}.Bird/{n}.jpg\n" for n, label in rows)
    )
    (folder / "image_class_labels.txt").write_text("".join(f"{n} {label}\n" for n, label in rows))


def whole_cub200():
    """11,788 labels of 200 classes, 5,924 of them in the second hundred."""
    return [1 + i % 100 for i in range(11_788 - 5_924)] + [101 + i % 100 for i in range(5_924)]


@pytest.fixture
def strict(tmp_path):
    """Settings that check the counts."""
    return Settings(name="test", paths=checkout.PATHS | dict.fromkeys(paper.DATASETS, tmp_path))


def test_a_whole_dataset(strict, tmp_path):
    write_cub200(tmp_path, whole_cub200())
    assert len(readers.load_samples(strict, "CUB200", "test")) == 5_924
    assert {
        item.label for item in readers.load_samples(strict, "CUB200", "validation", fold=2)
    } == set(range(25, 50))


@pytest.mark.parametrize(
    "labels, message",
    [([1], "1 images listed, but CUB200 has 11788"),
     ([200 if label == 150 else label for label in whole_cub200()], "class 150 has no image"),
     ([101, *whole_cub200()[1:]], "5925 images of test classes, but CUB200 has 5924")],
)  # fmt: skip
def test_wrong_counts(strict, tmp_path, labels, message):
    write_cub200(tmp_path, labels)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        readers.load_samples(strict, "CUB200", "test")
    assert str(tmp_path) in str(error.value) and "--allow-partial" in str(error.value)


def test_part_of_a_dataset_if_asked_for(strict, tmp_path):
    write_cub200(tmp_path, [1, 101, 102, 103])
    for number, label in [(1, 1), (2, 101), (4, 103)]:
        file = tmp_path / "images" / f"{label:03}.Bird" / f"{number}.jpg"
        file.parent.mkdir(parents=True)
        file.touch()
    items = readers.load_samples(
        strict.model_copy(update={"allow_partial": True}), "CUB200", "test"
    )
    assert [item.label for item in items] == [100, 102]
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    forget()
    with pytest.raises(InputError, match="none of the 4 images of CUB200 exists"):
        readers.load_samples(strict.model_copy(update={"allow_partial": True}), "CUB200", "test")


def test_part_of_the_rendered_cars(strict, tmp_path):
    fake_data.make_cars(tmp_path, 6)
    (tmp_path / "images" / "4.png").unlink()
    items, table = readers.rendered_cars(strict.model_copy(update={"allow_partial": True}))
    assert [item.image_id for item in items] == ["1", "2", "3", "5", "6"] and list(table.index) == [
        1,
        2,
        3,
        5,
        6,
    ]


# ---------------------------------------------------------------------------------------------------------------------
# Archives and annotations as they are found.
# ---------------------------------------------------------------------------------------------------------------------
def test_a_folder_inside_the_folder(settings, tmp_path):
    inside = "downloads/CUB_200_2011"
    write_cub200(tmp_path / inside, [1, 101])
    (item,) = readers.load_samples(settings, "CUB200", "test")
    assert item.path == tmp_path / inside / "images" / "101.Bird" / "2.jpg"


def test_names_with_spaces_and_letters_of_any_language(settings, tmp_path):
    (tmp_path / "images.txt").write_text(
        "1 101.Bird/a b.jpg\n2 102.Vögel/Дрозд.jpg\n", encoding="utf-8"
    )
    (tmp_path / "image_class_labels.txt").write_text("1 101\n2 102\n")
    items = readers.load_samples(settings, "CUB200", "test")
    assert [item.image_id for item in items] == ["101.Bird/a b.jpg", "102.Vögel/Дрозд.jpg"]


@pytest.mark.parametrize("dataset, file", [("Cars196", "cars_train_annos.mat"), ("RenderedCars", "samples.csv")])  # fmt: skip
def test_missing_dataset(settings, dataset, file):
    with pytest.raises(InputError, match=f"{file}: missing"):
        readers.load_samples(settings, dataset, "test")


def test_rendered_cars(settings, tmp_path):
    fake_data.make_cars(tmp_path, 60)
    items, table = readers.rendered_cars(settings)
    assert [item.image_id for item in items] == [str(frame) for frame in range(1, 61)]
    assert list(table.columns) == [prop.name for prop in paper.PROPERTIES]
    codes = property_codes(table)
    same = table.sun_elevation.to_numpy()[:, None] == table.sun_elevation.to_numpy()
    np.testing.assert_array_equal(codes[:, 9, None] == codes[:, 9], same)
    labels = {
        item.image_id: item.label for item in readers.load_samples(settings, "RenderedCars", "test")
    }
    assert min(labels.values()) >= 24
    seen = table.loc[[int(i) for i in labels], "model"].unique()
    assert set(seen) <= {
        "Mercedes Benz 300sel",
        "Range Rover Evoque",
        "Tesla Model S",
    }  # the last three by name


def test_other_cars_declare_their_values(settings, tmp_path):
    """The classes, their split and Table 5 follow; the values of other properties stay Table 5's."""
    fake_data.make_cars(tmp_path, 60)
    lines = (tmp_path / "samples.csv").read_text().replace("Ferrari Enzo", "Bus").splitlines()
    rows = [line for line in lines if line.split(",")[1] in ("model", "Bus", "Tesla Model S")]
    (tmp_path / "samples.csv").write_text(
        "\n".join(rows)
    )  # without an end of line, as some programs leave it
    (tmp_path / "properties.csv").write_text(
        "property,values\nmodel,Tesla Model S|Bus\ncolor_hue,0|.1|0.2|0.3|0.4|0.5|0.6|0.7|0.8|0.9\n"
    )
    for path in (tmp_path / "images").iterdir():
        if path.stem not in {row.split(",")[0] for row in rows}:
            path.unlink()
    properties = readers.car_properties(settings)
    assert (
        properties[0].values == ("Tesla Model S", "Bus")
        and properties[1:2] + properties[3:] == paper.PROPERTIES[1:2] + paper.PROPERTIES[3:]
    )
    assert properties[2].values == paper.PROPERTIES[2].values
    split = readers.split_of(settings, "RenderedCars")
    assert split[2:] == (None, 8, 8, ((6, 8), (0, 2), (2, 4), (4, 6)))
    table = readers.rendered_cars(settings)[1]
    tested = readers.load_samples(settings, "RenderedCars", "test")
    assert {table.model[int(item.image_id)] for item in tested} == {"Tesla Model S"}
    assert [item.label for item in tested] == [
        8 + table.rotation_z[int(item.image_id)] // 45 for item in tested
    ]
    (table5,) = [entry for entry in ENTRIES if entry.name == "table5"]
    assert table5.make(settings, None, "table5").cells[0][0].text == "Tesla Model S, Bus"


def test_synthetic_cars(settings, tmp_path):
    """A class is a model, in the order in which properties.csv has them, whatever their names sort like."""
    fake_data.make_cars(tmp_path, 40)
    models = [f"Car {number}" for number in range(1, 21)]
    lines = (tmp_path / "samples.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    rows = [",".join([row[0], models[number % 20], *row[2:]]) for number, row in enumerate(rows)]
    (tmp_path / "samples.csv").write_text("\n".join([lines[0], *rows]))
    (tmp_path / "properties.csv").write_text(f"property,values\nmodel,{'|'.join(models)}\n")
    assert readers.split_of(settings, "SyntheticCars")[2:] == (
        None,
        10,
        10,
        ((7, 10), (0, 2), (2, 5), (5, 7)),
    )
    parts = [
        readers.load_samples(settings, "SyntheticCars", part, 0)
        for part in ("train", "validation", "test")
    ]
    labels = [[item.label for item in items] for items in parts]
    assert labels == [[*range(7)] * 2, [7, 8, 9] * 2, [*range(10, 20)] * 2]
    assert [item.image_id for item in parts[1]] == ["8", "9", "10", "28", "29", "30"]


def test_too_few_models_to_train_on(settings, tmp_path):
    fake_data.make_cars(tmp_path, 6)
    with pytest.raises(
        InputError,
        match="6 car models are too few to train and test on; add some, at least 16 are needed",
    ):
        readers.load_samples(trained_on(settings, "SyntheticCars"), "SyntheticCars", "test")
    assert {s.label for s in readers.load_samples(settings, "SyntheticCars", "test")} == {3, 4, 5}


@pytest.mark.parametrize("dataset", ["SyntheticCars", "RenderedCars"])
def test_rendered_cars_that_are_not_there(settings, dataset):
    with pytest.raises(MissingFile, match="samples.csv: missing; put the rendered cars there"):
        readers.split_of(settings, dataset)


def trained_on(settings, dataset):
    return settings.model_copy(update={"training": TrainingSettings(), "datasets": [dataset]})


def own(settings, folder):
    return settings.model_copy(
        update={"datasets": ["Mine"], "paths": settings.paths | {"Mine": folder}}
    )


def test_a_dataset_of_ones_own(settings, tmp_path):
    """A sub-folder is a class, by the order of their names; only images in them count."""
    fake_data.make_classes(tmp_path / "mine", classes=17, images=3)
    (tmp_path / "mine/README.txt").write_text("about it")
    (tmp_path / "mine/class00/about.txt").write_text("about it")
    (tmp_path / "mine/class00/.0.png").write_text("a shadow of macOS")
    (tmp_path / "mine/.cache").mkdir()
    for name in ("__MACOSX", "class08/@eaDir"):
        make_images(tmp_path / "mine" / name, ["0.png"])
    items = readers.load_samples(own(settings, tmp_path / "mine"), "Mine", "test")
    assert [item.label for item in items] == [label for label in range(8, 16) for _ in range(3)] + [
        16
    ] * 3
    assert items[0].image_id == "class08/0.png" and items[0].path == tmp_path / "mine/class08/0.png"
    validation = readers.load_samples(own(settings, tmp_path / "mine"), "Mine", "validation", 2)
    assert {item.label for item in validation} == {2, 3}


@pytest.mark.parametrize(
    "spoil, message",
    [(lambda folder: (folder / "another").mkdir(), "another: contains no image"),
     (lambda folder: [shutil.rmtree(each) for each in sorted(folder.iterdir())[3:]], "3 sub-folders, one for each class, are too few to test on"),
     (lambda folder: (folder / "class03/photo.HEIC").touch(), "photo.HEIC: images of this kind are not read; convert it"),
     (lambda folder: (folder / "class03/back").symlink_to(folder), "back: a link to a folder inside a class"),
     (lambda folder: (folder.rename(folder.with_name("x")), folder.symlink_to(folder)), "missing; a dataset of your own"),
     (shutil.rmtree, "missing; a dataset of your own is a folder with a sub-folder for each class")],
)  # fmt: skip
def test_broken_datasets_of_ones_own(settings, tmp_path, spoil, message):
    fake_data.make_classes(tmp_path / "mine", images=1)
    spoil(tmp_path / "mine")
    with pytest.raises(InputError, match=message):
        readers.load_samples(own(settings, tmp_path / "mine"), "Mine", "test")


def test_images_of_many_kinds_and_in_folders_of_a_class(settings, tmp_path):
    """.jfif and .tif are images, in sub-folders too; all are read."""
    fake_data.make_classes(tmp_path / "mine", classes=10, images=1)
    (tmp_path / "mine/class09/more").mkdir()
    names = ["a.jfif", "b.TIF", "c.ppm", "d.avif", "more/e.webp"]
    formats = ["JPEG", "TIFF", "PPM", "AVIF", "WEBP"]
    for name, kind in zip(names, formats):
        Image.new("RGB", (40, 30), "red").save(tmp_path / "mine/class09" / name, format=kind)
    samples = readers.load_samples(own(settings, tmp_path / "mine"), "Mine", "test")
    last = [sample for sample in samples if sample.label == 9]
    assert [sample.image_id for sample in last] == [f"class09/{name}" for name in ["0.png", *names]]
    assert all(open_image(sample.path).size in ((28, 32), (40, 30)) for sample in last)


def test_ten_classes_are_enough_unless_folds_are_trained(settings, tmp_path):
    """As of CIFAR-10, whose classes are in train/ and in test/."""
    for part, images in (("train", 3), ("test", 2)):
        fake_data.make_classes(tmp_path / "mine" / part, classes=10, images=images)
    settings = own(settings, tmp_path / "mine")
    samples = readers.load_samples(settings, "Mine", "test")
    assert [sample.label for sample in samples].count(7) == 5 and {s.label for s in samples} == set(range(5, 10))  # fmt: skip
    with pytest.raises(InputError, match="10 sub-folders, .* too few to train and test on; .* 16"):
        readers.load_samples(trained_on(settings, "Mine"), "Mine", "test")


def test_the_authors_archive_as_it_comes(settings, tmp_path):
    archive = tmp_path / "3D cars dataset"
    fake_data.make_cars(archive, 12)
    for path in (archive / "images").iterdir():
        path.rename(path.with_stem(path.stem.zfill(6)))
    items, table = readers.rendered_cars(settings)
    assert [item.image_id for item in items] == [str(frame) for frame in range(1, 13)]
    assert items[2].path == archive / "images" / "000003.png" and table.index[2] == 3


def test_evenly_spaced():
    assert readers.evenly_spaced(list(range(11)), 3) == [0, 5, 10]
    assert readers.evenly_spaced([1, 2], None) == readers.evenly_spaced([1, 2], 9) == [1, 2]


def test_network_input_is_bgr_less_the_mean():
    image = Image.new("RGB", (300, 400), (10, 20, 30))
    tensor = network_input(image)
    assert tensor.shape == (3, 227, 227)
    assert tensor[:, 100, 100].tolist() == [30 - 104, 20 - 117, 10 - 128]
    assert (
        black_input(network_input)[:, 0, 0].tolist() == [-104, -117, -128]
        and black_input(network_input).std(dim=(1, 2)).max() == 0
    )


@pytest.mark.parametrize("size", [(256, 256), (641, 333), (100, 131)])
def test_crop_is_that_of_torchvision(size):
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    )
    theirs = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(227)])(image)
    np.testing.assert_array_equal(np.asarray(cropped(image, BN_INCEPTION.crop)), np.asarray(theirs))


@pytest.mark.parametrize("mode", ["1", "LA", "P", "CMYK"])
def test_images_of_any_mode(tmp_path, mode):
    """As the Reality Check read them: converted to RGB, alpha dropped."""
    grey = Image.new("L", (40, 30), 255 if mode == "1" else 130)
    file = tmp_path / f"image.{'jpg' if mode in ('CMYK', 'YCbCr') else 'png'}"
    grey.convert(mode).save(file)
    opened = open_image(file)
    assert opened.mode == "RGB" and opened.size == (40, 30)
    assert np.abs(np.asarray(opened, dtype=int) - (255 if mode == "1" else 130)).max() <= 2


def test_exif_rotation_is_ignored_as_in_the_reality_check(tmp_path):
    image = Image.new("RGB", (40, 30))
    exif = image.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert open_image(tmp_path / "turned.jpg").size == (40, 30)


def test_unreadable_images(tmp_path):
    Image.new("RGB", (50, 50), (200, 10, 10)).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:400])
    (tmp_path / "text.jpg").write_text("no image")
    Image.fromarray(np.full((30, 40), 9000, np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.full((30, 40), 9000, np.uint16)).save(tmp_path / "deep.tif")
    (tmp_path / "deep.ppm").write_bytes(b"P6 2 2 65535 " + bytes(24))  # red, green and blue
    deep = [f"deep.{ending}: .*more than 8 bits" for ending in ("png", "tif", "ppm")]
    for name in ("half.jpg", "text.jpg", "absent.jpg", *deep):
        file = tmp_path / name.split(":")[0]
        with pytest.raises(InputError, match=name):
            open_image(file)
        if file.name != "half.jpg":  # as far as its beginning tells
            with pytest.raises(InputError, match=name):
                check_header(file)


def test_images_read_ahead_come_in_their_order(tmp_path):
    """More of them than are read ahead; a broken one is reported once it is its turn."""
    items = [readers.Sample(str(i), tmp_path / f"{i}.png", 0) for i in range(AHEAD + 5)]
    for i, item in enumerate(items[:-1]):
        Image.new("RGB", (256, 256), (0, 0, i)).save(item.path)
    inputs = network_inputs(items, network_input)
    for i in range(len(items) - 1):
        assert next(inputs)[0, 0, 0] == i - 104  # blue comes first
    with pytest.raises(InputError, match=f"{len(items) - 1}.png: missing"):
        next(inputs)
    assert list(network_inputs([], network_input)) == []
