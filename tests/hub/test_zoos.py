"""Zoos on the Hub, and the faults of a pull or a push."""

import json

import numpy as np
import pytest
from huggingface_hub import DatasetCard, constants
from typer.testing import CliRunner

from tests.hub_server import TOKEN
from wsl.cli.main import app
from wsl.errors import DataError
from wsl.hub.fetching import HubSource, local_copy, parse_source, pull
from wsl.zoo.imported import read_imported
from wsl.zoo.index import open_zoo, read_weights


def command(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code and TOKEN not in result.output, result.output
    return " ".join(result.output.split())


def weights(path):
    with open_zoo(path) as zoo:
        return read_weights(zoo)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf://me/zoo", HubSource("me/zoo", ("model", "dataset"))),
        ("hf:/datasets/me/zoo@v1/a/b", HubSource("me/zoo", ("dataset",), "v1", "a/b")),
        ("hf://models/me/zoo@refs%2Fpr%2F1", HubSource("me/zoo", ("model",), "refs/pr/1")),
    ],
)
def test_sources(text, parts, tmp_path):
    assert parse_source(text) == parts
    assert local_copy(tmp_path) == tmp_path


@pytest.mark.parametrize("text", ["hf://zoo", "hf://datasets/zoo", "hf://me/zoo/../x", "hf://"])
def test_malformed_sources_are_refused(text):
    with pytest.raises(DataError, match="owner/name"):
        parse_source(text)


def test_a_zoo_is_the_same_elsewhere(fake_hub, zoo, tmp_path):
    said = command("push", zoo.root, "--to", "me/zoo", "--dry-run")
    assert "(zoo) to the dataset repository me/zoo" in said and "5 files" in said and not fake_hub.requests
    fake_hub.add("me/zoo", {"notes.txt": b"mine", "README.md": b"old"}, "dataset")
    command("push", zoo.root, "--to", "me/zoo", "--license", "cc-by-4.0")
    repository = fake_hub.repositories["dataset", "me/zoo"]
    assert repository.files["notes.txt"] == b"mine" and repository.messages[1:] == ["by hand", "Add a zoo of wsl"]
    card = DatasetCard(repository.files["README.md"].decode())
    assert card.data.license == "cc-by-4.0" and "A zoo of 5 networks" in card.text
    assert "| train | 3 | 6 | 3 |" in card.text and "| optimizer | adam, sgd |" in card.text
    with open_zoo(zoo.train) as opened:
        best = opened.snapshots["validation_accuracy"][opened.trained].max()
    assert f"{best:.1%} |" in card.text

    command("pull", "hf://me/zoo@main", "--out", tmp_path / "zoo")
    for part in ("train", "validation", "test"):
        assert np.array_equal(weights(tmp_path / "zoo" / f"{part}.h5"), weights(getattr(zoo, part)))
    assert len(read_imported(tmp_path / "zoo").plan) == 5
    assert np.array_equal(weights(local_copy("hf://datasets/me/zoo") / "train.h5"), weights(zoo.train))
    assert '"kind": "zoo"' in command("inspect", "hf://me/zoo", "--json")
    assert "exists already" in command("pull", "hf://me/zoo", "--out", tmp_path / "zoo", code=1)
    command("push", zoo.root, "--to", "me/zoo", "--revision", "second")
    assert set(repository.branches) == {"main", "second"} and repository.messages[-1] == "Add a zoo of wsl"
    command("pull", "hf://datasets/me/zoo@second/members", "--out", tmp_path / "members")
    assert len([*(tmp_path / "members").glob("*.h5")]) == 5


