"""State dicts, in files of any suffix, and a CSV that describes them."""

import os

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from wsl.errors import DataError
from wsl.zoo.foreign.importing import ImportOptions, find_runs, import_zoo
from wsl.zoo.member import read_member


@pytest.fixture
def zoo(zoos, tmp_path):
    """Three runs of two snapshots each, in files of three kinds, rows in no order: the folder and its table."""
    folder, rows = tmp_path / "loose", []
    (folder / "weights").mkdir(parents=True)
    for seed, suffix in ((1, ".pt"), (2, ""), (3, ".safetensors")):
        for epoch, state in zip((2, 9), zoos.states(zoos.SlimResNet, seed, 2), strict=True):
            name = f"weights/{seed}-{epoch}{suffix}"
            save_file(state, folder / name) if suffix == ".safetensors" else torch.save(state, folder / name)
            row = {"file": name, "epoch": epoch, "member": f"run{seed}", "classes": "koala/yak/emu", "rate": seed / 8}
            rows.append({**row, "optimizer": "adam", **zoos.results(seed, epoch)})
    table = pd.DataFrame(rows).sample(frac=1, random_state=1)
    table.to_csv(folder / "zoo.csv", index=False)
    return folder, table


def test_snapshots_are_grouped_and_have_their_own_results(zoos, zoo, tmp_path):
    folder, _ = zoo
    done = import_zoo(folder, tmp_path / "out", ImportOptions(shares=(1, 0, 0)))
    assert done.parts == {"train": 3} and done.skipped == {}
    for place, seed in enumerate((1, 2, 3)):
        member = read_member(tmp_path / "out" / "members" / f"{place:05d}.h5")
        assert member.plan["source"] == f"run{seed}" and member.plan["classes"] == ["koala", "yak", "emu"]
        assert member.plan["rate"] == seed / 8 and member.plan["optimizer"] == "adam"
        assert member.snapshots["epoch"].tolist() == [2, 9]
        assert member.snapshots["snapshot"].tolist() == ["epoch2", "max"]
        assert member.snapshots["validation_loss"].tolist() == [zoos.results(seed, e)["val_loss"] for e in (2, 9)]
        states = zoos.states(zoos.SlimResNet, seed, 2)
        columns = member.layout["layer2.0.downsample.0.weight"].columns
        for row, state in zip(member.weights, states, strict=True):
            assert row[columns].tolist() == state["layer2.0.shortcut.0.weight"].flatten().tolist()


def test_without_a_member_column_each_file_is_a_run(zoo, tmp_path):
    folder, table = zoo
    renamed = table.drop(columns=["member", "classes", "train_loss", "train_acc"]).rename(
        columns={"val_acc": "validation_accuracy"}
    )
    renamed.to_csv(folder / "zoo.csv", index=False)
    done = import_zoo(folder, tmp_path / "out", ImportOptions(shares=(1, 1, 1)))
    assert sum(done.parts.values()) == 6 and done.last_epochs == {2: 3, 9: 3}
    member = read_member(tmp_path / "out" / "members" / "00000.h5")
    assert member.plan["classes"] == ["0", "1", "2"] and member.plan["source"] == "weights/1-2.pt"
    assert member.snapshots["train_loss"].isna().all() and member.snapshots["validation_accuracy"].notna().all()


def test_numbers_of_members_are_kept(zoo, tmp_path):
    folder, table = zoo
    table.assign(member=table["member"].str[3:].astype(int) * 7).to_csv(folder / "zoo.csv", index=False)
    import_zoo(folder, tmp_path / "out", ImportOptions(shares=(1, 0, 0)))
    names = sorted(path.stem for path in (tmp_path / "out" / "members").iterdir())
    assert names == ["00007", "00014", "00021"]


def test_a_number_of_classes_does_not_hide_names_that_do_not_fit_the_head(zoo, tmp_path):
    folder, table = zoo
    table.assign(classes="koala/yak").to_csv(folder / "zoo.csv", index=False)
    with pytest.raises(DataError, match=r"distinguishes 3 classes, but 2 are named"):
        import_zoo(folder, tmp_path / "out", ImportOptions(classes=3))


