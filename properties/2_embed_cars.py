"""Embed the rendered cars with every network trained on the settings' `properties: networks` dataset.

Keeps the embeddings, not normalised, in results/<settings>/properties/embeddings/<dataset>/fold<k>/<model>, and the
features of the untrained trunk of "None" in properties/features. Networks that share a trunk file share its forward pass.
A run that was stopped goes on where it was; several processes may share the work. --dry-run tells how much there is to do
and times some images, without writing anything.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common import shelf
from common.errors import run_script
from common.settings import options_parser, settings_from


def main():
    options = options_parser(__doc__, long=True).parse_args()
    settings = settings_from(options)
    from properties import embeddings

    shelf.run(embeddings.stage(settings), settings, options, __file__)


if __name__ == "__main__":
    run_script(main)
