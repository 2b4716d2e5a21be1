"""Run the toy example of Roth et al.: points on segments, a small network, rho-regularisation and what its effect comes from.

Writes results/<settings>/embedding_space/toy.csv, a row per variant and seed, and figures/<settings>/toy, and prints the second
singular value of every variant. It needs no images and no networks.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

from common.errors import InputError, run_script
from common.settings import options_parser, settings_from


def main():
    parser = options_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many seeds (default: 20)")
    options = parser.parse_args()
    settings = settings_from(options)
    if not 1 <= options.seeds <= 1000:
        raise InputError(f"--seeds is {options.seeds}, but must be from 1 to 1000")
    from common import csv_files, run_record
    from embedding_space import spaces, toy, toy_figure

    result = toy.train(toy.data(), toy.VARIANTS, range(options.seeds), settings.seed)
    rows, file = list(toy.rows_of(result)), spaces.folder(settings) / "toy.csv"
    csv_files.write(file, rows, toy.COLUMNS)
    run_record.record(settings, __file__)
    print("second singular value by the sum of both, training points: mean over seeds, 95% interval")
    for name, mean, low, high in toy.summary(rows):
        print(f"{name:28}{mean:6.2f}   {low:.2f} to {high:.2f}")
    print(f"wrote {file}")
    toy_figure.figure(settings.figures / "toy", result)


if __name__ == "__main__":
    run_script(main)
