"""Users' files of weights: wrappers of a state dict are removed, and code in a file is never run."""

import argparse
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wsl.errors import DataError
from wsl.zoo.states import read_state


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


STATE = network().state_dict()


def same(state, other):
    return state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in other)


def averaged():
    model = AveragedModel(network(), multi_avg_fn=get_ema_multi_avg_fn())
    model.update_parameters(network())
    return model.state_dict()


def optimizer():
    model = network()
    adamw = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 3, 3, 3)).sum().backward()
    adamw.step()
    return adamw.state_dict()


def prefixed(prefix, state=STATE):
    return {prefix + name: value for name, value in state.items()}


OTHERS = {name: value + 1 for name, value in STATE.items()}
LIGHTNING = {
    "epoch": 3,
    "global_step": 90,
    "pytorch-lightning_version": "2.2.0",
    "state_dict": {**prefixed("model."), "criterion.weight": torch.ones(2), "train_acc.tp": torch.ones(2)},
    "optimizer_states": [optimizer()],
    "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
    "hyper_parameters": {"lr": 0.1},
}
WRAPPED = {
    "plain": STATE,
    "data parallel": {"state_dict": nn.DataParallel(network()).state_dict()},
    "compiled": torch.compile(network()).state_dict(),
    "compiled below data parallel": prefixed("module._orig_mod."),
    "compiled part": {("0._orig_mod." + name[2:] if name[0] == "0" else name): STATE[name] for name in STATE},
    "model": {"model": STATE, "optimizer": optimizer(), "epoch": 4},
    "model_state_dict": {"model_state_dict": STATE, "optimizer_state_dict": optimizer(), "loss": torch.tensor(2.0)},
    "net": {"net": prefixed("module."), "acc": 93.1, "epoch": 4},
    "nested": {"checkpoint": {"epoch": 1, "model": {"state_dict": STATE}}},
    "tree": {"0": {"weight": STATE["0.weight"], "bias": STATE["0.bias"]}}
    | {key: {name[2:]: STATE[name] for name in STATE if name[0] == key} for key in "13"},
    "averaged": averaged(),
    "averaged in a checkpoint": {"ema": averaged(), "epoch": 3},
    "timm": {
        "state_dict": STATE,
        "state_dict_ema": OTHERS,
        "args": argparse.Namespace(lr=0.1),
        "metric": np.float64(1),
    },
    "trained before averaged": {"model_ema": OTHERS, "model": STATE},
    "model.": prefixed("model."),
    "lightning": LIGHTNING,
    "module.model.": prefixed("module.model."),
}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickle"])
@pytest.mark.parametrize("kind", WRAPPED)
def test_wrappers_of_a_state_dict_are_removed(tmp_path, kind, old):
    torch.save(WRAPPED[kind], tmp_path / "checkpoints", _use_new_zipfile_serialization=not old)
    assert same(read_state(tmp_path / "checkpoints").tensors, STATE)


