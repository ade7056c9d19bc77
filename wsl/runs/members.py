"""The members of a run: which there are, what each depends on, and where they are."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from wsl.config.schema import Config
from wsl.images.reading import join_task
from wsl.paths import Paths, cohort_name
from wsl.randomness import integer_seed
from wsl.runs.borrowed import BorrowedZoo
from wsl.zoo.few_sets import unit_of
from wsl.zoo.imported import ImportedZoo
from wsl.zoo.settings import MemberTraining, Network
from wsl.zoo.snapshots import snapshot_names

PARTS = ("train", "validation", "test", "unseen")


class Members:
    """What follows from the plan of a run.

    Attributes:
        config: of the run.
        plan: one row per member.
        imported: the zoo of others, if the members are imported.
        borrowed: the zoo of another run, if its members are used.
    """

    config: Config
    plan: list[dict[str, Any]]
    imported: ImportedZoo | None
    borrowed: BorrowedZoo | None

    @property
    def paths(self) -> Paths:
        """Paths of the run's files, among them those of the zoo that it uses."""
        return Paths.of_run(self.config.run, str(self.borrowed.owner) if self.borrowed else "")

    @cached_property
    def networks(self) -> dict[str, Network]:
        """The members' networks by the label of their architecture; none if it is not known."""
        zoo, images = self.config.zoo, self.config.images
        about = {"classes": zoo.classes_per_task, "size": images.size, "normalisation": images.normalisation}
        return {label: Network(architecture=one, **about) for label, one in zoo.architectures.items()}

    @property
    def mixed(self) -> bool:
        """Whether the zoo has several architectures; then there is no ``layout`` of all."""
        return len(self.networks) > 1

    def network_of(self, label: str | None) -> Network:
        """Return the network of an architecture; None: the only one."""
        (one,) = [label] if label else self.networks
        return self.networks[one]

    @cached_property
    def unit(self) -> str:
        """The unit of intervals, see ``wsl.zoo.few_sets.unit_of``."""
        return unit_of(self.plan)

    @property
    def one_task(self) -> bool:
        """Whether all members have the same task, so that datasets do not differ."""
        return len({tuple(row["classes"]) for row in self.plan}) == 1

    def snapshots(self, row: dict[str, Any]) -> list[str]:
        """Return the names of the snapshots of a member, by its row of the plan."""
        if self.imported is not None:
            return self.imported.snapshots[row["member"]]
        return list(snapshot_names(self.config.zoo.snapshots, row["early_epoch"], row["max_epoch"]).values())

    @property
    def fewer_snapshots(self) -> bool:
        """Whether only some snapshots of the members of another run are used."""
        if self.borrowed is None or self.imported is not None:
            return False
        return self.borrowed.about.zoo.get("snapshots", self.config.zoo.snapshots) != self.config.zoo.snapshots

    @cached_property
    def cohorts(self) -> dict[str, list[str]]:
        """The names of the members of each cohort, by its name."""
        cohorts: dict[str, list[str]] = {}
        for row in self.plan:
            name = cohort_name(row["member"], self.config.zoo.cohort)
            cohorts.setdefault(name, []).append(f"{row['member']:05d}")
        return cohorts

    def member_files(self, members: Iterable[str]) -> list[str]:
        """Return the files of members by their names, each once."""
        if self.imported is not None:
            files = (self.imported.files[int(member)] for member in members)
        else:
            files = (self.paths.cohort(cohort_name(int(member), self.config.zoo.cohort)) for member in members)
        return list(dict.fromkeys(files))

    @property
    def trained(self) -> list[dict[str, Any]]:
        """The rows of the plan of members that this run trains."""
        return self.plan if self.imported is None and self.borrowed is None else []

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

    def members(self, part: str, label: str | None = None) -> list[str]:
        """Return the names of a part's members, for example ``00017``; with a label, those of this architecture."""
        rows = (row for row in self.plan if row["part"] == part)
        return [f"{row['member']:05d}" for row in rows if label in (None, row.get("architecture", label))]

    def held_out(self) -> list[dict[str, Any]]:
        """Return ``member`` and ``task`` of each test member."""
        rows = [row for row in self.plan if row["part"] == "test"]
        return [{"member": row["member"], "task": join_task(row["classes"])} for row in rows]

    def training(self, member: str) -> dict[str, Any]:
        """Return what a member's training depends on: its row of the plan, without its part and architecture.

        Members of a cohort that see the same batches have a ``batch_seed``, that of the cohort.
        """
        row = {key: value for key, value in self._rows[int(member)].items() if key not in ("part", "architecture")}
        if self.config.zoo.batches == "cohort":
            row["batch_seed"] = self.seed("batches", int(member) // self.config.zoo.cohort)
        return row

    def label(self, member: str) -> str | None:
        """Return the label of a member's architecture in a mixed zoo."""
        return self._rows[int(member)].get("architecture")

    def member_training(self, member: str) -> MemberTraining:
        """Return the settings of a member's training besides its plan."""
        return self.config.zoo.member_training(self.network_of(self.label(member)).architecture)

    @cached_property
    def _rows(self) -> dict[int, dict[str, Any]]:
        return {row["member"]: row for row in self.plan}

    def seed(self, purpose: str, *draw: int) -> int:
        """Return the integer seed of a job, by its purpose and, if it is repeated, the number of the draw."""
        return integer_seed(self.config.seed, purpose, *draw)
