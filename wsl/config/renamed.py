"""Keys of earlier versions of the config, and what became of each."""

FLOW = "the flow starts from the prediction of `regression`"
GONE = "no longer a setting; remove it"

# By former key. A key that is used again must be removed here.
RENAMED = {
    "sampling.flow.image_counts": f"now sampling.regression.image_counts: {FLOW}",
    "sampling.flow.space": f"now sampling.regression.space: {FLOW}",
    "sampling.flow.normalise": f"now sampling.regression.normalise: {FLOW}",
    "sampling.flow.condition_dropout": f"{GONE}: {FLOW}, which always has its condition",
    "shared.temperature": "now shared.losses.nt_xent.temperature",
    "shared.symmetric": "now shared.losses.nt_xent.symmetric",
    "sampling.regression.temperature": "now sampling.regression.losses.nt_xent.temperature",
    "sampling.regression.symmetric": "now sampling.regression.losses.nt_xent.symmetric",
    "sampling.flow.guidance": f"{GONE}; sampling.flow.temperature sets how much samples differ",
}


def renamed_in(section: str) -> dict[str, str]:
    """Return the renamed keys of a section, relative to it.

    Args:
        section: for example ``weights``, whose keys also stand in ``evaluation.bench.encoders.NAME``.
    """
    prefix = f"{section}."
    return {
        key.removeprefix(prefix): became.replace(f"now {prefix}", "now ")
        for key, became in RENAMED.items()
        if key.startswith(prefix)
    }
