"""What a sampled model must beat, each a ``Maker`` of models from the same images."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from wsl.datasets.class_means import ClassMeansByCount
from wsl.files import Files
from wsl.images.tasks import TaskImages
from wsl.randomness import integer_seed, stream
from wsl.sampling.features import BodyFeatures
from wsl.weights.codec import WeightCodec
from wsl.weights.orders import class_orders, reorder_task, reorder_weights
from wsl.zoo.index import Zoo, read_snapshot
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten, network_for, with_head

PENALTIES, FOLDS = np.logspace(-4, 1, 6), 5
PLAIN = 0.1  # the penalty where there are too few images to choose one
NOISE = 0.1  # of a parameter's own deviation


class FixedModel:
    """The same weights for every task: the regime's start, the mean of the zoo."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        return self.weights


class ScratchModels:
    """Random weights, drawn anew for every task."""

    def __init__(self, layout: Layout):
        self.layout = layout

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        torch.manual_seed(integer_seed(seed, "scratch", task))
        return flatten(network_for(self.layout).state_dict(), self.layout)[0]


class TrainedModels:
    """The held-out members themselves: each trained on its task with all training images."""

    def __init__(self, zoos: Sequence[Zoo]):
        self.weights = {}
        for zoo in zoos:
            for row in zoo.trained:
                self.weights[zoo.snapshots["task"][row]] = (zoo, int(row))

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return the member's weights; None where it diverged."""
        if task not in self.weights:
            return None
        zoo, row = self.weights[task]
        return read_snapshot(zoo, row)


class ReconstructedModels:
    """The held-out members, encoded and decoded: what is lost by compression alone."""

    def __init__(self, trained: TrainedModels, codec: WeightCodec):
        self.trained, self.codec = trained, codec

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        weights = self.trained.make(task, loss, images, seed)
        if weights is None:
            return None
        return self.codec.decode(self.codec.encode(weights[None]))[0]


class NearestModels:
    """The max snapshot of the training member of the most similar dataset, in whichever class order fits best.

    Args:
        zoo: of training members.
        class_means: a file a class, or a list of them.
        noise: deviation of what is added to each named parameter, as a share of its own deviation; 0: nothing.
    """

    def __init__(self, zoo: Zoo, class_means: Files, noise: float = 0.0):
        self.zoo, self.class_means, self.noise = zoo, ClassMeansByCount(class_means), noise
        self.orders = class_orders(zoo.layout.classes, 24, seed=0)
        self.tasks = zoo.snapshots["task"].iloc[zoo.trained]
        self._known: dict[int | None, tuple[np.ndarray, np.ndarray]] = {}

    def _datasets(self, images: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the centre and the directions from it (orders, members, z_D) of the members' datasets."""
        if images not in self._known:
            reordered = ([reorder_task(task, order) for task in self.tasks] for order in self.orders)
            known = np.stack([self.class_means.embed(tasks, images) for tasks in reordered])
            centre = known.mean(axis=(0, 1))
            known = known - centre
            known /= np.maximum(np.linalg.norm(known, axis=2, keepdims=True), 1e-12)
            self._known[images] = centre, known
        return self._known[images]

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        # Names are compared with names: CLIP's texts and images lie apart.
        centre, known = self._datasets(0 if images == 0 else None)
        similarity = known @ (self.class_means.embed([task], images)[0] - centre)
        order, place = np.unravel_index(similarity.argmax(), similarity.shape)
        row = self.zoo.trained[place]
        weights = reorder_weights(read_snapshot(self.zoo, row), self.zoo.layout, self.orders[order])
        return self._noised(weights, stream(seed, "noise", task)) if self.noise else weights

    def _noised(self, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noised = weights.copy()
        for entry in self.zoo.layout.entries:
            if "running" not in entry.name:
                own = weights[entry.columns]
                noised[entry.columns] += self.noise * own.std() * rng.standard_normal(len(own)).astype(np.float32)
        return noised


class HeadModels:
    """A frozen body with a head from the task's images: nearest class mean (``prototypes``) or a linear ``probe``.

    Args:
        state: a state dict whose body is used.
        layout: of flat weights.
        images: of all classes.
        kind: ``prototypes``: the mean of each class's normalised features, normalised, so that the class of highest
            cosine wins; ``probe``: logistic regression, its penalty by cross-validation where there are 5 images.
        device: ``cpu`` or ``cuda``.
        features: of the images under this body, where they are at hand; None: they are computed.
    """

    def __init__(
        self,
        state: dict[str, torch.Tensor],
        layout: Layout,
        images: TaskImages,
        kind: str,
        device: str = "cpu",
        features: BodyFeatures | None = None,
    ):
        self.state, self.layout, self.kind = state, layout, kind
        self.features = features or BodyFeatures(state, layout, images, device)

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights; None without an image, since these need some."""
        if images == 0:
            return None
        features = self.features.of_task(task, images)
        if self.kind == "prototypes":
            means = torch.stack([functional.normalize(one, dim=1).mean(0) for one in features])
            weight, bias = functional.normalize(means, dim=1), torch.zeros(len(means))
        else:
            weight, bias = fit_probe(features)
        return flatten(with_head(self.state, self.layout, weight, bias), self.layout)[0]


def fit_probe(features: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit a logistic regression; its penalty comes from cross-validation where each class has 5 images.

    Args:
        features: of the training images of each class (n, F).

    Returns:
        Weight (classes, F) and bias (classes,) of a linear head.
    """
    # Takes most of a second, and most methods need none of it.
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning

    x = torch.cat(features).double().numpy()
    y = np.repeat(np.arange(len(features)), [len(one) for one in features])
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    x = (x - mean) / scale
    with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
        warnings.simplefilter("ignore", ConvergenceWarning)
        enough = min(len(one) for one in features) >= FOLDS
        model = _regression(x, y, _best_penalty(x, y) if enough else PLAIN)
    weight = model.coef_ if len(features) > 2 else np.concatenate([-model.coef_, model.coef_]) / 2
    bias = model.intercept_ if len(features) > 2 else np.concatenate([-model.intercept_, model.intercept_]) / 2
    weight = weight / scale
    return torch.from_numpy(weight).float(), torch.from_numpy(bias - weight @ mean).float()


def _best_penalty(x: np.ndarray, y: np.ndarray) -> float:
    """Return the penalty of the highest accuracy in cross-validation, the strongest of equal ones.

    As scikit-learn's ``GridSearchCV``, which takes twice as long over fits as short as these.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = list(StratifiedKFold(FOLDS).split(x, y))
    accuracies = [
        [np.mean(_regression(x[seen], y[seen], penalty).predict(x[left]) == y[left]) for seen, left in folds]
        for penalty in PENALTIES
    ]
    return PENALTIES[np.average(accuracies, axis=1).argmax()]


def _regression(x: np.ndarray, y: np.ndarray, penalty: float):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=300).fit(x, y)
