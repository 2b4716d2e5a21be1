"""Explain pairs: maps of the distance between a query and its wrong nearest car, for both pictures.

Reads: the embeddings that properties/2_embed_cars.py has saved, the networks' checkpoints, the
rendered cars.
Writes: results/<settings>/<protocol>/causes/pairs/<dataset>/<fold>/<model>.
Runtime: two saliency maps for each of `causes: pairs` pairs and `pair_models` models.
"""

from dml_analysis.causes import explained_pairs
from dml_analysis.errors import InputError, run_script
from dml_analysis.networks.specifications import device_of, loader, prepare
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work = []
    for settings in run.variants:
        networks = explained_pairs.explaining_networks(settings)
        pairs = explained_pairs.chosen_pairs(settings)
        if networks and not pairs:
            raise InputError(
                f"settings {settings.name!r}: no network retrieves a wrong car, so there is no "
                "pair to explain"
            )
        load = loader(networks)
        for network in networks:
            stores = [
                explained_pairs.store_of(settings, network, protocol, pairs)
                for protocol in settings.protocols
            ]
            work.append(((settings, network, pairs, load), stores))

    def check(missing):
        shown = ((each.subject[1], each.subject[2]) for each in missing)
        prepare((network, explained_pairs.images_of(pairs)) for network, pairs in shown)

    def device():
        return device_of(run.settings)

    for (settings, network, pairs, load), chunk in todo(
        work, "explained pairs", run, unit="pair", prepare=check, device=device
    ):
        ready, protocols = load(network.path), [store.subject.protocol for store in chunk.stores]
        options, seed, maps = settings.saliency, settings.seed, []
        for pair in pairs:
            maps.append(explained_pairs.pair_maps(network, ready, pair, protocols, options, seed))
            chunk.advance(1)
        chunk.save(*({"maps": list(protocol_maps)} for protocol_maps in zip(*maps)))


if __name__ == "__main__":
    run_script(main)
