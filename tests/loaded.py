"""``biggan`` in a copy of a process that has everything loaded: what a start costs is paid once, not for every call.

Loading TensorFlow takes seconds of computing, and the tests call ``biggan`` a thousand times. So a server, one for each
process of pytest, loads it and then forks for every call: the copy has the modules and else nothing of an earlier call,
gets the arguments, folder and environment of its own, runs the same ``main`` as the console script, and ends with its
exit code. A process with threads cannot be copied whole: the server has one thread, opens no session, and says so if
that is not so. With ``TESTS_START_EACH=1`` in the environment every call is a console script again.
"""

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from tests import emulated_tools

ROOT = Path(__file__).parents[1]
BIGGAN = str(Path(sys.executable).parent / "biggan")
FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"
"""A prelude: no file can grow over so many bytes."""

_START = ("PYTHON", "LC_", "LANG", "OPENBLAS_", "OMP_", "TF_", "CUDA_")
"""What a process reads when it starts, or its libraries when they are loaded."""
_EXCEPT = {"PYTHONPATH", "OPENBLAS_NUM_THREADS"}
"""The copy sees to the first; the second is 1 for all."""


def run(arguments, cwd, env, timeout=600, prelude="", started=False):
    """``biggan …`` in a process of its own.

    Args:
        prelude: Python code that the process runs first.
        started: it is no copy, whatever its environment.

    Returns:
        As subprocess.run has it, with text.
    """
    arguments, cwd = [str(argument) for argument in arguments], str(cwd or os.getcwd())
    if not started and _SERVER.can_call(env):
        done = _SERVER.call(arguments, cwd, env, timeout, prelude)
    else:
        code = f"{prelude}\nfrom biggan_cli.cli.app import main\nmain()"
        program = [sys.executable, "-c", code] if prelude else [BIGGAN]
        done = subprocess.run([*program, *arguments], cwd=cwd, env=env, capture_output=True, timeout=timeout)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


class _Server:
    """The process that is copied, as its client sees it."""

    def __init__(self):
        self._process, self._env = None, {}
        atexit.register(self._end)

    def can_call(self, env):
        """Whether a process with this environment would start as the server did."""
        if os.environ.get("TESTS_START_EACH"):
            return False
        self._start()
        names = {name for name in {*env, *self._env} if name.startswith(_START)} - _EXCEPT
        return all(env.get(name) == self._env.get(name) for name in names)

    def call(self, arguments, cwd, env, timeout, prelude):
        """``biggan …`` in a copy; see :func:`run`, but with bytes."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = (os.path.join(folder, name) for name in ("out", "err"))
            asked = dict(arguments=arguments, cwd=cwd, env=env, out=out, err=err, prelude=prelude)
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            pid = int(self._process.stdout.readline())
            ready, _, _ = select.select([self._process.stdout], [], [], timeout)
            if not ready:
                os.kill(pid, signal.SIGKILL)
                self._end()
                raise subprocess.TimeoutExpired(arguments, timeout)
            status = int(self._process.stdout.readline())
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            return subprocess.CompletedProcess(arguments, code, Path(out).read_bytes(), Path(err).read_bytes())

    def _start(self):
        if self._process is not None:
            return
        self._env = dict(os.environ)
        path = os.pathsep.join(filter(None, [str(ROOT), self._env.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.loaded"],
            bufsize=0,  # a line that was read too early would be waited for
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(self._env, PYTHONPATH=path, OPENBLAS_NUM_THREADS="1"),
        )

    def _end(self):
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


_SERVER = _Server()


def serve():
    """Read calls, a line each; answer the number of the copy, then how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load()
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        threads = os.listdir("/proc/self/task")
        assert len(threads) == 1, f"the server has {len(threads)} threads: a copy would lack all but one"
        pid = os.fork()
        if pid == 0:
            _become(**json.loads(line.decode()))
        os.write(1, b"%d\n" % pid)
        os.write(1, b"%d\n" % os.waitpid(pid, 0)[1])


def _load():
    import biggan_cli
    from biggan_cli.runtime import tf

    names = [module.name for module in pkgutil.walk_packages(biggan_cli.__path__, "biggan_cli.")]
    for name in ["rich.text", "rich.console", "scipy.linalg", "scipy.io", *names]:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    tf.load()


def _become(arguments, cwd, env, out, err, prelude):
    """Run ``biggan …`` and end this process."""
    for number, path in enumerate((os.devnull, out, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    own = os.environ["PYTHONPATH"].split(os.pathsep)
    theirs = list(filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))
    sys.path[:] = [os.path.dirname(BIGGAN), *theirs, *(path for path in sys.path[1:] if path not in own)]
    importlib.invalidate_caches()
    tempfile.tempdir = None
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules["__main__"].__file__ = BIGGAN  # which a worker process of it imports

    def main():
        sys.modules.pop("sitecustomize", None)
        with contextlib.suppress(ImportError):
            importlib.import_module("sitecustomize")
        exec(prelude, {})
        if arguments[:1] in (["atc"], ["msame-run"], ["verify"]):
            emulated_tools.serve(os.path.dirname(out))
        sys.modules["biggan_cli.cli.app"].main()

    emulated_tools.end_as(main, [BIGGAN, *arguments], cwd, env)


if __name__ == "__main__":
    serve()
