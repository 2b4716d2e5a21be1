"""Compare the saliency maps of all pairs of models on the same images, by correlation and Jensen-Shannon divergence.

Keeps the values of every image in results/<settings>/<protocol>/saliency/comparisons, and writes their means to
pairs_<dataset>.csv. Models whose maps are not whole are left out and named, and the exit status is 3. A run that was
stopped goes on where it was; several processes may share the work.
"""

from dml_analysis.saliency import map_comparisons
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, map_comparisons.stage)
