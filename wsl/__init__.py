"""One embedding space for network weights, the datasets they were trained on and their results.

`import wsl` is light: each name below is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsl import errors
    from wsl.api.data import Data
    from wsl.api.model import SampledModel
    from wsl.api.opening import load_model, open
    from wsl.api.run import FinishedRun
    from wsl.api.searching import search
    from wsl.api.zoo import Zoo, import_zoo, open_zoo
    from wsl.images.writing import write_images

__version__ = "0.1.0"
__all__ = [
    "Data",
    "FinishedRun",
    "SampledModel",
    "Zoo",
    "errors",
    "import_zoo",
    "load_model",
    "open",
    "open_zoo",
    "search",
    "write_images",
]
_MODULES = {
    "Data": "wsl.api.data",
    "FinishedRun": "wsl.api.run",
    "SampledModel": "wsl.api.model",
    "Zoo": "wsl.api.zoo",
    "import_zoo": "wsl.api.zoo",
    "load_model": "wsl.api.opening",
    "open": "wsl.api.opening",
    "open_zoo": "wsl.api.zoo",
    "search": "wsl.api.searching",
    "write_images": "wsl.images.writing",
}


if not TYPE_CHECKING:  # or type checkers would take any name for one of this package

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used (PEP 562)."""
        if name == "errors":
            return import_module("wsl.errors")
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
