"""How to fit an encoder; apart from the loop, so that reading a config needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The optimisation (AdamW): see the keys of the same names in the config."""

    learning_rate: float
    weight_decay: float
    batch_size: int
    epochs: int
    patience: int | None
    schedule: str
    keep: str
