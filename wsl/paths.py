"""Paths of a run's files: the only definition, shared by the workflow's rules and the library."""

from dataclasses import dataclass
from pathlib import Path

RESULTS = "results"


@dataclass(frozen=True)
class Paths:
    """Paths of a run's files, as text; arguments may be wildcards of Snakemake, such as ``"{part}"``.

    Attributes:
        folder: folder of the run, ``results/<run>``.
    """

    folder: str

    @classmethod
    def of_run(cls, run: str) -> "Paths":
        """Return the paths of a run by its name, relative to the working directory."""
        return cls(f"{RESULTS}/{run}")

    def __truediv__(self, name: str) -> str:
        return str(Path(self.folder, name))

    def log(self, name: str) -> str:
        """Return the log of a job.

        Args:
            name: the rule's name, followed by the job's wildcards: ``pack_class/{name}``.
        """
        return self / f"logs/{name}.log"

    def benchmark(self, name: str) -> str:
        """Return the file with a job's run time and memory; ``name`` as for ``log``."""
        return self / f"benchmarks/{name}.tsv"

    def packed(self, name: str) -> str:
        """Return the packed images of a class."""
        return self / f"images/{name}.h5"

    @property
    def all_packed(self) -> str:
        """The list of all packed images, so that a job that reads all depends on one file."""
        return self / "images/all.json"

    def class_mean(self, name: str) -> str:
        """Return the dataset embedding of a class."""
        return self / f"datasets/class_means/{name}.h5"

    @property
    def class_means(self) -> str:
        """The list of all dataset embeddings."""
        return self / "datasets/class_means.json"

    def member(self, name: str) -> str:
        """Return a member's snapshots."""
        return self / f"zoo/members/{name}.h5"

    def index(self, part: str, aligned: bool = False) -> str:
        """Return the index of a part.

        Args:
            part: ``train``, ``validation``, ``test`` or ``unseen``.
            aligned: the members permuted onto a reference member, not as trained.
        """
        return self / f"{'weights/aligned' if aligned else 'zoo'}/{part}.h5"

    @property
    def zoo_history(self) -> str:
        """The metrics of all members by epoch."""
        return self / "zoo/history.csv"

    @property
    def start(self) -> str:
        """The weights that all members start from."""
        return self / "zoo/start.safetensors"

    def pca(self, name: str, stage: str = "pca") -> str:
        """Return the PCA of a named parameter.

        Args:
            name: of the parameter.
            stage: ``pca``, or ``gated`` under a budget.
        """
        return self / f"weights/{stage}/{name}.h5"

    def coefficients(self, part: str) -> str:
        """Return the PCA coefficients of a part's snapshots."""
        return self / f"weights/coefficients/{part}.h5"

    @property
    def weight_encoder(self) -> str:
        """The trained weight encoder."""
        return self / "weights/encoder.safetensors"

    @property
    def encoder_history(self) -> str:
        """The losses of the weight encoder by epoch."""
        return self / "weights/encoder_history.csv"

    def latents(self, part: str) -> str:
        """Return the weight latents of a part's snapshots."""
        return self / f"weights/latents/{part}.h5"

    def codes(self, part: str, space: str) -> str:
        """Return the codes of a part.

        Args:
            part: of the zoo.
            space: ``latent`` or ``coefficients``.
        """
        return self.latents(part) if space == "latent" else self.coefficients(part)

    @property
    def bins(self) -> str:
        """The outcome bins."""
        return self / "outcomes/bins.json"

    def shared(self, draw: int | str = 0) -> str:
        """Return a draw of the shared encoder; 0 is the first."""
        return self / f"shared/encoder{f'-{draw}' if draw else ''}.safetensors"

    @property
    def shared_history(self) -> str:
        """The losses of the shared encoder by epoch."""
        return self / "shared/history.csv"

    @property
    def similarities(self) -> str:
        """Cosine similarities of weight latents and projections of (D, R)."""
        return self / "shared/similarities.csv"

    def fitted(self, method: str, draw: int | str) -> str:
        """Return the trained part of a sampler, in one draw."""
        return self / f"sampling/{method}-{draw}.safetensors"

    @property
    def body(self) -> str:
        """The body of generated models."""
        return self / "sampling/body.safetensors"

    @property
    def sampler(self) -> str:
        """The description of the run's sampler, which ``wsl sample`` reads."""
        return self / "sampling/sampler.json"

    def judged(self, method: str, draw: int | str) -> str:
        """Return the accuracies of one sampler or baseline."""
        return self / f"evaluation/protocol/{method}-{draw}.csv"

    def measured(self, name: str) -> str:
        """Return a measurement that tables and figures are made from."""
        return self / f"evaluation/{name}.csv"

    def table(self, name: str) -> str:
        """Return a table of the report."""
        return self / f"tables/{name}.csv"

    def figure(self, name: str, suffix: str = "png") -> str:
        """Return a figure of the report."""
        return self / f"figures/{name}.{suffix}"

    @property
    def summary(self) -> str:
        """The run's main numbers."""
        return self / "summary.json"

    @property
    def report(self) -> str:
        """The report."""
        return self / "report.html"
