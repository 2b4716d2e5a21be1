"""What the networks' precision does to the numbers: saliency maps and tables in float32, tf32 and
bf16.

For some networks and images of a settings file it prints, and writes as CSV, the correlation of
each map with the float32 map of the same noise; the mean correlation between networks, which Tables
2-4 show; and the NR-Precision of rendered cars, which Table 6 shows. tf32 is left out where there
is no NVIDIA GPU. The default settings need `make demo` first. A processor without bfloat16
instructions takes many times as long for bf16.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from dml_analysis import checkout
from dml_analysis.config import NARROWING, options_parser, settings_from
from dml_analysis.errors import check_range, run_script
from dml_analysis.memory import keep_freed_memory

OUTPUT = checkout.ROOT / "benchmarks" / "precision.csv"


def main():
    keep_freed_memory()
    parser = options_parser(__doc__, narrowing=NARROWING)
    parser.set_defaults(settings=checkout.ROOT / "settings" / "demo.yaml")
    parser.add_argument("--images", type=int, default=2, help="for saliency maps [%(default)s]")
    parser.add_argument(
        "--samples", type=int, help="noisy, of each image [as in the settings: 12 in the demo's]"
    )
    parser.add_argument("--cars", type=int, default=200, help="for NR-Precision [%(default)s]")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="[%(default)s]")
    options = parser.parse_args()
    check_range(options, images=10**6, samples=10**4, cars=10**6)
    settings = settings_from(options)
    if options.samples:
        settings = settings.model_copy(
            update={
                "saliency": settings.saliency.model_copy(update={"noise_samples": options.samples})
            }
        )
    from benchmarks import precision

    precision.measure(settings, options.images, options.cars, options.output)


if __name__ == "__main__":
    run_script(main)
