"""Where your files are. Edit these paths, or override them for one run in the `paths:` block of a settings file."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
PATHS = {
    "models": ROOT
    / "reality_check"
    / "models",  # the *_reproduction0 folders of the Metric Learning Reality Check
    "imagenet_trunk": ROOT
    / "reality_check"
    / "models"
    / "bn_inception-52deb4733.pth",  # only for "None"
    "Cars196": ROOT / "data" / "Cars196",
    "CUB200": ROOT / "data" / "CUB_200_2011",
    "SOP": ROOT / "data" / "Stanford_Online_Products",
    "SyntheticCars": ROOT
    / "data"
    / "synthetic_cars",  # images/, samples.csv and properties.csv; data/2_render_cars.py
    "RenderedCars": ROOT / "data" / "rendered_cars",  # images/ and samples.csv
    "CounterfactualCars": ROOT / "data" / "counterfactual_cars",  # counterfactual sets of such cars
    "downloads": ROOT / "data" / "downloads",  # the archives that data/1_prepare.py puts in place
    "results": ROOT / "results",  # every settings file gets a folder of its own in here ...
    "figures": ROOT / "figures",  # ... and in here
}
