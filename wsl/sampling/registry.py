"""Every sampler of codes by its name in the config."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsl.files import Files
from wsl.outcomes.bins import read_bins
from wsl.sampling.bank import Bank, load_bank
from wsl.sampling.flow import FlowSampler, load_flow
from wsl.sampling.memory_bank import MemoryBankSampler
from wsl.sampling.projection import ProjectionSampler
from wsl.sampling.regression import RegressionSampler
from wsl.sampling.retrieval import RetrievalSampler
from wsl.sampling.sampler import Sampler
from wsl.shared.predictor import load_predictor


def load_sampler(
    name: str,
    settings: dict[str, Any],
    class_means: Files,
    bins: str | Path,
    shared: str | Path | None = None,
    regression: str | Path | None = None,
    flow: str | Path | None = None,
    train_latents: str | Path | None = None,
    train_coefficients: str | Path | None = None,
) -> Sampler:
    """Load a sampler; files that it does not need may be left out.

    Args:
        name: see ``sampling.samplers`` in the config.
        settings: of this sampler: keyword arguments of its class, and the ``space`` of those that read a bank.
        class_means: a file a class, or a list of them.
        bins: outcome bins.
        shared: the shared encoder, for ``projection``.
        regression, flow: fitted files of the samplers of these names; the flow needs both.
        train_latents, train_coefficients: training snapshots, for ``memory-bank`` and ``retrieval``.
    """
    own = {key: value for key, value in settings.items() if key != "space"}

    def bank() -> Bank:
        space = settings["space"]
        return load_bank(train_latents if space == "latent" else train_coefficients, class_means, space)

    # A sampler that makes whole weights rather than codes is a ``Maker`` (wsl.sampling.making) and has no place here.
    loaders: dict[str, Callable[[], Sampler]] = {
        "projection": lambda: ProjectionSampler(load_predictor(shared), read_bins(bins), **own),
        "regression": lambda: RegressionSampler(load_predictor(regression), read_bins(bins), **own),
        "flow": lambda: FlowSampler(load_predictor(regression), load_flow(flow), read_bins(bins), **own),
        "memory-bank": lambda: MemoryBankSampler(bank(), **own),
        "retrieval": lambda: RetrievalSampler(bank(), **own),
    }
    return loaders[name]()
