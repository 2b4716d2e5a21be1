"""The papers' claims, each with the number that the replication has for it, and a verdict."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from dml_analysis.controls import published_maps
from dml_analysis.controls.group_tests import holm, published_claims
from dml_analysis.files import csv_files
from dml_analysis.number_texts import signed
from dml_analysis.paper import PROPERTIES
from dml_analysis.replication.evidence import (
    ACCURACY,
    ALL_PROTOCOLS,
    CHECKPOINTS,
    METHODS,
    TRAININGS,
)

if TYPE_CHECKING:
    from dml_analysis.config import Settings

PAPERS = KOBS, ROTH = ("Kobs et al.", "Roth et al.")
VERDICTS = HOLDS, CONTRADICTED, CANNOT_SAY, NOT_TESTABLE = (
    "holds", "contradicted", "cannot be said", "not testable here",
)  # fmt: skip
MARGIN = 0.01  # of correlations that count as the same
LEVEL, PUBLISHED_LEVEL = 0.05, 0.01
SHARE = csv_files.between(0, 1)
COLUMNS = {
    "id": str, "paper": csv_files.one_of(PAPERS), "topic": str, "claim": str, "section": str,
    "published": str, "protocol": str, "measure": str, "estimate": float, "low": float,
    "high": float, "unit": str, "n": int, "unit_of_n": str, "p_value": SHARE, "smallest_p": SHARE,
    "power": SHARE, "verdict": csv_files.one_of(VERDICTS), "reason": str,
}  # fmt: skip
ROBUSTNESS = {
    "id": str, "topic": str, "claim": str, "protocol": str,
    "checkpoint": csv_files.one_of(CHECKPOINTS), "methods": csv_files.one_of(METHODS),
    "trainings": csv_files.one_of(TRAININGS), "estimate": float, "low": float, "high": float,
    "p_value": SHARE, "verdict": csv_files.one_of(VERDICTS),
}  # fmt: skip
ALL = METHODS[0], TRAININGS[0]
LOG_RATIO = "log ratio, ranking to classification"


class Result(NamedTuple):
    """The numbers of a claim: p_value corrected, published on the scale of the estimate."""

    estimate: float
    low: float
    high: float
    p_value: float
    smallest_p: float
    published: float
    power: float
    n: int


def csv_file(settings: "Settings") -> Path:
    """Return the path of claims.csv."""
    return settings.results / "claims.csv"


def robustness_file(settings: "Settings") -> Path:
    """Return the path of robustness.csv, the verdicts for other networks."""
    return settings.results / "robustness.csv"


def read(settings: "Settings") -> pd.DataFrame:
    """Return claims.csv, which is empty if it does not exist."""
    return csv_files.read(csv_file(settings), COLUMNS, ["id", "protocol"])


# -------------------------------------------------------------------------------------------------
# Verdicts.
# -------------------------------------------------------------------------------------------------
def verdict_of_difference(result: Result, sign: int, level: float = LEVEL) -> tuple[str, str]:
    """Return (verdict, reason) for a claim that an effect has this sign, 1 or -1.

    It holds if the effect has the sign and p is below the level. It is contradicted if the 95%
    interval excludes the published effect, or has the other sign without zero.
    """
    if np.isnan(result.estimate):
        return NOT_TESTABLE, "no value"
    if np.sign(result.estimate) == sign and result.p_value < level:
        return HOLDS, f"{_p(result.p_value)}, with the published sign"
    if (result.high if sign > 0 else -result.low) < 0:
        return CONTRADICTED, "the interval has the other sign"
    if not np.isnan(result.published) and not result.low <= result.published <= result.high:
        return CONTRADICTED, f"the interval excludes the published {signed(result.published, 2)}"
    return CANNOT_SAY, _why_not(result)


def verdict_of_interval(result: Result, sign: int) -> tuple[str, str]:
    """Return (verdict, reason) for a claim that is judged by its interval alone, as of a correlation."""
    nearer, further = (result.low, result.high) if sign > 0 else (-result.high, -result.low)
    if nearer > 0:
        return HOLDS, "the interval excludes zero and has the published sign"
    if further < 0:
        return CONTRADICTED, "the interval has the other sign"
    if not np.isnan(result.published) and not result.low <= result.published <= result.high:
        return CONTRADICTED, f"the interval excludes the published {signed(result.published, 2)}"
    return CANNOT_SAY, "the interval includes zero and the published value"


def verdict_of_equality(result: Result, margin: float = MARGIN) -> tuple[str, str]:
    """Return (verdict, reason) for a claim that two groups are the same, by their 90% interval."""
    if -margin < result.low and result.high < margin:
        return HOLDS, f"the 90% interval lies within ±{margin:g}"
    if result.low > margin or result.high < -margin:
        return CONTRADICTED, f"the 90% interval lies beyond ±{margin:g}"
    return CANNOT_SAY, f"the 90% interval includes values within and beyond ±{margin:g}"


def verdict_of_no_difference(result: Result) -> tuple[str, str]:
    """Return (verdict, reason) for a claim of no significant difference, without a margin.

    A test that does not reject shows nothing.
    """
    if np.isnan(result.estimate):
        return NOT_TESTABLE, "no value"
    if result.p_value < LEVEL:
        return CONTRADICTED, f"{_p(result.p_value)}: there is a difference"
    return CANNOT_SAY, f"{_p(result.p_value)}; not rejecting does not show equality"


def _p(value: float) -> str:
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"


def _why_not(result: Result) -> str:
    power = "" if np.isnan(result.power) else f"; power {100 * result.power:.0f}%"
    return f"{_p(result.p_value)}{power}; the interval includes zero"


# -------------------------------------------------------------------------------------------------
# Claims.
# -------------------------------------------------------------------------------------------------
def result_of(tests: pd.DataFrame, **labels: Any) -> Result:
    """Return the numbers of the one test with these labels. Raises KeyError unless there is one."""
    rows = tests
    for name, value in labels.items():
        rows = rows[rows[name] == value]
    if len(rows) != 1:
        raise KeyError(f"{len(rows)} tests have {labels}")
    row = rows.iloc[0]
    return Result(
        row.estimate, row.low, row.high, row.p_holm, row.smallest_p, row.published, row.power,
        int(row.n_first + row.n_second),
    )  # fmt: skip


def claims(tests: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of claims.csv; tests: the table of tests.csv."""
    yield from claims_about(tests, ACCURACY, *ALL)
    yield from _published_table_2()
    yield from _published_table_6(tests)
    yield from _roth_claims(tests)


