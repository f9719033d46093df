"""What tells one state of a file from another, without reading it.

Whoever replaces a file by renaming another over it changes its mark. Refuses to know
what files hold.
"""

import os

FileMark = tuple[int, int, int]
"""Equal marks are of the same content: time of writing, size and inode."""


def mark_of(found: os.stat_result) -> FileMark:
    """Return the mark of what a look at a file saw."""
    return found.st_mtime_ns, found.st_size, found.st_ino
