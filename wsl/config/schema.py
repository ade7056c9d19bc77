"""The schema of the whole config, composed of the sections beside the code that uses them."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from wsl.config.faults import describe_fault
from wsl.config.renamed import RENAMED
from wsl.datasets.settings import Datasets
from wsl.errors import ConfigError
from wsl.evaluation.settings import Evaluation
from wsl.images.settings import Images
from wsl.outcomes.bins import Outcomes
from wsl.sampling.settings import Sampling
from wsl.settings.registry import load_plugins
from wsl.settings.sections import RUN_NAME, Section, Whole
from wsl.shared.settings import Shared
from wsl.weights.settings import Search, Weights
from wsl.zoo.settings import Zoo


class Config(Section):
    """The config of a run."""

    run: Annotated[str, Field(pattern=RUN_NAME)] = Field(
        description="name of the run; its files are written to `results/<run>`"
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(0, description="random seed of the whole run")
    beside: list[Annotated[str, Field(pattern=RUN_NAME)]] = Field(
        [], description="names of finished runs whose accuracies are listed beside this run's in its table and report"
    )
    plugins: list[Path] = Field(
        [], description="Python files that register further architectures, image sources, samplers and so on"
    )
    images: Images = Images()
    zoo: Zoo = Zoo()
    weights: Weights = Field(default_factory=Weights)
    datasets: Datasets = Datasets()
    outcomes: Outcomes = Outcomes()
    shared: Shared = Field(default_factory=Shared)
    sampling: Sampling = Field(default_factory=Sampling)
    evaluation: Evaluation = Evaluation()

    def encoders(self) -> dict[str, Weights]:
        """Return the weight encoders on the bench by name, the run's own first."""
        variants = {name: variant.of(self.weights) for name, variant in self.evaluation.bench.encoders.items()}
        return {self.weights.encoder.name: self.weights, **variants}

    def search_with(self, name: str) -> Search:
        """Return the search by outputs for an encoder on the bench; without steps if it is not to be searched with."""
        search = self.evaluation.bench.search
        values = search.model_dump(exclude={"encoders"})
        searched = name in (search.encoders or [name]) and self.encoders()[name].encoder.decodes
        return Search(**values if searched else {**values, "steps": 0})

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.images.source.empty and self.zoo.imported is None:
            raise ValueError("images.source: members are trained on images; `none` is only possible with zoo.import")
        if self.zoo.imported is not None and self.images.classes is not None:
            raise ValueError("images.classes: the classes are those of zoo.import; remove the key")
        given = [key for key in Images.model_fields if key in self.images.model_fields_set - {"classes_per_job"}]
        if self.zoo.borrowed is not None and given:
            raise ValueError(
                f"images: {' and '.join(given)} would have no effect, since the packed images are those of zoo.from; "
                f"remove {'it' if len(given) == 1 else 'them'}"
            )
        if self.evaluation.growth and not self.beside:
            raise ValueError("evaluation.growth: needs other runs; name runs with fewer members in `beside`")
        if not self.weights.encoder.decodes and not self.images.source.empty:
            name = self.weights.encoder.name
            raise ValueError(
                f"weights.encoder: {name} does not decode, but samples and reconstructions are decoded; choose "
                f"another, for example pca-ae, and put {name} on the bench (evaluation.bench.encoders)"
            )
        bench = self.evaluation.bench
        for name, variant in bench.encoders.items():
            if name == self.weights.encoder.name:
                raise ValueError(f"evaluation.bench.encoders.{name}: the run's own has this name; choose another")
            try:
                variant.of(self.weights)
            except ValidationError as error:
                raw = variant.model_dump(exclude_unset=True)
                faults = "; ".join(describe_fault(raw, Weights, fault) for fault in error.errors())
                raise ValueError(f"evaluation.bench.encoders.{name}: {faults}") from None
        for name in bench.search.encoders:
            if name not in self.encoders():
                known = ", ".join(self.encoders())
                raise ValueError(f"evaluation.bench.search.encoders: {name} is not on the bench; there are {known}")
            if not self.encoders()[name].encoder.decodes:
                raise ValueError(
                    f"evaluation.bench.search.encoders: {name} does not decode, so there is no search; remove it"
                )
        if self.sampling.generator.names and not self.datasets.prompts:
            raise ValueError("sampling.generator.names: CLIP needs prompts for class names; set datasets.prompts")
        return self


def load_config(raw: dict[str, Any]) -> Config:
    """Return a checked config from the content of a YAML file.

    Raises:
        ConfigError: one line per fault: the key, the cause, and the known keys if it is unknown.
    """
    plugins = raw.get("plugins") if isinstance(raw, dict) else None
    if isinstance(plugins, list) and all(isinstance(path, str) for path in plugins):
        load_plugins(plugins)  # before validation, which looks up their entries
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        lines = [f"  {describe_fault(raw, Config, fault, RENAMED)}" for fault in error.errors()]
        raise ConfigError("the config cannot be run:\n" + "\n".join(dict.fromkeys(lines))) from None
