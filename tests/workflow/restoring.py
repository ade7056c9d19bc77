"""A copy of a folder, of which only what a test altered is copied again."""

import os
import shutil
from pathlib import Path


class Copy:
    """A copy that can be made as it was.

    Args:
        original: a folder that nothing alters.
        root: where the copy is made; it must not exist.
    """

    def __init__(self, original: Path, root: Path):
        self.original, self.root = original, root
        shutil.copytree(original, root)
        self._kept = entries(root)

    def restore(self) -> None:
        """Undo every change: contents, times, new and missing files."""
        found = entries(self.root)
        for path in found:
            if path not in self._kept or found[path][0] != self._kept[path][0]:
                remove(self.root / path)
        for path, entry in self._kept.items():  # a folder comes before what it contains
            if found.get(path) == entry:
                continue
            if entry[0]:
                (self.root / path).mkdir(exist_ok=True)
            else:
                (self.root / path).unlink(missing_ok=True)
                shutil.copy2(self.original / path, self.root / path)
        for path in reversed(self._kept):
            if self._kept[path][0]:
                shutil.copystat(self.original / path, self.root / path)
        self._kept = entries(self.root)


def entries(root: Path) -> dict[str, tuple]:
    """Return what the file system knows of all files and folders, by their paths in ``root``.

    First whether it is a folder. No change of a file leaves its number, size and times as they are: ``os.utime`` sets
    ``st_ctime_ns`` to now.
    """
    found: dict[str, tuple] = {"": (True, os.stat(root).st_mtime_ns)}

    def look(folder: str) -> None:
        with os.scandir(root / folder) as inside:
            for entry in inside:
                path, about = os.path.join(folder, entry.name), entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    found[path] = True, about.st_mtime_ns
                    look(path)
                else:
                    times = about.st_mtime_ns, about.st_ctime_ns
                    found[path] = False, about.st_ino, about.st_mode, about.st_size, *times

    look("")
    return found


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that it contains, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
