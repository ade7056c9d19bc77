"""Causes and remedies, in words, for files that cannot be read or written; the limit on open files."""

import errno
import json
import os
import re
import resource
import tempfile
from contextlib import suppress
from pathlib import Path

from wsl.errors import DataError

MOST_FILES = 65536  # requested at most: some systems allow a billion, and some programs loop over all descriptors
RECORD = Path("logs", "jobs.json")  # in a run's folder: the outputs of its jobs, see ``wsl.watch.record``
NO_LOCKS = "set the environment variable HDF5_USE_FILE_LOCKING=FALSE"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, a quota or a limit on the size of files
TOO_MANY = (errno.EMFILE, errno.ENFILE)


def raise_file_limit() -> None:
    """Raise this process's limit on open files as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS allows less than it reports
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def too_many_files() -> str:
    """Return the message that the limit on open files is reached, with the remedy."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"the limit of {soft} open files is reached; raise it with `ulimit -n {MOST_FILES}` and start again"


def remedy(path: str | Path, otherwise: str) -> str:
    """Return the remedy, a clause, for a file whose content is missing or wrong.

    Snakemake does not check files that lie behind up-to-date ones, so it regenerates such a file only if the command
    names it. It then replaces the file itself and reruns all jobs that depend on it: nothing has to be deleted.

    Args:
        path: the file.
        otherwise: the remedy if no run's record lists the file as an output of a job.
    """
    target = run_target(path)
    if target is None:
        return otherwise
    folder = os.path.abspath(path).removesuffix(target)
    return f"regenerate it, and what depends on it, with the run's config: `{rerun_command(target, folder)}`"


def has_workflow(folder: str | Path) -> bool:
    """Return whether Snakemake finds a workflow in a folder: a clone of the project, or a deployment."""
    return any(Path(folder, place).is_file() for place in ("Snakefile", "workflow/Snakefile"))


def rerun_command(target: str, folder: str | Path = ".") -> str:
    """Return the command that makes a file, or runs a rule, again in a folder; the run's config is to be added."""
    start = "snakemake --cores all" if has_workflow(folder) else "wsl run CONFIG --"
    return f"{start} --forcerun {target}"


def run_target(path: str | Path) -> str | None:
    """Return a file's name as Snakemake knows it, ``results/digits/zoo/train.h5``; None if no run creates it."""
    path = Path(os.path.abspath(path))
    for run in path.parents:
        inside = path.relative_to(run)
        # Elsewhere than in results/<run>, for example in a copy of a run, no job of the workflow creates the file.
        if run.parent.name == "results" and _outputs(run) & {inside.as_posix(), *map(Path.as_posix, inside.parents)}:
            return Path("results", run.name, inside).as_posix()
    return None


def _outputs(run: Path) -> set[str]:
    """Return the files and folders that a run's jobs create, relative to its folder; empty without a record."""
    try:
        record = json.loads(Path(run, RECORD).read_bytes())
        return {output for job in record["jobs"] for output in job["outputs"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises:
        DataError: it cannot be opened; the message names the cause and a remedy.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error


def opening_fault(path: str | Path, error: OSError) -> str:
    """Return a sentence that names a file, why the system did not open it for reading, and a remedy."""
    path, code = Path(path), error.errno
    if code in TOO_MANY:
        return f"{path} cannot be opened: {too_many_files()}"
    if code == errno.ENOENT and path.is_symlink():
        return f"{path} is a link to {os.readlink(path)}, which is missing; correct the link"
    if code in (errno.ENOENT, errno.ENOTDIR):
        return f"{path} is missing; {remedy(path, 'correct the path')}"
    if code == errno.EISDIR:
        return f"{path} is a folder; give a file"
    if code in (errno.EACCES, errno.EPERM):
        return f"{path} cannot be opened: you have no permission to read it; ask its owner for read permission"
    reason = os.strerror(code) if code else error
    return f"{path} cannot be read ({reason}); check the disk, or the network if the disk is remote"


def hdf5_fault(path: str | Path, error: Exception) -> str:
    """Return a sentence that names a file, why h5py did not open or read it, and a remedy.

    The file is called damaged only if the system opened it and its content is wrong.
    """
    import h5py

    # HDF5 puts the system's error number into its message; h5py passes it on for some of its errors only.
    match = re.search(r"errno = (\d+)", str(error))
    code = getattr(error, "errno", None) or (int(match[1]) if match else None)
    if code and "lock" in str(error).partition("errno")[0]:
        if code in (errno.EAGAIN, errno.EACCES):
            return (
                f"{path} is locked by another program, which may be writing it; wait until that program ends, or, if "
                f"nothing writes the file, {NO_LOCKS}"
            )
        return f"{path} cannot be locked: its disk does not support locks ({os.strerror(code)}); {NO_LOCKS}"
    if code:
        return opening_fault(path, OSError(code, os.strerror(code)))
    if os.path.getsize(path) == 0:
        return f"{path} is empty; {remedy(path, 'restore it from a copy')}"
    if not h5py.is_hdf5(path):
        return f"{path} is not an HDF5 file; {remedy(path, 'give a file that wsl wrote')}"
    return f"{path} is damaged: HDF5 cannot read it ({error}); {remedy(path, 'restore it from a copy')}"


def full_disk(error: BaseException | None) -> str | None:
    """Return the system's words for a lack of space if an error, or one that led to it, reports it; else None."""
    # Libraries raise their own errors: HDF5 and safetensors quote the system's words, torch does not.
    while error is not None:
        for code in FULL:
            if getattr(error, "errno", None) == code or os.strerror(code) in str(error):
                return os.strerror(code)
        error = error.__context__
    return None


def writing_fault(path: str | Path, error: BaseException) -> str:
    """Return a sentence that names a file or folder, why it cannot be written, and a remedy.

    Args:
        path: the file or folder.
        error: the system's or a library's error.
    """
    code, full = getattr(error, "errno", None), full_disk(error)
    reason = full or getattr(error, "strerror", None) or error
    if full:
        action = "free disk space and run again: finished files are kept"
    elif code in TOO_MANY:
        action = too_many_files()
    elif code == errno.ENAMETOOLONG:
        action = "choose a shorter name"
    elif code in (errno.EEXIST, errno.ENOTDIR):
        action = "a file has the name of its folder; choose another path"
    else:
        action = f"make {existing_folder(path)} writable, or choose another path"
    return f"{path} cannot be written ({reason}); {action}"


def check_writable(path: str | Path) -> None:
    """Refuse a path that cannot be written; folders above it may be missing. No file is left behind.

    Raises:
        DataError: the closest folder that exists is not writable.
    """
    try:
        with tempfile.TemporaryFile(dir=existing_folder(path)):
            pass
    except OSError as error:
        raise DataError(writing_fault(path, error)) from error


def existing_folder(path: str | Path) -> Path:
    """Return the folder itself, or the closest one above that exists; relative paths stay relative."""
    return next(folder for folder in (Path(path), *Path(path).parents) if os.path.isdir(folder))
