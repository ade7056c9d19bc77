"""Captions: templates in workflow/report, filled with facts, for the run's own report and for Snakemake's."""

from pathlib import Path
from typing import Any

import jinja2


def caption(template: str | Path, facts: dict[str, Any]) -> str:
    """Return the text of a caption.

    Snakemake fills the same file with the same facts, which it finds in its config.

    Args:
        template: text file, which contains facts as ``{{ snakemake.config.facts.per_task }}``.
        facts: see ``wsl.report.facts.facts``.
    """
    # Snakemake's own environment, but here a missing fact is an error.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(Path(template).read_text(encoding="utf-8"))
    return " ".join(text.render(snakemake={"config": {"facts": facts}}).split())
