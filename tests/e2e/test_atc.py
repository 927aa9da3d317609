"""``biggan atc``: which toolkit converts, what it is told, and that nothing of it is taken on trust."""

import json
import os
import re
import shlex
import signal
import subprocess

import pytest

from biggan_cli.emulator import offline_model
from biggan_cli.files import sha256
from tests.e2e.deployment import (
    EMULATOR,
    MODEL,
    digests,
    emulated,
    hanging,
    log_named_in,
    make_toolkit,
    python_of_the_emulator,
    with_a_full_disk,
    without_toolkit,
)
from tests.e2e.test_bad_input import files, refused

FAILED_LOG = f"atc/{MODEL}.failed.log"


def manifest_of(run, name=MODEL):
    return json.loads((run / "atc" / f"{name}.manifest.json").read_text())


def in_a_shell(command, cwd, **env):
    done = subprocess.run(["bash", "-c", command], cwd=str(cwd), env=dict(os.environ, **env), capture_output=True)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def test_a_model_with_its_log_and_manifest(run, tmp_path):
    done = emulated("atc", "--name", "mine", "--log", "info", "--json", "--", "--display_model_info=1", cwd=tmp_path)
    shown = json.loads(done.stdout)
    assert shown["om"] == f"runs/{run.name}/atc/mine.om" and shown["precision"] == "force_fp16"
    model = offline_model.read(tmp_path / shown["om"])
    assert model.soc_version == "Ascend310" and [tensor.shape for tensor in model.inputs] == [[1, 8], [1, 1]]
    assert [tensor.name for tensor in model.inputs] == ["z", "y"] and model.options["log"] == "info"
    log = (run / "atc" / "mine.log").read_text()
    assert "Display Model Info start" in log and "ATC run success" in log and "# exit code 0 after" in log
    manifest = manifest_of(run, "mine")
    details, graph = manifest["details"], sha256(run / "freeze" / "generator.pb")
    assert details["toolkit"] == "emulated CANN 8.1" and details["emulated"] is True and details["atc_seconds"] > 0
    assert manifest["inputs"] == {"freeze/generator.pb": graph}
    assert manifest["outputs"]["mine.om"]["sha256"] == sha256(tmp_path / shown["om"])
    assert sorted(os.listdir(str(run / "atc"))) == sorted(
        f"{name}.{ending}" for name in (MODEL, "mine") for ending in ("om", "log", "manifest.json")
    )
    assert os.listdir(str(tmp_path)) == ["runs"]  # no kernel_meta, no fusion_result.json
    assert not [path for path in files(tmp_path) if "kernel_meta" in path or "fusion_result" in path]


FAILURES = {
    "exit1": "atc ended with exit code 1 although it reports success",
    "silent": "atc ended without its words of success",
    "no-file": "atc reports success but left no model",
    "crash": "atc was killed by SIGSEGV",
    "hang": "atc did not end within 3 seconds and was stopped",
    "inner": "atc failed with E19999: the failure that the test asked for",
}


@pytest.mark.parametrize("mode", sorted(FAILURES))
def test_a_failure_of_the_tool(run, tmp_path, mode):
    """The error is of its own kind, the log is kept, and the model of before stays as it was."""
    before = digests(run)
    time_limit = ["--time-limit", 3] if mode == "hang" else []
    done = emulated("atc", *time_limit, cwd=tmp_path, fail=f"atc:{mode}", check=3)
    refused(done, FAILURES[mode], FAILED_LOG, "fix: ")
    assert "ATC start working now" in log_named_in(done, tmp_path)
    after = digests(run)
    del after[FAILED_LOG]
    assert after == before and not list((run / "atc").glob(".*")) and os.listdir(str(tmp_path)) == ["runs"]
    emulated("msame-run", "--dry-run", cwd=tmp_path)


def test_a_model_of_a_newer_name_counts_and_ends_the_log_of_a_failure(run, tmp_path):
    emulated("atc", cwd=tmp_path, fail="atc:crash", check=3)
    assert (run / FAILED_LOG).is_file()
    emulated("atc", cwd=tmp_path, fail="atc:suffix")
    assert not (run / FAILED_LOG).exists()
    assert sorted(os.listdir(str(run / "atc"))) == [f"{MODEL}.{ending}" for ending in ("log", "manifest.json", "om")]
    assert offline_model.is_emulated(run / "atc" / f"{MODEL}.om")


