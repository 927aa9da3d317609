"""Where the external programs are: CANN's atc, msame or ais_bench, or the emulator that stands for them."""

import contextlib
import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from biggan_cli.deploy.soc import SOC_VERSIONS
from biggan_cli.errors import NotReady, UsageError
from biggan_cli.runtime.process import can_import, environment_after, quoted
from biggan_cli.settings import TOOLCHAINS

_EMULATOR = Path(__file__).parents[1] / "emulator" / "bin"
_BASES = ("/usr/local/Ascend", "~/Ascend")
_HOMES = ("", "latest", "ascend-toolkit/latest", "cann")
"""Where a toolkit is below the folder that is named, or that it was installed to."""
_RUNTIMES = ("nnrt/latest", "nnae/latest")
_ATC = ("bin/atc", "atc/bin/atc", "compiler/bin/atc", "atc")
_MSAME = ("msame", "msame/out/msame", "tools/msame/out/msame", "msame/out/main", "tools/msame/msame")
_PROFILER = ("", "*-linux/", "toolkit/", "*-linux/toolkit/")
_MSPROF = ("bin/msprof", "msprof", *(place + "tools/profiler/bin/msprof" for place in _PROFILER))
_MSPROF_PY = tuple(place + "tools/profiler/profiler_tool/analysis/msprof/msprof.py" for place in _PROFILER)
_ABOVE = {"atc": ("bin", "atc", "compiler"), "msprof": ("bin", "profiler", "tools")}
"""The folders that a program is in, below that of its toolkit."""
_INSTALL_RECORD = Path("/etc/Ascend/ascend_cann_install.info")
_DEVICE = Path("/dev/davinci_manager")
_UNKNOWN = "CANN of unknown version"
_PYTHON_OF_ATC = ("decorator", "attr", "psutil")


class Tool(NamedTuple):
    """A program that is ready to run.

    ``argv`` starts it, with ``env``; ``setup`` is the script whose environment that is, if one had to be sourced.
    """

    argv: Tuple[str, ...]
    env: Dict[str, str]
    version: str
    emulated: bool = False
    setup: Optional[Path] = None
    soc_versions: Tuple[str, ...] = SOC_VERSIONS

    def pasted(self, arguments: List[str]) -> str:
        """The whole command for a shell."""
        command = quoted([*self.argv, *arguments])
        if self.emulated:
            return f"BIGGAN_PYTHON={quoted([self.env['BIGGAN_PYTHON']])} {command}"
        return f". {quoted([str(self.setup)])} && {command}" if self.setup else command


class Toolkit(NamedTuple):
    """An installed CANN: its folder, its version, and the script that sets its environment."""

    home: Path
    version: str
    setup: Optional[Path]


def chosen(toolchain: Optional[str], toolkit: Optional[Path] = None) -> str:
    """``--toolchain``, else what ``--toolkit`` means, else ``BIGGAN_TOOLCHAIN``, else auto.

    Raises:
        UsageError: it is none of the three.
    """
    origin = "--toolchain " if toolchain else "BIGGAN_TOOLCHAIN="
    choice = toolchain or (toolkit and "cann") or os.environ.get("BIGGAN_TOOLCHAIN") or "auto"
    if choice == "emulator" and toolkit:
        raise UsageError(f"--toolchain emulator takes no --toolkit {toolkit}", fix="leave one out")
    if choice not in TOOLCHAINS:
        raise UsageError(f"{origin}{choice} is not one of {', '.join(TOOLCHAINS)}", fix=f"{origin}auto")
    return choice


