"""The replication's analysis: rates that are chosen, and tests of its plan."""

import pandas as pd
import yaml

from dml_analysis.replication import learning_rates


def trials(rows):
    names = ["loss", "type", "learning_rate", "loss_rate_factor", "validation_map_at_r"]
    return pd.DataFrame(rows, columns=names).assign(iteration=50)


def test_rates_are_chosen_by_validation_classes():
    table = learning_rates.chosen(
        trials(
            [("A", "Ranking", 1e-5, 1, 0.2), ("A", "Ranking", 1e-4, 1, 0.3), ("A", "Ranking", 1e-3, 1, 0.1),
             ("B", "Classification", 1e-5, 1, 0.2), ("B", "Classification", 1e-4, 1, 0.1),
             ("B", "Classification", 1e-5, 100, 0.1), ("B", "Classification", 1e-4, 100, 0.2)]
        )
    )  # fmt: skip
    assert table.loss.tolist() == ["A", "B"] and table.trials.tolist() == [3, 4]
    assert table[["learning_rate", "loss_rate_factor"]].to_numpy().tolist() == [
        [1e-4, 1],
        [1e-5, 1],
    ]
    assert table.at_edge.tolist() == ["no", "yes"]
    settings = yaml.safe_load(learning_rates.as_settings(table))
    assert settings["by_method"]["A"] == {"learning_rate": 1e-4, "loss_rate_factor": 1}
