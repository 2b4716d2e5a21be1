"""Answer the questions of docs/analysis_plan.md, and give a verdict on each of the papers' claims.

Reads: what 3_collect_trainings.py and 4_probe_networks.py have written for the settings file and for
those next to it whose names end in _reached, _unseen, _reached_unseen and _same_rate, and what
embedding_space/5_compare_factors.py has written for that ending in _rho.
Writes: results/<settings>/tests.csv, variance_shares.csv, claims.csv and robustness.csv.
Runtime: minutes.
"""

from pathlib import Path

from tqdm import tqdm

from dml_analysis import provenance
from dml_analysis.checkout import ROOT
from dml_analysis.embedding_space import training_factors
from dml_analysis.errors import run_script
from dml_analysis.files import csv_files
from dml_analysis.replication import (
    claims,
    evidence,
    probes,
    similarity_questions,
    space_questions,
    trainings,
    type_questions,
)
from dml_analysis.scripts import options_parser


def main():
    parser = options_parser(__doc__, sweeps=True)
    parser.set_defaults(settings=ROOT / "settings" / "replication.yaml")
    runs = evidence.runs_of(Path(parser.parse_args().settings))
    settings = runs.best
    tests = [*type_questions.published_tests()]
    tests += space_questions.correlation_tests(trainings.read_steps(settings))
    tests += space_questions.regularisation_tests(training_factors.read(runs.rho))
    tests += space_questions.probe_tests(probes.read(settings))
    shares = []
    for networks in tqdm(list(evidence.networks_of(runs)), unit="set of networks"):
        tests += type_questions.tests(networks)
        tests += similarity_questions.tests(networks)
        if networks.has_all:
            shares += similarity_questions.shares_of_variance(networks)
    table = evidence.with_holm(tests)
    csv_files.write_table(evidence.tests_file(settings), table)
    file = similarity_questions.shares_file(settings)
    csv_files.write(file, shares, similarity_questions.SHARES)
    provenance.record(settings, __file__)
    for written in (evidence.tests_file(settings), file, *claims.write(settings, table)):
        print(f"wrote {written}")
    for row in claims.read(settings).itertuples():
        print(f"{row.verdict:20}{row.protocol:10} {row.claim} ({row.reason})")


if __name__ == "__main__":
    run_script(main)
