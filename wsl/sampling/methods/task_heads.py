"""Baselines that fit the head of a frozen body to the task's images: class prototypes and linear probes."""

import warnings
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from wsl.sampling.methods.base import METHODS, Method
from wsl.sampling.methods.constant import start_file, start_state

if TYPE_CHECKING:
    from torch import Tensor

    from wsl.sampling.features import BodyFeatures
    from wsl.zoo.network import State

PENALTIES, FOLDS = np.logspace(-4, 1, 6), 5
FEW_IMAGES_PENALTY = 0.1  # with too few images for cross-validation


class FrozenBody(Method):
    """A frozen body with a new head.

    Attributes:
        body: ``start``, the members' start, or ``body``, the generator's.
    """

    kind, recalibrate = "baseline", False
    one_body = True
    body: ClassVar[str] = "start"

    def __init__(self, settings, run):
        super().__init__(settings, run)
        self.frozen = run.frozen(self.body, start_state if self.body == "start" else body_state)

    def body_for(self, task: str, images: int | None) -> tuple["State", "BodyFeatures"]:
        """Return the state dict of the body for a task and its features of images; ``images`` per class may be used."""
        return self.frozen

    @staticmethod
    @abstractmethod
    def head(features: list["Tensor"]) -> tuple["Tensor", "Tensor"]:
        """Return weight (classes, F) and bias (classes,) from features (n, F) of each class's training images."""

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), or None without images."""
        from wsl.zoo.network import flatten, with_head

        if images == 0:
            return None
        state, features = self.body_for(task, images)
        head = self.head(features.of_task(task, images))
        return flatten(with_head(state, self.run.layout, *head), self.run.layout)[0]

    @classmethod
    def applies(cls, run: Any) -> bool:
        has_bias = len(run.layout.head) == 2
        return has_bias and (cls.body == "start" or "generator" in run.config.sampling.samplers)

    @classmethod
    def files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return start_file(run) if cls.body == "start" else {"body": run.paths.body}


@METHODS.register("prototypes")
class Prototypes(FrozenBody):
    """The mean of each class's normalised features, normalised: predicts the class with the highest cosine."""

    label, colour, marker, line = "prototypes on the start", "#666666", "s", "--"
    card_label = "class prototypes on the members' start"
    uses_zoo = False
    own_images = ("start",)

    @staticmethod
    def head(features: list["Tensor"]) -> tuple["Tensor", "Tensor"]:
        import torch
        from torch.nn import functional

        means = torch.stack([functional.normalize(rows, dim=1).mean(0) for rows in features])
        return functional.normalize(means, dim=1), torch.zeros(len(means))


@METHODS.register("probe")
class Probe(FrozenBody):
    """Logistic regression on features, see ``fit_probe``."""

    label, colour, marker, line = "probe on the start", "#666666", "^", "--"
    card_label = "linear probe on the members' start"
    uses_zoo = False
    own_images = ("start",)

    @staticmethod
    def head(features: list["Tensor"]) -> tuple["Tensor", "Tensor"]:
        return fit_probe(features)


@METHODS.register("body-prototypes")
class BodyPrototypes(Prototypes):
    """Prototypes on the generator's body."""

    label, colour, line = "prototypes on generator's body", "#222222", "-"
    card_label = "class prototypes on the generator's body"
    body, uses_zoo = "body", True
    own_images = ("body",)


@METHODS.register("body-probe")
class BodyProbe(Probe):
    """A probe on the generator's body."""

    label, colour, line = "probe on generator's body", "#222222", "-"
    card_label = "linear probe on the generator's body"
    body, uses_zoo = "body", True
    own_images = ("body",)


def body_state(run: Any) -> dict[str, "Tensor"]:
    """Return the generator's body from its own file, or from the generator's file of an earlier version."""
    from wsl.files.tensors import read_tensors

    tensors, _ = read_tensors(run.files["body"])
    return {name.removeprefix("body/"): value for name, value in tensors.items() if name.startswith("body/")} or tensors


def fit_probe(features: list["Tensor"]) -> tuple["Tensor", "Tensor"]:
    """Return weight (classes, F) and bias (classes,) of a logistic regression.

    Its penalty comes from cross-validation if each class has at least ``FOLDS`` images.

    Args:
        features: of the training images of each class (n, F).
    """
    import torch
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning

    x = torch.cat(features).double().numpy()
    y = np.repeat(np.arange(len(features)), [*map(len, features)])
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    x = (x - mean) / scale
    with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
        warnings.simplefilter("ignore", ConvergenceWarning)
        enough = min(map(len, features)) >= FOLDS
        model = _regression(x, y, _best_penalty(x, y) if enough else FEW_IMAGES_PENALTY)
    weight, bias = model.coef_, model.intercept_
    if len(features) == 2:
        weight, bias = (np.concatenate([-values, values]) / 2 for values in (weight, bias))
    weight = weight / scale
    return torch.from_numpy(weight).float(), torch.from_numpy(bias - weight @ mean).float()


def _best_penalty(x: np.ndarray, y: np.ndarray) -> float:
    """Return the strongest penalty with the highest accuracy in cross-validation.

    The same as scikit-learn's ``GridSearchCV``, in half the time for such short fits.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = list(StratifiedKFold(FOLDS).split(x, y))
    accuracies = [
        [np.mean(_regression(x[train], y[train], penalty).predict(x[test]) == y[test]) for train, test in folds]
        for penalty in PENALTIES
    ]
    return PENALTIES[np.average(accuracies, axis=1).argmax()]


def _regression(x: np.ndarray, y: np.ndarray, penalty: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=300).fit(x, y)
