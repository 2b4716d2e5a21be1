"""From networks and images to saliency maps on disk."""

import torch
from tqdm import tqdm

import utils
from reality_check import checkpoints
from reality_check.checkpoint_files import note_made_with
from reality_check.distances import distance_function
from reality_check.images import open_image
from reality_check.network import device_of
from reality_check.transforms import black_input, network_input
from saliency import map_files
from saliency.smoothgrad import smoothgrad


NOTE = -1  # in the place of a block's number: the claim to the note of what the maps are made with


def compute(settings, todo, script):
    """Compute and write the missing maps; todo is a list of (loss, dataset, fold, [(block number, items), ...])."""
    checkpoints.check_networks(settings, [cell[:3] for cell in todo])
    device = device_of(settings)
    utils.record_run(settings, script, str(device))
    total = sum(len(items) for *_, blocks in todo for _, items in blocks)
    with tqdm(total=total, desc="saliency maps", unit="map", smoothing=0.05) as bar:
        for *cell, blocks in todo:
            compute_cell(settings, cell, blocks, device, bar)


def compute_cell(settings, cell, blocks, device, bar):
    """The blocks of one network's maps, but for those that another process is at."""
    loss, dataset, fold = cell
    folder = utils.maps_folder(settings, dataset, fold, loss)
    claims = utils.Claims(folder)
    with claims.held(1 + NOTE):
        if not map_files.has_maps(folder):
            note_made_with(map_files.note_file(folder), settings, *cell)
    network = checkpoints.load_network(settings, *cell, device)
    base = base_embedding(network, device)
    for number, items in blocks:
        file = map_files.block_file(folder, number)
        if not claims.take(1 + number):
            bar.update(len(items))
            continue
        if file.is_file():  # another process has written it meanwhile
            bar.update(len(items))
        else:
            maps = []
            for item in items:
                maps.append(image_map(settings, network, base, *cell, item))
                bar.update()
            map_files.write_block(file, maps, [item.image_id for item in items])
        claims.give(1 + number)


@torch.no_grad()
def base_embedding(network, device):
    """Embedding (1, d) of the black image."""
    return network(black_input()[None].to(device, memory_format=torch.channels_last))


def image_map(settings, network, base, loss, dataset, fold, item):
    """The saliency map (H, W) of one image under one network, by the settings' protocol."""
    options = settings.saliency
    return smoothgrad(
        network,
        network_input(open_image(item.path)),
        base,
        distance_function(loss.distance),
        settings.protocol,
        options.noise_samples,
        options.noise_sigma,
        # Noise of its own for every network and image: shared noise would make any two networks look more alike.
        utils.derived_seed(settings.seed, "saliency noise", loss.name, dataset, fold, item.image_id),
        options.batch_size,
    )
