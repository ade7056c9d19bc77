"""The memory of a process."""

import ctypes

# Parameters of glibc's ``mallopt`` (malloc.h).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
MOST = 2**31 - 1  # bytes, the largest value


def keep_memory() -> None:
    """Let the C library keep freed memory for the next allocation, where it is glibc.

    By default it returns large blocks to the system and gets them again, cleared page by page, in every step of
    training: up to a third of the time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(MMAP_THRESHOLD, 2**30)
    mallopt(TRIM_THRESHOLD, MOST)