def test_a_model_cut_off_by_the_tool_is_refused_when_it_runs(run, tmp_path):
    emulated("atc", cwd=tmp_path, fail="atc:truncate")
    done = emulated("msame-run", cwd=tmp_path, check=3)
    refused(done, f"{MODEL}.om is cut off or damaged", "6 of 6 outputs are missing")


def test_a_full_disk(run, tmp_path):
    before = digests(run)
    limit = (run / "atc" / f"{MODEL}.om").stat().st_size // 2
    done = with_a_full_disk("atc", cwd=tmp_path, limit=limit)
    assert done.returncode == 3
    refused(done, "atc failed with E10001", "File too large", FAILED_LOG)
    after = digests(run)
    del after[FAILED_LOG]
    assert after == before


@pytest.mark.parametrize("number, code", ((signal.SIGINT, 130), (signal.SIGTERM, 143)))
def test_stopped_in_the_middle(run, tmp_path, number, code):
    before = digests(run)
    with hanging("atc", cwd=tmp_path, fail="atc:hang", said="ATC start working now") as started:
        second = emulated("atc", cwd=tmp_path, check=1)
        refused(second, "another process is making")
        returned, stderr, left = started.end_by(number)
    assert returned == code and left == set()
    assert len(re.findall("^error: ", stderr, re.MULTILINE)) == 1 and "Traceback" not in stderr
    assert digests(run) == before and not list((run / "atc").glob(".*"))


def test_a_tool_that_will_not_end_is_killed_with_all_its_children(run, tmp_path):
    stubborn = "#!/bin/sh\ntrap '' TERM INT\necho 'ATC start working now'\nsleep 1000 &\nsleep 1000\nsleep 1000\n"
    toolkit = make_toolkit(tmp_path / "toolkit", atc=stubborn)
    before = digests(run)
    command = ["atc", "--toolkit", toolkit]
    with hanging(*command, cwd=tmp_path, said="ATC start working now", env={}) as started:
        assert len(started.processes()) == 4  # biggan, sh, and two that sleep
        returned, _, left = started.end_by(signal.SIGTERM)
    assert returned == 143 and left == set() and digests(run) == before


def test_no_toolkit(biggan, run, tmp_path):
    """The emulator is never taken unasked."""
    before = files(run)
    (tmp_path / "home").mkdir()
    env = without_toolkit(tmp_path / "home")
    for arguments in ([], ["--toolchain", "cann"], ["--dry-run"]):
        done = biggan("atc", *arguments, cwd=tmp_path, env=env, check=4)
        refused(done, "there is no atc on this machine", "looked for: ", "--toolkit DIR", "--toolchain emulator")
    done = biggan("atc", "--toolkit", "nowhere", cwd=tmp_path, env=env, check=4)
    refused(done, "--toolkit nowhere has no atc", str(tmp_path / "nowhere" / "bin" / "atc"))
    refused(biggan("atc", "--toolchain", "huawei", cwd=tmp_path, env=env, check=2), "--toolchain huawei")
    done = biggan("atc", cwd=tmp_path, env=dict(env, BIGGAN_TOOLCHAIN="x"), check=2)
    refused(done, "BIGGAN_TOOLCHAIN=x is not one of auto, cann, emulator")
    assert files(run) == before


