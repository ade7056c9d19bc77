"""A tiny zoo of one architecture, and everything that the later stages fit to it, made on first use."""

import json
from functools import cache, cached_property
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.stages.kinds import config_of
from wsl.datasets.clip import embed_classes
from wsl.datasets.settings import ClipModel
from wsl.evaluation.accuracies import measure_accuracies
from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.jobs.job import Job
from wsl.outcomes.bins import Outcomes, write_bins
from wsl.sampling import head
from wsl.sampling.body import fit_body
from wsl.sampling.generator import fit_generator
from wsl.sampling.loading import Choice, MethodFiles
from wsl.sampling.methods.base import METHODS
from wsl.sampling.methods.regression import RegressionSettings, fit_regression
from wsl.sampling.residual_flow import FlowFiles, fit_flow
from wsl.sampling.settings import BodySettings
from wsl.sampling.token_prior import PriorFiles, fit_prior
from wsl.shared.settings import Shared
from wsl.shared.training import train_shared
from wsl.weights.codec import WeightCodec, embed_part, load_codec
from wsl.weights.coefficients import encode_part
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.encoders.tokens import tokens_of
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.weights.settings import EncoderFit
from wsl.weights.symmetry import permutable
from wsl.weights.training import train_weight_encoder
from wsl.zoo.cohort import train_cohort
from wsl.zoo.index import write_index
from wsl.zoo.settings import MemberTraining, Network
from wsl.zoo.start import random_start

SIZE = 24  # pixels; the small and the large CNN take no smaller images than 20 and 22
NAMES = "ABCDE"  # glyphs
TASKS = {"train": ["ABC", "CDE", "EBD", "DAB"], "validation": ["BAE"], "test": ["ADC"]}
TASK = "A/D/C"  # of the test member
RECIPE = {"learning_rate": 1e-2, "weight_decay": 0.0, "batch_size": 4, "epochs": 1}
LEARNED = {"learning_rate": 1e-2, "batch_size": 4, "epochs": 1, "hidden": [4]}  # settings of samplers
FEW = {"kde-subsampled": {"candidates": 2}, "kde-bootstrapped": {"candidates": 2, "keep": 1, "iterations": 2}}
TOKEN = 128  # numbers
TINY_CLIP = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "patch_size": 8, "head_width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 8, "heads": 1, "layers": 1},
}
FIRST = "pca-ae"  # the weight encoder of samplers
BUILT_ON = {"shuffled": "retrieval"}  # methods that change the models of another


class Images:
    """Glyphs of five classes, which all architectures share: packed, embedded by a tiny CLIP, and as a user's photos.

    Attributes:
        packed: packed images by name.
        files: these files in order.
        means: files of CLIP features.
        clip: the JSON config of the CLIP model.
        photos: a folder with a folder of images for each of three classes.
    """

    def __init__(self, folder: Path):
        self.packed = {name: folder / f"packed-{name}.h5" for name in NAMES}
        self.files, self.means = list(self.packed.values()), [folder / f"means-{name}.h5" for name in NAMES]
        self.clip, self.photos = folder / "tiny-clip.json", folder / "photos"

    def make(self) -> "Images":
        self.clip.write_text(json.dumps(TINY_CLIP))
        for name, path in self.packed.items():
            pack_class(path, name, Packing(source={"name": "glyphs", "drawn": 30}, size=SIZE), seed=0)
        embed_classes(self.files, self.means, [()] * len(self.files), ClipModel(model=str(self.clip)))
        for name in "ADC":
            (self.photos / name).mkdir(parents=True)
            with h5py.File(self.packed[name]) as file:
                for place, image in enumerate(file["test"]):
                    Image.fromarray(image).save(self.photos / name / f"{place}.png")
        return self


