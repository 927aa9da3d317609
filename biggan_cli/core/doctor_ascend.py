"""What ``doctor`` looks at for Ascend: driver, devices, CANN, npu_bridge, and the environment.

The functions take what they look at (an environment, the root of the file system, a toolkit), so that a test can lay
out any machine in a folder. Where things are: CANN's documents on installation and environment variables.
"""

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

from biggan_cli.core import ranks
from biggan_cli.core.doctor_check import MISSING, OK, WRONG, Check, from_error
from biggan_cli.core.doctor_host import TARGET_FIX
from biggan_cli.deploy.toolkit import Toolkit
from biggan_cli.errors import BigganError, NotReady, UsageError
from biggan_cli.runtime import rank_table
from biggan_cli.runtime.device import check_npu, npu_numbers
from biggan_cli.runtime.process import environment_after, output_of
from biggan_cli.runtime.versions import version_of

_INSTALL = "install CANN (www.hiascend.com/software/cann), or run in Ascend's docker image"
_PLUGIN = (
    "install CANN's tfplugin, or Ascend's docker image that has it, and source its set_env.sh; "
    "or the wheel of npu_bridge (CANN 8.0 and later), and export PYTHONPATH with its folder"
)
_IN_DOCKER = "--device=/dev/davinciN --device=/dev/davinci_manager --device=/dev/devmm_svm --device=/dev/hisi_hdc"
_MANAGERS = ("davinci_manager", "devmm_svm", "hisi_hdc")
_FOLDERS = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH", "ASCEND_OPP_PATH")
_LISTS = ("LD_LIBRARY_PATH", "PYTHONPATH", "PATH")
_FITS = {(9, 0): ((9, 0), (9, 1)), (9, 1): ((9, 1), (9, 2))}
"""Releases of the TensorFlow adapter and the CANN that they are documented for; earlier ones have the same number."""


def driver(root: Path, env: Mapping[str, str]) -> Check:
    """The driver's version and its npu-smi; containers may have its libraries alone."""
    home = root / "usr/local/Ascend/driver"
    record = home / "version.info"
    version = _field(record, "Version")
    npu_smi = shutil.which("npu-smi", path=env.get("PATH", os.defpath))
    details = dict(version=version, npu_smi=npu_smi)
    if version:
        return Check("driver", OK, f"{version}, {npu_smi or 'no npu-smi on PATH'}", None, True, details)
    if npu_smi or npu_numbers(root / "dev"):
        if (home / "lib64").is_dir():
            return Check("driver", OK, f"{home}, without its version.info: version unknown", None, True, details)
        found = f"{npu_smi or 'devices are there'}, but neither {record} nor {home / 'lib64'}"
        fix = "install the driver; in a container, mount /usr/local/Ascend/driver"
        return Check("driver", WRONG, found, fix, True, details)
    return Check("driver", MISSING, f"neither {record} nor npu-smi", "install Ascend's driver", True, details)


def devices(root: Path) -> Check:
    """The devices, and what every process needs beside them."""
    numbers = npu_numbers(root / "dev")
    details = dict(devices=[f"/dev/davinci{number}" for number in numbers])
    if not numbers:
        fix = f"a machine with an Ascend 910 and its driver; in a container: docker run {_IN_DOCKER}"
        return Check("devices", MISSING, "no /dev/davinciN", fix, True, details)
    found = ", ".join(details["devices"])
    lacking = [f"/dev/{name}" for name in _MANAGERS if not (root / "dev" / name).exists()]
    if lacking:
        fix = f"load the driver; in a container: docker run {_IN_DOCKER}"
        return Check("devices", WRONG, f"{found}, without {', '.join(lacking)}", fix, True, details)
    return Check("devices", OK, found, None, True, details)


