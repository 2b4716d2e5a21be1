"""What does a change of one property do? How far embeddings move when it changes and nothing else, and what maps say of it.

Needs scenes: data/2_render_cars.py --counterfactuals (data/README.md).
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from causes import move
from reality_check.stage_scripts import stage_script

if __name__ == "__main__":
    stage_script(__doc__, __file__, move.embeddings_stage, move.maps_stage, then=move.write_ranks)
