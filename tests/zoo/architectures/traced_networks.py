"""Small networks of many kinds with the number of their permutation symmetries, and outputs of permuted parameters."""

import torch
from torch import nn

from wsl.zoo.architectures.tracing import permuted, traced_groups

SHAPE = (2, 3, 16, 16)


class Applied(nn.Module):
    """A linear layer, a function of its outputs, and another linear layer."""

    def __init__(self, function, inner=6, read=6):
        super().__init__()
        self.function, self.first, self.last = function, nn.Linear(48, inner), nn.Linear(read, 3)

    def forward(self, images):
        return self.last(self.function(self.first(nn.functional.avg_pool2d(images, 4).flatten(1))))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 6), nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def flat_cnn():
    layers = [
        nn.Conv2d(3, 4, 3),
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3),
        nn.Dropout(0.5),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(125, 6), nn.LeakyReLU(), nn.Linear(6, 3))


def grouped_cnn():
    layers = [nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.PReLU(8), nn.Conv2d(8, 12, 3, groups=4), nn.SiLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3))


def mobilenet():
    from torchvision.models.mobilenetv2 import MobileNetV2

    setting = [[1, 8, 1, 1], [2, 8, 2, 2]]
    return MobileNetV2(num_classes=3, width_mult=0.25, inverted_residual_setting=setting)


def squeeze_and_excitation():
    from torchvision.models import mobilenet_v3_small

    return mobilenet_v3_small(num_classes=3, width_mult=0.25)


def densenet():
    from torchvision.models import DenseNet

    return DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=6, bn_size=2, num_classes=3)


def timm_vit(**settings):
    from timm.models.vision_transformer import VisionTransformer

    settings = {"img_size": 16, "patch_size": 8, "embed_dim": 12, "depth": 2, "num_heads": 3, **settings}
    return VisionTransformer(num_classes=3, **settings)


def normed_vit():
    return timm_vit(qk_norm=True, init_values=0.1, class_token=False, global_pool="avg")


def torchvision_vit():
    from torchvision.models import VisionTransformer

    return VisionTransformer(16, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=10, num_classes=3)


def swin():
    from torchvision.models import SwinTransformer

    return SwinTransformer([2, 2], 8, [2, 2], [2, 4], [2, 2], num_classes=3)


def convnext():
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt([CNBlockConfig(6, 8, 1), CNBlockConfig(8, None, 1)], num_classes=3)


def timm_convnext():
    from timm.models.convnext import ConvNeXt

    shape = {"depths": (1, 1, 1, 1), "dims": (6, 8, 10, 12), "patch_size": 2, "output_stride": 8}
    return ConvNeXt(num_classes=3, use_grn=True, **shape)


def shufflenet():
    from torchvision.models import ShuffleNetV2

    return ShuffleNetV2([1, 1, 1], [4, 8, 16, 16, 12], num_classes=3)


def gated():
    return Applied(lambda values: values.chunk(2, 1)[0] * values.chunk(2, 1)[1].sigmoid(), inner=12)


# Networks, each with the number of its groups, counted by hand. Convolutions that are followed by depthwise ones have
# the same channels as these; each attention has heads, dimensions of queries and keys, and dimensions of values.
NETWORKS = {
    "mlp": (mlp, 2),
    "flat_cnn": (flat_cnn, 3),
    "grouped_cnn": (grouped_cnn, 3),  # groups, inputs of each group, outputs of each group
    "mobilenet": (mobilenet, None),
    "squeeze_and_excitation": (squeeze_and_excitation, None),
    "densenet": (densenet, 1 + 2 * 2 + 1 + 2 * 2),  # stem, two convolutions per layer, transition
    "timm_vit": (timm_vit, 1 + 2 * 4),  # stream, and attention and neurons of each block
    "normed_vit": (normed_vit, 1 + 2 * 4),
    "torchvision_vit": (torchvision_vit, 1 + 2 * 4),
    "swin": (swin, 2 + 4 * 4),  # two streams
    "convnext": (convnext, 2 + 2),
    "timm_convnext": (timm_convnext, 1 + 4 + 4),  # stem; streams and neurons of the stages
    "shufflenet": (shufflenet, None),
    "gated": (gated, 1),
}


def traced(build, shape=SHAPE):
    with torch.device("meta"):
        network = build()
    return traced_groups(network, shape)


def random_state(network, seed=0):
    """Values that all differ, so that a forgotten parameter shows."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in network.state_dict().items():
        state[name] = value
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator, dtype=torch.float64)
            state[name] = noise + 0.5 if value.ndim < 2 else (noise - 0.5) * 4 / value[0].numel() ** 0.5
    return state


class Outputs:
    """Outputs of a network whose parameters are permuted."""

    def __init__(self, build, shape=SHAPE):
        self.network = build().double().eval()
        self.state = random_state(self.network)
        self.images = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.expected = self([])

    def __call__(self, moves):
        """Outputs after moves, pairs of an ``Axis`` and an order."""
        state = dict(self.state)
        for axis, order in moves:
            state[axis.name] = torch.from_numpy(permuted(state[axis.name].numpy(), axis, order))
        self.network.load_state_dict(state)
        with torch.no_grad():
            return self.network(self.images)

    def change(self, moves):
        return ((self(moves) - self.expected).abs().max() / self.expected.abs().max()).item()
