"""Prompt members: the training members that `kde` samples around, and that baselines copy, disturb or mix."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from wsl.images.reading import task_classes
from wsl.randomness import stream
from wsl.settings.sections import PositiveInt, Section

if TYPE_CHECKING:
    from wsl.outcomes.bins import OutcomeBins

ORDERS = 24  # class orders in which tasks are compared: all of up to four classes
Order = tuple[int, ...]


class PromptSettings(Section):
    """The training members that `kde` and its baselines start from."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3,
        description="fraction of the members of the most similar task that may be prompts: those with the lowest "
        "validation losses, or with those nearest to a requested loss above the best outcome bin",
    )
    count: PositiveInt | None = Field(
        None, description="number of them that a model starts from, drawn at random; empty: all"
    )


class PromptMember(NamedTuple):
    """The max snapshot of a training member, and the class order in which it fits the requested task."""

    row: int  # of the index
    order: Order


class PromptMembers:
    """Finds the training members of a run that fit a request. Choices use validation losses of members, no test image.

    Args:
        run: an ``OpenRun`` of ``wsl.sampling.loading``.
    """

    def __init__(self, run: Any):
        from wsl.weights.orders import class_orders

        self.run, self.rows = run, run.zoo.trained
        self.tasks = run.zoo.snapshots["task"].to_numpy()[self.rows]
        classes = run.layout.classes
        self.orders = [tuple(range(classes))] if self.fixed_orders else class_orders(classes, ORDERS, seed=0)
        self._known: dict[int | None, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def fixed_orders(self) -> bool:
        """Whether members share tasks, and no task is another one in another class order."""
        distinct = set(self.tasks)
        return len({frozenset(task_classes(task)) for task in distinct}) == len(distinct) < len(self.tasks)

    def similarities(self, dataset: np.ndarray, names: bool = False) -> np.ndarray:
        """Return cosines (orders, members) of z_D (classes * dimension,) and the members', centred on their mean.

        ``names``: compare with class names, since CLIP's texts are far from its images.
        """
        centre, known = self._datasets(0 if names else None)
        return known @ (dataset - centre)

    def nearest(self, dataset: np.ndarray, loss: float, names: bool = False) -> PromptMember:
        """Return the member of the most similar task; of several with this task, that with the best outcome."""
        if self.fixed_orders:
            return next(self._by_task(dataset, loss, names))[0]
        order, member = divmod(int(self.similarities(dataset, names).argmax()), len(self.rows))
        return PromptMember(int(self.rows[member]), self.orders[order])

    def choose(
        self,
        dataset: np.ndarray,
        loss: float,
        seed: int,
        settings: PromptSettings = PromptSettings(),  # noqa: B008
        names: bool = False,
        least: int = 1,
    ) -> list[PromptMember]:
        """Return prompt members in random order.

        Args:
            dataset: z_D of the requested task.
            loss: requested validation loss, nats.
            seed: of the order. A request has equal prompt members for all methods, and the first is that of `prompt`.
            settings: how many.
            names: see ``similarities``.
            least: number of members to return at least, of further tasks if needed; fewer if the zoo has no more.
        """
        pool: list[PromptMember] = []
        for members in self._by_task(dataset, loss, names):
            kept = members[: ceil(settings.share * len(members))]
            shuffled = [kept[i] for i in stream(seed, "prompt members").permutation(len(kept))]
            if len(pool) + len(kept) < least:  # the best of its members are too few
                shuffled += members[len(kept) : least - len(pool)]
            pool += shuffled
            if len(pool) >= least:
                break
        return pool if settings.count is None else pool[: max(settings.count, least)]

    def _by_task(self, dataset: np.ndarray, loss: float, names: bool) -> Iterator[list[PromptMember]]:
        """Yield the members of each task, the best outcome first; the most similar task first."""
        similarities = self.similarities(dataset, names)
        sets = [frozenset(task_classes(task)) for task in self.tasks]
        distance, done = self._distances(loss), set()
        for place in np.argsort(-similarities, axis=None, kind="stable"):
            order, member = divmod(int(place), len(self.rows))
            if sets[member] in done:
                continue
            done.add(sets[member])
            classes = [task_classes(self.tasks[member])[i] for i in self.orders[order]]
            members = [other for other in range(len(sets)) if sets[other] == sets[member]]
            members.sort(key=lambda other: distance[other])
            yield [PromptMember(int(self.rows[m]), _order(self.tasks[m], classes)) for m in members]

    def _distances(self, loss: float) -> np.ndarray:
        """Return how far the outcome of each member is from a request: in the best bin, lower losses are better."""
        bins: OutcomeBins = self._bins
        losses = self.run.zoo.snapshots["validation_loss"].to_numpy()[self.rows]
        return losses if bins.bin(np.array(loss)) <= bins.best else np.abs(losses - loss)

    @cached_property
    def _bins(self) -> "OutcomeBins":
        from wsl.outcomes.bins import read_bins

        return read_bins(self.run.files.bins)

    def _datasets(self, images: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the centre of the members' z_D, and the directions from it (orders, members, z_D)."""
        from wsl.weights.orders import reorder_task

        if images not in self._known:
            distinct, members = np.unique(self.tasks, return_inverse=True)
            reordered = ([reorder_task(task, order) for task in distinct] for order in self.orders)
            datasets = np.stack([self.run.class_means.embed(tasks, images)[members] for tasks in reordered])
            centre = datasets.mean(axis=(0, 1))
            datasets = datasets - centre
            datasets /= np.maximum(np.linalg.norm(datasets, axis=2, keepdims=True), 1e-12)
            self._known[images] = centre, datasets
        return self._known[images]


def read_members(run: Any, members: Sequence[PromptMember]) -> np.ndarray:
    """Return flat weights (n, n_weights) of members, their classes in the order of the request."""
    from wsl.weights.orders import reorder_weights
    from wsl.zoo.index import read_snapshot

    return np.stack([reorder_weights(read_snapshot(run.zoo, row), run.layout, order) for row, order in members])


def _order(task: str, classes: list[str]) -> Order:
    own = task_classes(task)
    return tuple(own.index(name) for name in classes)
