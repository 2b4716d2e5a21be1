"""Section "Controls": how much of the numbers is more than chance, condensed from the CSV files of controls/."""

from dml_analysis.controls import (
    compared_groupings,
    group_tests,
    map_ablations,
    noise_ceilings,
    score_controls,
)
from dml_analysis.files import csv_files
from dml_analysis.metrics import sample_size
from dml_analysis.report import questions
from dml_analysis.report.captions import count, number, p, percent, several
from dml_analysis.report.map_findings import losses_and_folds
from dml_analysis.report.questions import LABELS, Question, Table, by_group

UNITS = {"loss_mean": "losses' means", "loss_fold": "losses and folds"}
CORRECTED = {"none": "not corrected", "holm": "Holm"}
OF = {
    "maps": "mean correlation of maps",
    "embeddings": "debiased linear CKA of embeddings",
    "properties": "correlation of profiles of properties",
}


def section(settings):
    return questions.section(settings, QUESTIONS, "controls/1_bound_maps.py")


def floor_and_ceiling(settings, protocol):
    """Of each dataset: correlations between the ceiling and the floor."""
    for dataset in settings.datasets:
        table = csv_files.read(
            noise_ceilings.csv_file(settings, protocol, dataset), noise_ceilings.COLUMNS
        )
        rows = [[kind, str(len(some)), *(number(some[name].mean(), 3) for name in ("correlation_mean", "corrected", "jsd_mean"))]
                for kind, some in noise_ceilings.kinds_of(table, settings.models)]  # fmt: skip
        if rows:
            base = "2" if protocol.jsd_base == 2 else "e"
            text = (f"{dataset}: how alike the maps of two networks are, mean over pairs, on {several(table.n_images.max(), 'image')}. The first row is the "
                    "ceiling, a network with itself; networks of random weights are the floor. A row is of trained networks alone, unless it names an untrained one. Corrected: the correlation divided by the root of both "
                    f"networks' ceilings, what it would be without noise. Divergence: Jensen-Shannon, base {base}, 0 where maps are the same. "
                    f"{_answer(settings, protocol, dataset)}")  # fmt: skip
            yield Table(
                text.strip(),
                ["kind of pair", "pairs", "correlation", "corrected", "divergence"],
                rows,
            )


def _answer(settings, protocol, dataset):
    """A sentence: are two losses less alike than two folds of one?"""
    answer = csv_files.read(
        noise_ceilings.answer_file(settings, protocol, dataset), noise_ceilings.ANSWER
    )
    found = losses_and_folds(answer, dataset)
    return f"{found.text} (n: {found.n}.)" if found else ""


def chance(settings, protocol):
    """NR-Precision beside its null, and what differences can be told; the order of the properties among fewer images."""
    yield from _nulls(settings, protocol)
    yield from _orders(settings, protocol)


def _nulls(settings, protocol):
    nulls = csv_files.read(
        score_controls.file_of(settings, protocol, "nulls"), score_controls.NULLS
    )
    nulls = nulls[nulls.loss.isin([model.name for model in settings.models if model.trained])]
    if nulls.empty:
        return
    told, text = _differences(settings, protocol, nulls)
    rows = []
    for name, label in LABELS.items():
        some = nulls[nulls.property == name]
        means = [
            number(some[column].mean(), digits)
            for column, digits in (("nr_precision", 2), ("null_mean", 3), ("null_std", 3))
        ]
        rows.append([label, *means, p(some.p_value.max()), *told.get(name, ["–", "–"])])
    networks = nulls.drop_duplicates(["loss", "fold"])
    heads = [
        "property",
        "NR-Precision",
        "chance",
        "sd of chance",
        "largest p",
        "least difference",
        "pairs told apart",
    ]
    caption = (f"NR-Precision, mean over {several(len(networks), 'network')} of trained models and {count(nulls.n_images.max())} images; what it is after the "
               f"labels have been permuted {count(nulls.permutations.max())} times, mean and standard deviation (sd) over permutations, mean over networks; and the "
               f"largest of the networks' one-sided p.{text}")  # fmt: skip
    yield Table(caption, heads, rows)


