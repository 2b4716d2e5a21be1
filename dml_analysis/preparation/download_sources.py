"""What is known of the downloads: their names, checksums and addresses, and where to look for those without one."""

import re
from fnmatch import fnmatchcase
from typing import NamedTuple


class File(NamedTuple):
    name: str
    md5: str = ""
    sha256: str = ""  # or its beginning
    address: str = ""
    place: str = ""  # in the dataset's folder, if the file is no archive


class Source(NamedTuple):
    look: str  # where to look for what has no address, or whose address is dead
    files: tuple = ()
    # The folders (patterns) in an archive that belong to it. Without: the folder that datasets.py knows a dataset by.
    folders: tuple = ()

    def known(self, name):
        """The file of that name, also of one that a browser has numbered ("cars_annos (1).mat"); None if unknown."""
        name = re.sub(r" ?\(\d+\)(?=\.|$)", "", name)
        return next((file for file in self.files if file.name == name), None)

    def takes(self, folder):
        return any(fnmatchcase(folder, pattern) for pattern in self.folders)

    @property
    def addresses(self):
        return [file.address for file in self.files if file.address]


# The devkit has no checksum here: the copies that are left need not be the file of its first host.
SOURCES = {
    "Cars196": Source(
        "the images are on Kaggle (jessicali9530/stanford-cars-dataset), cars_test_annos_withlabels.mat is linked from "
        "https://github.com/pytorch/vision/issues/7545#issuecomment-1631441616",
        (
            File("car_ims.tgz", md5="d5c8f0aa497503f355e17dc7886c3f14"),
            File("cars_train.tgz", md5="065e5b463ae28d29e77c1b4b166cfe61"),
            File("cars_test.tgz", md5="4ce7ebf6a94d07f1952d94dd34c4d501"),
            File("cars_annos.mat", md5="b407c6086d669747186bd1d764ff9dbc", place="cars_annos.mat"),
            File("car_devkit.tgz", address="https://github.com/pytorch/vision/files/11644847/car_devkit.tgz"),
            *(File(f"cars_{name}.mat", place=f"devkit/cars_{name}.mat")
              for name in ("train_annos", "test_annos", "test_annos_withlabels", "meta")),
        ),
        folders=("car_ims", "cars_train", "cars_test", "devkit"),
    ),
    "CUB200": Source(
        "https://data.caltech.edu/records/65de6-vp158",
        (File("CUB_200_2011.tgz", md5="97eceeb196236b17998738112f37df78",
              address="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"),),
    ),
    "SOP": Source(
        "https://cvgl.stanford.edu/projects/lifted_struct",
        (File("Stanford_Online_Products.zip", md5="7f73d41a2f44250d4779881525aea32e",
              address="ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip"),),
    ),
    "RenderedCars": Source(
        'the README in the folder 3D_cars of https://github.com/konstantinkobs/DML-analysis links "3D cars dataset.zip"'
    ),
    "models": Source(
        "https://github.com/KevinMusgrave/powerful-benchmarker/tree/metric-learning links the folders on Google Drive",
        folders=("*_reproduction0",),
    ),
    "imagenet_trunk": Source(
        "search for the name bn_inception-52deb4733.pth, copies are around",
        (File("bn_inception-52deb4733.pth", sha256="52deb4733",
              address="http://data.lip6.fr/cadene/pretrainedmodels/bn_inception-52deb4733.pth"),),
    ),
}  # fmt: skip
