"""Read the state dict in a file from any program, whatever wraps it, without running code of the file."""

import re
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wsl.errors import DataError
from wsl.files.opening import opening_fault
from wsl.files.tensors import is_safetensors

# Keys under which training scripts save weights; the first that exists is used. Trained weights come before averaged
# ones, since the results that scripts report are those of the trained weights.
WRAPPERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "network", "net", "module", "weights", "params"),
    *("state_dict_ema", "ema_state_dict", "model_ema", "ema_model", "ema", "shadow", "swa_state_dict", "swa_model"),
    "params_ema",
)
# Other things that training scripts save with weights.
OTHER_CONTENT = re.compile(r"optim|sched|scaler|^amp$|rng|random|callbacks|loops|hyper_parameters|^args$|config")
# Names of wrapping modules: those of torch at any position, the others only as a prefix of all names.
INNER = re.compile(r"(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)")
OUTER = ("module.", "model.", "net.", "network.")
# Tensors of the training program that Lightning saves with those of the network.
PROGRAM = re.compile(r"(criterion|loss(_fn|_func)?|\w*metrics?|(train|val|valid|validation|test)_\w+)\.")
COUNTERS = re.compile(r"(^|\.)(n_averaged|num_updates|_extra_state)$")
# Types of other objects in checkpoints; empty objects replace them.
INERT = (
    *("argparse.Namespace", "pathlib.PosixPath", "pathlib._local.PosixPath", "pathlib.WindowsPath"),
    *("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *(f"numpy.dtypes.{kind}DType" for kind in ("Float64", "Float32", "Int64", "Int32", "Bool")),
)
SAVE = "load it where it was made, and save model.state_dict() alone"


@dataclass(frozen=True)
class SavedState:
    """The state dict in a file."""

    tensors: dict[str, torch.Tensor]  # dense, by names without those of wrapping modules; half precision became float32
    source: str  # keys of the wrappers that lead to it, joined by dots; empty: the file is the state dict
    ignored: tuple[str, ...]  # names of other content: averaged weights, the optimiser's state, counters


class _UnreadableError(Exception):
    """Its message is the cause why a file cannot be read, and the remedy."""


def read_state(path: str | Path) -> SavedState:
    """Read the state dict in a file of safetensors or ``torch.save``, whatever its name, on the CPU.

    Wrappers are removed: dicts of training scripts and Lightning (``WRAPPERS``; trained weights are preferred to
    averaged ones), nested dicts, and prefixes of DataParallel, torch.compile, FSDP and averaged models. Only tensors
    are unpickled; a file that needs code to run is refused.

    Raises:
        DataError: the file cannot be opened, is damaged, needs code, or holds no state dict or several.
    """
    path = Path(path)
    try:
        return _saved_state(load_file(path) if is_safetensors(path) else _load(path))
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error
    except SafetensorError as error:
        raise DataError(f"{path} cannot be read: it is not a whole safetensors file ({error}); get it again") from error
    except RecursionError as error:
        raise DataError(f"{path} cannot be read: it holds a dict within itself; {SAVE}") from error
    except _UnreadableError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _saved_state(content: Any) -> SavedState:
    if not isinstance(content, Mapping):
        raise _UnreadableError(f"it holds a {type(content).__name__}, not a state dict; {SAVE}")
    content, source, ignored = _unwrapped(content)
    state = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or COUNTERS.search(name):
            ignored.append(str(name))
        elif value.layout != torch.strided or value.is_quantized:
            raise _UnreadableError(f"{name} is sparse or quantised; save it as a dense tensor")
        else:
            value = value.detach()
            state[name] = value.float() if value.is_floating_point() and value.itemsize < 4 else value
    state, program = _bare(state)
    if not state:
        raise _UnreadableError(f"it holds no tensors by name; {SAVE}")
    return SavedState(state, ".".join(source), tuple(ignored + program))


def _load(path: Path) -> Any:
    """Return the content of a file of ``torch.save``: a zip archive or, before torch 1.6, pickles."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise _UnreadableError("it is empty; get it again")
    if start.startswith(b"version https://git-lfs"):
        raise _UnreadableError("it is a pointer of Git LFS to the file; run `git lfs pull`")
    if start.startswith(b"PK"):
        _check_archive(path)
    elif torch.torch_version.TorchVersion(torch.__version__) < "2.6":
        # Before 2.6 (CVE-2025-32434), torch could run code of such files.
        raise _UnreadableError(
            f"it is not a zip archive, and torch {torch.__version__} does not read older files safely; install torch "
            "2.6 or later, or save it as safetensors where it was made"
        )
    inert = {"__new__": lambda cls, *_: object.__new__(cls), "__setstate__": lambda *_: None}  # ignore all arguments
    names = (name.rpartition(".") for name in INERT)
    types = [type(name, (), {**inert, "__module__": module}) for module, _, name in names]
    allowed = getattr(torch.serialization, "safe_globals", None)  # torch 2.5 and later
    try:
        # Opened here, since torch takes the suffix .safetensors as the format.
        with path.open("rb") as file, warnings.catch_warnings(), allowed(types) if allowed else nullcontext():
            warnings.simplefilter("ignore")  # of kinds of pickles that torch may not know
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged or hostile file raises errors of any type
        # Torch's own message explains how to run code of the file.
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise _UnreadableError(f"loading it would run {code[1]}, and no code of a file is run; {SAVE}") from error
        kind = type(error).__name__
        raise _UnreadableError(f"it is damaged, or not from torch.save ({kind}); get it again, or {SAVE}") from error


def _check_archive(path: Path) -> None:
    try:
        with ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
    except BadZipFile as error:
        raise _UnreadableError("it was cut short; get it again") from error
    except (ValueError, NotImplementedError) as error:  # names that are not text, unknown versions
        raise _UnreadableError(f"its archive is damaged ({error}); get it again") from error
    if any(name.is_absolute() or ".." in name.parts for name in names):
        raise _UnreadableError("it has entries that leave the archive; do not use it")
    if any(name.name == "constants.pkl" for name in names):
        raise _UnreadableError(f"it is a TorchScript program, not a state dict; {SAVE}")


def _unwrapped(content: Mapping) -> tuple[Mapping, list[str], list[str]]:
    """Return the dict of tensors in a file, the keys that lead to it, and the names of other content."""
    source, ignored = [], []
    while nested := [key for key, value in content.items() if isinstance(value, Mapping) and _has_tensors(value)]:
        parts = [key for key in nested if not (isinstance(key, str) and OTHER_CONTENT.search(key))]
        chosen = next((key for key in WRAPPERS if key in nested), None)
        tensors = [key for key, value in content.items() if isinstance(value, torch.Tensor)]
        if chosen is None and len(parts) == 1 and not tensors:
            chosen = parts[0]
        if chosen is None:
            whole = [key for key in parts if any(isinstance(name, str) and "." in name for name in content[key])]
            if len(whole) > 1:
                raise _UnreadableError(
                    f"it holds several state dicts, {', '.join(map(str, whole))}; load it where it was made, and save "
                    "one of them alone"
                )
            ignored += [str(key) for key, value in content.items() if key not in parts and key not in tensors]
            return _flat({key: content[key] for key in content if key in parts or key in tensors}), source, ignored
        ignored += [str(key) for key in content if key != chosen]
        source.append(str(chosen))
        content = content[chosen]
    return content, source, ignored


def _has_tensors(value: Any) -> bool:
    """Return whether a value is a tensor or a mapping that contains one."""
    return isinstance(value, torch.Tensor) or (isinstance(value, Mapping) and any(map(_has_tensors, value.values())))


def _flat(content: Mapping, prefix: str = "") -> dict[str, Any]:
    """Return nested dicts as one, with names joined by dots."""
    flat = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _bare(state: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Return a state dict without the names of wrapping modules, and names of the training program's tensors."""
    short = {INNER.sub("", name).removeprefix("."): value for name, value in state.items()}
    state = short if len(short) == len(state) else state
    program: list[str] = []
    while True:
        inner = [name for name in state if not PROGRAM.match(name)]
        prefix = next((start for start in OUTER if inner and all(name.startswith(start) for name in inner)), None)
        if prefix is None:
            return state, program
        program += [name for name in state if name not in set(inner)]
        state = {name.removeprefix(prefix): state[name] for name in inner}
