"""The readers of files, on whatever hypothesis makes up: what they are for comes back, all else ends in one line."""

import json
import string

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dml_analysis import checkout
from dml_analysis.config import (
    PropertySettings,
    SaliencySettings,
    Settings,
    TrainingSettings,
    load_settings,
)
from dml_analysis.datasets import annotations
from dml_analysis.errors import InputError
from dml_analysis.files import atomic_files, csv_files, yaml_files

pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
many = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

PRINTABLE = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\xa0\u2028\u2029"),
    max_size=9,
)
KEYS = {
    "": Settings,
    "saliency": SaliencySettings,
    "properties": PropertySettings,
    "training": TrainingSettings,
}
KEYS = {block: [*kind.model_fields] for block, kind in KEYS.items()} | {"paths": [*checkout.PATHS]}
PIECES = st.sampled_from([*KEYS[""], *KEYS["saliency"], "paper", "all", "0", ".inf", "true", "1e5", ": ", "- ", "[", "]", "{", "}", ",",
                          "\n", "\n  ", "&a ", "*a", "!!int ", "'", '"', "? ", "#", "|", "---\n", "<<: "])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join))
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
    max_leaves=12,
)


def in_one_line(read):
    """What read() returns; None if it ends in one line."""
    try:
        return read()
    except InputError as error:
        assert str(error) and "\n" not in str(error) and len(str(error)) < 1500
        return None


