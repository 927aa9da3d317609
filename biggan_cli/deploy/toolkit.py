"""Where the external programs are: CANN's atc, msame or ais_bench, or the emulator that stands for them."""

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from biggan_cli.deploy.soc import SOC_VERSIONS
from biggan_cli.errors import NotReady, UsageError
from biggan_cli.runtime.process import environment_after, quoted
from biggan_cli.settings import TOOLCHAINS

_EMULATOR = Path(__file__).parents[1] / "emulator" / "bin"
_ATC = ("bin/atc", "latest/bin/atc", "atc/bin/atc", "latest/atc/bin/atc", "compiler/bin/atc", "atc")
_USUAL = ("ascend-toolkit/latest", "cann", "ascend-toolkit", "latest")
_RUNTIMES = ("nnrt/latest", "nnae/latest")
_MSAME = ("msame", "msame/out/msame", "tools/msame/out/msame", "msame/out/main", "tools/msame/msame")
_INSTALL_RECORD = Path("/etc/Ascend/ascend_cann_install.info")
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
    for root in _roots(toolkit):
        for place in _ATC:
            program = root / place
            if program.is_file() and os.access(str(program), os.X_OK):
                home = root / "latest" if place.startswith("latest/") else root
                env, setup = _environment(home, asked=toolkit is not None)
                return Tool((str(program),), env, _version(home), False, setup, _soc_versions(home))
    raise NotReady(
        f"--toolkit {toolkit} has no atc" if toolkit else "there is no atc on this machine",
        looked_for=", ".join(str(root / "bin/atc") for root in _roots(toolkit)) or "atc on PATH",
        fix="install CANN's toolkit and source its set_env.sh, or name it with --toolkit DIR",
        hint="--toolchain emulator converts for a CPU stand-in: to try the chain, not for a device",
    )


def find_runner(toolchain: Optional[str], runner: str, program: Optional[Path], toolkit: Optional[Path]) -> Tool:
    """The program that runs an offline model: ``msame``, or the Python that has ``ais_bench``.

    Raises:
        NotReady: there is none.
    """
    if chosen(toolchain, toolkit) == "emulator":
        module = [sys.executable, "-m", "biggan_cli.emulator.ais_bench"]
        return _emulated(module if runner == "ais_bench" else [str(_EMULATOR / "msame")])
    root = next((root for root in [*_roots(toolkit), *_under(_RUNTIMES)] if root.is_dir()), None)
    env, setup = _environment(root, asked=toolkit is not None) if root else (_without_own_python(), None)
    argv = _ais_bench(program, env) if runner == "ais_bench" else _msame(program)
    return Tool(tuple(argv), env, _version(root) if root else "unknown", False, setup)


def _msame(program: Optional[Path]) -> List[str]:
    named = program or (Path(os.environ["BIGGAN_MSAME"]) if os.environ.get("BIGGAN_MSAME") else None)
    on_path = shutil.which("msame")
    places = [named] if named else [Path(on_path)] if on_path else [Path.home() / place for place in _MSAME]
    for place in places:
        if place.is_file() and os.access(str(place), os.X_OK):
            return [str(place.absolute())]
    raise NotReady(
        f"{'--runner-path' if program else 'BIGGAN_MSAME'} {named} is not a program"
        if named
        else "there is no msame on this machine",
        looked_for=", ".join(str(place) for place in places),
        fix="build msame (github.com/Ascend/tools) and put it on PATH, or name it with --runner-path FILE",
        hint="--runner ais_bench takes its successor; --toolchain emulator runs models of the emulated atc on the CPU",
    )


def _ais_bench(program: Optional[Path], env: Dict[str, str]) -> List[str]:
    found = shutil.which(str(program) if program else "python3", path=env.get("PATH"))
    if not found:
        raise NotReady(
            f"--runner-path {program} is not a Python" if program else "there is no python3 on PATH for ais_bench",
            fix="--runner-path with the Python that has ais_bench",
        )
    return [found, "-m", "ais_bench"]


def _emulated(argv: List[str]) -> Tool:
    return Tool(tuple(argv), dict(os.environ, BIGGAN_PYTHON=sys.executable), "emulated CANN 8.1", emulated=True)


def _roots(toolkit: Optional[Path]) -> Iterator[Path]:
    """The folders that a toolkit may be in, the likeliest first; only ``toolkit`` where it is given."""
    if toolkit is not None:
        yield toolkit.absolute()
        return
    for variable in ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    on_path = shutil.which("atc")
    if on_path:
        place = Path(on_path).absolute()
        yield next((parent for parent in place.parents if parent.name not in ("bin", "atc", "compiler")), place.parent)
    if _INSTALL_RECORD.is_file():
        recorded = re.search(r"^Install_Path=(.+)$", _INSTALL_RECORD.read_text(errors="replace"), re.MULTILINE)
        if recorded:
            yield Path(recorded.group(1).strip()) / "latest"
    yield from _under(_USUAL)


def _under(places: Tuple[str, ...]) -> Iterator[Path]:
    for base in (Path("/usr/local/Ascend"), Path.home() / "Ascend"):
        for place in places:
            yield base / place


def _environment(root: Path, asked: bool) -> Tuple[Dict[str, str], Optional[Path]]:
    """The environment for a program of this toolkit, and the script that had to be sourced for it.

    What the user has sourced is kept, unless another toolkit was asked for.
    """
    env, setup = _without_own_python(), None
    if asked or "ASCEND_OPP_PATH" not in env:
        setup = next((place / "set_env.sh" for place in (root, root.parent) if (place / "set_env.sh").is_file()), None)
        if setup:
            env = environment_after(setup, env)
    # On a host without a device the driver's libraries are replaced by stubs; they come last, behind real ones.
    stubs = [str(path) for path in (*root.glob("*-linux/devlib"), root / "runtime/lib64/stub") if path.is_dir()]
    libraries = [part for part in (env.get("LD_LIBRARY_PATH"), *stubs) if part]
    if libraries:
        env["LD_LIBRARY_PATH"] = ":".join(libraries)
    return env, setup


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
    records = [*root.glob("*-linux/ascend_toolkit_install.info"), *root.glob("*-linux/ascend_nnrt_install.info")]
    for path, pattern in [
        *((path, r"^version=(\S+)") for path in records),
        (root / "version.cfg", r"\[[^\]:]*:([^\]]+)\]"),
        (root / "compiler" / "version.info", r"^Version=(\S+)"),
    ]:
        if path.is_file():
            match = re.search(pattern, path.read_text(errors="replace"), re.MULTILINE)
            if match:
                return "CANN " + match.group(1)
    return "CANN of unknown version"
