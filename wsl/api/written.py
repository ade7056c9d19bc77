"""What a finished run has written: its numbers, tables, figures and config."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsl.api.views import Picture, as_html, as_text
from wsl.api.zoo import Zoo
from wsl.errors import DataError
from wsl.paths import Paths

if TYPE_CHECKING:
    import pandas as pd

SHOWN = {"seen": "held-out tasks", "unseen": "tasks of unseen classes"}  # accuracies in a notebook


class WrittenRun:
    """The folder of a finished run.

    Args:
        path: folder of the run, ``results/<run>``.
        device: of torch.

    Raises:
        DataError: the folder is not a finished run.
    """

    def __init__(self, path: str | Path, device: str = "cpu"):
        self.path, self.device = Path(path), device
        self.name = self.path.resolve().name
        self._paths = Paths(str(path))
        self._check()

    def _check(self) -> None:
        from wsl.sampling.description import NAME

        if not self.path.is_dir():
            raise DataError(f"there is no folder {self.path}; give the folder of a finished run, results/<run>")
        if (self.path / "import.json").is_file():
            raise DataError(f"{self.path} is an imported zoo, not a run; open it by wsl.open_zoo")
        if not any((self.path / name).is_file() for name in (NAME, "summary.json")):
            if (self.path / "logs" / "jobs.json").is_file():
                raise DataError(f"{self.path} is an unfinished run: `wsl watch {self.path}` shows its state")
            raise DataError(f"{self.path} has no {NAME}; give the folder of a finished run, results/<run>")

    @property
    def summary(self) -> dict[str, Any]:
        """The main numbers of the run."""
        from wsl.files.plain import read_json

        return read_json(self._paths.summary)

    @cached_property
    def config(self) -> dict[str, Any]:
        """All keys of the run's config, after validation."""
        from wsl.runs.config_file import read_config

        return read_config(self.path)

    @property
    def members(self) -> pd.DataFrame:
        """One row per member of the zoo: part, task, hyper-parameters, metrics of its snapshots."""
        return self.table("members")

    @property
    def zoo(self) -> Zoo:
        """The members of the run with their weights. In a run on imported members they are in the imported folder."""
        return Zoo(self.path / "zoo")

    @property
    def tables(self) -> list[str]:
        """The names of the run's tables."""
        return sorted(path.stem for path in (self.path / "tables").glob("*.csv"))

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the report by its name, for example ``accuracy``.

        Raises:
            DataError: the run has no such table.
        """
        import pandas as pd

        path = self._file("table", name, self.tables, self._paths.table(name))
        return pd.read_csv(path, dtype={"images": str} if name == "accuracy" else None)

    @property
    def figures(self) -> list[str]:
        """The names of the run's figures."""
        return sorted(path.stem for path in (self.path / "figures").glob("*.png"))

    def figure(self, name: str) -> Picture:
        """Return a figure of the report by its name, for example ``accuracy``; a notebook shows it.

        Raises:
            DataError: the run has no such figure.
        """
        path = self._file("figure", name, self.figures, self._paths.figure(name))
        return Picture(name, path, path.with_suffix(".pdf"))

    def _file(self, kind: str, name: str, known: Sequence[str], path: str) -> Path:
        if name not in known:
            raise DataError(f"{self.path} has no {kind} {name!r}; it has {', '.join(known) or 'none'}")
        return Path(path)

    def _facts(self) -> dict[str, Any]:
        from wsl.files.plain import read_json

        summary = Path(self._paths.summary)
        numbers = read_json(summary) if summary.is_file() else {}
        facts = {key: numbers[key] for key in ("members", "classes", "chosen_sampler") if key in numbers}
        if "architectures" in numbers:
            facts = {"members": sum(zoo["members"] for zoo in numbers["architectures"].values())}
            facts["architectures"] = ", ".join(numbers["architectures"])
        return {key.replace("_", " "): value for key, value in facts.items()}

    def __repr__(self) -> str:
        return as_text(type(self).__name__, {"path": str(self.path), **self._facts()})

    def _repr_html_(self) -> str:
        import pandas as pd

        facts, table = {"folder": self.path, **self._facts()}, None
        if (self.path / "summary.json").is_file() and (accuracies := self.summary.get("accuracy")):
            known = {SHOWN[kind]: accuracies[kind] for kind in SHOWN if kind in accuracies}
            table = pd.DataFrame(known)
            table = table.sort_values(table.columns[0], ascending=False)
            table.index.name = "test accuracy"
        facts |= {"tables": ", ".join(self.tables), "figures": ", ".join(self.figures)}
        return as_html(f"Run {self.name}", facts, table)
