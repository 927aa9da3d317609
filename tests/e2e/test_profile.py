"""``biggan profile``: exports by programs of both eras and their failures, and where the time went."""

import json
import os
import signal
import subprocess
import time

import pytest

from tests.conftest import BIGGAN
from tests.e2e.deployment import digests, make_program, without_toolkit
from tests.e2e.profiling import (
    NAME,
    NEW,
    OLD,
    OPERATORS,
    STATISTIC,
    export,
    make_raw,
    make_run,
    make_toolkit_with_msprof,
    statistic,
)
from tests.e2e.test_bad_input import refused


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


@pytest.fixture
def env(tmp_path):
    (tmp_path / "home").mkdir()
    return without_toolkit(tmp_path / "home")


@pytest.fixture
def toolkit(tmp_path):
    return make_toolkit_with_msprof(tmp_path / "cann")


def profiled(biggan, *arguments, check=0, **options):
    return json.loads(biggan("profile", *arguments, "--json", check=check, **options).stdout)


def test_a_raw_profile_is_exported_and_summed(biggan, run, env, toolkit, tmp_path):
    done = biggan("profile", "--toolkit", toolkit, cwd=tmp_path, env=env, check=0)
    place = f"runs/{run.name}/profile/{NAME}"
    assert done.stdout.splitlines() == [
        f"profile    {place}",
        f"summary    {place}.json",
        "from       op_statistic",
        "devices    0, 1, summed",
        "operators  16.000 ms in 150 calls of 4 types",
        "AI CPU     3.500 ms, 21.9 % of this",
        "device 0   10.000 ms, AI CPU 25.0 %",
        "device 1   6.000 ms, AI CPU 16.7 %",
        "",
        "operator       core     calls  total ms  mean us   share",
        "Conv2D         AI_CORE     80    11.000    137.5  68.8 %",
        "RandomUniform  AI_CPU      20     3.500    175.0  21.9 %",
        "TransData      AI_CORE     20     1.000     50.0   6.3 %",
        "Cast           AI_CORE     30     0.499     16.6   3.1 %",
        "",
        "graph 1 on device 0: 1 iteration  mean ms  max ms       max in",
        "whole iteration                     0.900   0.900  iteration 1",
        "",
        "graph 11 on device 0: 3 iterations  mean ms  max ms       max in",
        "whole iteration                       3.500   5.000  iteration 1",
        "forward and backward                  1.700   1.800  iteration 1",
        "refresh after it                      0.200   0.300  iteration 3",
        "gap before, for data                  0.300   0.400  iteration 2",
    ]
    assert f"$ {toolkit}/tools/profiler/bin/msprof --export=on --output={run}/profile/{NAME}" in done.stderr
    log = (run / "profile" / f"{NAME}.log").read_text()
    assert log.startswith(f"$ {toolkit}/tools/profiler/bin/msprof") and "# exit code 0" in log
    assert sorted(path.name for path in (run / "profile").iterdir()) == [NAME, f"{NAME}.json", f"{NAME}.log"]


def test_json_and_the_file_that_stays(biggan, run, env, tmp_path):
    """What is exported already needs no toolkit; the file has all operators, whatever --top."""
    export(run / "profile" / NAME, NEW)
    found = profiled(biggan, "--top", 1, cwd=tmp_path, env=env)
    kept = json.loads((run / "profile" / f"{NAME}.json").read_text())
    assert len(kept["operators"]) == 4 and found == dict(kept, operators=kept["operators"][:1])
    assert found["operators"] == [
        dict(type="Conv2D", core="AI_CORE", count=80, total_us=11000.0, mean_us=137.5, share=0.6875)
    ]
    assert (found["total_us"], found["ai_cpu_us"], found["ai_cpu_share"]) == (16000.0, 3500.0, 0.21875)
    assert found["devices"] == [0, 1] and found["source"] == "op_statistic"
    assert found["by_device"][0] == dict(device=0, total_us=10000.0, ai_cpu_us=2500.0, ai_cpu_share=0.25)
    training = found["steps"][1]
    assert (training["device"], training["graph"], training["iterations"]) == (0, 11, 3)
    assert training["parts"]["iteration"] == dict(mean_us=3500.0, max_us=5000.0, max_iteration=1, num=3)
    assert training["parts"]["data_gap"] == dict(mean_us=300.0, max_us=400.0, max_iteration=2, num=2)
    assert list(found["steps"][0]["parts"]) == ["iteration"]
    shown = biggan("profile", run, "--top", 1, cwd=tmp_path, env=env, check=0).stdout
    assert "\noperator  core     calls  total ms  mean us   share\n" in shown
    assert "\n3 more                70     5.000           31.2 %\n" in shown


