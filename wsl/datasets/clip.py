"""The CLIP encoders of images and texts, from files or with random weights, and class files of their features."""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from torch.nn import functional

from wsl.datasets.class_means import embed_class, write_class
from wsl.datasets.settings import ClipModel
from wsl.errors import ConfigError, DataError
from wsl.files.plain import read_json
from wsl.files.tensors import is_safetensors
from wsl.jobs.job import Job

log = logging.getLogger(__name__)
OWN_MODELS = Path(__file__).parent / "models"
BATCH = 256  # images per forward pass


class Clip:
    """f_CLIP (section 3.2.2): features of images and, if the model has a text tower, of texts.

    Nothing is fetched, see ``wsl.datasets.fetching``.

    Args:
        model: name of an open_clip model, the path of its JSON config, or the path of an ``open_clip_config.json``,
            which also names the preprocessing and may lie in a folder with weights and tokenizer.
        weights: file of a state dict, of torch or safetensors; None: those in the folder of ``open_clip_config.json``,
            or random weights.
        seed: of random weights.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: open_clip does not know the model, or the file does not fit.
    """

    def __init__(self, model: str, weights: str | None, seed: int, device: str = "cpu"):
        name, preprocessing = add_model(model)
        folder = None if preprocessing is None else f"local-dir:{Path(model).parent}"
        if weights is None and folder is None:
            fault = "datasets.weights is empty: %s has RANDOM weights; its features hardly depend on what images show"
            log.warning(fault, name)
        torch.manual_seed(seed)
        in_folder = folder is not None and weights is None
        # A text tower of the package transformers would otherwise come from the network.
        settings = {"force_preprocess_cfg": preprocessing, "pretrained_hf": False, "require_pretrained": in_folder}
        try:
            with _named_by_content(weights) as file:
                source = folder if in_folder else name
                loaded = open_clip.create_model(source, pretrained=file, **settings, weights_only=True)
        except Exception as error:  # a damaged or hostile file raises whatever its unpickling met first
            raise ConfigError(
                f"datasets: open_clip cannot load model {model!r} with weights {weights!r}: {error}; "
                "the file must hold this model's state dict and nothing else"
            ) from error
        self.model, self.device, self.tokenizer = loaded.eval().to(device), device, folder or name
        self._name = f"{model} with {weights}" if weights else model
        size = self.model.visual.image_size
        self.size = size if isinstance(size, int) else size[0]
        preprocessing = open_clip.get_model_preprocess_cfg(self.model)
        self.mean, self.std = (torch.tensor(preprocessing[key], device=device).view(3, 1, 1) for key in ("mean", "std"))

    @torch.no_grad()
    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return features (n, dimension), not normalised, of uint8 images (n, 3, h, w).

        Raises:
            DataError: features are not finite, since the weights are not.
        """
        return torch.cat([self._features(batch) for batch in images.split(BATCH)])

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.to(self.device).float() / 255
        if pixels.shape[-1] != self.size:
            pixels = functional.interpolate(pixels, self.size, mode="bicubic", antialias=True).clamp(0, 1)
        return self._finite(self.model.encode_image((pixels - self.mean) / self.std).float())

    @torch.no_grad()
    def text_features(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return features (n, dimension) of sentences, each of length 1; raises as ``features`` does."""
        tokens = open_clip.get_tokenizer(self.tokenizer)(list(prompts)).to(self.device)
        return functional.normalize(self._finite(self.model.encode_text(tokens).float()), dim=1)

    def _finite(self, features: torch.Tensor) -> torch.Tensor:
        if not features.isfinite().all():
            raise DataError(
                f"datasets: {self._name} gives features that are not finite; its weights are damaged: fetch or create "
                "their file again"
            )
        return features


def embed_classes(
    packed: Sequence[str | Path],
    out: Sequence[str | Path],
    prompts: Sequence[Sequence[str]],
    model: ClipModel,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write class files: the mean of the CLIP features of each class's *training* images.

    Args:
        packed: packed images, one file per class.
        out: one HDF5 file per class, with ``mean`` (dimension,), ``features`` (images, dimension) in the order of the
            images, and ``text`` (dimension,), the mean of the prompts' normalised features, if there are prompts.
        prompts: sentences that name each class.
        model: see ``Clip``.
        job: its seed is that of random weights of CLIP.
    """
    torch.set_num_threads(job.threads)
    encoder = Clip(model.model, model.weights, job.seed, job.device)
    for source, path, sentences in zip(packed, out, prompts, strict=True):
        text = encoder.text_features(sentences).mean(0).cpu().numpy() if sentences else None
        name, count = embed_class(source, path, encoder.features, text)
        log.info("class %s: mean of %d images, %d prompts", name, count, len(sentences))


def embed_name(name: str, prompts: Sequence[str], out: str | Path, clip: Clip, length: float) -> None:
    """Write the class file of a class without images from sentences that name it.

    It is as that of ``embed_classes``, with empty ``features``; ``mean`` is the text feature, scaled to ``length``.
    """
    text = clip.text_features(prompts).mean(0).cpu().numpy()
    mean = np.float32(text * length / np.linalg.norm(text))
    write_class(out, name, mean, np.empty((0, len(text)), dtype=np.float32), text)


def add_model(model: str) -> tuple[str, dict[str, Any] | None]:
    """Register a model (see ``Clip``) with open_clip.

    Returns:
        The name of the model, and its preprocessing where an ``open_clip_config.json`` names it.

    Raises:
        ConfigError: ``model`` is the path of a JSON config that does not exist or cannot be read.
    """
    open_clip.add_model_config(OWN_MODELS)
    if not model.endswith(".json"):
        return model, None
    path = Path(model)
    if not path.is_file():
        raise ConfigError(f"datasets.model: there is no file {model}; correct the path")
    try:
        content = read_json(path)
    except DataError as error:
        raise ConfigError(f"datasets.model: {error}") from error
    if "model_cfg" not in content:
        open_clip.add_model_config(path)
        return path.stem, None
    name = f"from-{path.resolve().parent.name}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{name}.json").write_text(json.dumps(content["model_cfg"]), encoding="utf-8")
        open_clip.add_model_config(folder)
    return name, content.get("preprocess_cfg", {})


@contextmanager
def _named_by_content(weights: str | None) -> Iterator[str | None]:
    """Yield a link with the suffix by which open_clip recognises safetensors; a fetched file has no suffix."""
    if weights is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "weights").with_suffix(".safetensors" if is_safetensors(weights) else Path(weights).suffix)
        link.symlink_to(Path(weights).absolute())
        yield str(link)
