"""A run: its checked config, classes and plan, as the workflow's rules use them."""

from collections.abc import Container, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from wsl.config.needs import needs
from wsl.config.schema import Config, load_config
from wsl.errors import ConfigError, Faults
from wsl.images.classes import find_classes
from wsl.images.names import read_names
from wsl.images.reading import join_task
from wsl.images.settings import Images
from wsl.paths import Paths
from wsl.randomness import integer_seed
from wsl.runs.pretrained import Pretrained
from wsl.settings.distributions import Distribution
from wsl.zoo.groups import group_classes
from wsl.zoo.layout import Layout
from wsl.zoo.plan import first_training, plan_members, plan_unseen
from wsl.zoo.settings import Network

DRAWN = ("optimizer", "batch_size", "weight_decay", "early_epoch", "max_epoch")
PARTS = ("train", "validation", "test", "unseen")


class Run:
    """Everything that follows from a config before any job starts.

    Args:
        raw: the config as read from YAML.

    Raises:
        ConfigError: the config cannot be run.
    """

    def __init__(self, raw: dict[str, Any]):
        self.config: Config = _checked(raw)
        self.classes, lines = find_classes(self.config.images)
        faults = Faults(lines)
        with faults.noted():
            self.pretrained = Pretrained(self.config)
        with faults.noted():
            self.config.datasets.encoder.check()
        names = self.config.datasets.names
        self._words, self.superclasses = {}, {}
        with faults.noted():
            if names is not None:
                self._words, self.superclasses = read_names(names)
        with faults.noted():
            network = self.config.zoo.member_architecture
            network.check(self.config.images.size)
            with faults.noted():
                for weights in self.config.encoders().values():
                    weights.encoder.check(self.layout)
            if self.config.weights.align and not network.channel_groups(self.layout):
                raise ConfigError(
                    f"weights.align: the architecture {network.name} has no permutation symmetry; set it to false"
                )
        if self.classes:
            with faults.noted():
                self._plan()
        if faults.lines and self.classes:
            faults.lines += needs(self.config, len(self.classes), self._members)
        faults.refuse()
        self._rows = {row["member"]: row for row in self.plan}

    def _plan(self) -> None:
        zoo, unseen = self.config.zoo, self.config.zoo.unseen
        seed, task = self.config.seed, zoo.classes_per_task
        self.groups = group_classes(seed, self.classes, zoo.backbone.classes, unseen.classes, task)
        self.plan = first_training(self._members(self.groups["tasks"], zoo.members), zoo.training)
        if unseen.members is not None:
            self.plan += plan_unseen(seed, self.groups["unseen"], unseen.members, task, *self._distributions())

    def _members(self, classes: list[str], count: int) -> list[dict[str, Any]]:
        zoo, task = self.config.zoo, self.config.zoo.classes_per_task
        return plan_members(self.config.seed, classes, count, task, zoo.parts.model_dump(), *self._distributions())

    def _distributions(self) -> tuple[dict[str, Distribution], dict[str, Distribution]]:
        zoo = self.config.zoo
        return {key: getattr(zoo, key) for key in DRAWN}, {"adam": zoo.learning_rate.adam, "sgd": zoo.learning_rate.sgd}

    @property
    def paths(self) -> Paths:
        """Paths of the run's files."""
        return Paths.of_run(self.config.run)

    def check_data(self, fetched_now: Container[str] = ()) -> None:
        """Refuse missing folders of images, and weights with another checksum, except for weights fetched now."""
        faults = Faults()
        with faults.noted():
            self.config.images.source.check(self.classes)
        with faults.noted():
            self.pretrained.check(fetched_now)
        faults.refuse()

    @property
    def network(self) -> Network:
        """The members' network."""
        zoo = self.config.zoo
        return Network(architecture=zoo.member_architecture, classes=zoo.classes_per_task, size=self.config.images.size)

    @cached_property
    def layout(self) -> Layout:
        """Where each named parameter lies in a snapshot."""
        return self.network.layout

    @property
    def parts(self) -> list[str]:
        """The parts that have members, in the order of ``PARTS``."""
        return sorted({row["part"] for row in self.plan}, key=PARTS.index)

    def task(self, member: str) -> list[str]:
        """Return the classes of a member's task, in order."""
        return self._rows[int(member)]["classes"]

    def cohort_classes(self, members: Sequence[str]) -> list[str]:
        """Return the classes of several members' tasks, sorted."""
        return sorted({name for member in members for name in self.task(member)})

    def members(self, part: str) -> list[str]:
        """Return the names of a part's members, for example ``00017``."""
        return [f"{row['member']:05d}" for row in self.plan if row["part"] == part]

    @property
    def known_classes(self) -> list[str]:
        """The classes that members or the backbone are trained on."""
        return self.groups["tasks"] + self.groups["backbone"]

    def held_out(self) -> list[dict[str, Any]]:
        """Return ``member`` and ``task`` of each test member."""
        rows = [row for row in self.plan if row["part"] == "test"]
        return [{"member": row["member"], "task": join_task(row["classes"])} for row in rows]

    def training(self, member: str) -> dict[str, Any]:
        """Return what a member's training depends on: its row of the plan, without its part."""
        return {key: value for key, value in self._rows[int(member)].items() if key != "part"}

    def beside(self) -> list[str]:
        """Return the existing accuracy tables of the runs named in the key ``beside``."""
        tables = [Paths.of_run(name).table("accuracy") for name in self.config.beside]
        return [path for path in tables if Path(path).is_file()]

    def start(self) -> tuple[str, dict[str, Any]] | None:
        """Return the function that creates the members' common start, and its settings; None: no common start."""
        zoo, backbone = self.config.zoo, self.config.zoo.backbone
        if zoo.init == "independent":
            return None
        if zoo.init == "shared":
            return "wsl.zoo.start.random_start", {"network": self.network, "seed": self.seed("start")}
        if backbone.checkpoint is not None:
            return "wsl.zoo.start.import_backbone", {"network": self.network.whole, "checkpoint": backbone.checkpoint}
        settings = {"network": self.network.whole, "settings": backbone.training(), "seed": self.seed("start")}
        return "wsl.zoo.backbone.train_backbone", settings

    @property
    def class_groups(self) -> list[list[str]]:
        """The classes, grouped by the job that packs or embeds them."""
        count = self.config.images.classes_per_job
        return [self.classes[start : start + count] for start in range(0, len(self.classes), count)]

    def prompts(self, name: str) -> list[str]:
        """Return the prompts with a class's name in words."""
        return [prompt.replace("{}", self._words.get(name, name)) for prompt in self.config.datasets.prompts]

    def seed(self, purpose: str, *draw: int) -> int:
        """Return the integer seed of a job, by its purpose and, if it is repeated, the number of the draw."""
        return integer_seed(self.config.seed, purpose, *draw)


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
