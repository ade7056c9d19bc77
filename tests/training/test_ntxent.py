"""NT-Xent compared with eq. 2.7 by hand, by brute force, and at its known limits."""

import math

import pytest
import torch

from wsl.training.ntxent import chance_loss, nt_xent


def by_brute_force(projections, weights, temperature, symmetric):
    """Eq. 2.7, sum by sum."""
    z = [*projections.tolist(), *weights.tolist()]
    n = len(projections)

    def sim(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))

    losses = []
    for i in range(2 * n if symmetric else n):
        j = i + n if i < n else i - n
        denominator = sum(math.exp(sim(z[i], z[k]) / temperature) for k in range(2 * n) if k != i)
        losses.append(-math.log(math.exp(sim(z[i], z[j]) / temperature) / denominator))
    return sum(losses) / len(losses)


def test_two_pairs_by_hand():
    # p1 || w1, p2 orthogonal to all, w2 opposite to p1 and w1; lengths must have no effect.
    projections = torch.tensor([[3.0, 0.0], [0.0, 0.5]])
    weights = torch.tensor([[1.0, 0.0], [-2.0, 0.0]])
    # tau = 1/2, so similarities 1, 0, -1 become 2, 0, -2.
    p1 = math.log(math.exp(2) + 1 + math.exp(-2)) - 2  # positive w1: 2; negatives p2: 0, w2: -2
    p2 = math.log(3)  # everything at 0
    w1 = math.log(math.exp(2) + 1 + math.exp(-2)) - 2  # positive p1: 2; negatives p2: 0, w2: -2
    w2 = math.log(1 + 2 * math.exp(-2))  # positive p2: 0; negatives p1 and w1: -2
    assert nt_xent(projections, weights, 0.5).item() == pytest.approx((p1 + p2 + w1 + w2) / 4, rel=1e-6)
    assert nt_xent(projections, weights, 0.5, symmetric=False).item() == pytest.approx((p1 + p2) / 2, rel=1e-6)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("pairs", "temperature"), [(1, 0.5), (2, 0.1), (5, 0.5), (9, 2.0)])
def test_equals_brute_force(pairs, temperature, symmetric):
    generator = torch.Generator().manual_seed(pairs)
    projections, weights = torch.randn(2, pairs, 7, generator=generator, dtype=torch.double)
    expected = by_brute_force(projections, weights, temperature, symmetric)
    assert nt_xent(projections, weights, temperature, symmetric).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("pairs", [2, 3, 32])
def test_identical_embeddings_are_at_chance(pairs):
    same = torch.ones(pairs, 5)
    assert nt_xent(same, same, 0.1).item() == pytest.approx(math.log(2 * pairs - 1), rel=1e-6)
    assert chance_loss(pairs) == pytest.approx(math.log(2 * pairs - 1))


def test_a_right_pairing_costs_less_than_a_wrong_one():
    weights = torch.eye(6)
    assert nt_xent(weights, weights, 0.1) < 0.01 < nt_xent(weights.roll(1, 0), weights, 0.1)


def test_gradient_flows_to_both_sides_and_lowers_the_loss():
    torch.manual_seed(0)
    projections, weights = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    before = nt_xent(projections, weights, 0.5)
    before.backward()
    for side in (projections, weights):
        assert torch.isfinite(side.grad).all() and (side.grad.norm(dim=1) > 0).all()
    after = nt_xent(projections - 0.1 * projections.grad, weights - 0.1 * weights.grad, 0.5)
    assert after < before


def test_gradient_is_the_slope():
    torch.manual_seed(1)
    sides = [torch.randn(3, 4, dtype=torch.double, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.3), sides)
