"""The CLIP encoders of images and texts, by name, by file or with random weights."""

import logging
from collections.abc import Sequence
from pathlib import Path

import open_clip
import torch
from torch.nn import functional

from wsl.errors import ConfigError, DataError
from wsl.files import read_json

log = logging.getLogger(__name__)
OWN_MODELS = Path(__file__).parent / "models"


class Clip:
    """f_CLIP: images, and texts where the model has a text tower, to features (section 3.2.2).

    Args:
        model: an open_clip model's name, or the path of its JSON config.
        weights: a pretrained tag of that model, a file, or None for random weights.
        seed: of random weights.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: open_clip knows no such model or weights, or cannot get them.
    """

    def __init__(self, model: str, weights: str | None, seed: int, device: str = "cpu"):
        name = add_model(model)
        if weights is None:
            log.warning(
                "datasets.weights is empty: %s has RANDOM weights; its features say little of what images show", name
            )
        torch.manual_seed(seed)
        try:
            loaded = open_clip.create_model(name, pretrained=weights, weights_only=True)
        except Exception as error:  # a damaged or hostile file raises whatever its unpickling met first
            raise ConfigError(
                f"datasets: open_clip cannot load model {model!r} with weights {weights!r}: {error}; "
                "a tag needs a network, a file must hold this model's state dict"
            ) from error
        self.model = loaded.eval().to(device)
        self.device = device
        self.name = name
        size = self.model.visual.image_size
        self.size = size if isinstance(size, int) else size[0]
        preprocessing = open_clip.get_model_preprocess_cfg(self.model)
        self.mean = torch.tensor(preprocessing["mean"], device=device).view(3, 1, 1)
        self.std = torch.tensor(preprocessing["std"], device=device).view(3, 1, 1)

    @torch.no_grad()
    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return features (n, dimension), as CLIP gives them, of uint8 images (n, 3, h, w)."""
        pixels = images.to(self.device).float() / 255
        if pixels.shape[-1] != self.size:
            pixels = functional.interpolate(pixels, self.size, mode="bicubic", antialias=True).clamp(0, 1)
        return self.model.encode_image((pixels - self.mean) / self.std).float()

    @torch.no_grad()
    def text_features(self, prompts: Sequence[str]) -> torch.Tensor:
        """Return features (n, dimension) of sentences, each of length 1."""
        tokens = open_clip.get_tokenizer(self.name)(list(prompts)).to(self.device)
        return functional.normalize(self.model.encode_text(tokens).float(), dim=1)


def add_model(model: str) -> str:
    """Make a model known to open_clip and return its name; ``model`` may be the path of a JSON config."""
    open_clip.add_model_config(OWN_MODELS)
    if not model.endswith(".json"):
        return model
    if not Path(model).is_file():
        raise ConfigError(f"datasets.model: there is no file {model}; correct the path")
    try:
        read_json(model)  # open_clip would keep a broken file among its models
    except DataError as error:
        raise ConfigError(f"datasets.model: {model} is not JSON ({error.__cause__}); correct the file") from error
    open_clip.add_model_config(Path(model))
    return Path(model).stem
