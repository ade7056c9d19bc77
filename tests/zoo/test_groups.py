"""The division of classes into three disjoint groups, however they are chosen."""

from itertools import combinations

import numpy as np
import pytest

from wsl.errors import ConfigError
from wsl.zoo.groups import group_classes

CLASSES = [f"c{number:02d}" for number in range(20)]


def divide(backbone=None, unseen=None, seed=0, needed=3, classes=CLASSES):
    return group_classes(seed, classes, backbone, unseen, needed)


@pytest.fixture
def listing(tmp_path):
    """A file of the names c04, c02 and c09."""
    path = tmp_path / "names.txt"
    path.write_text("c04 c02\n\nc09\n", encoding="utf-8")
    return path


def test_all_classes_are_for_tasks_where_nothing_is_chosen():
    assert divide() == {"tasks": CLASSES, "backbone": [], "unseen": []}


@pytest.mark.parametrize("backbone", [None, 5, ["c01", "c00", "c13"]])
@pytest.mark.parametrize("unseen", [None, 4, ["c19", "c02", "c03", "c05"]])
def test_every_class_is_in_one_group_and_groups_keep_the_order_of_classes(backbone, unseen):
    groups = divide(backbone, unseen)
    assert sorted(name for names in groups.values() for name in names) == CLASSES
    assert all(names == sorted(names) for names in groups.values())
    for choice, group in ((backbone, "backbone"), (unseen, "unseen")):
        expected = choice if isinstance(choice, int) else len(choice or [])
        assert len(groups[group]) == expected
        if isinstance(choice, list):
            assert set(groups[group]) == set(choice)


def test_the_order_of_classes_is_kept_where_it_is_no_alphabet():
    groups = divide(backbone=["a", "z"], classes=[*"zyxwa"])
    assert groups == {"tasks": [*"yxw"], "backbone": ["z", "a"], "unseen": []}


def test_a_file_stands_for_its_names(listing):
    assert divide(unseen=listing) == divide(unseen=["c04", "c02", "c09"])
    assert divide(backbone=listing)["backbone"] == ["c02", "c04", "c09"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_file_is_read_whatever_its_encoding(listing, encoding):
    mark = "\ufeff" if encoding.endswith("be") else ""
    listing.write_bytes(f"{mark}c04 c02\r\nc09\r\n".encode(encoding))
    assert divide(unseen=listing) == divide(unseen=["c04", "c02", "c09"])


def test_a_file_in_an_unknown_encoding_is_named(listing):
    listing.write_bytes("c04\nкоала\n".encode("cp1251"))
    with pytest.raises(ConfigError, match=r"^zoo\.unseen\.classes: .*names\.txt, line 2: byte 0xea is not UTF-8"):
        divide(unseen=listing)


def test_the_seed_draws_where_a_number_is_given():
    assert divide(5, 4) == divide(5, 4)
    assert divide(5, 4) != divide(5, 4, seed=1)
    drawn = [divide(10, seed=seed)["backbone"] for seed in range(200)]
    shares = [np.mean([name in names for names in drawn]) for name in CLASSES]
    assert min(shares) > 0.35 and max(shares) < 0.65


@pytest.mark.parametrize("other", [None, 2, 9])
def test_another_number_for_the_backbone_leaves_the_unseen_classes_as_they_are(other):
    assert divide(other, 4)["unseen"] == divide(5, 4)["unseen"]


def test_more_of_one_group_are_the_same_and_others():
    assert set(divide(5, 4)["backbone"]) < set(divide(8, 4)["backbone"])
    assert set(divide(unseen=4)["unseen"]) < set(divide(unseen=6)["unseen"])


@pytest.mark.parametrize("seed", range(10))
def test_a_number_never_draws_what_the_other_group_names(seed):
    # Twelve of twenty are named: a draw among all would nearly always include one.
    named = CLASSES[:12]
    for groups in (divide(named, 5, seed=seed), divide(5, named, seed=seed)):
        assert all(not set(names) & set(others) for names, others in combinations(groups.values(), 2))
        assert {len(names) for names in groups.values()} == {12, 5, 3}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"backbone": 21}, r"zoo\.backbone\.classes: 21 classes requested, but only 20 are left; request fewer"),
        ({"backbone": 17, "unseen": 4}, r"zoo\.backbone\.classes: 17 classes requested, but only 16 are left"),
        ({"unseen": ["c01", "c02", "yak"]}, r"zoo\.unseen\.classes: there is no class 'yak' among images\.classes"),
        (
            {"unseen": ["c01", "c02", "c03"], "backbone": ["c00", "c03"]},
            r"zoo\.backbone\.classes: the class 'c03' is in another group already; take it out of one of them",
        ),
        ({"backbone": 18}, r"images\.classes: 2 classes are left for tasks, but a task has 3; use more classes"),
        ({"unseen": 2}, r"zoo\.unseen\.classes: 2 classes are too few; give at least 3"),
        ({"unseen": []}, r"zoo\.unseen\.classes: 0 classes are too few"),
        ({"backbone": []}, r"zoo\.backbone\.classes: 0 classes are too few; give at least 2"),
        (
            {"backbone": ["c00", "c00"]},
            r"zoo\.backbone\.classes: the class 'c00' is listed twice; list each class once",
        ),
        ({"unseen": ["C01", "c02", "c03"]}, r"zoo\.unseen\.classes: there is no class 'C01' .*did you mean 'c01'"),
    ],
)
def test_an_impossible_choice_names_the_key_and_a_remedy(choices, message):
    with pytest.raises(ConfigError, match=rf"^{message}"):
        divide(**choices)


def test_every_fault_of_both_choices_is_named_at_once():
    with pytest.raises(ConfigError) as refused:
        divide(["c00", "yak", "gnu"], ["c01", "c02", "c02"])
    lines = [line.strip() for line in str(refused.value).splitlines()[1:]]
    assert [line.split(":")[0] for line in lines] == ["zoo.unseen.classes", *["zoo.backbone.classes"] * 2]


def test_a_file_may_list_names_with_spaces_one_per_line(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("polar bear\nc01 c02\n", encoding="utf-8")
    assert divide(unseen=path, classes=["polar bear", *CLASSES])["unseen"] == ["polar bear", "c01", "c02"]


def test_a_missing_or_mistaken_file_is_named(listing, tmp_path):
    with pytest.raises(ConfigError, match=r"^zoo\.unseen\.classes: there is no file .*nowhere\.txt; correct the path"):
        divide(unseen=tmp_path / "nowhere.txt")
    listing.write_text("c01 c02 bison")
    with pytest.raises(ConfigError, match=r"^zoo\.backbone\.classes: there is no class 'bison' among images\.classes"):
        divide(backbone=listing)
