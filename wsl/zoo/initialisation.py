"""Members' random initial weights, where the config chooses others than the architecture's own."""

from torch import nn

from wsl.zoo.settings import DEFAULT

BIAS = 0.01  # initial value of all biases, as in the published model zoos


def initialise(network: nn.Module, name: str) -> None:
    """Draw the weights of convolutions and linear layers again, from torch's global generator, and set their biases.

    As in the model zoos of Schürholt et al. 2022 (``init_type``, with torch's default arguments): ``uniform`` is
    uniform between 0 and 1, and ``normal`` has mean 0 and deviation 1, whatever the size of the layer. Other layers,
    such as batch normalisation, stay as they are.

    Args:
        network: changed in place.
        name: ``uniform``, ``normal``, ``kaiming-uniform`` or ``kaiming-normal``; ``default`` changes nothing.
    """
    if name == DEFAULT:
        return
    draw = getattr(nn.init, f"{name.replace('-', '_')}_")
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
            draw(module.weight)
            if module.bias is not None:
                nn.init.constant_(module.bias, BIAS)
