"""Class lists: names match classes as people write them, and what does not match is named with a hint."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsl.errors import DataError
from wsl.images.names import hint, listed_names, match_names, repeated_names, split_names

NFC, NFD = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
THERE = ["koala", "polar bear", "Paris, France", NFD, "sea-slug"]


def test_names_match_exactly_and_in_the_requested_order():
    matched = match_names(["polar bear", "koala"], THERE)
    assert matched.names == ["polar bear", "koala"] and matched.faults("here", "correct it") == []


@pytest.mark.parametrize("wanted", [NFC, NFD, f" {NFC}", f"{NFD} "])
def test_normalisation_and_spaces_around_do_not_matter_and_the_folders_spelling_is_kept(wanted):
    assert match_names([wanted], THERE).names == [NFD]


def test_of_two_classes_that_look_alike_only_the_exact_name_matches():
    assert match_names([NFC], [NFC, NFD]).names == [NFC]
    assert match_names([f" {NFC}"], [NFC, NFD]).missing == [f" {NFC}"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Koala", "koala"),
        ("koalla", "koala"),
        ("Polar_Bear", "polar bear"),
        ("polarbear", "polar bear"),
        ("sea slug", "sea-slug"),
        ("ｋｏａｌａ", "koala"),  # full-width letters
        ("paris, france", "Paris, France"),
    ],
)
def test_a_similar_name_is_suggested_and_does_not_match(name, meant):
    matched = match_names([name], THERE)
    assert matched.names == []
    assert matched.faults("here", "correct it") == [
        f"there is no class {name!r} here (did you mean {meant!r}?); correct it"
    ]


def test_nothing_is_suggested_if_nothing_is_similar():
    assert hint("zebra", THERE) == "" and hint("x", []) == ""


def test_a_name_that_looks_the_same_is_suggested_with_the_difference():
    assert hint(NFC, [NFD]) == r" ('cafe\u0301' differs from it in Unicode normalisation or in spaces)"


def test_a_class_that_is_listed_twice_is_named_whatever_its_spelling():
    assert match_names(["koala", "koala"], THERE).faults("", "") == [
        "the class 'koala' is listed twice; list each class once"
    ]
    assert match_names([NFC, "koala", NFD], THERE).repeated == [NFD]
    assert repeated_names(["a", NFC, "b", NFD, "a "]) == [NFD, "a "]
    assert repeated_names(["a", "A", "b"]) == []


def test_of_many_missing_names_some_are_named_and_the_rest_counted():
    faults = match_names([f"q{number}" for number in range(100)], ["koala"]).faults("here", "correct it")
    assert len(faults) == 9 and faults[-1] == "92 more classes are not here; correct it"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["koala,polar bear"], ["koala", "polar bear"]),
        (["koala, polar bear "], ["koala", "polar bear"]),
        (["koala", "polar bear"], ["koala", "polar bear"]),
        (["Paris, France", "koala"], ["Paris, France", "koala"]),  # a class is not split
        (['"Paris, France",koala'], ["Paris, France", "koala"]),
        (['koala, "Rome, Italy"'], ["koala", "Rome, Italy"]),
        (['27" screen,koala'], ['27" screen', "koala"]),
    ],
)
def test_an_option_holds_names_separated_by_commas_or_a_class(values, names):
    assert split_names(values, THERE) == names


def test_without_classes_to_compare_a_comma_separates_unless_quoted():
    assert split_names(["Paris, France"]) == ["Paris", "France"]
    assert split_names(['"Paris, France"']) == ["Paris, France"]


@pytest.mark.parametrize("value", ["koala,,bear", "koala,", "", '"koala', '"koala"x,b', "a\nb"])
def test_an_option_that_cannot_be_read_is_refused(value):
    with pytest.raises(DataError, match=r"^--classes .*(cannot be read|has an empty name)"):
        split_names([value], THERE)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1), min_size=1))
def test_quoted_names_are_read_back(names):
    names = [name.strip() or "x" for name in names]
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert split_names([quoted]) == names


def test_a_file_lists_one_name_per_line_or_several_without_spaces():
    assert listed_names("polar bear\n\n  koala  \n", THERE) == ["polar bear", "koala"]
    assert listed_names("koala sea-slug\nPolar bear", THERE) == ["koala", "sea-slug", "Polar", "bear"]
