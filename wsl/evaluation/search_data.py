"""Scores of members from a run's own embeddings: its shared space, and its dataset embeddings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl.datasets.class_means import ClassMeans
from wsl.errors import DataError
from wsl.evaluation.search_zoos import PARTS, Candidate, SearchedZoo
from wsl.evaluation.shared_space import unit_rows
from wsl.files.hdf5 import open_hdf5
from wsl.images.reading import task_classes
from wsl.outcomes.bins import read_bins
from wsl.paths import Paths
from wsl.sampling.description import Description, load_description
from wsl.sampling.user_classes import embed_images
from wsl.shared.predictor import load_predictor
from wsl.weights.codec import read_latents
from wsl.weights.orders import class_orders

ORDERS = 24  # orders of the new classes that are tried


class RunSpaces:
    """The embeddings of a run, and those of new classes in them.

    Args:
        zoo: a run's zoo.
        packed: packed images of the new classes, of the run's size; their training images are embedded.
        work: folder for temporary files.
        device: ``cpu`` or ``cuda``.

    Raises:
        DataError: the zoo belongs to no run, or the run cannot embed new images.
    """

    def __init__(self, zoo: SearchedZoo, packed: Sequence[Path], work: Path, device: str = "cpu"):
        if zoo.run is None:
            raise DataError(f"{zoo.name} is an imported zoo, which has no embeddings of datasets")
        self.zoo, self.paths = zoo, Paths(str(zoo.run))
        self.description = load_description(zoo.run)
        self.known = ClassMeans(self.description.files["class_means"]).means
        self.means = embed_new(zoo.run, self.description, packed, work, device)

    def by_dataset(self) -> dict[Candidate, float]:
        """Return the similarity of each member's classes to the new ones: the best assignment of class means.

        Cosines are of class means around the mean of the run's. If the numbers of classes differ, those left over
        count as 0.
        """
        from scipy.optimize import linear_sum_assignment

        names = list(self.known)
        centre = np.mean([self.known[name] for name in names], axis=0)
        known = unit_rows(np.stack([self.known[name] for name in names]) - centre)
        cosines = unit_rows(self.means - centre) @ known.T
        scores = {}
        for candidate in self.zoo.candidates:
            own = cosines[:, [names.index(name) for name in task_classes(candidate.task)]]
            rows, columns = linear_sum_assignment(-own)
            scores[candidate] = float(own[rows, columns].sum() / max(own.shape))
        return scores

    def by_shared_space(self) -> dict[Candidate, float]:
        """Return the cosine of each member's weight latent and the projection of (D, R = best) of the new classes.

        The largest over orders of the new classes, since the order is not known.

        Raises:
            DataError: the run has no shared encoder, or tasks of another number of classes.
        """
        shared = Path(self.paths.shared())
        if not shared.is_file():
            raise DataError(f"{self.zoo.name} has no {shared.name} in {shared.parent}, its shared encoder")
        classes = len(task_classes(self.zoo.candidates[0].task))
        if len(self.means) != classes:
            raise DataError(
                f"the shared space of {self.zoo.name} is of tasks of {classes} classes, but there are {len(self.means)}"
            )
        bins = read_bins(self.description.files["bins"])
        orders = class_orders(classes, ORDERS, seed=0)
        datasets = np.float32([np.concatenate([self.means[place] for place in order]) for order in orders])
        position = bins.position(np.array([bins.requested_loss("best")])).repeat(len(orders))
        wanted = unit_rows(load_predictor(shared).predict(datasets, position))
        scores = {}
        for part in PARTS:
            path = Path(self.paths.latents(part))
            of_member = {one.member: one for one in self.zoo.candidates if one.part == part}
            if not of_member or not path.is_file():
                continue
            latents, snapshots = read_latents(path)
            chosen = (snapshots["snapshot"] == "max") & (snapshots["order"] == 0)
            best = (unit_rows(latents[chosen]) @ wanted.T).max(axis=1)
            for member, value in zip(snapshots["member"][chosen], best, strict=True):
                scores[of_member[member]] = float(value)
        return scores


def embed_new(
    run: str | Path, description: Description, packed: Sequence[Path], work: Path, device: str = "cpu"
) -> np.ndarray:
    """Return the class means (classes, dimension) of packed images in a run's embedding of datasets.

    Raises:
        DataError: the run's dataset encoder works for its own images only.
    """
    out = [work / f"mean-{place}.h5" for place in range(len(packed))]
    embed_images(run, description, packed, out, [()] * len(packed), device)
    means = []
    for path in out:
        with open_hdf5(path) as file:
            means.append(file["mean"][...])
    return np.stack(means)
