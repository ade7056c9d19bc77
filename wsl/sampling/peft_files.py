"""Adapters in the format of peft: `adapter_config.json` and `adapter_model.safetensors`."""

from pathlib import Path

import numpy as np

from wsl.files.atomic import written_whole
from wsl.files.plain import write_json
from wsl.files.tensors import save_tensors
from wsl.zoo.architectures._lora_modules import CHANGE, DOWN, UP, factors
from wsl.zoo.layout import Layout
from wsl.zoo.network import state_dict
from wsl.zoo.recognition import architecture_of

PREFIX = "base_model.model."  # of names in peft's files


def adapter_folder(model: str | Path) -> Path:
    """Return the folder of the adapter of a model file."""
    return Path(f"{model}.adapter")


def write_adapter(folder: str | Path, weights: np.ndarray, layout: Layout) -> None:
    """Write flat weights (n_weights,) of adapters and head as peft does.

    ``peft.PeftModel.from_pretrained(network, folder)`` applies them to the frozen network, whose head must have as many
    classes. Changes of a higher rank than the adapters' are replaced by the nearest of this rank.
    """
    lora, path = architecture_of(layout), layout.frozen[0]
    head = layout.head[0].rpartition(".")[0]
    tensors, targets = {}, []
    for name, value in state_dict(weights, layout).items():
        module, _, key = name.rpartition(".")
        if key != CHANGE:
            tensors[PREFIX + name] = value
            continue
        up, down = factors(value / lora.scale, lora.rank)
        # The first convolution has the kernel of the adapted one, the second a kernel of 1 pixel.
        tensors[f"{PREFIX}{module}.{DOWN}.weight"] = down.view(lora.rank, *value.shape[1:]).contiguous()
        tensors[f"{PREFIX}{module}.{UP}.weight"] = up.view(*up.shape, *[1] * (value.ndim - 2)).contiguous()
        targets.append(module)
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": str(path),
        "r": lora.rank,
        "lora_alpha": lora.scale * lora.rank,
        "target_modules": targets,
        "modules_to_save": [head],
        "bias": "none",
        "lora_dropout": 0.0,
        "inference_mode": True,
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"frozen_sha256": layout.frozen[1], "architecture": lora.base.described(), "classes": layout.classes}
    with written_whole(folder / "adapter_model.safetensors") as temporary:
        save_tensors(temporary, tensors, about)
    write_json(folder / "adapter_config.json", config)
