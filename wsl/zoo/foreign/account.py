"""The result of an import: stored as ``import.json`` in its folder, and printed in a few lines."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsl.files.plain import write_json
from wsl.zoo.architectures.base import UNKNOWN

NAME = "import.json"
OTHER = "other"  # in tables: a network of no known architecture
NEEDED = ("activation", "heads")  # settings without which networks cannot be run
FACTS = ("architecture", "classes", "head", "activation", "parameters")  # of a network; classes and parameters: numbers


@dataclass
class Imported:
    """The result of an import; counters count members or files."""

    zoo: str = ""  # the folder that was read
    options: dict[str, Any] = field(default_factory=dict)  # all, by their names on the command line
    parts: dict[str, int] = field(default_factory=dict)  # members by part
    recognised: dict[str, Any] = field(default_factory=dict)  # ``FACTS`` and settings of the architecture
    joined: Counter = field(default_factory=Counter)  # members by how weights and results were matched
    taken: Counter = field(default_factory=Counter)  # files by the key of the wrapper around their weights
    ignored: Counter = field(default_factory=Counter)  # files by their other content
    notes: Counter = field(default_factory=Counter)  # members by what was ignored in their results
    last_epochs: Counter = field(default_factory=Counter)  # members by their last epoch
    accuracies_divided_by: float = 1.0  # 100 if the zoo gives percent
    others: Counter = field(default_factory=Counter)  # runs with other networks, by the options that choose them
    left_out: list[str] = field(default_factory=list)  # names of runs that the user left out
    skipped: dict[str, str] = field(default_factory=dict)  # why runs could not be read, by name


def write_account(folder: Path, result: Imported) -> None:
    """Write ``import.json`` into an import's folder."""
    write_json(folder / NAME, vars(result))


def in_words(folder: str | Path, result: Imported) -> list[str]:
    """Return lines that describe an import into ``folder``; the last one lists what was recognised and ignored."""
    counts = ", ".join(f"{count} {part}" for part, count in result.parts.items())
    requested = f", {len(result.left_out)} as asked" if result.left_out else ""
    out = len(result.skipped) + len(result.left_out)
    lines = [f"{folder}: {sum(result.parts.values())} members ({counts}), {out} runs left out{requested}, see {NAME}"]
    if len(result.last_epochs) > 1:
        epochs = ", ".join(f"{count} in {epoch}" for epoch, count in sorted(result.last_epochs.items()))
        lines.append(f"their last epochs differ: {epochs}; --epochs keeps those that have the ones you name")
    lines += [f"{count} of them: {note}" for note, count in sorted(result.notes.items())]
    if result.others:
        ways = ", ".join(f"{way} ({count} runs)" for way, count in result.others.most_common())
        lines.append(f"runs with other networks are left out; to import them by themselves: {ways}")
    about = result.recognised
    if unknown := [key for key in NEEDED if about.get(key) == UNKNOWN]:
        options = ", ".join(f"--set {key}=..." for key in unknown)
        lines.append(f"not known: {', '.join(unknown)}; stages that run networks need it: import again with {options}")
    settings = (f"{key} {value}" for key, value in about.items() if key not in FACTS)
    network = ", ".join([about["architecture"], *settings])
    network = "a network of no known architecture" if about["architecture"] == OTHER else network
    activation = f", activation {about['activation']}" if about["activation"] not in ("", "relu") else ""
    ways = sorted(result.joined.items())
    joined = "; ".join(f"{way} ({count} members)" for way, count in ways) if len(ways) > 1 else ways[0][0]
    taken = f"; weights under {', '.join(sorted(result.taken))}" if result.taken else ""
    ignored = f"; ignored in their files: {', '.join(sorted(result.ignored))}" if result.ignored else ""
    return [
        *lines,
        f"recognised: {network}, {about['classes']} classes, head {about['head']}{activation}; "
        f"results joined to weights {joined}{taken}{ignored}",
    ]
