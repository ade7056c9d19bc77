"""The dataset encoder `distilled`: a few synthetic images per class, from dataset distillation."""

from wsl.datasets.encoders.base import DATASET_ENCODERS, DatasetEncoder


@DATASET_ENCODERS.register("distilled")
class Distilled(DatasetEncoder):
    """The CLIP features of images that are distilled from a class's images by gradient matching (Zhao et al. 2021)."""

    embed = "wsl.datasets.distillation.embed_distilled"
