"""Where images come from."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsl.sections import PositiveInt, Section, Share, Whole


class Images(Section):
    """Where images come from and how they are split."""

    source: Literal["digits", "glyphs", "imagefolder"] = Field(
        "digits",
        description="`digits`: scikit-learn's handwritten digits; `glyphs`: 89 characters drawn from the fonts that "
        "matplotlib ships, with other fonts for test images; `imagefolder`: folders of one class each",
    )
    train: Path | None = Field(None, description="folder of class folders to train on (imagefolder)")
    test: Path | None = Field(None, description="folder of class folders to test on, ImageNet's `val` (imagefolder)")
    size: Annotated[Whole, Field(ge=8)] = Field(32, description="side of the packed square images, pixels")
    classes: list[str] | PositiveInt | Literal["imagenet-1k"] | None = Field(
        None,
        description="class names to use; a number takes the first so many; `imagenet-1k` the 1,000 of ImageNet; "
        "empty: all",
    )
    classes_per_job: PositiveInt = Field(
        1,
        description="classes that one job packs, and one embeds: a job takes seconds to start, and CLIP to load. Where "
        "classes come or go, other classes of a job are made anew with them",
    )
    validation_share: Share = Field(0.2, description="share of a class's images set aside for R and every choice")
    test_share: Share = Field(
        0.2, description="share set aside for final evaluations (digits, glyphs; folders have `test`)"
    )
    drawn: PositiveInt = Field(100, description="images drawn per class, those set aside included (glyphs)")
    minimum: PositiveInt = Field(
        10,
        description="fewest images a class may have, train folder; unreadable ones, repetitions and test images do not "
        "count",
    )

    @model_validator(mode="after")
    def _folders_fit_source(self) -> Self:
        folders = [name for name in ("train", "test") if getattr(self, name) is not None]
        if self.source != "imagefolder" and folders:
            raise ValueError(f"`{folders[0]}` is for source: imagefolder; remove it or change the source")
        if self.source == "imagefolder" and len(folders) < 2:
            raise ValueError("source: imagefolder needs both `train` and `test` folders")
        if self.source != "imagefolder" and self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave no image to train on; make them smaller")
        if self.source != "imagefolder" and self.classes == "imagenet-1k":
            raise ValueError("`classes: imagenet-1k` is for source: imagefolder")
        return self