def device_id(env: Mapping[str, str], numbers: Sequence[int]) -> Check:
    """Whether the device that the environment chooses is there."""
    try:
        words = check_npu(None, env, numbers)
    except UsageError as error:
        return from_error("device id", error, WRONG, True)
    if not numbers and "=" in words:
        return Check("device id", MISSING, f"{words}, but no device", f"unset {words.partition('=')[0]}", True)
    return Check("device id", OK, words, None, True)


def job(env: Mapping[str, str], usual: Path = rank_table.MODELARTS_TABLE) -> Check:
    """Whether this process is a job of one device, as training finds out when it starts."""
    try:
        path = ranks.table_of(env, usual)
        if path is None:
            return Check("job", OK, "one process, no rank table", None, True)
        ranks.of_one_device(rank_table.wait_for(path, time_limit=0, sleep=lambda seconds: None), path)
    except BigganError as error:
        return from_error("job", error, WRONG, True)
    return Check("job", OK, f"one device, {path}", None, True, dict(rank_table=str(path)))


def cann(toolkit: Optional[Toolkit]) -> Check:
    if toolkit is None:
        return Check("CANN", MISSING, "no toolkit in the usual places or the environment", _INSTALL, True)
    details = dict(version=toolkit.version, path=str(toolkit.home), set_env=str(toolkit.setup or ""))
    return Check("CANN", OK, f"{toolkit.version}, {toolkit.home}", None, True, details)


def environment(
    env: Mapping[str, str],
    toolkit: Optional[Toolkit],
    after: Callable[[Path, Mapping[str, str]], Mapping[str, str]] = environment_after,
) -> Check:
    """Whether the toolkit's set_env.sh was sourced: whether sourcing it would change anything."""
    source = f"source {toolkit.setup}" if toolkit and toolkit.setup else None
    gone = [f"{name}={env[name]}" for name in _FOLDERS if env.get(name) and not os.path.isdir(env[name])]
    if gone:
        fix = source or "unset " + " ".join(entry.partition("=")[0] for entry in gone)
        return Check("environment", WRONG, f"{', '.join(gone)}: no such folder", fix, True)
    if toolkit is None:
        return Check("environment", MISSING, "nothing to source without CANN", _INSTALL, True)
    if source is None:
        if env.get("ASCEND_OPP_PATH"):
            return Check("environment", OK, f"ASCEND_OPP_PATH={env['ASCEND_OPP_PATH']}; no set_env.sh", None, True)
        fix = f"export ASCEND_OPP_PATH={toolkit.home}/opp, with LD_LIBRARY_PATH and PYTHONPATH"
        return Check("environment", WRONG, f"not set, and {toolkit.home} has no set_env.sh", fix, True)
    try:
        lacking = _lacking(env, after(toolkit.setup, env))
    except NotReady as error:
        return from_error("environment", error, WRONG, True)
    details = dict(set_env=str(toolkit.setup), lacking=lacking)
    if lacking:
        return Check("environment", WRONG, f"not sourced: {', '.join(lacking)}", source, True, details)
    return Check("environment", OK, f"{toolkit.setup} is sourced", None, True, details)


