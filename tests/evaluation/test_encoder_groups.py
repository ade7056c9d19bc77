"""Reconstructions by hyper-parameter: means of the rows of the members with each value."""

import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from wsl.errors import ConfigError
from wsl.evaluation.encoder_groups import encoder_groups
from wsl.runs.run import Run
from wsl.zoo.few_sets import MEMBERS
from wsl.zoo.index import open_zoo

SMALL = {"run": "a", "images": {"source": "digits"}, "evaluation": {"bench": {"encoders": {"p": {"encoder": "pca"}}}}}


def test_members_are_divided_by_the_values_of_their_plan(zoo, tmp_path):
    with open_zoo(zoo.train) as opened:
        members = opened.members
    number, values = members["member"].tolist(), members["optimizer"].tolist()  # adam, sgd, adam
    agreement = [0.2 + 0.1 * place for place in range(len(number))]
    table = pd.DataFrame({"part": "train", "member": number, "task": members["task"], "latent_size": 3})
    for metric in ("agreement", "correlation", "cosine"):
        table[metric] = table[f"{metric}_bn"] = agreement
    table = table.assign(accuracy_bn=0.3, original_accuracy=0.6)
    table.to_csv(tmp_path / "m.csv", index=False)
    table[["part", "member", "task", "latent_size"]].to_csv(tmp_path / "n.csv", index=False)  # does not decode
    files = [tmp_path / "m.csv", tmp_path / "n.csv"], [zoo.train], tmp_path / "out.csv"
    encoder_groups(*files, ["a", "b"], ["optimizer"], MEMBERS)
    found = pd.read_csv(tmp_path / "out.csv").set_index("value")
    assert set(found["encoder"]) == {"a"} and set(found["hyper-parameter"]) == {"optimizer"}
    assert found.index.tolist() == ["adam", "sgd"]
    for value, row in found.iterrows():
        own = [score for score, other in zip(agreement, values, strict=True) if other == value]
        assert row["agreement_bn"] == pytest.approx(sum(own) / len(own), abs=1e-4)
        assert row["members"] == len(own) and row["accuracy_kept"] == 0.5 and row["original_accuracy"] == 0.6
        if len(own) > 1:
            mean = sum(own) / len(own)
            reach = stats.t.ppf(0.975, len(own) - 1) * stats.sem(own) / (mean * (1 - mean))
            assert [row["low"], row["high"]] == pytest.approx(
                expit([logit(mean) - reach, logit(mean) + reach]), abs=1e-4
            )


def test_hyper_parameters_that_members_lack_are_refused_before_any_job():
    bench = {**SMALL["evaluation"]["bench"], "by": ["depth"]}
    with pytest.raises(ConfigError, match=r"evaluation\.bench\.by: members have no depth; choose from .*learning_rate"):
        Run({**SMALL, "evaluation": {"bench": bench}})
    with pytest.raises(ConfigError, match="by: it has no effect without `encoders`"):
        Run({**SMALL, "evaluation": {"bench": {"by": ["optimizer"]}}})
    Run({**SMALL, "evaluation": {"bench": {**bench, "by": ["optimizer", "learning_rate"]}}})
