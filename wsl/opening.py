"""Why a file cannot be opened, in words, with a remedy that harms nothing; the limit of open files."""

import errno
import os
import re
import resource
from contextlib import suppress
from pathlib import Path

import h5py

from wsl.remaking import remedy

MOST_FILES = 65536  # as many as a process asks for: some systems allow a billion, and some programs try them all
SPARE_FILES = 128  # for everything but member files: logs, pipes, shared libraries, other inputs
NO_LOCKS = "set the environment variable HDF5_USE_FILE_LOCKING=FALSE"


def raise_file_limit() -> None:
    """Raise this process's limit of open files as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def files_left() -> int:
    """Return how many more files this process may open, less a few to spare; at least 0."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_FILES
    try:
        used = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))
    except OSError:  # not even this folder can be opened
        return 0
    return max(soft - used - SPARE_FILES, 0)


def opening_fault(path: str | Path, error: OSError) -> str:
    """Return why the system did not open a file for reading.

    Args:
        path: the file.
        error: what the system raised.

    Returns:
        A sentence that names the file, the cause and a remedy.
    """
    path, code = Path(path), error.errno
    if code in (errno.EMFILE, errno.ENFILE):
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


def too_many_files() -> str:
    """Return that the limit of open files is reached, with the remedy."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"the limit of {soft} open files is reached; raise it with `ulimit -n {MOST_FILES}` and start again"


def hdf5_fault(path: str | Path, error: Exception) -> str:
    """Return why HDF5 did not open a file, or did not read it.

    Args:
        path: the file.
        error: what h5py raised.

    Returns:
        As ``opening_fault`` does. The file is only called damaged where the system has opened it and its content is
        at fault.
    """
    # HDF5 puts the system's number into its message; h5py passes it on for some of its errors alone.
    found = re.search(r"errno = (\d+)", str(error))
    code = getattr(error, "errno", None) or (int(found[1]) if found else None)
    if code and "lock" in str(error).partition("errno")[0]:
        if code in (errno.EAGAIN, errno.EACCES):
            return (
                f"{path} is locked by another program, which may be writing it; wait until that program ends, or, if "
                f"nothing writes the file, {NO_LOCKS}"
            )
        return f"{path} cannot be locked: its disk offers no locks ({os.strerror(code)}); {NO_LOCKS}"
    if code:
        return opening_fault(path, OSError(code, os.strerror(code)))
    if os.path.getsize(path) == 0:
        return f"{path} is empty; {remedy(path, 'restore it from a copy')}"
    if not h5py.is_hdf5(path):
        return f"{path} is not an HDF5 file; {remedy(path, 'give a file that wsl wrote')}"
    return f"{path} is damaged: HDF5 cannot read it ({error}); {remedy(path, 'restore it from a copy')}"
