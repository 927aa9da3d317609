"""Whether this machine has what biggan needs: each thing looked at, and one convolution really computed."""

import contextlib
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core import doctor_ascend, doctor_host, doctor_programs
from biggan_cli.core.doctor_check import OK, WRONG, Check, first_line, unreadable
from biggan_cli.deploy.toolkit import find_toolkit
from biggan_cli.errors import BigganError, NotReady, is_interrupt
from biggan_cli.runtime.device import cpu_cores, let_adapter_tell, npu_numbers, open_session
from biggan_cli.runtime.npu_log import CompiledGraphs, output_of_libraries_in
from biggan_cli.runtime.tf import tf
from biggan_cli.runtime.versions import tensorflow_version
from biggan_cli.settings import DoctorConfig

ROOT = Path("/")
"""Where devices, the driver and the processor's description are."""
TOLERANCE = {"cpu": 1e-5, "gpu": 1e-5, "npu": 1e-2}
"""What a convolution may be off, as a share of its largest value: an NPU computes it in float16 by default."""


class Diagnosis(NamedTuple):
    """What was looked at, in groups of (title, checks); ``ready``: all that the device needs is ok."""

    device: str
    ready: bool
    groups: Tuple[Tuple[str, Tuple[Check, ...]], ...]


def doctor(settings: DoctorConfig) -> Diagnosis:
    """Look at everything; nothing is written, nothing is fetched, and nothing that is found raises."""
    device, env = settings.device, dict(os.environ)
    if device == "npu" and (tensorflow_version() or "").startswith("1.15."):
        let_adapter_tell()
    with output_of_libraries_in(Path(os.devnull)):  # what they miss of a GPU is in the checks
        found = doctor_host.look_at_tensorflow()
    groups = (
        ("Python", _python(device, found)),
        ("machine", _machine(device, env, found, Path(settings.outdir))),
        ("Ascend", _ascend(device, env, found)),
        ("trial", (convolution(device),)),
    )
    ready = all(check.state == OK for _, checks in groups for check in checks if check.needed)
    return Diagnosis(device, ready, groups)


def judge(diagnosis: Diagnosis) -> None:
    """Raise if the device lacks something.

    Raises:
        NotReady: names all of it.
    """
    bad = [check for _, checks in diagnosis.groups for check in checks if check.needed and check.state != OK]
    if bad:
        names = ", ".join(f"{check.name} ({check.state})" for check in bad)
        raise NotReady(f"--device {diagnosis.device} is not ready: {names}", hint="the fix of each is below it")


def as_json(diagnosis: Diagnosis) -> dict:
    """The diagnosis as one object; every check says its group."""
    checks = [dict(group=title, **check._asdict()) for title, checks in diagnosis.groups for check in checks]
    return dict(device=diagnosis.device, ready=diagnosis.ready, checks=checks)


def convolution(device: str) -> Check:
    """One convolution of float32 on the device, twice, against NumPy's in float64.

    Whatever goes wrong is the result: TensorFlow, drivers and adapters fail in kinds of their own.
    """
    images, kernel = _example()
    try:
        with _proof(device):
            seconds, computed = _convolved(images, kernel, device)
    except BigganError as error:
        fix = dict(error.details).get("fix") or "what is not ok above"
        return Check("convolution", WRONG, error.message, fix, True)
    except Exception as error:
        if is_interrupt(error):
            raise
        return Check("convolution", WRONG, f"failed: {first_line(error)}", "what is not ok above", True)
    expected = convolve(images, kernel)
    error = float(np.abs(computed - expected).max() / np.abs(expected).max())
    details = dict(first_seconds=seconds[0], seconds=seconds[1], relative_error=error, tolerance=TOLERANCE[device])
    found = f"on {device}: {seconds[1] * 1e3:.2g} ms after {seconds[0] * 1e3:.3g} ms for the first; "
    found += f"off by {error:.1e} of the largest value"
    if not error <= TOLERANCE[device]:  # NaN is wrong too
        found += f", more than {TOLERANCE[device]:g}"
        details["relative_error"] = error if np.isfinite(error) else None
        fix = "another build of TensorFlow or of the driver: this one computes wrong numbers"
        return Check("convolution", WRONG, found, fix, True, details)
    return Check("convolution", OK, found, None, True, details)


