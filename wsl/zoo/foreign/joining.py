"""Match the checkpoints of a Ray Tune run to its epochs.

Before Ray 2.7 the number in ``checkpoint_000004`` was the iteration; since then it counts checkpoints from 0. Weights
and results are matched only if the files or the user determine how.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsl.errors import DataError

BY_NAME = "by the checkpoint's name in the results"
BY_NUMBER = "by the checkpoint's number"
IN_ORDER = "in order, as many checkpoints as results"
COUNTED = "by the checkpoint's number, which counts results from 0"


@dataclass(frozen=True)
class Saved:
    """The epochs at which checkpoints were saved, as given by the user; None: not given."""

    every: int | None = None  # interval in epochs; the last epoch may be saved too
    epochs: tuple[int, ...] | None = None  # in the order of the checkpoints

    @property
    def words(self) -> str:
        """The option as given on the command line; empty: none."""
        if self.epochs is not None:
            return f"--saved-epochs {','.join(map(str, self.epochs))}"
        return "" if self.every is None else f"--every {self.every}"


NOT_SAID = Saved()


@dataclass(frozen=True)
class Numbering:
    """What the files of a run tell about the numbers of its checkpoints."""

    iterations: bool = False  # the results are of a version of Ray whose checkpoints are numbered by iteration
    counted: bool = False  # as in the zoo of vision transformers: numbers count results, from 0, if all are saved
    interval: int | None = None  # interval in epochs between checkpoints, from the hyper-parameters


UNKNOWN = Numbering()


def join(
    run: str,
    numbers: Sequence[int],
    epochs: Sequence[int],
    named: Mapping[int, int],
    saved: Saved,
    numbering: Numbering = UNKNOWN,
) -> tuple[dict[int, int], str]:
    """Return the epoch of each checkpoint by its number, and a description of how it was determined.

    Checkpoints that no result names are left out if results name others.

    Args:
        run: its name, for messages.
        numbers: of checkpoints, ascending, not empty.
        epochs: with results, ascending, not empty.
        named: epochs by number of the checkpoints that the results name; may be empty.
        saved: given by the user, for runs whose files do not determine it; otherwise both must agree.
        numbering: what else the files tell.

    Raises:
        DataError: files are ambiguous and the user gave nothing, or what the user gave is impossible.
    """
    joined, how = _from_files(numbers, epochs, named, numbering)
    if how:
        if saved.words:
            _check(run, joined, how, epochs, saved)
        return joined, how
    if saved.words:
        return _from_user(run, numbers, epochs, saved), f"by {saved.words}"
    raise DataError(
        f"{run} has {len(numbers)} checkpoints, {_range(numbers)}, and results of {len(epochs)} epochs, "
        f"{_range(epochs)}, and nothing shows which belong together: before Ray 2.7 a checkpoint's number was its "
        "epoch, and since then it counts checkpoints. Give the epochs at which checkpoints were saved, by --every N or "
        "by --saved-epochs with a list"
    )


def _from_files(
    numbers: Sequence[int], epochs: Sequence[int], named: Mapping[int, int], numbering: Numbering
) -> tuple[dict[int, int], str]:
    """Return the epochs that files determine, and how; both are empty if they do not."""
    if named:
        return {number: named[number] for number in numbers if number in named}, BY_NAME
    by_number = {number: number for number in numbers}, BY_NUMBER
    every = numbering.interval == 1 and numbers[-1] < len(epochs) == epochs[-1] - epochs[0] + 1
    counting = ({number: epochs[number] for number in numbers}, COUNTED) if every and epochs[0] else by_number
    if every and numbering.counted:
        return counting
    if numbering.iterations and set(numbers) <= set(epochs):
        return by_number
    counted = list(numbers) == list(range(len(numbers)))
    if _numbers_are_epochs(numbers, epochs, counted, numbering.interval):
        return by_number
    if len(numbers) == len(epochs):
        pairs = dict(zip(numbers, epochs, strict=True))
        if counted or len({epoch - number for number, epoch in pairs.items()}) == 1:
            return pairs, IN_ORDER
    # If every epoch was saved, both kinds of numbers are equal from epoch 0, and only counts begin before epoch 1.
    if every and (epochs[0] == 0 or numbers[0] == 0) and not _may_be_sparser(numbers, epochs):
        return counting
    return {}, ""


def _may_be_sparser(numbers: Sequence[int], epochs: Sequence[int]) -> bool:
    """Return whether the last number is that of a larger interval than 1, which the hyper-parameters may not tell."""
    counts = (-(-len(epochs) // interval) for interval in range(2, len(epochs)))
    return any(numbers[-1] + 1 in (count, count + 1) for count in counts)


def _numbers_are_epochs(
    numbers: Sequence[int], epochs: Sequence[int], counted: bool, interval: int | None = None
) -> bool:
    """Return whether numbers of checkpoints must be epochs, and cannot be counts of checkpoints."""
    last, end = numbers[-1], epochs[-1]
    if last == end and (set(epochs) <= set(numbers) or set(numbers) <= set(epochs)):  # a count ends at a smaller number
        return True
    if counted or numbers[0] < epochs[0]:
        return False
    # With only every second epoch saved, and the end, there would be fewer checkpoints.
    if epochs[0] == 0 and last <= end <= 2 * (last - 1):
        return True
    if interval == 1:  # gaps show which checkpoints were downloaded, not which were saved
        return False
    step = numbers[1] - numbers[0] if len(numbers) > 2 else 1
    return step > 1 and list(numbers) == list(range(numbers[0], last + 1, step)) and numbers[0] % step == 0


def _from_user(run: str, numbers: Sequence[int], epochs: Sequence[int], saved: Saved) -> dict[int, int]:
    if saved.epochs is not None:
        if len(saved.epochs) == len(numbers):
            return dict(zip(numbers, saved.epochs, strict=True))
        if numbers[-1] < len(saved.epochs):
            return {number: saved.epochs[number] for number in numbers}
        raise DataError(
            f"{run}: {saved.words} names {len(saved.epochs)} epochs, but there are {len(numbers)} checkpoints, "
            f"{_range(numbers)}; name the epoch of each"
        )
    first, last = -(-epochs[0] // saved.every) * saved.every, numbers[-1]
    joined = {number: first + number * saved.every for number in numbers}
    if epochs[-1] < joined[last] < epochs[-1] + saved.every:  # Ray's checkpoint_at_end
        joined[last] = epochs[-1]
    for number, epoch in joined.items():
        if epoch not in epochs:
            raise DataError(
                f"{run}: by {saved.words} checkpoint {number} is of epoch {epoch}, which has no results; results are "
                f"of epochs {_range(epochs)}: correct the option, or name the epochs by --saved-epochs"
            )
    return joined


def _check(run: str, joined: Mapping[int, int], how: str, epochs: Sequence[int], saved: Saved) -> None:
    for number, epoch in joined.items():
        if saved.epochs is not None:
            expected = epoch in saved.epochs
        else:
            expected = epoch % saved.every == 0 or epoch == epochs[-1]
        if not expected:
            raise DataError(
                f"{run}: checkpoint {number} is of epoch {epoch}, known {how}, which {saved.words} contradicts; leave "
                f"the option out, or leave the run out by --leave-out {run}"
            )


def _range(numbers: Sequence[int]) -> str:
    """Return numbers as text: a few in full, more as a range."""
    if len(numbers) > 6:
        return f"{numbers[0]}, {numbers[1]}, ..., {numbers[-1]}"
    return ", ".join(map(str, numbers))
