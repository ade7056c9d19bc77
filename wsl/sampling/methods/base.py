"""Methods: samplers, baselines that samplers should beat, and references trained on the task itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from wsl.errors import ConfigError, DataError
from wsl.settings.registry import Registry, module_file
from wsl.settings.sections import Section

Files = dict[str, Any]  # paths, or lists of paths, by name


class NoSettings(Section):
    """No settings."""


class Method(ABC):
    """A way to get a model for a task and a requested validation loss.

    The workflow calls the class methods that take ``run`` when it is planned, with the ``Run`` of ``wsl.runs.run``.

    Attributes:
        name: in the config; set by ``METHODS.register``.
        kind: ``sampler``; ``baseline``, which samplers should beat; ``reference``, which was trained on the task.
        recalibrate: whether to re-estimate batch-normalisation statistics, as decoded or averaged weights need. It has
            no default, so that no method forgets it.
        Settings: its section of the config, ``sampling.<name>``.
        label: name in figures and in the report; empty: ``name``.
        card_label: name in model cards, for readers who may not know the run; empty: ``label``.
        colour: hexadecimal; empty: derived from the name.
        marker: matplotlib's marker.
        line: matplotlib's line style.
        remark: a caution for the model card.
        uses_images: whether its models depend on how many images of the task it may use.
        same_data: for baselines: whether it uses the same data as samplers, the task's images and the zoo. The report
            compares samplers with the strongest of these baselines.
        uses_zoo: whether its models depend on the training members; ``growth`` only shows such methods.
        learned: whether fits from different seeds differ; it is then fitted ``sampling.draws`` times.
        fit: name of the job function that fits it, in the module of the class, or a dotted name; empty: none.
        history: whether ``fit`` has an output ``history``, one row per epoch.
        at_sampling: keys of ``Settings`` that ``fit`` does not use, so that changing them does not refit.
        from_prompts: whether its models start from prompt members, see ``wsl.sampling.prompt_members``. Baselines with
            it are compared in runs that have such a sampler.
        of_members: for baselines: whether its models are made of members' weights, so that their novelty is measured
            too.
        one_body: whether its models share one body, so that only the head depends on the task.
        selects: whether a model is the best of several by its loss on *validation* images of the task. The accuracy
            table marks such methods, and such a sampler is chosen only if there is no other.
        needs_encoder: name of the weight encoder whose codes it samples; empty: of any.
        own_images: for baselines: the files that ``wsl sample`` needs to compare it on a user's images; None: never.
        space: of its codes, ``latent`` (z_W) or ``coefficients`` (C_m); None: it has no codes.
    """

    name: ClassVar[str]
    kind: ClassVar[Literal["sampler", "baseline", "reference"]]
    recalibrate: ClassVar[bool]
    Settings: ClassVar[type[Section]] = NoSettings
    label: ClassVar[str] = ""
    card_label: ClassVar[str] = ""
    colour: ClassVar[str] = ""
    marker: ClassVar[str] = "o"
    line: ClassVar[str] = "-"
    remark: ClassVar[str] = ""
    uses_images: ClassVar[bool] = True
    same_data: ClassVar[bool] = True
    uses_zoo: ClassVar[bool] = True
    learned: ClassVar[bool] = False
    fit: ClassVar[str] = ""
    history: ClassVar[bool] = True
    at_sampling: ClassVar[tuple[str, ...]] = ()
    from_prompts: ClassVar[bool] = False
    of_members: ClassVar[bool] = False
    one_body: ClassVar[bool] = False
    selects: ClassVar[bool] = False
    needs_encoder: ClassVar[str] = ""
    own_images: ClassVar[tuple[str, ...] | None] = None
    space: ClassVar[Literal["latent", "coefficients"] | None] = None

    def __init__(self, settings: Any, run: Any):
        """Load what the method needs.

        Args:
            settings: an instance of ``Settings``.
            run: an ``OpenRun`` of ``wsl.sampling.loading``; its ``files`` are those of the class method ``files``.
        """
        self.settings, self.run = settings, run

    @abstractmethod
    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), or None without a model for this request.

        Args:
            task: see ``wsl.images.reading.join_task``.
            loss: requested validation loss, nats.
            images: number of training images per class that may be used, the first ones; None: all; 0: only the name.
            seed: random seed; deterministic methods ignore it.
        """

    @classmethod  # noqa: B027
    def check(cls, layout: Any) -> None:
        """Refuse networks, by their layout, that a sampler cannot serve, before any job.

        Raises:
            ConfigError: with the key and the remedy.
        """

    @classmethod
    def check_config(cls, config: Any) -> None:
        """Refuse settings that do not fit the rest of the config, before any job: by default, another encoder.

        Raises:
            ConfigError: with the key and the remedy.
        """
        encoder = config.weights.encoder.name
        if cls.needs_encoder not in ("", encoder):
            raise ConfigError(
                f"sampling.samplers: {cls.name} samples codes of the weight encoder {cls.needs_encoder}, but that of "
                f"this run is {encoder}; set weights.encoder, or choose other samplers"
            )

    @classmethod
    def applies(cls, run: Any) -> bool:
        """Return whether a run has the files of this baseline or reference."""
        return True

    @classmethod
    def builds_on(cls, run: Any) -> list[str]:
        """Return the names of methods whose models it changes; ``OpenRun.choice.others`` has their settings."""
        return []

    @classmethod
    def files(cls, run: Any, draw: int | str) -> Files:
        """Return the files of one draw, in addition to ``wsl.sampling.inputs.common_files``."""
        return {"fitted": run.paths.fitted(cls.name, draw)} if cls.fit else {}

    @classmethod
    def fit_files(cls, run: Any, draw: int | str) -> Files:
        """Return the input files of ``fit``."""
        return {}

    @classmethod
    def fit_values(cls, run: Any) -> dict[str, Any]:
        """Return the arguments of ``fit`` except files and the job."""
        return {"settings": cls.own_settings(run).model_dump(mode="json", exclude=set(cls.at_sampling))}

    @classmethod
    def fit_entries(cls, run: Any) -> list[type]:
        """Return registered classes that ``fit`` looks up by name, for example losses."""
        return []

    @classmethod
    def own_settings(cls, run: Any) -> Any:
        """Return the settings in the config of a run."""
        return run.config.sampling.of(cls.name)

    @classmethod
    def fit_function(cls) -> str:
        """Return the dotted name of the job function that fits the method."""
        return cls.fit if "." in cls.fit else f"{cls.__module__}.{cls.fit}"


