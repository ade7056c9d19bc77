"""Several networks of one layout on the same images: small ones run as one wide network."""

import copy
import logging
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from wsl.zoo.layout import Entry, Layout
from wsl.zoo.network import flatten, network_for, with_batch_statistics

log = logging.getLogger(__name__)
SMALL = 2**18  # largest network, in numbers, that gains from running with others on a CPU
TOGETHER = 4, 8  # minimum and maximum number of networks that run as one
IMAGES = 512  # images of all networks together beyond which their outputs fall out of the cache
SAME = {"rtol": 1e-3, "atol": 1e-4}  # tolerance between a network that runs alone and with others


class Networks:
    """Networks of one layout, given by flat weights.

    A convolution of M networks on shared inputs is one convolution with M times as many filters; later ones are
    grouped; linear layers are batched products; normalisation, pooling and activations treat channels one by one
    anyway. Networks with other kinds of layers, and large ones, run one after the other, as do those for which the wide
    network gives other outputs in a trial.

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
        self._wide = _widened(self.network, self.entries) if layout.size <= SMALL and layout.frozen is None else None
        self._tried = False

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
        if self.device == "cpu":
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if len(weights) > 1 and not self._tried:
            self._try(inputs[:4])
        if self._wide is None or len(weights) == 1:
            return torch.stack([self._alone(vector, inputs) for vector in weights])
        groups = weights.split(self.together(len(inputs)))
        return torch.cat([self._wide(self._shaped(group), inputs) for group in groups])

    def _alone(self, vector: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        state = {entry.name: vector[entry.columns].view(entry.shape) for entry in self.entries}
        return functional_call(self.network, state, (inputs,))

    def _shaped(self, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        return {entry.name: weights[:, entry.columns].unflatten(1, entry.shape) for entry in self.entries}

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
            same = torch.allclose(self._wide(self._shaped(weights), inputs), alone, **SAME)
        except (RuntimeError, ValueError, IndexError) as error:
            log.info("these networks run one after the other: %s", error)
            same = False
        if not same:
            self._wide = None


def _widened(network: nn.Module, entries: Sequence[Entry]) -> Callable[..., torch.Tensor] | None:
    """Return a function of stacked weights by name (m, *shape) and inputs; None: there are other kinds of layers."""
    wide, layers = copy.deepcopy(network), {}
    for name, module in list(wide.named_modules()):
        kind = next((new for old, new in WIDE.items() if isinstance(module, old)), None)
        if kind is not None:
            layers[name] = kind(module)
            parent, _, own = name.rpartition(".")
            setattr(wide.get_submodule(parent), own, layers[name])
    names = {entry.name for entry in entries}
    if not layers or any(name.rpartition(".")[0] not in layers for name in names):
        return None

    def run(weights: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        for name, layer in layers.items():
            prefix = f"{name}." if name else ""
            layer.given = {key: weights[prefix + key] for key in KEYS if prefix + key in weights}
        try:
            outputs = wide(inputs)
        finally:
            for layer in layers.values():
                layer.given = {}
        count = len(next(iter(weights.values())))
        return outputs.unflatten(1, (count, -1)).transpose(0, 1)

    return run


KEYS = ("weight", "bias", "running_mean", "running_var")


class _Wide(nn.Module):
    """A layer of several networks: channels (n, m * channels, ...), those of a network next to each other.

    Attributes:
        given: its weights by name (m, *shape), during a pass.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer, self.given = [layer], {}  # in a list, so that it is not a submodule

    def flat(self, name: str) -> torch.Tensor | None:
        value = self.given.get(name)
        return None if value is None else value.flatten(0, 1)


class _WideConvolution(_Wide):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        (layer,), weight = self.layer, self.flat("weight")
        count, shared = len(self.given["weight"]), inputs.shape[1] == layer.in_channels
        if shared and layer.groups > 1:
            raise ValueError("a grouped convolution of shared inputs")
        if layer.padding_mode != "zeros":
            raise ValueError("a convolution with other padding than zeros")
        if inputs.device.type == "cpu":  # also here, since a mean over channels, for one channel, changes the order
            inputs = inputs.to(memory_format=torch.channels_last)
            weight = weight.contiguous(memory_format=torch.channels_last)
        groups = 1 if shared else count * layer.groups
        about = layer.stride, layer.padding, layer.dilation, groups
        return functional.conv2d(inputs, weight, self.flat("bias"), *about)


class _WideLinear(_Wide):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        (layer,), weight = self.layer, self.given["weight"]
        if inputs.ndim != 2:
            raise ValueError("a linear layer of more than vectors")
        if inputs.shape[1] == layer.in_features:
            return functional.linear(inputs, self.flat("weight"), self.flat("bias"))
        outputs = torch.bmm(inputs.unflatten(1, (len(weight), -1)).transpose(0, 1), weight.transpose(1, 2))
        if "bias" in self.given:
            outputs = outputs + self.given["bias"][:, None]
        return outputs.transpose(0, 1).flatten(1)


class _WideNormalisation(_Wide):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        (layer,) = self.layer
        statistics = self.flat("running_mean"), self.flat("running_var")
        by_batch = layer.training or statistics[0] is None
        about = by_batch, 0.0, layer.eps
        return functional.batch_norm(
            inputs, *((None, None) if by_batch else statistics), self.flat("weight"), self.flat("bias"), *about
        )


WIDE = {nn.Conv2d: _WideConvolution, nn.Linear: _WideLinear, nn.modules.batchnorm._BatchNorm: _WideNormalisation}
