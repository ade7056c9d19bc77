"""Truncated files, missing files and non-finite values are named with the remedy, wherever they are read."""

import json

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.networks import resnet18_network
from wsl.datasets.class_means import ClassMeans
from wsl.errors import DataError
from wsl.files.plain import listed, write_json
from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.reading import packed_by_class, read_task
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.shared.predictor import load_predictor
from wsl.weights.codec import load_codec, read_latents
from wsl.weights.coefficients import load_linear, read_coefficients
from wsl.weights.fitted import load_states
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import read_member, write_members
from wsl.zoo.start import load_start, random_start

READERS = {
    "member.h5": lambda path, run: read_member(path),
    "index.h5": lambda path, run: open_zoo(path).__enter__(),
    "packed.h5": lambda path, run: read_task([path], "train"),
    "packed-by-class.h5": lambda path, run: packed_by_class([path]),
    "means.h5": lambda path, run: ClassMeans([path]),
    "parameter.h5": lambda path, run: load_linear([path], run.layout),
    "coefficients.h5": lambda path, run: read_coefficients(path),
    "latents.h5": lambda path, run: read_latents(path),
    "start.safetensors": lambda path, run: load_start(path),
    "encoder.safetensors": lambda path, run: load_codec(run.index, run.fitted, path),
    "states.safetensors": lambda path, run: load_states(path, None),
    "shared.safetensors": lambda path, run: load_predictor(path),
    "bins.json": lambda path, run: read_bins(path),
    "list.json": lambda path, run: listed(path),
}


@pytest.fixture(scope="module")
def intact(zoo, packed, class_means, fitted, coefficients, autoencoder, shared, bins, tmp_path_factory):
    """Intact files by the names in ``READERS``."""
    folder = tmp_path_factory.mktemp("intact")
    random_start(folder / "start", resnet18_network(2, 3), Job(seed=0))
    write_json(folder / "list", {"a.h5": "digest"})
    files = {"member.h5": zoo.members[0], "index.h5": zoo.train, "packed.h5": packed["0"], "means.h5": class_means["0"]}
    files |= {"packed-by-class.h5": packed["0"], "parameter.h5": fitted[0], "coefficients.h5": coefficients["train"]}
    files |= {"latents.h5": autoencoder.latents["train"], "start.safetensors": folder / "start"}
    files |= {"encoder.safetensors": autoencoder.state, "states.safetensors": autoencoder.checkpoints}
    return files | {"shared.safetensors": shared.state, "bins.json": bins, "list.json": folder / "list"}


class RunFiles:
    def __init__(self, zoo, fitted):
        self.index, self.fitted = zoo.train, fitted
        with open_zoo(zoo.train) as opened:
            self.layout = opened.layout


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_cut_short_is_named_with_the_remedy(intact, zoo, fitted, tmp_path, name, share):
    content = intact[name].read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=rf"{name} is (damaged|empty|not complete JSON).*; ") as caught:
        READERS[name](tmp_path / name, RunFiles(zoo, fitted))
    assert not any(word in str(caught.value) for word in ("delete", "remove", "snakemake")), (
        "the file may not be the user's"
    )


@pytest.mark.parametrize("name", READERS)
def test_the_remedy_for_a_damaged_file_of_a_run_is_its_job(intact, zoo, fitted, tmp_path, monkeypatch, name):
    run = tmp_path / "results" / "tiny"
    (run / "logs").mkdir(parents=True)
    (run / "logs" / "jobs.json").write_text(json.dumps({"jobs": [{"outputs": [f"zoo/{name}"]}]}))
    (run / "zoo").mkdir()
    content = intact[name].read_bytes()
    (run / "zoo" / name).write_bytes(content[: len(content) // 2])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").touch()
    with pytest.raises(DataError, match=rf"`snakemake --cores all --forcerun results/tiny/zoo/{name}`$"):
        READERS[name](f"results/tiny/zoo/{name}", RunFiles(zoo, fitted))


@pytest.fixture
def damaged(zoo, tmp_path):
    """An index of three members, of which ``damage(member, change)`` alters one."""
    members = [tmp_path / "members" / path.name for path in zoo.members[:3]]
    for path, source in zip(members, zoo.members, strict=False):
        write_members(path, [read_member(source)])

    def damage(place, change):
        change(members[place])
        write_index(members, tmp_path / "train.h5")
        return tmp_path / "train.h5"

    return damage


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("column", "name"), [(0, "conv1.weight"), (-1, "fc.bias")])
def test_a_non_finite_weight_is_found_in_its_file_and_parameter(damaged, value, column, name):
    def change(path):
        member = read_member(path)
        member.weights[1, column] = value
        write_members(path, [member])

    message = rf"^member 1: .*members/00001\.h5 holds non-finite weights in {name}; use an intact copy$"
    index = damaged(1, change)
    with open_zoo(index) as opened:
        with pytest.raises(DataError, match=message):
            read_weights(opened)
        assert np.isfinite(read_weights(opened, slice(0, 3))).all()
        entry = opened.layout[name]
        with pytest.raises(DataError, match=message):
            read_weights(opened, slice(2, 4), entry.columns)
    with pytest.raises(DataError, match=message):
        fit_parameters(index, [index.with_name("pca.h5")], [name], PcaSettings(variance_threshold=0, components=2))
    assert not index.with_name("pca.h5").exists()


def test_a_member_that_is_cut_short_behind_its_index_is_named(damaged):
    index = damaged(2, lambda path: None)
    member = index.parent / "members" / "00002.h5"
    member.write_bytes(member.read_bytes()[:2000])
    with (
        open_zoo(index) as opened,
        pytest.raises(DataError, match=r"^member 2: .*00002\.h5 is damaged: .*truncated.*; restore it from a copy$"),
    ):
        read_weights(opened)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_non_finite_tensors_are_not_written(tmp_path, value):
    tensors = {"count": torch.tensor(3), "fc.weight": torch.zeros(2), "fc.bias": torch.tensor([0, value])}
    with pytest.raises(DataError, match=r"x\.safetensors would contain non-finite values in fc\.bias; lower"):
        write_tensors(tmp_path / "x.safetensors", tensors, {})
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_program_is_distinguished_from_a_damaged_one(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match=r"x\.safetensors was not written by wsl"):
        read_tensors(tmp_path / "x.safetensors")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["weights"] = [1.0]
    with pytest.raises(DataError, match=r"x\.h5 is not a member file"):
        read_member(tmp_path / "x.h5")
