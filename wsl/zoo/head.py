"""Find the head of a classifier by names and shapes alone, whatever their order."""

import re
from collections.abc import Mapping
from math import prod

Shapes = Mapping[str, tuple[int, ...]]

MATRIX = re.compile(r"(weight(_v|_orig)?|original1?|kernel)$")
# Usual names of heads: hidden layers rarely have the first kind, but sometimes the second.
CERTAIN = {"classifier", "classification_head", "cls", "fc_out", "head", "heads", "last_linear", "lm_head", "logits"}
CERTAIN |= {"mlp_head", "out", "output", "output_layer", "predictions"}
USUAL = {"dense", "fc", "final", "final_layer", "last", "last_layer", "linear", "score"}


def linear_modules(shapes: Shapes) -> dict[str, tuple[str, ...]]:
    """Return the linear modules among all named parameters, sorted by name.

    Each comes with its weight matrix, then its parameters with as many rows (a bias, others such as ``log_sigma2``).
    """
    parameters: dict[str, list[str]] = {}
    for name in sorted(shapes):
        module = re.sub(r"\.parametrizations\.\w+$", "", name.rpartition(".")[0])
        parameters.setdefault(module, []).append(name)
    modules = {}
    for module, names in parameters.items():
        matrices = [name for name in names if len(shapes[name]) == 2 and MATRIX.search(name.rpartition(".")[2])]
        if matrices:
            matrix = max(matrices, key=lambda name: prod(shapes[name]))
            rows = [name for name in names if shapes[name][:1] == shapes[matrix][:1] and name != matrix]
            modules[module] = (matrix, *rows)
    return modules or {name: (name,) for name in sorted(shapes) if len(shapes[name]) == 2}


def likely_heads(shapes: Shapes, classes: int | None = None) -> list[tuple[str, ...]]:
    """Return the parameters of each module that may be the head; of a single one if names and shapes are unambiguous.

    The head's outputs feed no other linear module. If this holds for several modules or none, usual names of heads
    decide, then nesting, then numbers in otherwise equal names (``fc1``, ``fc2``).

    Args:
        shapes: of all named parameters.
        classes: number of the head's rows, if known; ignored if no module has as many.
    """
    modules = linear_modules(shapes)
    rows = {module: shapes[names[0]][0] for module, names in modules.items()}
    inputs = {module: shapes[names[0]][1] for module, names in modules.items()}
    pool = [module for module in modules if rows[module] == classes] or list(modules)
    last = [module for module in pool if all(inputs[other] != rows[module] for other in modules if other != module)]
    certain = [module for module in pool if _words(module) & CERTAIN]
    if last and certain and not set(last) & set(certain):
        # Shapes suggest one module and names another.
        return [modules[module] for module in sorted({*last, *certain})]
    pool = last or pool
    for words in (CERTAIN, CERTAIN | USUAL):
        if len(pool) > 1 and (named := [module for module in pool if _words(module) & words]):
            depth = min(module.count(".") for module in named)
            pool = [module for module in named if module.count(".") == depth]
            break
    numbered = [re.fullmatch(r"(.*?)(\d+)", module) for module in pool]
    if len(pool) > 1 and all(numbered) and len({match[1] for match in numbered}) == 1:
        pool = [max(numbered, key=lambda match: int(match[2]))[0]]
    return [modules[module] for module in pool]


def find_head(shapes: Shapes, classes: int | None = None) -> tuple[str, ...]:
    """Return the head's parameters, its matrix first, see ``likely_heads``; empty if they are ambiguous."""
    likely = likely_heads(shapes, classes)
    return likely[0] if len(likely) == 1 else ()


def _words(module: str) -> set[str]:
    """Return the first and the last word of a module's name, numbers aside."""
    words = [word for word in module.split(".") if not word.isdigit()]
    return {words[0], words[-1]} if words else set()
