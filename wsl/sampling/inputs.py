"""The files and settings that the workflow gives to jobs that load a method."""

from typing import Any

from wsl.sampling.methods.base import METHODS, Files, codec_files


def common_files(run: Any) -> Files:
    """Return the files that all methods need, by the names of ``MethodFiles``."""
    paths = run.paths
    return {
        "index": paths.index("train", run.config.weights.align),
        "class_means": paths.class_means,
        "packed": paths.all_packed,
        "bins": paths.bins,
    }


def choice_of(run: Any, name: str, draw: int = 0) -> dict[str, Any]:
    """Return the values of ``wsl.sampling.loading.Choice`` for a method of a run."""
    sampling = run.config.sampling
    others = METHODS[name].builds_on(run)
    prompted = any(METHODS[one].from_prompts for one in (name, *others))
    return {
        "name": name,
        "draw": draw,
        "settings": METHODS[name].own_settings(run),
        "known": run.known_classes,
        "recalibrate": sampling.recalibration.enabled,
        **({"prompt_members": sampling.prompt_members} if prompted else {}),
        **({"others": {one: METHODS[one].own_settings(run) for one in others}} if others else {}),
    }


def compared(run: Any) -> list[str]:
    """Return the methods of a run's accuracy table: references, baselines, and the configured samplers."""
    others = [name for name in METHODS.of_kind("reference", "baseline") if METHODS[name].applies(run)]
    return [*others, *run.config.sampling.samplers]


def of_members(run: Any) -> list[str]:
    """Return the methods whose novelty is measured: the samplers, and the baselines made of members' weights."""
    return [name for name in compared(run) if METHODS[name].kind == "sampler" or METHODS[name].of_members]


def draws(run: Any, names: list[str]) -> list[tuple[str, int]]:
    """Return each method with each of its draws: ``sampling.draws`` of learned methods, one of all others."""
    return [(name, draw) for name in names for draw in range(run.config.sampling.draws if METHODS[name].learned else 1)]


def described_files(run: Any) -> Files:
    """Return the files of ``wsl sample`` and ``wsl inspect``: those of sampler, baselines and weight encoder."""
    files = {**common_files(run), **codec_files(run), "latents": run.paths.latents("train")}
    for name in compared(run):
        if METHODS[name].own_images is not None:
            files |= METHODS[name].files(run, 0)
    return {**files, **METHODS[run.config.sampling.sampler].files(run, 0)}
