"""External programs, real ones: what they say arrives, and nothing of them is left, however they end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from biggan_cli.errors import Interrupted, NotReady, ToolError
from biggan_cli.runtime import process
from biggan_cli.runtime.process import Ended, can_import, environment_after, output_of, quoted, run_tool

FAMILY = """\
sleep 60 &
echo $! > grandchild
echo $$ > child
echo ready
wait
"""
"""A program that waits for a child of its own; both write down who they are."""


def run(tmp_path, script, time_limit=20.0, on_line=lambda line: None):
    """A shell script as the external program."""
    (tmp_path / "program").write_text(script, encoding="utf-8")
    return run_tool(["/bin/sh", "program"], tmp_path, os.environ, tmp_path / "log", time_limit, on_line)


def log_of(tmp_path):
    """(the first line, the lines of the program, the last line)"""
    first, *middle, last = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    return first, middle, last


def pid_in(path):
    return int(path.read_text())


def is_dead(pid):
    """Gone, or a zombie that only waits for a parent which is not this process; signals take a moment."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state[0] == "Z" and int(state[1]) != os.getpid():
            return True
        time.sleep(0.02)
    return False


def assert_family_is_dead(tmp_path):
    assert is_dead(pid_in(tmp_path / "child"))
    assert is_dead(pid_in(tmp_path / "grandchild"))
    assert not Path(f"/proc/{pid_in(tmp_path / 'child')}").exists(), "a zombie"


def test_lines_arrive_in_order_with_those_of_errors(tmp_path):
    told = []
    ended = run(tmp_path, "for i in 1 2 3; do echo out $i; echo err $i >&2; done", on_line=told.append)
    wanted = ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]
    assert ended.lines == told == wanted
    first, middle, last = log_of(tmp_path)
    assert first == "$ /bin/sh program" and middle == wanted
    assert last.startswith("# exit code 0 after ") and 0 <= ended.seconds < 20


def test_a_line_is_in_the_log_before_it_is_told(tmp_path):
    seen = []
    run(tmp_path, "echo one; echo two", on_line=lambda line: seen.append(log_of(tmp_path)[1:][-1]))
    assert seen == ["one", "two"]


def test_the_exit_code_is_that_of_the_program(tmp_path):
    ended = run(tmp_path, "echo so; exit 7")
    assert (ended.code, ended.lines, ended.how()) == (7, ["so"], "ended with exit code 7")
    assert log_of(tmp_path)[2].startswith("# exit code 7 after")


def test_a_signal_that_killed_it_has_a_name(tmp_path):
    ended = run(tmp_path, "kill -SEGV $$")
    assert (ended.code, ended.how()) == (-signal.SIGSEGV, "was killed by SIGSEGV")
    assert Ended(-9, 0.0, []).how() == "was killed by SIGKILL"


def test_it_gets_its_folder_its_environment_and_no_input(tmp_path):
    (tmp_path / "work").mkdir()
    argv = ["/bin/sh", "-c", 'pwd; echo "$A$B"; cat; echo "$0 $1"', "a b", "c;d"]
    ended = run_tool(argv, tmp_path / "work", {"A": "1"}, tmp_path / "log", 20.0)
    assert ended.lines == [str(tmp_path / "work"), "1", "a b c;d"]


@pytest.mark.parametrize("mode", (None, 0o644, 0o755))
def test_a_program_that_cannot_be_started(tmp_path, mode):
    program = tmp_path / "atc"
    if mode is not None:
        program.write_bytes(b"\x00not a program")
        program.chmod(mode)
    with pytest.raises(NotReady) as raised:
        run_tool([str(program)], tmp_path, os.environ, tmp_path / "log", 20.0)
    assert "atc cannot be started: " in raised.value.message
    assert dict(raised.value.details)["looked for"] == str(program)
    assert (tmp_path / "log").read_text() == f"$ {program}\n"


