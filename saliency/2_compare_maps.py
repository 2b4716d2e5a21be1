"""Compare the saliency maps of all pairs of models on the same images, by correlation and JSD.

Reads: the maps that 1_compute_maps.py has saved.
Writes: results/<settings>/<protocol>/saliency/comparisons, the values of every image, and
pairs_<dataset>.csv, their means. Models without complete maps are left out and named, and the
exit status is 3.
Runtime: a few milliseconds for each image and pair.
"""

from dml_analysis.errors import InputError, Unfinished, run_script
from dml_analysis.saliency import map_comparisons
from dml_analysis.saliency.map_comparisons import compared, comparisons_of
from dml_analysis.saliency.saliency_maps import networks_with_maps
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, files, without = [], [], []
    for settings in run.variants:
        networks_with_maps(settings, settings.datasets)  # raises InputError if there are none
        names = [model.name for model in settings.models if not model.embeddings]
        missing, any_available = [], False
        for comparison in comparisons_of(settings):
            available = [name for name, maps in comparison.maps.items() if maps.is_complete()]
            any_available |= bool(available)
            missing += comparison.models_without(names, available)
            if available or comparison.store_of(()).is_complete():
                work.append(((comparison, available), [comparison.store_of(available)]))
        if missing and not any_available:
            folder = settings.results / settings.protocols[0].name / "saliency" / "maps"
            raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
        without += missing
        files += map_comparisons.views(settings)

    for (comparison, names), chunk in todo(work, "comparisons", run, files):
        maps = [comparison.maps[name].load(chunk.number)["maps"] for name in names]
        chunk.save(compared(comparison, names, maps, chunk.rows))

    for settings in run.variants:
        map_comparisons.report_constant_maps(settings)
    if without:
        raise Unfinished(
            f"the maps of {', '.join(dict.fromkeys(without))} are not complete; "
            "run saliency/1_compute_maps.py"
        )


if __name__ == "__main__":
    run_script(main)
