"""The classes of a run, and refusals before any job starts."""

import os
import shutil

import pytest

from wsl.errors import ConfigError, Faults
from wsl.images.classes import find_classes, imagenet_classes
from wsl.images.names import read_names
from wsl.images.settings import Images
from wsl.images.sources.imagefolder import ImageFolder


@pytest.fixture
def folders(tmp_path):
    """Train and test folders of the classes ant, bee, cow, dog with three files each."""
    for part in ("train", "val"):
        for name in ("dog", "bee", "ant", "cow"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(3):
                (tmp_path / part / name / f"{number}.JPEG").touch()
        (tmp_path / part / ".hidden").mkdir()
        (tmp_path / part / "readme.txt").touch()
    return tmp_path / "train", tmp_path / "val"


def find(source, classes=None, minimum=10):
    names, faults = find_classes(Images(source=source, classes=classes, minimum=minimum))
    Faults(faults).refuse()
    return names


def resolve(folders, classes=None, minimum=3):
    return find(source_of(folders), classes, minimum)


def source_of(folders):
    return ImageFolder(train=folders[0], test=folders[1])


def test_folders_are_classes_in_alphabetical_order(folders):
    assert resolve(folders) == ["ant", "bee", "cow", "dog"]


def test_a_number_takes_the_first_and_a_list_keeps_its_order(folders):
    assert resolve(folders, 3) == ["ant", "bee", "cow"]
    assert resolve(folders, ["dog", "ant"]) == ["dog", "ant"]


def test_the_digits_are_ten():
    assert find("digits") == list("0123456789")
    assert find("digits", ["7", "1", "3"]) == ["7", "1", "3"]


def test_a_source_without_imagenets_classes_refuses_them():
    with pytest.raises(ConfigError, match=r"(?s)'n01440764' in the digits; .* 992 more classes are not in"):
        find("digits", "imagenet-1k")


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"classes": 5}, r"images\.classes: 5 .* there are 4; ask for fewer"),
        ({"classes": ["ant", "yak"]}, r"images\.classes: .*'yak'.*correct the name"),
        ({"classes": []}, r"images\.classes: the list is empty"),
        ({"classes": ["ant", "bee", "ant"]}, r"images\.classes: the class 'ant' is listed twice"),
        ({"classes": ["Ant"]}, r"images\.classes: .*'Ant' .*did you mean 'ant'"),
        ({"minimum": 4}, r"(?s)images\.minimum: class 'ant' has 3 .*lower the minimum.*class 'dog' has 3"),
        ({"classes": "imagenet-1k"}, r"images\.classes: .*'n01440764'"),
    ],
)
def test_impossible_requests_name_the_key_and_a_remedy(folders, selection, message):
    with pytest.raises(ConfigError, match=message):
        resolve(folders, **selection)


def test_all_faults_of_a_tree_and_a_list_are_named_at_once(folders):
    train, test = folders
    shutil.rmtree(test / "bee")
    for number in range(2):
        (train / "cow" / f"{number}.JPEG").rename(train / "cow" / f"{number}.CR2")
    for path in (test / "dog").iterdir():
        path.rename(path.with_suffix(".raw"))
    with pytest.raises(ConfigError) as refused:
        resolve(folders, ["ant", "bee", "cow", "dog", "Cow", "yak", "ant"])
    assert str(refused.value).splitlines() == [
        "the config cannot be run:",
        f"  images.classes: there is no class 'Cow' in {train} (did you mean 'cow'?); correct the name or the folder",
        f"  images.classes: there is no class 'yak' in {train}; correct the name or the folder",
        "  images.classes: the class 'ant' is listed twice; list each class once",
        f"  images.source.test: {test} has no folder 'bee'; add it, or leave the class out of images.classes",
        f"  images.minimum: class 'cow' has 1 image files in {train}/cow, fewer than 3 (it holds other files: 2 .cr2); "
        "add images, lower the minimum or leave the class out of images.classes",
        f"  images.source.test: class 'dog' has no image file in {test}/dog (it holds other files: 3 .raw); add some "
        "or leave the class out of images.classes",
    ]


