"""All that a numbered script does to make stages: its command line, its settings, its exit status."""

from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dml_analysis import cluster, provenance
from dml_analysis.config import Settings, options_parser, settings_from
from dml_analysis.errors import Unmeasured, run_script
from dml_analysis.memory import keep_freed_memory
from dml_analysis.stages import check_views, run


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
    """Read the command line and the settings of a long script, which has this description and is this file.

    Raises InputError if they are wrong, or a cluster is asked for where there is none.
    """
    keep_freed_memory()
    options = options_parser(description, long=True).parse_args()
    if options.executor == "slurm" and not options.dry_run:
        cluster.check()  # before inputs are looked at, which may take minutes
    return Run(settings_from(options), options, script, {})


def stage_script(description, script, *stages_of, then=None):
    """All that a numbered script does to make stages: its command line, its settings, its exit status.

    stages_of: functions of settings, called one after the other; then: one that is called with the settings in the end.
    """

    def main():
        settings, options, *_ = start(description, script)
        whole = _run_all(stages_of, settings, options, script)
        for variant in settings.variants if then and whole else ():
            then(variant)

    run_script(main)


def _run_all(stages_of, settings, options, script):
    """Run the stages of the settings. Returns whether all exists."""
    stages_of_all = [partial(_of_variants, stage_of, settings, script) for stage_of in stages_of]
    for stage_of in stages_of_all if len(stages_of) > 1 else ():
        check_views(stage_of())  # of all, before the first makes anything
    unmeasured = None
    for number, stage_of in enumerate(stages_of_all, 1):
        try:
            whole = run(stage_of(), settings, options, script, last=number == len(stages_of_all))
        except Unmeasured as error:
            unmeasured = unmeasured or error
    if unmeasured:
        raise unmeasured
    return whole


def _of_variants(stage_of, settings, script):
    """The stage of the settings; of a sweep those of all its runs in one, so that processes share them all."""
    stages = [stage_of(variant) for variant in settings.variants]
    return stages[0] if len(stages) == 1 else _joined(stages, settings.variants, script)


def _joined(stages, settings, script):
    """Stages of a kind, each with its settings, as one."""

    def keep():
        for stage, each in zip(stages, settings):
            stage.keep()
            provenance.record(each, script, stage.device())

    def check(todo):
        for stage in stages:
            if some := [
                (job, number) for job, number in todo if any(job is each for each in stage.jobs)
            ]:
                stage.check(some)

    lacking = [stage.lacking for stage in stages if stage.lacking]
    return stages[0]._replace(
        jobs=[job for stage in stages for job in stage.jobs], views=[view for stage in stages for view in stage.views],
        keep=keep, check=check, extra_bytes=sum(stage.extra_bytes for stage in stages), lacking="; ".join(lacking[:3]),
    )  # fmt: skip
