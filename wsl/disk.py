"""How much disk a run needs, and whether it may write there, before it starts."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wsl.errors import ConfigError
from wsl.images.classes import DIGITS_IMAGES
from wsl.images.contents import image_files
from wsl.run import Run
from wsl.weights.settings import CHECKPOINTS, Weights
from wsl.zoo.layout import Layout
from wsl.zoo.snapshots import snapshot_names

FLOAT = 4  # bytes
FEATURES = 512  # numbers that CLIP ViT-B/32 makes of an image; others make 256 to 1,024
GB = 1e9


def disk_needs(run: Run) -> dict[str, int]:
    """Return the bytes of the parts of a run's results that grow with members, weights or images.

    Those of the zoo are exact except for file headers, since the plan lists all snapshots; the others are upper bounds.
    Images in missing folders are not counted.
    """
    zoo, weights, layout = run.config.zoo, run.config.weights, run.layout
    rows = {part: 0 for part in run.parts}
    for row in run.plan:
        rows[row["part"]] += len(snapshot_names(zoo.snapshots, row["early_epoch"], row["max_epoch"]))
    size, total = layout.size, sum(rows.values())
    images = _image_count(run)
    needs = {
        "zoo": total * size * {"float32": 4, "float16": 2}[zoo.storage],
        "aligned zoo": total * size * FLOAT if weights.align else 0,
        "images": images * run.config.images.size**2 * 3,
        "features of images": images * FEATURES * FLOAT,
    }
    held_out = total - rows["train"]
    bench = run.config.encoders().values() if run.config.evaluation.bench.encoders else ()
    wide = weights.model_copy(update={"components": max((variant.components for variant in bench), default=0)})
    for name, section in (("", weights), ("bench: ", wide if bench else None)):
        if section:
            fitted, coefficients = _first_stage(section, layout, rows["train"])
            encoded = (rows["train"] * section.orders + held_out) * coefficients * FLOAT
            needs |= {f"{name}components": fitted * FLOAT, f"{name}coefficients": encoded}
    states = CHECKPOINTS + 2  # those, the first and the one that is used
    needs["weight encoder"] = weights.encoder.numbers(_first_stage(weights, layout, rows["train"])[1]) * states * FLOAT
    return {name: value for name, value in needs.items() if value}


@dataclass(frozen=True)
class Disk:
    """What a run needs and its disk has.

    Attributes:
        results: the run's folder.
        needs: bytes of each part of its results, see ``disk_needs``.
        made: bytes that lie in the folder already.
        free: bytes that the disk has.
        uncounted: image folders that are missing, whose images ``needs`` leaves out.
    """

    results: Path
    needs: dict[str, int]
    made: int
    free: int
    uncounted: tuple[Path, ...] = ()

    @property
    def fault(self) -> str | None:
        """Why the disk has no room for what is still to be made; None: it has."""
        if sum(self.needs.values()) - self.made <= self.free:
            return None
        return (
            f"the disk is too small for this run: {self}; free some, or take fewer zoo.members or zoo.snapshots, or "
            "zoo.storage: float16"
        )

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name} {value / GB:.2g}" for name, value in sorted(self.needs.items(), key=lambda item: -item[1])
        )
        left_out = f"; images are not counted, since {self.uncounted[0]} is missing" if self.uncounted else ""
        return (
            f"about {sum(self.needs.values()) / GB:.2g} GB in {self.results} ({parts}){left_out}; "
            f"{self.made / GB:.2g} GB made; {self.free / GB:.3g} GB free"
        )


def measure_disk(run: Run, results: Path) -> Disk:
    """Return what a run needs and the disk has.

    Args:
        run: of the config.
        results: its folder; what lies there already counts as made.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    folder = next(path for path in (results.absolute(), *results.absolute().parents) if path.is_dir())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{results} cannot be written ({error.strerror} in {folder}); make that folder writable, or start from "
            "another one"
        ) from error
    made = sum(path.stat().st_size for path in results.rglob("*") if path.is_file())
    missing = tuple(path for path in _image_folders(run) if not path.is_dir())
    return Disk(results, disk_needs(run), made, shutil.disk_usage(folder).free, missing)


def check_disk(run: Run, results: Path) -> str:
    """Return what a run needs and the disk has, for people; see ``measure_disk``.

    Raises:
        ConfigError: the folder cannot be written to, or the disk has less than what is still to be made.
    """
    disk = measure_disk(run, results)
    if disk.fault:
        raise ConfigError(disk.fault)
    return str(disk)


def _image_folders(run: Run) -> list[Path]:
    images = run.config.images
    return [images.train, images.test] if images.source == "imagefolder" else []


def _image_count(run: Run) -> int:
    images = run.config.images
    if images.source == "digits":
        return DIGITS_IMAGES * len(run.classes) // 10
    if images.source == "glyphs":
        return images.drawn * len(run.classes)
    folders = (part / name for part in _image_folders(run) for name in run.classes)
    return sum(sum(1 for _ in image_files(folder)) for folder in folders if folder.is_dir())


def _first_stage(weights: Weights, layout: Layout, rows: int) -> tuple[int, int]:
    """Return the maximum number of numbers in the PCA files, and of coefficients per model."""
    fitted, coefficients = 0, 0
    for entry in layout.entries:
        k = weights.most_coefficients(entry.size, rows)
        fitted += entry.size * (k + 1)
        coefficients += k
    return fitted, coefficients if weights.budget is None else min(coefficients, weights.budget)