def test_of_many_classes_with_a_fault_some_are_named_and_the_rest_counted(tmp_path):
    for part in ("train", "val"):
        for number in range(30):
            (tmp_path / part / f"c{number:02d}").mkdir(parents=True)
    with pytest.raises(ConfigError) as refused:
        resolve((tmp_path / "train", tmp_path / "val"))
    lines = str(refused.value).splitlines()[1:]
    assert len(lines) == 18 and "images.minimum: 22 more classes like these" in lines[8]


def test_one_name_in_two_normalisations_matches_its_folder_but_not_a_folder_of_the_other_part(folders):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    for root in folders:
        (root / decomposed).mkdir()
        for number in range(3):
            (root / decomposed / f"{number}.png").touch()
    assert resolve(folders, ["ant", composed]) == ["ant", decomposed]
    (folders[1] / decomposed).rename(folders[1] / composed)
    with pytest.raises(ConfigError, match=r"source\.test: .* has no folder .*differs from it in Unicode normalisation"):
        resolve(folders, ["ant", decomposed])


def test_unused_files_beside_and_in_class_folders_are_logged(folders, caplog):
    (folders[0] / "loose.jpg").touch()
    for name in ("bee", "dog"):
        (folders[0] / name / "x.cr2").touch()
    source_of(folders).check(["ant", "bee"])
    assert f"{folders[0]}: files that are not recognised as images are not used: 1 .cr2" in caplog.text
    assert f"{folders[0]}: image files beside the class folders are not used: 1" in caplog.text
    for path in folders[1].iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folders[1] / "a.png").touch()
    with pytest.raises(
        ConfigError, match=r"^images\.source\.test: .* holds no class folders but 1 image files; it needs"
    ):
        source_of(folders).check()


def test_a_class_without_a_test_folder_is_refused_if_it_is_selected(folders):
    (folders[0] / "eel").mkdir()
    with pytest.raises(ConfigError, match=r"images\.source\.test: .*'eel'; add it"):
        resolve(folders)
    with pytest.raises(ConfigError, match=r"images\.source\.test: .*'eel'; add it"):
        resolve(folders, ["ant", "eel"])
    assert resolve(folders, ["ant", "bee"]) == ["ant", "bee"]


def test_missing_and_empty_folders_are_refused(folders, tmp_path):
    with pytest.raises(ConfigError, match=r"images\.source\.train: there is no folder .*unpack"):
        resolve((tmp_path / "nowhere", folders[1]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"images\.source\.test: .* no class folders"):
        resolve((folders[0], tmp_path / "empty"))


def test_named_classes_can_be_planned_before_the_folders_exist(folders, tmp_path):
    missing = (tmp_path / "nowhere", folders[1])
    assert resolve(missing, ["yak", "ant"]) == ["yak", "ant"]
    with pytest.raises(ConfigError, match=r"images\.source\.train"):
        source_of(missing).check()
    source_of(folders).check()
    Images().source.check()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a{b", "has a brace or a slash"),
        ("../ant", "has a brace or a slash"),
        ("", "is empty or begins with a dot"),
        ("..", "is empty or begins with a dot"),
        (".hidden", "is empty or begins with a dot"),
        ("a\nb", "has a character that cannot be printed"),
        ("a\x00b", "has a character that cannot be printed"),
        ("a\u2028b", "has a character that cannot be printed"),
        (os.fsdecode(b"caf\xe9"), "has a character that cannot be printed"),
        ("ü" * 101, "is longer than 200 bytes"),
    ],
)
def test_a_name_that_cannot_name_a_file_is_refused_even_in_a_plan(folders, tmp_path, name, reason):
    for train in (folders[0], tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match=rf"^images\.classes: the class name '.*' {reason}; rename"):
            resolve((train, folders[1]), ["ant", name])


