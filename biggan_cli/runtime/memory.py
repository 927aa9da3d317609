"""How much memory this process has, and may still take."""

import sys
from pathlib import Path
from typing import Dict, List, Optional

_MEMINFO = Path("/proc/meminfo")
_STATUS = Path("/proc/self/status")
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)

_SHARE = 0.8


def usable() -> int:
    """Bytes that data may take: most of what is there."""
    free = available()
    return sys.maxsize if free is None else int(_SHARE * free)


def resident() -> Dict[str, int]:
    """Bytes that the process has in memory, ``VmRSS``, and the most that it had, ``VmHWM``; empty: nobody says."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return {}
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {name: int(kilobytes) * 1024 for name, kilobytes in found.items()}


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
