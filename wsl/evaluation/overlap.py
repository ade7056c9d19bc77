"""How alike the errors of two models are, and how alike they would be by chance."""

import numpy as np
from scipy import stats


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Jaccard index of two sets of images, given as masks (n,): shared by both over in either.

    NaN where both are empty: models without errors say nothing about how alike their errors are.
    """
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else float("nan")


def jaccard_chance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Jaccard index that sets of these sizes have on average if one is drawn without regard to the other.

    Their common images then follow a hypergeometric distribution. As with Cohen's kappa, two poor models share many
    errors by chance alone, so an overlap means something only above this.
    """
    sizes = np.count_nonzero(a), np.count_nonzero(b)
    if not any(sizes):
        return float("nan")
    common = np.arange(min(sizes) + 1)
    shares = common / (sum(sizes) - common)
    return float(shares @ stats.hypergeom(len(a), *sizes).pmf(common))


def disagreement(predictions: np.ndarray) -> float:
    """Return the share of images to which two models give different classes, averaged over all pairs of models.

    Args:
        predictions: classes (models, n); NaN for fewer than two models.
    """
    first, second = np.triu_indices(len(predictions), k=1)
    return float((predictions[first] != predictions[second]).mean()) if len(first) else float("nan")
