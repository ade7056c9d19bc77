"""Overlap of the errors of two models, and its value at chance."""

import numpy as np
from scipy import stats


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Jaccard index of two sets of images, given as masks (n,): intersection over union.

    NaN if both are empty.
    """
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else float("nan")


def jaccard_chance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the expected Jaccard index of two independent random sets of these sizes.

    The size of their intersection has a hypergeometric distribution. As with Cohen's kappa, two poor models share many
    errors by chance, so only an overlap above this value is meaningful.
    """
    sizes = np.count_nonzero(a), np.count_nonzero(b)
    if not any(sizes):
        return float("nan")
    common = np.arange(min(sizes) + 1)
    shares = common / (sum(sizes) - common)
    return float(shares @ stats.hypergeom(len(a), *sizes).pmf(common))


def disagreement(predictions: np.ndarray) -> float:
    """Return the fraction of images that two models classify differently, averaged over all pairs of models.

    Args:
        predictions: classes (models, n); NaN for fewer than two models.
    """
    first, second = np.triu_indices(len(predictions), k=1)
    return float((predictions[first] != predictions[second]).mean()) if len(first) else float("nan")
