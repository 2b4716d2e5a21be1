"""Everything that a settings file needs before the first script can run."""

from reality_check import checkpoints, datasets
from utils import InputError


def checked(settings):
    """Yield (name of an input, None or what is wrong with it) for all inputs of the settings."""
    networks = {dataset: settings.map_folds for dataset in settings.datasets}
    networks[settings.properties.networks] = settings.folds
    for dataset, folds in networks.items():
        for loss in settings.losses:
            for fold in folds:
                name = f"network {loss.name}, {dataset}, fold {fold}"
                yield name, _error(checkpoints.check_networks, settings, [(loss, dataset, fold)])
    for dataset in settings.datasets:
        yield f"dataset {dataset}", _error(_check_dataset, settings, dataset)
    yield "rendered cars", _error(datasets.rendered_cars, settings.paths["RenderedCars"])


def _check_dataset(settings, dataset):
    datasets.check_images(datasets.load_items(settings, dataset, "test"))


def _error(check, *arguments):
    try:
        check(*arguments)
    except InputError as error:
        return str(error)
    return None
