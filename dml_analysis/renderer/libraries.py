"""System libraries that Blender needs, even without a display, and the packages that contain them.

Standard library alone. `python -m dml_analysis.renderer.libraries` checks whether Blender can be
imported. With --debian or --fedora it prints the packages to install.
"""

import ctypes
import re
import sys
from collections.abc import Callable, Sequence

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


def missing(loads: Callable[[str], bool] | None = None) -> list[str]:
    """Return the libraries of PACKAGES that are not installed.

    `loads` returns whether a library can be loaded; by default this system is tried.
    """
    return [name for name in PACKAGES if not (loads or _loads)(name)]


def _loads(name: str) -> bool:
    """Return whether this system can load a library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def advice(error: ImportError, absent: Sequence[str] | None = None) -> str | None:
    """Return, in one line, what to install after an ImportError of Blender.

    `absent` are the missing libraries; by default they are looked up. Return None if no system
    library is the reason.
    """
    match = re.search(r"(\S+\.so[.\d]*): cannot open shared object file", str(error))
    if not match:
        return None
    libraries = missing() if absent is None else absent
    names = [name for name in PACKAGES if name in (*libraries, match[1])]
    if not names:
        return f"Blender needs the system library {match[1]}: install the package that contains it"
    debian, fedora = (
        " ".join(PACKAGES[name][system] for name in names) for system in range(len(SYSTEMS))
    )
    return (
        f"Blender needs system libraries ({', '.join(names)}): "
        f"on Debian or Ubuntu, apt-get install {debian}; on Fedora, dnf install {fedora}"
    )


def _main(arguments: list[str]) -> None:
    """Print the packages of a system, or check whether Blender can be imported."""
    if arguments and arguments[0] in SYSTEMS:
        system = SYSTEMS.index(arguments[0])
        print(" ".join(packages[system] for packages in PACKAGES.values()))
        return
    try:
        import bpy  # noqa: F401
    except ImportError as error:
        sys.exit(f"error: {advice(error) or error}")


if __name__ == "__main__":
    _main(sys.argv[1:])
