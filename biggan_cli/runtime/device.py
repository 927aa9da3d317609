"""Where a graph runs: the session of a device. The only place that knows device options, and of npu_bridge.

What an NPU needs of a session is in the public documentation of Huawei's TF Adapter; all its versions are opened in
the same way. From some on, importing it makes every session of the process one of the NPU: those that are to stay on
the host say so themselves.
"""

import contextlib
import ctypes
import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import ContextManager, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

from biggan_cli.errors import NotReady, UsageError
from biggan_cli.runtime.npu_options import Value
from biggan_cli.runtime.tf import tf
from biggan_cli.runtime.versions import tensorflow_version

DEVICE_VARIABLE = "ASCEND_DEVICE_ID"
LOSS_SCALE = dict(init_loss_scale=2.0**16, incr_every_n_steps=1000, decr_every_n_nan_or_inf=2, decr_ratio=0.5)
"""Where the scale starts and how it moves: as the adapter's documentation has it, from less far up."""
_MOST_DEVICES = 4096
_GET_ADAPTER = (
    "source set_env.sh of CANN's toolkit and of tfplugin; "
    "where npu_bridge is a wheel (CANN 8.0 and later), export PYTHONPATH with its folder"
)


def open_session(graph, device: str, exact: bool = False, npu: Optional[Mapping[str, Value]] = None):
    """A session on ``cpu``, ``gpu`` or ``npu``; whoever opens it closes it, by ``with`` or ``close()``.

    Args:
        exact: float32 stays float32 on GPUs that would take TensorFloat-32 for it, from then on in this process.
        npu: options of an NPU's session by their keys.

    Raises:
        NotReady: the device is not there.
    """
    require(device)
    if exact and hasattr(tf.config.experimental, "enable_tensor_float_32_execution"):
        tf.config.experimental.enable_tensor_float_32_execution(False)
    if device == "npu":
        return _npu_session(graph, dict(npu or {}, use_off_line=True))
    if device == "gpu":
        config = tf.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True
    else:
        config = tf.ConfigProto(device_count={"GPU": 0})
    if "npu_bridge" in sys.modules:
        _set_npu(config, dict(use_off_line=False))
    return tf.Session(graph=graph, config=config)


def require(device: str) -> None:
    """Make sure that the device is there, before anything is made for it.

    Raises:
        NotReady: it is not.
    """
    if device == "gpu" and not tf.config.experimental.list_physical_devices("GPU"):
        raise NotReady(
            f"--device gpu: TensorFlow {tf.__version__} sees no GPU",
            fix="--device cpu, or a TensorFlow build with CUDA and a driver that fits it",
            hint="TF_CPP_MIN_LOG_LEVEL=0 lets TensorFlow say what it misses",
        )
    if device == "npu":
        _require_npu()


def half_type(device: str):
    """The 16-bit type of mixed precision on a CPU or a GPU: bfloat16 where it is fast, else float16 on GPUs.

    Raises:
        NotReady: the CPU, or this TensorFlow on a CPU, has none.
    """
    if device == "gpu":
        gpu = tf.config.experimental.list_physical_devices("GPU")[0]
        ask = getattr(tf.config.experimental, "get_device_details", lambda gpu: {})  # not in 1.15
        return tf.bfloat16 if ask(gpu).get("compute_capability", (0, 0)) >= (8, 0) else tf.float16
    if tf.__version__.startswith("1."):
        raise NotReady(
            f"--precision mixed: TensorFlow {tf.__version__} computes nothing in 16 bits on a CPU",
            fix="--precision fp32, or the lane of TensorFlow 2",
        )
    if not cpu_features() & {"avx512_bf16", "amx_bf16", "bf16"}:
        raise NotReady(
            "--precision mixed: this CPU has no instructions for bfloat16 (avx512_bf16, amx_bf16, or bf16 of ARM)",
            fix="--precision fp32",
        )
    return tf.bfloat16


def choose_npu(number: Optional[int]) -> None:
    """Let this process have the device of ``--device-id``, else that of the environment. Before TensorFlow is loaded.

    Raises:
        UsageError: no device has this number.
    """
    check_npu(number, os.environ, npu_numbers())
    if number is not None:
        os.environ[DEVICE_VARIABLE] = str(number)
    let_adapter_tell()