def test_zoos_of_other_programs_are_imported_from_the_hub(fake_hub, zoo, tmp_path):
    """Only the runs that are asked for are fetched, though files in the cache are links to elsewhere."""
    command("export", zoo.train, zoo.validation, "--out", tmp_path / "ray")
    options = ("--only", "optimizer=sgd", "--parts", "1,1,0")
    command("import", tmp_path / "ray", "--out", tmp_path / "here", *options)
    fake_hub.add_folder("them/zoo", tmp_path / "ray", "dataset")
    command("import", "hf://them/zoo", "--out", tmp_path / "there", *options)
    here, there = (json.loads((tmp_path / name / "import.json").read_text()) for name in ("here", "there"))
    assert sum(there["parts"].values()) == 2 and not there["skipped"]
    assert (there["parts"], there["left_out"]) == (here["parts"], here["left_out"])
    assert np.array_equal(weights(tmp_path / "there" / "train.h5"), weights(tmp_path / "here" / "train.h5"))
    fetched = [name for name in fake_hub.sent if name.endswith("checkpoints")]
    assert len(fetched) == 4  # two snapshots of each


def test_a_table_of_state_dicts_is_imported_from_the_hub(fake_hub, zoo, tmp_path):
    command("export", zoo.train, "--out", tmp_path / "ray")
    checkpoint = next((tmp_path / "ray").rglob("checkpoints"))
    table = b"file,epoch,val_loss,val_acc\nweights/a.pt,1,0.5,0.8\n"
    fake_hub.add("them/table", {"a/zoo.csv": table, "a/weights/a.pt": checkpoint.read_bytes(), "b.txt": b"no"})
    said = command("import", "hf://them/table/a", "--out", tmp_path / "zoo", "--leave-out", "nothing*", code=1)
    assert "is called nothing*" in said
    command("import", "hf://them/table/a", "--out", tmp_path / "zoo")
    assert fake_hub.sent.keys() == {"a/zoo.csv", "a/weights/a.pt"}


def test_an_interrupted_pull_continues(fake_hub, zoo, tmp_path):
    fake_hub.add_folder("me/zoo", zoo.root, "dataset")
    fake_hub.refused.add("members/00002.h5")
    said = command("pull", "hf://datasets/me/zoo", "--out", tmp_path / "zoo", code=1)
    assert "me/zoo" in said and not (tmp_path / "zoo").exists()
    before = dict(fake_hub.sent)
    assert before
    fake_hub.refused.clear()
    command("pull", "hf://datasets/me/zoo", "--out", tmp_path / "zoo")
    assert set(fake_hub.sent.values()) == {1} and "members/00002.h5" not in before
    assert np.array_equal(weights(tmp_path / "zoo" / "train.h5"), weights(zoo.train))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_faults_name_the_remedy(fake_hub, zoo, tmp_path, monkeypatch):
    fake_hub.add("me/public", {"a": b"a"})
    fake_hub.add("me/secret", {"a": b"a"}, private=True)
    member = zoo.members[0]
    assert "there is no repository me/none" in command("inspect", "hf://me/none", code=1)
    assert "no such revision" in command("pull", "hf://me/public@v9", "--out", tmp_path / "x", code=1)
    assert "no folder b" in command("inspect", "hf://me/public/b", code=1)
    assert "is public, so nothing was sent" in command("push", member, "--to", "me/public", "--private", code=1)
    assert "owner/name" in command("push", member, "--to", "public", code=1)
    assert "token that may do this" in command("push", member, "--to", "them/zoo", code=1)
    assert "its folder" in command("push", zoo.train, "--to", "me/x", code=1)
    assert "are for runs" in command("push", zoo.root, "--to", "me/x", "--with-images", code=1)
    assert "holds nothing" in command("push", tmp_path, "--to", "me/x", code=1)
    assert local_copy("hf://me/secret").is_dir()
    monkeypatch.delenv("HF_TOKEN")
    assert "hf auth login" in command("push", member, "--to", "me/x", code=1)
    with pytest.raises(DataError, match=r"no repository me/secret, or it is private.*HF_TOKEN"):
        pull("hf://me/secret", tmp_path / "secret")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    assert "cannot be reached" in command("push", member, "--to", "me/x", code=1)
    assert "cannot be reached" in command("pull", "hf://me/other", "--out", tmp_path / "x", code=1)
    assert (local_copy("hf://me/secret") / "a").read_bytes() == b"a"  # from the cache
