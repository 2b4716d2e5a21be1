"""From networks and images to saliency maps on disk."""

import time
from functools import lru_cache

import torch
from tqdm import tqdm

import safe_files
import utils
from reality_check import checkpoints, datasets
from reality_check.checkpoint_files import note_made_with
from reality_check.distances import distance_function
from reality_check.images import check_header
from reality_check.network import device_of
from reality_check.transforms import black_input, network_inputs
from saliency import compare_maps, map_files, map_plan
from saliency.smoothgrad import smoothgrad
from settings import run_record

NOTE = -1  # in the place of a block's number: the claim to the note of what the maps are made with


def compute(settings, items, todo, script):
    """Compute and write the blocks of todo, for the items of each dataset (name -> list); see map_plan.missing.

    Where maps are not kept, compare them as well, and delete them.
    """
    device = device_of(settings)
    checkpoints.check_networks(settings, map_plan.cells(todo))
    for dataset in dict.fromkeys(block.dataset for block in todo):
        datasets.check_images(items[dataset], check_header)
    run_record.note(settings, script, str(device))
    with tqdm(total=sum(len(block.items) for block in todo), desc="saliency maps", unit="map", smoothing=0.05) as bar:
        if settings.saliency.keep_maps:
            network_of = loader(settings, items, device, remembered=1)
            for block in todo:
                compute_block(settings, network_of, block, bar)
        else:
            network_of = loader(settings, items, device, remembered=len(settings.losses))
            for part in map_plan.uncompared(settings, items):
                compute_and_compare(settings, items, network_of, part, bar)


def compute_block(settings, network_of, block, bar, wait=False):
    """The maps of a block, unless they are there or, but for `wait`, another process is at them."""
    file = map_plan.block_file(settings, block)
    if not file.is_file():
        network, base = network_of(*block.cell)
        claims = safe_files.Claims(file.parent)
        if claims.take(1 + block.number, wait) and not file.is_file():
            maps = []
            for item, image in zip(block.items, network_inputs(block.items)):
                maps.append(image_map(settings, network, base, *block.cell, item.image_id, image))
                bar.update()
            map_files.write_block(file, maps, [item.image_id for item in block.items])
            return
    bar.update(len(block.items))


def compute_and_compare(settings, items, network_of, part, bar):
    """The maps of all networks for the same images, their comparison, and then away with the maps."""
    dataset, fold, number, some = part
    compared = utils.similarity_folder(settings, dataset, fold)
    claims = safe_files.Claims(compared)
    sources = compare_maps.network_sources(settings, dataset, fold, settings.losses)
    if not claims.take(1 + number) or compare_maps.covers(map_files.block_file(compared, number), sources):
        return  # another process is at it, or has done it meanwhile
    for loss in settings.losses:
        compute_block(settings, network_of, map_plan.Block(loss, dataset, fold, number, some), bar, wait=True)
    compare_maps.compare_block(settings, dataset, fold, number)
    map_plan.discard(settings, items, dataset, fold, number)


def loader(settings, items, device, remembered):
    """A function from (loss, dataset, fold) to (network, its embedding of the black image) that remembers a few.

    Before the first maps of a network are made, it notes by what.
    """
    losses = {loss.name: loss for loss in settings.losses}

    @lru_cache(maxsize=remembered)
    def load(name, dataset, fold):
        cell = losses[name], dataset, fold
        folder = utils.maps_folder(settings, dataset, fold, losses[name])
        note = map_files.note_file(folder)
        with safe_files.Claims(folder).held(1 + NOTE):
            if not (note.is_file() and map_plan.is_begun(settings, *cell)):
                note_made_with(note, settings, *cell, items[dataset])
        network = checkpoints.load_network(settings, *cell, device)
        return network, base_embedding(network, device)

    return lambda loss, dataset, fold: load(loss.name, dataset, fold)


@torch.no_grad()
def base_embedding(network, device):
    """Embedding (1, d) of the black image."""
    return network(black_input()[None].to(device, memory_format=torch.channels_last))


def image_map(settings, network, base, loss, dataset, fold, image_id, image):
    """The saliency map (H, W) of a transformed image (C, H, W) under one network, by the settings' protocol."""
    options = settings.saliency
    return smoothgrad(
        network,
        image,
        base,
        distance_function(loss.distance),
        settings.protocol,
        options.noise_samples,
        options.noise_sigma,
        # Noise of its own for every network and image: shared noise would make any two networks look more alike.
        utils.derived_seed(settings.seed, "saliency noise", loss.name, dataset, fold, image_id),
        options.batch_size,
    )


def timed(settings, block):
    """(seconds that one map of the block takes, on which device)."""
    device = device_of(settings)
    network = checkpoints.load_network(settings, *block.cell, device)
    base = base_embedding(network, device)
    for _ in range(2):  # the first is slower
        begin = time.perf_counter()
        for image in network_inputs(block.items[:1]):
            image_map(settings, network, base, *block.cell, block.items[0].image_id, image)
    return time.perf_counter() - begin, str(device)
