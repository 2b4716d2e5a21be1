"""Plot what the other scripts of this folder have written: a figure for each control and protocol.

Writes: figures/<settings>/<protocol>/*.png, .pdf and .txt. Figures without results are left out.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis.controls import control_figures  # matplotlib takes a second to load

    control_figures.draw(settings)


if __name__ == "__main__":
    run_script(main)
