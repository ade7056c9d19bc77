"""The encoder `sane` compared with SANE's own code on one zoo: error of decoded held-out weights, and time per step.

sane.py CHECKOUT    (a folder with https://github.com/HSG-AIML/SANE, which is imported from there and needs its own
packages; or the environment variable SANE)

Both see the same snapshots, centred by weight and divided by the deviation of the named parameter, in the same tokens,
with transformers of one size, equal batches, numbers of steps and learning rates (one cycle). Errors are those of
decoded weights of held-out members, per named parameter and relative to its variance, averaged over numbers and over
parameters. Times are CPU seconds per step, in turn in one process, the minimum over rounds. The original is also spared
the explained variance that it computes in each step for its log.
"""

import argparse
import os
import random
import sys
import tempfile
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from side_by_side import report

from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.jobs.job import Job
from wsl.weights.encoders._token_encoder import TokenSequence
from wsl.weights.encoders._token_training import ViewLoss, permuted, standardise
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.encoders.tokens import token_size, tokens_of
from wsl.weights.snapshots import Snapshots
from wsl.zoo.cohort import train_cohort
from wsl.zoo.index import write_index
from wsl.zoo.layout import Layout, layout_to_text
from wsl.zoo.settings import MemberTraining

PERMUTATIONS = 5  # permuted copies of each snapshot that SANE's data sets hold
MEMBERS = {"train": 60, "test": 20}  # of the default zoo
WEIGHT_DECAY = 3e-9


class Zoo(NamedTuple):
    """Flat weights of training and held-out snapshots, and the means and deviations of the former."""

    layout: Layout
    train: torch.Tensor
    test: torch.Tensor
    standard: TokenSequence

    def errors(self, decoded: torch.Tensor) -> dict[str, float]:
        """Return the two averages of the errors of decoded held-out weights."""
        squares = ((decoded - self.test) / self.standard.scale).square().mean(0)
        each = [float(squares[entry.columns].mean()) for entry in self.layout.entries]
        return {"per number": float(squares.mean()), "per parameter": float(np.mean(each))}


class Arm(NamedTuple):
    """One way to train: ``step`` trains on a batch of rows; ``decoded`` returns decoded held-out weights."""

    step: Callable[[torch.Tensor], Any]
    decoded: Callable[[], torch.Tensor]


def train_zoo(folder: Path) -> dict[str, Path]:
    """Train small members on scikit-learn's digits, from independent starts, and return their indices."""
    classes, settings = [str(number) for number in range(10)], MemberTraining(architecture={"name": "cnn-small"})
    packed = [folder / f"{name}.h5" for name in classes]
    for name, path in zip(classes, packed, strict=True):
        pack_class(path, name, Packing(source="digits", size=28), seed=0)
    rng, first = np.random.default_rng(0), 0
    indices = {part: folder / f"{part}-index.h5" for part in MEMBERS}
    for part, count in MEMBERS.items():
        shared = {"classes": classes, "optimizer": "adam", "batch_size": 32, "weight_decay": 1e-3}
        shared |= {"early_epoch": 2, "max_epoch": 6}
        plans = [
            {**shared, "member": member, "seed": member, "learning_rate": float(10 ** rng.uniform(-3, -2))}
            for member in range(first, first + count)
        ]
        train_cohort(packed, folder / f"{part}.h5", plans, settings, job=Job("cpu"))
        write_index([folder / f"{part}.h5"], indices[part])
        first += count
    return indices


def read_zoo(train: Path, test: Path, size: int) -> Zoo:
    """Read the snapshots of two indices."""
    with Snapshots(train) as training, Snapshots(test) as held_out:
        cut = tokens_of(training.layout, min(size, token_size(training.layout, "own")), "own")
        sequence = TokenSequence(training.layout, cut)
        standardise(sequence, [training])
        parts = (part.weights(range(len(part))) for part in (training, held_out))
        return Zoo(training.layout, *parts, sequence)


