"""What does a change of one property do? How far embeddings move when it changes and nothing else, and what maps say of it.

Needs scenes: data/2_render_cars.py --counterfactuals (data/README.md).
"""

from dml_analysis.causes import embedding_shifts
from dml_analysis.scripts import stage_script

if __name__ == "__main__":
    stage_script(
        __doc__,
        __file__,
        embedding_shifts.embeddings_stage,
        embedding_shifts.maps_stage,
        then=embedding_shifts.write_ranks,
    )
