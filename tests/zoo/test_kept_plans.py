"""Plans of large zoos in the user's cache."""

import os

import pytest

from wsl.settings.distributions import Choice, LogUniform
from wsl.zoo import kept_plans
from wsl.zoo.kept_plans import kept_plan
from wsl.zoo.plan import plan_members

SHARES = {"train": 8, "validation": 1, "test": 1}
RATES = {"adam": LogUniform(loguniform=[1e-3, 1e-2])}
DRAWN = {"optimizer": Choice(choice=["adam"]), "batch_size": Choice(choice=[16, 32])}


def arguments(seed=0, members=30, rates=RATES, group=None):
    return seed, list("abcdefghijkl"), members, 3, SHARES, DRAWN, rates, group


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """How often a plan was drawn, with a cache of its own and plans of over ten members kept."""
    counts = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept_plans, "FEW", 10)
    monkeypatch.setattr(kept_plans, "plan_members", lambda *given: counts.append(1) or plan_members(*given))
    return counts


def test_a_kept_plan_is_the_one_that_was_drawn(drawn):
    first, again = kept_plan(*arguments()), kept_plan(*arguments())
    assert first == again == plan_members(*arguments()) and len(drawn) == 1
    assert [list(row) for row in again] == [list(row) for row in first]  # the order of columns too


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"members": 31},
        {"rates": {"adam": LogUniform(loguniform=[1e-3, 2e-2])}},
        {"group": lambda name: "first" if name in "abcdef" else "second"},
    ],
)
def test_another_plan_is_drawn_anew(drawn, changes):
    kept_plan(*arguments())
    assert kept_plan(*arguments(**changes)) == plan_members(*arguments(**changes)) and len(drawn) == 2


def test_a_damaged_or_outdated_file_is_not_read(drawn, tmp_path, monkeypatch):
    plan = kept_plan(*arguments())
    (path,) = (tmp_path / "wsl" / "plans").iterdir()
    path.write_text(path.read_text()[:-20])
    assert kept_plan(*arguments()) == plan and len(drawn) == 2
    edited = tmp_path / "plan.py"
    edited.write_text("# another version\n")
    monkeypatch.setattr(kept_plans, "CODE", (edited,))
    kept_plan(*arguments())
    assert len(drawn) == 3


def test_the_last_plans_are_kept(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_plans, "KEPT", 2)
    for seed in (0, 1, 2):
        kept_plan(*arguments(seed=seed))
        for path in (tmp_path / "wsl" / "plans").iterdir():
            os.utime(path, (path.stat().st_mtime - 9,) * 2)
    kept_plan(*arguments(seed=2))
    assert len(list((tmp_path / "wsl" / "plans").iterdir())) == 2 and len(drawn) == 3
    kept_plan(*arguments(seed=0))
    assert len(drawn) == 4


def test_small_plans_are_not_kept(drawn, tmp_path):
    kept_plan(*arguments(members=10))
    assert not (tmp_path / "wsl").exists()
