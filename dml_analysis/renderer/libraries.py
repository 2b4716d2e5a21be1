"""What Blender asks of the system, even without a display, and which packages have it. Standard library alone.

`python -m dml_analysis.renderer.libraries` says whether Blender can be imported; with --debian or --fedora, the packages to install.
"""

import ctypes
import re
import sys

PACKAGES = {  # library -> its package in Debian and Ubuntu, and in Fedora
    "libX11.so.6": ("libx11-6", "libX11"),
    "libXrender.so.1": ("libxrender1", "libXrender"),
    "libXfixes.so.3": ("libxfixes3", "libXfixes"),
    "libXi.so.6": ("libxi6", "libXi"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon"),
    "libSM.so.6": ("libsm6", "libSM"),
    "libICE.so.6": ("libice6", "libICE"),
    "libGL.so.1": ("libgl1", "libglvnd-glx"),
}
SYSTEMS = ("--debian", "--fedora")


def missing(loads=None):
    """The libraries of PACKAGES that the system lacks. loads: whether it has one, by its name."""
    return [name for name in PACKAGES if not (loads or _loads)(name)]


def _loads(name):
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def advice(error, lacking=None):
    """What to do about an ImportError of Blender's, in one line; None if no library of the system is the reason.

    lacking: the libraries that the system lacks; looked up if None.
    """
    named = re.search(r"(\S+\.so[.\d]*): cannot open shared object file", str(error))
    if not named:
        return None
    lacking = missing() if lacking is None else lacking
    known = [name for name in PACKAGES if name in (*lacking, named[1])]
    if not known:
        return f"Blender needs a library of the system, {named[1]}: install the package that has it"
    debian, fedora = (" ".join(PACKAGES[name][system] for name in known) for system in range(len(SYSTEMS)))
    return (
        f"Blender needs libraries of the system ({', '.join(known)}): "
        f"on Debian or Ubuntu, apt-get install {debian}; on Fedora, dnf install {fedora}"
    )


def _main(arguments):
    if arguments and arguments[0] in SYSTEMS:
        print(" ".join(packages[SYSTEMS.index(arguments[0])] for packages in PACKAGES.values()))
        return
    try:
        import bpy  # noqa: F401
    except ImportError as error:
        sys.exit(f"error: {advice(error) or error}")


if __name__ == "__main__":
    _main(sys.argv[1:])
