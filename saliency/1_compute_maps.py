"""Compute the saliency maps of every network on its dataset's test images.

Keeps them in results/<settings>/<protocol>/saliency/maps/<dataset>/fold<k>/<model>. Where the settings have several
protocols, the gradients are computed once for all. Protocol "released" needs fold 0 only, so only its maps are computed.
With `keep_maps: false` the maps of all models are compared as soon as a part of the images has them (as 2_compare_maps.py
does) and deleted, but for those that Figure 2 shows. A run that was stopped goes on where it was; several processes may
share the work.
"""

from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.scripts import stage_script


def stage(settings):
    return (
        saliency_maps.stage if settings.saliency.keep_maps else map_comparisons.stage_without_maps
    )(settings)


if __name__ == "__main__":
    stage_script(__doc__, __file__, stage)
