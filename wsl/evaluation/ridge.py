"""Ridge regression whose penalty is chosen by leaving out one member after the other, from one decomposition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PENALTIES = np.logspace(-3, 6, 19)
RANK = 1e-12  # squared singular values below this fraction of the largest count as 0


class Ridge(NamedTuple):
    """A fitted linear model of standardised features.

    Attributes:
        slopes: (k, targets).
        intercepts: (targets,).
        penalties: chosen for each target (targets,).
    """

    slopes: np.ndarray
    intercepts: np.ndarray
    penalties: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return predictions (n, targets) of standardised features (n, k)."""
        return features @ self.slopes + self.intercepts


class Standard(NamedTuple):
    """Means and deviations of training features (k,)."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Standard:
        """Return those of training features (n, k); equal ones keep their scale."""
        deviation = features.std(axis=0, dtype=np.float64)
        return cls(features.mean(axis=0, dtype=np.float64), np.where(deviation > 0, deviation, 1.0))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return features (n, k) in standard units, float64."""
        return (features - self.mean) / self.scale


def fit_ridge(features: np.ndarray, targets: np.ndarray, members: np.ndarray, together: bool = False) -> Ridge:
    """Fit one ridge regression per target, with an intercept without penalty.

    The penalty of ``PENALTIES`` is that of the lowest squared error on members that were left out. Snapshots of one
    member are alike, so leaving out single snapshots would choose too little penalty. With the hat matrix H of all
    rows, the residuals e of rows B after a fit without them are (1 - H_BB)^-1 e_B, so that no fit is repeated (the
    formula of leave-one-out, for blocks; Hastie et al. 2009, section 7.10). With one member, single rows are left out.

    Args:
        features: standardised (n, k).
        targets: (n, targets).
        members: the member of each row (n,).
        together: choose one penalty for all targets, as for the indicators of classes.
    """
    centre, level = features.mean(axis=0), targets.mean(axis=0)
    centred, deviations = features - centre, targets - level
    if features.shape[1] <= len(features):
        squares, directions = np.linalg.eigh(centred.T @ centred)
        kept = squares > RANK * max(squares[-1], 1e-300)
        squares, directions = squares[kept], directions[:, kept]
        scores = centred @ directions / np.sqrt(squares)
    else:
        squares, scores = np.linalg.eigh(centred @ centred.T)
        kept = squares > RANK * max(squares[-1], 1e-300)
        squares, scores = squares[kept], scores[:, kept]
        directions = centred.T @ (scores / np.sqrt(squares))
    along = scores.T @ deviations  # (rank, targets)
    blocks = _blocks(members)
    errors = np.empty((len(PENALTIES), targets.shape[1]))
    for place, penalty in enumerate(PENALTIES):
        shrink = squares / (squares + penalty)
        residuals = deviations - scores @ (shrink[:, None] * along)
        total = np.zeros(targets.shape[1])
        for rows in blocks:  # (members, rows of each)
            own = scores[rows]
            left = np.eye(rows.shape[1]) - (own * shrink) @ own.swapaxes(1, 2) - 1 / len(features)
            total += np.square(np.linalg.solve(left, residuals[rows])).sum(axis=(0, 1))
        errors[place] = total
    if together:
        errors[:] = errors.sum(axis=1, keepdims=True)
    penalties = PENALTIES[errors.argmin(axis=0)]
    shrunk = np.sqrt(squares)[:, None] / (squares[:, None] + penalties)
    slopes = directions @ (shrunk * along)
    return Ridge(slopes, level - centre @ slopes, penalties)


def _blocks(members: np.ndarray) -> list[np.ndarray]:
    """Return the rows of members (members, rows of each), one array per number of rows."""
    _, groups, counts = np.unique(members, return_inverse=True, return_counts=True)
    if len(counts) == 1:
        groups, counts = np.arange(len(members)), np.ones(len(members), dtype=int)
    order, starts = np.argsort(groups, kind="stable"), np.cumsum([0, *counts[:-1]])
    return [
        np.stack([order[start : start + count] for start in starts[counts == count]]) for count in np.unique(counts)
    ]


def in_row_space(training: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of rows in the space that training rows span, given by products of rows.

    Ridge regression on these at most n coordinates gives the predictions of ridge regression on the features, of which
    there may be millions.

    Args:
        training: products of training rows with each other (n, n).
        held_out: products of held-out rows with training rows (m, n).

    Returns:
        Coordinates of training rows (n, rank) and of held-out rows (m, rank).
    """
    squares, vectors = np.linalg.eigh(training)
    kept = squares > RANK * max(squares[-1], 1e-300)
    roots = np.sqrt(squares[kept])
    return vectors[:, kept] * roots, held_out @ vectors[:, kept] / roots