def rows_of(table, separator=",", end="", decimal="."):
    """Return a table as other programs write it."""
    lines = [separator.join(table.columns)]
    for row in table.itertuples(index=False):
        cells = [str(cell).replace(".", decimal) if isinstance(cell, float) else str(cell) for cell in row]
        lines.append(separator.join(cells) + end)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("end", ["", ",", ",,,"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_trailing_commas_and_encodings_change_nothing(zoo, end, encoding):
    folder, table = zoo
    plain = {name: read() for name, read in find_runs(folder).items()}
    (folder / "zoo.csv").write_text(rows_of(table, end=end), encoding=encoding)
    for name, read in find_runs(folder).items():
        run = read()
        pd.testing.assert_frame_equal(run.results, plain[name].results, check_exact=True)
        assert run.files == plain[name].files and run.about == plain[name].about


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read(zoo, separator):
    folder, table = zoo
    plain = {name: read() for name, read in find_runs(folder).items()}
    (folder / "zoo.csv").write_text(rows_of(table, separator, decimal=","), encoding="utf-8-sig")
    for name, read in find_runs(folder).items():
        run = read()
        pd.testing.assert_frame_equal(run.results, plain[name].results, check_exact=True)
        assert run.about == plain[name].about and run.about["rate"] == int(name[3:]) / 8


def test_labels_of_rows_that_pandas_writes_are_ignored(zoo):
    folder, table = zoo
    table.to_csv(folder / "zoo.csv")
    assert len(find_runs(folder)) == 3


def test_a_line_with_values_that_no_column_names_is_named(zoo):
    folder, table = zoo
    lines = rows_of(table).splitlines()
    lines[3] = lines[3].replace("koala/", "koala,", 1)
    (folder / "zoo.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"zoo\.csv, line 4: it has 13 values, and the header 12 names"):
        find_runs(folder)


def test_files_and_members_are_left_out_by_name(zoo, tmp_path):
    folder, _ = zoo
    done = import_zoo(folder, tmp_path / "out", ImportOptions(shares=(1, 0, 0), leave_out=["run2", "weights/1-9.*"]))
    assert sum(done.parts.values()) == 2 and done.last_epochs == {2: 1, 9: 1}
    with pytest.raises(DataError, match=r"--leave-out: nothing in .*loose is called run7; correct the name"):
        import_zoo(folder, tmp_path / "none", ImportOptions(leave_out=["run2", "run7"]))
    with pytest.raises(DataError, match="--leave-out leaves nothing"):
        import_zoo(folder, tmp_path / "none", ImportOptions(leave_out=["*"]))
    with pytest.raises(DataError, match="--every 2: a CSV gives the epoch of each file"):
        import_zoo(folder, tmp_path / "none", ImportOptions(every=2))


def change(column, value, row=0):
    def apply(folder, table):
        table = table.sort_values(["member", "epoch"]).astype(str)
        table.iloc[row, table.columns.get_loc(column)] = value
        table.to_csv(folder / "zoo.csv", index=False)

    return apply


def outside(name):
    """Return a function that names a file outside of the folder in a row."""

    def apply(folder, table):
        target = folder.parent / "secret.pt"
        (folder / "weights" / "1-2.pt").rename(target)
        if name == "link.pt":
            os.symlink(target, folder / name)
        change("file", name.format(target=target))(folder, table)

    return apply


def reading_all(folder):
    return [read() for read in find_runs(folder).values()]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (outside("../secret.pt"), r"secret\.pt lies outside .*copy the file into it"),
        (outside("weights/../../secret.pt"), r"secret\.pt lies outside"),
        (outside("{target}"), r"secret\.pt lies outside"),
        (outside("link.pt"), r"link\.pt lies outside"),
        (change("file", "weights/9.pt"), r"9\.pt is missing; add the file"),
        (change("file", "weights/./1-9.pt"), r"line 3: weights/1-9\.pt is named twice; take one"),
        (change("epoch", "9"), "line 3: epoch 9 is already in .*line 2; .*--leave-out FILE"),
        (change("epoch", "2.5"), "line 2: epoch is '2.5', not a non-negative integer; correct it"),
        (change("epoch", ""), "line 2: epoch is '', not a non-negative integer"),
        (change("val_loss", "good"), "line 2: validation_loss is 'good', not a number; correct it"),
        (change("optimizer", "sgd"), r"member run1 has several values of optimizer \(\['adam', 'sgd'\]\); give it one"),
        (lambda folder, table: table.drop(columns="epoch").to_csv(folder / "zoo.csv"), r"zoo\.csv has no column epoch"),
        (lambda folder, _: (folder / "zoo.csv").write_text('a,b\n"1'), r"zoo\.csv, line 2: it cannot be read as CSV"),
        (lambda folder, _: (folder / "zoo.csv").write_text(""), r"zoo\.csv cannot be read as CSV"),
        (
            lambda folder, table: table.rename(columns={"rate": "a/b"}).to_csv(folder / "zoo.csv"),
            "run1: no table can have a column 'a/b'; rename it",
        ),
        (lambda folder, _: (folder / "two.csv").write_text("x"), r"nor one CSV \(2 are there\)"),
        (
            lambda folder, table: table.assign(part="exam").to_csv(folder / "zoo.csv"),
            "run1: there is no part 'exam'; name one",
        ),
        (
            lambda folder, table: table.assign(task="a/a/b").drop(columns="classes").to_csv(folder / "zoo.csv"),
            "not class names",
        ),
    ],
)
def test_faults_are_named_with_a_remedy(zoo, damage, message):
    folder, table = zoo
    damage(folder, table)
    with pytest.raises(DataError, match=message):
        reading_all(folder)
