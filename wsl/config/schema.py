"""The whole config, checked."""

from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from wsl.config.datasets import Datasets
from wsl.config.encoders import Outcomes, Shared
from wsl.config.evaluation import Evaluation
from wsl.config.fields import RUN_NAME, Section, Whole
from wsl.config.images import Images
from wsl.config.sampling import Sampling
from wsl.config.weights import Weights
from wsl.config.zoo import Zoo
from wsl.errors import ConfigError
from wsl.faults import describe_fault


class Config(Section):
    """A run."""

    run: Annotated[str, Field(pattern=RUN_NAME)] = Field(
        description="name of the run; everything lands in results/<run>"
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(0, description="everything random comes from it")
    beside: list[Annotated[str, Field(pattern=RUN_NAME)]] = Field(
        [], description="names of runs, made before, whose accuracies stand beside this one's in its table and report"
    )
    images: Images = Images()
    zoo: Zoo = Zoo()
    weights: Weights = Weights()
    datasets: Datasets = Datasets()
    outcomes: Outcomes = Outcomes()
    shared: Shared = Shared()
    sampling: Sampling = Sampling()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _growth_needs_other_runs(self) -> Self:
        if self.evaluation.growth and not self.beside:
            raise ValueError("evaluation.growth: one run shows no growth; name runs with fewer members in `beside`")
        return self

    @model_validator(mode="after")
    def _names_need_texts(self) -> Self:
        if self.sampling.generator.names and not self.datasets.prompts:
            raise ValueError("sampling.generator.names: names are told to CLIP in sentences; set datasets.prompts")
        return self


def load_config(raw: dict[str, Any]) -> Config:
    """Check a config as read from YAML.

    Raises:
        ConfigError: with one line a fault: the key, what is wrong, and the keys there are where one is unknown.
    """
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {describe_fault(raw, Config, fault)}" for fault in error.errors()]
        raise ConfigError("the config cannot be run:\n" + "\n".join(dict.fromkeys(lines))) from None
