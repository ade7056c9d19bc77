"""Members that are trained together, with one network pass per step for all of them."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.zoo.epochs import EVALUATION_BATCH, Moves, Step, computing_in, moved, widened
from wsl.zoo.stacked_network import MappedNetwork, StackedNetwork
from wsl.zoo.stacked_optimizer import Steps, step
from wsl.zoo.training import Training

READY = 2**28  # bytes of images that are kept in float32


class Stack:
    """Members of equal batch size, whose networks are computed as one.

    The members' networks, optimisers and schedules stay as they are: tensors become views of their parts of joined
    ones. If members see the same images in the same order, the first layer of all members reads them once.

    Args:
        trainings: of the members.
        joined: kind of network that computes theirs.
    """

    def __init__(self, trainings: Sequence[Training], joined: type[StackedNetwork | MappedNetwork] = StackedNetwork):
        self.trainings = trainings
        self.joined = joined([training.network for training in trainings])
        self.optimizers = [Steps(training.optimizer) for training in trainings]
        self.normalisation = trainings[0].network.normalisation
        self.one_task = len({tuple(training.packed) for training in trainings}) == 1
        self.gradients = [value.grad for value in self.joined.parameters.values() if value.grad is not None]
        self.images, self.labels, self.starts = self._data("train")
        self.validation = self._data("validation")[:2] if "validation" in trainings[0].images else None
        # Images that are not augmented are normalised once.
        self.ready = not trainings[0].augment and 4 * self.images.numel() <= READY
        if self.ready:
            self.images = self._inputs(self.images)

    def _data(self, part: str) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
        """Return images and labels of all tasks, and each member's place in them."""
        if self.one_task:
            return *self.trainings[0].images[part], [0] * len(self.trainings)
        images, labels = zip(*(training.images[part] for training in self.trainings), strict=True)
        starts = torch.tensor([0, *map(len, images)]).cumsum(0)[:-1].tolist()
        return torch.cat(images), torch.cat(labels), starts

    def _inputs(self, images: torch.Tensor) -> torch.Tensor:
        return self.joined.prepared(normalised(images, self.normalisation))

    def _chosen(self, places: torch.Tensor) -> torch.Tensor:
        """Return images at these places; a pixel's channels stay adjacent if they are."""
        pixelwise = self.images.permute(0, 2, 3, 1)
        if not pixelwise.is_contiguous():
            return self.images[places]
        return pixelwise.index_select(0, places).permute(0, 3, 1, 2)

    def run_epoch(self) -> None:
        """Train all members for one epoch; members with fewer images skip the last steps."""
        first, *others = self.trainings
        shared = self.one_task and all(training.draws_like(first) for training in others)
        drawn = [first.draw_steps()]
        if shared:
            for training in others:
                training.draw_like(first)
        else:
            drawn += [training.draw_steps() for training in others]
        members, device = len(self.trainings), self.images.device
        totals, correct = (torch.zeros(members, device=device) for _ in range(2))
        lengths = [len(steps) for steps in drawn] * (members if shared else 1)
        for number in range(max(lengths)):
            active = [number < length for length in lengths]
            losses, right = self._step([steps[min(number, len(steps) - 1)] for steps in drawn], active)
            counted = torch.tensor(active, device=device)
            totals += torch.where(counted, losses, 0)
            correct += torch.where(counted, right, 0)
        counts = torch.tensor(lengths, device=device)
        values = zip((totals / counts).tolist(), (correct / counts).tolist(), self._validation(), strict=True)
        for training, (loss, accuracy, validation) in zip(self.trainings, values, strict=True):
            training.validation = validation
            training.close({"train_loss": loss, "train_accuracy": accuracy})

    def _step(self, steps: Sequence[Step], active: Sequence[bool]) -> tuple[torch.Tensor, torch.Tensor]:
        """Train active members for one step, one of all or one each; return losses and accuracies (members,)."""
        shared, count = len(steps) < len(active) or len(active) == 1, len(active)
        places = torch.cat([one.batch + start for one, start in zip(steps, self.starts, strict=False)])
        places = places.to(self.images.device)
        images, labels = self._chosen(places), self.labels[places]
        if steps[0].moves is not None:
            flips, shifts = zip(*(one.moves for one in steps), strict=True)
            images = moved(images, Moves(torch.cat(flips), torch.cat(shifts, dim=1)))
        inputs = images if self.ready else self._inputs(images)
        if not shared:
            inputs = inputs.unflatten(0, (count, -1))
        waiting = [i for i, on in enumerate(active) if not on]
        buffers = [value.unflatten(0, (count, -1)) for value in self.joined.buffers.values()] if waiting else []
        kept = [value[waiting] for value in buffers]
        with computing_in(self.trainings[0].precision, inputs.device):
            logits = self.joined.logits(inputs, shared)
        logits, labels = widened(logits), by_member(labels, count, shared)
        losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        losses = losses.mean(0)
        torch._foreach_zero_(self.gradients)
        losses.sum().backward()
        step([optimizer for optimizer, on in zip(self.optimizers, active, strict=True) if on])
        for value, before in zip(buffers, kept, strict=True):
            value[waiting] = before
        return losses.detach(), (logits.detach().argmax(2) == labels).float().mean(0)

    @torch.no_grad()
    def _validation(self) -> list[tuple[float, float] | None]:
        """Return losses and accuracies on validation images; None: members have none, or different numbers of them."""
        count = len(self.trainings)
        if self.validation is None or len({len(training.images["validation"][1]) for training in self.trainings}) > 1:
            return [None] * count
        shared, (images, labels) = self.one_task or count == 1, self.validation
        images = images if shared else images.unflatten(0, (count, -1))
        self.joined.network.eval()
        batches = images.split(max(EVALUATION_BATCH // count, 1), dim=0 if shared else 1)
        logits = torch.cat([self._evaluated(batch, shared) for batch in batches])
        self.joined.network.train()
        labels = by_member(labels, count, shared)
        losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        accuracies = (logits.argmax(2) == labels).float().mean(0)
        return list(zip(losses.mean(0).tolist(), accuracies.tolist(), strict=True))

    def _evaluated(self, images: torch.Tensor, shared: bool) -> torch.Tensor:
        inputs = self._inputs(images if shared else images.flatten(0, 1))
        return self.joined.logits(inputs if shared else inputs.unflatten(0, (len(self.trainings), -1)), shared)


def by_member(labels: torch.Tensor, members: int, shared: bool) -> torch.Tensor:
    """Return labels (n, members) of labels (n,) that all share, or (members * n,)."""
    return labels[:, None].expand(-1, members) if shared else labels.unflatten(0, (members, -1)).T
