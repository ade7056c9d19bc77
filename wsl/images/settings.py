"""Settings of images: their source and how they are packed."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from wsl.images.reading import USUAL, Normalisation
from wsl.images.sources.base import SOURCES, PooledSource
from wsl.images.sources.several import Labelled
from wsl.settings.sections import PositiveFloat, PositiveInt, Section, Share, Whole, one_of


class Packing(Section):
    """The settings that the packed images of a class depend on."""

    source: one_of(SOURCES, "digits") = Field(
        SOURCES["digits"](), validate_default=False, description="where images come from"
    )
    size: Annotated[Whole, Field(ge=8)] = Field(32, description="side of the packed square images, pixels")
    validation_share: Share = Field(
        0.2, description="share of a class's images set aside for the outcomes and for choosing settings"
    )
    minimum: PositiveInt = Field(
        10,
        description="fewest images of a class for training and validation; unreadable and repeated files do not count",
    )


class Images(Packing):
    """Where images come from and how they are split."""

    sources: Labelled | None = Field(
        None, description="in place of `source`: a list of sources, or a mapping of labels to sources, for one zoo"
    )
    classes: list[str] | PositiveInt | Literal["imagenet-1k"] | None = Field(
        None, description="class names; or a number: the first classes; or `imagenet-1k`: its 1,000 classes; empty: all"
    )
    classes_per_job: PositiveInt = Field(
        1, description="classes that one job packs or embeds; larger values save job start-up time"
    )

    mean: tuple[float, float, float] = Field(
        USUAL.mean,
        description="means of red, green and blue, of pixels in [0, 1], that networks' inputs are normalised by; for "
        "imported members those of their training",
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        USUAL.std, description="standard deviations of red, green and blue that networks' inputs are normalised by"
    )

    @property
    def normalisation(self) -> Normalisation:
        """The normalisation of networks' inputs."""
        return Normalisation(self.mean, self.std)

    @property
    def source_types(self) -> list[type]:
        """The classes of the source, and of those in it."""
        sources = [self.source, *getattr(self.source, "of", {}).values()]
        return list(dict.fromkeys(type(one) for source in sources for one in (source, source.base)))

    @property
    def packing(self) -> dict[str, Any]:
        """The settings that packed images depend on."""
        return {key: getattr(self, key) for key in Packing.model_fields}

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.sources is not None:
            if "source" in self.model_fields_set:
                raise ValueError("give `source` or `sources`, not both")
            # The section is frozen for its users; it is not complete yet.
            self.__dict__.update(source=SOURCES["several"](of=self.sources), sources=None)
        return self

    @model_validator(mode="after")
    def _leaves_training_images(self) -> Self:
        sources = getattr(self.source, "of", {"": self.source}).values()
        shares = [source.base.test_share for source in sources if isinstance(source.base, PooledSource)]
        if self.validation_share + max(shares, default=0) >= 1:
            raise ValueError("validation_share and test_share leave no image to train on; make them smaller")
        return self
