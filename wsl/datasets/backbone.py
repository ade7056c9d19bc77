"""Class files of the dataset encoder `backbone`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional

from wsl.datasets.class_means import embed_class
from wsl.datasets.encoders.backbone import Backbone
from wsl.errors import DataError
from wsl.jobs.job import Job
from wsl.zoo.network import features_and_logits, network_for
from wsl.zoo.settings import Network
from wsl.zoo.start import imported_state

log = logging.getLogger(__name__)
BATCH = 64  # images per forward pass


def embed_by_backbone(
    packed: Sequence[str | Path],
    out: Sequence[str | Path],
    prompts: Sequence[Sequence[str]],
    model: Backbone,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write class files: the mean of the backbone's features of each class's *training* images.

    Args:
        packed: packed images, one file per class.
        out: one HDF5 file per class, see ``wsl.datasets.clip.embed_classes``; without text.
        prompts: not used, since a classifier does not read names.
        model: the encoder; its ``checkpoint`` is the path of a file.
        job: device and threads.
    """
    torch.set_num_threads(job.threads)
    features_of = BackboneFeatures(model, job.device)
    for source, path in zip(packed, out, strict=True):
        log.info("class %s: mean of %d images", *embed_class(source, path, features_of, None))


class BackboneFeatures:
    """The inputs of a frozen classifier's head.

    Args:
        model: the encoder; its ``checkpoint`` is the path of a file.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: the checkpoint cannot be read or does not fit.
    """

    def __init__(self, model: Backbone, device: str = "cpu"):
        self.model, self.device = model, device
        network = Network(architecture=model.architecture, classes=1, size=model.size)
        state = imported_state(model.checkpoint, network, model.checkpoint, "datasets.encoder.checkpoint")
        self.network = network_for(network.layout)
        self.network.load_state_dict(state)
        self.network.to(device).eval()
        self.mean, self.std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (model.mean, model.std))

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return features (n, dimension) of uint8 images (n, 3, h, w).

        Raises:
            DataError: features are not finite.
        """
        features = torch.cat([self._features(batch) for batch in images.split(BATCH)])
        if not features.isfinite().all():
            raise DataError("datasets.encoder: its features are not finite; choose another checkpoint")
        return features

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.to(self.device).float().contiguous() / 255
        if pixels.shape[-1] != self.model.size:
            pixels = functional.interpolate(pixels, self.model.size, mode="bicubic", antialias=True).clamp(0, 1)
        return features_and_logits(self.network, (pixels - self.mean) / self.std)[0]
