"""The spaces of a finished run: latents of weights, and the nearest members of weights, datasets and losses."""

from __future__ import annotations

from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsl.api.codecs import CodecFiles, aligned, codec_files
from wsl.api.data import Data
from wsl.api.model import SampledModel
from wsl.api.written import WrittenRun
from wsl.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from torch import nn

    from wsl.sampling.description import Description
    from wsl.weights.codec import WeightCodec
    from wsl.zoo.layout import Layout

Weights = Any  # a state dict, a network, a sampled model, a flat vector, or the path of a file


class EncodedRun(WrittenRun):
    """A finished run with its weight encoder and its shared space."""

    @cached_property
    def description(self) -> Description:
        """The description of the run's sampler, with the files that it needs.

        Raises:
            DataError: the run has no sampler, or its files are missing.
        """
        from wsl.sampling.description import load_description

        return load_description(self.path)

    def encode(self, weights: Weights) -> np.ndarray:
        """Return the latent z_W (latent,) of one's own weights.

        Args:
            weights: state dict, network, sampled model, flat vector, or the path of a file, of the architecture of the
                run's members, for example ``results/glyphs/zoo/members/00010-00019.h5:17``.

        Raises:
            DataError: the weights belong to another network.
        """
        codec, flat = self._encodable(weights)
        return codec.encode(flat[None])[0]

    def decode(self, latent: np.ndarray, architecture: str | None = None) -> dict[str, torch.Tensor]:
        """Return the state dict of a latent z_W (latent,); of adapters, the changes of the frozen network.

        Args:
            latent: see ``encode``.
            architecture: label of the architecture, in a run whose zoo is mixed.

        Raises:
            DataError: the latent has another size, or the architecture is not given.
        """
        import numpy as np

        from wsl.zoo.network import state_dict

        codec = self._codec(architecture)
        given = np.asarray(latent, dtype=np.float32)
        if given.shape != (codec.encoder.latent,):
            raise DataError(f"latents of {self.path} have the shape ({codec.encoder.latent},), not {given.shape}")
        return state_dict(codec.decode(given[None])[0], codec.linear.layout, codec.counters)

    def network(self, weights: Weights, architecture: str | None = None) -> nn.Module:
        """Return a network with weights, in evaluation mode.

        Args:
            weights: see ``encode``; or what ``decode`` returns.
            architecture: label of the architecture, in a run whose zoo is mixed.

        Raises:
            DataError: the weights belong to another network, or the run's networks cannot be built.
        """
        from wsl.zoo.network import network_for, state_dict

        label, flat = self._read(weights, architecture)
        codec = self._codec(label)
        network = network_for(codec.linear.layout)
        network.load_state_dict(state_dict(flat, codec.linear.layout, codec.counters))
        return network.to(self.device).eval()

    def neighbours(
        self, query: Data | Weights, loss: float | None = None, n: int = 5, part: str = "train"
    ) -> pd.DataFrame:
        """Return the members nearest to a dataset and a loss in the shared space, or to weights in weight space.

        Args:
            query: dataset of ``embed``; or weights, see ``encode``; or the number of a member.
            loss: of a dataset: its requested validation loss, nats; None: the run's.
            n: number of members.
            part: of the members: ``train``, ``validation``, ``test`` or ``unseen``.

        Returns:
            One row per member, the nearest first, of its nearest snapshot and class order: ``member``, ``snapshot``,
            ``task``, ``validation_loss``, ``validation_accuracy``, and ``cosine``: of a dataset, between the projection
            of (D, R) and weight latents; of weights, between latents standardised by the snapshots of the part. A
            member is not its own neighbour.

        Raises:
            DataError: the run has no shared encoder, no such part or no such member, or the weights do not fit.
        """
        from wsl.weights.codec import neighbours

        latents = self._latents(part)
        if isinstance(query, Data):
            return self._neighbours_of_pair(self._own(query), loss, n, latents)
        if loss is not None:
            raise DataError("a loss belongs to a dataset; embed the dataset, or leave the loss out for weights")
        if isinstance(query, Integral):
            found = neighbours(self._codec(), latents, self._member(int(query)), n + 1)
            return found[found["member"] != query].head(n).reset_index(drop=True)
        codec, flat = self._encodable(query)
        return neighbours(codec, latents, flat, n)

    def map(self) -> Any:
        """Return the shared space as an interactive map, which a notebook shows.

        Raises:
            DataError: the map cannot be made here.
        """
        from wsl.explore.notebook import figure

        return figure(self.path)

    def _own(self, data: Data) -> Data:
        if data.run.resolve() != self.path.resolve():
            raise DataError(f"this dataset is embedded by {data.run}; embed it by {self.path}")
        return data

    @property
    def _described(self) -> dict[str, Any] | None:
        from wsl.sampling.description import NAME

        return self.description.files if (self.path / NAME).is_file() else None

    @cached_property
    def _codec_files(self) -> dict[str, CodecFiles]:
        return codec_files(self.path, self._described)

    def _codec(self, label: str | None = None) -> WeightCodec:
        """Return the weight encoder for an architecture; None: the only one."""
        from wsl.weights.codec import load_codec

        known = self._codec_files
        if label is None and len(known) > 1:
            raise DataError(f"the zoo of {self.path} is mixed; give architecture: {' or '.join(known)}")
        if label is not None and label not in known and [*known] != [""]:
            raise DataError(f"{self.path} has no architecture {label!r}; it has {', '.join(known)}")
        label = label if label in known else next(iter(known))
        if label not in self._loaded:
            self._loaded[label] = load_codec(*known[label])
        return self._loaded[label]

    @cached_property
    def _loaded(self) -> dict[str, WeightCodec]:
        return {}

    def codec_for(self, layout: Layout) -> WeightCodec:
        """Return the weight encoder for networks of a layout.

        Raises:
            DataError: no member of the run has this architecture.
        """
        for label in self._codec_files:
            codec = self._codec(label)
            if codec.linear.layout.entries == layout.entries:
                return codec
        raise DataError(f"the members of {self.path} have other parameters; give a run with this architecture")

    def _label_of(self, weights: Any, place: str) -> str:
        """Return the label of the architecture that weights fit."""
        from wsl.zoo.given import fits
        from wsl.zoo.index import open_zoo

        known = self._codec_files
        if len(known) == 1:
            return next(iter(known))
        for label, files in known.items():
            with open_zoo(files.index) as zoo:
                if fits(weights, zoo.layout):
                    return label
        raise DataError(f"{place} has the parameters of none of the architectures of {self.path}: {', '.join(known)}")

    def _read(self, weights: Weights, label: str | None = None) -> tuple[str, np.ndarray]:
        """Return the label of the architecture of weights, and the flat weights (n_weights,)."""
        from wsl.zoo.given import flat_weights, read_weights_of

        given, place = (weights.flat, "the model") if isinstance(weights, SampledModel) else read_weights_of(weights)
        label = self._label_of(given, place) if label is None else label
        return label, flat_weights(given, self._codec(label).linear.layout, place, self.path)

    def _encodable(self, weights: Weights) -> tuple[WeightCodec, np.ndarray]:
        """Return the weight encoder, and flat weights (n_weights,) as it reads them."""
        label, flat = self._read(weights)
        codec = self._codec(label)
        return codec, aligned(flat, self._codec_files[label], codec, self.path)

    def _latents(self, part: str) -> Path:
        folder = self.path / "weights" / "latents"
        known = {path.stem: path for path in sorted(folder.glob("*.h5"))}
        if "latents" in (described := self._described or {}):
            known["train"] = Path(described["latents"])
        if part not in known:
            if len(self._codec_files) > 1:
                raise DataError(
                    f"the zoo of {self.path} is mixed: latents of several architectures differ in size, so there are "
                    "no nearest members; use a run whose members have one architecture"
                )
            raise DataError(f"{self.path} has no latents of the part {part!r}; it has {', '.join(known) or 'none'}")
        return known[part]

    def _neighbours_of_pair(self, data: Data, loss: float | None, n: int, latents: Path) -> pd.DataFrame:
        from wsl.outcomes.bins import read_bins
        from wsl.shared.neighbours import nearest_to_pair

        files = self.description.files
        shared = Path(files.get("shared") or self._paths.shared())
        if not shared.is_file():
            raise DataError(f"{shared} is missing, so {self.path} has no shared space; use a run that has it")
        requested = read_bins(files["bins"]).requested_loss(self.description.outcome if loss is None else loss)
        return nearest_to_pair(shared, files["bins"], latents, data.embedding, requested, n)

    def _member(self, number: int) -> np.ndarray:
        """Return the flat weights (n_weights,) of the last snapshot of a member."""
        from wsl.zoo.index import open_zoo, read_snapshot

        first = next(iter(self._codec_files.values())).index
        for index in sorted(first.parent.glob("*.h5")):
            with open_zoo(index) as zoo:
                rows = (zoo.snapshots["member"] == number).to_numpy().nonzero()[0]
                if len(rows):
                    return read_snapshot(zoo, rows[-1])
        raise DataError(f"{self.path} has no member {number} with weights")
