"""The start of a long script: its command line and its settings."""

from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

from dml_analysis import cluster
from dml_analysis.config import Settings, options_parser, settings_from
from dml_analysis.memory import keep_freed_memory


class Run(NamedTuple):
    """What the command line of a long script asks for."""

    settings: Settings
    options: Namespace
    script: str  # its file
    failed: dict[Path, str]  # the folder of a store -> why it cannot be made, of all loops so far

    @property
    def variants(self) -> list[Settings]:
        """The settings of every run that the settings describe: several where they have a `sweep`."""
        return self.settings.variants


def start(description: str, script: str) -> Run:
    """Read the command line and the settings of a long script, which has this description and is
    this file.

    Raises InputError if they are wrong, or a cluster is asked for where there is none.
    """
    keep_freed_memory()
    options = options_parser(description, long=True).parse_args()
    if options.executor == "slurm" and not options.dry_run:
        cluster.check()  # before inputs are looked at, which may take minutes
    return Run(settings_from(options), options, script, {})
