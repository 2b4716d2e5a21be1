"""What makes these two images alike? The pixels of both that move the distance between their embeddings, under some models.

Of any two images, given by their files, under the models of the settings or those that --models names. Writes
figures/<settings>/<protocol>/pair_<query>-<neighbour>.png, .pdf and .txt.
"""

from pathlib import Path

from dml_analysis.config import NARROWING, options_parser, settings_from
from dml_analysis.errors import InputError, run_script
from dml_analysis.memory import keep_freed_memory


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

    pair, networks = (
        explained_pairs.pair_of_files(options.query, options.neighbor),
        explained_pairs.networks_asked(settings),
    )
    if not networks:
        raise InputError(
            f"settings {settings.name!r}: no trained model that has maps; see --models"
        )
    good = set()
    for network in networks:
        network.check(good)
    load = loader(networks)
    found = [explained_pairs.maps_of_pair(each, load(each.path), pair, settings.protocols)
             for each in tqdm(networks, unit="network")]  # fmt: skip
    for protocol, maps in zip(settings.protocols, zip(*found)):
        cause_figures.draw_pair(settings, protocol, pair, networks, maps)


if __name__ == "__main__":
    run_script(main)
