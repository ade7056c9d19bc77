from copy import deepcopy

import pytest

NUMBERS = {
    "classes": 10, "members": 8, "members_diverged": 0, "validation_accuracy_max": 0.9,
    "images_skipped": 0, "images_shared": 0,
    "agreement": 0.357, "agreement_pca": 0.4, "cosine": 0.0, "correlation": 0.0, "shared_validation_loss": 3.1,
    "shared_chance_loss": 4.1, "outcome_bins_filled": 5, "chance": 1 / 3, "chosen_sampler": "flow",
    "accuracy": {"seen": {"trained": 0.8, "prototypes": 0.7, "probe": 0.65, "flow": 0.74, "start": 0.33}},
    "accuracy_intervals": {"seen": {"flow": [0.701, 0.776], "trained": [None, None]}}, "sets": {"seen": 24},
}  # fmt: skip
FACTS = {
    "per_task": 3,
    "tasks": "tasks of 3 out of 6 classes",
    "random_features": False,
    "sets": {"seen": 24},
    "unit": "sets of classes",
}
FACTS |= {"imported": "", "borrowed": {}, "images": True, "one_task": False}


@pytest.fixture
def numbers() -> dict:
    """The summary of a run without warnings."""
    return deepcopy(NUMBERS)


@pytest.fixture
def run_facts() -> dict:
    """Facts of that run."""
    return deepcopy(FACTS)
