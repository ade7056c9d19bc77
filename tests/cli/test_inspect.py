"""`wsl inspect`: its numbers are those in the files, read by other means."""

import json
import re
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from tests.networks import resnet18, resnet18_layout
from wsl.cli.main import app
from wsl.files.plain import write_json
from wsl.sampling.model_files import write_model
from wsl.weights.codec import load_codec, neighbours, read_latents
from wsl.zoo.member import read_member, write_members
from wsl.zoo.network import state_dict


def inspect(*arguments, code=0):
    done = CliRunner().invoke(app, ["inspect", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_a_member_is_described_by_its_plan_and_its_snapshots(zoo):
    output = inspect(zoo.members[1])
    member = read_member(zoo.members[1])
    assert re.search(rf"learning rate +│ {member.plan['learning_rate']:.4g} ", output)
    for key in ("seed", "batch_size"):
        assert re.search(rf"{key.replace('_', ' ')} +│ {member.plan[key]} ", output)
    assert re.search(rf"numbers per snapshot +│ {member.weights.shape[1]} ", output)
    for row in member.snapshots.itertuples():
        assert re.search(rf"│ {row.snapshot} +│ {row.epoch} +│ {row.train_loss:.4g} ", output)


def test_an_index_counts_its_zoo(zoo):
    output = inspect(zoo.train)
    accuracies = []
    for path in zoo.members[:3]:
        with h5py.File(path) as file:
            accuracies.append(file["snapshots"]["validation_accuracy"][-1])
    for name, count in (("members", 3), ("snapshots", 6), ("diverged", 0)):
        assert re.search(rf"{name} +│ {count} ", output)
    assert f"{np.mean(accuracies):.4g}" in output


def test_neighbours_of_a_training_member_begin_with_itself(zoo, run):
    output = inspect(zoo.members[2], "--from", run, "--neighbours", "2")
    rows = re.findall(r"│ +(\d+) +│ (early|max) +│ (\S+) +│ \S+ +│ \S+ +│ (\S+) +│", output)
    assert int(rows[0][0]) == 2 and len(rows) == 2
    assert float(rows[0][3]) == pytest.approx(1, abs=1e-3) and float(rows[1][3]) < float(rows[0][3])


def test_neighbours_are_by_the_cosine_of_standardised_latents(zoo, fitted, autoencoder):
    codec = load_codec(zoo.train, fitted, autoencoder.state)
    weights = read_member(zoo.members[4]).weights[-1]
    document = neighbours(codec, autoencoder.latents["train"], weights, 3)
    latents, snapshots = read_latents(autoencoder.latents["train"])
    frame = pd.DataFrame(latents)
    code = (codec.encode(weights[None])[0] - frame.mean()) / frame.std(ddof=0)
    rows = (frame - frame.mean()) / frame.std(ddof=0)
    cosines = rows.apply(lambda row: row @ code / np.linalg.norm(row) / np.linalg.norm(code), axis=1)
    best = cosines.groupby(snapshots["member"]).max().sort_values(ascending=False)
    assert document["member"].tolist() == best.index.tolist()
    assert document["cosine"].to_numpy() == pytest.approx(best.to_numpy(), abs=1e-4)


def test_a_run_is_described_by_its_summary(tmp_path):
    accuracy = {"seen": {"generator": 0.875}}
    write_json(tmp_path / "summary.json", {"members": 48, "agreement": 0.9375, "accuracy": accuracy})
    output = inspect(tmp_path)
    assert re.search(r"members +│ 48 ", output) and re.search(r"generator +│ 0.875 ", output)


def test_a_run_without_a_summary_is_not_finished(tmp_path):
    assert "is not a folder that wsl knows" in inspect(tmp_path, code=1)
    write_json(tmp_path / "logs" / "jobs.json", {})
    assert f"is an unfinished run: `wsl watch {tmp_path}`" in inspect(tmp_path, code=1)


@pytest.fixture
def files(tmp_path, zoo):
    """Files by name that are unknown or damaged."""
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    (tmp_path / "README.md").write_text("# Grüße\n" * 400, encoding="utf-8")
    (tmp_path / "readme.h5").write_text("some text", encoding="utf-8")
    (tmp_path / "bytes.bin").write_bytes(b"\x01" * 40)
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "latents.h5").write_bytes(b"")
    with h5py.File(tmp_path / "latents.h5", "w") as file:
        file["latents"] = np.zeros(3)
    save_file({"a": torch.zeros(4000)}, tmp_path / "torn.safetensors")
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "torn.safetensors").read_bytes()[:2000])
    torch.save({"a": print}, tmp_path / "code.pt")
    torch.save({"a": torch.zeros(4000)}, tmp_path / "torn.pt")
    (tmp_path / "torn.pt").write_bytes((tmp_path / "torn.pt").read_bytes()[:2000])
    whole = zoo.members[0].read_bytes()
    (tmp_path / "torn.h5").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("notes.txt", "hello")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photo.png", "is not a file that wsl knows: it is an image (PNG)"),
        ("README.md", "is not a file that wsl knows: it is text;"),
        ("readme.h5", "it is text, though its name ends in .h5"),
        ("bytes.bin", "wsl does not read this format"),
        ("empty.pt", "it is empty"),
        ("latents.h5", "is an HDF5 file, but neither a member nor an index of a zoo"),
        ("torn.safetensors", "torn.safetensors is an incomplete safetensors file"),
        ("code.pt", "code.pt cannot be read"),
        ("archive.zip", "archive.zip is not a file that wsl knows: it is a zip archive of another program;"),
        ("torn.pt", "torn.pt cannot be read"),
        ("torn.h5", "torn.h5"),
    ],
)
def test_unknown_files_are_named_without_advice_to_delete_them(files, name, message):
    output = inspect(files / name, code=1)
    assert message in output and "wsl: " in output
    # A truncated member is certainly damaged; other files may be useful.
    assert name == "torn.h5" or not re.search("delete|remove|weights_only=False", output)
    json_output = CliRunner().invoke(app, ["inspect", str(files / name), "--json"])
    assert json_output.exit_code == 1 and json_output.stdout == "" and message in " ".join(json_output.stderr.split())


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One ResNet-18 of width 3 and 5 classes in several kinds of files."""
    folder = tmp_path_factory.mktemp("models")
    state = resnet18(3, 5).state_dict()
    torch.save(state, folder / "plain.pt")
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    torch.save(halves, folder / "half.pth")
    save_file(state, folder / "foreign.safetensors")
    about = {"width": 3, "classes": list("abcde"), "size": 16, "preprocessing": {"mean": [0.5] * 3}}
    first = {"accuracy": 0.5, "low": 0.3, "high": 0.7, "images": 20}
    about |= {
        "estimates": {"as sampled": {**first, "loss": 0.9}},
        "refined_epochs": 0,
        "baselines": {"probe": {**first, "accuracy": 0.6}},
    }
    for suffix in ("safetensors", "pt"):
        write_model(folder / f"ours.{suffix}", state, about)
    return folder


@pytest.mark.parametrize("name", ["plain.pt", "half.pth", "foreign.safetensors"])
def test_a_checkpoint_of_another_program_is_recognised(models, name):
    document = as_json(models / name)
    assert document["kind"] == "checkpoint"
    facts = document["facts"]
    assert (facts["architecture"], facts["width"], facts["classes"], facts["stem"]) == ("resnet18", 3, 5, 7)
    tensors = {row["tensor"]: row["shape"] for row in document["tables"]["tensors"]}
    assert tensors == {name: list(value.shape) for name, value in resnet18(3, 5).state_dict().items()}
    output = inspect(models / name)
    assert re.search(r"architecture +│ resnet18 ", output)
    assert f"{len(tensors) - 20} more; --json lists them all" in output


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_model_is_described_by_its_metadata(models, suffix):
    document = as_json(models / f"ours.{suffix}")
    assert document["kind"] == "model" and document["facts"]["classes"] == list("abcde")
    rows = document["tables"]["accuracy on held-out images"]
    assert [row["model"] for row in rows] == ["linear probe on the members' start", "this model, as sampled"]
    assert [row["accuracy"] for row in rows] == [0.6, 0.5] and rows[1]["loss"] == 0.9
    output = inspect(models / f"ours.{suffix}")
    assert re.search(r"classes +│ a, b, c, d, e ", output) and re.search(r"│ this model, as sampled +│ 0.5 ", output)


def test_json_has_the_facts_of_the_screen(zoo):
    document = as_json(zoo.members[1])
    member = read_member(zoo.members[1])
    assert document["kind"] == "member" and document["facts"]["learning_rate"] == member.plan["learning_rate"]
    assert document["tables"]["snapshots"] == member.snapshots.to_dict("records")
    assert as_json(zoo.train)["facts"]["members"] == 3


def as_json(*arguments):
    return json.loads(inspect(*arguments, "--json"))


def test_numbers_that_json_cannot_express_become_null(tmp_path):
    (tmp_path / "summary.json").write_text('{"cosine": NaN, "members": 3, "accuracy": {}}')
    assert as_json(tmp_path)["facts"] == {"cosine": None, "members": 3}


def test_an_imported_zoo_is_described_by_its_parts_and_the_runs_left_out(zoo, tmp_path):
    for part in ("train", "test"):
        with h5py.File(tmp_path / f"{part}.h5", "w") as copy, h5py.File(getattr(zoo, part)) as file:
            for name in file:
                file.copy(name, copy)
            copy.attrs.update(file.attrs)
    write_json(tmp_path / "import.json", {"zoo": "theirs", "skipped": {"run 7": "it is torn"}})
    document = as_json(tmp_path)
    assert document["kind"] == "import" and document["facts"] == {"zoo": "theirs", "runs_left_out": 1}
    assert [(row["part"], row["members"]) for row in document["tables"]["parts"]] == [("train", 3), ("test", 1)]
    output = inspect(tmp_path)
    assert "run 7" in output and "it is torn" in output


def test_every_screen_fits_80_columns(zoo, run, models, tmp_path):
    accuracy = {"seen": {"generator": 0.875, "body-prototypes": 0.91}}
    write_json(tmp_path / "run" / "summary.json", {"validation_accuracy_max": 0.9, "accuracy": accuracy})
    screens = [(zoo.members[1], "--from", run), (zoo.train,), (models / "ours.pt",), (models / "plain.pt",)]
    for arguments in (*screens, (tmp_path / "run",)):
        done = CliRunner().invoke(app, ["inspect", *map(str, arguments)], env={"COLUMNS": "80"})
        assert done.exit_code == 0 and max(map(len, done.stdout.splitlines())) <= 80
        # No word of a heading is cut, or broken over lines.
        headings = " ".join(re.findall(r"[a-z]+", " ".join(re.findall(r"^┃.*┃$", done.stdout, re.MULTILINE))))
        assert "…" not in done.stdout
        for word in ("validation", "accuracy", "snapshot", "cosine") if arguments[0] == zoo.members[1] else ():
            assert word in headings.split()


def test_invalid_options_are_refused(zoo, run, tmp_path):
    assert "--neighbours needs --from" in inspect(zoo.members[1], "--neighbours", "3", code=2)
    assert "so it has no neighbours" in inspect(zoo.train, "--from", run, code=1)
    write_json(tmp_path / "summary.json", {"members": 3, "accuracy": {}})
    assert "so it has no neighbours" in inspect(tmp_path, "--from", run, code=1)


def test_neighbours_of_a_checkpoint_are_those_of_the_same_weights(zoo, run, tmp_path):
    member = read_member(zoo.members[2])
    torch.save(state_dict(member.weights[-1], resnet18_layout(2, 3)), tmp_path / "member.pt")
    tables = (as_json(path, "--from", run)["tables"] for path in (tmp_path / "member.pt", zoo.members[2]))
    first, second = (next(rows for title, rows in table.items() if title.startswith("nearest")) for table in tables)
    assert first == second and first[0]["member"] == 2


def test_a_file_without_read_permission_is_reported(zoo, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(zoo.members[0]))

    monkeypatch.setattr("builtins.open", refuse)
    assert "Permission denied" in inspect(zoo.members[0], code=1)


def test_a_missing_file_is_a_usage_error(tmp_path):
    assert "does not exist" in inspect(tmp_path / "nowhere.h5", code=2)


def test_a_cohort_and_each_of_its_members_are_described(run, zoo, tmp_path):
    path = tmp_path / "00000-00009.h5"
    write_members(path, [read_member(one) for one in zoo.members[:3]])
    document = as_json(path)
    assert (document["kind"], document["facts"]["members"], document["facts"]["snapshots"]) == ("members", 3, 6)
    assert [row["member"] for row in document["tables"]["last snapshots"]] == [0, 1, 2]
    same = as_json(f"{path}:1", "--from", run)
    assert (same["kind"], same["tables"]) == ("member", as_json(zoo.members[1], "--from", run)["tables"])
    assert "name one member, as in FILE:NUMBER" in inspect(path, "--from", run, code=1)
