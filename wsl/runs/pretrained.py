"""Pretrained weights that a config names: existing files, and files that are fetched before a job needs them."""

import re
from collections.abc import Container
from pathlib import Path

from wsl.config.schema import Config
from wsl.errors import ConfigError
from wsl.files.opening import rerun_command
from wsl.files.packages import PIP, package_file
from wsl.files.plain import file_digest
from wsl.paths import Paths

CLIP_CONFIG = "open_clip_config.json"  # a model's config and preprocessing, as open_clip's own folders have it
SUFFIXES = (".json", ".pt", ".pth", ".bin", ".safetensors")


class Pretrained:
    """The files of a run's pretrained weights; jobs only read files, so no job needs a network.

    Weights that the config names by tag or repository are fetched into the run's folder ``downloads``.

    Args:
        config: of the run.

    Attributes:
        clip: ``model`` and ``weights``, see ``wsl.datasets.settings.ClipModel``; or the settings of a dataset encoder
            that does not use CLIP, with the path of its checkpoint.
        clip_files: files that this model is loaded from: inputs of jobs, so that replacing one reruns them.
        clip_folder: where ``wsl.datasets.fetching.fetch_clip`` writes everything except the weights; None: not fetched.
        clip_config: the model's JSON config, if its weights are fetched.
        checkpoint_files: the file that members start from, if there is one.
        checkpoint_fetched: whether ``wsl.zoo.fetching.fetch_checkpoint`` writes it.

    Raises:
        ConfigError: a file does not exist.
    """

    def __init__(self, config: Config):
        datasets, backbone = config.datasets, config.zoo.backbone
        downloads = Path(Paths.of_run(config.run).folder, "downloads")
        if datasets.encoder.reads_clip:
            self._clip(datasets.model, datasets.weights, downloads)
        else:
            file = _existing(datasets.encoder.checkpoint, "datasets.encoder.checkpoint")
            self.clip = datasets.encoder.model_copy(update={"checkpoint": file}).model_dump(mode="json")
            self.clip_files, self.clip_folder, self.clip_config = [file], None, []
        name = backbone.checkpoint
        self.checkpoint_fetched = name is not None and name.startswith(("torchvision:", "timm:"))
        if self.checkpoint_fetched:
            name = str(downloads / _plain(name))
        elif name is not None:
            name = _existing(name, "zoo.backbone.checkpoint")
        self.checkpoint_files = [] if name is None else [name]
        self._checked = {
            "datasets.sha256": (self.clip.get("weights"), datasets.sha256),
            "zoo.backbone.sha256": (name, backbone.sha256),
        }
        self._fetched = {}
        if self.clip_folder is not None:
            self._fetched[self.clip["weights"]] = " ".join(filter(None, (datasets.model, datasets.weights)))
        if self.checkpoint_fetched:
            self._fetched[name] = backbone.checkpoint

    def _clip(self, model: str, weights: str | None, downloads: Path) -> None:
        names = [name for name in (model, weights) if name and ":" not in name]
        files = [name for name in names if "/" in name or Path(name).suffix in SUFFIXES]
        self.clip, self.clip_files = {"model": model, "weights": weights}, files
        self.clip_folder, self.clip_config = None, []
        if model.startswith("local-dir:"):
            folder = Path(model.removeprefix("local-dir:"))
            self.clip["model"] = str(folder / CLIP_CONFIG)
            inside = [str(path) for path in folder.glob("*") if path.is_file()]
            files = self.clip_files = sorted({self.clip["model"], *inside})
        elif model.startswith("hf-hub:") or (weights and weights not in files):
            self.clip_folder = str(downloads / _plain(f"{Path(model).name}--{weights}" if weights else model))
            self.clip = {"model": f"{self.clip_folder}/{CLIP_CONFIG}", "weights": f"{self.clip_folder}.weights"}
            self.clip_files, self.clip_config = [self.clip_folder, self.clip["weights"]], files
        for name in files:
            if not Path(name).is_file():
                raise ConfigError(f"datasets: there is no file {name}; correct the path, or name an open_clip model")

    def check(self, fetched_now: Container[str] = ()) -> None:
        """Check the checksums of existing files, except for those that this start of the workflow fetches again.

        Raises:
            ConfigError: a file has another checksum than that in the config.
        """
        for key, (path, sha256) in self._checked.items():
            if not sha256 or path in fetched_now or not Path(path).is_file() or (digest := file_digest(path)) == sha256:
                continue
            again = f"fetch it again: `{rerun_command(path)}` with the run's config"
            remedy = again if path in self._fetched else "name another file"
            raise ConfigError(f"{key}: {path} has the checksum {digest}, not {sha256}; correct the key, or {remedy}")

    def fetches(self) -> list[str]:
        """Return one sentence per file from the network: whether it has been fetched."""
        return [
            f"{name} has been fetched into {path}"
            if Path(path).is_file()
            else f"{name} is missing: Snakemake fetches it into {path}, which needs a network"
            for path, name in self._fetched.items()
        ]


def _existing(source: str, key: str) -> str:
    """Return the path of a file that a config names, or of the weights in an installed package."""
    if source.startswith(PIP):
        return str(package_file(source, key))
    if not Path(source).is_file():
        raise ConfigError(f"{key}: there is no file {source}; correct the path")
    return source


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)
