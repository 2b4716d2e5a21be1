"""Probe the features that the untrained trunk gives: how well does a linear classifier read each property off them?

What such a probe cannot read, no embedder trained on the frozen trunk can use; the demo's networks are such. Each image
is judged by a classifier that has not seen it (cross-validation). Reads the features that 2_embed_cars.py has kept with
"None"; writes results/<settings>/properties/linear_probe.csv and prints it.
"""

from dml_analysis.properties import linear_probe
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, linear_probe.stage, then=linear_probe.show)
