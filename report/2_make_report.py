"""Put all that a run gave into one page to be read in a browser: results/<settings>/report.html.

The page needs no network and no other file. It holds the findings in words, the tables, the published numbers beside ours, causes and
controls, the figures, the saliency maps of some images, and the nearest neighbours of some rendered cars with what explains
some of these. What does not exist yet is left out; the page says which script makes it.
"""

from dml_analysis.config import options_parser, settings_from
from dml_analysis.errors import run_script


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis.report import page

    file = page.write(settings)
    print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    run_script(main)