def test_the_program_of_an_older_toolkit(biggan, run, env, tmp_path):
    toolkit = make_toolkit_with_msprof(tmp_path / "cann", old=True)
    done = biggan("profile", "--toolkit", toolkit, "--json", cwd=tmp_path, env=env, check=0)
    found = json.loads(done.stdout)
    assert (found["total_us"], found["ai_cpu_us"], found["devices"]) == (16000.0, 3500.0, [0, 1])
    assert found["steps"][1]["parts"]["iteration"]["mean_us"] == 3500.0
    log = (run / "profile" / f"{NAME}.log").read_text()
    calls = [line.split("msprof.py ")[1] for line in log.splitlines() if line.startswith("$ ")]
    folder = f"-dir {run}/profile/{NAME}"
    assert calls == [f"import {folder}", f"export summary {folder}", f"export timeline {folder}"]
    assert "warning: the operators are only those of graph 11 iteration 1; for others: msprof " in done.stderr
    assert "--model-id=11 --iteration-id=3" in done.stderr


@pytest.mark.parametrize("old", (False, True))
@pytest.mark.parametrize(
    "failure, code, words",
    (
        ("exit1", 3, ["failed: ended with exit code 1; it says: [ERROR] the disk is full"]),
        (
            "nothing",
            3,
            ["failed: it left no op_statistic or op_summary csv file", "[ERROR] there is no data to export"],
        ),
        ("hang", 3, ["did not end within 3 seconds and was stopped", "--time-limit"]),
        ("cut", 1, [".csv line ", "fix: export it again: msprof --export=on --output="]),
    ),
)
def test_a_failure_of_the_program(biggan, run, env, tmp_path, old, failure, code, words):
    toolkit = make_toolkit_with_msprof(tmp_path / "cann", old)
    limit = 3 if failure == "hang" else 60
    arguments = ("profile", "--toolkit", toolkit, "--time-limit", limit)
    done = biggan(*arguments, cwd=tmp_path, env=dict(env, FAKE_MSPROF=failure), check=code)
    refused(done, *words)
    if code == 3:
        assert ("msprof.py" if old else "msprof") in done.stderr.split("error: ")[1].split()[0]
        assert f"  log: runs/{run.name}/profile/{NAME}.log" in done.stderr
        assert not (run / "profile" / f"{NAME}.json").exists()
        assert "[INFO] export started" in (run / "profile" / f"{NAME}.log").read_text()
        found = profiled(biggan, "--toolkit", toolkit, cwd=tmp_path, env=env)  # starts again, whatever was left
        assert found["total_us"] == 16000.0
        assert not (run / "profile" / f".exporting-{NAME}").exists()


def test_what_a_failed_export_left_counts_only_if_somebody_made_it_anew(biggan, run, env, toolkit, tmp_path):
    biggan("profile", "--toolkit", toolkit, cwd=tmp_path, env=dict(env, FAKE_MSPROF="exit1"), check=3)
    refused(biggan("profile", cwd=tmp_path, env=env, check=4), "there is no msprof on this machine")
    time.sleep(0.02)
    export(run / "profile" / NAME, NEW)
    assert profiled(biggan, cwd=tmp_path, env=env)["total_us"] == 16000.0
    (run / "profile" / f".exporting-{NAME}").write_text("under way")  # as of a process that was killed
    refused(biggan("profile", cwd=tmp_path, env=env, check=4), "there is no msprof on this machine")


