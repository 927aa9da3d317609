"""What this machine gives: how fast it multiplies matrices, and how much memory something took."""

import contextlib
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional

from biggan_cli.runtime.device import open_session, release_memory
from biggan_cli.runtime.tf import tf

_SIZES = {"cpu": (512, 1024, 2048), "gpu": (2048, 8192)}
"""Widths of the matrices: few cores are best at small ones, which also find a moment when a busy machine is free."""
_SECONDS = 0.15
_PROC = Path("/proc/self")


@contextlib.contextmanager
def matrix_product(device: str, dtype: str) -> Iterator[Callable[[], float]]:
    """Something to call that multiplies square matrices for about a second and gives the best FLOP/s."""
    with tf.Graph().as_default() as graph:
        matrices = [
            tf.Variable(tf.cast(tf.random_uniform([size, size]), dtype), use_resource=True, trainable=False)
            for size in _SIZES[device]
        ]
        products = {size: tf.matmul(matrix, matrix).op for size, matrix in zip(_SIZES[device], matrices)}
        start = [matrix.initializer for matrix in matrices]
    with open_session(graph, device) as session:
        session.run(start)
        session.run(list(products.values()))
        yield lambda: max(2 * size**3 / _least_seconds(session, product) for size, product in products.items())


def _least_seconds(session, operation) -> float:
    """Of a few runs at least, and as many as there is time for."""
    seconds: List[float] = []
    while len(seconds) < 2 or sum(seconds) < _SECONDS:
        began = time.perf_counter()
        session.run(operation)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


class MemoryMeter:
    """The most memory that something takes, from now on: of this process, and of its GPU.

    Of the process with all that it holds already; of the GPU without it.
    """

    def __init__(self, device: str):
        release_memory()
        self._device = device
        self._counts = _forget_peak()
        self._gpu_before = _gpu_memory("current", device)
        _forget_gpu_peak(device)

    def process_bytes(self) -> Optional[int]:
        """None where the system does not say."""
        return _resident()["VmHWM"] if self._counts else None

    def gpu_bytes(self) -> Optional[int]:
        """None without a GPU, or where TensorFlow does not say."""
        peak = _gpu_memory("peak", self._device)
        return None if peak is None or self._gpu_before is None else peak - self._gpu_before


def _resident() -> Dict[str, int]:
    """Bytes that the process has in memory, ``VmRSS``, and the most that it had, ``VmHWM``."""
    lines = (_PROC / "status").read_text().splitlines()
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {name: int(kilobytes) * 1024 for name, kilobytes in found.items()}


def _forget_peak() -> bool:
    """``VmHWM`` counts anew. Whether the system can do that: Linux alone."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _gpu_memory(what: str, device: str) -> Optional[int]:
    """Bytes ``current`` or at the ``peak``: TensorFlow 2 alone tells."""
    if device != "gpu" or not hasattr(tf.config.experimental, "get_memory_info"):
        return None
    try:
        return int(tf.config.experimental.get_memory_info("GPU:0")[what])
    except (ValueError, RuntimeError, KeyError, tf.errors.OpError):
        return None


def _forget_gpu_peak(device: str) -> None:
    if device == "gpu" and hasattr(tf.config.experimental, "reset_memory_stats"):
        with contextlib.suppress(ValueError, RuntimeError, tf.errors.OpError):
            tf.config.experimental.reset_memory_stats("GPU:0")