@pytest.mark.parametrize("names", [("Koala", "koala"), ("caf\u00e9", "cafe\u0301"), ("straße", "STRASSE")])
def test_names_that_some_disks_treat_as_equal_are_refused(tmp_path, names):
    with pytest.raises(
        ConfigError, match=r"^images\.classes: the class names '.*' and '.*' differ only in case or Unicode"
    ):
        resolve((tmp_path / "nowhere", tmp_path), [*names, "bee"])


def test_a_class_without_a_test_image_is_refused(folders):
    for path in (folders[1] / "bee").iterdir():
        path.unlink()
    with pytest.raises(ConfigError, match=r"^images\.source\.test: class 'bee' has no image file in .*val/bee; add"):
        resolve(folders)
    assert resolve(folders, ["ant", "cow"]) == ["ant", "cow"]


def test_imagenet_has_its_thousand_classes_in_the_order_of_its_labels():
    names = imagenet_classes()
    assert len(set(names)) == 1000
    assert names == sorted(names)
    assert {0: "n01440764", 207: "n02099601", 999: "n15075141"}.items() <= dict(enumerate(names)).items()


def test_names_in_words_are_the_first_of_several_and_may_have_a_superclass(tmp_path):
    table = tmp_path / "classes.tsv"
    table.write_text(
        "n01\tAmerican alligator, Alligator mississipiensis\nn02\ttarantula\t\nn03\t koala ,koala bear\tmammal\n",
        encoding="utf-8",
    )
    names, superclasses = read_names(table)
    assert names == {"n01": "American alligator", "n02": "tarantula", "n03": "koala"}
    assert superclasses == {"n03": "mammal"}


@pytest.mark.parametrize("line", ["n02 tarantula", "n02", "n02\t", "n02\t , spider"])
def test_a_line_without_a_name_is_named(tmp_path, line):
    table = tmp_path / "classes.tsv"
    table.write_text(f"n01\tkoala\n{line}\nn03\tgoldfish\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^datasets\.names: line 2 of .*classes\.tsv is not a folder, a tab"):
        read_names(table)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path, encoding):
    table = tmp_path / "classes.tsv"
    table.write_bytes('n01\tmésange\r\nn02\t"spider, tarantula"\t"small ""thing"""\r\n\r\n\t\r\n'.encode(encoding))
    assert read_names(table) == ({"n01": "mésange", "n02": "spider"}, {"n02": 'small "thing"'})


def test_a_folder_that_is_named_twice_is_refused(tmp_path):
    table = tmp_path / "classes.tsv"
    table.write_text("n01\tkoala\n\nn02\tbee\nn01\tbear\n")
    with pytest.raises(ConfigError, match=r"line 4 of .*classes\.tsv names 'n01' again, as line 1 does"):
        read_names(table)


@pytest.mark.parametrize("content", [b"n01\t\xea\xee\xe0\xeb\xe0\n", b"n01\tko\0ala\n", b'n01\t"koala\n'])
def test_a_table_that_cannot_be_read_is_named(tmp_path, content):
    table = tmp_path / "classes.tsv"
    table.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^datasets\.names: .*classes\.tsv"):
        read_names(table)


def test_a_missing_table_of_names_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"^datasets\.names: there is no file .*nowhere\.tsv; correct the path"):
        read_names(tmp_path / "nowhere.tsv")


@pytest.mark.data
def test_real_folders(photos):
    names = resolve((photos / "train", photos / "val"), minimum=1)
    assert len(names) >= 3


@pytest.mark.parametrize(
    ("classes", "message"),
    [([], "the list is empty"), (["ant", "bee", "ant"], "the class 'ant' is listed twice"), (["a{b"], "'a{b'")],
)
def test_a_list_is_refused_before_its_folders_exist(tmp_path, classes, message):
    with pytest.raises(ConfigError, match=message):
        resolve((tmp_path / "train", tmp_path / "val"), classes)
