"""Selection on the test set, by hand and from the log of a training."""

import pandas as pd
import pytest

from dml_analysis.reality_check import model_selection
from dml_analysis.training.training_logs import LOG_COLUMNS
from tests import fake_data


def steps(loss, fold, *rows):
    """Rows of a log, from (iteration, validation MAP@R, test Precision@1, test MAP@R)."""
    for iteration, validation, precision, map_at_r in rows:
        yield {"loss": loss, "type": "Ranking", "dataset": "D", "fold": fold, "iteration": iteration, "validation_map_at_r": validation,
               "test_precision_at_1_only_shown": precision, "test_map_at_r_only_shown": map_at_r}  # fmt: skip


def test_by_hand():
    log = pd.DataFrame([
        *steps("A", 0, (0, 0.9, 0.9, 0.9), (5, 0.3, 0.50, 0.2), (10, 0.2, 0.70, 0.1)),  # the start is never taken
        *steps("A", 1, (0, 0.1, 0.1, 0.1), (5, 0.3, 0.30, 0.2), (10, 0.4, 0.40, 0.3)),
        *steps("B", 0, (5, 0.1, 0.46, 0.2), (10, 0.2, 0.48, 0.4)), *steps("B", 1, (5, 0.1, 0.46, 0.2), (10, 0.2, 0.48, 0.4)),
    ]).reindex(columns=list(LOG_COLUMNS))  # fmt: skip
    rows = pd.DataFrame(
        model_selection.compared(log, ["B", "A", "C"]), columns=list(model_selection.COLUMNS)
    ).set_index(["measure", "loss"])
    assert [name for _, name in rows.index] == ["B", "A"] * 2
    # A at its best validation steps: (.5 + .4) / 2, and at its best on test: (.7 + .4) / 2; B both times .48
    a, b = rows.loc["precision_at_1", "A"], rows.loc["precision_at_1", "B"]
    assert a[
        ["chosen_on_validation", "chosen_on_test", "gain_by_peeking"]
    ].tolist() == pytest.approx([0.45, 0.55, 0.1])
    assert a[["n_folds", "rank_on_validation", "rank_on_test", "rank_change"]].tolist() == [
        2,
        2,
        1,
        1,
    ]
    assert b[["chosen_on_validation", "chosen_on_test", "rank_change"]].tolist() == pytest.approx(
        [0.48, 0.48, -1]
    )
    # MAP@R: A (.2 + .3) / 2 both times, B .4
    assert rows.loc["map_at_r", "A"][
        ["chosen_on_validation", "gain_by_peeking"]
    ].tolist() == pytest.approx([0.25, 0])


def test_the_script(whole, tiles, run_inside):
    settings = fake_data.write_tiles_settings(tiles, whole)
    output = run_inside("reality_check/6_compare_choices.py", settings)
    rows = fake_data.read_rows(whole / "results/tiles/reality_check/choices_Tiles.csv")
    log = fake_data.read_rows(whole / "results/tiles/reality_check/training_log_Tiles.csv")
    assert [(row["loss"], row["measure"]) for row in rows] == [
        (loss, measure) for measure in model_selection.MEASURES for loss in ("Contrastive", "ArcFace")]  # fmt: skip
    for row in rows:
        some = [float(step[f"test_{row['measure']}_only_shown"]) for step in log
                if step["loss"] == row["loss"] and step["iteration"] != "0"]  # fmt: skip
        assert float(row["chosen_on_test"]) == max(some) >= float(row["chosen_on_validation"])
    markdown = (whole / "results/tiles/reality_check/choices_Tiles.md").read_text()
    assert "Networks trained here" in markdown and "ArcFace" in markdown
    assert "2 losses change their rank" in output


def test_without_test_measures(tiles, tmp_path, run_inside, fails):

    settings = fake_data.write_tiles_settings(
        tiles, tmp_path, training=fake_data.TILES_TRAINING | {"keep_embeddings": False}
    )
    run_inside("reality_check/2_train_models.py", settings, "--models", "Contrastive")
    assert "no measures of test images" in fails("reality_check/6_compare_choices.py", settings)