def test_a_toolkit_is_found_wherever_it_is(biggan, run, tmp_path):
    home = tmp_path / "home"
    toolkit = make_toolkit(home / "Ascend" / "ascend-toolkit" / "latest")
    nobody = without_toolkit(tmp_path)
    program = str(toolkit / "bin" / "atc")
    sourced = f". {toolkit}/set_env.sh && {program} --framework=3"
    for arguments, env in (
        (["--toolkit", toolkit], nobody),
        (["--toolkit", toolkit, "--toolchain", "cann"], dict(nobody, ASCEND_OPP_PATH="/elsewhere")),
        ([], dict(nobody, ASCEND_HOME_PATH=str(toolkit))),
        ([], dict(nobody, PATH=f"{toolkit}/bin:{nobody['PATH']}")),
        ([], dict(nobody, HOME=str(home))),
    ):
        done = biggan("atc", "--dry-run", *arguments, cwd=tmp_path, env=env, check=0)
        assert done.stdout.startswith(sourced), (arguments, env)
    env = dict(nobody, HOME=str(home), ASCEND_OPP_PATH=f"{toolkit}/opp")  # the user has sourced it
    assert biggan("atc", "--dry-run", cwd=tmp_path, env=env, check=0).stdout.startswith(f"{program} --framework=3")


def test_the_chips_are_those_of_the_toolkit(biggan, run, tmp_path):
    toolkit = make_toolkit(tmp_path / "toolkit", chips=("Ascend310", "Ascend9999X"))
    done = biggan("atc", "--toolkit", toolkit, "--soc", "Ascend9999X", "--dry-run", cwd=tmp_path, check=0)
    assert "--soc_version=Ascend9999X" in done.stdout
    done = biggan("atc", "--toolkit", toolkit, "--soc", "Ascend310P3", cwd=tmp_path, check=2)
    refused(done, "--soc Ascend310P3 is none of the 2 chips that this toolkit builds for", "fix: --soc Ascend310")


def test_a_toolkit_converts_and_the_emulator_in_disguise_is_known_by_its_model(biggan, run, tmp_path):
    toolkit = make_toolkit(tmp_path / "my cann")
    env = dict(without_toolkit(tmp_path), **python_of_the_emulator())
    done = biggan("atc", "--toolkit", toolkit, cwd=tmp_path, env=env, check=0)
    assert "(CANN 8.1.RC9)" in done.stderr and "is biggan's emulator: its model runs on no device" in done.stderr
    assert "set_env.sh was sourced: yes" in (run / "atc" / f"{MODEL}.log").read_text()
    assert manifest_of(run)["details"]["toolkit"] == "CANN 8.1.RC9" and manifest_of(run)["details"]["emulated"] is True
    assert offline_model.is_emulated(run / "atc" / f"{MODEL}.om")
    command = ["msame-run", "--runner-path", EMULATOR / "msame"]
    done = biggan(*command, cwd=tmp_path, env=env, check=2)
    refused(done, "was made by the emulator, msame on a device cannot run it")


def test_what_a_dry_run_prints_can_be_pasted(biggan, run, tmp_path):
    toolkit = make_toolkit(tmp_path / "my cann")
    om = tmp_path / "pasted.om"
    before = files(tmp_path)
    command = ["atc", "--toolkit", toolkit, "--name", "pasted", "--dry-run"]
    done = biggan(*command, cwd=tmp_path, env=python_of_the_emulator(), check=0)
    assert files(tmp_path) == before and not om.exists() and done.stderr == ""
    assert shlex.split(done.stdout)[:4] == [".", f"{toolkit}/set_env.sh", "&&", f"{toolkit}/bin/atc"]
    (tmp_path / "elsewhere").mkdir()
    said = in_a_shell(done.stdout, tmp_path / "elsewhere", **python_of_the_emulator())
    assert "set_env.sh was sourced: yes" in said and "ATC run success" in said
    assert offline_model.read(om).soc_version == "Ascend310"
    printed = emulated("atc", "--dry-run", "--json", cwd=tmp_path).stdout
    assert json.loads(printed)["command"].startswith("BIGGAN_PYTHON=")


@pytest.mark.parametrize(
    "atc, setup, words",
    (
        ("this is no program", "", ["toolkit/bin/atc cannot be started: Exec format error"]),
        (None, "exit 3", ["toolkit/set_env.sh cannot be sourced: exit code 3"]),
    ),
)
def test_a_toolkit_that_cannot_start(biggan, run, tmp_path, atc, setup, words):
    toolkit = make_toolkit(tmp_path / "toolkit", atc=atc)
    (toolkit / "set_env.sh").write_text(setup)
    before = files(run)
    refused(biggan("atc", "--toolkit", toolkit, cwd=tmp_path, check=4), *words)
    assert files(run) == before


