"""Samplers that draw codes near those of prompt members (Schürholt et al. 2022 and 2024)."""

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from wsl.errors import ConfigError
from wsl.sampling.methods.base import METHODS, CodeSampler, finite
from wsl.settings.sections import PositiveFloat, PositiveInt, Section


class KdeSettings(Section):
    """The sampler `kde`: a kernel density over the codes of prompt members."""

    fit: Literal["network", "token", "number"] = Field(
        "network",
        description="what is drawn together: `network`: the whole code of one prompt member with noise; `token`: the "
        "latent of each token, from a member of its own (SANE); `number`: each number of the code "
        "(hyper-representations)",
    )
    bandwidth: PositiveFloat = Field(
        0.2,
        description="standard deviation of the kernel; 0.2 in the code of SANE, 0.002 in that of "
        "hyper-representations, both in units of latents",
    )
    units: Literal["deviations", "codes"] = Field(
        "deviations",
        description="unit of the bandwidth: `deviations`: the standard deviation of each number of the code over the "
        "training members; `codes`: one for all numbers, as published",
    )
    space: Literal["latent", "coefficients"] = Field("latent", description="codes: weight latents, or PCA coefficients")
    prior: Literal["kde", "gaussian"] = Field(
        "kde", description="density: the kernel density, or a Gaussian with the mean and covariance of the codes"
    )


class SubsampledSettings(KdeSettings):
    """The sampler `kde-subsampled`: the best of several models of `kde` on validation images."""

    candidates: PositiveInt = Field(50, description="models that are drawn, of which the best is kept")


class BootstrappedSettings(SubsampledSettings):
    """The sampler `kde-bootstrapped`: a density that is fitted again and again to the best of its own models."""

    prior: Literal["kde", "gaussian"] = Field("gaussian", description="density of the first iteration; then `kde`")
    iterations: PositiveInt = Field(3, description="number of times that the density is fitted")
    keep: PositiveInt = Field(10, description="number of best candidates that the next density is fitted to")

    @model_validator(mode="after")
    def _keeps_fewer(self) -> Self:
        if self.keep >= self.candidates:
            raise ValueError(f"keep: {self.keep} of {self.candidates} candidates leaves nothing to select; lower it")
        return self


@METHODS.register("kde")
class Kde(CodeSampler):
    """The code of a prompt member with noise."""

    Settings = KdeSettings
    label, colour = "kernel density", "#882255"
    space = "latent"
    from_prompts = True

    def __init__(self, settings: Any, run: Any):
        super().__init__(settings, run)
        from wsl.sampling.prompt_members import PromptMembers
        from wsl.shared.pairs import read_codes

        self.space, self.members = settings.space, PromptMembers(run)
        self._about = dict(enumerate(zip(run.zoo.snapshots["member"], run.zoo.snapshots["task"], strict=True)))
        codes, snapshots = read_codes(run.files["codes"], self.space)
        fully = (snapshots["snapshot"] == "max").to_numpy()
        places = zip(snapshots["member"][fully], snapshots["task"][fully], strict=True)
        self._known = dict(zip(places, codes[fully], strict=True))
        size, trained = codes.shape[1], codes[fully & (snapshots["order"] == 0).to_numpy()]
        unit = trained.std(axis=0) if settings.units == "deviations" else np.ones(size)
        self.noise = settings.bandwidth * unit
        self.width = {"network": size, "number": 1}.get(settings.fit) or size // run.codec.encoder.tokens

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code), see ``CodeSampler.codes``; they are not selected."""
        pairs = zip(datasets, losses, strict=True)
        return np.concatenate([self.draw(self.prompts(*pair, seed), 1, seed) for pair in pairs])

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return the decoded weights (n_weights,), see ``Method.sample``."""
        dataset = self.run.class_means.embed([task], images)[0]
        code = self.code(self.prompts(dataset, loss, seed, names=images == 0), task, loss, images, seed)
        return finite(self.run.decode(code[None], self.space)[0], self.run.layout, task)

    def code(self, prompts: np.ndarray, task: str, loss: float, images: int | None, seed: int) -> np.ndarray:
        """Return the code (code,) of a model; ``prompts`` are the codes of prompt members (n, code)."""
        return self.draw(prompts, 1, seed)[0]

    def prompts(self, dataset: np.ndarray, loss: float, seed: int, names: bool = False) -> np.ndarray:
        """Return the codes of prompt members (n, code), see ``PromptMembers.choose``."""
        chosen = self.members.choose(dataset, loss, seed, self.run.choice.prompt_members, names)
        return np.stack([self._code(member) for member in chosen])

    def draw(self, prompts: np.ndarray, count: int, seed: int, prior: str = "") -> np.ndarray:
        """Return codes (count, code) from the density of the codes of prompt members (n, code)."""
        from wsl.randomness import integer_seed
        from wsl.sampling.density import draw

        return draw(prompts, count, self.width, prior or self.settings.prior, self.noise, integer_seed(seed, "kde"))

    def _code(self, member: Any) -> np.ndarray:
        """Return the code of a prompt member: from the file, or encoded if the file lacks its class order."""
        from wsl.sampling.prompt_members import read_members
        from wsl.weights.orders import reorder_task

        number, task = self._about[member.row]
        if (key := (number, reorder_task(task, member.order))) not in self._known:
            weights, codec = read_members(self.run, [member]), self.run.codec
            coded = codec.encode(weights) if self.space == "latent" else codec.linear.encode(lambda c: weights[:, c], 1)
            self._known[key] = coded[0]
        return self._known[key]

    @classmethod
    def check_config(cls, config: Any) -> None:
        settings, encoder = config.sampling.of(cls.name), config.weights.encoder
        used = cls.name in {config.sampling.sampler, *config.sampling.samplers}
        if used and settings.fit == "token" and (settings.space == "coefficients" or not encoder.per_token):
            one = "PCA coefficients have" if settings.space == "coefficients" else f"the encoder {encoder.name} has"
            raise ConfigError(
                f"sampling.{cls.name.replace('-', '_')}.fit: {one} no latents of tokens; set it to network, or use the "
                "encoder `sane` and the space latent"
            )

    @classmethod
    def files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return {**super().files(run, draw), "codes": run.paths.codes("train", cls.own_settings(run).space)}


