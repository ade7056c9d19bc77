"""Sampling by mixing the codes of the training snapshots that fit a condition best."""

import numpy as np
from scipy.special import softmax

from wsl.sampling.bank import Bank


class MemoryBankSampler:
    """A weighted mean of the best codes: soft nearest neighbours.

    A snapshot's score is the similarity of its dataset (a cosine, -1 to 1) plus the closeness of its outcome (a
    Gaussian kernel, 0 to 1); the best scores are weighted by a softmax.

    Args:
        bank: of training snapshots.
        top_k: how many codes are mixed.
        temperature: of the softmax; small ones leave little but the best.
        width: of the kernel, in units of ``outcome``.
        outcome: ``loss`` (nats) or ``log-loss``, in which all good outcomes are not the same.
    """

    def __init__(self, bank: Bank, top_k: int, temperature: float, width: float, outcome: str):
        self.bank, self.space = bank, bank.space
        self.top_k, self.temperature, self.width, self.outcome = top_k, temperature, width, outcome

    def scores(self, datasets: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Return how well each snapshot fits each condition (n, snapshots)."""
        away = self._outcomes(losses)[:, None] - self._outcomes(self.bank.losses)
        closeness = np.exp(-0.5 * (away / self.width) ** 2)
        return self.bank.similarities(datasets)[:, self.bank.rows] + closeness

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code), see ``Sampler.codes``."""
        scores = self.scores(datasets, losses)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.top_k]
        shares = softmax(np.take_along_axis(scores, best, axis=1) / self.temperature, axis=1)
        return np.einsum("nk,nkc->nc", shares, self.bank.codes[best]).astype(np.float32)

    def _outcomes(self, losses: np.ndarray) -> np.ndarray:
        # A loss of 0 has no logarithm; nothing tells losses below a millionth of a nat apart.
        return np.log(np.maximum(losses, 1e-6)) if self.outcome == "log-loss" else losses