def npu_bridge(
    root: Path,
    env: Mapping[str, str],
    toolkit: Optional[Toolkit],
    python_version: Tuple[int, int, int],
    tensorflow_version: Optional[str],
) -> Check:
    """Whether the adapter is there, can be imported, and fits CANN, TensorFlow and Python.

    It is imported by another process: from 2022 on importing it changes what a session is.
    """
    spec = importlib.util.find_spec("npu_bridge")
    place = _folder_of(spec)
    target = (tensorflow_version or "").startswith("1.15") and python_version[:2] == (3, 7)
    if place is None:
        script = next((path for path in _plugins(root, env, toolkit) if path.is_file()), None)
        fix = f"source {script}" if script else _PLUGIN
        fix = fix if target else f"{TARGET_FIX}; then {fix}"
        return Check("npu_bridge", MISSING, "cannot be imported: no such module", fix, True)
    built_for, release = version_of("npu_bridge") or version_of("npu-bridge"), _release(place, env)
    details = dict(path=str(place), version=built_for, release=release, cann=toolkit.version if toolkit else None)
    found = ", ".join(part for part in (built_for, release and f"tfplugin {release}", str(place)) if part)

    def wrong(why: str, fix: str) -> Check:
        return Check("npu_bridge", WRONG, f"{found}: {why}", fix, True, details)

    if not target:
        running = f"TensorFlow {tensorflow_version} on Python {python_version[0]}.{python_version[1]}"
        return wrong(f"it cannot run on {running}", TARGET_FIX)
    if built_for and not built_for.startswith("1.15"):
        return wrong("it is not for TensorFlow 1.15", _PLUGIN)
    fits = _fits(release, toolkit)
    details["fits"] = fits
    if fits is False:
        return wrong(f"it does not fit {toolkit.version}", "install the tfplugin and the CANN of the same release")
    try:
        ended = output_of([sys.executable, "-c", "import npu_bridge; print('imported')"], env, 120)
    except NotReady as error:
        return wrong(error.message, "import it in a Python of its own to see what it waits for")
    if ended.code or "imported" not in ended.lines:
        why = next((line for line in reversed(ended.lines) if line.strip()), ended.how())
        return wrong(f"importing it fails: {why}", "source the set_env.sh of CANN and of tfplugin")
    unknown = "" if fits else "; whether it fits CANN is recorded nowhere"
    return Check("npu_bridge", OK, found + unknown, None, True, details)


def _lacking(env: Mapping[str, str], after: Mapping[str, str]) -> List[str]:
    """The variables that are not as they would be, whatever the order of what is in them."""

    def entries(values: Mapping[str, str], name: str) -> set:
        return {os.path.realpath(entry) for entry in values.get(name, "").split(":") if entry}

    return [name for name in (*_FOLDERS, *_LISTS) if entries(after, name) - entries(env, name)]


def _folder_of(spec) -> Optional[Path]:
    """Where a module is; a folder without code that only has its name is none."""
    return Path(spec.origin).parent if spec and spec.origin else None


def _plugins(root: Path, env: Mapping[str, str], toolkit: Optional[Toolkit]) -> List[Path]:
    """Where the script may be that puts an installed npu_bridge on PYTHONPATH."""
    bases = [*toolkit.home.parents][:2] if toolkit else []
    bases += [root / "usr/local/Ascend", Path(env.get("HOME", "/root")) / "Ascend"]
    return [base / "tfplugin/set_env.sh" for base in bases]


def _release(place: Path, env: Mapping[str, str]) -> Optional[str]:
    """Of the tfplugin that an npu_bridge belongs to, from its install record."""
    named = env.get("TFPLUGIN_INSTALL_PATH")
    for folder in [*place.parents][:5] + ([Path(named)] if named else []):
        for pattern in ("ascend_tfplugin_install.info", "*-linux/ascend_tfplugin_install.info"):
            for record in sorted(folder.glob(pattern)):
                return _field(record, "version")
    return None


def _fits(release: Optional[str], toolkit: Optional[Toolkit]) -> Optional[bool]:
    """Whether a release of the adapter goes with this CANN; None where a number is not known."""
    plugin, cann_version = (re.search(r"(\d+)\.(\d+)", text or "") for text in (release, toolkit and toolkit.version))
    if not plugin or not cann_version:
        return None
    numbers = tuple(map(int, plugin.groups()))
    return tuple(map(int, cann_version.groups())) in _FITS.get(numbers, (numbers,))


def _field(record: Path, name: str) -> Optional[str]:
    """``name=value`` of an install record."""
    if not record.is_file():
        return None
    match = re.search(rf"^{name}\s*=\s*(\S+)", record.read_text(errors="replace"), re.MULTILINE)
    return match.group(1) if match else None
