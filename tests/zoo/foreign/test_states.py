"""Files of weights that others saved: what they hold is read, and nothing that they say is run."""

import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from wsl.errors import DataError
from wsl.zoo.foreign.states import read_state

STATE = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.ones(2)}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in two)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"epoch": 3, "model": {"state_dict": s}}])
def test_what_was_saved_is_read(tmp_path, wrap):
    torch.save(wrap(STATE), tmp_path / "checkpoints")
    assert same(read_state(tmp_path / "checkpoints"), STATE)


def test_safetensors_are_read(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    assert same(read_state(tmp_path / "a.safetensors"), STATE)


@pytest.mark.parametrize(
    "kind", ["archive", "beside tensors", "bare pickle", "old format", "in the place of safetensors"]
)
def test_code_in_a_file_is_refused_and_not_run(made, tmp_path, kind):
    trace = tmp_path / "trace"
    evil = made.Evil(trace)
    pickle.loads(pickle.dumps(evil))
    assert trace.exists()  # it would work
    trace.unlink()
    path = tmp_path / ("x.safetensors" if "safetensors" in kind else "checkpoints")
    if kind in ("archive", "beside tensors"):
        torch.save(evil if kind == "archive" else {**STATE, "also": evil}, path)
    elif kind == "old format":
        torch.save({**STATE, "also": evil}, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(evil))
    with pytest.raises(DataError, match=rf"{path.name}.*(if you trust it|get it anew)"):
        read_state(path)
    assert not trace.exists()


@pytest.mark.parametrize("size", [0, 10, 400])
def test_a_file_cut_short_is_named_with_a_remedy(tmp_path, size):
    path = tmp_path / "checkpoints"
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"checkpoints.*cut short.*delete it"):
        read_state(path)


def test_entries_that_leave_the_archive_are_refused(tmp_path):
    path = tmp_path / "checkpoints"
    torch.save(STATE, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside", b"x")
    with pytest.raises(DataError, match="leave the archive"):
        read_state(path)


@pytest.mark.parametrize("content", [torch.ones(3), {}, {"fc.weight": 3.0}, {"a": {"b": torch.ones(1)}}, [1, 2]])
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "checkpoints")
    with pytest.raises(DataError, match=r"checkpoints.*save model\.state_dict\(\)"):
        read_state(tmp_path / "checkpoints")
