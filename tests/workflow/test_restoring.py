"""A copy that tests alter is made as it was, whatever they did to it."""

import os
import shutil

from restoring import Copy


def contents(root):
    """Contents, modes and times of all files and folders."""
    found = {}
    for path in [root, *root.rglob("*")]:
        about = path.lstat()
        whole = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = about.st_mode, about.st_mtime_ns, whole
    return found


def test_every_change_is_undone(tmp_path):
    original, root = tmp_path / "original", tmp_path / "copy"
    for name in ("a", "b", "c", "d", "kept", "deep/er/e", "deep/f", "gone/g", "file"):
        (original / name).parent.mkdir(parents=True, exist_ok=True)
        (original / name).write_text(f"content of {name}")
        os.utime(original / name, ns=(10**18, 10**18))
    copy = Copy(original, root)
    assert contents(root) == contents(original)
    kept = (root / "kept").stat().st_ino
    for _ in range(2):
        about = (root / "a").stat()
        (root / "a").write_text("CONTENT OF a")  # of the same length, with the time set back
        os.utime(root / "a", ns=(about.st_atime_ns, about.st_mtime_ns))
        os.utime(root / "b")
        (root / "c").unlink()
        os.replace(root / "d", root / "deep" / "new")
        shutil.rmtree(root / "gone")
        (root / "deep" / "er" / "e").chmod(0o600)
        (root / "file").unlink()
        (root / "file").mkdir()
        (root / "file" / "inside").touch()
        (root / "more" / "folders").mkdir(parents=True)
        (root / "more" / "folders" / "h").touch()
        copy.restore()
        assert contents(root) == contents(original)
    assert (root / "kept").stat().st_ino == kept