@pytest.mark.parametrize(
    "script, words",
    (
        ("echo 'atc.bin: error while loading shared libraries: libascend_hal.so' >&2\nexit 127", ["exit code 127"]),
        (f'exec {EMULATOR}/atc --colour=red "$@"', ["exit code 255: ERROR: unknown command line flag 'colour'"]),
        ("echo ATC run success\nexit 0", ["reports success but left no model"]),
        ("echo 'E10044: not enough memory'\nexit 0", ["failed with E10044: not enough memory", "Stop other programs"]),
    ),
)
def test_what_the_tool_says_is_in_the_log(biggan, run, tmp_path, script, words):
    toolkit = make_toolkit(tmp_path / "toolkit", atc="#!/bin/sh\n" + script + "\n")
    done = biggan("atc", "--toolkit", toolkit, cwd=tmp_path, env=python_of_the_emulator(), check=3)
    refused(done, *words)
    said = re.search("libascend_hal|unknown command line flag|ATC run success|E10044", log_named_in(done, tmp_path))
    assert said and "# exit code" in log_named_in(done, tmp_path)


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--soc", "Ascned310"], ["--soc Ascned310 is none of the", "fix: --soc Ascend310"]),
        (["--batch", 0], ["--batch 0"]),
        (["--dynamic-batch", "4"], ["--dynamic-batch 4 has 1 sizes", "--batch"]),
        (["--dynamic-batch", "1,two"], ["--dynamic-batch 1,two is not a list"]),
        (["--batch", 2, "--dynamic-batch", "1,2"], ["--batch 2 and --dynamic-batch exclude each other"]),
        (["--keep-dtype", "nowhere"], ["--keep-dtype nowhere is not a file", "looked for"]),
        (["--debug-dir", "nowhere"], ["--debug-dir nowhere is not a folder that exists"]),
        (["--precision-mode", "force_fp32", "--precision-mode-v2", "fp16"], ["exclude each other"]),
        (["--time-limit", 0], ["--time-limit 0"]),
        (["--name", "a b"], ["--name a b"]),
        (["--", "--soc-version=Ascend310"], ["--soc_version after -- is not for you to set", "--soc before it"]),
    ),
)
def test_wrong_use(deployed, arguments, words):
    before = files(deployed)
    refused(emulated("atc", *arguments, cwd=deployed, check=2), *words)
    assert files(deployed) == before


def test_a_value_that_the_tool_refuses(run, tmp_path):
    done = emulated("atc", "--precision-mode", "allow_mix_precision_bf16", cwd=tmp_path, check=3)
    refused(done, "atc failed with E10001", "allow_mix_precision_bf16", "precision_mode", "fix: ")
    assert "E10001" in log_named_in(done, tmp_path)


def test_a_dry_run_where_the_model_could_not_be_written(run, tmp_path):
    place = tmp_path / "my place"
    place.mkdir()
    done = emulated("atc", "--outdir", tmp_path / "runs", "--dry-run", cwd=place, check=2)
    refused(done, f"atc does not take the path {place}", "it has ' ' in it")


def test_a_path_with_a_space(run, tmp_path):
    run.parent.rename(tmp_path / "my runs")
    before = files(tmp_path)
    done = emulated("atc", "--outdir", "my runs", cwd=tmp_path, check=2)
    refused(done, "atc does not take the path", "it has ' ' in it", "fix: rename the folder")
    assert files(tmp_path) == before


def test_a_graph_that_is_none(run, tmp_path):
    graph, spec = (run / "freeze" / name for name in ("generator.pb", "generator.spec.json"))
    graph.write_bytes(b"this is no graph")
    described = json.loads(spec.read_text())
    spec.write_text(json.dumps(dict(described, sha256=sha256(graph))))
    refused(emulated("atc", cwd=tmp_path, check=3), "atc failed with E10041", "generator.pb", "biggan freeze anew")
    (run / "atc" / f"{MODEL}.manifest.json").unlink()
    refused(emulated("msame-run", cwd=tmp_path, check=2), "there is no offline model yet", "fix: biggan atc")
