"""Several networks of one layout on the same images: small ones run as one wide network."""

import logging

import torch
from torch.func import functional_call

from wsl.images.inputs import pixelwise
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten, network_for, with_batch_statistics
from wsl.zoo.stacked_layers import NotStackableError, StackedBatchNorm2d, stacked_copy

log = logging.getLogger(__name__)
SMALL = 2**18  # largest network, in numbers, that gains from running with others on a CPU
TOGETHER = 4, 8  # minimum and maximum number of networks that run as one
IMAGES = 512  # images of all networks together beyond which their outputs fall out of the cache
SAME = {"rtol": 1e-3, "atol": 1e-4}  # tolerance between a network that runs alone and with others


class Networks:
    """Networks of one layout, given by flat weights.

    They run as one network with layers of ``wsl.zoo.stacked_layers``. Networks with other kinds of layers, and large
    ones, run one after the other, as do those for which the wide network gives other outputs in a trial.

    Args:
        layout: of the weights.
        device: ``cpu`` or ``cuda``.
        batch_statistics: whether batch normalisation uses the statistics of the images in place of the running ones.
    """

    def __init__(self, layout: Layout, device: str = "cpu", batch_statistics: bool = False):
        network = network_for(layout).to(device)
        self.network = with_batch_statistics(network) if batch_statistics else network.eval()
        self.device, self.entries = device, [e for e in layout.entries if not (batch_statistics and e.running)]
        self._layout = layout
        self._wide, self._tried = None, False
        if layout.size <= SMALL and layout.frozen is None:
            self._widen(batch_statistics)

    def _widen(self, batch_statistics: bool) -> None:
        try:
            self._wide, self._hooks = stacked_copy(self.network)
        except NotStackableError as error:
            log.info("these networks run one after the other: %s", error)
            return
        self._wide.eval()
        for layer in self._wide.modules():
            if batch_statistics and isinstance(layer, StackedBatchNorm2d):
                layer.forget()

    @property
    def small(self) -> bool:
        """Whether networks are small enough to run as one."""
        return self._wide is not None

    def together(self, images: int) -> int:
        """Return the number of networks to run as one on a number of images."""
        least, most = TOGETHER
        return max(least, min(most, IMAGES // max(images, 1)))

    def __call__(self, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits (m, n, classes) of flat weights (m, n_weights), differentiable in learned weights and inputs.

        ``inputs`` (n, 3, h, w) are normalised and on the device.
        """
        inputs = pixelwise(inputs)
        if len(weights) > 1 and not self._tried:
            self._try(inputs[:4])
        if self._wide is None or len(weights) == 1:
            return torch.stack([self._alone(vector, inputs) for vector in weights])
        groups = weights.split(self.together(len(inputs)))
        return torch.cat([self._together(group, inputs) for group in groups])

    def _alone(self, vector: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        state = {entry.name: vector[entry.columns].view(entry.shape) for entry in self.entries}
        return functional_call(self.network, state, (inputs,))

    def _together(self, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        state = {}
        for entry in self.entries:
            value = weights[:, entry.columns].unflatten(1, entry.shape).flatten(0, 1)
            state[entry.name] = pixelwise(value) if value.ndim == 4 else value
        for hook in self._hooks:
            inputs = hook(self._wide, (inputs,))
        return functional_call(self._wide, state, (pixelwise(inputs),)).unflatten(1, (len(weights), -1)).transpose(0, 1)

    @torch.no_grad()
    def _try(self, inputs: torch.Tensor) -> None:
        """Compare the wide network with single ones, and give it up if outputs differ."""
        self._tried = True
        if self._wide is None:
            return
        start = torch.from_numpy(flatten(self.network.state_dict(), self._layout)[0]).to(inputs.device)
        weights = torch.stack([start, 1.1 * start])
        alone = torch.stack([self._alone(vector, inputs) for vector in weights])
        try:
            same = torch.allclose(self._together(weights, inputs), alone, **SAME)
        except (NotStackableError, RuntimeError, ValueError, IndexError) as error:
            log.info("these networks run one after the other: %s", error)
            same = False
        if not same:
            self._wide = None
