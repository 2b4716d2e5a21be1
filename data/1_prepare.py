"""Put downloaded archives of datasets and checkpoints in place, and list what is missing.

Reads: the archives in the folder `downloads` of the paths (utils.py); docs/inputs.md lists them.
Writes: the folders of datasets and checkpoints; existing ones are never overwritten.
Runtime: some minutes for each archive.
"""

import argparse
import os
from pathlib import Path

from dml_analysis import checkout
from dml_analysis.config import BN_INCEPTION, load_settings
from dml_analysis.datasets import readers
from dml_analysis.errors import InputError, Unfinished, run_script
from dml_analysis.preparation import LAYOUTS, put_in_place

SHOWN = 5  # lines about what is missing of one name


def _options():
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"put only these in place, of {', '.join(LAYOUTS)}"
    )
    parser.add_argument("--settings", type=Path, default=checkout.ROOT / "settings" / "paper.yaml", metavar="FILE",
                        help="read the paths from this settings file [settings/paper.yaml]")  # fmt: skip
    options = parser.parse_args()
    for name in options.names:
        if name not in LAYOUTS:
            raise InputError(f"unknown name {name!r}; known: {', '.join(LAYOUTS)}")
    return options


def main():
    options = _options()
    settings = load_settings(options.settings)
    downloads, incomplete = settings.paths["downloads"], []
    if os.path.lexists(downloads) and not downloads.is_dir():
        raise InputError(
            f"{downloads}: not a folder; move it away, or set another path for downloads"
        )
    for name in options.names or LAYOUTS:
        if name == "imagenet_trunk" and settings.trunk != BN_INCEPTION:
            print(f"{name}: not looked for, as the trunk of these settings is {settings.trunk}")
            continue
        base, missing = readers.found(settings.paths[name], name), []
        counts = [sum(each.is_placed(base) or any(downloads.glob(each.file)) for each in layout)
                  for layout in LAYOUTS[name]]  # fmt: skip
        for archive in LAYOUTS[name][counts.index(max(counts))]:
            if archive.is_placed(base):
                continue
            target, checksum = base / archive.place, archive.checksum or "no checksum is published"
            if files := sorted(downloads.glob(archive.file)):
                put_in_place(archive, files, base)
                print(f"{name}: {target} is from {files[0]} ({checksum})", flush=True)
            else:
                missing.append(
                    f"{target} is missing: {archive.file} ({checksum}); where to look: {archive.look}"
                )
        rest = [f"{len(missing)} are missing in all"] if len(missing) > SHOWN else []
        for line in [*missing[:SHOWN], *rest] or ["in place"]:
            print(f"{name}: {line}")
        incomplete += [name] if missing else []
    if incomplete:
        raise Unfinished(
            f"{', '.join(incomplete)}: put what is missing into {downloads} and run this again"
        )


if __name__ == "__main__":
    run_script(main)