@pytest.mark.parametrize(
    "script", (FAMILY, "exec >/dev/null 2>&1\n" + FAMILY), ids=("holds its output", "closed its output")
)
def test_the_time_limit_ends_the_whole_family(tmp_path, script):
    started = time.time()
    with pytest.raises(ToolError) as raised:
        run(tmp_path, script, time_limit=1.0)
    assert 1.0 <= time.time() - started < 30.0
    assert "sh did not end within 1 seconds" in raised.value.message
    details = dict(raised.value.details)
    assert details["log"] == str(tmp_path / "log") and "--time-limit" in details["fix"]
    assert_family_is_dead(tmp_path)
    assert log_of(tmp_path)[2].startswith("# exit code -15 after")


def test_what_was_said_before_the_time_limit_is_in_the_log(tmp_path):
    with pytest.raises(ToolError):
        run(tmp_path, "echo a; echo b; exec sleep 60", time_limit=1.0)
    assert log_of(tmp_path)[1] == ["a", "b"]


def test_the_time_limit_holds_for_a_program_that_never_stops_talking(tmp_path):
    told = []
    with pytest.raises(ToolError):
        run(tmp_path, "while true; do echo y; done", time_limit=0.7, on_line=told.append)
    assert set(told) == {"y"}


def test_a_program_that_ignores_the_first_signal_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_GRACE", 0.3)
    with pytest.raises(ToolError):
        run(tmp_path, "trap '' TERM\n" + FAMILY + "while true; do wait; done", time_limit=1.0)
    assert_family_is_dead(tmp_path)
    assert log_of(tmp_path)[2].startswith("# exit code -9 after")


def test_a_grandchild_that_holds_the_output_costs_the_grace_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_GRACE", 0.5)
    started = time.time()
    ended = run(tmp_path, "sleep 60 &\necho $! > grandchild; echo done; exit 4")
    assert 0.5 <= time.time() - started < 30.0
    assert (ended.code, ended.lines) == (4, ["done"])
    assert is_dead(pid_in(tmp_path / "grandchild"))


def test_a_grandchild_without_the_output_is_not_left_running(tmp_path):
    assert run(tmp_path, "sleep 60 >/dev/null 2>&1 &\necho $! > grandchild").code == 0
    assert is_dead(pid_in(tmp_path / "grandchild"))


@pytest.mark.parametrize("error", (KeyboardInterrupt, ZeroDivisionError))
def test_an_exception_while_it_runs_ends_the_family(tmp_path, error):
    def on_line(line):
        raise error

    with pytest.raises(error):
        run(tmp_path, FAMILY, on_line=on_line)
    assert_family_is_dead(tmp_path)
    assert log_of(tmp_path)[1] == ["ready"]


CALLER = """\
import os, sys
from pathlib import Path
from biggan_cli.errors import BigganError
from biggan_cli.runtime.process import run_tool
def told(line):
    print(line, flush=True)
try:
    run_tool(["/bin/sh", "program"], Path("."), os.environ, Path("log"), 60.0, told)
except BigganError as error:
    print(error.message)
    sys.exit(error.exit_code)
except KeyboardInterrupt:
    sys.exit(130)
"""


def start_caller(tmp_path, script):
    """A Python process that runs the script and shows its lines; it has seen ``ready``."""
    (tmp_path / "program").write_text(script)
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(Path(__file__).parents[3])),
        stdout=subprocess.PIPE,
    )
    assert caller.stdout.readline() == b"ready\n"
    return caller


@pytest.mark.parametrize(
    "number, code, words",
    (
        (signal.SIGINT, 130, ""),
        (signal.SIGTERM, 143, "stopped by SIGTERM\n"),
        (signal.SIGHUP, 129, "stopped by SIGHUP\n"),
    ),
    ids=lambda value: getattr(value, "name", None),
)
def test_a_signal_to_the_caller_ends_the_family(tmp_path, number, code, words):
    with start_caller(tmp_path, FAMILY) as caller:
        caller.send_signal(number)
        rest, _ = caller.communicate(timeout=20)
    assert (caller.returncode, rest.decode()) == (code, words)
    assert_family_is_dead(tmp_path)
    assert log_of(tmp_path)[2].startswith("# exit code -15")


