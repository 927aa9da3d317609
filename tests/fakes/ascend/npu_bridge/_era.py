"""Which adapter this stands for: FAKE_NPU_ERA chooses one branch of its history."""

import os

BRANCHES = (
    *("r1.1.1", "r1.2.0", "r1.3.0", "r1.5.0", "r1.6.0", "r1.7.0", "r1.8.0", "r1.9.0", "r1.10.0", "r1.11.0"),
    *("r1.12.0", "r1.13.0", "r1.14.0", "r1.15.0", "master", "hicann"),
)
ERAS = {"2021": "r1.2.0", "5.1": "r1.7.0", "9.x": "hicann"}

ERA = os.environ.get("FAKE_NPU_ERA") or "9.x"
if ERA not in ERAS:
    raise ImportError(f"FAKE_NPU_ERA={ERA}: the eras of the fake npu_bridge are {', '.join(ERAS)}")
BRANCH = ERAS[ERA]


def reached(branch: str) -> bool:
    """Whether this era has what came with ``branch``, such as "r1.7.0" or "hicann 82957b92 (2026)"."""
    return BRANCHES.index(BRANCH) >= BRANCHES.index(branch.split()[0])


def passed(branch: str) -> bool:
    """Whether this era is later than ``branch``."""
    return BRANCHES.index(BRANCH) > BRANCHES.index(branch.split()[0])
