"""The dataset encoder `set`: trained on sets of images."""

from wsl.datasets.encoders.base import DATASET_ENCODERS, DatasetEncoder


@DATASET_ENCODERS.register("set")
class SetEncoding(DatasetEncoder):
    """A learned encoder of sets of images (Zaheer et al. 2017, "Deep Sets"). It has no text features."""

    embed = "wsl.datasets.set_encoder.embed_set"
    fit = "wsl.datasets.set_encoder.fit_set_encoder"
    reads_names = False
    uses_gpu = False
