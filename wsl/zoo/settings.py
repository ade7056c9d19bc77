"""Settings of the zoo: its members and their training."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsl.images.reading import USUAL, Normalisation
from wsl.settings.distributions import Choice, Distribution, Integers, Normal
from wsl.settings.sections import (
    BatchSizes,
    Counts,
    Decays,
    PositiveInt,
    Rates,
    Section,
    Whole,
    one_of,
)
from wsl.zoo.adapters import Adapter
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture
from wsl.zoo.layout import Layout
from wsl.zoo.mixture import labelled
from wsl.zoo.start_settings import Backbone, ClassChoice

RESNET18 = "resnet18"  # the default architecture
LORA = "lora"
MOMENTUM = 0.9  # of SGD
BESIDE = ("training", "leave_out")  # fields of ``Zoo`` that can be given beside ``from``
DEFAULT = "default"  # initial weights as the architecture defines them
# Others, by the names of functions of torch.nn.init with a hyphen, see wsl.zoo.initialisation.
INITIALISATIONS = ("uniform", "normal", "kaiming-uniform", "kaiming-normal")


class LearningRates(Section):
    """Learning rate for each optimiser."""

    adam: Rates = Field(Choice(choice=[1e-3]), description="distribution of Adam's learning rate")
    sgd: Rates = Field(Choice(choice=[1e-2]), description="distribution of SGD's learning rate")


class MemberParts(Section):
    """Shares of the members; the thesis has 850, 100 and 50."""

    train: PositiveInt = Field(6, description="share that PCA and encoders are fitted to")
    validation: PositiveInt = Field(1, description="share for early stopping and model selection")
    test: PositiveInt = Field(1, description="share for the final evaluation")


class Network(Section):
    """The members' network."""

    architecture: one_of(ARCHITECTURES, RESNET18)
    classes: PositiveInt  # of a task
    size: PositiveInt  # side of images in pixels
    normalisation: Normalisation = USUAL

    @property
    def layout(self) -> Layout:
        return self.architecture.layout(self.classes, self.size)._replace(normalisation=self.normalisation)

    @property
    def whole(self) -> Self:
        """The complete network, of which members may train a part."""
        return self.model_copy(update={"architecture": self.architecture.whole})


class MemberTraining(Section):
    """The training that all members share."""

    architecture: one_of(ARCHITECTURES, RESNET18) = Field(
        default_factory=lambda: ARCHITECTURES[RESNET18](), description="the members' architecture and its settings"
    )
    snapshots: list[Literal["early", "max"] | Annotated[Whole, Field(ge=0)]] | Literal["geometric"] = Field(
        ["early", "max"],
        description="weights that are stored: `early`, `max` and numbers of epochs (0: the start); `geometric`: 0, 1, "
        "2, 4, 8 and so on, and `max`",
    )
    storage: Literal["float32", "float16"] = Field(
        "float32", description="number format of stored snapshots; `float16` rounds them and halves the zoo on disk"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="number format of forward and backward passes on a GPU; `bfloat16` (autocast) needs Ampere or "
        "later. Weights, updates, statistics, evaluation, and everything on a CPU stay float32",
    )
    schedule: Literal["constant", "cosine"] = Field("constant", description="learning rate over a member's epochs")
    augment: bool = Field(False, description="random flips and shifts by up to an eighth of the side during training")


class Unseen(Section):
    """Tasks of classes that no other member is trained on, to measure generalisation."""

    classes: ClassChoice | None = Field(None, description="their classes: names, a number to draw, or a file of names")
    members: PositiveInt | None = Field(None, description="members trained on such tasks, only for evaluation")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.classes is None) != (self.members is None):
            raise ValueError("unseen tasks need both `classes` and `members`; give both or neither")
        return self


