"""Write the replication's results as text: results/README.md, and the findings in README.md.

All numbers come from CSV files, by the templates results.md.j2 and findings.md.j2 of this folder.

Reads: what 1_choose_rates.py and 5_test_questions.py have written.
Writes: both files.
Runtime: seconds.
"""

from dml_analysis.checkout import ROOT
from dml_analysis.config import load_settings
from dml_analysis.errors import run_script
from dml_analysis.files import atomic_files
from dml_analysis.replication import evidence, results_text


def main():
    runs = evidence.runs_of(ROOT / "settings" / "replication.yaml")
    rates = load_settings(ROOT / "settings" / "replication_rates.yaml")
    for file, text in results_text.texts(runs, rates, ROOT / "README.md").items():
        atomic_files.write_text(file, text)
        print(f"wrote {file}")


if __name__ == "__main__":
    run_script(main)