def ours(zoo: Zoo, given: argparse.Namespace, seed: int, **changes: Any) -> Arm:
    """Prepare our encoder with the settings of SANE, except for ``changes``."""
    torch.manual_seed(seed)
    tokens, size = zoo.standard.tokens, zoo.standard.places.shape[1]
    settings = WEIGHT_ENCODERS["sane"](
        latent=given.latent * tokens, size=size, width=given.width, depth=given.depth, heads=given.heads,
        **{"window": given.window, "halo": given.halo, "permute": given.permute, **changes},
    )  # fmt: skip
    encoder = settings.module([layout_to_text(zoo.layout)], size, given.latent)
    encoder.sequences[0].load_state_dict(zoo.standard.state_dict())
    module, rng = ViewLoss(encoder, settings), np.random.default_rng(seed)
    about = {"lr": given.learning_rate, "weight_decay": WEIGHT_DECAY, "fused": True}
    optimizer = torch.optim.AdamW(module.parameters(), **about)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, given.learning_rate, given.steps)

    def step(rows: torch.Tensor) -> None:
        loss, _ = module(zoo.train[rows], zoo.layout, rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    @torch.no_grad()
    def decoded() -> torch.Tensor:
        return encoder.decode(encoder.encode(zoo.test))

    return Arm(step, decoded)


class Original:
    """SANE's tokens, transformer, augmentation, loss and step, on standardised checkpoints."""

    def __init__(self, checkout: Path, zoo: Zoo, given: argparse.Namespace, seed: int):
        sys.path.insert(0, str(checkout / "src"))
        try:
            from SANE.datasets import augmentations, dataset_auxiliaries
            from SANE.models.def_AE_module import AEModule
            from SANE.sampling import halo
        except ImportError as error:
            raise SystemExit(
                f"{checkout}: SANE's code cannot be imported ({error}). Give a checkout of "
                "github.com/HSG-AIML/SANE, and install lightning, einops, torchmetrics, ray and tqdm"
            ) from error
        self.zoo, self.given, self.halo, self.tools = zoo, given, halo, dataset_auxiliaries
        size, tokens = zoo.standard.places.shape[1], len(zoo.standard.places)
        self.window = min(given.window, tokens)
        rng, copies = np.random.default_rng(seed), [zoo.train]
        if given.permute:
            copies += [permuted(zoo.train, zoo.layout, rng) for _ in range(PERMUTATIONS)]
        self.data = torch.stack([self.tokens(copy, size) for copy in copies], 1)  # (n, copies, T, size)
        stack = [[augmentations.NoiseAugmentation(0.1)] for _ in range(2)]
        split = augmentations.TwoViewSplit(*stack, mode="permutation" if given.permute else "copy")
        counts = (self.positions.max(0).values + 1).tolist()
        config = {"seed": seed, "device": "cpu", "trainset::batchsize": given.batch}
        config |= {"training::windowsize": self.window, "ae:max_positions": counts, "ae:transformer_type": "gpt2"}
        config |= {"ae:i_dim": size, "ae:lat_dim": given.latent, "ae:d_model": given.width}
        config |= {"ae:nhead": given.heads, "ae:num_layers": given.depth, "training::gamma": 0.05}
        config |= {"optim::lr": given.learning_rate, "optim::wd": WEIGHT_DECAY}
        self.module = AEModule(config)
        self.module.scaler = torch.amp.GradScaler("cuda", enabled=False)
        self.module.criterion.loss_recon.loss_mean = 1.0
        self.module.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.module.optimizer, given.learning_rate, given.steps
        )
        self.views = augmentations.AugmentationPipeline([split])
        random.seed(seed)

    def tokens(self, weights: torch.Tensor, size: int) -> torch.Tensor:
        """Return SANE's tokens (n, T, size) of flat weights."""
        cut = []
        for row in (weights - self.zoo.standard.mean) / self.zoo.standard.scale:
            tokens, mask, positions = self.tools.tokenize_checkpoint(self.checkpoint(row), size)
            cut.append(tokens)
        self.mask, self.positions = mask, positions.int()
        return torch.stack(cut)

    def checkpoint(self, row: torch.Tensor) -> OrderedDict:
        named = self.zoo.layout.split(row.numpy())
        return OrderedDict((name, torch.from_numpy(values)) for name, values in named.items())

    def step(self, rows: torch.Tensor) -> None:
        starts = torch.randint(len(self.mask) - self.window + 1, (len(rows), 1))  # each sample's own, as in its data
        index = starts + torch.arange(self.window)
        batch = self.data[rows[:, None], :, index].transpose(1, 2)
        batch = batch if self.given.permute else batch[:, 0]
        self.module.model.train()
        one, m1, p1, two, m2, p2 = self.views(batch, self.mask[index], self.positions[index])
        self.module.train_step(one, m1, p1, two, m2, p2)

    @torch.no_grad()
    def decoded(self) -> torch.Tensor:
        self.module.model.eval()
        tokens = self.tokens(self.zoo.test, self.data.shape[-1])
        positions = self.positions.expand(len(tokens), -1, -1)
        if len(self.mask) > self.window:
            kept = self.window - 2 * self.given.halo, self.given.halo
            tokens, places = self.halo.haloify(tokens, positions, *kept)
            parts = zip(tokens.unbind(1), places.unbind(1), strict=True)
            back = torch.stack([self._through(part, place) for part, place in parts], 1)
            back, _ = self.halo.dehaloify(back, places, *kept, len(self.mask))
        else:
            back = self._through(tokens, positions)
        reference = self.checkpoint(torch.zeros(self.zoo.layout.size))
        named = (self.tools.tokens_to_checkpoint(row, self.positions, reference) for row in back)
        flat = [torch.cat([values.flatten() for values in checkpoint.values()]) for checkpoint in named]
        return torch.stack(flat) * self.zoo.standard.scale + self.zoo.standard.mean

    def _through(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return self.module.forward_decoder(self.module.forward_encoder(tokens, positions), positions)


def compare(zoo: Zoo, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Train all arms in turn and return a row per arm and seed."""
    rows = []
    for seed in range(given.seeds):
        original = Original(given.checkout, zoo, given, seed)
        arms = {
            "SANE's code": Arm(original.step, original.decoded),
            "ours, its recipe": ours(zoo, given, seed),
            "ours, reconstruction alone": ours(zoo, given, seed, beta=1.0, noise=0.0),
            "ours, alone, by parameter": ours(zoo, given, seed, beta=1.0, noise=0.0, loss="parameter"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in arms}
        for first in range(0, given.steps, given.round):
            for name, arm in arms.items():
                torch.manual_seed(1000 * seed + first)
                batches = torch.randint(len(zoo.train), (min(given.round, given.steps - first), given.batch))
                begun = time.process_time()
                for batch in batches:
                    arm.step(batch)
                seconds[name].append((time.process_time() - begun) / len(batches))
        for name, arm in arms.items():
            taken = {"ms per step": 1e3 * min(seconds[name])}
            rows.append({"arm": name, "seed": seed, **zoo.errors(arm.decoded()), **taken})
        mean = zoo.errors(zoo.train.mean(0).expand_as(zoo.test))
    return [*rows, {"arm": "mean of the training members", "seed": 0, **mean, "ms per step": 0.0}]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own = os.environ.get("SANE")
    parser.add_argument("checkout", type=Path, nargs="?", default=own, help="folder of SANE's repository")
    parser.add_argument("--train", type=Path, help="index of a run's training members; default: a small zoo is trained")
    parser.add_argument("--test", type=Path, help="index of held-out members")
    parser.add_argument("--permute", action="store_true", help="a permuted copy is the second view")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    for name, value in {"seeds": 2, "steps": 600, "batch": 32, "round": 25, "latent": 16, "width": 64, "depth": 2,
                        "heads": 4, "window": 64, "halo": 8, "size": 289}.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    if not given.checkout:
        parser.error("give the folder of a checkout of github.com/HSG-AIML/SANE, or set SANE to it")
    if bool(given.train) != bool(given.test):
        parser.error("give both --train and --test, or neither")
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        indices = {"train": given.train, "test": given.test} if given.train else train_zoo(Path(folder))
        zoo = read_zoo(**indices, size=given.size)
        recipe = {key: value for key, value in vars(given).items() if key not in ("checkout", "train", "test")}
        counts = {"weights": zoo.layout.size, "snapshots": len(zoo.train), "held-out snapshots": len(zoo.test)}
        report("sane", compare(zoo, given), {"recipe": recipe, "zoo": counts})