def let_adapter_tell() -> None:
    """Else the adapter does not say that it compiled a graph. Before TensorFlow is loaded."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"


def chosen_npu() -> str:
    """The number that the environment has for the adapter."""
    return next((os.environ[name] for name in (DEVICE_VARIABLE, "DEVICE_ID") if os.environ.get(name)), "0")


def check_npu(number: Optional[int], env: Mapping[str, str], numbers: Sequence[int]) -> str:
    """How the device is chosen, in words.

    ``--device-id`` and ASCEND_DEVICE_ID count the devices of this machine or container from 0; DEVICE_ID, which the
    adapter takes where there is neither, is the N of its /dev/davinciN.

    Args:
        numbers: the N of every /dev/davinciN; empty: nobody knows.

    Raises:
        UsageError: no device has this number.
    """
    physical = number is None and not env.get(DEVICE_VARIABLE) and bool(env.get("DEVICE_ID"))
    variable = "DEVICE_ID" if physical else DEVICE_VARIABLE
    if number is None and not env.get(variable):
        return f"{DEVICE_VARIABLE} is not set: 0"
    text = str(number) if number is not None else env[variable]
    words = f"--device-id {text}" if number is not None else f"{variable}={text}"
    if not text.isdigit() or int(text) >= _MOST_DEVICES:
        raise UsageError(f"{words} is not the number of a device", fix="--device-id 0")
    there = list(numbers) if physical else list(range(len(numbers)))
    if there and int(text) not in there:
        here = ", ".join(f"/dev/davinci{one}" for one in numbers)
        fix = f"export DEVICE_ID={there[0]}" if physical else f"--device-id {' or '.join(map(str, there))}"
        raise UsageError(f"{words}: no device has this number; there is {here}", fix=fix)
    return words


def npu_numbers(dev: Path = Path("/dev")) -> List[int]:
    """The N of every davinciN that the driver shows."""
    found = (re.fullmatch(r"davinci([0-9]+)", path.name) for path in dev.glob("davinci*"))
    return sorted(int(match.group(1)) for match in found if match)


def npu_looped(session, train_op, count: int):
    """The operation that does ``train_op`` ``count`` times on the device; the session knows the same count.

    Its name is IterationOp, which the adapter looks for: there is one in a graph.
    """
    util = _adapter("npu_bridge.estimator.npu.util")
    with session.graph.as_default():
        return util.set_iteration_per_loop(session, train_op, count)


def npu_loss_scaling(optimizer) -> Tuple:
    """``optimizer`` with a scaled loss, which does nothing after an overflow; and what manages the scale.

    Source: the adapter's documentation, mixed_precision_training and multi_optimizer_fp_exception_detection.
    """
    managers = _adapter("npu_bridge.estimator.npu.npu_loss_scale_manager")
    optimizers = _adapter("npu_bridge.estimator.npu.npu_loss_scale_optimizer")
    manager = managers.ExponentialUpdateLossScaleManager(**LOSS_SCALE)
    return optimizers.NPULossScaleOptimizer(optimizer, manager), manager


def npu_full_precision() -> ContextManager:
    """Around operations that keep their type in mixed precision."""
    return _adapter("npu_bridge.estimator.npu.npu_scope").keep_dtype_scope()


def release_memory() -> None:
    """Give what closed sessions used back to the system, which C libraries otherwise keep for later: some 300 MB."""
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def cpu_features(cpuinfo: Optional[str] = None) -> FrozenSet[str]:
    """The features of a Linux ``/proc/cpuinfo``, this machine's by default; nothing where nobody knows."""
    if cpuinfo is None:
        with contextlib.suppress(OSError):
            cpuinfo = Path("/proc/cpuinfo").read_text(errors="replace")
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", cpuinfo or "", re.MULTILINE)
    return frozenset(flags.group(1).split()) if flags else frozenset()


def cpu_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _require_npu() -> None:
    version = tensorflow_version()
    if not (version or "").startswith("1.15."):
        raise NotReady(
            f"--device npu: Huawei's adapter is for TensorFlow 1.15 on Python 3.7, this is TensorFlow {version} "
            f"on Python {sys.version_info[0]}.{sys.version_info[1]}",
            fix="install biggan with Python 3.7, or --device cpu",
        )
    if importlib.util.find_spec("npu_bridge") is None:
        raise NotReady(
            "--device npu: there is no npu_bridge",
            looked_for="npu_bridge on PYTHONPATH",
            fix=_GET_ADAPTER,
            hint="biggan doctor --device npu tells what is there",
        )
    _adapter("npu_bridge")


def _adapter(module: str):
    """A module of npu_bridge.

    Raises:
        NotReady: it cannot be loaded.
    """
    try:
        with _stdout_on_stderr():
            return importlib.import_module(module)
    except Exception as error:  # a library of the toolkit that is not there, another TensorFlow, …
        raise NotReady(
            f"--device npu: {module} cannot be loaded: {error}",
            fix=_GET_ADAPTER,
            hint="biggan doctor --device npu tells what fits together",
        ) from error


@contextlib.contextmanager
def _stdout_on_stderr() -> Iterator[None]:
    """Libraries write their logs to descriptor 1, where the result goes."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _npu_session(graph, options: Mapping[str, Value]):
    config = tf.ConfigProto(allow_soft_placement=True, log_device_placement=False)
    _set_npu(config, options)
    try:
        return tf.Session(graph=graph, config=config)
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        raise NotReady(
            f"--device npu: device {chosen_npu()} gives no session: {error}",
            fix=f"{DEVICE_VARIABLE}={chosen_npu()} biggan doctor --device npu",
        ) from error


def _set_npu(config, options: Mapping[str, Value]) -> None:
    """What the adapter needs: its optimizer with the options, without TensorFlow's that undo its work."""
    config.allow_soft_placement = True
    config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.OFF
    rewrite = config.graph_options.rewrite_options
    rewrite.remapping = rewrite.memory_optimization = 2  # off, in the words of RewriterConfig and of its MemOptType
    custom = rewrite.custom_optimizers.add()
    custom.name = "NpuOptimizer"
    for key, value in options.items():
        entry = custom.parameter_map[key]
        if isinstance(value, bool):
            entry.b = value
        elif isinstance(value, int):
            entry.i = value
        else:
            entry.s = value.encode()
