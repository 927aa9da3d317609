"""``atc`` as a process, as far as no graph is needed: every code has its message on stdout and exit code 255."""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys

import pytest

from biggan_cli.emulator import BIN, atc, failures, flags

LINE = r"^{}: \[PID: \d+\] \d{{4}}-\d\d-\d\d-\d\d:\d\d:\d\d\.\d{{3}}\.\d{{3}} (.*)$"
GEARS = dict(dynamic_batch_size="1,2", input_shape="z:-1,8;y:-1,1")

# changes of a correct command line → code, and a part of its message
CHEAP = [
    (dict(framework=None), "E10007", "3(TensorFlow)"),
    (dict(framework=7), "E10007", "[--framework] is required"),
    (dict(framework=5), "E10055", "TensorFlow only"),
    (dict(framework=None, soc_version=None), "E10007", "framework"),
    (dict(soc_version=None, output=None), "E10054", "[soc_version]"),
    (dict(soc_version="Ascend311"), "E20101", "Value [Ascend311] for parameter [soc_version] is invalid"),
    (dict(output=None, model="absent.pb"), "E10054", "[output]"),
    (dict(output="made/"), "E10022", "Path [made/] for parameter [--output] does not include the file name"),
    (dict(output="a b"), "E10001", "The path can only contain 'a-z'"),
    (dict(output="x" * 4096), "E10021", "[--output]"),
    (dict(output="file/x"), "E10001", "Value [file/x] for parameter [output]"),
    (dict(model=None), "E10054", "[model]"),
    (dict(model="absent.pb"), "E10001", "No such file or directory"),
    (dict(model="a:b.pb"), "E10001", "The path can only contain"),
    (dict(mode=1), "E10055", "[--mode] 1"),
    (dict(mode=6), "E10054", "[om]"),
    (dict(mode=6, om="file"), "E10003", "not the emulator's"),
    (dict(log="loud"), "E10010", "Value [loud] for parameter [--log]"),
    (dict(precision_mode="fp32"), "E10001", "[fp32] for parameter [precision_mode]"),
    (dict(precision_mode="allow_fp32_to_bf16"), "E10001", "Ascend310 does not support it"),
    (dict(precision_mode_v2="cube_hif8"), "E10001", "Ascend310 does not support it"),
    (dict(precision_mode_v2="mixed_bfloat16", soc_version="Ascend910B1"), "E10055", "is not emulated"),
    (dict(precision_mode_v2="fp16", precision_mode="force_fp16"), "E10056", "[precision_mode] and [precision_mode_v2]"),
    (dict(keep_dtype="absent"), "E10410", "File [absent] does not exist."),
    (dict(modify_mixlist="file"), "E10001", "mixed precision mode"),
    (dict(modify_mixlist="file", precision_mode="allow_mix_precision"), "E10003", "no JSON"),
    (dict(fusion_switch_file="absent"), "E10410", "absent"),
    (dict(debug_dir="absent"), "E10001", "[debug_dir]"),
    (dict(status_check=2), "E10006", "[--status_check]"),
    (dict(enable_single_stream=1), "E10005", "either [true] or [false]"),
    (dict(buffer_optimize="l3"), "E10001", "l1_optimize, l2_optimize, off_optimize"),
    (dict(auto_tune_mode="GA,RL"), "E10001", "AOE"),
    (dict(dynamic_batch_size="1,2", dynamic_dims="1;2"), "E10009", "mutually exclusive"),
    (dict(dynamic_dims="1;2"), "E10055", "[--dynamic_dims] is not emulated"),
    (dict(input_shape="z"), "E10002", "z"),
    (dict(input_shape="z:2.5,8"), "E10011", "The error value in the shape is 2.5"),
    (dict(input_shape="z:0,8"), "E10011", "is 0"),
    (dict(input_shape="z:-1,8;y:-1,1"), "E10011", "is -1"),
    (dict(GEARS, dynamic_batch_size="1;2"), "E10014", "[1;2]"),
    (dict(GEARS, dynamic_batch_size="4"), "E10035", "has [1] profiles"),
    (dict(GEARS, dynamic_batch_size=",".join(map(str, range(1, 102)))), "E10036", "[101]"),
    (dict(GEARS, dynamic_batch_size="0,1"), "E10038", "[0]"),
    (dict(GEARS, dynamic_batch_size="2,2"), "E10039", "duplicate"),
    (dict(GEARS, input_shape="z:-1,-1;y:-1,1"), "E10018", "Value [-1] for shape [z:-1,-1]"),
    (dict(GEARS, input_shape="z:;y:-1,1"), "E10012", "less than 1"),
    (dict(dynamic_batch_size="1,2"), "E10031", "none of the nodes"),
    (dict(out_nodes="output"), "E10001", "node_name1:0"),
]


