"""The emulated atc and msame in copies too: for a ``biggan`` that is a copy, see :mod:`tests.loaded`.

``biggan`` starts them as ever, as programs of their own, with the Python that it runs on. That is a program here which
asks a helper for a copy of it with TensorFlow loaded, passes on its own input and outputs, and ends as the copy ends;
when it is killed, the copy is too.
"""

import array
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback

_PYTHON = """#!{python} -SE
import array, json, os, resource, signal, socket, sys

if sys.argv[1] == "-m" and sys.argv[2].startswith("biggan_cli.emulator.") and "TESTS_TOOLS" in os.environ:
    helper = socket.socket(socket.AF_UNIX)
    helper.connect(os.environ["TESTS_TOOLS"])
    helper.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
    asked = dict(module=sys.argv[2], arguments=sys.argv[3:], cwd=os.getcwd(), env=dict(os.environ))
    helper.sendall(json.dumps(asked).encode() + b"\\n")
    status = int(helper.recv(64))
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


def serve(folder):
    """From now on, until this process ends, the tools that it starts are copies of a helper, which is one of it."""
    program, place = os.path.join(folder, "python"), os.path.join(folder, "tools")
    with open(program, "w") as file:
        file.write(_PYTHON.format(python=sys.executable))
    os.chmod(program, 0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(1)
    alive, _held_until_the_end = os.pipe()
    if os.fork():
        os.close(alive)
        listener.close()
        sys.executable, os.environ["TESTS_TOOLS"] = program, place
        return
    os.close(_held_until_the_end)
    while alive not in select.select([listener, alive], [], [])[0]:
        with listener.accept()[0] as client:
            _run(client)
    os._exit(0)


def _run(client):
    given = array.array("i")
    given.frombytes(client.recvmsg(1, socket.CMSG_SPACE(3 * given.itemsize))[1][0][2])
    with client.makefile() as lines:
        asked = json.loads(lines.readline())
    ended, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        for number, descriptor in enumerate(given):
            os.dup2(descriptor, number)
        _become(**asked)
    for descriptor in (end, *given):
        os.close(descriptor)
    if client in select.select([client, ended], [], [])[0]:  # it is gone
        os.kill(pid, signal.SIGKILL)
    os.close(ended)
    status = os.waitpid(pid, 0)[1]
    with contextlib.suppress(OSError):
        client.sendall(b"%d" % status)


def _become(module, arguments, cwd, env):
    program, as_process = sys.modules[module], sys.modules["biggan_cli.emulator"].as_process
    end_as(lambda: as_process(program.main), [program.__file__, *arguments], cwd, env)


def end_as(main, argv, cwd, env):
    """Run ``main`` as the program of this process, and end it with its exit code."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # as loading TensorFlow does
    sys.argv = argv
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
