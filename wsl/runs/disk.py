"""The disk space that a run needs, checked before it starts."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from wsl.errors import ConfigError
from wsl.files.opening import check_writable, existing_folder
from wsl.runs.borrowed import count_images
from wsl.runs.run import Run
from wsl.weights.settings import CHECKPOINTS, Weights
from wsl.zoo.factored import storage_of
from wsl.zoo.layout import Layout

FLOAT = 4  # bytes
FEATURES = 512  # features per image of CLIP ViT-B/32; other models have 256 to 1,024
GB = 1e9


def disk_needs(run: Run) -> dict[str, int]:
    """Return the bytes of the parts of a run's results that grow with members, weights or images.

    The zoo's size is exact except for file headers, since the plan contains all snapshots; the others are upper bounds.
    Images in missing folders are not counted.
    """
    zoo, weights = run.config.zoo, run.config.weights
    snapshots: Counter[str] = Counter()
    numbers = 0
    for row in run.plan:
        count = len(run.snapshots(row))
        snapshots[row["part"]] += count
        layout = run.networks[row["architecture"]].layout if run.mixed else run.layout
        numbers += count * storage_of(layout).size
    train, total = snapshots["train"], snapshots.total()
    size, source = run.config.images.size, run.config.images.source
    images = count_images(run, size) if run.borrowed else source.count(run.classes)
    needs = {
        "zoo": numbers * {"float32": 4, "float16": 2}[zoo.storage] if run.trained else 0,
        "aligned zoo": numbers * FLOAT if weights.align else 0,
        "images": 0 if run.borrowed else images * size**2 * 3,
        "features of images": images * FEATURES * FLOAT,
    }
    if run.mixed:  # there is no PCA
        return {name: needs[name] for name in ("zoo", "images") if needs[name]}
    layout, stages = run.layout, {"": weights}
    if run.config.evaluation.bench.encoders:
        components = max(variant.components for variant in run.config.encoders().values())
        stages["bench: "] = weights.model_copy(update={"components": components})
    for name, section in stages.items():
        fitted, coefficients = _first_stage(section, layout, train)
        encoded = (train * section.orders + total - train) * coefficients
        needs |= {f"{name}components": fitted * FLOAT, f"{name}coefficients": encoded * FLOAT}
    states = CHECKPOINTS + 2  # the checkpoints, the first state and the final one
    needs["weight encoder"] = weights.encoder.numbers(_first_stage(weights, layout, train)[1]) * states * FLOAT
    return {name: value for name, value in needs.items() if value}


@dataclass(frozen=True)
class Disk:
    """Needed and available disk space, in bytes.

    Attributes:
        results: the run's folder.
        needs: of each part of its results, see ``disk_needs``.
        made: of the files that exist already.
        free: of the disk.
        uncounted: missing image folders, whose images are not in ``needs``.
    """

    results: Path
    needs: dict[str, int]
    made: int
    free: int
    uncounted: tuple[Path, ...] = ()

    @property
    def fault(self) -> str | None:
        """Why the disk has too little space for the remaining files; None if it has enough."""
        if sum(self.needs.values()) - self.made <= self.free:
            return None
        return (
            f"the disk is too small for this run: {self}; free disk space, or choose fewer zoo.members or "
            "zoo.snapshots, or zoo.storage: float16"
        )

    def __str__(self) -> str:
        needs = sorted(self.needs.items(), key=lambda item: -item[1])
        parts = ", ".join(f"{name} {value / GB:.2g}" for name, value in needs)
        left_out = f"; images are not counted, since {self.uncounted[0]} is missing" if self.uncounted else ""
        return (
            f"about {sum(self.needs.values()) / GB:.2g} GB in {self.results} ({parts}){left_out}; "
            f"{self.made / GB:.2g} GB made; {self.free / GB:.3g} GB free"
        )


def measure_disk(run: Run, results: Path) -> Disk:
    """Return the disk space that a run needs in its folder, and the available space.

    Raises:
        DataError: the folder cannot be written.
    """
    check_writable(results)
    made = sum(path.stat().st_size for path in results.rglob("*") if path.is_file())
    missing = tuple(run.config.images.source.missing())
    return Disk(results, disk_needs(run), made, shutil.disk_usage(existing_folder(results)).free, missing)


def check_disk(run: Run, results: Path) -> str:
    """Return ``measure_disk`` in words.

    Raises:
        ConfigError: the disk has too little space for the remaining files.
        DataError: the folder cannot be written.
    """
    disk = measure_disk(run, results)
    if disk.fault:
        raise ConfigError(disk.fault)
    return str(disk)


def _first_stage(weights: Weights, layout: Layout, rows: int) -> tuple[int, int]:
    """Return upper bounds of the values in the PCA files and of the coefficients per model."""
    counts = [(entry.size, weights.most_coefficients(entry.size, rows)) for entry in layout.entries]
    coefficients = sum(k for _, k in counts)
    fitted = sum(size * (k + 1) for size, k in counts)
    return fitted, coefficients if weights.budget is None else min(coefficients, weights.budget)
