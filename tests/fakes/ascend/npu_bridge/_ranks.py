"""Collective communication of one rank: what is initialised, and an error for everything that needs two."""

import os

from npu_bridge import _era

_initialized = False


def size() -> int:
    """The number of ranks as the wrappers see it: from the environment."""
    ranks, workers = os.environ.get("RANK_SIZE"), os.environ.get("CM_WORKER_SIZE")
    if ranks and workers and _era.reached("r1.11.0"):
        raise ValueError("RANK_SIZE and CM_WORKER_SIZE are both set")
    return int(ranks or workers or 1)


def one_rank(what: str) -> None:
    """Raise if ``what`` would have to talk to another process."""
    if size() > 1:
        raise NotImplementedError(f"{what}: the fake npu_bridge has one rank, and RANK_SIZE is {size()}")


def check_environment() -> None:
    if os.environ.get("RANK_SIZE", "1") not in ("", "0", "1") and not os.path.isfile(
        os.environ.get("RANK_TABLE_FILE", "")
    ):
        raise RuntimeError(f"RANK_SIZE is {os.environ['RANK_SIZE']}, but RANK_TABLE_FILE names no file")


def initialized() -> bool:
    return _initialized


def require(what: str) -> None:
    if not _initialized:
        raise RuntimeError(f"{what}: HCCL is not initialised; run npu_ops.initialize_system() in a session first")


def when_run(op, state: bool) -> None:
    """Running ``op`` on the device initialises HCCL (``state`` True) or shuts it down."""
    op._npu_initializes = state


def after_run(ops) -> None:
    global _initialized
    for op in ops:
        _initialized = getattr(op, "_npu_initializes", _initialized)
