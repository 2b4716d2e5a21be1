"""Measure the embedding space of every network, on its training images and on test images, and of every look at a training.

Writes results/<settings>/embedding_space/embedding_space.csv and, where networks were trained here, looks_<dataset>.csv:
retrieval (Recall@1, 2, 4, MAP@R, mAP, mAP@1000), clustering (NMI, F1), density (pi) and spectral decay (rho). A run that was
stopped goes on where it was; several processes may share the work.
"""

from dml_analysis.embedding_space import embedding_spaces
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, embedding_spaces.stage, embedding_spaces.looks_stage)
