"""The library of the Hugging Face Hub, imported on first use, and its errors in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from wsl.errors import ConfigError, DataError
from wsl.files.packages import install_hint

LOG_IN = "log in by `hf auth login`, or set the environment variable HF_TOKEN"


def hub() -> ModuleType:
    """Return the module ``huggingface_hub``.

    Raises:
        DataError: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        reason = f"the Hugging Face Hub needs a package that is not installed ({error})"
        raise DataError(f"{reason}; {install_hint('hub')}") from error
    return huggingface_hub


@contextmanager
def reaching(repository: str) -> Iterator[None]:
    """Turn errors of the library and of the network into messages with a remedy.

    Raises:
        DataError: the block failed; the message names the repository, never a token.
    """
    try:
        yield
    except (ConfigError, DataError):
        raise
    except Exception as error:  # the library passes on those of several clients
        # Not from the error: its traceback could show headers of requests.
        raise DataError(_in_words(repository, error)) from None


def _in_words(repository: str, error: Exception) -> str:
    from huggingface_hub import errors, get_token

    status = getattr(getattr(error, "response", None), "status_code", None)
    # An error of an upload names the file only.
    text = " ".join(f"{error} {error.__cause__}".split() if type(error) is RuntimeError else str(error).split())
    if token := get_token():
        text = text.replace(token, "***")
    if isinstance(error, errors.HFValidationError):
        return f"{repository} is not the name of a repository ({text}); give it as owner/name"
    if isinstance(error, errors.GatedRepoError):
        return f"{repository} asks its readers to accept conditions: accept them on its page on the Hub, and {LOG_IN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no repository {repository}, or it is private; correct its name, or {LOG_IN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository} has no such revision; give a branch, a tag or a commit that its page on the Hub lists"
    if status in (401, 403):
        return f"the Hub refuses access to {repository} ({text}); {LOG_IN}, with a token that may do this"
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, FileNotFoundError):
        return f"{repository} lacks a file ({text}); correct its name"
    if status is not None and status < 500:
        return f"the Hub does not accept a request for {repository} ({text}); correct what it names"
    return (
        f"{repository} cannot be reached ({text or type(error).__name__}); check the network, and run the same command "
        "again: it continues with the files that are still missing"
    )