def _differences(settings, protocol, nulls):
    """Property -> texts of the least difference and of the share of pairs; and what these are."""
    table = csv_files.read(
        score_controls.file_of(settings, protocol, "differences"), score_controls.DIFFERENCES
    )
    table = table[
        (table.queries == table.queries.max())
        & (table.folds == nulls.groupby("loss").fold.nunique().max())
    ]
    if table.empty:
        return {}, ""
    first = table.iloc[0]
    text = (f" Right: the least difference of two trained models that a two-sided test at {sample_size.LEVEL:.0%} finds with a power of {sample_size.POWER:.0%} on "
            f"{count(first.queries)} queries and {several(first.folds, 'fold')}, the median over {several(first.n_pairs, 'pair')} of models, and how many pairs differ by "
            "their own, in per cent. Queries are taken for independent, so it is a lower bound.")  # fmt: skip
    return {
        row.property: [number(row.least, 2), percent(row.told_apart, 0)]
        for row in table.itertuples()
    }, text


def _orders(settings, protocol):
    table = csv_files.read(
        score_controls.file_of(settings, protocol, "orders"), score_controls.ORDERS
    )
    if not table.empty:
        means = by_group(settings, table, "order_as_all", "n_images").sort_index()
        rows = [[count(n), *(number(value, 2) for value in means.loc[n])] for n in means.index]
        text = (f"Is the order of the properties by NR-Precision the same among fewer images as among all {count(table.n_all.max())}? Spearman's correlation over {len(LABELS)} properties, "
                "mean over each group's models (their number in brackets).")  # fmt: skip
        yield Table(text, ["images", *means], rows)


def tests(settings, protocol):
    """Of each two groups: Mann-Whitney's test on either unit."""
    table = csv_files.read(
        group_tests.files_of(settings, protocol)[0], group_tests.COLUMNS, group_tests.KEY
    )
    table = table[table.alternative == "two-sided"]
    for (a, b), of_pair in table.groupby(["group_a", "group_b"], sort=False):
        by_unit = {
            unit: some.set_index("property") for unit, some in of_pair.groupby("unit", sort=False)
        }
        rows = [
            [LABELS[name], *(text for some in by_unit.values() for text in _test(some.loc[name]))]
            for name in by_unit["loss_mean"].index
        ]
        n = "; ".join(
            f"{UNITS[unit]}: {some.n_a.min()} and {some.n_b.min()} values"
            for unit, some in by_unit.items()
        )
        text = (f"NR-Precision of {a} and of {b}: exact Mann-Whitney test, two-sided; p, p by Holm's correction over {len(rows)} properties, and the size of the "
                f"effect (rank-biserial correlation, −1 to 1; above 0 where {a} has more). n, {n}. Folds of a loss are not independent, so p over folds is too "
                "small.")  # fmt: skip
        heads = [
            "property",
            *(f"{what}, {UNITS[unit]}" for unit in by_unit for what in ("p", "Holm", "effect")),
        ]
        yield Table(text, heads, rows)


def _test(row):
    return p(row.p_value), p(row.p_holm), number(row.rank_biserial, 2)


def claims(settings, protocol):
    """How many of the paper's claims about Table 6 hold, in this run and in the published table."""
    rows, heads = [], []
    for name, which in (("this run", protocol), ("published Table 6", None)):
        table = csv_files.read(
            group_tests.files_of(settings, which)[1], group_tests.HELD, list(group_tests.HELD_KEY)
        )
        for (unit, test), some in table.groupby(["unit", "test"], sort=False):
            ways = {f"at {level:.0%}, {CORRECTED[correction]}": (each.held == "yes").tolist()
                    for (correction, level), each in some.groupby(["correction", "level"], sort=False)}  # fmt: skip
            heads = ["numbers", *ways]
            rows.append(
                [
                    f"{name}, {UNITS[unit]}, {test}",
                    *(f"{sum(held)} of {len(held)}" for held in ways.values()),
                ]
            )
    text = ("How many of the paper's claims hold, by the level of p and its correction. A claim is that a group has more of a property (it holds if p is below "
            "the level, and the group has more), or that neither has (it holds if p is not below it; one-sided tests have none). One that could not be tested does "
            "not hold. n as in the tests above; of the published table the losses' means.")  # fmt: skip
    yield Table(text, heads, rows)


