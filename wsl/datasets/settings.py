"""Settings of dataset encoders and of CLIP."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from wsl.datasets.encoders.base import DATASET_ENCODERS
from wsl.settings.sections import Section, Sha256, one_of


class ClipModel(Section):
    """A CLIP model and its weights."""

    model: str = Field(
        "wsl-small-rn",
        description="an open_clip model by name, the path of its JSON config, `hf-hub:<repository>`, which is fetched "
        "once, or `local-dir:<folder>` of such a repository; the last two include their weights",
    )
    weights: str | None = Field(
        None,
        description="a pretrained tag of that model, which is fetched once, or a file; empty: random features, seeded "
        "(studies only)",
    )


class Datasets(ClipModel):
    """The dataset encoder and the CLIP model that all dataset encoders use (section 3.2.2)."""

    encoder: one_of(DATASET_ENCODERS, "clip") = Field(
        DATASET_ENCODERS["clip"](), description="how a class's images become its embedding"
    )
    sha256: Sha256 | None = Field(
        None, description="checksum of the file of weights, 64 hexadecimal digits; other files are refused"
    )
    names: Path | None = Field(
        None,
        description="tab-separated table of class folders, names in words (the first of several separated by commas "
        "counts) and optional superclasses, which colour the map of the shared space; empty: the folders' own names",
    )
    prompts: list[str] = Field(
        [], description="sentences with {} for a class's name, for the CLIP text tower; empty: no text features"
    )

    @property
    def brings_weights(self) -> bool:
        """Whether the model is a repository or a folder, which holds weights beside the config."""
        return self.model.startswith(("hf-hub:", "local-dir:"))

    @property
    def random_features(self) -> bool:
        """Whether features of images come from a CLIP model with random weights."""
        return self.encoder.reads_clip and self.weights is None and not self.brings_weights

    @model_validator(mode="after")
    def _keys_fit_together(self) -> Self:
        if self.brings_weights and self.weights is not None:
            raise ValueError(f"weights: {self.model} includes its own weights; remove this key")
        if self.sha256 and self.weights is None and not self.model.startswith("hf-hub:"):
            raise ValueError("sha256: there is no file of weights to check; set `weights`, or remove this key")
        for prompt in self.prompts:
            if prompt.count("{}") != 1:
                raise ValueError(f"prompts: {prompt!r} needs one {{}} where the class's name goes")
        if self.prompts and self.weights is None and not self.brings_weights:
            raise ValueError(
                "prompts: a model with random weights cannot encode text; set `weights`, or remove this key"
            )
        if self.prompts and not self.encoder.reads_names:
            encoder = self.encoder.name
            raise ValueError(f"prompts: the encoder `{encoder}` only reads images; remove this key or change `encoder`")
        unused = {"model", "weights", "sha256"} & self.model_fields_set
        if unused and not self.encoder.reads_clip:
            raise ValueError(f"{min(unused)}: the encoder `{self.encoder.name}` does not use CLIP; remove this key")
        return self
