"""What `wsl export` adds to a zoo in Ray Tune's layout, from which an import restores members exactly.

Keys of ``params.json`` begin with ``wsl::``. Other programs ignore them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsl.errors import ConfigError, DataError
from wsl.zoo.layout import Layout, layout_from_text, layout_to_text
from wsl.zoo.member import Member
from wsl.zoo.network import State
from wsl.zoo.recognition import architecture_of

OWN = "wsl::"
LAYOUT, PLAN, SNAPSHOTS = "wsl::layout", "wsl::plan", "wsl::snapshots"
PLACEHOLDER = "wsl::placeholder"  # marks a line without results, which other programs need at this position
DESCRIBED = ("entries", "counters", "head", "activation", "architecture", "image_size")  # of a layout
REMEDY = "export the zoo again, or leave the run out by --leave-out"


def own_keys(member: Member) -> dict[str, Any]:
    """Return the keys from which an import restores a member."""
    # An early snapshot is called `early` or by its epoch, which cannot be derived from the epoch.
    names = {str(row["epoch"]): row["snapshot"] for row in member.snapshots.to_dict("records")}
    return {PLAN: member.plan, SNAPSHOTS: names, LAYOUT: json.loads(layout_to_text(member.layout))}


def own_values(params: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan of an exported member, or the values ``others`` for a zoo of another program."""
    own = {key.removeprefix(OWN): value for key, value in params.items() if key.startswith(OWN)}
    plan = own.get("plan")
    return {**(plan if isinstance(plan, dict) else others), **own}


def restored(path: Path, state: State, described: Any) -> tuple[State, Layout] | None:
    """Return an exported state dict with our names and its layout; None: its architecture is not known here.

    Other programs may have other names for parameters, but their order is the same.

    Raises:
        DataError: the layout that params.json describes is damaged, or not that of the weights.
    """
    try:
        layout = layout_from_text(json.dumps({key: described[key] for key in DESCRIBED}))
        shapes = {entry.name: entry.shape for entry in layout.entries} | dict.fromkeys(layout.counters, ())
        fits = set(layout.head) <= set(shapes) and len(state) == len(shapes)
        if layout.architecture and fits:
            known = architecture_of(layout).layout(layout.classes, layout.image_size)
            fits = (known.entries, known.counters, known.head) == (layout.entries, layout.counters, layout.head)
    except (ConfigError, DataError):
        return None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: {LAYOUT} in its params.json is damaged ({error}); {REMEDY}") from error
    if state.keys() != shapes.keys():
        state = dict(zip(shapes, state.values(), strict=False))
    if not fits or shapes != {name: tuple(value.shape) for name, value in state.items()}:
        raise DataError(f"{path}: its weights are not those that {LAYOUT} in its params.json describes; {REMEDY}")
    return state, layout
