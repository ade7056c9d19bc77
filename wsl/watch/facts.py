"""A run's state for programs."""

from dataclasses import asdict
from typing import Any

from wsl.watch.screen import reason
from wsl.watch.state import State, last_epoch


def facts(name: str, state: State) -> dict[str, Any]:
    """Return everything about a run's state as plain values.

    Args:
        name: of the run.

    Returns:
        ``run``, ``phase`` (see ``wsl.watch.state.State``), ``seconds`` since its last start, ``seconds_left`` (None:
        unknown), ``bytes``, ``outputs``, ``members`` by part and ``stages`` by rule as numbers ``done`` of ``all``, the
        jobs ``running`` and ``failed``, ``warnings`` with the job that logged each first, files ``missing``, and the
        command that resumes the run.
    """
    return {
        "run": name,
        "phase": state.phase,
        "seconds": round(state.elapsed, 1),
        "seconds_left": None if state.left is None else round(state.left, 1),
        "bytes": state.size,
        "outputs": asdict(state.outputs),
        "members": {part: asdict(count) for part, count in state.members.items()},
        "stages": {
            stage: {rule: asdict(count) for rule, count in rules.items()} for stage, rules in state.stages.items()
        },
        "running": [
            {
                "job": seen.job.name,
                "member": epoch.member if epoch else None,
                "epoch": epoch.epoch if epoch else None,
                "values": epoch.values if epoch else {},
            }
            for seen, epoch in ((seen, last_epoch(seen)) for seen in state.of("running"))
        ],
        "failed": [{"job": seen.job.name, "error": reason(seen), "log": seen.job.log} for seen in state.of("failed")],
        "warnings": [{"text": text, "job": job} for text, job in state.warnings.items()],
        "missing": state.missing,
        "resume": state.record.command,
    }