def test_who_presses_ctrl_c_twice_leaves_no_stubborn_family(tmp_path):
    stubborn = "trap '' TERM INT\n" + FAMILY + "while true; do wait; done"
    with start_caller(tmp_path, stubborn) as caller:
        try:
            caller.send_signal(signal.SIGINT)
            time.sleep(0.5)
            caller.send_signal(signal.SIGINT)
            caller.communicate(timeout=20)
            assert_family_is_dead(tmp_path)
        finally:
            for name in ("child", "grandchild"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid_in(tmp_path / name), signal.SIGKILL)


def test_signals_are_as_before_afterwards(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(Interrupted) as raised:
        run(tmp_path, FAMILY, on_line=lambda line: os.kill(os.getpid(), signal.SIGTERM))
    assert raised.value.exit_code == 128 + signal.SIGTERM
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before
    assert_family_is_dead(tmp_path)


def test_it_runs_in_a_thread_too(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(tmp_path, "echo hello").lines))
    thread.start()
    thread.join()
    assert found == [["hello"]]


def test_bytes_that_are_not_utf_8_are_shown(tmp_path):
    ended = run(tmp_path, r"printf 'a\377b\n构建\n'")
    assert ended.lines == ["a\\xffb", "构建"]
    assert log_of(tmp_path)[1] == ended.lines


@pytest.mark.parametrize(
    "text, lines",
    (
        (r"a\nb", ["a", "b"]),
        (r"a\r\n\r\nb\r\n", ["a", "", "b"]),
        ("", []),
        (r"\n", [""]),
        (r"\n\n  a ", ["", "", "  a "]),
    ),
)
def test_ends_of_lines(tmp_path, text, lines):
    assert run(tmp_path, f"printf '{text}'").lines == lines


def test_a_very_long_output_is_whole(tmp_path):
    ended = run(tmp_path, "seq 1 20000; printf '%0200000d' 0")
    assert ended.lines[:-1] == [str(number) for number in range(1, 20001)]
    assert ended.lines[-1] == "0" * 200000


def test_a_command_can_be_pasted():
    argv = ["printf", "%s\n", "a b", "", "it's", "z:1,2;y:1", "$HOME", "-x=*"]
    done = subprocess.run(["/bin/sh", "-c", quoted(argv)], stdout=subprocess.PIPE)
    assert done.stdout.decode().split("\n")[:-1] == argv[2:]
    assert quoted(["atc", "--mode=0", "/a/b.pb"]) == "atc --mode=0 /a/b.pb"


def script_of(tmp_path, text):
    path = tmp_path / "set env.sh"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_that_a_script_leaves(tmp_path):
    script = script_of(
        tmp_path,
        "echo noise; echo noise >&2\n"
        'here=$(dirname "${BASH_SOURCE[0]}")\n'  # as CANN's script finds itself
        'export HERE="$here" PATH="$here/bin:$PATH" LINES="a\nb=c"\n'
        "unset GONE\nNOT_EXPORTED=1\n",
    )
    found = environment_after(script, {"PATH": os.environ["PATH"], "KEPT": "ä \udcff", "GONE": "1"})
    assert found["HERE"] == str(tmp_path)
    assert found["PATH"] == f"{tmp_path}/bin:{os.environ['PATH']}"
    assert found["LINES"] == "a\nb=c" and found["KEPT"] == "ä \udcff"
    assert "GONE" not in found and "NOT_EXPORTED" not in found


def test_a_script_whose_last_command_fails_still_leaves_its_environment(tmp_path):
    script = script_of(tmp_path, "export A=1\n[ -d /there/is/no/such/folder ] && export B=1\n")
    found = environment_after(script, os.environ)
    assert found["A"] == "1" and "B" not in found


def test_a_script_that_stops_the_shell_cannot_be_sourced(tmp_path):
    script = script_of(tmp_path, "export A=1\nexit 3\n")
    with pytest.raises(NotReady) as raised:
        environment_after(script, os.environ)
    assert raised.value.message == f"{script} cannot be sourced: exit code 3"
    assert "source it yourself" in dict(raised.value.details)["fix"]


def test_a_script_that_stops_the_shell_without_an_error_cannot_be_sourced_either(tmp_path):
    with pytest.raises(NotReady):
        environment_after(script_of(tmp_path, "exit 0\n"), os.environ)


