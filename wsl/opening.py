"""Why a file could not be opened, in words, with a remedy that harms nothing."""

import errno
import os
import resource
from pathlib import Path

TOO_MANY = (errno.EMFILE, errno.ENFILE)


def opening_fault(path: str | Path, error: OSError) -> str:
    """Return why the system did not open a file for reading.

    Args:
        path: the file.
        error: what the system raised.

    Returns:
        A sentence that names the file, the cause and a remedy.
    """
    path = Path(path)
    code = error.errno
    if code in TOO_MANY:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"{path} cannot be opened: this process has {soft} files open, its limit; raise it with `ulimit -n 65536`"
        )
    if code == errno.ENOENT and path.is_symlink():
        return f"{path} is a link to {os.readlink(path)}, which is missing; correct the link"
    if code in (errno.ENOENT, errno.ENOTDIR):
        return f"{path} is missing; correct the path"
    if code == errno.EISDIR or path.is_dir():
        return f"{path} is a folder; give a file"
    if code in (errno.EACCES, errno.EPERM):
        return f"{path} cannot be opened: you have no permission to read it; ask its owner for read permission"
    return f"{path} cannot be read ({error.strerror or error}); check the disk, or the network if the disk is remote"
