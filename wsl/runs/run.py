"""A run: its checked config, classes and plan, as the workflow's rules use them."""

from collections.abc import Callable, Container
from functools import cached_property
from pathlib import Path
from typing import Any

from wsl.config.needs import needs
from wsl.config.schema import Config, load_config
from wsl.errors import ConfigError, Faults
from wsl.images.classes import find_classes
from wsl.images.names import read_names
from wsl.images.settings import Images
from wsl.paths import Paths
from wsl.runs.borrowed import BorrowedZoo, needed_files, plan_of_borrowed, read_borrowed, shown, with_borrowed
from wsl.runs.imported import adapted, faults_of
from wsl.runs.members import Members
from wsl.runs.mixed import mixed_faults
from wsl.runs.pretrained import Pretrained
from wsl.sampling.methods.base import METHODS
from wsl.settings.distributions import Distribution
from wsl.zoo.grid import with_grid
from wsl.zoo.groups import check_sources, group_classes
from wsl.zoo.imported import ImportedZoo, read_imported
from wsl.zoo.kept_plans import kept_plan
from wsl.zoo.layout import Layout
from wsl.zoo.mixture import with_architectures
from wsl.zoo.plan import first_training, hyper_parameters, plan_unseen
from wsl.zoo.recognition import running_fault
from wsl.zoo.settings import DEFAULT, Network
from wsl.zoo.whole import by_source, check_whole, plan_whole, plan_whole_unseen

DRAWN = ("optimizer", "batch_size", "weight_decay", "early_epoch", "max_epoch")


