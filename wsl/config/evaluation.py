"""Evaluation of reconstructed and sampled models."""

from typing import Annotated, Literal

from pydantic import Field

from wsl.config.fields import PositiveInt, Section, Whole


class Evaluation(Section):
    """Evaluation (chapter 4)."""

    synthetic_images: PositiveInt = Field(256, description="Gaussian noise images for figure 4.1b")
    training_images: PositiveInt = Field(300, description="most training images a class for Table 4.1")
    heatmap_members: PositiveInt = Field(5, description="members in the heat map of figure 4.3")
    control_requests: Annotated[Whole, Field(ge=2)] = Field(
        20, description="validation losses requested for each held-out task, to see whether samplers heed R"
    )
    novelty_samples: PositiveInt = Field(5, description="models sampled for each held-out task, to see how they differ")
    map_members: PositiveInt = Field(50, description="training members in the map of the shared space, the first")
    map_method: Literal["tsne", "pca"] = Field("tsne", description="how that map is made flat")