@pytest.fixture
def command(tiny, tmp_path):
    (tmp_path / "file").write_text("text")
    return lambda **changes: tiny.flags(changes.pop("output", "new/x"), **changes)


@pytest.mark.parametrize("changes, code, words", CHEAP)
def test_a_wrong_value_has_its_code(command, tmp_path, monkeypatch, capsys, changes, code, words):
    monkeypatch.chdir(tmp_path)
    assert atc.main(command(**changes)) == 255
    last = capsys.readouterr().out.splitlines()[-1]
    assert words in re.search(LINE.format(code), last).group(1)


def test_processes_fail_as_the_real_one(tool, command, tmp_path):
    cases = [
        (dict(framework=None), "E10007"),
        (dict(soc_version="Ascend311"), "E20101"),
        (dict(model="absent.pb"), "E10001"),
        (dict(input_shape="z:0,8"), "E10011"),
    ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda case: tool("atc", *command(**case[0]), cwd=tmp_path), cases))
    for (_, code), done in zip(cases, runs):
        lines = done.stdout.splitlines()
        assert done.returncode == 255 and not done.stderr
        assert lines[:2] == ["ATC start working now, please wait for a moment.", "..."]
        assert lines[2] == "ATC run failed, Please check the detail log, Try 'atc --help' for more information"
        assert re.search(LINE.format(code), lines[3])
    assert not list(tmp_path.rglob("*.om"))


def test_a_wrong_command_line_is_told_on_stderr(tool):
    unknown = tool("atc", "--soc=Ascend310")
    assert unknown.returncode == 255
    assert unknown.stderr == "ERROR: unknown command line flag 'soc'\n"
    assert "ATC run failed" in unknown.stdout and "ATC start" not in unknown.stdout
    for arguments, words in ((["--model"], "is missing its argument"), (["x.pb"], "ERROR: Non-option parameter: x.pb")):
        with pytest.raises(flags.UnknownFlags, match=words):
            flags.parse(arguments)


def test_flags_are_read_in_every_form():
    assert flags.parse(["--soc-version=a", "-output", "b", "--log", "info", "--log=null"]) == dict(
        soc_version="a", output="b", log="null"
    )
    assert flags.parse(["-h"]) == dict(help="1")


def test_a_wrong_value_costs_no_tensorflow(tool, command, tmp_path):
    code = (
        "import sys\nfrom biggan_cli.emulator.atc import main\nmain(sys.argv[1:])\nprint('tensorflow' in sys.modules)"
    )
    (tmp_path / "run.py").write_text(code)
    arguments = command(input_shape="z:0,8")
    done = subprocess.run([sys.executable, "run.py", *arguments], cwd=str(tmp_path), capture_output=True)
    assert done.stdout.decode().splitlines()[-1] == "False"


def test_failures_that_need_no_graph(tool, command, tmp_path):
    inner = tool("atc", *command(), fail="atc:inner", cwd=tmp_path)
    assert inner.returncode == 255 and "E19999: Inner Error!" in inner.stdout
    crash = tool("atc", *command(), fail="atc:crash,msame:nan", cwd=tmp_path)
    assert crash.returncode == -11 and crash.stdout.startswith("ATC start working now")
    unknown = tool("atc", *command(), fail="atc:explode")
    assert unknown.returncode == 2 and "atc:explode" in unknown.stderr and "atc:no-file" in unknown.stderr


def test_hanging_is_hanging(tool, command):
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        tool("atc", *command(), fail="atc:hang", timeout=2)
    assert caught.value.stdout.startswith(b"ATC start working now")


def test_every_failure_is_described():
    assert all(text for modes in failures.MODES.values() for text in modes.values())


def test_ctrl_c_ends_it_without_a_traceback(command):
    environment = dict(os.environ, BIGGAN_PYTHON=sys.executable, BIGGAN_EMULATOR_FAIL="atc:hang")
    process = subprocess.Popen(
        [str(BIN / "atc"), *command()], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline().startswith(b"ATC start")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT and errors == b""
