"""A finished run: its tables and figures, its spaces, and models sampled from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from wsl.api.data import Data
from wsl.api.model import REFINED, SAMPLED, Made, SampledModel
from wsl.api.options import checked, one_thread
from wsl.api.space import EncodedRun
from wsl.errors import ConfigError, DataError

if TYPE_CHECKING:
    from wsl.images.objects import ImagesLike
    from wsl.sampling.description import Description


class FinishedRun(EncodedRun):
    """A finished run of the workflow; ``wsl.open`` returns it.

    Attributes:
        path: folder of the run.
        name: of the folder.
        device: of torch.
    """

    @property
    def sampler(self) -> str:
        """The name of the run's sampler.

        Raises:
            DataError: it is part of a plug-in that is not loaded.
        """
        return self._with_sampler().choice.name

    def _with_sampler(self) -> Description:
        self.description.check_sampler(self.path)
        return self.description

    def embed(
        self,
        images: ImagesLike | Sequence[str],
        classes: Sequence[str] | None = None,
        held_out: float | None = None,
        seed: int | None = None,
    ) -> Data:
        """Embed a dataset of one's own: as many classes as the run's models distinguish.

        Args:
            images: folder of class folders; dict of images by class; dataset of (image, label) pairs, such as those of
                torchvision and Hugging Face; or a list of class names, if the run has prompts.
            classes: which classes, in the order of a model's outputs; None: all.
            held_out: fraction of each class's images that is set aside to evaluate models; 0 if you have test images.
                None: 0.2, as ``wsl sample`` does.
            seed: of the split; None: the run's.

        Returns:
            The dataset in the space of the run. Its temporary files vanish with it.

        Raises:
            DataError: the images cannot be used, or the run embeds only its own.
        """
        from wsl.sampling.options import SampleOptions
        from wsl.sampling.user_classes import embed_user_classes

        options = checked(SampleOptions, held_out=held_out, seed=seed)
        with one_thread():
            user = embed_user_classes(
                self.path, self.description, images, classes, options.held_out, options.seed, self.device
            )
        return Data(self.path, self.description, user)

    @overload
    def sample(
        self,
        data: Data | ImagesLike | Sequence[str],
        loss: float | None = None,
        n: None = None,
        seed: int | None = None,
        refine: int = 0,
    ) -> SampledModel: ...

    @overload
    def sample(
        self,
        data: Data | ImagesLike | Sequence[str],
        loss: float | None = None,
        *,
        n: int,
        seed: int | None = None,
        refine: int = 0,
    ) -> list[SampledModel]: ...

    def sample(
        self,
        data: Data | ImagesLike | Sequence[str],
        loss: float | None = None,
        n: int | None = None,
        seed: int | None = None,
        refine: int = 0,
    ) -> SampledModel | list[SampledModel]:
        """Sample a model for a dataset, without training.

        Args:
            data: of ``embed``, or what ``embed`` takes.
            loss: requested validation loss, nats; None: the run's.
            n: number of models, from the seeds ``seed``, ``seed + 1`` and so on. None: one model, not in a list.
            seed: random seed; None: the run's. Samplers that draw nothing at random ignore it.
            refine: epochs of training on the images that are not held out.

        Returns:
            A model, or a list of ``n`` models.

        Raises:
            DataError: the run has no sampler, or the sampler gives equal models for all seeds and ``n`` is above 1.
            ConfigError: an option cannot be used.
        """
        from wsl.evaluation.finetuning import fine_tuned
        from wsl.evaluation.settings import FineTuning
        from wsl.outcomes.bins import read_bins
        from wsl.sampling.options import SampleOptions
        from wsl.sampling.user_classes import open_with, sample_weights

        options = checked(SampleOptions, loss=loss, seed=seed, refine=refine)
        description = self._with_sampler()
        if n is not None and n < 1:
            raise ConfigError(f"n: {n} models cannot be sampled; give 1 or more")
        data = self._own(data if isinstance(data, Data) else self.embed(data))
        user, first = data.user, description.seed if options.seed is None else options.seed
        if refine and not max(user.counts):
            raise DataError("refine trains on images, but these classes are only named; embed images, or set refine=0")
        models = []
        with one_thread(), open_with(description, user, self.device) as opened:
            outcome = description.outcome if options.loss is None else options.loss
            requested, seeds = read_bins(opened.files.bins).requested_loss(outcome), range(first, first + (n or 1))
            sampled = sample_weights(opened, user, requested, seeds)
            settings = FineTuning(**description.finetuning, epochs=[refine] if refine else [])
            tuned = fine_tuned(sampled, user.task, opened.images, opened.layout, settings, self.device)
            for seed, one, by_epoch in zip(seeds, sampled, tuned, strict=True):
                weights = {SAMPLED: one, **({REFINED: by_epoch[refine]} if refine else {})}
                made = Made(self, data, opened.layout, opened.counters, requested, seed, refine)
                models.append(SampledModel(made, weights))
        return models[0] if n is None else models
