"""Put the results of a run into one page for a browser: results/<settings>/report.html.

The page needs no network and no other file. It contains the answer in a few lines, the papers'
claims, accuracies, the findings in words, the tables, the published numbers alongside ours, the
saliency maps of some images, the nearest neighbours of some rendered cars, causes and controls, and
the figures. For missing results, the page says which script makes them.

Reads: the files that the numbered scripts write.
Writes: results/<settings>/report.html; of the tables that it alone has .csv and .tex files, in
report/ and <protocol>/report/.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main() -> None:
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis.report import page

    file = page.write(settings)
    print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    run_script(main)