# ---------------------------------------------------------------------------------------------------------------------
# YAML.
# ---------------------------------------------------------------------------------------------------------------------
@many
@given(st.binary(max_size=60) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_settings_or_one_line(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    assert isinstance(in_one_line(lambda: load_settings(file)), Settings | None)


@many
@given(st.sampled_from(list(KEYS)).flatmap(lambda block: st.dictionaries(st.sampled_from(KEYS[block]), PLAIN, min_size=1)
       .map(lambda values: {block: values} if block else values)))  # fmt: skip
@example({"tables": {"2": "SOP"}})
@example({"models": [{"name": "", "network": "a:b", "embeddings": {}}]})
def test_any_values_are_settings_or_one_line(tmp_path_factory, values):
    file = tmp_path_factory.getbasetemp() / "values.yaml"
    file.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    assert isinstance(in_one_line(lambda: load_settings(file)), Settings | None)


@many
@given(st.dictionaries(PRINTABLE, PLAIN, min_size=1))
def test_json_is_read_as_what_it_is(tmp_path_factory, content):
    """YAML 1.2 has all of JSON in it."""
    file = tmp_path_factory.getbasetemp() / "json.yaml"
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    assert yaml_files.read(file, dict, "hint") == content


@pytest.mark.parametrize(
    "text, value",
    [("1e-4", 1e-4), ("010", 10), ("no", "no"), ("1:30", "1:30"), ("2020-01-01", "2020-01-01"), ("1_000", "1_000"),
     ("None", "None"), ("~", None), ("'5'", "5"), ("True", True), ("{2: x}", {2: "x"})],
)  # fmt: skip
def test_words_of_yaml(tmp_path, text, value):
    (tmp_path / "a.yaml").write_text(f"key: {text}\n")
    assert yaml_files.read(tmp_path / "a.yaml", dict, "hint") == {"key": value}


def test_aliases_are_followed_while_they_are_few(tmp_path):
    (tmp_path / "a.yaml").write_text(
        yaml.dump({"a": (shared := {"lr": 1, "decay": [1, 2]}), "b": [shared, shared]})
    )
    assert "*id001" in (tmp_path / "a.yaml").read_text()
    assert yaml_files.read(tmp_path / "a.yaml", dict, "hint") == {
        "a": shared,
        "b": [shared, shared],
    }


# ---------------------------------------------------------------------------------------------------------------------
# CSV.
# ---------------------------------------------------------------------------------------------------------------------
COLUMNS = {"name": str, "count": int, "score": float}
ROWS = st.lists(
    st.tuples(
        PRINTABLE, st.integers(-(10**17), 10**17), st.floats(allow_nan=True, allow_infinity=False)
    ),
    max_size=5,
)
CSV_TEXTS = st.lists(
    st.sampled_from(
        [*"0123456789.,;\"'\n\r e-+_", "name,count,score\n", "nan", "inf", "\0", "\ufeff", "٢"]
    ),
    max_size=30,
).map("".join)


@many
@given(ROWS)
def test_what_is_written_is_read(tmp_path_factory, rows):
    file = tmp_path_factory.getbasetemp() / "table.csv"
    csv_files.write(file, rows, COLUMNS)
    found = list(csv_files.read(file, COLUMNS).itertuples(index=False, name=None))
    assert [tuple(map(repr, row)) for row in found] == [
        (repr(a), repr(b), repr(c)) for a, b, c in rows
    ]


def test_names_are_written_so_that_pandas_reads_them(tmp_path):
    columns = {"loss": str, "type_b": str, "note": str}
    csv_files.write(
        tmp_path / "a.csv", [("None", "None", "None"), ("ArcFace", "Ranking", "x")], columns
    )
    assert (
        tmp_path / "a.csv"
    ).read_text() == "loss,type_b,note\nUntrained,Untrained,None\nArcFace,Ranking,x\n"
    assert csv_files.read(tmp_path / "a.csv", columns).loss.tolist() == ["None", "ArcFace"]
    for text in ("None", "", "NA"):
        (tmp_path / "a.csv").write_text(f"loss,type_b,note\nArcFace,{text},x\n")
        with pytest.raises(
            InputError, match=f"line 2, column type_b: '{text}' reads as a missing value"
        ):
            csv_files.read(tmp_path / "a.csv", columns)


def test_words_for_missing_values_are_those_of_pandas(tmp_path):
    words = sorted(csv_files.MISSING_WORDS)
    (tmp_path / "a.csv").write_text(
        "word,x\n" + "".join(f"{word},x\n" for word in [*words, "Untrained", "all"])
    )
    assert pd.read_csv(tmp_path / "a.csv").word.isna().tolist() == [True] * len(words) + [
        False,
        False,
    ]
    from pandas._libs.parsers import STR_NA_VALUES

    assert csv_files.MISSING_WORDS == STR_NA_VALUES


@many
@given(
    st.binary(max_size=60)
    | CSV_TEXTS.map(str.encode)
    | CSV_TEXTS.map(lambda text: f"name,count,score\n{text}\n".encode())
)
@example(b"name,count,score\na,1,1\n\nb,2,\n")
def test_any_bytes_are_a_table_or_one_line(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(content)
    table = in_one_line(lambda: csv_files.read(file, COLUMNS, key=["name"]))
    if table is not None:
        assert list(table.columns) == list(COLUMNS) and not table.name.duplicated().any()
        assert all(type(count) is int for count in table["count"].tolist())


@many
@given(st.text(alphabet=string.printable + "٢Ⅷ½", max_size=9))
@example("1_000")
@example(" 5")
@example("0x10")
@example("5\n")
def test_numbers_are_what_they_look_like(text):
    for kind in (csv_files.whole, csv_files.number):
        try:
            value = kind(text)
        except ValueError:
            continue
        assert set(text) <= set("0123456789+-.eE") and float(text) == value


def test_values_are_compared_as_numbers():
    hue = csv_files.one_of((0.0, 0.1, 0.3, 1))
    assert [hue(text) for text in ("0.30", ".3", "3e-1", "1.0", "-0")] == [0.3, 0.3, 0.3, 1, 0]
    for text in ("0.30000001", "0,3", "", "nan", "inf", "1e999", "one"):
        with pytest.raises(ValueError, match="is not one of 0.0, 0.1, 0.3, 1"):
            hue(text)


# ---------------------------------------------------------------------------------------------------------------------
# Others.
# ---------------------------------------------------------------------------------------------------------------------
@many
@given(st.binary(max_size=60) | PLAIN.map(lambda content: json.dumps(content).encode()))
def test_any_bytes_are_a_record_or_one_line(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_bytes(content)
    assert isinstance(in_one_line(lambda: atomic_files.read_json(file)), dict | None)


@many
@given(
    st.lists(
        st.sampled_from([*"0123456789 \n/.", "..", "a.jpg", "\n1 a/b.jpg\n", "é", "\0", "\u2028"]),
        max_size=20,
    ).map("".join)
)
def test_any_text_is_a_list_of_images_or_one_line(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()
    for name in ("images.txt", "classes.txt"):
        (folder / name).write_text(text, encoding="utf-8")
    in_one_line(lambda: annotations.numbered(folder / "images.txt", folder / "classes.txt", 200))
    in_one_line(lambda: annotations.table(folder / "images.txt", 200))
