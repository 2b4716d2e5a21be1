"""Embed the rendered cars with every network trained on the settings' `properties: networks` dataset.

Keeps the embeddings, not normalised, in results/<settings>/properties/embeddings/<dataset>/fold<k>/<model>, and the
features of the untrained trunk of "None" in properties/features. Networks that share a trunk file share its forward pass.
A run that was stopped goes on where it was; several processes may share the work.
"""

from dml_analysis.properties import car_embeddings
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, car_embeddings.stage)
