"""What each method of the protocol is: a sampler, a baseline that it should beat, or a reference."""

# Trained on the held-out task itself: what sampling tries to reach without training.
REFERENCES = ("trained", "reconstructed")
# None of these is sampled from (D, R), and none is trained on the task: they see the same data as the samplers.
BASELINES = (
    *("scratch", "start", "mean", "nearest", "noised"),
    *("prototypes", "probe", "body-prototypes", "body-probe"),
)


def kind_of(method: str) -> str:
    """Return ``sampler``, ``baseline`` or ``reference``."""
    return "reference" if method in REFERENCES else "baseline" if method in BASELINES else "sampler"
