"""The whole config, checked."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from wsl.config.renamed import RENAMED
from wsl.datasets.settings import Datasets
from wsl.errors import ConfigError
from wsl.evaluation.settings import Evaluation, Search
from wsl.faults import describe_fault
from wsl.images.settings import Images
from wsl.outcomes.settings import Outcomes
from wsl.registry import load_plugins
from wsl.sampling.settings import Sampling
from wsl.sections import RUN_NAME, Section, Whole
from wsl.shared.settings import Shared
from wsl.weights.settings import Weights
from wsl.zoo.settings import Zoo

# What all encoders on a bench have in common: members as they are read, and the PCA that is fitted once.
SHARED_KEYS = (
    "align",
    "variance_threshold",
    "dimension_limit",
    "explained_variance",
    "solver",
    "sensitivity",
    "orders",
)


class Config(Section):
    """A run."""

    run: Annotated[str, Field(pattern=RUN_NAME)] = Field(
        description="name of the run; everything lands in `results/<run>`"
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(0, description="everything random comes from it")
    beside: list[Annotated[str, Field(pattern=RUN_NAME)]] = Field(
        [], description="names of runs, made before, whose accuracies stand beside this one's in its table and report"
    )
    plugins: list[Path] = Field(
        [], description="Python files that register further architectures, image sources, samplers and so on"
    )
    images: Images = Images()
    zoo: Zoo = Zoo()
    weights: Weights = Weights()
    datasets: Datasets = Datasets()
    outcomes: Outcomes = Outcomes()
    shared: Shared = Field(default_factory=Shared)
    sampling: Sampling = Field(default_factory=Sampling)
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _growth_needs_other_runs(self) -> Self:
        if self.evaluation.growth and not self.beside:
            raise ValueError("evaluation.growth: one run shows no growth; name runs with fewer members in `beside`")
        return self

    def encoders(self) -> dict[str, Weights]:
        """Return the weight encoders on the bench by name, the run's own first."""
        own = {self.weights.encoder: self.weights}
        return own | {name: _varied(self.weights, keys) for name, keys in self.evaluation.bench.encoders.items()}

    def search_with(self, name: str) -> Search:
        """Return the search by answers for an encoder on the bench: no step where it is not tried."""
        search = self.evaluation.bench.search
        return search if name in (search.encoders or [name]) else search.model_copy(update={"steps": 0})

    @model_validator(mode="after")
    def _encoders_share_their_first_stage(self) -> Self:
        for name in self.evaluation.bench.encoders:
            if name == self.weights.encoder:
                raise ValueError(f"evaluation.bench.encoders.{name}: the run's own has this name; choose another")
            try:
                _varied(self.weights, self.evaluation.bench.encoders[name])
            except ValidationError as error:
                own = self.evaluation.bench.encoders[name]
                faults = "; ".join(describe_fault(own, Weights, fault) for fault in error.errors())
                raise ValueError(f"evaluation.bench.encoders.{name}: {faults}") from None
        for name, varied in self.encoders().items():
            for key in SHARED_KEYS:
                if getattr(varied, key) != getattr(self.weights, key):
                    raise ValueError(f"evaluation.bench.encoders.{name}.{key}: all share the run's; remove it")
        return self

    @model_validator(mode="after")
    def _searched_are_on_the_bench(self) -> Self:
        for name in self.evaluation.bench.search.encoders:
            if name not in self.encoders():
                known = ", ".join(self.encoders())
                raise ValueError(f"evaluation.bench.search.encoders: {name} is not on the bench; there are {known}")
        return self

    @model_validator(mode="after")
    def _names_need_texts(self) -> Self:
        if self.sampling.generator.names and not self.datasets.prompts:
            raise ValueError("sampling.generator.names: CLIP needs prompts for class names; set datasets.prompts")
        return self


def _varied(section: Weights, changes: dict[str, Any]) -> Weights:
    """Return a section with keys changed, those of its own sections one by one."""
    values = section.model_dump()
    waiting = [(values, changes)]
    while waiting:
        known, new = waiting.pop()
        for key, value in new.items():
            if isinstance(value, dict) and isinstance(known.get(key), dict):
                waiting.append((known[key], value))
            else:
                known[key] = value
    return Weights.model_validate(values)


def load_config(raw: dict[str, Any]) -> Config:
    """Check a config as read from YAML.

    Raises:
        ConfigError: with one line a fault: the key, what is wrong, and the keys there are where one is unknown.
    """
    plugins = raw.get("plugins") if isinstance(raw, dict) else None
    if isinstance(plugins, list) and all(isinstance(path, str) for path in plugins):
        load_plugins(plugins)  # before validation, which must know their entries
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {describe_fault(raw, Config, fault, RENAMED)}" for fault in error.errors()]
        raise ConfigError("the config cannot be run:\n" + "\n".join(dict.fromkeys(lines))) from None
