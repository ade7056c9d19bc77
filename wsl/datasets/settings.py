"""The dataset encoder."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsl.recipe import Fitting
from wsl.sections import PositiveFloat, PositiveInt, Section, Sha256, Whole


class Distilled(Section):
    """Distilled images of a class, made by gradient matching (Zhao et al. 2021)."""

    images: PositiveInt = Field(1, description="images made for each class")
    steps: PositiveInt = Field(200, description="random networks whose gradients they are to match")
    learning_rate: PositiveFloat = Field(0.1, description="learning rate of the pixels")
    batch_size: PositiveInt = Field(32, description="most real images a step")
    width: PositiveInt = Field(16, description="channels of the random networks")


class SetEncoder(Fitting):
    """The learned encoder of sets of images (Zaheer et al. 2017)."""

    hidden: list[PositiveInt] = Field([256], description="sizes of the hidden layers")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="dropout after each hidden layer")
    learning_rate: PositiveFloat = Field(3e-4, description="learning rate")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(32, description="classes a batch")
    epochs: PositiveInt = Field(100, description="most epochs")
    temperature: PositiveFloat = Field(0.1, description="temperature of its contrastive loss")
    images: PositiveInt = Field(32, description="most images in a random subset; sizes are uniform from 1")


class Datasets(Section):
    """The dataset encoder (section 3.2.2)."""

    encoder: Literal["clip", "distilled", "set"] = Field(
        "clip",
        description="what stands for a class; `clip`: the mean of its images' CLIP features (the thesis); `distilled`: "
        "CLIP features of images distilled from them; `set`: a learned encoder of sets of images",
    )
    model: str = Field(
        "wsl-small-rn",
        description="an open_clip model by name, the path of its JSON config, `hf-hub:<repository>`, which is fetched "
        "once, or `local-dir:<folder>` of such a repository; the last two bring their weights",
    )
    weights: str | None = Field(
        None,
        description="a pretrained tag of that model, which is fetched once, or a file; empty: random features, seeded "
        "(studies only)",
    )
    sha256: Sha256 | None = Field(
        None, description="checksum of the weights' file, 64 hexadecimal digits; another file is refused"
    )
    batch_size: PositiveInt = Field(256, description="images a forward pass")
    names: Path | None = Field(
        None,
        description="a table of class folders and their names in words (tab-separated, the first of several names by "
        "commas counts), so that names can stand in for images, and perhaps superclasses, which colour the map of the "
        "shared space; empty: the folders' own names",
    )
    prompts: list[str] = Field(
        [], description="sentences with {} for a class's name, for the CLIP text tower; none: no text features"
    )
    distilled: Distilled = Distilled()
    set: SetEncoder = SetEncoder()

    @property
    def brings_weights(self) -> bool:
        """Whether the model is a repository or a folder, which holds weights beside the config."""
        return self.model.startswith(("hf-hub:", "local-dir:"))

    @model_validator(mode="after")
    def _weights_are_named_once(self) -> Self:
        if self.brings_weights and self.weights is not None:
            raise ValueError(f"weights: {self.model} brings its own; leave them out")
        if self.sha256 and self.weights is None and not self.model.startswith("hf-hub:"):
            raise ValueError("sha256: no file of weights is named that it could be of; name `weights`, or remove it")
        return self

    @model_validator(mode="after")
    def _prompts_name_the_class(self) -> Self:
        for prompt in self.prompts:
            if prompt.count("{}") != 1:
                raise ValueError(f"prompts: {prompt!r} needs one {{}} where the class's name goes")
        if self.prompts and self.weights is None and not self.brings_weights:
            raise ValueError("prompts: a model with random weights knows no word; name `weights`, or leave them out")
        if self.prompts and self.encoder == "set":
            raise ValueError("prompts: the encoder `set` reads images alone; remove them or choose another encoder")
        return self
