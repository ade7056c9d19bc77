"""Search for a code by gradient steps, for encoding by outputs and latent refinement."""

from collections.abc import Callable

import torch


def search_code(
    loss: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    units: torch.Tensor,
    steps: int,
    learning_rate: float,
    slow_from: int | None = None,
) -> torch.Tensor:
    """Return the code (code,) after gradient steps of Adam.

    Args:
        loss: of a code (code,), a scalar, differentiable; called once per step.
        start: the first code (code,).
        units: unit of each number (code,), its training deviation; numbers with unit 0 do not change.
        steps: number of steps.
        learning_rate: in these units.
        slow_from: step from which the learning rate is five times smaller; None: it is constant.
    """
    offset = torch.zeros_like(start, requires_grad=True)
    optimizer = torch.optim.Adam([offset], lr=learning_rate, fused=True)
    for step in range(steps):
        if step == slow_from:
            optimizer.param_groups[0]["lr"] /= 5
        (offset.grad,) = torch.autograd.grad(loss(start + units * offset), [offset])
        optimizer.step()
    return (start + units * offset).detach()