def groupings(settings, protocol):
    """Whether maps, embeddings and properties group the losses, and whether they do so alike."""
    files = [
        compared_groupings.file_of(settings, protocol, name) for name in ("groupings", "mantel")
    ]
    table = csv_files.read(files[0], compared_groupings.GROUPS, ["analysis"])
    mantel = csv_files.read(files[1], compared_groupings.MANTEL)
    if not table.empty:
        rows = [[f"{row.analysis}: {OF[row.analysis]}", number(row.within_minus_between, 3), p(row.p_value), number(row.cophenetic, 2), number(row.adjusted_rand, 2)]
                for row in table.itertuples()]  # fmt: skip
        text = (f"Similarity of two models of one group less that of two of different groups, for {several(table.n_models.max(), 'trained model')}, and its one-sided p among "
                f"{count(table.assignments.max())} assignments of models to groups. Trees: cophenetic correlation, how well a tree shows its similarities; adjusted Rand "
                "index of its clusters and the groups, 1 the same, 0 as by chance.")  # fmt: skip
        yield Table(
            text, ["similarity", "within less between", "p", "cophenetic", "adjusted Rand"], rows
        )
    if not mantel.empty:
        pairs = mantel.groupby(["analysis_a", "analysis_b"], sort=False)
        rows = [
            [
                f"{a} and {b}",
                *(
                    text
                    for row in some.itertuples()
                    for text in (number(row.correlation, 2), p(row.p_value))
                ),
            ]
            for (a, b), some in pairs
        ]
        heads = [
            "similarities",
            *(
                f"{what}, {kind.title()}"
                for kind in dict.fromkeys(mantel.kind)
                for what in ("correlation", "p")
            ),
        ]
        text = f"Do two similarities of the same {mantel.n_models.max()} models go together? Correlation over pairs of models, one-sided p by the Mantel test."
        yield Table(text, heads, rows)


def survival(settings, protocol):
    """Similarity within and between groups under other settings, and how many images it takes."""
    dataset = settings.shown_dataset
    table = csv_files.read(
        map_ablations.csv_file(settings, protocol, dataset), map_ablations.COLUMNS
    )
    if not table.empty:
        rows = [[_variation(row), *(number(row[name], 3) for name in ("within", "between", "difference")), p(row.p_value), number(row.order_as_own, 2)]
                for _, row in table.iterrows()]  # fmt: skip
        text = (f"{dataset}: mean correlation of two losses' maps within and between groups, by Fisher's z, their difference, its one-sided p by permutation of the "
                f"models over groups, and whether pairs are in the order of the first row, this run's own settings (Spearman). {several(table.n_models.max(), 'model')}, "
                f"one fold, {several(table.n_images.max(), 'image')}.")  # fmt: skip
        yield Table(text, ["maps", "within", "between", "difference", "p", "order"], rows)
    yield from _needed(settings, protocol, dataset)


def _variation(row):
    return (
        f"{row.attribution}, {row.base} as base, σ {row.sigma:g}, {several(row.samples, 'sample')}"
    )


def _needed(settings, protocol, dataset):
    table = csv_files.read(
        map_ablations.needed_file(settings, protocol, dataset),
        map_ablations.NEEDED,
        ["samples", "images"],
    )
    if table.empty:
        return
    by_images = table.pivot_table("told_apart", "images", "samples")
    rows = [
        [count(images), *(percent(value, 0) for value in by_images.loc[images])]
        for images in by_images.index
    ]
    text = (f"{dataset}: on so many images, how many of {several(table.n_pairs.max(), 'pair')} of losses would a one-sided test at {sample_size.LEVEL:.0%} tell apart with a power of "
            f"{sample_size.POWER:.0%}, in per cent? Told apart: their maps are less alike than each one's own under other noise. By the spread over "
            f"{several(table.n_images.max(), 'image')}, normal approximation.")  # fmt: skip
    yield Table(text, ["images", *(several(each, "noisy sample") for each in by_images)], rows)


QUESTIONS = [
    Question("Floor and ceiling of the similarity of maps", floor_and_ceiling, ("bounds_",)),
    Question("What is NR-Precision by chance?", chance, ("nulls", "orders")),
    Question("Do groups of losses differ?", tests),
    Question("Which of the paper's claims about Table 6 hold?", claims),
    Question("Do maps, embeddings and properties group the losses alike?", groupings, ("trees",)),
    Question("Which conclusions survive other settings?", survival, ("variations_", "needed_")),
]
