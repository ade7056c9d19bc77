"""Paths of a run's files: the only definition, shared by the workflow's rules and the library."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RESULTS = "results"


def cohort_name(member: int, size: int) -> str:
    """Return the name of a member's cohort, such as ``00040-00049``: the first and the last member it can have.

    Cohort k holds the members k * size to (k + 1) * size - 1 of the zoo, so that names do not depend on its size.
    """
    first = member - member % size
    return f"{first:05d}" if size == 1 else f"{first:05d}-{first + size - 1:05d}"


def split_member(path: str | Path) -> tuple[Path, int | None]:
    """Return the file and the number of ``FILE:NUMBER``, which names a member; None: no number is named."""
    file, _, number = str(path).rpartition(":")
    if file and number.isdecimal() and not Path(path).exists():
        return Path(file), int(number)
    return Path(path), None


def _file(name: str) -> property:
    return property(lambda paths: paths / name)


def _files(pattern: str) -> Callable[..., str]:
    return lambda paths, *names: paths / (pattern % names)


def _zoo_file(name: str) -> property:
    return property(lambda paths: str(Path(paths.zoo or paths.folder, name)))


def _zoo_files(pattern: str) -> Callable[..., str]:
    return lambda paths, *names: str(Path(paths.zoo or paths.folder, pattern % names))


@dataclass(frozen=True)
class Paths:
    """Paths of a run's files, as text; arguments may be wildcards of Snakemake, such as ``"{part}"``.

    Attributes:
        folder: folder of the run, ``results/<run>``.
        zoo: folder of the run whose members and packed images this run uses; empty: its own.
    """

    folder: str
    zoo: str = ""

    log = _files("logs/%s.log")  # by the name of a job: its rule and its wildcards, such as pack_class/{name}
    benchmark = _files("benchmarks/%s.tsv")  # run time and memory of a job, by the same name
    packed = _zoo_files("images/%s.h5")  # packed images of a class
    all_packed = _zoo_file("images/all.json")  # list of all packed images: one file for jobs that read all of them
    class_mean = _files("datasets/class_means/%s.h5")  # dataset embedding of a class
    class_means = _file("datasets/class_means.json")  # list of all dataset embeddings
    cohort = _zoo_files("zoo/members/%s.h5")  # snapshots of the members of a cohort, see ``cohort_name``
    zoo_history = _file("zoo/history.csv")  # metrics of all members by epoch
    start = _zoo_file("zoo/start.safetensors")  # initial weights of all members
    zoo_description = _file("zoo/zoo.json")  # see ``wsl.zoo.borrowed``
    coefficients = _files("weights/coefficients/%s.h5")  # PCA coefficients of a part's snapshots
    weight_encoder = _file("weights/encoder.safetensors")
    encoder_history = _file("weights/encoder_history.csv")  # losses of the weight encoder by epoch
    latents = _files("weights/latents/%s.h5")  # weight latents of a part's snapshots
    bins = _file("outcomes/bins.json")
    shared_history = _file("shared/history.csv")  # losses of the shared encoder by epoch
    similarities = _file("shared/similarities.csv")  # cosine similarities of weight latents and projections of (D, R)
    fitted = _files("sampling/%s-%s.safetensors")  # trained part of a sampler in one draw
    body = _file("sampling/body.safetensors")  # body of generated models
    merged = _files("sampling/merged/%s.safetensors")  # a body merged from the members, by the way to merge
    sampler = _file("sampling/sampler.json")  # description of the run's sampler, which ``wsl sample`` reads
    judged = _files("evaluation/protocol/%s-%s.csv")  # accuracies of a sampler or baseline in one draw
    novelty = _files("evaluation/novelty/%s-%s.csv")  # distances of a method's models from the training snapshots
    measured = _files("evaluation/%s.csv")  # a measurement that tables and figures are generated from
    table = _files("tables/%s.csv")
    summary = _file("summary.json")  # the run's main numbers
    report = _file("report.html")
    explore = _file("explore.html")  # the interactive page

    @classmethod
    def of_run(cls, run: str, zoo: str = "") -> "Paths":
        """Return the paths of a run by its name, relative to the working directory."""
        return cls(f"{RESULTS}/{run}", zoo)

    def __truediv__(self, name: str) -> str:
        return str(Path(self.folder, name))

    def index(self, part: str, aligned: bool = False) -> str:
        """Return the index of a part, of members as trained or permuted onto a reference member (``aligned``)."""
        return self / f"{'weights/aligned' if aligned else 'zoo'}/{part}.h5"

    def pca(self, name: str, stage: str = "pca") -> str:
        """Return the PCA of a named parameter; its stage is ``pca``, or ``gated`` under a budget."""
        return self / f"weights/{stage}/{name}.h5"

    def codes(self, part: str, space: str) -> str:
        """Return the codes of a part in the space ``latent`` or ``coefficients``."""
        return self.latents(part) if space == "latent" else self.coefficients(part)

    def shared(self, draw: int | str = 0) -> str:
        """Return a draw of the shared encoder; 0 is the first."""
        return self / f"shared/encoder{f'-{draw}' if draw else ''}.safetensors"

    def figure(self, name: str, suffix: str = "png") -> str:
        """Return a figure of the report."""
        return self / f"figures/{name}.{suffix}"
