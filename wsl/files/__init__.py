"""Files of a run: written atomically, read with messages that name the cause and a remedy."""

from wsl.files.atomic import new_folder, written_whole
from wsl.files.hdf5 import get_table, new_hdf5, open_hdf5, part_of, put_table
from wsl.files.plain import (
    Files,
    file_digest,
    file_inside,
    list_files,
    listed,
    read_json,
    within,
    write_csv,
    write_json,
)

__all__ = [
    "Files",
    "file_digest",
    "file_inside",
    "get_table",
    "list_files",
    "listed",
    "new_folder",
    "new_hdf5",
    "open_hdf5",
    "part_of",
    "put_table",
    "read_json",
    "within",
    "write_csv",
    "write_json",
    "written_whole",
]
