"""Run the example notebook, so that its outputs are those of the present code.

Reads and writes examples/compare_two_networks.ipynb. Runtime: under a minute on two cores.
"""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from dml_analysis import checkout

NOTEBOOK = Path(checkout.ROOT) / "examples/compare_two_networks.ipynb"
TIMEOUT = 600  # seconds of a cell


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a notebook with new outputs; of its metadata, only what is the same everywhere."""
    folder = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources=folder, record_timing=False
    )
    # tqdm, which others import, asks for Jupyter's widgets
    environment = os.environ | {"PYTHONWARNINGS": "ignore:IProgress not found"}
    environment.pop("MPLBACKEND", None)  # or the notebook shows no pictures
    result = client.execute(env=environment)
    result.metadata["language_info"] = {"name": "python"}
    return result


if __name__ == "__main__":
    nbformat.write(executed(nbformat.read(NOTEBOOK, as_version=4)), NOTEBOOK)
