"""What ``doctor`` looks at on every machine: Python, TensorFlow, processor, GPU, disks, cache, Inception file.

The functions take what they look at, so that a test can show them any machine.
"""

import os
import re
import shutil
from pathlib import Path
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

from biggan_cli.core.doctor_check import MISSING, OK, WRONG, Check, first_line, from_error
from biggan_cli.errors import BigganError, NotReady, is_interrupt
from biggan_cli.metrics.published import find_inception
from biggan_cli.runtime import cache
from biggan_cli.runtime.device import cpu_features
from biggan_cli.runtime.process import output_of
from biggan_cli.runtime.tf import tf
from biggan_cli.runtime.versions import tensorflow_version

TARGET_FIX = "Python 3.7 with TensorFlow 1.15: LANE=tf1 make setup"
_OTHER_FIX = "Python 3.7 with TensorFlow 1.15, or Python 3.9 or later with TensorFlow 2.16 or later: make setup"
_DOCUMENTED = ((3, 7, 5), (3, 7, 11))
"""The Pythons that Ascend's documents name for npu_bridge."""
_FEATURES = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"),
    *("amx_bf16", "asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve"),
)
"""Those that TensorFlow's kernels make use of, on x86-64 and on aarch64."""
_FULL = 1 << 30
"""Free bytes below which a disk is full soon: a checkpoint with its temporary copy needs some hundred million."""


def python(version: Tuple[int, int, int], executable: str, device: str) -> Check:
    """Whether biggan runs on this Python at all; which one the device needs is said with the lane."""
    number = ".".join(map(str, version))
    details = dict(version=number, path=executable)
    if version < (3, 7) or version[:2] == (3, 8):
        return Check("Python", WRONG, f"{number}, {executable}", _OTHER_FIX, True, details)
    note = ""
    if device == "npu" and version[:2] == (3, 7) and not _DOCUMENTED[0] <= version <= _DOCUMENTED[1]:
        note = " (npu_bridge is documented for 3.7.5 to 3.7.11)"
    return Check("Python", OK, f"{number}, {executable}{note}", None, True, details)


class TensorFlow(NamedTuple):
    """What TensorFlow says of itself: its version (None: not installed), why it cannot be loaded, its GPUs."""

    version: Optional[str]
    failure: Optional[str] = None
    gpus: Tuple[str, ...] = ()


def look_at_tensorflow() -> TensorFlow:
    """Load TensorFlow and ask it."""
    version = tensorflow_version()
    try:
        version = tf.__version__
        devices = tf.config.experimental.list_physical_devices("GPU")
    except Exception as error:  # a broken installation fails in its own ways
        if is_interrupt(error):
            raise
        return TensorFlow(version, first_line(error))
    return TensorFlow(version, None, tuple(device.name.replace("/physical_device:", "") for device in devices))


def tensorflow(found: TensorFlow) -> Check:
    """Whether it is installed, and can be loaded."""
    if found.version is None:
        return Check("TensorFlow", MISSING, "is not installed", _OTHER_FIX, True)
    details = dict(version=found.version)
    if found.failure:
        why = f"{found.version}, but it does not start: {found.failure}"
        return Check(
            "TensorFlow", WRONG, why, "install it again, in an environment of its own: make setup", True, details
        )
    return Check("TensorFlow", OK, found.version, None, True, details)


def lane(version: Tuple[int, int, int], tensorflow_version: Optional[str], device: str) -> Check:
    """Whether this pair of Python and TensorFlow is one that is tested, and one that the device can have."""
    pair = f"TensorFlow {tensorflow_version} on Python {version[0]}.{version[1]}"
    numbers = _numbers(tensorflow_version or "")
    if not numbers:
        return Check("lane", MISSING, "none without TensorFlow", _OTHER_FIX, True)
    if numbers == (1, 15) and version[:2] == (3, 7):
        return Check("lane", OK, f"the target: {pair}", None, True, dict(lane="tf1"))
    if numbers < (2, 16) or version < (3, 9):
        return Check("lane", WRONG, f"{pair} is neither of the two that are tested", _OTHER_FIX, True)
    found = f"{pair}: for CPU and GPU; npu_bridge runs on TensorFlow 1.15 and Python 3.7 only"
    if device == "npu":
        return Check("lane", WRONG, found, TARGET_FIX, True, dict(lane="tf2"))
    return Check("lane", OK, found, None, True, dict(lane="tf2"))


def cpu(cpuinfo: str, architecture: str, cores: int) -> Check:
    """What the processor can, of a Linux ``/proc/cpuinfo``; empty: nobody knows."""
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    has = cpu_features(cpuinfo)
    features = [feature for feature in _FEATURES if feature in has]
    name = model.group(1).strip() if model else architecture
    details = dict(model=name, architecture=architecture, cores=cores, features=features)
    found = f"{name}, {cores} core{'s' if cores > 1 else ''}: {' '.join(features) or 'features unknown'}"
    if has and architecture in ("x86_64", "AMD64") and "avx" not in has:
        fix = "a processor with AVX, or TensorFlow built for this one"
        return Check("CPU", WRONG, f"{found}; TensorFlow's packages need AVX", fix, True, details)
    return Check("CPU", OK, found, None, True, details)


