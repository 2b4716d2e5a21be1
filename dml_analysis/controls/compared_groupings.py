"""Whether maps, embeddings and properties group the models alike: three similarities of models, tests of each and between them."""

from itertools import combinations

import numpy as np
import pandas as pd

from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import grouped
from dml_analysis.metrics import groupings
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.saliency import saliency_tables
from dml_analysis.seeds import derived_seed

ANALYSES = ("maps", "embeddings", "properties")
ANALYSIS, R, SHARE = csv_files.one_of(ANALYSES), csv_files.between(-1, 1), csv_files.between(0, 1)
SIMILARITIES = {"analysis": ANALYSIS, "loss_a": str, "loss_b": str, "similarity": R}
GROUPS = {"analysis": ANALYSIS, "n_models": int, "within_minus_between": float, "p_value": SHARE, "assignments": int,
          "exact": csv_files.one_of(["yes", "no"]), "cophenetic": R, "adjusted_rand": float}  # fmt: skip
MANTEL = {"analysis_a": ANALYSIS, "analysis_b": ANALYSIS, "kind": csv_files.one_of(groupings.KINDS), "n_models": int,
          "correlation": R, "p_value": SHARE}  # fmt: skip


def file_of(settings, protocol, name):
    """model_similarities.csv, groupings.csv or mantel.csv."""
    return settings.results / protocol.name / "controls" / f"{name}.csv"


def similarities(settings, protocol):
    """Analysis -> (l, l) of the trained models that have all three, in the order of the tables; and these models.

    Of trained models alone, as profiles are told apart by how they differ from the mean of those that are compared.
    """
    dataset = settings.properties.networks
    of_maps = saliency_tables.defined(
        saliency_tables.similarities(
            saliency_tables.Subject("", settings, protocol, dataset, "correlation")
        )
    )
    by_name = _embeddings(settings)
    hint = "run properties/3_score_properties.py first"
    scored = csv_files.table(
        property_scores.scores_file(settings, protocol),
        property_scores.COLUMNS,
        list(property_scores.KEY),
        hint,
    )
    profiles = scored[scored.fold.isin([*settings.folds, ALL_FOLDS])].pivot_table(
        "nr_precision", "loss", "property"
    )
    models = [model for model in grouped(settings.models) if model.trained
              and (model.name, model.name) in of_maps and model.name in by_name and model.name in profiles.index]  # fmt: skip
    names = [model.name for model in models]
    lacking = [(a, b) for a, b in combinations(names, 2) if (a, b) not in of_maps]
    if len(models) < 4 or lacking:
        raise InputError(
            f"settings {settings.name!r}: {len(models)} trained models have maps of {dataset}, embeddings and scores, and "
            f"{len(lacking)} pairs of maps are not compared; four models are the fewest"
        )
    found = {
        "maps": np.array([[of_maps[a, b].mean for b in names] for a in names]),
        "embeddings": _alignment(settings, {name: by_name[name] for name in names}),
        "properties": groupings.profile_similarity(
            profiles.loc[names, [each.name for each in PROPERTIES]].to_numpy()
        ),
    }
    return found, models


def _embeddings(settings):
    """Name of a model -> its embeddings (n, d) of the rendered cars, one array for each fold; of those that are whole."""
    found = {}
    for store in car_embeddings.complete_stores(settings, property_scores.cars_of(settings)[0])[0]:
        found.setdefault(store.subject.model.name, []).append(car_embeddings.read(store))
    return found


def _alignment(settings, arrays):
    """(l, l): debiased linear CKA of every two models' embeddings, mean over the folds; arrays: name -> one for each fold.

    Raises InputError where it is undefined.
    """
    found, names = np.eye(len(arrays)), list(arrays)
    for a, b in combinations(range(len(arrays)), 2):
        try:
            values = [
                groupings.linear_cka(x, y) for x, y in zip(arrays[names[a]], arrays[names[b]])
            ]
        except ValueError as error:
            raise InputError(
                f"settings {settings.name!r}: embeddings of rendered cars by {names[a]} and {names[b]}: {error}; "
                "check these networks, and `images` of `properties`"
            ) from None
        found[a, b] = found[b, a] = np.mean(values)
    return found


def write(settings, protocol):
    """Write the three CSV files."""
    found, models = similarities(settings, protocol)
    names = [model.name for model in models]
    rows = [(analysis, a, b, matrix[i, j]) for analysis, matrix in found.items()
            for (i, a), (j, b) in combinations(enumerate(names), 2)]  # fmt: skip
    csv_files.write(file_of(settings, protocol, "model_similarities"), rows, SIMILARITIES)
    of_groups = _group_rows(settings, found, [model.group for model in models])
    csv_files.write(file_of(settings, protocol, "groupings"), of_groups, GROUPS)
    csv_files.write(file_of(settings, protocol, "mantel"), _mantel_rows(settings, found), MANTEL)


def _group_rows(settings, found, groups):
    """Of each analysis: are models of a group more alike?"""
    for analysis, matrix in found.items():
        tree = groupings.linkage(matrix)
        test = groupings.within_between_test(
            matrix, groups, derived_seed(settings.seed, "groups", analysis)
        )
        yield [analysis, len(matrix), test.statistic, test.p_value, test.assignments, "yes" if test.exact else "no",
               groupings.cophenetic(tree, matrix), groupings.agreement(tree, groups)]  # fmt: skip


def _mantel_rows(settings, found):
    """Of every two analyses: do their similarities go together?"""
    for a, b in combinations(found, 2):
        for kind in groupings.KINDS:
            seed = derived_seed(settings.seed, "mantel", a, b, kind)
            yield [
                a,
                b,
                kind,
                len(found[a]),
                *groupings.mantel(found[a], found[b], seed, kind=kind),
            ]


def show(settings, protocol):
    """Print what was found."""
    for name, columns, key in (
        ("groupings", GROUPS, ["analysis"]),
        ("mantel", MANTEL, ["analysis_a", "analysis_b", "kind"]),
    ):
        print(f"protocol {protocol.name}:")
        print(
            pd.DataFrame(
                csv_files.read(file_of(settings, protocol, name), columns, key=key)
            ).to_string(index=False)
        )
