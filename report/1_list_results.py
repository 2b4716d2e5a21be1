"""List the tables, figures and other files of a run; write its tables as one document.

Reads: the files that the numbered scripts write.
Writes: tables/all_tables.tex and compared_with_paper.csv, the published numbers alongside ours, of
each protocol. The exit status is 1 if a table or figure is missing.
Runtime: seconds.
"""

from dml_analysis.errors import InputError, run_script
from dml_analysis.scripts import options_parser, settings_from


def main() -> None:
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import tables
    from dml_analysis.report import contents, published_comparison

    files = contents.files(settings)
    missing = [file for file in files if not file.is_file()]
    for file in files:
        print(f"{'MISSING ' if file in missing else ''}{file}")
    if missing:
        raise InputError(
            f"{len(missing)} results are missing, the first is {missing[0]}; run the numbered scripts"
        )
    for protocol in settings.protocols:
        tables.write_document(contents.table_names(settings), tables.folder(settings, protocol))
        print(published_comparison.write(settings, protocol))
    if settings.note:
        print(f"\n{settings.note} Their numbers are not results of the paper.")


if __name__ == "__main__":
    run_script(main)
