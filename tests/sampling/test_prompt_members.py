"""Prompt members of zoos whose tasks and outcomes are known, by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from wsl.files.plain import write_json
from wsl.sampling.prompt_members import PromptMembers, PromptSettings

MEANS = {name: np.eye(6, dtype=np.float32)[place] for place, name in enumerate("abcdef")}
LOSSES = [0.5, 0.1, 0.9, 0.3, 0.7, 0.2]  # of the max snapshots of members 0 to 5
WHOLE = ["a/b/c", "a/b/c", "d/e/f", "a/b/c", "a/b/c", "d/e/f"]


@pytest.fixture
def zoo(tmp_path):
    """Makes the prompt members of a zoo by its tasks; each member has an early and a max snapshot."""

    def make(tasks):
        rows = [(member, task, loss) for member, (task, loss) in enumerate(zip(tasks, LOSSES, strict=True))]
        table = [(m, kind, task, loss + more) for m, task, loss in rows for kind, more in (("early", 5), ("max", 0))]
        snapshots = pd.DataFrame(table, columns=["member", "snapshot", "task", "validation_loss"])
        write_json(tmp_path / "bins.json", {"edges": [0.1, 0.4, 0.7, 1.0], "counts": [1, 1, 1], "interpolate": False})

        def embed(tasks, images=None):
            return np.stack([np.concatenate([MEANS[name] for name in task.split("/")]) for task in tasks])

        opened = SimpleNamespace(snapshots=snapshots, trained=np.arange(1, 12, 2))
        files = SimpleNamespace(bins=tmp_path / "bins.json")
        run = SimpleNamespace(
            zoo=opened, files=files, layout=SimpleNamespace(classes=3), class_means=SimpleNamespace(embed=embed)
        )
        members = PromptMembers(run)
        return SimpleNamespace(members=members, of=lambda task: embed([task])[0])

    return make


def numbers(chosen):
    return [(member.row - 1) // 2 for member in chosen]


def test_the_best_members_of_the_task_are_prompts_in_random_order(zoo):
    run = zoo(WHOLE)
    half = PromptSettings(share=0.5)
    orders = {tuple(numbers(run.members.choose(run.of("a/b/c"), 0.2, seed, half))) for seed in range(20)}
    assert orders == {(1, 3), (3, 1)}  # losses .1 and .3 of .1, .3, .5, .7
    assert numbers(run.members.choose(run.of("d/e/f"), 0.2, 0, half)) == [5]
    assert len(run.members.choose(run.of("a/b/c"), 0.2, 0, PromptSettings(share=1))) == 4


def test_a_requested_loss_above_the_best_bin_selects_members_near_it(zoo):
    run = zoo(WHOLE)
    half = PromptSettings(share=0.5)
    assert set(numbers(run.members.choose(run.of("a/b/c"), 0.62, 0, half))) == {0, 4}  # losses .5 and .7
    assert numbers([run.members.nearest(run.of("a/b/c"), 0.65)]) == [4]
    assert numbers([run.members.nearest(run.of("a/b/c"), 0.39)]) == [1]  # the best bin: the lowest loss


def test_a_count_draws_some_and_the_first_stays_the_same(zoo):
    run = zoo(WHOLE)
    for seed in range(5):
        everything = run.members.choose(run.of("a/b/c"), 0.2, seed, PromptSettings(share=1))
        one = run.members.choose(run.of("a/b/c"), 0.2, seed, PromptSettings(share=1, count=1))
        two = run.members.choose(run.of("a/b/c"), 0.2, seed, PromptSettings(share=1, count=1), least=2)
        assert one == everything[:1] and two == everything[:2]


def test_too_few_prompts_are_filled_from_the_task_and_then_from_the_next(zoo):
    run = zoo(WHOLE)
    few = PromptSettings(share=0.1)
    assert numbers(run.members.choose(run.of("a/b/c"), 0.2, 0, few, least=2)) == [1, 3]
    assert numbers(run.members.choose(run.of("d/e/f"), 0.2, 0, few, least=3)) == [5, 2, 1]
    assert len(run.members.choose(run.of("d/e/f"), 0.2, 0, few, least=9)) == 6  # the zoo has no more


def test_tasks_that_members_share_are_compared_in_their_own_order_alone(zoo):
    assert zoo(WHOLE).members.orders == [(0, 1, 2)]
    assert len(zoo(["a/b/c", "c/b/a", "d/e/f", "a/b/d", "a/b/e", "a/b/f"]).members.orders) == 6
    assert len(zoo(["a/b/c", "b/c/d", "d/e/f", "a/b/d", "a/b/e", "a/b/f"]).members.orders) == 6


def test_classes_are_reordered_as_requested(zoo):
    run = zoo(["a/b/c", "c/b/a", "d/e/f", "b/c/a", "d/e/a", "d/f/b"])
    chosen = run.members.choose(run.of("c/a/b"), 0.2, 0, PromptSettings(share=1))
    # "c/a/b" is made of the classes 2, 0, 1 of "a/b/c", 0, 2, 1 of "c/b/a" and 1, 2, 0 of "b/c/a".
    assert {n: member.order for n, member in zip(numbers(chosen), chosen, strict=True)} == {
        0: (2, 0, 1), 1: (0, 2, 1), 3: (1, 2, 0)
    }  # fmt: skip
