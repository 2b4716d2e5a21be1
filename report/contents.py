"""Every table and figure of the paper, and what makes it. The table and figure scripts go by this list alone."""

from functools import partial
from typing import NamedTuple

import utils
from properties import plot_embeddings, property_tables
from report import compare_with_paper
from report import tables as table_files
from saliency import pair_tables, plot_maps


class Entry(NamedTuple):
    name: str  # of its files, without the ending
    make: object  # of a table: (settings, name) -> report.tables.Table; of a figure: (settings, name), writes its files


def _pairs(name, form, number, measure):
    return Entry(name, partial(form, number=number, measure=measure))


SALIENCY_TABLES = [
    _pairs("table2", pair_tables.full, 2, "correlation"),
    _pairs("table3", pair_tables.condensed, 3, "correlation"),
    _pairs("table4", pair_tables.condensed, 4, "correlation"),
]
APPENDIX_TABLES = {  # by the table whose dataset they are about
    2: [
        _pairs("table2_condensed", pair_tables.condensed, 2, "correlation"),
        _pairs("table2_jsd", pair_tables.full, 2, "jsd"),
        _pairs("table2_jsd_condensed", pair_tables.condensed, 2, "jsd"),
    ],
    3: [
        _pairs("table3_full", pair_tables.full, 3, "correlation"),
        _pairs("table3_jsd", pair_tables.full, 3, "jsd"),
        _pairs("table3_jsd_condensed", pair_tables.condensed, 3, "jsd"),
    ],
    4: [
        _pairs("table4_full", pair_tables.full, 4, "correlation"),
        _pairs("table4_jsd", pair_tables.full, 4, "jsd"),
        _pairs("table4_jsd_condensed", pair_tables.condensed, 4, "jsd"),
    ],
}
PROPERTY_TABLES = [
    Entry("table1", property_tables.losses_table),
    Entry("table5", property_tables.properties_table),
    Entry("table6", property_tables.nr_precision_table),
]
SALIENCY_FIGURES = [
    Entry("figure2", plot_maps.figure2),
    Entry("figure2_more", plot_maps.figure2_more),
]
PROPERTY_FIGURES = [
    Entry("figure3", plot_embeddings.figure3),
    Entry("figure4", plot_embeddings.figure4),
]


def saliency_tables(settings):
    """Tables 2 to 4 and the appendix's; a dataset that two tables are about has its appendix once."""
    first = {dataset: number for number, dataset in sorted(settings.tables.items(), reverse=True)}
    return SALIENCY_TABLES + [entry for number in sorted(first.values()) for entry in APPENDIX_TABLES[number]]


def make_tables(settings, entries):
    """Write the tables of the entries and the two files that draw on all tables."""
    for entry in entries:
        table = entry.make(settings, entry.name)
        table_files.write(table, settings)
        missing = f", {table.missing} of {sum(map(len, table.cells))} cells missing" if table.missing else ""
        print(f"wrote {utils.table_file(settings, entry.name)}.md, .tex, .csv{missing}")
    compared = {entry.name: entry.make(settings, entry.name) for entry in SALIENCY_TABLES + PROPERTY_TABLES}
    compare_with_paper.write(settings, compared)
    table_files.write_document([entry.name for entry in all_tables(settings)], settings)


def all_tables(settings):
    """Every table entry of the run, in the order of their names."""
    return sorted(saliency_tables(settings) + PROPERTY_TABLES)


def make_figures(settings, entries):
    for entry in entries:
        entry.make(settings, entry.name)
