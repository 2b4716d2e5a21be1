"""The command line of the numbered scripts: their options, and the settings that these ask for."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dml_analysis import cluster
from dml_analysis.checkout import ROOT
from dml_analysis.config import Settings, load_settings
from dml_analysis.errors import InputError
from dml_analysis.memory import keep_freed_memory
from dml_analysis.methods import find
from dml_analysis.paper import as_printed

NARROWING = ("models", "datasets", "folds")  # options that narrow the settings


class Run(NamedTuple):
    """What the command line of a long script asks for."""

    settings: Settings
    options: argparse.Namespace
    script: str  # its file
    failed: dict[Path, str]  # the folder of a store -> why it cannot be made, of all loops so far

    @property
    def variants(self) -> list[Settings]:
        """Return the settings of every run: several if the settings have a `sweep`."""
        return self.settings.variants


def start(description: str, script: str) -> Run:
    """Read the command line and the settings of a long script. script: its file.

    Raises InputError if they are wrong, or a cluster is requested where there is none.
    """
    keep_freed_memory()
    options = options_parser(description, long=True).parse_args()
    if options.executor == "slurm" and not options.dry_run:
        cluster.check()  # before inputs are looked at, which may take minutes
    return Run(settings_from(options), options, script, {})


def narrowed(
    settings: Settings,
    models: list[str] | None = None,
    datasets: list[str] | None = None,
    folds: list[int] | None = None,
) -> Settings:
    """Return the settings for some models, datasets or folds only.

    Raise InputError for a name that the settings do not have.
    """

    def chosen(wanted: list | None, offered: list, what: str) -> list:
        for name in wanted or ():
            if name not in offered:
                raise InputError(f"unknown {what} {name!r}; known: {', '.join(map(str, offered))}")
        return list(dict.fromkeys(wanted)) if wanted else offered

    names = dict.fromkeys(map(as_printed, models or ()))
    return settings.model_copy(
        update={
            "models": [find(name, settings.models) for name in names] or settings.models,
            "datasets": chosen(datasets, settings.datasets, "dataset"),
            "folds": chosen(folds, settings.folds, "fold"),
            "unnarrowed": settings.whole,
            "sweep": [
                each._replace(settings=narrowed(each.settings, models, datasets, folds))
                for each in settings.sweep
            ],
        }
    )


def options_parser(
    description: str | None, long: bool = False, sweeps: bool = False, narrowing: Iterable[str] = ()
) -> argparse.ArgumentParser:
    """Return the parser of the options that numbered scripts share.

    long: add the options of scripts that make results. sweeps: accept settings that describe
    several runs, as all long scripts do. narrowing: options of NARROWING; long scripts have them
    all, as their results add up. Tables, figures and statistics are about the complete settings.
    """
    narrowing = NARROWING if long else narrowing
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--settings", type=Path, default=ROOT / "settings" / "paper.yaml", metavar="FILE",
                        help="what to run and how (default: settings/paper.yaml)")  # fmt: skip
    if "models" in narrowing:
        parser.add_argument("--models", "--losses", nargs="+", metavar="MODEL",
                            help='only these models, e.g. --models Triplet "Margin / class"')  # fmt: skip
    if "datasets" in narrowing:
        parser.add_argument("--datasets", nargs="+", metavar="DATASET", help="only these datasets")
    if "folds" in narrowing:
        parser.add_argument(
            "--folds", nargs="+", type=int, metavar="FOLD", help="only these folds (0 to 3)"
        )
    parser.add_argument("--variant", metavar="RUN",
                        help="only this run of settings with a `sweep`, such as base/seed0")  # fmt: skip
    parser.add_argument("--allow-partial", action="store_true", help="use incomplete datasets")
    parser.set_defaults(sweeps=sweeps or long, **dict.fromkeys(NARROWING))
    if long:
        parser.add_argument("--dry-run", action="store_true",
                            help="print what is missing and how much disk it takes, then exit")  # fmt: skip
        parser.add_argument("--no-wait", action="store_true",
                            help="do not wait for chunks that other processes make; exit with status 3")  # fmt: skip
        parser.add_argument("--executor", choices=["local", "slurm"], default="local",
                            help="slurm: submit what is missing as a job array, see `cluster` in the settings and docs/cluster.md")  # fmt: skip
    return parser


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings that parsed options ask for."""
    settings = load_settings(options.settings)
    runs = {each.name.removeprefix(f"{settings.name}/"): each for each in settings.variants}
    if options.variant is not None and (not settings.sweep or options.variant not in runs):
        known = f"known: {', '.join(runs)}" if settings.sweep else "the settings have no `sweep`"
        raise InputError(f"--variant: {options.settings} has no run {options.variant!r}; {known}")
    if options.variant is not None:
        settings = runs[options.variant]
    if settings.sweep and not options.sweeps:
        raise InputError(
            f"{options.settings}: is a sweep, of which this script shows one run; name it with "
            f"--variant, such as --variant {next(iter(runs))}"
        )
    if options.allow_partial:
        partial = {"allow_partial": True}
        swept = [
            each._replace(settings=each.settings.model_copy(update=partial))
            for each in settings.sweep
        ]
        settings = settings.model_copy(update=partial | {"sweep": swept})
    return narrowed(settings, options.models, options.datasets, options.folds)
