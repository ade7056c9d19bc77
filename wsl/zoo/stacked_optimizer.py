"""Steps of one optimiser per member without the overhead of ``Optimizer.step``, which exceeds small updates."""

from collections.abc import Callable, Sequence

import torch

MOMENTS = {torch.optim.Adam: ("exp_avg", "exp_avg_sq"), torch.optim.SGD: ("momentum_buffer",)}


class Steps:
    """The steps of one optimiser of ``wsl.zoo.epochs.make_optimizer``, by the same fused functions of torch.

    The state remains that of the optimiser, which can be saved, loaded and used at any time.

    Args:
        optimizer: ``Adam`` or ``SGD`` with momentum, whose parameters have gradients that are not replaced.
    """

    def __init__(self, optimizer: torch.optim.Optimizer):
        (self._group,) = optimizer.param_groups
        optimizer._opt_called = True  # schedules warn otherwise
        self._parameters = [parameter for parameter in self._group["params"] if parameter.grad is not None]
        self._gradients = [parameter.grad for parameter in self._parameters]
        self.count: torch.Tensor | None = None
        states = [optimizer.state[parameter] for parameter in self._parameters]
        if isinstance(optimizer, torch.optim.Adam):
            self.count = torch.zeros((), device=self._parameters[0].device)
            if "step" in states[0]:
                self.count.copy_(states[0]["step"])
            for state in states:
                state["step"] = self.count
        self._moments = [
            [_like(parameter, state, name) for parameter, state in zip(self._parameters, states, strict=True)]
            for name in MOMENTS[type(optimizer)]
        ]
        self.update: Callable[[], None] = self._adam if self.count is not None else self._sgd

    def _adam(self) -> None:
        group, counts = self._group, [self.count] * len(self._parameters)
        torch._fused_adam_(
            self._parameters,
            self._gradients,
            *self._moments,
            [],
            counts,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    def _sgd(self) -> None:
        group = self._group
        torch._fused_sgd_(
            self._parameters,
            self._gradients,
            *self._moments,
            lr=group["lr"],
            momentum=group["momentum"],
            weight_decay=group["weight_decay"],
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # buffers of zeros give the same
        )


@torch.no_grad()
def step(each: Sequence[Steps]) -> None:
    """Update the parameters of several optimisers."""
    if counts := [one.count for one in each if one.count is not None]:
        torch._foreach_add_(counts, 1)
    for one in each:
        one.update()


def _like(parameter: torch.Tensor, state: dict, name: str) -> torch.Tensor:
    """Return a moment with the strides of its parameter, as fused functions need it, and put it into the state."""
    before, state[name] = state.get(name), torch.zeros_like(parameter)
    if before is not None:
        state[name].copy_(before)
    return state[name]
