"""RegMean: the merged layer is the least-squares fit to the outputs of all members' layers."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from wsl.sampling.merging.base import MERGES, Merge
from wsl.settings.sections import PositiveInt, Section

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


class RegMeanSettings(Section):
    """The merge `regmean`."""

    images: PositiveInt = Field(20, description="training images per class of each member that its layers are shown")
    off_diagonal: Annotated[float, Field(ge=0, le=1)] = Field(
        0.9, description="factor of the Gram matrices' numbers off the diagonal"
    )


@MERGES.register("regmean")
class RegMean(Merge):
    """Least squares to the outputs of all members, layer by layer (Jin et al. 2023, equation 2).

    Each member's Gram matrices come from its own training images. Other parameters are averaged.
    """

    Settings = RegMeanSettings
    label, marker = "RegMean", "s"

    def body(self, members: "Members", number: float | None) -> np.ndarray:
        import torch

        from wsl.sampling.merging._linear import linear_layers, recorded_grams, solved
        from wsl.zoo.network import FlatNetwork

        flat, merged = FlatNetwork(members.layout), members.mean.copy()
        layers = linear_layers(flat.network, members.entries)
        sums: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        with torch.no_grad(), recorded_grams(layers) as grams:
            for task, weights in zip(members.tasks, members.whole(), strict=True):
                flat.load(weights)(members.inputs(task, self.settings.images))
                for name, gram in grams.items():
                    gram = self.settings.off_diagonal * gram + (1 - self.settings.off_diagonal) * gram.diagonal().diag()
                    product = layers[name].weight.flatten(1).double() @ gram
                    products, total = sums.get(name, (0, 0))
                    sums[name] = products + product, total + gram
            for name, (products, gram) in sums.items():
                columns = members.layout[name].columns
                mean = torch.from_numpy(members.mean[columns]).view_as(products)
                merged[columns] = solved(products, gram, mean).flatten().numpy()
        return merged
