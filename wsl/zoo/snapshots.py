"""Names of the epochs whose weights are stored."""

from collections.abc import Sequence


def snapshot_names(snapshots: Sequence[str | int] | str, early: int, last: int) -> dict[int, str]:
    """Return the name of each epoch's snapshot: ``early``, ``max``, else ``epoch4``.

    Args:
        snapshots: ``early``, ``max`` and numbers of epochs, or ``geometric``: 0, 1, 2, 4, 8, ... and ``max``.
        early: epoch of the early snapshot.
        last: epoch of the max snapshot.
    """
    if snapshots == "geometric":
        snapshots = [0, *(2**power for power in range(last.bit_length()) if 2**power < last), "max"]
    keywords = {"early": early, "max": last}
    epochs = {name if name in keywords else f"epoch{name}": keywords.get(name, name) for name in snapshots}
    # If an epoch has two names, the keyword is kept because other code looks it up.
    return {epochs[name]: name for name in sorted(epochs, key=lambda name: (epochs[name], name in keywords))}