class Material:
    """Six members of one architecture, in a folder like that of a run, and what is fitted to them.

    Args:
        architecture: its value in a config.
        images: folder of ``Images``.
        root: folder of all files.
    """

    def __init__(self, architecture, images: Path, root: Path):
        (root / "images").symlink_to(images)  # a run has its images in its folder
        self.images, self.root = Images(root / "images"), root
        self.training = MemberTraining(architecture=architecture)
        self.architecture = self.training.architecture
        self.network = Network(architecture=self.architecture, classes=3, size=SIZE)
        self.layout = self.network.layout
        self.fitted = cache(self._fitted)
        self.codec = cache(self._codec)
        self.latents = cache(self._latents)

    def config(self, **sections) -> dict:
        """Return a config of a run with this architecture."""
        return {**config_of(self.architecture.described()), **sections}

    @property
    def samplers(self) -> list[str]:
        """The samplers of the package that these networks can have."""
        return [
            "projection",
            "regression",
            "memory-bank",
            "retrieval",
            "autoregressive",
            "flow",
            *["generator"] * (len(self.layout.head) == 2),
        ]

    def packed(self, task: str) -> list[Path]:
        return [self.images.packed[name] for name in task]

    @cached_property
    def members(self) -> dict[str, list[Path]]:
        """Paths of the members by part."""
        members, number = {}, 0
        for part, tasks in TASKS.items():
            members[part] = []
            for task in tasks:
                members[part].append(self.root / "members" / f"{number:05d}.h5")
                plan = self.plan(number, task)
                train_cohort(self.packed(task), members[part][-1], [plan], self.training)
                number += 1
        return members

    @staticmethod
    def plan(number: int, task: str = "ABC") -> dict:
        """A member's row of the plan."""
        sgd = number % 2 == 1
        row = {"member": number, "classes": list(task), "seed": 100 + number, "batch_size": 16, "weight_decay": 0.0}
        row |= {"optimizer": "sgd" if sgd else "adam", "learning_rate": 3e-3 if sgd else 2e-3}
        return {**row, "early_epoch": 1, "max_epoch": 2}

    @cached_property
    def index(self) -> dict[str, Path]:
        """Indices by part."""
        for part, paths in self.members.items():
            write_index(paths, self.root / f"{part}.h5")
        return {part: self.root / f"{part}.h5" for part in TASKS}

    @cached_property
    def pca(self) -> list[Path]:
        """PCA files of all named parameters, with as many components as there are."""
        names = [entry.name for entry in self.layout.entries]
        paths = [self.root / "pca" / f"{name}.h5" for name in names]
        fit_parameters(self.index["train"], paths, names, PcaSettings(variance_threshold=0))
        return paths

    @cached_property
    def coefficients(self) -> dict[str, Path]:
        files = {part: self.root / "coefficients" / f"{part}.h5" for part in TASKS}
        for part, path in files.items():
            encode_part(self.index[part], self.pca, path, seed=0)
        return files

    def encoder_settings(self, name: str) -> dict:
        """The smallest settings of a weight encoder."""
        if name in ("pca", "statistics", "flat", "nearest", "noise"):
            return {"name": name}
        settings = {"name": name, **RECIPE}
        if name == "vq":
            return {**settings, "size": TOKEN, "entries": 8, "dim": 2, "width": 4, "depth": 1}
        if name in ("sane", "contrastive", "hyper"):
            tokens = len(tokens_of(self.layout, TOKEN).places)
            settings |= {"permute": bool(permutable(self.layout)), "size": TOKEN, "width": 16, "depth": 1}
            settings |= {} if name == "hyper" else {"windows": 1}
            return {**settings, "latent": tokens if name == "sane" else 8}
        return {
            **settings,
            **({"hidden": [4], "components": 8} if name == "ae-pca" else {"latent": 8, "behaviour": 0.1}),
        }

    def _fitted(self, name: str) -> Path:
        """The file of a fitted weight encoder."""
        out = self.root / "encoders" / f"{name}.safetensors"
        codes = self.coefficients
        inputs = EncoderInputs(
            *(self.index["train"], self.index["validation"], codes["train"], codes["validation"]),
            *(self.pca, self.images.files),
        )
        fit = EncoderFit(encoder=self.encoder_settings(name))
        train_weight_encoder(inputs, out, out.with_suffix(".csv"), out.with_suffix(".states"), fit)
        return out

    def _codec(self, name: str = FIRST) -> WeightCodec:
        return load_codec(self.index["train"], self.pca, self.fitted(name))

    def _latents(self, name: str = FIRST) -> dict[str, Path]:
        files = {part: self.root / "latents" / f"{name}-{part}.h5" for part in TASKS}
        for part, path in files.items():
            embed_part(self.index[part], self.coefficients[part], self.pca, self.fitted(name), path, 1, 0)
        return files

    @cached_property
    def bins(self) -> Path:
        write_bins(self.index["train"], self.root / "bins.json", Outcomes(bins=4))
        return self.root / "bins.json"

    def codes(self, space: str) -> dict[str, Path]:
        return self.latents() if space == "latent" else self.coefficients

    def conditions(self, space: str) -> tuple:
        codes = self.codes(space)
        return codes["train"], codes["validation"], self.images.means, self.bins

    @cached_property
    def shared(self) -> Path:
        out = self.root / "shared.safetensors"
        settings = Shared(outcome_embedding=4, hidden=[4], dropout=0.0, **RECIPE)
        train_shared(*self.conditions("latent"), out, self.root / "shared.csv", settings)
        return out

    @cached_property
    def regression(self) -> Path:
        out = self.root / "regression.safetensors"
        settings = RegressionSettings(**LEARNED)
        fit_regression(*self.conditions("coefficients"), out, self.root / "regression.csv", settings)
        return out

    @cached_property
    def flow(self) -> Path:
        out = self.root / "flow.safetensors"
        inputs = FlowFiles(*self.conditions("coefficients"), self.regression)
        settings = METHODS["flow"].Settings(**LEARNED, directions=2)
        fit_flow(inputs, out, self.root / "flow.csv", settings, "per-parameter", [])
        return out

    @cached_property
    def autoregressive(self) -> Path:
        out, (train, validation) = self.root / "prior.safetensors", [*self.latents("vq").values()][:2]
        inputs = PriorFiles(train, validation, self.images.means, self.bins, self.fitted("vq"))
        settings = METHODS["autoregressive"].Settings(**RECIPE, width=4, depth=1)
        fit_prior(inputs, out, self.root / "prior.csv", settings)
        return out

    @cached_property
    def body(self) -> Path:
        out = self.root / "body.safetensors"
        fit_body(self.index["train"], self.images.files, out, BodySettings(epochs=1))
        return out

    @cached_property
    def generator(self) -> Path:
        out = self.root / "generator.safetensors"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(head, "TASKS", 2)
            fit_generator(self.body, self.images.means, self.images.files, out, list(NAMES), counts=[5])
        return out

    @cached_property
    def accuracies(self) -> Path:
        measure_accuracies(list(self.index.values()), self.images.files, self.root / "accuracies.csv")
        return self.root / "accuracies.csv"

    @cached_property
    def start(self) -> Path:
        random_start(self.root / "start.safetensors", self.network, Job(seed=4))
        return self.root / "start.safetensors"

    def method_files(self, name: str) -> MethodFiles:
        """The files of a method."""
        name = BUILT_ON.get(name, name)
        others = {"pca": self.pca, "encoder": self.fitted(METHODS[name].needs_encoder or FIRST)}
        if "generator" in self.samplers:
            others |= {"start": self.start, "body": self.body}
        others |= {"latents": self.latents()["train"], "coefficients": self.coefficients["train"]}
        space = "latents" if METHODS[name].space == "latent" else "coefficients"
        others |= {"codes": others[space], "shared": self.shared}
        if name in ("regression", "flow", "autoregressive", "generator"):  # the others are not fitted
            others |= {"fitted": getattr(self, name), "regression": self.regression}
        common = (self.index["train"], self.images.means, self.images.files, self.bins)
        return MethodFiles(*common, [self.index["validation"], self.index["test"]], **others)

    @staticmethod
    def choice(name: str, recalibrate: bool = True) -> Choice:
        settings = {"of": BUILT_ON[name]} if name in BUILT_ON else FEW.get(name, {})
        others = {BUILT_ON[name]: {}} if name in BUILT_ON else {}
        return Choice(name=name, settings=settings, known=list(NAMES), recalibrate=recalibrate, others=others)

    @cached_property
    def weights(self) -> np.ndarray:
        """The last snapshot of the first member (n_weights,)."""
        from wsl.zoo.member import read_member

        return read_member(self.members["train"][0]).weights[-1]
