"""The weight encoder of a finished run: its files, and one's own weights in its space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wsl.errors import DataError
from wsl.paths import Paths
from wsl.runs.config_file import read_config

if TYPE_CHECKING:
    import numpy as np

    from wsl.weights.codec import WeightCodec


class CodecFiles(NamedTuple):
    """The files of the weight encoder of a run for one architecture."""

    index: Path  # of training members
    pca: list[Path]
    encoder: Path


def codec_files(folder: Path, described: Mapping[str, Any] | None) -> dict[str, CodecFiles]:
    """Return the files of a run's weight encoder by the label of the architecture; ``""`` if the run has only one.

    Args:
        folder: of the run.
        described: the files of the run's sampler, by name; None: it has none.

    Raises:
        DataError: the run has no weight encoder, or files are missing.
    """
    from wsl.files.plain import read_json
    from wsl.zoo.index import open_zoo

    paths = Paths(str(folder))
    if described is not None:
        return {"": CodecFiles(described["index"], described["pca"], described["encoder"])}
    if labels := read_json(paths.summary).get("architectures"):
        encoders = [path for path in (folder / "weights" / "encoders").glob("*.safetensors")]
        encoders = [path for path in encoders if not path.stem.endswith("_checkpoints")]
        if len(encoders) != 1:
            known = ", ".join(path.stem for path in encoders) or "none"
            raise DataError(f"{folder} has several weight encoders on a bench ({known}); use a run with one")
        return {label: CodecFiles(Path(paths.index(f"{label}/train")), [], encoders[0]) for label in labels}
    weights = read_config(folder)["weights"]
    index = Path(paths.index("train", weights["align"]))
    with open_zoo(index) as zoo:
        names = [entry.name for entry in zoo.layout.entries]
    stage = "pca" if weights["budget"] is None else "gated"
    return {"": CodecFiles(index, [Path(paths.pca(name, stage)) for name in names], Path(paths.weight_encoder))}


def aligned(flat: np.ndarray, files: CodecFiles, codec: WeightCodec, folder: Path) -> np.ndarray:
    """Return flat weights (n_weights,) permuted like the members of a run, if the run aligns them (``weights.align``).

    Args:
        flat: the weights.
        files: of the run's weight encoder.
        codec: the weight encoder.
        folder: of the run.
    """
    if files.index.parent.name != "aligned":
        return flat
    from wsl.randomness import integer_seed
    from wsl.weights.alignment import match
    from wsl.weights.symmetry import permutation_index
    from wsl.zoo.index import open_zoo, read_snapshot

    layout = codec.linear.layout
    with open_zoo(files.index) as training:
        reference = read_snapshot(training, training.trained[0])
    seed = integer_seed(read_config(folder)["seed"], "alignment")
    return flat[permutation_index(layout, match(flat, reference, layout, seed))]
