"""Explain any two images: the pixels of both that move the distance between their embeddings.

The models are those of the settings, or those that --models names.

Reads: both image files, the networks' checkpoints.
Writes: figures/<settings>/<protocol>/pair_<query>-<neighbour>.png, .pdf and .txt.
Runtime: two saliency maps for each network.
"""

from pathlib import Path

from dml_analysis.errors import InputError, run_script
from dml_analysis.memory import keep_freed_memory
from dml_analysis.scripts import NARROWING, options_parser, settings_from


def main():
    keep_freed_memory()
    parser = options_parser(__doc__, narrowing=NARROWING)
    parser.add_argument("query", type=Path, help="an image file")
    parser.add_argument("neighbor", type=Path, help="another one")
    options = parser.parse_args()
    settings = settings_from(options)
    from tqdm import tqdm

    from dml_analysis.causes import cause_figures, explained_pairs
    from dml_analysis.networks.specifications import loader

    pair = explained_pairs.pair_of_files(options.query, options.neighbor)
    networks = explained_pairs.explaining_networks(settings)
    if not networks:
        raise InputError(
            f"settings {settings.name!r}: no trained model that has maps; see --models"
        )
    checked_trunks = set()
    for network in networks:
        network.check(checked_trunks)
    load, protocols, maps = loader(networks), settings.protocols, []
    for network in tqdm(networks, unit="network"):
        ready = load(network.path)
        maps.append(
            explained_pairs.pair_maps(
                network, ready, pair, protocols, settings.saliency, settings.seed
            )
        )
    for protocol, protocol_maps in zip(protocols, zip(*maps)):
        cause_figures.draw_pair(settings, protocol, pair, networks, protocol_maps)


if __name__ == "__main__":
    run_script(main)
