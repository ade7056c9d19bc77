"""Draws from densities of codes: kernel densities and Gaussians, over whole codes or their blocks."""

from typing import Literal

import numpy as np

Prior = Literal["kde", "gaussian"]


def draw(codes: np.ndarray, count: int, width: int, prior: Prior, noise: np.ndarray, seed: int) -> np.ndarray:
    """Return codes (count, code), float32, that are drawn independently for each block of ``width`` numbers.

    A kernel density has the same kernel at each point: a block is that of a random code plus noise. With one block,
    draws are those of scikit-learn's ``KernelDensity.sample``. A Gaussian has the mean and the covariance of the codes.

    Args:
        codes: of prompt members (n, code).
        count: number of draws.
        width: of blocks; divides the size of a code.
        prior: ``kde`` or ``gaussian``.
        noise: of a kernel, standard deviation of each number (code,).
        seed: random seed.
    """
    rng = np.random.RandomState(seed)  # the generator of scikit-learn
    points = codes.reshape(len(codes), -1, width)  # (n, blocks, width)
    blocks = points.shape[1]
    if prior == "kde":
        chosen = (rng.uniform(size=(count, blocks)) * len(points)).astype(int)
        drawn = points[chosen, np.arange(blocks)]
        return np.float32(drawn.reshape(count, -1) + noise * rng.normal(size=(count, codes.shape[1])))
    mean, spread = points.mean(axis=0), (points - points.mean(axis=0)) / np.sqrt(max(len(points) - 1, 1))
    if width == 1:
        drawn = mean + np.linalg.norm(spread, axis=0) * rng.normal(size=(count, blocks, 1))
    else:
        # The deviations of n codes, with standard normal weights, have their covariance, also if it is singular.
        drawn = mean + np.einsum("cbn,nbw->cbw", rng.normal(size=(count, blocks, len(points))), spread)
    return np.float32(drawn.reshape(count, -1))