class CodeSampler(Method):
    """A sampler of codes, which the run's weight encoder decodes. Subclasses implement ``codes``.

    Codes are PCA coefficients unless ``space`` is ``latent``. A job function ``fit(train, validation, class_means,
    bins, out, history, settings, job)`` can fit it to the codes of the training snapshots.
    """

    kind = "sampler"
    recalibrate = True  # decoded statistics do not fit decoded weights exactly
    space = "coefficients"

    @abstractmethod
    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code) of n models.

        Args:
            datasets: z_D (n, classes * dimension).
            losses: requested validation losses (n,), nats.
            seed: random seed; deterministic samplers ignore it.
        """

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return the decoded weights (n_weights,), see ``Method.sample``.

        Raises:
            DataError: some are not finite.
        """
        code = self.codes(self.run.class_means.embed([task], images), np.array([loss]), seed)
        return finite(self.run.decode(code, self.space)[0], self.run.layout, task)

    @classmethod
    def files(cls, run: Any, draw: int | str) -> Files:
        """Return the files of the weight encoder and of the fitted sampler."""
        return {**codec_files(run), **super().files(run, draw)}

    @classmethod
    def fit_files(cls, run: Any, draw: int | str) -> Files:
        """Return codes of the training and validation snapshots, the dataset embeddings and the outcome bins."""
        codes = {part: run.paths.codes(part, cls.space) for part in ("train", "validation")}
        return {**codes, "class_means": run.paths.class_means, "bins": run.paths.bins}


class Methods(Registry):
    """The registry of methods, which checks that an entry sets ``kind`` and ``recalibrate``."""

    def register(self, name: str) -> Callable[[type[Method]], type[Method]]:
        """Return a decorator that adds a class, see ``Registry.register``.

        Raises:
            ConfigError: another class has this name, or ``kind`` or ``recalibrate`` is missing.
        """
        add = super().register(name)

        def checked(entry: type[Method]) -> type[Method]:
            for attribute in ("kind", "recalibrate"):
                if not hasattr(entry, attribute):
                    message = f"{name} does not set `{attribute}`; see Method in {__file__}"
                    raise ConfigError(f"{module_file(entry)}: {message}")
            return add(entry)

        return checked

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the names of methods of some kinds, in the order of the kinds."""
        return [name for kind in kinds for name in self if self[name].kind == kind]


METHODS: Methods = Methods("sampler or baseline", "wsl.sampling.methods")


def sampler_name(name: str) -> str:
    """Return the name of a sampler unchanged, to validate settings that name one.

    Raises:
        ValueError: no sampler has this name.
    """
    if name not in (samplers := METHODS.of_kind("sampler")):
        raise ValueError(f"{name!r} is not a sampler; give the name of one: {', '.join(samplers)}")
    return name


def codec_files(run: Any) -> Files:
    """Return the files of a run's weight encoder: the PCA files of named parameters, and the encoder."""
    stage = "pca" if run.config.weights.budget is None else "gated"
    pca = [run.paths.pca(entry.name, stage) for entry in run.layout.entries]
    return {"pca": pca, "encoder": run.paths.weight_encoder}


def finite(weights: np.ndarray, layout: Any, task: str) -> np.ndarray:
    """Return flat weights (n_weights,) unchanged.

    Raises:
        DataError: some are not finite.
    """
    for name, values in layout.split(weights).items():
        if not np.isfinite(values).all():
            raise DataError(
                f"the model sampled for the task {task} is not finite in {name}; request another outcome, or fit the "
                "sampler again with a lower learning_rate"
            )
    return weights
