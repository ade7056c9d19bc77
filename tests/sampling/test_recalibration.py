"""Re-estimated batch-normalisation statistics against numpy's means and variances of the layers' inputs."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.models import LAYOUT, network_of, outputs, photos
from tests.networks import resnet18
from wsl.images.reading import USUAL
from wsl.images.tasks import TaskImages
from wsl.sampling.loading import Recalibrated
from wsl.sampling.methods.references import Trained
from wsl.sampling.recalibration import Recalibration, re_estimate
from wsl.zoo.index import open_zoo
from wsl.zoo.member import read_member
from wsl.zoo.network import flatten

STATISTICS = [entry for entry in LAYOUT.entries if "running" in entry.name]
OTHERS = [entry for entry in LAYOUT.entries if "running" not in entry.name]


def some(count, seed=0):
    return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def inputs_of(images):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)


@pytest.fixture
def weights(zoo):
    return read_member(zoo.members[0]).weights[1]


def seen_statistics(weights, images):
    """Mean and unbiased variance of each batch-normalisation layer's input, by layer."""
    network, seen = network_of(weights).train(), {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: inputs[0].numpy()}))
    with torch.no_grad():
        network(inputs_of(images))
    return {
        name: (values.mean(axis=(0, 2, 3)), values.swapaxes(0, 1).reshape(values.shape[1], -1).var(axis=1, ddof=1))
        for name, values in seen.items()
    }


def assert_statistics(flat, expected):
    for name, (mean, variance) in expected.items():
        np.testing.assert_allclose(flat[LAYOUT[f"{name}.running_mean"].columns], mean, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(flat[LAYOUT[f"{name}.running_var"].columns], variance, rtol=1e-3, atol=1e-5)


def test_statistics_are_those_of_the_layers_inputs(weights):
    expected = seen_statistics(weights, some(40))
    assert len(expected) == len(STATISTICS) / 2
    assert_statistics(Recalibration(LAYOUT, some(0), strength=0.0)(weights, some(40)), expected)


def test_all_images_have_the_same_weight_in_any_number_of_batches(weights):
    images = some(1300)
    network = network_of(weights)
    re_estimate(network, images)
    with torch.no_grad():
        first = network.conv1(inputs_of(images)).numpy()
    np.testing.assert_allclose(network.bn1.running_mean, first.mean(axis=(0, 2, 3)), rtol=1e-3, atol=1e-4)
    assert network.bn1.num_batches_tracked > 1


@pytest.mark.parametrize(("count", "strength", "share"), [(30, 10.0, 0.75), (5, 45.0, 0.1), (5, 0.0, 1.0), (0, 9, 0.0)])
def test_own_images_share_the_statistics_with_the_reference(weights, count, strength, share):
    own, reference = some(count), some(60, seed=1)
    both = [seen_statistics(weights, images) if len(images) else {} for images in (own, reference)]
    mixed = {
        name: tuple(share * a + (1 - share) * b for a, b in zip(both[0].get(name, (0, 0)), both[1][name], strict=True))
        for name in both[1]
    }
    assert_statistics(Recalibration(LAYOUT, reference, strength)(weights, own), mixed)


def test_without_a_reference_only_the_tasks_images_are_used(weights):
    assert_statistics(
        Recalibration(LAYOUT, some(0), strength=30.0)(weights, some(4)), seen_statistics(weights, some(4))
    )


def test_other_weights_do_not_change(weights):
    before = weights.copy()
    new = Recalibration(LAYOUT, some(60, seed=1), strength=10.0)(weights, some(30))
    assert np.array_equal(weights, before) and new.dtype == weights.dtype
    for entry in OTHERS:
        np.testing.assert_allclose(new[entry.columns], weights[entry.columns], rtol=1e-6)


def test_damaged_statistics_are_repaired(weights, packed):
    def accuracy(flat):
        inputs, labels = photos(packed, "012", "validation")
        return (outputs(flat, inputs).argmax(1).numpy() == labels).mean()

    damaged, rng = weights.copy(), np.random.default_rng(0)
    for entry in STATISTICS:
        damaged[entry.columns] *= rng.uniform(0.05, 20, entry.size)
    images, _ = TaskImages(list(packed.values())).of_task("0/1/2")
    repaired = Recalibration(LAYOUT, some(0), strength=0.0)(damaged, images)
    assert accuracy(weights) > 0.65 and accuracy(damaged) < accuracy(weights) - 0.2
    assert accuracy(repaired) > accuracy(weights) - 0.05


def test_momentum_and_mode_are_restored(weights):
    network = network_of(weights)
    network.bn1.momentum = 0.3
    re_estimate(network, some(8))
    assert (network.bn1.momentum, network.layer1[0].bn1.momentum) == (0.3, 0.1)
    assert not any(module.training for module in network.modules())


def test_dropout_changes_no_statistics():
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2)]
    network, images = nn.Sequential(*layers), some(16)
    network.normalisation = USUAL
    re_estimate(network, images)
    with torch.no_grad():
        first = layers[0](inputs_of(images).float())
        normal = (first - first.mean((0, 2, 3), keepdim=True)) / (
            first.var((0, 2, 3), keepdim=True, unbiased=False) + layers[1].eps
        ).sqrt()
        second = layers[3](normal)
    torch.testing.assert_close(layers[1].running_mean, first.mean((0, 2, 3)), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(layers[4].running_var, second.var((0, 2, 3)), atol=1e-4, rtol=1e-3)


def test_recalibrated_models_have_statistics_of_the_images_that_may_be_used(zoo, packed):
    images = TaskImages(list(packed.values()))
    recalibration = Recalibration(LAYOUT, images.of_task("0/1/2/3/4")[0], 30.0)
    weights = flatten(resnet18(2, 3).state_dict(), LAYOUT)[0]
    models = Recalibrated(SimpleNamespace(sample=lambda *request: weights), images, recalibration)
    sampled = models.sample("0/1/2", 0.1, 5)
    np.testing.assert_allclose(sampled, recalibration(weights, images.of_task("0/1/2", 5)[0]))
    assert not np.allclose(sampled, models.sample("0/1/3", 0.1, 5))
    assert not np.allclose(sampled, models.sample("0/1/2", 0.1))
    with open_zoo(zoo.test) as test:
        trained = Trained(None, SimpleNamespace(held_out=[test], member=None))
        assert Recalibrated(trained, images, recalibration).sample("9/9/9", 0.1) is None