class Run(Members):
    """Everything that follows from a config before any job starts.

    Args:
        raw: the config as read from YAML.

    Raises:
        ConfigError: the config cannot be run.
    """

    def __init__(self, raw: dict[str, Any]):
        self.config: Config = _checked(raw)
        self.imported: ImportedZoo | None = None
        self.borrowed: BorrowedZoo | None = None
        faults = Faults()
        if self.config.zoo.borrowed is not None:
            self.borrowed = read_borrowed(self.config)
            self.config = with_borrowed(self.config, self.borrowed)
        if (folder := self.config.zoo.imported) is not None:
            self.imported = read_imported(folder)
            faults.lines = faults_of(self.config, self.imported)
            self.config = adapted(self.config, self.imported)
        self.classes: list[str] = []
        if not faults.lines:
            self.classes, lines = find_classes(self.config.images)
            faults.lines += lines
        with faults.noted():
            self.pretrained = Pretrained(self.config)
        with faults.noted():
            self.config.datasets.encoder.check()
        names = self.config.datasets.names
        self._words, self.superclasses = {}, {}
        with faults.noted():
            if names is not None:
                self._words, self.superclasses = read_names(names)
        if self.mixed:
            faults.lines += mixed_faults(self.config)
        for network in self.networks.values() or [None]:
            with faults.noted():
                self._check(network, faults)
        if self.classes or not self.has_images:
            with faults.noted():
                self._plan()
                self._check_groups()
        if faults.lines and self.classes and self.imported is None and self.borrowed is None:
            faults.lines += needs(self.config, len(self.classes), self._members)
        faults.refuse()

    def _check(self, network: Network | None, faults: Faults) -> None:
        """Refuse settings that do not work with networks of one architecture; None: of an unknown one."""
        architecture = network and network.architecture
        name = architecture.name if architecture else "other"
        if architecture and self.has_images:
            architecture.check(network.size)
        layout = network.layout if self.mixed else self.layout
        with faults.noted():
            for weights in self.config.encoders().values():
                weights.encoder.check(layout)
            if self.has_images and not self.mixed:
                sampling = self.config.sampling
                for method in dict.fromkeys([*sampling.samplers, sampling.sampler]):
                    METHODS[method].check(layout)
                for method in dict.fromkeys([*METHODS.of_kind("baseline"), *sampling.samplers, sampling.sampler]):
                    METHODS[method].check_config(self.config)
                sampling.merging.check(layout, self.start() is not None)
        search = self.config.evaluation.bench.search
        if "features" in search.model_fields_set and search.features and not (architecture and architecture.has_blocks):
            raise ConfigError(
                f"evaluation.bench.search.features: the architecture {name} has no residual blocks to compare; set it "
                "to 0"
            )
        if self.config.weights.align and not (architecture and architecture.channel_groups(layout)):
            known = "no permutation symmetry" if architecture else "no known permutation symmetry"
            raise ConfigError(f"weights.align: the architecture {name} has {known}; set it to false")

    def _check_groups(self) -> None:
        known = hyper_parameters(dict.fromkeys(key for row in self.plan for key in row))
        for name in self.config.evaluation.bench.by:
            if name not in known:
                raise ConfigError(f"evaluation.bench.by: members have no {name}; choose from {', '.join(known)}")

    def _plan(self) -> None:
        zoo, unseen = self.config.zoo, self.config.zoo.unseen
        seed, task = self.config.seed, zoo.classes_per_task
        if self.borrowed is not None:
            self.plan, self.groups = plan_of_borrowed(self.config, self.borrowed)
            self.borrowed.check(needed_files(self))
            self._check_parts()
            return
        if self.imported is not None:
            self.groups = {"tasks": self.classes, "backbone": [], "unseen": []}
            self.plan = first_training(self.imported.plan, zoo.training)
            return
        group = self.config.images.source.group
        self.groups = group_classes(seed, self.classes, zoo.backbone.classes, unseen.classes, task, group)
        if zoo.tasks == "within":
            check_sources(self.groups["tasks"], group, task)
        self.plan = self._members(self.groups["tasks"], zoo.members)
        if unseen.members is not None and zoo.tasks == "whole":
            sources = self._whole("zoo.unseen.classes", self.groups["unseen"])
            self.plan += plan_whole_unseen(seed, sources, unseen.members, *self._hyperparameters())
        elif unseen.members is not None:
            self.plan += plan_unseen(seed, self.groups["unseen"], unseen.members, task, *self._draws_from())
        if zoo.design == "grid":
            self.plan = with_grid(seed, self.plan, *self._hyperparameters())
        if self.mixed:
            self.plan = with_architectures(seed, self.plan, self.networks)
        self.plan = first_training(self.plan, zoo.training)
        self._check_parts()

    def _check_parts(self) -> None:
        """Refuse a mixed zoo with a part that lacks an architecture."""
        for part in self.parts:
            if len(missing := [label for label in self.networks if not self.members(part, label)]):
                raise ConfigError(
                    f"zoo.members: no {part} member has the architecture {missing[0]}: a mixed zoo of "
                    f"{len(self.networks)} architectures needs as many members in every part; raise it, or zoo.parts"
                )

    def _members(self, classes: list[str], count: int) -> list[dict[str, Any]]:
        zoo, shares = self.config.zoo, self.config.zoo.parts.model_dump()
        if zoo.tasks == "whole":
            sources = self._whole("images.classes", classes)
            return plan_whole(self.config.seed, sources, count, shares, *self._hyperparameters())
        return kept_plan(self.config.seed, classes, count, zoo.classes_per_task, shares, *self._draws_from())

    def _whole(self, key: str, classes: list[str]) -> dict[str, list[str]]:
        """Return classes, chosen by a key of the config, by their source, of which each is a whole task."""
        source = self.config.images.source
        sources = by_source(classes, source.group, source.name)
        check_whole(sources, self.config.zoo.classes_per_task, key)
        return sources

    def _hyperparameters(self) -> tuple[dict[str, Distribution], dict[str, Distribution]]:
        """Return the distributions of hyper-parameters, and those of the learning rate by optimiser."""
        zoo = self.config.zoo
        varied = ["initialisation"] if zoo.initialisation.choice != [DEFAULT] else []
        rates = {"adam": zoo.learning_rate.adam, "sgd": zoo.learning_rate.sgd}
        return {key: getattr(zoo, key) for key in (*DRAWN, *varied)}, rates

    def _draws_from(self) -> tuple[dict[str, Distribution], dict[str, Distribution], Callable[[str], str] | None]:
        """Return the last arguments of ``plan_members``."""
        group = self.config.images.source.group if self.config.zoo.tasks == "within" else None
        return *self._hyperparameters(), group

    def check_data(self, fetched_now: Container[str] = ()) -> None:
        """Refuse missing folders of images, and weights with another checksum, except for weights fetched now."""
        faults = Faults()
        with faults.noted():
            self.config.images.source.check(self.classes)
        with faults.noted():
            self.pretrained.check(fetched_now)
        faults.refuse()

    @cached_property
    def layout(self) -> Layout:
        """Where each named parameter lies in a snapshot."""
        if self.imported is not None:
            return self.imported.layout._replace(normalisation=self.config.images.normalisation)
        return self.network_of(None).layout

    @property
    def has_images(self) -> bool:
        """Whether the run has images; otherwise only stages that read nothing but weights run."""
        return not self.config.images.source.empty

    @property
    def runnable(self) -> bool:
        """Whether the members' networks can be built and run."""
        return self.imported is None or running_fault(self.layout) is None

    def shown_config(self) -> dict[str, Any]:
        """Return the config as the report shows it: of the zoo of others, only the keys that can be given."""
        return shown(self)

    @property
    def known_classes(self) -> list[str]:
        """The classes that members or the backbone are trained on."""
        return self.groups["tasks"] + self.groups["backbone"]

    def beside(self) -> list[str]:
        """Return the existing accuracy tables of the runs named in the key ``beside``."""
        tables = [Paths.of_run(name).table("accuracy") for name in self.config.beside]
        return [path for path in tables if Path(path).is_file()]

    def start(self) -> tuple[str, dict[str, Any]] | None:
        """Return the function that creates the members' common start, and its settings but the network; None: none."""
        zoo, backbone = self.config.zoo, self.config.zoo.backbone
        if zoo.init == "independent":
            return None
        if zoo.init == "shared":
            return "wsl.zoo.start.random_start", {"seed": self.seed("start")}
        if backbone.checkpoint is not None:
            return "wsl.zoo.start.import_backbone", {"checkpoint": backbone.checkpoint}
        settings = {"settings": backbone.training(), "seed": self.seed("start")}
        return "wsl.zoo.backbone.train_backbone", settings

    @property
    def class_groups(self) -> list[list[str]]:
        """The classes, grouped by the job that packs or embeds them."""
        count = self.config.images.classes_per_job
        return [self.classes[start : start + count] for start in range(0, len(self.classes), count)]

    def prompts(self, name: str) -> list[str]:
        """Return the prompts with a class's name in words."""
        words = self._words.get(name) or self.config.images.source.owner(name)[1]
        return [prompt.replace("{}", words) for prompt in self.config.datasets.prompts]


def _checked(raw: dict[str, Any]) -> Config:
    """Return the config; its faults are reported together with those of its image folders."""
    try:
        return load_config(raw)
    except ConfigError as error:
        try:
            images = Images.model_validate((raw if isinstance(raw, dict) else {}).get("images") or {})
        except ValueError:
            raise error from None
        if faults := find_classes(images)[1]:
            Faults([*str(error).splitlines()[1:], *faults]).refuse()
        raise
