"""A model as a class that `huggingface_hub` loads and saves, and the files of its repository."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin, hf_hub_download
from PIL import Image
from torch import nn

from wsl.errors import DataError
from wsl.files.huggingface import reaching
from wsl.files.plain import write_json
from wsl.hub.cards import model_card, timm_name
from wsl.hub.contents import MODEL
from wsl.images.inputs import normalised
from wsl.images.parts import cropped
from wsl.images.pixels import as_seen
from wsl.sampling.model_files import model_layout, read_model, write_model
from wsl.settings.sections import plain
from wsl.zoo.network import State, network_for

CONFIG = "config.json"


class HubModel(nn.Module, PyTorchModelHubMixin, library_name="wsl", tags=["wsl"]):
    """A classifier of `wsl`: a network with its classes and preprocessing.

    ``HubModel.from_pretrained("owner/name")`` loads what `wsl push` sent, as does the path of a local folder.

    Args:
        state: state dict of the network.
        about: metadata of its file, see ``wsl.sampling.model_files``.
        source: of the model, for messages.

    Attributes:
        network: in evaluation mode; its state dict has the names of torchvision or timm.
        classes: in the order of the outputs.
        size: side of the images in pixels; None: any.
        about: metadata.

    Raises:
        DataError: the state dict is not that of the network which the metadata describe.
    """

    def __init__(self, state: State, about: dict[str, Any], source: str = "the model"):
        super().__init__()
        self.layout = model_layout(source, state, about)
        self.network = network_for(self.layout).eval()
        try:
            self.network.load_state_dict(state)
        except RuntimeError as error:
            raise DataError(f"{source} does not hold the weights of its architecture; give a model of wsl") from error
        if not isinstance(about.get("architecture"), dict):  # earlier versions stored its name
            about = {**about, "architecture": plain(self.network.architecture)}
        self.about, self.classes, self.size = about, list(about["classes"]), about["size"]
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) of normalised images (n, 3, size, size)."""
        return self.network(images)

    def preprocess(self, *images: Image.Image) -> torch.Tensor:
        """Return PIL images as the input (n, 3, size, size) of the network: upright, cropped, scaled, normalised.

        Raises:
            DataError: the size of the network's images is not known.
        """
        if self.size is None:
            raise DataError(
                "the metadata of this model have no size of images; crop, scale and normalise them yourself"
            )
        pixels = np.stack([cropped(as_seen(image)[0], self.size) for image in images])
        return normalised(torch.from_numpy(pixels).permute(0, 3, 1, 2), self.layout.normalisation)

    @torch.no_grad()
    def classify(self, *images: Image.Image) -> list[str]:
        """Return the class of each PIL image."""
        return [self.classes[place] for place in self(self.preprocess(*images)).argmax(1).tolist()]

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Return the model in a file of `wsl sample`, see ``wsl.sampling.model_files.read_model``."""
        return cls(*read_model(path), source=str(path))

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", strict: bool = True, **options: Any) -> Self:
        options = {key: options.get(key) for key in ("revision", "cache_dir", "token")} | {
            key: options.get(key, False) for key in ("force_download", "local_files_only")
        }
        path = Path(model_id, MODEL)
        if not Path(model_id).is_dir():
            with reaching(model_id):
                path = Path(hf_hub_download(model_id, MODEL, **options))
        return cls.from_file(path).to(map_location)

    def _save_pretrained(self, save_directory: Path) -> None:
        write_model(save_directory / MODEL, self.network.state_dict(), self.about)
        write_config(save_directory / CONFIG, self)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """Return the model card."""
        return ModelCard(model_card(self.about, **kwargs))

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Send the model with its card and return the address of the commit, see ``PyTorchModelHubMixin``."""
        card = {"repo": repo_id, **(options.pop("model_card_kwargs", None) or {})}
        return super().push_to_hub(repo_id, model_card_kwargs=card, **options)


def write_config(path: Path, model: HubModel) -> None:
    """Write ``config.json``: what timm needs to load a network of timm, and the metadata of all models."""
    name = timm_name(model.about["architecture"])
    config = {"library_name": "wsl"} if name is None else {"library_name": "timm", **_timm_config(model, name)}
    keys = ("architecture", "classes", "size", "preprocessing", "run", "sampler")
    config["id2label"] = {str(place): label for place, label in enumerate(model.classes)}
    write_json(path, {**config, "wsl": {key: model.about[key] for key in keys if key in model.about}})


def _timm_config(model: HubModel, name: str) -> dict[str, Any]:
    """Return what timm reads from ``config.json``: the architecture, and how images are prepared."""
    import timm

    published = timm.get_pretrained_cfg(name)
    fixed, normalisation = published is not None and published.fixed_input_size, model.layout.normalisation
    modules = {key: getattr(published, key, None) for key in ("first_conv", "classifier")}
    return {
        "architecture": name.partition(".")[0],
        "num_classes": len(model.classes),
        "num_features": model.network.num_features,
        "label_names": model.classes,
        "pretrained_cfg": {
            "input_size": [3, model.size, model.size],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": list(normalisation.mean),
            "std": list(normalisation.std),
            "fixed_input_size": fixed,
            "num_classes": len(model.classes),
            **{key: value for key, value in modules.items() if value is not None},
        },
        "model_args": {"img_size": model.size} if fixed else {},
    }
