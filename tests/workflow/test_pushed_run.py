"""The tiny run on a Hub: a copy of it samples the same models."""

import json
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.numpy import load_file
from typer.testing import CliRunner

from tests.hub_server import TOKEN
from wsl.cli.main import app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for name in ("apple", "pear", "plum"):
        (root / name).mkdir()
        for place in range(4):
            pixels = np.random.default_rng([ord(name[1]), place]).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{place}.png")
    return root


def command(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0 and TOKEN not in result.output, result.output
    return " ".join(result.output.split())


def sampled(photos, run, out):
    said = command("sample", photos, "--from", run, "--out", out, "--held-out", "0.5")
    return load_file(out), said


def test_a_pulled_run_samples_the_same_model(results, photos, fake_hub, tmp_path):
    expected, said = sampled(photos, results, tmp_path / "own.safetensors")
    assert "without its packed images" not in said
    said = command("push", results, "--to", "me/tiny", "--with-images")
    assert "(run) to the model repository me/tiny (public" in said and "not sent: logs (" in said
    files = fake_hub.repositories["model", "me/tiny"].files
    local = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    missing = {name.split("/")[0] for name in local - set(files)}
    assert missing <= {"logs", "benchmarks"}
    assert all(files[name] == Path(results, name).read_bytes() for name in local & set(files))

    copy, _ = sampled(photos, "hf://me/tiny", tmp_path / "copy.safetensors")
    assert all(np.array_equal(copy[name], value) for name, value in expected.items())

    card, numbers = ModelCard(files["README.md"].decode()), json.loads((results / "summary.json").read_text())
    card.validate()
    sampler = numbers["chosen_sampler"]
    assert card.data.eval_results[0].metric_value == numbers["accuracy"]["seen"][sampler]
    assert f"{numbers['accuracy']['seen'][sampler]:.1%}, and the strongest baseline" in card.text
    assert "[report.html](report.html)" in card.text


def test_without_images_and_members_the_run_still_samples(results, photos, fake_hub, tmp_path):
    said = command("push", results, "--to", "me/tiny", "--without-members")
    assert "not sent: images" in said and "not sent: members" in said
    files = fake_hub.repositories["model", "me/tiny"].files
    assert not [name for name in files if name.startswith(("images/", "zoo/members/", "explore"))]
    command("pull", "hf://me/tiny", "--out", tmp_path / "tiny")
    state, said = sampled(photos, tmp_path / "tiny", tmp_path / "model.safetensors")
    assert "without its packed images" in said and all(np.isfinite(value).all() for value in state.values())
    assert "without its packed images" in (tmp_path / "model.safetensors.md").read_text()
    assert "me/tiny" in command("inspect", "hf://me/tiny")
