"""Options of calls, checked by the sections that declare those of the commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from wsl.errors import ConfigError
from wsl.settings.sections import Section

Options = TypeVar("Options", bound=Section)


def checked(section: type[Options], **values: Any) -> Options:
    """Return options as an instance of their section; None keeps a default.

    Raises:
        ConfigError: an option is unknown, or its value cannot be used; the message names it.
    """
    from pydantic import ValidationError

    try:
        return section.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            raise ConfigError(f"unknown option {key!r} (known: {', '.join(section.model_fields)})") from None
        raise ConfigError(f"{key}: {fault['msg'].removeprefix('Value error, ')}") from None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, as in the jobs of a run, so that numbers do not depend on the machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
