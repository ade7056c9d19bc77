"""The dataset encoder `clip`: that of the thesis (section 3.2.2)."""

from wsl.datasets.encoders.base import DATASET_ENCODERS, DatasetEncoder


@DATASET_ENCODERS.register("clip")
class ClassMean(DatasetEncoder):
    """The mean of a class's CLIP features (the thesis)."""
