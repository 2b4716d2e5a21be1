"""Measure the embedding space of every network, and of every validation step of the trainings.

Measures: retrieval (Recall@1, 2, 4, MAP@R, mAP, mAP@1000), clustering (NMI, F1), density (pi) and
spectral decay (rho), on training and on test images.

Reads: the networks' checkpoints, the images, and the embeddings that trainings have saved.
Writes: results/<settings>/embedding_space/embedding_space.csv and, if networks were trained here,
looks_<dataset>.csv, the measures at the validation steps.
Runtime: a forward pass of each image for each trunk.
"""

from dml_analysis.embedding_space import embedding_spaces as spaces
from dml_analysis.errors import Unfinished, run_script
from dml_analysis.networks.specifications import by_trunk, device_of, prepare
from dml_analysis.scripts import start
from dml_analysis.todo import todo
from dml_analysis.views import check_views


def main():
    run = start(__doc__, __file__)
    networks, space_files, steps, step_files = [], [], [], []
    for settings in run.variants:
        networks += [
            (
                (settings, samples),
                [spaces.store_of(network, part, samples, settings.seed) for network in group],
            )
            for dataset in settings.datasets
            for part, samples, part_networks in spaces.spaces_of(settings, dataset)
            for group in by_trunk(part_networks)
        ]
        space_files += spaces.space_views(settings)
        if spaces.saves_steps(settings):
            stores = [s for name in settings.datasets for s in spaces.step_stores(settings, name)]
            steps += [((settings, store.subject), [store]) for store in stores]
            step_files += spaces.step_views(settings)
    check_views(step_files)  # before the long work

    def check(missing):
        prepare((store.subject, each.subject[1]) for each in missing for store in each.in_stores())

    def device():
        return device_of(run.settings)

    for (settings, samples), chunk in todo(
        networks,
        "embedding spaces",
        run,
        space_files,
        units=lambda missing: len(missing.subject[1]),
        prepare=check,
        device=device,
        last=not step_files,
    ):
        batch_size = settings.properties.batch_size
        arrays = spaces.space_measures(
            chunk.stores, samples, batch_size, settings.seed, chunk.advance
        )
        chunk.save(*arrays)

    ready = [work for work in steps if work[0][1].embedded.is_complete()]
    if step_files:
        for (settings, step), chunk in todo(
            ready, "validation steps", run, step_files, unit="space", optional=True
        ):
            chunk.save(spaces.step_measures(step, settings.seed, chunk.advance))

    missing = [step for (_, step), _ in steps if not step.embedded.is_complete()]
    if missing:
        raise Unfinished(
            f"validation steps: no embeddings of {len(missing)} of them, the first is "
            f"{missing[0].embedded.folder}"
        )


if __name__ == "__main__":
    run_script(main)