def convolve(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Stride 1, zeros around: [N, H, W, C] and [K, K, C, D] → float64 [N, H, W, D], K odd."""
    size, (height, width) = kernel.shape[0], images.shape[1:3]
    edge = size // 2
    padded = np.pad(images.astype(np.float64), [(0, 0), (edge, edge), (edge, edge), (0, 0)], mode="constant")
    total = np.zeros((*images.shape[:3], kernel.shape[3]))
    for row in range(size):
        for column in range(size):
            total += padded[:, row : row + height, column : column + width] @ kernel[row, column].astype(np.float64)
    return total


@contextlib.contextmanager
def _proof(device: str) -> Iterator[None]:
    """That an NPU was used, as its adapter says; what that writes besides is nothing to look at.

    Raises:
        NotReady: it does not say so.
    """
    if device != "npu":
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "npu.log"
        graphs = CompiledGraphs(log)
        with output_of_libraries_in(log):
            yield
        if not graphs.new():
            raise NotReady(
                "npu_bridge computed it, and nothing says that a graph was compiled for the NPU",
                fix="another release of npu_bridge, one that fits CANN",
            )


def _example() -> Tuple[np.ndarray, np.ndarray]:
    """float32 images [4, 32, 32, 16] and kernel [3, 3, 16, 32]."""
    random = np.random.RandomState(0)
    return random.randn(4, 32, 32, 16).astype(np.float32), random.randn(3, 3, 16, 32).astype(np.float32)


def _convolved(images: np.ndarray, kernel: np.ndarray, device: str) -> Tuple[List[float], np.ndarray]:
    """Seconds of the first and the second time, and the result."""
    if device not in configs.TRAIN_DEVICES:
        raise NotReady(f"--device {device}: this biggan computes on {', '.join(configs.TRAIN_DEVICES)} only")
    graph = tf.Graph()
    with graph.as_default():
        inputs = [tf.placeholder(tf.float32, array.shape) for array in (images, kernel)]
        output = tf.nn.conv2d(inputs[0], inputs[1], strides=[1, 1, 1, 1], padding="SAME")
    seconds = []
    with contextlib.closing(open_session(graph, device, exact=device == "gpu")) as session:
        if device == "gpu" and all(one.device_type != "GPU" for one in session.list_devices()):
            raise NotReady("TensorFlow opened a session without the GPU that it sees")
        for _ in range(2):
            started = time.perf_counter()
            result = session.run(output, dict(zip(inputs, (images, kernel))))
            seconds.append(time.perf_counter() - started)
    return seconds, result


def _python(device: str, found: doctor_host.TensorFlow) -> Tuple[Check, ...]:
    version = tuple(sys.version_info[:3])
    return (
        doctor_host.python(version, sys.executable, device),
        doctor_host.tensorflow(found),
        doctor_host.lane(version, found.version, device),
    )


def _machine(device: str, env, found: doctor_host.TensorFlow, outdir: Path) -> Tuple[Check, ...]:
    def described() -> str:
        with contextlib.suppress(OSError):
            return (ROOT / "proc/cpuinfo").read_text(errors="replace")
        return ""

    return (
        doctor_host.cpu(described(), platform.machine(), cpu_cores()),
        doctor_host.gpu(found, *doctor_host.nvidia(env), device == "gpu"),
        _seen("runs", lambda: doctor_host.runs(outdir), True),
        _seen("cache", doctor_host.caches),
        _seen("Inception", doctor_host.inception),
    )


def _ascend(device: str, env, found: doctor_host.TensorFlow) -> Tuple[Check, ...]:
    try:
        toolkit, cann = find_toolkit(), None
    except OSError as error:
        toolkit, cann = None, unreadable("CANN", error, True)
    version = tuple(sys.version_info[:3])
    checks = (
        _seen("driver", lambda: doctor_ascend.driver(ROOT, env), True),
        doctor_ascend.devices(ROOT),
        doctor_ascend.device_id(env, npu_numbers(ROOT / "dev")),
        doctor_ascend.job(env),
        cann or doctor_ascend.cann(toolkit),
        _seen("environment", lambda: doctor_ascend.environment(env, toolkit), True),
        _seen("npu_bridge", lambda: doctor_ascend.npu_bridge(ROOT, env, toolkit, version, found.version), True),
        doctor_programs.toolchain(),
        *doctor_programs.programs(env),
    )
    return tuple(check._replace(needed=check.needed and device == "npu") for check in checks)


def _seen(name: str, look: Callable[[], Check], needed: bool = False) -> Check:
    """What a look says; where this user may not look is wrong, and no reason to look at nothing else."""
    try:
        return look()
    except OSError as error:
        return unreadable(name, error, needed)
