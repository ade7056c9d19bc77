"""The members and how each is trained."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsl.distributions import Choice, Distribution, Integers, Normal
from wsl.sections import (
    BatchSizes,
    Counts,
    Decays,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Rates,
    Section,
    Sha256,
    Whole,
)


class LearningRates(Section):
    """Learning rate for each optimiser."""

    adam: Rates = Field(Choice(choice=[1e-3]), description="distribution of Adam's learning rate")
    sgd: Rates = Field(Choice(choice=[1e-2]), description="distribution of SGD's learning rate")


class MemberParts(Section):
    """Shares of the members: 850, 100 and 50 of 1,000 in the thesis."""

    train: PositiveInt = Field(6, description="share that fits PCA and encoders")
    validation: PositiveInt = Field(1, description="share that early stopping and choices look at")
    test: PositiveInt = Field(1, description="share that final evaluations look at")


# A list of names, a number to draw, or a text file of names.
ClassChoice = Annotated[list[str] | PositiveInt | Path, Field(union_mode="left_to_right")]


class Backbone(Section):
    """What `finetuned` members start from: a network trained first, or a checkpoint."""

    classes: ClassChoice | None = Field(
        None,
        description="classes to train it on, which no task then uses: names, a number to draw by the seed, or a text "
        "file of names",
    )
    checkpoint: str | None = Field(
        None,
        description="in place of training: `torchvision:ResNet18_Weights.IMAGENET1K_V1` or `timm:<a resnet18>`, which "
        "are fetched once, or a file of a state dict (torch's or safetensors)",
    )
    sha256: Sha256 | None = Field(
        None, description="checksum of the checkpoint's file, 64 hexadecimal digits; another file is refused"
    )
    epochs: PositiveInt = Field(60, description="epochs of its training (SGD, one-cycle learning rate)")
    learning_rate: PositiveFloat = Field(0.1, description="peak learning rate")
    weight_decay: NonNegativeFloat = Field(1e-3, description="weight decay (L2)")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(64, description="images a batch")
    augment: bool = Field(True, description="random flips and shifts while training")
    teacher: NonNegativeFloat = Field(
        0.0,
        description="weight of a loss that draws its features towards the CLIP features of the same images; 0: none",
    )

    @model_validator(mode="after")
    def _checkpoint_is_that_of_its_keys(self) -> Self:
        if self.teacher and self.checkpoint is not None:
            raise ValueError("teacher: a checkpoint is not trained; remove one of both")
        if self.sha256 and self.checkpoint is None:
            raise ValueError("sha256: it is of a checkpoint, and none is named; remove it")
        return self


class Unseen(Section):
    """Tasks of classes that no other member sees: what sampling must generalise to."""

    classes: ClassChoice | None = Field(
        None, description="classes kept for them: names, a number to draw by the seed, or a text file of names"
    )
    members: PositiveInt | None = Field(
        None, description="members trained on such tasks; they judge samplers and fit nothing"
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.classes is None) != (self.members is None):
            raise ValueError("unseen tasks need both `classes` and `members`; give both or neither")
        return self


class Zoo(Section):
    """The members and how each is trained (thesis section 3.1, Table 3.1)."""

    members: Annotated[Whole, Field(ge=3)] = Field(48, description="number of training runs")
    training: PositiveInt | None = Field(
        None,
        description="training members that are used, the first of them; empty: all. No others are trained, and "
        "held-out ones stay the same, so that runs show what more members are worth",
    )
    cohort: Literal[1, 10, 100] = Field(
        1,
        description="members a job: on a GPU they train together in one process, the same up to rounding; on a CPU one "
        "after the other, and only the start of an interpreter is saved. `members` is then a multiple of it",
    )
    parts: MemberParts = MemberParts()
    init: Literal["independent", "shared", "finetuned"] = Field(
        "independent",
        description="how members start; `independent`: each from random weights of its own (the thesis); `shared`: all "
        "from the same random weights; `finetuned`: all from one trained backbone with a head of zeros",
    )
    backbone: Backbone = Backbone()
    unseen: Unseen = Unseen()
    width: PositiveInt = Field(8, description="channels of ResNet-18's first stage; 64 is torchvision's ResNet-18")
    classes_per_task: Annotated[Whole, Field(ge=2)] = Field(3, description="classes of a task")
    optimizer: Distribution = Field(Choice(choice=["adam", "sgd"]), description="distribution over `adam`, `sgd`")
    learning_rate: LearningRates = LearningRates()
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="momentum of SGD")
    weight_decay: Decays = Field(Choice(choice=[0.0]), description="distribution of the weight decay (L2)")
    batch_size: BatchSizes = Field(Choice(choice=[32]), description="distribution of the batch size, images")
    early_epoch: Counts = Field(Integers(integers=(1, 2)), description="distribution of the early snapshot's epoch")
    max_epoch: Counts = Field(
        Normal(normal=(10, 1.5), clip=(5, 15)), description="distribution of the last epoch, the max snapshot"
    )
    snapshots: list[Literal["early", "max"] | Annotated[Whole, Field(ge=0)]] | Literal["geometric"] = Field(
        ["early", "max"],
        description="weights kept: `early`, `max` and numbers of epochs, 0 being the start; `geometric`: 0, 1, 2, 4, 8 "
        "and so on, and `max`",
    )
    storage: Literal["float32", "float16"] = Field(
        "float32", description="what snapshots are stored in; `float16` rounds them and halves the zoo on disk"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="what convolutions compute in while members train on a GPU; `bfloat16` (autocast) is for those "
        "since Ampere. Weights, their updates, statistics, evaluation, and all on a CPU stay float32",
    )
    schedule: Literal["constant", "cosine"] = Field("constant", description="learning rate over a member's epochs")
    augment: bool = Field(False, description="random flips and shifts by up to an eighth of the side while training")

    @model_validator(mode="after")
    def _values_make_sense(self) -> Self:
        if not isinstance(self.optimizer, Choice) or not set(self.optimizer.choice) <= {"adam", "sgd"}:
            raise ValueError("optimizer: only adam and sgd are known; write {choice: [adam, sgd]} or one of them")
        if "early" in self.snapshots and self.early_epoch.bounds()[1] >= self.max_epoch.bounds()[0]:
            raise ValueError(
                f"early_epoch can reach {self.early_epoch.bounds()[1]:g}, but max_epoch can be as low as "
                f"{self.max_epoch.bounds()[0]:g}; the early snapshot must come first"
            )
        return self

    @model_validator(mode="after")
    def _cohorts_are_whole(self) -> Self:
        for name, count in (("members", self.members), ("unseen.members", self.unseen.members or 0)):
            if count % self.cohort:
                raise ValueError(f"cohort: {name} is {count}, no multiple of {self.cohort}; change one of both")
        if self.cohort > 1 and self.training is not None:
            raise ValueError("cohort: some members of a cohort are none of the first `training`; set it to 1")
        return self

    @model_validator(mode="after")
    def _snapshots_exist(self) -> Self:
        if self.snapshots == "geometric":
            return self
        if "max" not in self.snapshots:
            raise ValueError("snapshots: `max` must be among them: it is the trained model")
        if len(set(self.snapshots)) < len(self.snapshots):
            raise ValueError("snapshots: one is named twice")
        last = self.max_epoch.bounds()[0]
        late = [epoch for epoch in self.snapshots if isinstance(epoch, int) and epoch >= last]
        if late:
            raise ValueError(
                f"snapshots: epoch {late[0]} is not before every member's last, since max_epoch can be {last:g}"
            )
        return self

    @model_validator(mode="after")
    def _start_is_known(self) -> Self:
        given = [key for key in ("classes", "checkpoint") if getattr(self.backbone, key) is not None]
        if self.init == "finetuned" and len(given) != 1:
            raise ValueError("init: finetuned needs either backbone.classes or backbone.checkpoint, not both")
        if self.init != "finetuned" and "checkpoint" in given:
            raise ValueError(f"init: {self.init} starts from no checkpoint; remove backbone.checkpoint")
        return self