def read(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    return read_state(tmp_path / "x.pt")


def test_used_and_ignored_content_is_reported(tmp_path):
    assert read(tmp_path, STATE).source == "" and read(tmp_path, STATE).ignored == ()
    saved = read(tmp_path, WRAPPED["trained before averaged"])
    assert saved.source == "model" and saved.ignored == ("model_ema",)
    saved = read(tmp_path, {"model_ema": OTHERS, "epoch": 3})
    assert saved.source == "model_ema" and same(saved.tensors, OTHERS)
    saved = read(tmp_path, LIGHTNING)
    assert saved.source == "state_dict"
    assert {"optimizer_states", "callbacks", "criterion.weight", "train_acc.tp"} <= set(saved.ignored)
    assert read(tmp_path, averaged()).ignored == ("n_averaged",)
    assert read(tmp_path, {**STATE, "optimizer": optimizer(), "epoch": 3}).ignored == ("optimizer", "epoch")


def test_names_that_only_look_like_a_wrapper_stay(tmp_path):
    state = {"model.weight": torch.ones(2, 2), "scale": torch.ones(2)}
    assert same(read(tmp_path, state).tensors, state)
    assert list(read(tmp_path, {"module_list.0.weight": torch.ones(2, 2)}).tensors) == ["module_list.0.weight"]


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(tmp_path, kind):
    state = {"fc.weight": torch.tensor([[0.5, -2.0]], dtype=kind), "count": torch.tensor(7)}
    for path in (tmp_path / "a", tmp_path / "b"):
        (torch.save if path.name == "a" else save_file)(state, path)
        tensors = read_state(path).tensors
        assert tensors["fc.weight"].dtype == torch.float32 and tensors["fc.weight"].tolist() == [[0.5, -2.0]]
        assert tensors["count"].dtype == torch.int64


@pytest.mark.parametrize("name", ["a.safetensors", "checkpoints", "model.pt"])
def test_safetensors_are_recognised_by_their_content(tmp_path, name):
    save_file(prefixed("module."), tmp_path / name)
    assert same(read_state(tmp_path / name).tensors, STATE)


def test_a_file_of_torch_may_be_called_safetensors(tmp_path):
    torch.save(STATE, tmp_path / "a.safetensors")
    assert same(read_state(tmp_path / "a.safetensors").tensors, STATE)


class Evil:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("kind", ["archive", "beside tensors", "bare pickle", "old format", "a hidden name"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, kind):
    trace = tmp_path / "trace"
    evil = Evil(str(trace))
    pickle.loads(pickle.dumps(evil))
    assert trace.exists()  # the code works
    trace.rmdir()
    path = tmp_path / ("x.safetensors" if kind == "a hidden name" else "checkpoints")
    if kind == "bare pickle":
        path.write_bytes(pickle.dumps(evil))
    else:
        content = evil if kind == "archive" else {**STATE, "also": evil, "args": argparse.Namespace(a=1)}
        torch.save(content, path, _use_new_zipfile_serialization=kind != "old format")
    with pytest.raises(DataError, match=rf"{path.name} cannot be read: .*load it where it was made") as refused:
        read_state(path)
    assert not trace.exists()
    assert "weights_only" not in str(refused.value) and "allowlist" not in str(refused.value)


def test_a_whole_model_is_named_by_its_class(tmp_path):
    torch.save(network(), tmp_path / "model.pt")
    with pytest.raises(DataError, match=r"would run torch\.nn.*Sequential, and no code .* save model\.state_dict\(\)"):
        read_state(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("size", "cause"), [(0, "it is empty"), (10, "it was cut short"), (400, "it was cut short"), (-100, "cut short")]
)
def test_a_file_cut_short_is_named_with_a_remedy(tmp_path, size, cause):
    path = tmp_path / "checkpoints"
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=rf"checkpoints cannot be read: .*{cause}; get it again"):
        read_state(path)


def test_any_damage_of_bytes_ends_in_a_message(tmp_path):
    """Damage of weights may stay unnoticed; any other damage leads to a message."""
    draw, reported = random.Random(0), 0
    for place in range(120):
        path = tmp_path / f"{place}"
        (save_file if place % 3 == 0 else torch.save)(STATE, path)
        content = bytearray(path.read_bytes())
        for _ in range(12):  # half of them near the ends, where formats keep their directories
            content[draw.choice((draw.randrange(len(content)), -draw.randrange(1, 900), draw.randrange(300)))] ^= 255
        path.write_bytes(content)
        try:
            read_state(path)
        except DataError as error:
            reported += str(path) in str(error)
    assert reported > 60


def test_safetensors_cut_short_are_named(tmp_path):
    save_file(STATE, tmp_path / "x")
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-8])
    with pytest.raises(DataError, match=r"x cannot be read: it is not a whole safetensors file.*get it again"):
        read_state(tmp_path / "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "pointer of Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>", "damaged, or not from torch.save"),
        (b"junk" * 100, "damaged, or not from torch.save"),
    ],
)
def test_files_of_something_else_are_named(tmp_path, content, message):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_state(tmp_path / "x.pt")


def test_a_file_that_cannot_be_opened_is_reported_with_the_cause(tmp_path):
    with pytest.raises(DataError, match="nowhere is missing"):
        read_state(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is a folder"):
        read_state(tmp_path)


def test_entries_that_leave_the_archive_are_refused(tmp_path):
    path = tmp_path / "checkpoints"
    torch.save(STATE, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside", b"x")
    with pytest.raises(DataError, match="leave the archive"):
        read_state(path)


def test_programs_are_refused(tmp_path):
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(tmp_path / "x.pt")
    with pytest.raises(DataError, match=r"TorchScript program.*save model\.state_dict\(\)"):
        read_state(tmp_path / "x.pt")


def endless():
    content = {"x": 1}
    content["more"] = content
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(3), "it holds a Tensor, not a state dict"),
        ({}, "no tensors by name"),
        ({"fc.weight": 3.0}, "no tensors by name"),
        ([1, 2], "it holds a list, not a state dict"),
        ({"generator": STATE, "discriminator": STATE}, "several state dicts, generator, discriminator;.*one of them"),
        (endless(), "it holds a dict within itself"),
        ({"fc.weight": torch.eye(2).to_sparse()}, r"fc\.weight is sparse"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)
