"""What a mixed zoo cannot do, found before any job."""

from wsl.config.schema import Config
from wsl.settings.sections import Section

USED = ("run", "seed", "plugins", "images", "zoo", "weights", "evaluation")


def mixed_faults(config: Config) -> list[str]:
    """Return one line per key that does not work with several architectures, and per given key without effect."""
    zoo, bench, faults = config.zoo, config.evaluation.bench.encoders, {}
    if zoo.backbone.checkpoint is not None:
        faults["zoo.backbone.checkpoint"] = "a checkpoint has one architecture; give backbone.classes in its place"
    if zoo.backbone.teacher:
        faults["zoo.backbone.teacher"] = "a mixed zoo has no CLIP features; set it to 0"
    if zoo.adapter.lora.rank is not None:
        faults["zoo.adapter"] = "the zoos of adapters have one architecture; remove it"
    if zoo.cohort > 1:
        faults["zoo.cohort"] = "members of one job have one architecture; set it to 1"
    if config.evaluation.bench.by:
        faults["evaluation.bench.by"] = "the table of a mixed zoo is by architecture; remove it"
    for name, weights in config.encoders().items():
        if not weights.encoder.mixed:
            key = f"evaluation.bench.encoders.{name}" if name in bench else "weights"
            takes = f"{weights.encoder.name} takes networks of one architecture"
            faults[f"{key}.encoder"] = f"{takes}; choose sane or contrastive"
    unused = _given(config, "", USED) + _given(config.weights, "weights.", ("encoder", "orders"))
    unused += _given(config.evaluation, "evaluation.", ("bench",))
    for name, variant in bench.items():
        unused += _given(variant, f"evaluation.bench.encoders.{name}.", ("encoder",))
    faults |= dict.fromkeys(unused, "a mixed zoo has neither PCA nor samplers; remove it")
    return [f"{key}: {fault}, or give one zoo.architecture" for key, fault in faults.items()]


def _given(section: Section, above: str, used: tuple[str, ...]) -> list[str]:
    """Return the keys that a section of the config gives, except those that are used."""
    return [above + key for key in type(section).model_fields if key in section.model_fields_set - {*used}]
