"""Do maps, embeddings and properties group the losses alike? Tests within and between groups, and Mantel tests."""

from dml_analysis.config import options_parser, settings_from
from dml_analysis.errors import run_script


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance
    from dml_analysis.controls import compared_groupings

    provenance.record(settings, __file__)
    for protocol in settings.protocols:
        compared_groupings.write(settings, protocol)
        compared_groupings.show(settings, protocol)
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