def test_no_shell_to_source_it_with(tmp_path):
    with pytest.raises(NotReady):
        environment_after(script_of(tmp_path, ""), {"PATH": str(tmp_path)})


def test_a_script_that_is_missing(tmp_path):
    with pytest.raises(NotReady):
        environment_after(tmp_path / "set_env.sh", os.environ)


@pytest.mark.parametrize(
    ("content", "wanted"), (("", True), ("print('hello')", True), ("import no_such_module", False), ("(", False))
)
def test_whether_a_python_has_a_module(tmp_path, capfd, content, wanted):
    env = dict(os.environ, PYTHONPATH=str(tmp_path))
    assert not can_import(sys.executable, "a_module_of_mine", env)
    (tmp_path / "a_module_of_mine.py").write_text(content)
    assert can_import(sys.executable, "a_module_of_mine", env) is wanted
    assert not can_import(sys.executable, "a_module_of_mine", dict(env, PYTHONPATH=""))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", (None, 0o644, 0o755))
def test_what_is_no_python_has_no_module(tmp_path, mode):
    if mode is not None:
        (tmp_path / "python3").write_bytes(b"\x00not a program")
        (tmp_path / "python3").chmod(mode)
    assert not can_import(str(tmp_path / "python3"), "os", os.environ)


def test_a_python_that_does_not_answer_has_no_module(tmp_path, monkeypatch):
    def run(*arguments, timeout, **options):
        raise subprocess.TimeoutExpired("python3", timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert not can_import("python3", "os", os.environ)


def test_what_a_short_program_says(tmp_path):
    command = ["sh", "-c", "pwd; echo it failed >&2; echo $WORD; exit 3"]
    ended = output_of(command, dict(os.environ, WORD="w"))
    assert (ended.code, ended.lines) == (3, ["/", "it failed", "w"])
    with pytest.raises(NotReady, match="did not end within"):
        output_of(["sleep", "5"], os.environ, 0.2)
    with pytest.raises(NotReady, match="cannot be started"):
        output_of([str(tmp_path / "nothing")], os.environ)


def fed(tmp_path, script, parts=(b"one", b"two"), time_limit=20.0):
    """A shell script that is fed."""
    (tmp_path / "program").write_text(script, encoding="utf-8")
    argv = ["/bin/sh", "program"]
    with process.fed(argv, tmp_path, os.environ, tmp_path / "log", "program", time_limit) as stdin:
        for part in parts:
            stdin.write(part)


def test_a_program_reads_what_it_is_fed_to_the_end(tmp_path):
    fed(tmp_path, "cat > got; echo done")
    assert (tmp_path / "got").read_bytes() == b"onetwo" and (tmp_path / "log").read_text() == "done\n"


@pytest.mark.parametrize(
    "script", ("echo first; echo why >&2; exit 4", "cat > /dev/null; echo first; echo why; exit 4")
)
def test_a_fed_program_that_fails_says_why(tmp_path, script):
    with pytest.raises(ToolError, match="program ended with exit code 4") as error:
        fed(tmp_path, script, [bytes(1 << 20)] * 8)
    assert error.value.hint == "first; why"


def test_a_fed_program_that_does_not_read_all_failed(tmp_path):
    with pytest.raises(ToolError, match="exit code 0"):
        fed(tmp_path, "exit 0", [bytes(1 << 20)] * 8)


def test_what_ends_the_feeding_ends_the_program(tmp_path):
    (tmp_path / "program").write_text(FAMILY)
    with pytest.raises(KeyError), process.fed(["/bin/sh", "program"], tmp_path, os.environ, tmp_path / "log", "x"):
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
            time.sleep(0.02)
        raise KeyError("the frames cannot be drawn")
    assert_family_is_dead(tmp_path)


def test_a_fed_program_that_never_ends(tmp_path):
    with pytest.raises(ToolError, match=r"did not end within 0\.3 seconds"):
        fed(tmp_path, "cat > /dev/null; sleep 60", time_limit=0.3)


def test_a_program_to_feed_that_is_not_there(tmp_path):
    with pytest.raises(NotReady, match="nowhere cannot be started"), process.fed(
        ["nowhere"], tmp_path, os.environ, tmp_path / "log", "nowhere"
    ):
        pass
