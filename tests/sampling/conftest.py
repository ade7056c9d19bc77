"""A world with known P(W | D, R): Gaussian codes, linear in the classes' means and in the loss."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from wsl.datasets.class_means import ClassMeans
from wsl.files.hdf5 import new_hdf5, put_table
from wsl.files.plain import write_json
from wsl.sampling.loading import MethodFiles

COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.5]])


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Files of six classes and many snapshots, and ``mean(datasets, losses)`` of their codes."""
    folder, rng = tmp_path_factory.mktemp("world"), np.random.default_rng(0)
    class_means = [folder / f"{name}.h5" for name in "abcdef"]
    for path in class_means:
        centre = rng.normal(size=3)
        features = (centre + 0.5 * rng.normal(size=(40, 3))).astype(np.float32)
        with new_hdf5(path) as file:
            file.attrs["class"], file["features"], file["mean"] = path.stem, features, features.mean(0)
    slope, of_loss = rng.normal(size=(9, 2)), np.array([2.0, -1.0])

    def mean(datasets, losses):
        return datasets @ slope + np.multiply.outer(losses, of_loss)

    tasks = ["/".join(task) for task in permutations("abcdef", 3)]
    means = ClassMeans(class_means)
    files = {}
    for part, rows in (("train", 6000), ("validation", 600)):
        files[part] = folder / f"{part}.h5"
        chosen = rng.choice(tasks, rows)
        losses = rng.uniform(0, 1, rows)
        codes = mean(means.embed(chosen), losses) + rng.multivariate_normal(np.zeros(2), COVARIANCE, rows)
        table = {"member": np.arange(rows), "task": chosen, "validation_loss": losses, "snapshot": "max", "order": 0}
        with new_hdf5(files[part]) as file:
            file["latents"] = codes.astype(np.float32)
            put_table(file, "snapshots", pd.DataFrame(table))
    bins = folder / "bins.json"
    # The centres of the first and last bin are losses 0 and 1, so that interpolation is linear between them.
    write_json(bins, {"edges": [-0.125, 0.125, 0.375, 0.625, 0.875, 1.125], "counts": [1] * 5, "interpolate": True})

    def run(bins=bins, **files):
        """The files of the world as a method reads them."""
        return SimpleNamespace(files=MethodFiles(None, class_means, None, bins, **files))

    return SimpleNamespace(
        folder=folder,
        class_means=class_means,
        bins=bins,
        mean=mean,
        tasks=tasks,
        covariance=COVARIANCE,
        run=run,
        **files,
    )
