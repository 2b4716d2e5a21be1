"""Run the toy example of Roth et al., to find what the effect of rho-regularisation comes from.

It embeds points on segments by a small network, and needs no images and no networks. Prints the
second singular value of every variant.

Writes: results/<settings>/embedding_space/toy, the embeddings; toy.csv, a row per variant and seed;
and figures/<settings>/toy.
Runtime: seconds.
"""

from dml_analysis.errors import InputError, run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    parser = options_parser(__doc__)
    parser.add_argument(
        "--seeds", type=int, default=20, metavar="N", help="number of seeds (default: 20)"
    )
    options = parser.parse_args()
    settings = settings_from(options)
    if not 1 <= options.seeds <= 1000:
        raise InputError(f"--seeds is {options.seeds}; give a number from 1 to 1000")
    from tqdm import tqdm

    from dml_analysis import provenance
    from dml_analysis.embedding_space import embedding_spaces, toy_example, toy_figure
    from dml_analysis.files import csv_files

    store = toy_example.store_of(settings.results, options.seeds, settings.seed)
    for number in tqdm(store.missing(), unit="seed", leave=False):
        trained = toy_example.train(
            toy_example.data(), toy_example.VARIANTS, [number], settings.seed
        )
        store.save(number, train=trained.train[:, 0], test=trained.test[:, 0])
    result = toy_example.saved_result(store)
    rows, file = list(toy_example.rows_of(result)), embedding_spaces.folder(settings) / "toy.csv"
    csv_files.write(file, rows, toy_example.COLUMNS)
    provenance.record(settings, __file__)
    print(
        "second singular value by the sum of both, training points: mean over seeds, 95% interval"
    )
    for name, mean, low, high in toy_example.summary(rows):
        print(f"{name:28}{mean:6.2f}   {low:.2f} to {high:.2f}")
    print(f"wrote {file}")
    toy_figure.draw(settings.figures / "toy", result)


if __name__ == "__main__":
    run_script(main)
