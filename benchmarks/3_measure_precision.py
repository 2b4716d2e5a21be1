"""What the networks' precision does to the numbers: saliency maps and tables in float32, beside tf32 and bf16.

For some networks and images of a settings file it prints, and writes to benchmarks/precision.csv, the correlation of each
map with the float32 map of the same noise; the mean correlation between networks, which Tables 2-4 show; and the
NR-Precision of rendered cars, which Table 6 shows. tf32 is left out where there is no NVIDIA GPU. The default settings
need `make demo` first. A processor without bfloat16 instructions takes many times as long for bf16.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings.reader import options_parser, settings_from


def main():
    parser = options_parser(__doc__)
    parser.set_defaults(settings=utils.ROOT / "settings" / "demo.yaml")
    parser.add_argument("--images", type=int, default=2, help="for saliency maps [%(default)s]")
    parser.add_argument("--cars", type=int, default=200, help="for NR-Precision [%(default)s]")
    options = parser.parse_args()
    from benchmarks import precision

    precision.measure(settings_from(options), options.images, options.cars, utils.ROOT / "benchmarks" / "precision.csv")


if __name__ == "__main__":
    utils.run_script(main)
