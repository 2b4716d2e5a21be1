"""Embeddings and labels of every kind, through every function of the API that takes them: one answer from all."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import dml_analysis
from dml_analysis.metrics.coordinates import ZeroEmbedding, unit
from dml_analysis.metrics.inputs import property_codes
from dml_analysis.paper import RAW_EUCLIDEAN

RNG = np.random.default_rng(0)
N = 24
EMBEDDINGS = RNG.normal(size=(N, 3)).round(1)  # which float16 and bfloat16 tell apart
CODES = np.arange(N) % 3
NAMES = np.array(["ape", "bee", "cat"])

# Of embeddings and class labels; each gives numbers that can be compared.
FUNCTIONS = {
    "nr_precision": lambda x, y: dml_analysis.nr_precision(x, y),
    "permutation_null": lambda x, y: dml_analysis.permutation_null(x, y, 5, seed=0),
    "retrieval_scores": lambda x, y: dml_analysis.retrieval_scores(x, y),
    "retrieval_scores, raw": lambda x, y: dml_analysis.retrieval_scores(x, y, RAW_EUCLIDEAN),
    "embedding_geometry": lambda x, y: dml_analysis.embedding_geometry(x, y),
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --------------------------------------------------------------------------------------------------
# Labels.
# --------------------------------------------------------------------------------------------------
SAME_LABELS = {
    "in a column": CODES[:, None],
    "far apart": np.array([5, 10**12, 7])[CODES],
    "below zero": CODES - 2,
    "unsigned": CODES.astype(np.uint8),
    "texts": NAMES[CODES],
    "objects": NAMES[CODES].astype(object),
    "floats": CODES / 4,
    "a list": CODES.tolist(),
    "a tensor": torch.tensor(CODES),
    "a column of pandas": pd.Series(NAMES[CODES], index=np.arange(N) + 100),
    "categories": pd.Series(NAMES[CODES], dtype="category"),
    "nullable integers": pd.Series(CODES, dtype="Int64"),
    "a table": pd.DataFrame({"kind": NAMES[CODES]}),
    "read-only": np.frombuffer(CODES.tobytes(), dtype=CODES.dtype),
}


@every_function
@pytest.mark.parametrize("labels", SAME_LABELS.values(), ids=SAME_LABELS)
def test_labels_are_values_of_any_kind(function, labels):
    expected = function(EMBEDDINGS, CODES)
    np.testing.assert_allclose(function(EMBEDDINGS, labels), expected, rtol=1e-12)


@every_function
def test_two_labels(function):
    is_first = CODES == 0
    expected = function(EMBEDDINGS, is_first.astype(int))
    np.testing.assert_array_equal(function(EMBEDDINGS, is_first), expected)
    assert np.isfinite(expected).all()


WITH_NAN = np.where(CODES == 1, np.nan, CODES)
BAD_LABELS = {
    "one NaN": (np.where(np.arange(N) == 3, np.nan, CODES), "labels contain NaN or missing values"),
    "one None": ([None, *NAMES[CODES][1:]], "labels contain NaN or missing values"),
    "one missing": (pd.Series([pd.NA, *CODES[1:]], dtype="Int64"), "labels contain NaN or missing values"),
    "a table with NaN": (pd.DataFrame({"kind": WITH_NAN}), "labels contain NaN or missing values"),
    "too few": (CODES[1:], f"need labels of all {N} images, not of {N - 1}"),
    "none": ([], "need labels of at least one image"),
    "a missing category": (pd.Series([None, *NAMES[CODES][1:]], dtype="category"), "labels contain NaN or missing values"),
    "of two types": (pd.Series(["a", *CODES[1:].tolist()], dtype=object), "labels of different types have no order"),
    "of three dimensions": (CODES.reshape(-1, 1, 1), r"need labels \(n,\) or \(n, k\), not \(24, 1, 1\)"),
}  # fmt: skip


@every_function
@pytest.mark.parametrize("labels, words", BAD_LABELS.values(), ids=BAD_LABELS)
def test_labels_that_are_refused(function, labels, words):
    with pytest.raises(ValueError, match=words):
        function(EMBEDDINGS, labels)


@pytest.mark.parametrize("name", ["retrieval_scores", "embedding_geometry"])
def test_classes_are_one_label_of_each_image(name):
    with pytest.raises(ValueError, match="need one class label for each image, not 2"):
        FUNCTIONS[name](EMBEDDINGS, np.stack([CODES, CODES], axis=1))


def test_labels_that_are_all_unique_leave_no_query():
    unique = np.arange(N)
    assert np.isnan(dml_analysis.nr_precision(EMBEDDINGS, unique)).all()
    assert np.isnan(dml_analysis.permutation_null(EMBEDDINGS, unique, 2, 0)).all()
    assert np.isnan(dml_analysis.retrieval_scores(EMBEDDINGS, unique)).all()
    geometry = dml_analysis.embedding_geometry(EMBEDDINGS, unique)
    assert np.isnan([geometry.pi_intra, geometry.pi_ratio]).all() and geometry.pi_inter > 0


def test_an_image_alone_in_its_class_is_no_query_but_a_neighbour():
    """Of the others, the first two find each other, and the last two do not, as the lone one is nearest."""
    line, labels = np.array([[0.0], [1], [9], [10.5], [12]]), [0, 0, 1, 2, 1]
    assert dml_analysis.nr_precision(line, labels).r_precision == [1 / 2]
    assert dml_analysis.retrieval_scores(line, labels, RAW_EUCLIDEAN).r_precision == 1 / 2
    around = [[1, 0], [1, 0], [0, 1], [-1, 0], [0, 1]]
    assert dml_analysis.embedding_geometry(around, labels).pi_intra == 0


# --------------------------------------------------------------------------------------------------
# Embeddings.
# --------------------------------------------------------------------------------------------------
READ_ONLY = EMBEDDINGS.copy()
READ_ONLY.flags.writeable = False
EMBEDDINGS_OF_ANY_KIND = {
    "float16": (EMBEDDINGS.astype(np.float16), 1e-3),
    "float32": (EMBEDDINGS.astype(np.float32), 1e-6),
    "long double": (EMBEDDINGS.astype(np.longdouble), 1e-15),
    "integers": ((10 * EMBEDDINGS).round().astype(np.int16), 1e-12),
    "other byte order": (EMBEDDINGS.astype(">f8"), 1e-15),
    "columns first": (np.asfortranarray(EMBEDDINGS), 1e-15),
    "a view": (np.repeat(EMBEDDINGS, 2, axis=0)[::2], 1e-15),
    "read-only": (READ_ONLY, 1e-15),
    "lists": (EMBEDDINGS.tolist(), 1e-15),
    "a tensor": (torch.tensor(EMBEDDINGS), 1e-15),
    "a tensor with gradients": (torch.tensor(EMBEDDINGS, requires_grad=True) * 1, 1e-15),
    "a tensor of bfloat16": (torch.tensor(EMBEDDINGS).bfloat16(), 1e-2),
    "a table": (pd.DataFrame(EMBEDDINGS, index=np.arange(N)[::-1]), 1e-15),
    "a table of two types": (pd.DataFrame(EMBEDDINGS).astype({0: "float32", 1: "Float64"}), 1e-6),
    "huge": (EMBEDDINGS.astype(np.float32) * np.float32(1e37), 1e-6),
    "beyond the root of float64": (EMBEDDINGS * 1e300, 1e-12),
    "tiny": (EMBEDDINGS * 1e-300, 1e-12),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", EMBEDDINGS_OF_ANY_KIND)
def test_embeddings_are_numbers_of_any_kind(name, kind):
    """Ranks may move only where rounding moves embeddings; no input is changed."""
    given, tolerance = EMBEDDINGS_OF_ANY_KIND[kind]
    before = np.array(pd.DataFrame(given.detach().float() if torch.is_tensor(given) else given))
    found, expected = FUNCTIONS[name](given, CODES), FUNCTIONS[name](EMBEDDINGS, CODES)
    is_rounded = name == "embedding_geometry" or tolerance < 1e-7
    np.testing.assert_allclose(found, expected, atol=max(tolerance, 1e-12) if is_rounded else 0.1)
    after = np.array(pd.DataFrame(given.detach().float() if torch.is_tensor(given) else given))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"permutation_null"}))
def test_the_order_of_images_does_not_matter(name):
    """Of all but permutation_null, whose sample of permutations is of the images in their order."""
    order, function = np.random.default_rng(1).permutation(N), FUNCTIONS[name]
    np.testing.assert_allclose(
        function(EMBEDDINGS[order], CODES[order]), function(EMBEDDINGS, CODES), rtol=1e-12
    )


WORDS = "embeddings contain NaN or infinite values"
BAD_EMBEDDINGS = {
    "one NaN": (np.where(EMBEDDINGS == EMBEDDINGS[2, 1], np.nan, EMBEDDINGS), WORDS),
    "one infinite": (np.where(EMBEDDINGS == EMBEDDINGS[2, 1], -np.inf, EMBEDDINGS), WORDS),
    "one missing": (pd.DataFrame(EMBEDDINGS).astype("Float64").replace(EMBEDDINGS[2, 1], pd.NA), WORDS),
    "of one dimension": (EMBEDDINGS[:, 0], r"need embeddings \(n, d\), n and d above 0, not \(24,\)"),
    "without images": (EMBEDDINGS[:0], r"need embeddings \(n, d\), n and d above 0, not \(0, 3\)"),
    "without dimensions": (EMBEDDINGS[:, :0], r"need embeddings \(n, d\), n and d above 0, not \(24, 0\)"),
    "texts": (EMBEDDINGS.astype(str), "embeddings must be numbers, not <U"),
    "texts in a table": (pd.DataFrame(EMBEDDINGS.astype(str)), "embeddings must be numbers"),
    "truth values": (EMBEDDINGS > 0, "embeddings must be numbers, not bool"),
    "complex": (EMBEDDINGS * 1j, "embeddings must be numbers, not complex128"),
}  # fmt: skip


@every_function
@pytest.mark.parametrize("embeddings, words", BAD_EMBEDDINGS.values(), ids=BAD_EMBEDDINGS)
def test_embeddings_that_are_refused(function, embeddings, words):
    with pytest.raises(ValueError, match=words):
        function(embeddings, CODES)


def test_a_zero_embedding_has_no_direction():
    """Whatever the distance, if it normalises: the image is named."""
    embeddings = EMBEDDINGS.copy()
    embeddings[7] = 0
    for function in (
        FUNCTIONS["retrieval_scores"],
        FUNCTIONS["embedding_geometry"],
        lambda x, y: unit(x),
        lambda x, y: dml_analysis.retrieval_scores(x, y, "SNR Distance"),
    ):
        with pytest.raises(ZeroEmbedding, match="embedding 7 is zero") as error:
            function(embeddings, CODES)
        assert error.value.row == 7
    for name in ("nr_precision", "retrieval_scores, raw"):
        assert np.isfinite(FUNCTIONS[name](embeddings, CODES)).all()


def test_unit_embeddings_by_hand():
    for scale in (1, 1e-320, 4e307):
        np.testing.assert_allclose(unit([[3 * scale, -4 * scale]]), [[0.6, -0.8]], rtol=1e-3)


# --------------------------------------------------------------------------------------------------
# Properties.
# --------------------------------------------------------------------------------------------------
def test_property_codes_by_hand():
    table = pd.DataFrame(
        {"size": [0.5, 2, 0.5], "is_red": [True, False, False], "make": ["b", "a", "c"],
         "level": pd.Categorical(["low", "high", "low"], ["low", "middle", "high"], ordered=True)},
        index=[7, 8, 9],
    )  # fmt: skip
    expected = [[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 2, 0]]
    np.testing.assert_array_equal(property_codes(table), expected)
    np.testing.assert_array_equal(property_codes(table.make), [[1], [0], [2]])
    assert property_codes([10**12, 5]).tolist() == [[1], [0]]


# --------------------------------------------------------------------------------------------------
# Other arrays.
# --------------------------------------------------------------------------------------------------
MAPS = np.random.default_rng(2).uniform(size=(2, 4, 4)).round(2)
OTHERS = {
    "pearson": lambda kind: dml_analysis.pearson(kind(MAPS[0]), kind(MAPS[1])),
    "jensen_shannon": lambda kind: dml_analysis.jensen_shannon(kind(MAPS[0]), kind(MAPS[1])),
    "fisher_mean": lambda kind: dml_analysis.fisher_mean(kind(MAPS[0][0])),
    "fisher_std": lambda kind: dml_analysis.fisher_std(kind(MAPS[0][0])),
    "mann_whitney": lambda kind: dml_analysis.mann_whitney(kind(MAPS[0][0]), kind(MAPS[1][0])),
}
KINDS = {
    "float16": lambda x: x.astype(np.float16),
    "columns first": np.asfortranarray,
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "a tensor with gradients": lambda x: torch.tensor(x, requires_grad=True),
    "bfloat16": lambda x: torch.tensor(x).bfloat16(),
    "pandas": lambda x: pd.DataFrame(x) if x.ndim == 2 else pd.Series(x, index=[4, 3, 2, 1]),
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_other_arrays_of_any_kind(name, kind):
    tolerance = {"float16": 3e-3, "bfloat16": 3e-2}.get(kind, 1e-15)
    np.testing.assert_allclose(OTHERS[name](KINDS[kind]), OTHERS[name](np.array), atol=tolerance)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pandas"])
def test_gradients_of_any_kind(kind):
    gradients = np.random.default_rng(3).normal(size=(2, 3, 4, 4))
    found = dml_analysis.saliency_map(KINDS[kind](gradients), "released")
    expected = dml_analysis.saliency_map(gradients, "released")
    np.testing.assert_allclose(
        found, expected, atol={"float16": 3e-3, "bfloat16": 3e-2}.get(kind, 0)
    )