def nvidia(env: Mapping[str, str]) -> Tuple[List[str], Optional[str]]:
    """The GPUs that NVIDIA's driver has, each ``name, driver, memory``, or what it says instead; no driver: neither."""
    program = shutil.which("nvidia-smi", path=env.get("PATH", os.defpath))
    if not program:
        return [], None
    try:
        query = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        ended = output_of(query, env)
    except NotReady as error:
        return [], error.message
    lines = [line.strip() for line in ended.lines if line.strip()]
    if ended.code:
        return [], lines[0] if lines else f"nvidia-smi {ended.how()}"
    return lines, None


def gpu(found: TensorFlow, driver: Sequence[str], complaint: Optional[str], needed: bool) -> Check:
    """What TensorFlow sees beside what NVIDIA's driver has, as :func:`nvidia` tells it."""
    details = dict(tensorflow=list(found.gpus), driver=list(driver))
    beside = "; driver: " + "; ".join(driver) if driver else ""
    if found.gpus:
        seen = f"{len(found.gpus)} for TensorFlow: {', '.join(found.gpus)}{beside}"
        return Check("GPU", OK, seen, None, needed, details)
    why = "TensorFlow does not start" if found.failure or not found.version else "TensorFlow sees none"
    if driver:
        fix = "a TensorFlow build with CUDA that fits the driver; TF_CPP_MIN_LOG_LEVEL=0 lets it say what it misses"
        return Check("GPU", WRONG, why + beside, fix, needed, details)
    if complaint:
        return Check("GPU", WRONG, f"{why}; nvidia-smi: {complaint}", "mend NVIDIA's driver", needed, details)
    fix = "--device cpu; or a GPU with NVIDIA's driver, and a TensorFlow build with CUDA"
    return Check("GPU", MISSING, f"{why}, and there is no nvidia-smi", fix, needed, details)


def runs(outdir: Path) -> Check:
    """Whether runs can be written, and the room for them."""
    return _folder("runs", outdir, "--outdir with another folder", True)


def caches() -> Check:
    """The cache: its place, its size, whether it can be written."""
    try:
        path = cache.folder()
    except BigganError as error:
        return from_error("cache", error, MISSING)
    return _folder("cache", path, "BIGGAN_CACHE with another folder", False)


def inception() -> Check:
    """The graph of Inception Score and FID, as ``score`` would find it."""
    try:
        graph = find_inception(None)
    except NotReady as error:
        return from_error("Inception", error, MISSING)._replace(
            fix="biggan score --fetch-inception, or BIGGAN_INCEPTION=FILE"
        )
    except BigganError as error:
        return from_error("Inception", error, WRONG)
    details = dict(path=str(graph.path), sha256=graph.sha256, official=graph.official)
    if graph.official:
        return Check("Inception", OK, f"official, {graph.path}", None, False, details)
    fix = "biggan score --fetch-inception, with BIGGAN_INCEPTION unset"
    found = f"{graph.path} is not the official graph: its scores compare with no published ones"
    return Check("Inception", WRONG, found, fix, False, details)


def _folder(name: str, path: Path, fix: str, needed: bool) -> Check:
    """A folder that is there, or can be made: its size, and what is free on its disk."""
    path = path.expanduser().absolute()
    base = next(folder for folder in (path, *path.parents) if os.path.lexists(str(folder)))
    details = dict(path=str(path), exists=base == path, writable=False)
    if not base.is_dir():
        return Check(name, WRONG, f"{path}: {base} is not a folder", fix, needed, details)
    free = shutil.disk_usage(str(base)).free
    details.update(free_bytes=free, writable=os.access(str(base), os.W_OK | os.X_OK))
    found = f"{_size(free)} free, {path}"
    if base == path:
        details["bytes"] = _bytes_in(path)
        found += f" ({_size(details['bytes'])})"
    else:
        found += " (not made yet)"
    if not details["writable"]:
        return Check(name, WRONG, f"{found}, where {base} cannot be written", fix, needed, details)
    if free < _FULL:
        return Check(name, WRONG, f"{found}: less than {_size(_FULL)}", f"free some room, or {fix}", needed, details)
    return Check(name, OK, found, None, needed, details)


def _bytes_in(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(str(folder)):
        for name in names:
            path = os.path.join(where, name)
            total += os.lstat(path).st_size if os.path.lexists(path) else 0
    return total


def _size(count: int) -> str:
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def _numbers(version: str) -> Tuple[int, ...]:
    """(1, 15) of 1.15.0."""
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match.group(1)), int(match.group(2))) if match else ()
