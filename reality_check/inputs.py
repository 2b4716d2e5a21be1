"""Everything that a settings file needs before the long work can begin."""

from reality_check import checkpoints, datasets
from utils import InputError

FOUND, MISSING, TO_TRAIN = "found", "MISSING", "to train"


def checked(settings):
    """Yield (state, name of an input, what is wrong with it or "") for all inputs of the settings."""
    folds = {dataset: settings.map_folds for dataset in settings.datasets} | {
        settings.properties.networks: settings.folds
    }
    cells = [(loss, dataset, fold) for dataset in folds for loss in settings.losses for fold in folds[dataset]]
    for (loss, dataset, fold), error in checkpoints.network_errors(settings, cells):
        name = f"network {loss.name}, {dataset}, fold {fold}"
        yield _network_state(settings, loss, dataset, fold, error), name, str(error or "")
    for dataset in settings.datasets:
        yield _state(f"dataset {dataset}", _check_dataset, settings, dataset)
    yield _state("rendered cars", datasets.rendered_cars, settings.paths["RenderedCars"])


def _network_state(settings, loss, dataset, fold, error):
    if error is None:
        return FOUND
    try:
        checkpoints.checkpoint_files(settings, loss, dataset, fold)
    except InputError:
        return TO_TRAIN if settings.training else MISSING
    return MISSING  # there, but broken: training would not replace it


def _check_dataset(settings, dataset):
    datasets.check_images(datasets.load_items(settings, dataset, "test"))


def _state(name, check, *arguments):
    try:
        check(*arguments)
    except InputError as error:
        return MISSING, name, str(error)
    return FOUND, name, ""
