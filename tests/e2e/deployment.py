"""What the tests of the deployment share: the emulated toolchain, a toolkit made of it, programs that never end."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import biggan_cli.emulator
from biggan_cli.files import sha256
from tests import loaded
from tests.conftest import BIGGAN, run_biggan

EMULATED = {"BIGGAN_TOOLCHAIN": "emulator"}
EMULATOR = biggan_cli.emulator.BIN
MODEL, BINS, LATENTS = "ascend310_b1_force_fp16", "00000", 6
"""The offline model and the input files of the deployed run, and how many latents it ran."""

OUTPUTS = [f"{number:06d}_output_0.bin" for number in range(LATENTS)]
FLOAT16 = 0.05
"""How far a picture in [-1, 1] computed in float16 may be from the one in float32 (measured: under 0.01)."""


def emulated(*arguments, cwd, fail="", check=0):
    """``biggan …`` with the emulated toolchain; ``fail`` is what the emulator is to do wrong."""
    return run_biggan(*arguments, cwd=cwd, env=dict(EMULATED, BIGGAN_EMULATOR_FAIL=fail), check=check)


def digests(folder):
    """Relative path → sha256 of everything in a folder but locks."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): sha256(path) for path in sorted(paths)}


def log_named_in(done, cwd):
    """The text of the log that an error names."""
    (path,) = re.findall("^  log: (.*)$", done.stderr, re.MULTILINE)
    return (cwd / path).read_text()


def with_a_full_disk(*arguments, cwd, limit, env=EMULATED):
    """``biggan …`` where no file can grow over ``limit`` bytes: as on a full disk, the writing of it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BIGGAN_")}
    return loaded.run(arguments, cwd, dict(environment, **env), prelude=loaded.FULL_DISK.format(limit))


class Hanging:
    """A ``biggan`` in the background, with every process that it has started."""

    def __init__(self, process, mark):
        self._process, self._mark = process, mark

    def processes(self):
        """Whatever is alive of it: the processes that inherited the mark in its environment."""
        return [int(place.name) for place in Path("/proc").glob("[0-9]*") if self._mark in _environment(place)]

    def end_by(self, number):
        """Its exit code and stderr, after the signal; and which of its processes are still there, zombies too."""
        alive = self.processes()
        assert self._process.pid in alive and len(alive) > 1, "there was no child to end"
        self._process.send_signal(number)
        _, stderr = self._process.communicate(timeout=60)
        deadline = time.time() + 5  # an orphan that was killed is there until init has seen it
        while True:
            left = {pid for pid in alive if Path(f"/proc/{pid}").exists()}.union(self.processes())
            if not left or time.time() > deadline:
                return self._process.returncode, stderr.decode(), left
            time.sleep(0.05)


@contextlib.contextmanager
def hanging(*arguments, cwd, fail="", said, env=EMULATED):
    """``biggan …`` in the background, once the log of its program, which then never ends, has the words ``said``."""
    mark = uuid.uuid4().hex
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BIGGAN_")}
    environment.update(env, BIGGAN_EMULATOR_FAIL=fail, MARK_OF_THIS_TEST=mark)
    process = subprocess.Popen(
        [BIGGAN, *map(str, arguments)],
        cwd=str(cwd),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background has it ignored
    )
    started = Hanging(process, mark.encode())
    try:
        deadline = time.time() + 60
        while not any(said in path.read_text() for path in Path(str(cwd)).glob("runs/*/*/.unfinished-*/*.log")):
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.time() < deadline, f"{said} never came"
            time.sleep(0.05)
        yield started
    finally:
        for pid in started.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def _environment(place):
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        return (place / "environ").read_bytes()
    return b""


def make_toolkit(root, chips=("Ascend310", "Ascend310P3"), atc=None):
    """A folder that looks like CANN's toolkit; without ``atc``, a script, its atc starts the emulated one.

    To be called with the environment of :func:`python_of_the_emulator`.
    """
    start = f'#!/bin/sh\necho "set_env.sh was sourced: $FAKE_CANN"\nexec {shlex.quote(str(EMULATOR / "atc"))} "$@"\n'
    make_program(root / "bin" / "atc", atc or start)
    (root / "set_env.sh").write_text("export FAKE_CANN=yes\n")
    platforms = root / "x86_64-linux" / "data" / "platform_config"
    platforms.mkdir(parents=True)
    for chip in chips:
        (platforms / f"{chip}.ini").write_text("")
    install = "package_name=Ascend-cann-toolkit\nversion=8.1.RC9\narch=x86_64\n"
    (root / "x86_64-linux" / "ascend_toolkit_install.info").write_text(install)
    return root


def make_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def without_toolkit(home):
    """An environment in which no toolkit can be found; ``home`` is an empty folder."""
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "ASCEND_HOME_PATH": "", "ASCEND_TOOLKIT_HOME": ""}


def python_of_the_emulator():
    return {"BIGGAN_PYTHON": sys.executable}