@METHODS.register("kde-subsampled")
class Subsampled(Kde):
    """The best of several models on validation images."""

    Settings = SubsampledSettings
    label, colour = "kernel density, best of several", "#AA4499"
    selects = True
    remark = "The sampler draws several models and keeps the one with the lowest loss on validation images of the task."

    def __init__(self, settings: Any, run: Any):
        super().__init__(settings, run)
        from wsl.sampling.candidates import Candidates

        self.candidates = Candidates(run)
        self._last: tuple[Any, np.ndarray | None] = (None, None)  # evaluations ask for each model twice in a row

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return the decoded weights (n_weights,) of the best model, see ``Method.sample``."""
        if self._last[0] != (request := (task, loss, images, seed)):
            self._last = request, super().sample(*request)
        return self._last[1]

    def code(self, prompts: np.ndarray, task: str, loss: float, images: int | None, seed: int) -> np.ndarray:
        """Return the best code (code,)."""
        return self.ranked(self.draw(prompts, self.settings.candidates, seed), task, loss, images)[1][0]

    def ranked(self, codes: np.ndarray, task: str, loss: float, images: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Return validation losses (n,) in ascending order, and the codes (n, code) of their models."""
        losses = self.candidates.losses(self.run.decode(codes, self.space), task, loss, images)
        order = np.argsort(losses, kind="stable")
        return losses[order], codes[order]


@METHODS.register("kde-bootstrapped")
class Bootstrapped(Subsampled):
    """The best model of a density that is fitted several times to the best of its own models."""

    Settings = BootstrappedSettings
    label, colour = "kernel density, bootstrapped", "#999933"
    remark = (
        "The sampler fits its density again to those of its models that have the lowest losses on validation images of "
        "the task, and keeps the best model of all."
    )

    def code(self, prompts: np.ndarray, task: str, loss: float, images: int | None, seed: int) -> np.ndarray:
        """Return the best code (code,) of all iterations."""
        from wsl.randomness import integer_seed

        best, least = prompts[0], np.inf
        for iteration in range(self.settings.iterations):
            prior = self.settings.prior if iteration == 0 else "kde"
            drawn = self.draw(prompts, self.settings.candidates, integer_seed(seed, "bootstrap", iteration), prior)
            losses, codes = self.ranked(drawn, task, loss, images)
            if losses[0] < least:
                least, best = losses[0], codes[0]
            prompts = codes[: self.settings.keep]
        return best
