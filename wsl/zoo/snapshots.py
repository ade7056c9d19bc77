"""Which epochs' weights are kept, and what they are called."""

from collections.abc import Sequence


def snapshot_names(snapshots: Sequence[str | int] | str, early: int, last: int) -> dict[int, str]:
    """Return the name of each epoch's snapshot: ``early``, ``max``, else ``epoch4``.

    Args:
        snapshots: ``early``, ``max`` and numbers of epochs, or ``geometric``: 0, 1, 2, 4, 8, ... and ``max``.
        early, last: epochs that ``early`` and ``max`` stand for.
    """
    if snapshots == "geometric":
        snapshots = [0, *(2**power for power in range(last.bit_length()) if 2**power < last), "max"]
    named = {"early": early, "max": last}
    epochs = {name if name in named else f"epoch{name}": named.get(name, name) for name in snapshots}
    # Of two names for one epoch the word wins, which others look for.
    return {epochs[name]: name for name in sorted(epochs, key=lambda name: (epochs[name], name in named))}
