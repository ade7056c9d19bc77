"""The schema of the config: one model a section, every key with its meaning and default."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from wsl.distributions import Choice, Distribution, Integers, Normal, check_numbers
from wsl.errors import ConfigError
from wsl.faults import describe_fault


def _not_a_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a whole number is due")
    return value


# Numbers may come as text: snakemake's own --config leaves those inside of {...} so.
Whole = Annotated[int, BeforeValidator(_not_a_truth_value)]
Share = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[Whole, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Counts = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=1, whole=True))]
BatchSizes = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=2, whole=True))]
Rates = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=0, whole=False, low_allowed=False))]
Decays = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=0, whole=False))]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Images(Section):
    """Where images come from and how they are split."""

    source: Literal["digits", "imagefolder"] = Field(
        "digits", description="`digits`: scikit-learn's handwritten digits; `imagefolder`: folders of one class each"
    )
    train: Path | None = Field(None, description="folder of class folders to train on (imagefolder)")
    test: Path | None = Field(None, description="folder of class folders to test on, ImageNet's `val` (imagefolder)")
    size: Annotated[Whole, Field(ge=8)] = Field(32, description="side of the packed square images, pixels")
    classes: list[str] | PositiveInt | Literal["imagenet-1k"] | None = Field(
        None,
        description="class names to use; a number takes the first so many; `imagenet-1k` the 1,000 of ImageNet; "
        "empty: all",
    )
    validation_share: Share = Field(0.2, description="share of a class's images set aside for R and every choice")
    test_share: Share = Field(0.2, description="share set aside for final evaluations (digits; folders have `test`)")
    minimum: PositiveInt = Field(10, description="fewest readable images a class may have, train folder")

    @model_validator(mode="after")
    def _folders_fit_source(self) -> Self:
        folders = [name for name in ("train", "test") if getattr(self, name) is not None]
        if self.source == "digits" and folders:
            raise ValueError(f"`{folders[0]}` is for source: imagefolder; remove it or change the source")
        if self.source == "imagefolder" and len(folders) < 2:
            raise ValueError("source: imagefolder needs both `train` and `test` folders")
        if self.source == "digits" and self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave no image to train on; make them smaller")
        if self.source == "digits" and self.classes == "imagenet-1k":
            raise ValueError("`classes: imagenet-1k` is for source: imagefolder")
        if isinstance(self.classes, list) and len(set(self.classes)) < len(self.classes):
            raise ValueError("`classes` names a class twice")
        return self


class LearningRates(Section):
    """Learning rate for each optimiser."""

    adam: Rates = Field(Choice(choice=[1e-3]), description="distribution of Adam's learning rate")
    sgd: Rates = Field(Choice(choice=[1e-2]), description="distribution of SGD's learning rate")


class MemberParts(Section):
    """Shares of the members: 850, 100 and 50 of 1,000 in the thesis."""

    train: PositiveInt = Field(6, description="share that fits PCA and encoders")
    validation: PositiveInt = Field(1, description="share that early stopping and choices look at")
    test: PositiveInt = Field(1, description="share that final evaluations look at")


class Zoo(Section):
    """The members and how each is trained (thesis section 3.1, Table 3.1)."""

    members: Annotated[Whole, Field(ge=3)] = Field(48, description="number of training runs")
    parts: MemberParts = MemberParts()
    init: Literal["independent"] = Field(
        "independent", description="how members start; `independent`: each from random weights of its own (the thesis)"
    )
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
    schedule: Literal["constant", "cosine"] = Field("constant", description="learning rate over a member's epochs")
    augment: bool = Field(False, description="random flips and shifts by up to an eighth of the side while training")

    @model_validator(mode="after")
    def _values_make_sense(self) -> Self:
        if not isinstance(self.optimizer, Choice) or not set(self.optimizer.choice) <= {"adam", "sgd"}:
            raise ValueError("optimizer: only adam and sgd are known; write {choice: [adam, sgd]} or one of them")
        if self.early_epoch.bounds()[1] >= self.max_epoch.bounds()[0]:
            raise ValueError(
                f"early_epoch can reach {self.early_epoch.bounds()[1]:g}, but max_epoch can be as low as "
                f"{self.max_epoch.bounds()[0]:g}; the early snapshot must come first"
            )
        return self


class Fitting(Section):
    """How an encoder is trained (AdamW)."""

    hidden: list[PositiveInt] = Field([], description="sizes of the hidden layers; none is the thesis' autoencoder")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout after each hidden layer")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate")
    weight_decay: NonNegativeFloat = Field(0.0, description="decoupled weight decay")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(32, description="snapshots a batch")
    epochs: PositiveInt = Field(200, description="most epochs")
    patience: PositiveInt | None = Field(
        None, description="stop after so many epochs without a lower validation loss; empty: never"
    )
    schedule: Literal["constant", "cosine"] = Field("constant", description="learning rate over the epochs")
    keep: Literal["best", "last"] = Field(
        "best", description="which state is used: the one of lowest validation loss, or the last"
    )


class Autoencoder(Fitting):
    """The second stage of compression (eq. 3.1)."""

    latent: PositiveInt = Field(64, description="numbers in the weight latent z_W")
    checkpoints: Annotated[Whole, Field(ge=2)] = Field(
        12, description="states kept over the training, spread geometrically, for figure 4.1b"
    )


class Weights(Section):
    """Compression of weights (section 3.2.1, Algorithm 3.1)."""

    variance_threshold: NonNegativeFloat = Field(
        1e-10, description="VARIANCE_THRESHOLD: below this mean variance only a parameter's mean is kept"
    )
    dimension_limit: PositiveInt = Field(4, description="DIMENSION_LIMIT: up to so many numbers are only centred")
    components: PositiveInt = Field(32, description="most principal components a named parameter")
    explained_variance: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="keep no more components than explain this share of the variance"
    )
    solver: Literal["gram", "incremental", "full", "randomized"] = Field(
        "gram", description="`gram` is exact and streams; `incremental` is the thesis'; both others are scikit-learn's"
    )
    normalise: Literal["per-coefficient", "global"] = Field(
        "per-coefficient", description="training mean and deviation of each coefficient, or one deviation for all"
    )
    autoencoder: Autoencoder = Autoencoder()


class Datasets(Section):
    """The dataset encoder (section 3.2.2)."""

    model: str = Field("wsl-small-rn", description="an open_clip model by name, or the path of its JSON config")
    weights: str | None = Field(
        None, description="a pretrained tag of that model or a file; empty: random features, seeded (studies only)"
    )
    batch_size: PositiveInt = Field(256, description="images a forward pass")


class Outcomes(Section):
    """The results encoder (section 3.2.3)."""

    bins: PositiveInt = Field(10, description="number of outcome bins")
    spacing: Literal["equal-width", "quantiles"] = Field("equal-width", description="how the bins' edges are set")


class Shared(Fitting):
    """The shared encoder (section 3.3)."""

    hidden: list[PositiveInt] = Field([512], description="sizes of the hidden layers")
    outcome_embedding: PositiveInt = Field(512, description="numbers in an outcome bin's learned embedding")
    temperature: PositiveFloat = Field(0.5, description="tau of NT-Xent (eq. 2.7)")
    symmetric: bool = Field(True, description="average over both anchors of a pair, or over projections alone")
    standardise: bool = Field(True, description="standardise dataset embeddings by their training statistics")


class Sampling(Section):
    """Conditional sampling (figure 3.2)."""

    outcome: Literal["best"] | NonNegativeFloat = Field(
        "best", description="requested validation loss; `best`: the lowest bin that a training snapshot reached"
    )
    norm: Literal["training", "raw"] = Field(
        "training",
        description="NT-Xent fixes only z_proj's direction: `training` scales it to the mean norm of training latents, "
        "`raw` decodes it as it is",
    )


class Evaluation(Section):
    """Evaluation (chapter 4)."""

    synthetic_images: PositiveInt = Field(256, description="Gaussian noise images for figure 4.1b")
    training_images: PositiveInt = Field(300, description="most training images a class for Table 4.1")
    heatmap_members: PositiveInt = Field(5, description="members in the heat map of figure 4.3")


class Config(Section):
    """A run."""

    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        description="name of the run; everything lands in results/<run>"
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(0, description="everything random comes from it")
    images: Images = Images()
    zoo: Zoo = Zoo()
    weights: Weights = Weights()
    datasets: Datasets = Datasets()
    outcomes: Outcomes = Outcomes()
    shared: Shared = Shared()
    sampling: Sampling = Sampling()
    evaluation: Evaluation = Evaluation()


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
