"""How much memory a process may still take."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def free_memory() -> int:
    """Return the bytes that this process can allocate: free memory of the machine, and what a container allows.

    On Linux, from /proc/meminfo and the memory limit of the control group; elsewhere half of the machine's memory.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2]
    with contextlib.suppress(OSError, IndexError):
        available = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()[0]
        limits = [1024 * int(available)]
    for most, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        # "max" instead of a number is no limit.
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path(most).read_text()) - int(Path(used).read_text()))
    return max(min(limits), 0)
