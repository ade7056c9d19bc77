"""Settings of the bench: weight encoders to compare with the run's own, on the same members."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from wsl.settings.sections import RUN_NAME, PositiveInt, Section
from wsl.shared.settings import Shared
from wsl.weights.settings import EncoderFit, Search, Weights

FORMER = ("autoencoder", "tokens", "normalise", "share")


class Variant(Section):
    """The settings of `weights` that differ between an encoder on the bench and the run's own."""

    encoder: Any = Field(
        None,
        description="settings of `weights.encoder` that differ; with another `name`, the others are that encoder's "
        "defaults",
    )
    components: PositiveInt | None = Field(None, description="maximum number of principal components per parameter")
    budget: PositiveInt | None = Field(None, description="total coefficients per model; empty: no budget")
    gate: Literal["variance", "function"] | None = Field(None, description="ranking of components under a budget")

    @model_validator(mode="before")
    @classmethod
    def _no_former_keys(cls, values: Any) -> Any:
        for key in FORMER if isinstance(values, dict) else ():
            if key in values:
                raise ValueError(f"{key}: a key of an earlier version; its settings are now settings of `encoder`")
        return values

    def of(self, weights: Weights) -> Weights:
        """Return the changed section of a run.

        Raises:
            ValidationError: the changed section is not valid.
        """
        changes = {key: getattr(self, key) for key in self.model_fields_set}
        encoder, current = changes.get("encoder"), weights.encoder
        if isinstance(encoder, dict) and encoder.get("name", current.name) == current.name:
            changes["encoder"] = {**current.described(), **encoder}
        return Weights.model_validate({**weights.model_dump(), **changes})


class BenchSearch(Search):
    """Encoding by outputs: gradient steps on a held-out member's latent to match the outputs of its decoded model."""

    encoders: list[str] = Field([], description="names of encoders to search with; empty: all on the bench")


class Bench(Section):
    """Weight encoders to compare with the run's own, fitted to the same members."""

    encoders: dict[Annotated[str, Field(pattern=RUN_NAME)], Variant] = Field(
        {},
        description="by name, the keys of `weights` that differ from the run's own (`encoder`, `components`, `budget`, "
        "`gate`); empty: no bench",
    )
    by: list[str] = Field(
        [],
        description="hyper-parameters of members, such as `initialisation` or `learning_rate`: reconstructions are "
        "also reported separately for members with each value",
    )
    search: BenchSearch = BenchSearch()

    @model_validator(mode="after")
    def _has_encoders(self) -> Self:
        if self.by and not self.encoders:
            raise ValueError("by: it has no effect without `encoders`; remove it, or name some")
        return self


class BenchSettings(EncoderFit):
    """Settings for fitting and measuring one encoder on the bench."""

    components: PositiveInt
    budget: PositiveInt | None
    gate: Literal["variance", "function"]
    search: Search
    shared: Shared
