"""Put downloaded archives of datasets and checkpoints where they belong, and check what exists.

  1_prepare.py NAME FILE_OR_ADDRESS ...   these archives or files, fetched first if they are http or ftp addresses
  1_prepare.py --download NAME            what has an address that is known
  1_prepare.py NAME                       what is in place already: checks it and lists it in a manifest
  1_prepare.py --verify [NAME ...]        compares what is in place with its manifest, by size and sha256

NAME is one of {names}.
Where things belong is said by the paths in utils.py or in the settings file. A part of a dataset is put in place as
well, and what is still missing is printed.
"""

import argparse
from pathlib import Path

from dml_analysis import checkout
from dml_analysis.config import load_settings
from dml_analysis.errors import InputError, run_script
from dml_analysis.preparation.download_sources import SOURCES


def _options():
    parser = argparse.ArgumentParser(
        usage="%(prog)s [--settings FILE] [--download | --verify] [NAME] [FILE_OR_ADDRESS ...]",
        description=(__doc__ or "").format(names=", ".join(SOURCES)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("given", nargs="*", metavar="NAME, FILE_OR_ADDRESS", help="what, and from where")
    parser.add_argument("--settings", type=Path, default=checkout.ROOT / "settings" / "paper.yaml", metavar="FILE",
                        help="whose paths say where things belong (default: settings/paper.yaml)")  # fmt: skip
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--download", action="store_true", help="fetch what of NAME has a known address")
    modes.add_argument(
        "--verify", action="store_true", help="compare with the manifests; of all NAMEs if none is given"
    )
    options = parser.parse_intermixed_args()
    names = options.given if options.verify else options.given[:1]
    for name in names:
        if name not in SOURCES:
            raise InputError(f"unknown name {name!r}; known: {', '.join(SOURCES)}")
    if not names and not options.verify:
        parser.error("give a NAME")
    if options.download and len(options.given) > 1:
        parser.error("--download takes a NAME and nothing else")
    return options


def main():
    options = _options()
    settings = load_settings(options.settings)
    from dml_analysis.preparation import placing  # here, so that --help need not wait for pandas

    if options.verify:
        placing.verify(settings, options.given)
    elif options.download:
        placing.fetch_and_prepare(settings, options.given[0])
    else:
        placing.prepare(settings, options.given[0], options.given[1:])


if __name__ == "__main__":
    run_script(main)
