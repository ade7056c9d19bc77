"""The search for a code: Adam, in units of training deviations."""

import numpy as np
import pytest
import torch

from wsl.weights.code_search import search_code

TARGET = torch.tensor([1.0, -2.0, 5.0])


def distance(code):
    return (code - TARGET).square().sum()


def adam(steps, rate, units):
    """Adam by hand (Kingma and Ba 2015), on offsets in the given units from zero."""
    offset, first, second = np.zeros(3), np.zeros(3), np.zeros(3)
    for step in range(1, steps + 1):
        gradient = 2 * (units * offset - TARGET.numpy()) * units
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        offset -= rate(step) * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return units * offset


@pytest.mark.parametrize("slow_from", [None, 4])
def test_steps_are_adams_in_the_given_units(slow_from):
    units = torch.tensor([1.0, 0.5, 2.0])
    code = search_code(distance, torch.zeros(3), units, steps=8, learning_rate=0.1, slow_from=slow_from)
    expected = adam(8, lambda step: 0.1 / (5 if slow_from is not None and step > slow_from else 1), units.numpy())
    assert code.numpy() == pytest.approx(expected, rel=1e-4)


def test_numbers_with_unit_0_and_codes_without_steps_do_not_change():
    start = torch.tensor([0.3, 0.4, 0.5])
    code = search_code(distance, start, torch.tensor([0.0, 1.0, 0.0]), steps=50, learning_rate=0.1)
    assert code[[0, 2]].tolist() == start[[0, 2]].tolist() and code[1] < -1
    assert torch.equal(search_code(distance, start, torch.ones(3), steps=0, learning_rate=0.1), start)


def test_the_loss_is_called_once_per_step():
    calls = []
    search_code(lambda code: calls.append(code) or distance(code), torch.zeros(3), torch.ones(3), 5, 0.1)
    assert len(calls) == 5
