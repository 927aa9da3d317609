"""Where a graph runs: the session of a device. The only place that knows device options."""

import contextlib
import ctypes
import os

from biggan_cli.errors import NotReady
from biggan_cli.runtime.tf import tf


def open_session(graph, device: str, exact: bool = False):
    """A session on ``cpu`` or ``gpu``; whoever opens it closes it, by ``with`` or ``close()``.

    Args:
        exact: float32 stays float32 on GPUs that would take TensorFloat-32 for it, from then on in this process.

    Raises:
        NotReady: the device is not there.
    """
    require(device)
    if exact and hasattr(tf.config.experimental, "enable_tensor_float_32_execution"):
        tf.config.experimental.enable_tensor_float_32_execution(False)
    if device == "gpu":
        config = tf.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True
    else:
        config = tf.ConfigProto(device_count={"GPU": 0})
    return tf.Session(graph=graph, config=config)


def release_memory() -> None:
    """Give what closed sessions used back to the system, which C libraries otherwise keep for later: some 300 MB."""
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def cpu_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def require(device: str) -> None:
    """Make sure that the device is there, before anything is made for it.

    Raises:
        NotReady: ``gpu`` is asked for and TensorFlow sees none.
    """
    if device == "gpu" and not tf.config.experimental.list_physical_devices("GPU"):
        raise NotReady(
            f"--device gpu: TensorFlow {tf.__version__} sees no GPU",
            fix="--device cpu, or a TensorFlow build with CUDA and a driver that fits it",
            hint="TF_CPP_MIN_LOG_LEVEL=0 lets TensorFlow say what it misses",
        )
