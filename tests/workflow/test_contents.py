"""What a run's files hold: members as planned, models that load."""

import re
from collections import Counter

import pandas as pd
import pytest
import torch

from tests.networks import resnet18, resnet18_layout
from wsl.files.plain import read_json
from wsl.files.tensors import read_tensors
from wsl.runs.disk import disk_needs
from wsl.runs.run import Run
from wsl.zoo.member import read_member

pytestmark = pytest.mark.slow

TEST_MEMBERS = (2, 5)
LAYOUT = resnet18_layout(2, 3)


@pytest.fixture(scope="module")
def plan(tiny_config):
    return Run(tiny_config).plan


def test_plan_and_members_agree(results, plan):
    table = pd.read_csv(results / "zoo" / "plan.csv")
    assert table.to_dict("records") == [{**row, "classes": "/".join(row["classes"])} for row in plan]
    assert Counter(table["part"]) == {"train": 4, "validation": 2, "test": 2}
    assert set(table["optimizer"]) == {"adam", "sgd"}
    for row in plan:
        member = read_member(results / "zoo" / "members" / f"{row['member']:05d}.h5")
        extra = {
            "architecture": "resnet18",
            "width": 2,
            "stem": 7,
            "momentum": 0.9 if row["optimizer"] == "sgd" else 0.0,
        }
        planned = {key: value for key, value in row.items() if key != "part"}
        assert member.plan == {**planned, **extra, "schedule": "constant", "augment": False}
        assert member.snapshots["epoch"].tolist() == [row["early_epoch"], row["max_epoch"]]
        assert member.weights.shape == (2, LAYOUT.size)


@pytest.mark.parametrize("member", TEST_MEMBERS)
def test_sampled_model_loads_and_says_what_it_is(results, plan, tiny_config, member):
    state, about = read_tensors(results / "sampling" / "models" / f"{member:05d}.safetensors")
    network = resnet18(width=2, classes=3)
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in network.state_dict().items()
    }
    network.load_state_dict(state, strict=True)
    with torch.no_grad():
        logits = network.eval()(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (4, 3) and logits.isfinite().all()
    bins = read_json(results / "outcomes" / "bins.json")
    best = next(place for place, count in enumerate(bins["counts"]) if count)
    assert about == {
        "run": "tiny",
        "architecture": {"name": "resnet18", "stem": 7, "width": 2},
        "size": 32,
        "encoder": Run(tiny_config).config.datasets.model_dump(mode="json"),
        "sampler": "projection",
        "member": member,
        "classes": plan[member]["classes"],
        "request": {"outcome_bin": best, "validation_loss": bins["edges"][best : best + 2]},
        "preprocessing": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": "pixels / 255"},
    }


def test_a_run_takes_the_disk_that_was_reckoned(results, tiny_config):
    needs = disk_needs(Run(tiny_config))
    found = {name: sum(path.stat().st_size for path in (results / name).rglob("*.h5")) for name in ("zoo", "images")}
    # Each file has a header of some kilobytes, and networks so small have little more.
    assert needs["zoo"] < found["zoo"] < needs["zoo"] + 100_000 * len(list((results / "zoo").rglob("*.h5")))
    assert found["images"] == pytest.approx(needs["images"], rel=0.1)


def test_every_file_is_in_the_reference(results, repository):
    text = (repository / "docs" / "reference" / "files.md").read_text()
    cells = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    named = [path for cell in cells for path in re.findall(r"`([^`]+\.[^`]+|images/complete)`", cell)]
    wild = {re.escape("NNNNN"): r"\d{5,7}", "<draw>": r"\d+", "<part>": "(train|validation|test|unseen)"}

    def pattern(path):
        path = re.escape(path)
        for name, matched in wild.items():
            path = path.replace(name, matched)
        return re.sub(r"<\w+>", "[^/]+", path)

    known = re.compile("|".join(map(pattern, named)))
    files = [str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()]
    assert len(files) > 150
    assert [path for path in files if not known.fullmatch(path)] == []