@pytest.mark.parametrize("number, code", ((signal.SIGINT, 130), (signal.SIGTERM, 143)))
def test_stopped_in_the_middle(biggan, run, env, toolkit, tmp_path, number, code):
    process = subprocess.Popen(
        [BIGGAN, "profile", "--toolkit", str(toolkit)],
        cwd=str(tmp_path),
        env=dict(os.environ, **dict(env, FAKE_MSPROF="hang")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log, deadline = run / "profile" / f"{NAME}.log", time.time() + 60
    while not (log.exists() and "export started" in log.read_text()):
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code and b"Traceback" not in stderr
    assert stderr.count(b"error: ") == 1 and "# exit code -15" in log.read_text()
    assert profiled(biggan, "--toolkit", toolkit, cwd=tmp_path, env=env)["total_us"] == 16000.0


def test_no_toolkit(biggan, run, env, tmp_path):
    before = digests(run)
    command = f"msprof --export=on --output={run}/profile/{NAME}"
    for arguments in ([], ["--dry-run"]):
        done = biggan("profile", *arguments, cwd=tmp_path, env=env, check=4)
        refused(done, "there is no msprof on this machine", f"fix: where CANN's toolkit is: {command}")
    done = biggan("profile", "--toolkit", "nowhere", cwd=tmp_path, env=env, check=4)
    refused(done, "--toolkit nowhere has no msprof", command)
    assert digests(run) == before


def test_a_dry_run_can_be_pasted(biggan, run, env, tmp_path):
    for old, files in ((False, NEW), (True, OLD)):
        toolkit = make_toolkit_with_msprof(tmp_path / f"cann {old}", old)
        before = digests(run)
        printed = biggan("profile", "--toolkit", toolkit, "--dry-run", cwd=tmp_path, env=env, check=0).stdout
        assert digests(run) == before
        subprocess.run(["bash", "-c", printed], cwd=str(tmp_path), check=True, stdout=subprocess.DEVNULL)
        assert set(digests(run)) - set(before) == {f"profile/{NAME}/{name}" for name in files}
        for name in files:
            (run / "profile" / NAME / name).unlink()
    export(run / "profile" / NAME, NEW)
    printed = biggan("profile", "--dry-run", cwd=tmp_path, env=env, check=0).stdout
    assert printed == f"# runs/{run.name}/profile/{NAME} is exported already\n"


def test_which_profile(biggan, run, env, tmp_path):
    """The latest by the time in its name; another by name or place; of ranks in folders of their own too."""
    later, older = "PROF_000001_20250102030405678_AAA", "PROF_000009_20230102030405678_ZZZ"
    for name, count in ((f"rank_1/{later}", 7), (older, 9), (NAME, 8)):
        folder = run / "profile" / name
        make_raw(folder) if name != NAME else None
        row = f"Conv2D,AI_CORE,{count},70.0,1,1,1,100"
        export(folder, {"mindstudio_profiler_output/op_statistic_20240102040000.csv": f"{STATISTIC}\n{row}\n"})
    done = biggan("profile", "--json", cwd=tmp_path, env=env, check=0)
    assert json.loads(done.stdout)["calls"] == 7 and "has no step_trace csv" in done.stderr
    assert f"the latest of 3 profiles; another: --prof {NAME}" in done.stderr
    assert json.loads(done.stdout)["summary"] == f"runs/{run.name}/profile/{later}.json"
    assert profiled(biggan, "--prof", older, cwd=tmp_path, env=env)["calls"] == 9
    assert profiled(biggan, run, "--prof", run / "profile" / NAME, cwd=tmp_path, env=env)["calls"] == 8
    done = biggan("profile", "--prof", run / "profile", cwd=tmp_path, env=env, check=2)
    refused(done, "has 2 profiles in it", f"fix: --prof {run}/profile/{older}")
    refused(biggan("profile", "--prof", "mine", cwd=tmp_path, env=env, check=2), "--prof mine is not a folder", NAME)


def test_wrong_use(biggan, run, env, tmp_path):
    for arguments, words in (
        (["--top", 0], ["--top 0 is not a whole number"]),
        (["--time-limit", 0], ["--time-limit 0"]),
        (["nowhere"], ["there is no run nowhere"]),
    ):
        refused(biggan("profile", *arguments, cwd=tmp_path, env=env, check=2), *words)
    for path in sorted((run / "profile").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    fix = f"fix: biggan train --resume runs/{run.name} --profile 100:110 --device npu"
    (run / "profile" / NAME).mkdir()
    refused(biggan("profile", cwd=tmp_path, env=env, check=1), f"{NAME} is no profile, or its collection", fix)
    (run / "profile" / NAME).rmdir()
    refused(biggan("profile", cwd=tmp_path, env=env, check=2), "has no profile", "profile/PROF_*", fix)


def test_a_path_that_msprof_does_not_take(biggan, run, env, toolkit, tmp_path):
    (tmp_path / "a&b").mkdir()
    (tmp_path / "runs").rename(tmp_path / "a&b" / "runs")
    done = biggan("profile", "--toolkit", toolkit, cwd=tmp_path / "a&b", env=env, check=2)
    refused(done, "msprof does not take a folder with & in its path", "fix: rename the folder")


def test_msprof_on_the_path(biggan, run, env, tmp_path):
    (tmp_path / "bin").mkdir()
    program = make_toolkit_with_msprof(tmp_path / "cann") / "tools" / "profiler" / "bin" / "msprof"
    make_program(tmp_path / "bin" / "msprof", program.read_text())
    env = dict(env, PATH=f"{tmp_path}/bin:{env['PATH']}")
    done = biggan("profile", cwd=tmp_path, env=env, check=0)
    assert f"$ {tmp_path}/bin/msprof --export=on" in done.stderr
    assert "16.000 ms" in done.stdout


def test_eighty_columns_whatever_the_names(biggan, run, env, tmp_path):
    rows = [f"{'VeryLongFusedOperator' * 3}{n},AI_VECTOR_CORE,{10**6 + n},{10.0**9 + n},1,1,1,50" for n in range(30)]
    name = "mindstudio_profiler_output/op_statistic_20240102040000.csv"
    export(run / "profile" / NAME, {name: "\n".join([STATISTIC, *rows]) + "\n"})
    lines = biggan("profile", cwd=tmp_path, env=env, check=0).stdout.splitlines()
    table = lines[lines.index("") + 1 :]
    assert len(table) == 1 + 10 + 1 and table[-1].startswith("20 more")
    assert {len(line) for line in table} == {80} and "VeryLong" in table[1] and "..." in table[1]


def test_a_column_that_is_missing(biggan, run, env, tmp_path):
    text = statistic(0).replace("Total Time(us)", "Total(ns)")
    export(run / "profile" / NAME, {"device_0/summary/op_statistic_0_1.csv": text})
    done = biggan("profile", cwd=tmp_path, env=env, check=1)
    refused(
        done, "op_statistic_0_1.csv line 1: there is no column Total Time(us)", "OP Type, Core Type, Count, Total(ns)"
    )
    assert len(OPERATORS[0]) == 4 and not (run / "profile" / f"{NAME}.json").exists()