class Zoo(MemberTraining):
    """The members and how each is trained (thesis section 3.1, Table 3.1)."""

    imported: Path | None = Field(
        None,
        alias="import",
        description="folder that `wsl import` wrote, absolute or relative to the project: its members are used in "
        "place of training. Of the other keys of `zoo`, only `training` can be given too",
    )
    borrowed: Path | None = Field(
        None,
        alias="from",
        description="folder of another run, `results/<run>`, absolute or relative to the project: its members, start, "
        "classes and packed images are used and not changed. Of the other keys of `zoo` and `images`, only "
        "`zoo.training`, `zoo.leave_out`, `zoo.snapshots` (of those that it has) and `images.classes_per_job` can be "
        "given too",
    )
    architecture: one_of(ARCHITECTURES, RESNET18, several=True) = Field(
        default_factory=lambda: ARCHITECTURES[RESNET18](),
        description="the members' architecture and its settings; a list makes a mixed zoo, in which each has an equal "
        "share of every part, for the weight encoders `sane` and `contrastive`",
    )
    members: Annotated[Whole, Field(ge=3)] = Field(48, description="number of training runs")
    training: PositiveInt | None = Field(
        None,
        description="use only this many training members, the first ones; empty: all. Held-out members stay the same, "
        "so runs of several values show the benefit of more members",
    )
    leave_out: list[str] = Field(
        [],
        description="with `from`: classes, or labels of image sources for all of their classes, that become unseen, as "
        "if the zoo had been trained without them. Training and validation members whose tasks have one of them are "
        "not used, and test members whose tasks have no other class are the members on unseen classes",
    )
    batches: Literal["own", "cohort"] = Field(
        "own",
        description="order and augmentation of training images; `cohort`: members of one cohort with the same task and "
        "batch size see the same batches, which trains small networks faster on a CPU; needs a `cohort` of several",
    )
    cohort: PositiveInt = Field(
        1,
        description="members per job and file: cohort k has the members k * cohort to (k + 1) * cohort - 1. They train "
        "together where that is faster, with equal results up to rounding: on a GPU all at once, on a CPU as many "
        "small networks as fit into its cache. If `members` is not a multiple, a zoo that grows trains its last "
        "cohort again",
    )
    parts: MemberParts = MemberParts()
    init: Literal["independent", "shared", "finetuned"] = Field(
        "independent",
        description="initial weights; `independent`: random for each member (the thesis); `shared`: the same random "
        "weights for all; `finetuned`: one trained backbone with a head of zeros for all",
    )
    backbone: Backbone = Backbone()
    adapter: Adapter = Adapter()
    unseen: Unseen = Unseen()
    classes_per_task: Annotated[Whole, Field(ge=2)] = Field(3, description="classes per task")
    tasks: Literal["within", "across", "whole"] = Field(
        "within",
        description="`within`: a task has some classes of one image source, each source equally often; `across`: of "
        "any sources; `whole`: all classes of one source, in their order, so that members of a source share a task. "
        "Then the parts of the zoo are divided by member, and intervals are over members",
    )
    design: Literal["random", "grid"] = Field(
        "random",
        description="hyper-parameters of members; `random`: drawn for each; `grid`: the full product of all `choice` "
        "distributions below, where member i has combination i modulo their number, and others are drawn",
    )
    initialisation: Distribution = Field(
        Choice(choice=["default"]),
        description="distribution of members' random initial weights: `default`, as the architecture defines them, or "
        "by the function of `torch.nn.init` for weights of layers, `uniform` (0 to 1), `normal` (deviation 1), "
        "`kaiming-uniform` and `kaiming-normal`, with biases of 0.01, as in the published model zoos",
    )
    optimizer: Distribution = Field(Choice(choice=["adam", "sgd"]), description="distribution over `adam`, `sgd`")
    learning_rate: LearningRates = LearningRates()
    weight_decay: Decays = Field(Choice(choice=[0.0]), description="distribution of the weight decay (L2)")
    batch_size: BatchSizes = Field(Choice(choice=[32]), description="distribution of the batch size, images")
    early_epoch: Counts = Field(Integers(integers=(1, 2)), description="distribution of the early snapshot's epoch")
    max_epoch: Counts = Field(
        Normal(normal=(10, 1.5), clip=(5, 15)), description="distribution of the last epoch, the max snapshot"
    )

    @property
    def regime(self) -> str:
        """How members start, in tables; ``imported`` where others trained them."""
        return self.init if self.imported is None else "imported"

    @property
    def architectures(self) -> dict[str, Architecture]:
        """The architectures by label: one, those of a mixed zoo, or none for imported networks of an unknown one.

        With adapters, it has their settings.
        """
        several = self.architecture if isinstance(self.architecture, list) else [self.architecture]
        lora = self.adapter.lora
        if lora.rank is not None:
            several = [ARCHITECTURES[LORA](base=one, **lora.model_dump()) for one in several]
        return labelled([architecture for architecture in several if architecture is not None])

    def member_training(self, architecture: Architecture | None = None) -> MemberTraining:
        """Return the settings of a member's training besides its plan; ``architecture``: its own in a mixed zoo."""
        values = {key: getattr(self, key) for key in MemberTraining.model_fields}
        if architecture is None:
            (architecture,) = self.architectures.values()
        return MemberTraining(**values | {"architecture": architecture})

    @model_validator(mode="after")
    def _members_are_trained_already(self) -> Self:
        given = [key for key in ("imported", "borrowed") if getattr(self, key) is not None]
        if self.leave_out and self.borrowed is None:
            raise ValueError("leave_out: it needs the zoo of another run, `from`; for a zoo of its own, use unseen")
        allowed = {*given[:1], *BESIDE} | ({"snapshots"} if self.borrowed is not None else set())
        described = [key for key in Zoo.model_fields if key in self.model_fields_set - allowed]
        if given and described:
            names = [Zoo.model_fields[key].alias or key for key in (given[0], *described)]
            raise ValueError(
                f"{names[0]}: its members are trained already, so {' and '.join(names[1:])} would have no effect; "
                f"remove {'it' if len(described) == 1 else 'them'}"
            )
        return self

    @model_validator(mode="after")
    def _values_make_sense(self) -> Self:
        if not isinstance(self.optimizer, Choice) or not set(self.optimizer.choice) <= {"adam", "sgd"}:
            raise ValueError("optimizer: only adam and sgd are known; write {choice: [adam, sgd]} or one of them")
        starts = self.initialisation
        if not isinstance(starts, Choice) or not set(starts.choice) <= {DEFAULT, *INITIALISATIONS}:
            known = ", ".join([DEFAULT, *INITIALISATIONS])
            raise ValueError(f"initialisation: known are {known}; write one of them, or {{choice: [...]}} of several")
        if starts.choice != [DEFAULT] and self.init != "independent":
            raise ValueError(f"initialisation: init: {self.init} gives all members one start; leave one of them out")
        early, last = self.early_epoch.bounds()[1], self.max_epoch.bounds()[0]
        if "early" in self.snapshots and early >= last:
            fault = f"early_epoch can reach {early:g}, but max_epoch can be as low as {last:g}"
            raise ValueError(f"{fault}; the early snapshot must come first")
        return self

    @model_validator(mode="after")
    def _adapters_have_a_backbone(self) -> Self:
        if (
            any(architecture.name == LORA for architecture in self.architectures.values())
            and self.adapter.lora.rank is None
        ):
            raise ValueError("architecture: give that of the frozen network, and set adapter: {lora: {...}}")
        if self.adapter.lora.rank is not None and self.init != "finetuned":
            raise ValueError(f"adapter: init: {self.init} has no trained backbone to freeze; set init: finetuned")
        return self

    @model_validator(mode="after")
    def _batches_can_be_shared(self) -> Self:
        if self.batches == "cohort" and self.cohort == 1:
            raise ValueError("batches: `cohort` has no effect with one member per cohort; raise cohort")
        return self

    @model_validator(mode="after")
    def _snapshots_exist(self) -> Self:
        if self.snapshots == "geometric":
            return self
        if "max" not in self.snapshots:
            raise ValueError("snapshots: add `max`, the trained model")
        if len(set(self.snapshots)) < len(self.snapshots):
            raise ValueError("snapshots: an entry is listed twice; list each once")
        if self.borrowed is not None:  # `max_epoch` is that of the other run
            return self
        last = self.max_epoch.bounds()[0]
        late = [epoch for epoch in self.snapshots if isinstance(epoch, int) and epoch >= last]
        if late:
            raise ValueError(f"snapshots: epoch {late[0]} must be before all last epochs; max_epoch can be {last:g}")
        return self

    @model_validator(mode="after")
    def _start_is_known(self) -> Self:
        sources = [key for key in ("classes", "checkpoint") if getattr(self.backbone, key) is not None]
        if self.init == "finetuned" and len(sources) != 1:
            raise ValueError("init: finetuned needs either backbone.classes or backbone.checkpoint, not both")
        if self.init != "finetuned" and "checkpoint" in sources:
            raise ValueError(f"init: {self.init} does not use a checkpoint; remove backbone.checkpoint")
        return self
