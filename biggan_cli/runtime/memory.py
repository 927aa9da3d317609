"""How much memory this process may still take."""

import sys
from pathlib import Path
from typing import List, Optional

_MEMINFO = Path("/proc/meminfo")
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)

_SHARE = 0.8


def usable() -> int:
    """Bytes that data may take: most of what is there."""
    free = available()
    return sys.maxsize if free is None else int(_SHARE * free)


def available() -> Optional[int]:
    """Bytes: what the kernel could give, and the limit of the container leaves; None where nobody says."""
    found: List[int] = []
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError):
        pass
    for limit, used in _LIMITS:
        try:
            found.append(max(0, int(limit.read_text()) - int(used.read_text())))
        except (OSError, ValueError):  # no such limit, or the word max
            continue
    return min(found) if found else None