def find_atc(toolchain: Optional[str], toolkit: Optional[Path]) -> Tool:
    """The converter: of ``toolkit``, the environment, the PATH, or the usual folders.

    Raises:
        NotReady: there is none; the emulator is never taken unasked.
    """
    if chosen(toolchain, toolkit) == "emulator":
        return _emulated([str(_EMULATOR / "atc")])
    for home in _homes(toolkit):
        program = _atc_of(home)
        if program:
            env, setup = _environment(home, asked=toolkit is not None)
            _add_stubs(env, home)
            return Tool((str(program),), env, _version(home), False, setup, _soc_versions(home))
    raise NotReady(
        f"--toolkit {toolkit} has no atc" if toolkit else "there is no atc on this machine",
        looked_for=", ".join(
            [*([] if toolkit else ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME", "PATH"])]
            + [str(home / "bin/atc") for home in _homes(toolkit)]
        ),
        fix="install CANN's toolkit and source its set_env.sh, or name it with --toolkit DIR",
        hint="--toolchain emulator converts for a CPU stand-in: to try the chain, not for a device",
    )


def find_runner(toolchain: Optional[str], runner: str, program: Optional[Path], toolkit: Optional[Path]) -> Tool:
    """The program that runs an offline model: ``msame``, or the Python that has ``ais_bench``.

    Raises:
        NotReady: there is none.
    """
    if chosen(toolchain, toolkit) == "emulator":
        if program:
            raise UsageError(f"--runner-path {program} has no use with the emulator", fix="leave one of the two out")
        module = [sys.executable, "-m", "biggan_cli.emulator.ais_bench"]
        return _emulated(module if runner == "ais_bench" else [str(_EMULATOR / "msame")])
    home = next((home for home in [*_homes(toolkit), *_runtimes()] if _setup_of(home)), None)
    env, setup = _environment(home, asked=toolkit is not None, any_will_do=True) if home else (dict(os.environ), None)
    argv = _ais_bench(program, env) if runner == "ais_bench" else _msame(program)
    return Tool(tuple(argv), env, _version(home) if home else _UNKNOWN, False, setup)


def find_toolkit() -> Optional[Toolkit]:
    """The first CANN where :func:`find_atc` looks, or of runtimes, with or without an atc; None: there is none."""
    for home in [*_homes(None), *_runtimes()]:
        version = _version(home)
        if version != _UNKNOWN or _atc_of(home) or (home / "opp").is_dir():
            return Toolkit(home, version, _setup_of(home))
    return None


def _atc_of(home: Path) -> Optional[Path]:
    """Its converter; the emulator's is none."""
    programs = (home / place for place in _ATC)
    return next((path for path in programs if path.resolve().parent != _EMULATOR.resolve() and _is_program(path)), None)


def find_msprof(toolkit: Optional[Path]) -> Tool:
    """What exports profiles: msprof of ``toolkit``, the environment, the PATH or the usual folders, or its msprof.py.

    Raises:
        NotReady: there is neither.
    """
    homes = _homes(toolkit, "msprof", "atc")
    for home in homes:
        programs = [path for place in _MSPROF for path in home.glob(place) if _is_program(path)]
        scripts = [path for place in _MSPROF_PY for path in home.glob(place)]
        if programs or scripts:
            env, setup = _environment(home, asked=toolkit is not None)
            python = shutil.which("python3", path=env.get("PATH")) or sys.executable
            argv = (str(programs[0]),) if programs else (python, str(scripts[0]))
            return Tool(argv, env, _version(home), False, setup)
    raise NotReady(
        f"--toolkit {toolkit} has no msprof" if toolkit else "there is no msprof on this machine",
        looked_for=", ".join(
            [*([] if toolkit else ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME", "PATH"])]
            + [str(home / _MSPROF[2]) for home in homes]
        ),
        fix="install CANN's toolkit, which brings it, or name it with --toolkit DIR",
    )


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(str(path), os.X_OK)


def _msame(program: Optional[Path]) -> List[str]:
    variable = os.environ.get("BIGGAN_MSAME")
    named = program or (Path(variable).expanduser() if variable else None)
    on_path = shutil.which("msame")
    if on_path and Path(on_path).resolve().parent == _EMULATOR.resolve():
        on_path = None
    places = (
        [named]
        if named
        else [Path(on_path)]
        if on_path
        else [home / place for home in _expanded("~") for place in _MSAME]
    )
    for place in places:
        if _is_program(place):
            return [str(place.absolute())]
    raise NotReady(
        f"{'--runner-path' if program else 'BIGGAN_MSAME'} {named} is not a program"
        if named
        else "there is no msame on this machine",
        looked_for=", ".join([*([] if named else ["BIGGAN_MSAME", "PATH"]), *map(str, places)]),
        fix="build msame (github.com/Ascend/tools) and put it on PATH, or name it: --runner-path, BIGGAN_MSAME",
        hint="--runner ais_bench takes its successor; --toolchain emulator runs models of the emulated atc on the CPU",
    )


def _ais_bench(program: Optional[Path], env: Dict[str, str]) -> List[str]:
    """The named Python, or the first that has ais_bench: on PATH with biggan's own environment, then without."""
    paths = (os.environ.get("PATH"), _without_own_python().get("PATH"))
    places = [str(program.absolute()) if program.is_file() else str(program)] if program else ["python3"]
    found = [shutil.which(place, path=path) for place in places for path in paths]
    pythons = list(dict.fromkeys(os.path.abspath(python) for python in found if python))
    for python in pythons:
        if can_import(python, "ais_bench", env):
            return [python, "-m", "ais_bench"]
    raise NotReady(
        f"--runner-path {program} is no Python that has ais_bench" if program else "no Python here has ais_bench",
        looked_for=", ".join(pythons) or "python3 on PATH",
        fix="install it (github.com/Ascend/tools, ais-bench_workload), or --runner-path with the Python that has it",
        hint="--toolchain emulator runs models of the emulated atc on the CPU",
    )


def _emulated(argv: List[str]) -> Tool:
    return Tool(tuple(argv), dict(os.environ, BIGGAN_PYTHON=sys.executable), "emulated CANN 8.1", emulated=True)


def _homes(toolkit: Optional[Path], *programs: str) -> List[Path]:
    """The folders that a toolkit may be in, the likeliest first; only those in ``toolkit`` where it is given.

    Args:
        programs: one of these on the PATH tells where it is.
    """
    roots: List[Path] = []
    if toolkit is not None:
        roots.append(toolkit.absolute())
    else:
        names = ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")
        roots.extend(Path(os.environ[name]) for name in names if os.environ.get(name))
        for program in programs or ("atc",):
            on_path = shutil.which(program)
            for place in (Path(on_path).resolve(), Path(on_path).absolute()) if on_path else ():
                roots.append(next(parent for parent in place.parents if parent.name not in _ABOVE[program]))
                roots.append(place.parent)
        if _INSTALL_RECORD.is_file():
            recorded = re.search(r"^Install_Path=(.+)$", _INSTALL_RECORD.read_text(errors="replace"), re.MULTILINE)
            roots.extend([Path(recorded.group(1).strip())] if recorded else [])
        roots.extend(_expanded(*_BASES))
    return list(dict.fromkeys(root / place for root in roots for place in _HOMES))


def _expanded(*folders: str) -> List[Path]:
    """Those of the folders that there are for this user, who may have no home."""
    found = []
    for folder in folders:
        with contextlib.suppress(RuntimeError, KeyError):  # KeyError: Python 3.7 and no entry in passwd
            found.append(Path(folder).expanduser())
    return found


def _runtimes() -> List[Path]:
    return [base / place for base in _expanded(*_BASES) for place in _RUNTIMES]


def _setup_of(home: Path) -> Optional[Path]:
    """The script that sets the environment of a toolkit: in it, or in the folder that its versions are in."""
    bases = _expanded(*_BASES)
    not_of_a_toolkit = {folder for base in bases for folder in base.parents}
    for base in (home, home.resolve()):
        for folder in [base, *list(base.parents)[:2]]:
            if base.is_dir() and folder not in not_of_a_toolkit and (folder / "set_env.sh").is_file():
                return folder / "set_env.sh"
    return None


def _environment(home: Path, asked: bool, any_will_do: bool = False) -> Tuple[Dict[str, str], Optional[Path]]:
    """The environment for a program of this toolkit, and the script that had to be sourced for it.

    What the user has sourced is kept if it is of this toolkit (or of any, where ``any_will_do``), unless another one
    was asked for.
    """
    env = _without_own_python()
    setup = _setup_of(home)
    sourced = env.get("ASCEND_OPP_PATH")
    if sourced and setup and not any_will_do:
        asked = asked or setup.parent.resolve() not in Path(sourced).resolve().parents
    if setup and (asked or not sourced):
        return environment_after(setup, env), setup
    return env, None


def _add_stubs(env: Dict[str, str], home: Path) -> None:
    """On a host without a device, atc needs stubs of the driver's libraries; beside a device they would hide these."""
    if not _DEVICE.exists():
        stubs = [str(path) for path in (*home.glob("*-linux/devlib"), home / "runtime/lib64/stub") if path.is_dir()]
        libraries = [part for part in (env.get("LD_LIBRARY_PATH"), *stubs) if part]
        if libraries:
            env["LD_LIBRARY_PATH"] = ":".join(libraries)


def _without_own_python() -> Dict[str, str]:
    """This environment without the virtual one that biggan runs in, which lacks what atc's Python code needs."""
    env = dict(os.environ)
    if sys.prefix != sys.base_prefix and not all(importlib.util.find_spec(name) for name in _PYTHON_OF_ATC):
        own = str(Path(sys.prefix) / "bin")
        env["PATH"] = ":".join(part for part in env.get("PATH", "").split(":") if part.rstrip("/") != own)
        env.pop("VIRTUAL_ENV", None)
    return env


def _soc_versions(root: Path) -> Tuple[str, ...]:
    """What this toolkit builds for, from its own files; else the shipped list."""
    found = {path.stem for path in root.glob("*-linux/data/platform_config/*.ini")}
    found.update(path.stem for path in root.glob("data/platform_config/*.ini"))
    return tuple(sorted(found)) or SOC_VERSIONS


def _version(root: Path) -> str:
    """The toolkit's version as its install record has it."""
    names = [f"ascend_{kind}_install.info" for kind in ("toolkit", "nnae", "nnrt")]
    records = [path for name in names for folder in ("*-linux/", "") for path in sorted(root.glob(folder + name))]
    for path, pattern in [
        *((path, r"^version=(\S+)") for path in records),
        (root / "version.cfg", r"\[[^\]:]*:([^\]]+)\]"),
        (root / "compiler" / "version.info", r"^Version=(\S+)"),
    ]:
        if path.is_file():
            match = re.search(pattern, path.read_text(errors="replace"), re.MULTILINE)
            if match:
                return "CANN " + match.group(1)
    return _UNKNOWN
