"""Comparisons of decoded members with the originals against NumPy and manual calculations."""

from itertools import combinations

import numpy as np
import pytest
import torch

from tests.networks import resnet18_layout
from wsl.evaluation.comparison import Compared, compare_members
from wsl.evaluation.distances import Spread
from wsl.evaluation.outputs import Runner, disagreement
from wsl.images.inputs import normalised
from wsl.images.reading import join_task
from wsl.images.tasks import TaskImages
from wsl.weights.codec import WeightCodec
from wsl.weights.coefficients import LinearCodec
from wsl.weights.fitted import FittedEncoder
from wsl.weights.settings import Search
from wsl.zoo.index import open_zoo, read_weights, write_index

LAYOUT = resnet18_layout(2, 3)


def test_spread_is_numpys():
    vectors, spread = np.random.default_rng(0).normal(5, 2, (7, 30)), Spread()
    for vector in vectors:
        spread.add(vector)
    assert float(spread) == pytest.approx(np.sqrt(vectors.var(axis=0).sum()))


def test_disagreement_is_that_of_all_pairs():
    predictions = torch.randint(0, 4, (6, 50))
    pairs = [(a != b).double().mean().item() for a, b in combinations(predictions, 2)]
    assert disagreement(predictions) == pytest.approx(np.mean(pairs))
    assert np.isnan(disagreement(predictions[:1]))


def test_diversity_compares_members_of_one_set_in_any_class_order(zoo, train, packed, tmp_path):
    """Two members have the same classes in other orders, and one is alone."""
    tasks = {7: "032", 8: "203", 9: "014"}
    members = [train(tmp_path / f"{n}.h5", task, member=n, seed=n, snapshots=["max"]) for n, task in tasks.items()]
    write_index(members, tmp_path / "test.h5")
    with open_zoo(tmp_path / "test.h5") as opened:
        weights, counters = read_weights(opened), opened.typical_counters
    images, predicted = TaskImages(list(packed.values())), []
    for task, vector in zip(tasks.values(), weights, strict=True):
        inputs, labels = images.of_task(join_task(task), part="validation")
        logits = Runner(LAYOUT).logits(vector, normalised(inputs))
        by_class = {task[label]: logits[labels == label].argmax(1).tolist() for label in range(3)}
        predicted.append([task[index] for name in sorted(task) for index in by_class[name]])
    expected = np.mean(np.array(predicted[0]) != np.array(predicted[1]))
    codec = WeightCodec(LinearCodec([], LAYOUT), Same(), counters)
    compared = Compared(zoo.train, [tmp_path / "test.h5"], list(packed.values()))
    table = compare_members(codec, compared, Search(), 0, "cpu")
    assert table["member"].tolist() == [7, 8, 9] and table["agreement"].eq(1).all()
    assert table["original_diversity"][:2].tolist() == pytest.approx([expected] * 2) and expected > 0
    assert table.loc[2, ["diversity", "original_diversity"]].isna().all() and table["diversity"][:2].notna().all()


class Same(FittedEncoder):
    """The identity."""

    latent, about = LAYOUT.size, {}

    def encode(self, weights):
        return weights

    decode = encode