def claims_about(
    tests: pd.DataFrame, checkpoint: str, methods: str, trainings: str
) -> Iterator[dict[str, Any]]:
    """Yield the rows for the claims of Kobs et al. that these networks can answer."""
    networks = {"checkpoint": checkpoint, "methods": methods, "trainings": trainings}
    for protocol in ALL_PROTOCOLS:
        here = networks | {"protocol": protocol}
        yield from _pixel_claims(tests, protocol, here)
        yield from _property_claims(tests, protocol, here)


def verdicts_of_networks(tests: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts for all checkpoints, methods and trainings, a table of ROBUSTNESS."""
    rows = [
        {"checkpoint": networks[0], "methods": networks[1], "trainings": networks[2]} | row
        for networks in product(CHECKPOINTS, METHODS, TRAININGS)
        for row in claims_about(tests, *networks)
    ]
    return pd.DataFrame(rows)[list(ROBUSTNESS)]


def _row(
    name: str, paper: str, topic: str, claim: str, section: str, published: str, measure: str,
    unit: str, result: Result, verdict: tuple[str, str], protocol: str = "", unit_of_n: str = "methods",
) -> dict[str, Any]:  # fmt: skip
    numbers = result._asdict()
    del numbers["published"]
    return {
        "id": name, "paper": paper, "topic": topic, "claim": claim, "section": section,
        "published": published, "protocol": protocol, "measure": measure, "unit": unit,
        "unit_of_n": unit_of_n, **numbers, "verdict": verdict[0], "reason": verdict[1],
    }  # fmt: skip


def _pixel_claims(
    tests: pd.DataFrame, protocol: str, here: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    result = result_of(tests, question=3, measure="within minus between types, 90%", **here)
    p_value = result_of(
        tests, question=3, measure="within minus between types, 95%", **here
    ).p_value
    result = result._replace(p_value=p_value)
    yield _row(
        "pixels", KOBS, "pixels", "On Cars196, maps are as alike across types as within a type",
        "3.2, Table 3", "86 and 86% within, 85% between", "within minus between types",
        "noise-corrected correlation, 90% interval", result, verdict_of_equality(result), protocol,
    )  # fmt: skip
    result = result_of(tests, question=7, measure="two methods minus a method and None", **here)
    yield _row(
        "none", KOBS, "None", "“None” is less like any loss than losses are like each other",
        "3.2, Table 3", "75 and 74%; losses 85 to 86%", "two methods minus a method and “None”",
        "noise-corrected correlation", result, verdict_of_difference(result, 1), protocol,
    )  # fmt: skip
    for measure, words in (("mass_on_car", "map mass"), ("highest_on_car", "highest pixels")):
        result = result_of(tests, question=5, measure=measure, covariate="ceiling", **here)
        yield _row(
            f"background {measure}", KOBS, "background",
            "Classification losses look more at the background", "3.2", "in words",
            f"{words} on the car, ranking minus classification", "share of a map", result,
            verdict_of_difference(result, 1), protocol,
        )  # fmt: skip
    for measure, sign in (("gini", 1), ("entropy", -1)):
        result = result_of(tests, question=6, measure=measure, covariate="ceiling", **here)
        yield _row(
            f"highlights {measure}", KOBS, "highlights",
            "Ranking losses have pronounced local highlights, classification losses broader areas",
            "3.2", "in words", f"{measure} of maps, ranking minus classification",
            "Gini coefficient" if measure == "gini" else "share of the maximum entropy", result,
            verdict_of_difference(result, sign), protocol,
        )  # fmt: skip


def _property_claims(
    tests: pd.DataFrame, protocol: str, here: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    labels = {prop.name: prop.label for prop in PROPERTIES}
    for claim in published_claims().itertuples():
        result = result_of(
            tests, question=2, measure=claim.property, covariate="", unit="method", **here
        )
        yield _row(
            f"property {claim.property}", KOBS, "properties", _about(claim, labels), claim.section,
            signed(result.published), labels[claim.property], LOG_RATIO, result,
            _verdict_of_claim(claim, result, LEVEL), protocol,
        )  # fmt: skip


def _published_table_6(tests: pd.DataFrame) -> Iterator[dict[str, Any]]:
    labels = {prop.name: prop.label for prop in PROPERTIES}
    for claim in published_claims().itertuples():
        result = result_of(tests, question=11, measure=claim.property, protocol="published")
        yield _row(
            f"Table 6 {claim.property}", KOBS, "published Table 6", _about(claim, labels),
            claim.section, signed(result.published), labels[claim.property], LOG_RATIO, result,
            _verdict_of_claim(claim, result._replace(published=np.nan), PUBLISHED_LEVEL), "published",
            "losses",
        )  # fmt: skip


def _about(claim: Any, labels: dict[str, str]) -> str:
    label = labels[claim.property]
    if claim.significant == "no":
        return f"{label}: the types do not differ significantly"
    return f"{label}: more in {claim.group.lower()} losses"


def _verdict_of_claim(claim: Any, result: Result, level: float) -> tuple[str, str]:
    if claim.significant == "no":
        return verdict_of_no_difference(result)
    return verdict_of_difference(result, 1 if claim.group == "Ranking" else -1, level)


def _published_table_2() -> Iterator[dict[str, Any]]:
    claims_of = {
        published_maps.QUESTIONS[0]: (
            "On SOP, maps are more alike within a type than between types",
            1,
        ),
        published_maps.QUESTIONS[1]: (
            "On SOP, maps are more alike for losses with one distance",
            1,
        ),
        published_maps.QUESTIONS[2]: ("On SOP, “None” is nearer to classification losses", -1),
    }
    table = published_maps.tests()
    for row, p_value in zip(table.itertuples(), holm(table.p_value.to_numpy())):
        claim, sign = claims_of[row.question]
        nothing = np.nan
        result = Result(
            row.difference, nothing, nothing, p_value, row.smallest_p, nothing, nothing, row.losses
        )
        yield _row(
            f"Table 2 {row.question}", KOBS, "SOP", claim, "3.2, Table 2",
            f"{signed(row.difference, 1)} points", row.question, "points of per cent", result,
            verdict_of_difference(result, sign, PUBLISHED_LEVEL), "published", "losses",
        )  # fmt: skip


def _roth_claims(tests: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for measure, topic, claim, sign in (
        ("pi_ratio", "density", "A larger density (π ratio) goes with a larger Recall@1", 1),
        (
            "rho_2",
            "spectral decay",
            "A smaller spectral decay (ρ@2) goes with a larger Recall@1",
            -1,
        ),
    ):
        for place in ("best step", "iteration 150"):
            result = result_of(
                tests, question=8, measure=measure, checkpoint=place, methods="twenty"
            )
            yield _row(
                f"{topic}, {place}", ROTH, topic, claim, "correlations", f"{signed(result.published, 2)} (Cars196)",
                f"Pearson correlation with Recall@1, {place}", "correlation", result,
                verdict_of_interval(result, sign),
            )  # fmt: skip
    for form in ("swap", "push"):
        result = result_of(tests, question=9, measure=f"{form}, Recall@1", unit="seed")
        yield _row(
            f"regularisation {form}", ROTH, "ρ-regularisation", f"ρ-regularisation ({form}) raises Recall@1",
            "regularisation", "in four losses on CUB200 and Cars196", "Recall@1 on test classes",
            "difference", result, verdict_of_interval(result._replace(published=np.nan), 1),
            unit_of_n="seeds",
        )  # fmt: skip


def write(settings: "Settings", tests: pd.DataFrame) -> list[Path]:
    """Write claims.csv and robustness.csv; return the files."""
    table = pd.DataFrame(list(claims(tests)))[list(COLUMNS)]
    csv_files.write_table(csv_file(settings), table)
    csv_files.write_table(robustness_file(settings), verdicts_of_networks(tests))
    return [csv_file(settings), robustness_file(settings)]
