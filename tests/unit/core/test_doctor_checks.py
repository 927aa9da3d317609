"""What doctor says of machines that are laid out in a folder, or described in words."""

import contextlib
import json
import os
import shutil

import numpy as np
import pytest

from biggan_cli.core import doctor, doctor_ascend, doctor_host, doctor_programs
from biggan_cli.core.doctor_check import MISSING, OK, WRONG, Check
from biggan_cli.core.doctor_host import TensorFlow
from biggan_cli.deploy.toolkit import Toolkit
from biggan_cli.errors import NotReady
from biggan_cli.metrics.published import GRAPH_SHA256, GraphFile
from biggan_cli.settings import DoctorConfig

X86 = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu sse4_2 avx avx2 fma avx512f\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes asimddp\nCPU implementer\t: 0x48\n"


def written(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def program(path, script):
    written(path, "#!/bin/sh\n" + script).chmod(0o755)
    return path


def toolkit_in(home, version="CANN 8.1.RC1", set_env=None):
    home.mkdir(parents=True, exist_ok=True)
    return Toolkit(home, version, written(home / "set_env.sh", set_env) if set_env is not None else None)


def has_a_fix_if_not_ok(check):
    assert bool(check.fix) == (check.state != OK), check
    return check


# Python, TensorFlow, processor, GPU


@pytest.mark.parametrize(
    "version, state", (((3, 6, 9), WRONG), ((3, 7, 5), OK), ((3, 8, 10), WRONG), ((3, 9, 0), OK), ((3, 13, 1), OK))
)
def test_pythons(version, state):
    assert has_a_fix_if_not_ok(doctor_host.python(version, "/bin/python", "cpu")).state == state


@pytest.mark.parametrize(
    "version, told", (((3, 7, 4), True), ((3, 7, 5), False), ((3, 7, 11), False), ((3, 7, 16), True))
)
def test_a_python_that_ascend_does_not_document_is_told_for_an_npu_only(version, told):
    assert ("documented" in doctor_host.python(version, "python", "npu").found) == told
    assert "documented" not in doctor_host.python(version, "python", "cpu").found


@pytest.mark.parametrize(
    "version, tensorflow, on_cpu, on_npu",
    (
        ((3, 7, 5), "1.15.0", OK, OK),
        ((3, 7, 5), "1.15.5", OK, OK),
        ((3, 11, 7), "2.21.0", OK, WRONG),
        ((3, 9, 0), "2.16.1", OK, WRONG),
        ((3, 7, 5), "2.6.5", WRONG, WRONG),
        ((3, 9, 0), "2.15.0", WRONG, WRONG),
        ((3, 7, 5), "1.14.0", WRONG, WRONG),
        ((3, 11, 7), "1.15.0", WRONG, WRONG),
        ((3, 7, 5), None, MISSING, MISSING),
    ),
)
def test_lanes(version, tensorflow, on_cpu, on_npu):
    for device, state in (("cpu", on_cpu), ("gpu", on_cpu), ("npu", on_npu)):
        check = has_a_fix_if_not_ok(doctor_host.lane(version, tensorflow, device))
        assert check.state == state and check.needed
        if state != OK:
            assert "3.7" in check.fix


def test_a_tensorflow_that_does_not_start_is_wrong():
    assert doctor_host.tensorflow(TensorFlow("1.15.0")).state == OK
    assert doctor_host.tensorflow(TensorFlow(None, "ImportError")).state == MISSING
    broken = doctor_host.tensorflow(TensorFlow("1.15.0", "ImportError: no libcuda"))
    assert broken.state == WRONG and "no libcuda" in broken.found and broken.fix


def test_processors():
    check = doctor_host.cpu(X86, "x86_64", 2)
    assert check.details["features"] == ["sse4_2", "avx", "avx2", "fma", "avx512f"]
    assert check.found.startswith("Some CPU, 2 cores: ") and check.state == OK
    check = doctor_host.cpu(ARM, "aarch64", 64)
    assert check.details["features"] == ["asimd", "asimddp"] and check.state == OK
    assert doctor_host.cpu("", "arm64", 1).found == "arm64, 1 core: features unknown"
    old = doctor_host.cpu(X86.replace("avx", "xxx"), "x86_64", 2)
    assert old.state == WRONG and "AVX" in old.found and old.fix


def test_gpus():
    none, one = TensorFlow("2.21.0"), TensorFlow("2.21.0", None, ("GPU:0",))
    found = doctor_host.gpu(one, ["A100, 550.1, 40960 MiB"], None, True)
    assert found.state == OK and "GPU:0" in found.found and "550.1" in found.found
    for seen, driver, complaint, state in (
        (none, [], None, MISSING),
        (none, ["A100, 550.1, 40960 MiB"], None, WRONG),
        (none, [], "couldn't communicate", WRONG),
        (TensorFlow("2.21.0", "ImportError: x"), [], None, MISSING),
    ):
        check = has_a_fix_if_not_ok(doctor_host.gpu(seen, driver, complaint, True))
        assert check.state == state and check.needed
    assert "does not start" in check.found


def test_the_driver_of_gpus_is_asked(tmp_path):
    env = {"PATH": str(tmp_path)}
    assert doctor_host.nvidia(env) == ([], None)
    smi = program(tmp_path / "nvidia-smi", 'case "$1" in --query-gpu=*) echo "A100, 550.1, 40960 MiB";; esac\n')
    assert doctor_host.nvidia(env) == (["A100, 550.1, 40960 MiB"], None)
    program(smi, "echo NVIDIA-SMI has failed\nexit 9\n")
    assert doctor_host.nvidia(env) == ([], "NVIDIA-SMI has failed")
    program(smi, "exit 9\n")
    assert doctor_host.nvidia(env) == ([], "nvidia-smi ended with exit code 9")


# disks, cache, Inception file


def test_folders_that_are_there_and_that_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 61_400_000_000))
    written(tmp_path / "runs/a", "12345")
    written(tmp_path / "runs/b/c", "678")
    check = doctor_host.runs(tmp_path / "runs")
    assert check.state == OK and check.needed and check.details["bytes"] == 8
    assert check.found == f"61 GB free, {tmp_path}/runs (8 B)"
    check = doctor_host.runs(tmp_path / "x/y")
    assert check.state == OK and not check.details["exists"] and not (tmp_path / "x").exists()
    check = doctor_host.runs(tmp_path / "runs/a/b")
    assert check.state == WRONG and f"{tmp_path}/runs/a is not a folder" in check.found and check.fix


def test_a_full_disk_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 900_000_000))
    check = doctor_host.runs(tmp_path)
    assert check.state == WRONG and "900 MB free" in check.found and "--outdir" in check.fix


def test_a_folder_that_cannot_be_written_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    check = doctor_host.runs(tmp_path)
    assert check.state == WRONG and "cannot be written" in check.found and not check.details["writable"]


def test_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGGAN_CACHE", str(tmp_path / "cache"))
    check = doctor_host.caches()
    assert check.details["path"] == str(tmp_path / "cache") and not check.needed
    monkeypatch.setenv("BIGGAN_CACHE", str(written(tmp_path / "file")))
    check = doctor_host.caches()
    assert check.state == WRONG and "BIGGAN_CACHE" in check.fix


def test_the_inception_file(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BIGGAN_INCEPTION", raising=False)
    check = doctor_host.inception()
    assert check.state == MISSING and "--fetch-inception" in check.fix and not check.needed
    monkeypatch.setenv("BIGGAN_INCEPTION", str(tmp_path / "gone.pb"))
    check = doctor_host.inception()
    assert check.state == WRONG and "gone.pb is not there" in check.found and check.fix
    monkeypatch.setenv("BIGGAN_INCEPTION", str(written(tmp_path / "other.pb", "x")))
    check = doctor_host.inception()
    assert check.state == WRONG and "not the official graph" in check.found and check.details["official"] is False
    official = GraphFile(tmp_path / "graph.pb", b"", GRAPH_SHA256, True)  # 95 MB are not at hand in a test
    monkeypatch.setattr(doctor_host, "find_inception", lambda asked: official)
    assert doctor_host.inception().state == OK


# Ascend: driver and devices


def test_a_driver(tmp_path):
    env = {"PATH": str(tmp_path / "bin")}
    assert has_a_fix_if_not_ok(doctor_ascend.driver(tmp_path, env)).state == MISSING
    written(tmp_path / "dev/davinci0")
    assert has_a_fix_if_not_ok(doctor_ascend.driver(tmp_path, env)).state == WRONG
    (tmp_path / "usr/local/Ascend/driver/lib64").mkdir(parents=True)
    check = doctor_ascend.driver(tmp_path, env)
    assert check.state == OK and "version unknown" in check.found
    written(tmp_path / "usr/local/Ascend/driver/version.info", "Version=24.1.rc2\nascendhal_version=7.35\n")
    check = doctor_ascend.driver(tmp_path, env)
    assert check.state == OK and check.found.startswith("24.1.rc2") and "no npu-smi" in check.found
    smi = program(tmp_path / "bin/npu-smi", "")
    assert doctor_ascend.driver(tmp_path, env).details == dict(version="24.1.rc2", npu_smi=str(smi))


def test_devices(tmp_path):
    assert has_a_fix_if_not_ok(doctor_ascend.devices(tmp_path)).state == MISSING
    for name in ("davinci10", "davinci2", "davinci_manager", "davinci2x"):
        written(tmp_path / "dev" / name)
    check = has_a_fix_if_not_ok(doctor_ascend.devices(tmp_path))
    assert check.state == WRONG and check.found.endswith("without /dev/devmm_svm, /dev/hisi_hdc")
    for name in ("devmm_svm", "hisi_hdc"):
        written(tmp_path / "dev" / name)
    check = doctor_ascend.devices(tmp_path)
    assert check.state == OK and check.details["devices"] == ["/dev/davinci2", "/dev/davinci10"]


@pytest.mark.parametrize(
    "env, numbers, state",
    (
        ({}, [0], OK),
        ({}, [], OK),
        ({"ASCEND_DEVICE_ID": "1"}, [0, 1], OK),
        ({"ASCEND_DEVICE_ID": "0"}, [5], OK),  # a container counts its own from 0
        ({"ASCEND_DEVICE_ID": "2"}, [0, 1], WRONG),
        ({"ASCEND_DEVICE_ID": "5"}, [5], WRONG),
        ({"ASCEND_DEVICE_ID": "-1"}, [0, 1], WRONG),
        ({"ASCEND_DEVICE_ID": "zero"}, [0], WRONG),
        ({"ASCEND_DEVICE_ID": "0"}, [], MISSING),
        ({"DEVICE_ID": "5"}, [5], OK),
        ({"DEVICE_ID": "0"}, [5], WRONG),
        ({"ASCEND_DEVICE_ID": "0", "DEVICE_ID": "9"}, [0], OK),  # the former comes first
        ({"ASCEND_DEVICE_ID": "9", "DEVICE_ID": "0"}, [0], WRONG),
    ),
)
def test_device_ids(env, numbers, state):
    assert has_a_fix_if_not_ok(doctor_ascend.device_id(env, numbers)).state == state


def table_of(path, count, **changes):
    devices = [dict(device_id=str(n), device_ip="1.1.1.1") for n in range(count)]
    instances = [dict(pod_name="job0", server_id="1.1.1.2", devices=devices)]
    return written(path, json.dumps(dict(status="completed", group_list=[dict(instance_list=instances)], **changes)))


def test_a_job_has_one_device(tmp_path):
    one = str(table_of(tmp_path / "one.json", 1))
    for env in ({}, dict(RANK_SIZE="1", RANK_ID="0"), dict(CM_CHIEF_IP="1.1.1.1"), dict(RANK_TABLE_FILE=one)):
        assert doctor_ascend.job(env, tmp_path / "none").state == OK, env
    assert doctor_ascend.job({}, tmp_path / "one.json").details == dict(rank_table=one)


def test_what_training_would_refuse(tmp_path):
    two = str(table_of(tmp_path / "two.json", 2))
    begun = str(written(tmp_path / "begun.json", '{"status": "initializing"}'))
    for env, words in (
        (dict(RANK_SIZE="8"), "RANK_SIZE=8, and there is no rank table: biggan trains on one device"),
        (dict(RANK_SIZE="x"), "RANK_SIZE=x is not a number"),
        (dict(RANK_SIZE="1", CM_CHIEF_IP="1.1.1.1"), "CM_CHIEF_IP and RANK_SIZE are both set"),
        (dict(RANK_TABLE_FILE=two), "has 2 devices: biggan trains on one device"),
        (dict(RANK_TABLE_FILE=begun), "has the status initializing"),
        (dict(RANK_TABLE_FILE=two + "x"), "cannot be read"),
    ):
        check = has_a_fix_if_not_ok(doctor_ascend.job(env, tmp_path / "none"))
        assert check.state == WRONG and words in check.found, env


@pytest.mark.parametrize("text", ("", "[]", "{}", '{"server_list": 3}', '{"group_list": [{}]}', "3"))
def test_files_that_are_no_rank_table(tmp_path, text):
    path = written(tmp_path / "table.json", text)
    check = has_a_fix_if_not_ok(doctor_ascend.job(dict(RANK_TABLE_FILE=str(path)), tmp_path / "none"))
    assert "is malformed" in check.found and check.state == WRONG


# CANN, its environment, npu_bridge


def test_an_environment_is_sourced_if_sourcing_changes_nothing(tmp_path):
    home = tmp_path / "cann"
    (home / "opp").mkdir(parents=True)
    script = (
        f"export ASCEND_TOOLKIT_HOME={home} ASCEND_OPP_PATH={home}/opp\n"
        f"export LD_LIBRARY_PATH={home}/lib64:$LD_LIBRARY_PATH PYTHONPATH={home}/python:$PYTHONPATH\n"
    )
    toolkit = toolkit_in(home, set_env=script)
    bare = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": "/usr/lib"}
    check = has_a_fix_if_not_ok(doctor_ascend.environment(bare, toolkit))
    assert (check.state, check.fix) == (WRONG, f"source {home}/set_env.sh")
    assert check.details["lacking"] == ["ASCEND_TOOLKIT_HOME", "ASCEND_OPP_PATH", "LD_LIBRARY_PATH", "PYTHONPATH"]
    sourced = doctor_ascend.environment_after(toolkit.setup, bare)
    assert doctor_ascend.environment(sourced, toolkit).state == OK
    check = doctor_ascend.environment(dict(sourced, PYTHONPATH="/mine"), toolkit)
    assert check.state == WRONG and check.details["lacking"] == ["PYTHONPATH"]
    moved = dict(sourced, ASCEND_OPP_PATH=str(tmp_path / "gone"))
    check = doctor_ascend.environment(moved, toolkit)
    assert check.state == WRONG and "no such folder" in check.found and check.fix == f"source {home}/set_env.sh"


def test_an_environment_that_cannot_be_sourced_or_has_no_script(tmp_path):
    bare = {"PATH": os.environ["PATH"]}
    check = doctor_ascend.environment(bare, toolkit_in(tmp_path / "a", set_env="exit 3\n"))
    assert check.state == WRONG and "exit code 3" in check.found and check.fix
    check = has_a_fix_if_not_ok(doctor_ascend.environment(bare, toolkit_in(tmp_path / "b")))
    assert check.state == WRONG and "no set_env.sh" in check.found
    by_hand = dict(bare, ASCEND_OPP_PATH=str(tmp_path))
    assert doctor_ascend.environment(by_hand, toolkit_in(tmp_path / "b")).state == OK
    assert has_a_fix_if_not_ok(doctor_ascend.environment(bare, None)).state == MISSING
    check = doctor_ascend.environment(dict(bare, ASCEND_OPP_PATH=str(tmp_path / "gone")), None)
    assert check.state == WRONG and check.fix == "unset ASCEND_OPP_PATH"


@pytest.mark.parametrize(
    "release, cann, fits",
    (
        ("8.1.RC1", "CANN 8.1.RC1", True),
        ("7.0.RC1", "CANN 7.0.0", True),
        ("5.1.RC1", "CANN 8.1.RC1", False),
        ("9.0.0", "CANN 9.1.0", True),
        ("9.1.0", "CANN 9.2.0", True),
        ("9.1.0", "CANN 9.0.0", False),
        ("9.0.0", "CANN 9.2.0", False),
        (None, "CANN 8.1.RC1", None),
        ("8.1.RC1", "CANN of unknown version", None),
        ("8.1.RC1", None, None),
    ),
)
def test_which_releases_fit(tmp_path, monkeypatch, release, cann, fits):
    plugin = tmp_path / "tfplugin/latest"
    written(plugin / "python/site-packages/npu_bridge/__init__.py")
    if release:
        written(plugin / "ascend_tfplugin_install.info", f"package_name=tfplugin\nversion={release}\n")
    packages = str(plugin / "python/site-packages")
    monkeypatch.syspath_prepend(packages)
    toolkit = toolkit_in(tmp_path / "cann", cann) if cann else None
    env = dict(os.environ, PYTHONPATH=packages)
    check = doctor_ascend.npu_bridge(tmp_path, env, toolkit, (3, 7, 5), "1.15.0")
    assert check.state == (WRONG if fits is False else OK), check
    assert check.details["fits"] is fits and check.details["release"] == release
    assert ("recorded nowhere" in check.found) == (fits is None)
    assert ("does not fit" in check.found) == (fits is False)
    elsewhere = doctor_ascend.npu_bridge(tmp_path, env, toolkit, (3, 11, 7), "2.21.0")
    assert elsewhere.state == WRONG and "cannot run on TensorFlow 2.21.0" in elsewhere.found
    assert "Python 3.7" in elsewhere.fix


def test_an_npu_bridge_that_does_not_import(tmp_path, monkeypatch):
    written(tmp_path / "npu_bridge/__init__.py", "raise ImportError('libge_runner.so: cannot open shared object')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    env = dict(os.environ, PYTHONPATH=str(tmp_path))
    check = doctor_ascend.npu_bridge(tmp_path, env, None, (3, 7, 5), "1.15.0")
    assert check.state == WRONG and "libge_runner.so" in check.found and "set_env.sh" in check.fix


def test_no_npu_bridge(tmp_path, monkeypatch):
    (tmp_path / "packages/npu_bridge").mkdir(parents=True)  # a folder of that name is no module
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    check = doctor_ascend.npu_bridge(tmp_path, {}, None, (3, 7, 5), "1.15.0")
    assert check.state == MISSING and check.fix
    script = written(tmp_path / "usr/local/Ascend/tfplugin/set_env.sh")
    check = doctor_ascend.npu_bridge(tmp_path, {}, None, (3, 7, 5), "1.15.0")
    assert check.fix == f"source {script}"
    beside = written(tmp_path / "opt/tfplugin/set_env.sh")
    toolkit = toolkit_in(tmp_path / "opt/ascend-toolkit/latest")
    check = doctor_ascend.npu_bridge(tmp_path, {}, toolkit, (3, 11, 7), "2.21.0")
    assert check.fix.startswith("Python 3.7") and check.fix.endswith(f"source {beside}")


@pytest.mark.parametrize("value, state", ((None, OK), ("cann", OK), ("emulator", OK), ("atc", WRONG)))
def test_the_toolchain_of_the_environment(monkeypatch, value, state):
    monkeypatch.delenv("BIGGAN_TOOLCHAIN", raising=False)
    if value:
        monkeypatch.setenv("BIGGAN_TOOLCHAIN", value)
    assert has_a_fix_if_not_ok(doctor_programs.toolchain()).state == state


# the convolution


def test_convolve_is_the_sum_it_says():
    """Against the definition, one output at a time."""
    random = np.random.RandomState(1)
    images, kernel = random.randn(2, 4, 5, 3), random.randn(3, 3, 3, 2)
    result = doctor.convolve(images, kernel)
    assert result.shape == (2, 4, 5, 2)
    for n, y, x, d in np.ndindex(*result.shape):
        total = 0.0
        for i, j, c in np.ndindex(3, 3, 3):
            if 0 <= y + i - 1 < 4 and 0 <= x + j - 1 < 5:
                total += images[n, y + i - 1, x + j - 1, c] * kernel[i, j, c, d]
        assert result[n, y, x, d] == pytest.approx(total, abs=1e-12)


def test_a_convolution_on_the_cpu():
    check = doctor.convolution("cpu")
    assert check.state == OK and check.needed
    assert 0 < check.details["relative_error"] < 2e-6  # float32, a sum of 144 products
    assert check.details["seconds"] > 0


@pytest.mark.parametrize("share, state", ((0.5, OK), (2.0, WRONG), (float("nan"), WRONG)))
@pytest.mark.parametrize("device", ("cpu", "npu"))
def test_a_convolution_that_is_off(monkeypatch, device, share, state):
    def off(images, kernel, device):
        result = doctor.convolve(images, kernel)
        result[0, 0, 0, 0] += share * doctor.TOLERANCE[device] * np.abs(result).max()
        return [0.1, 0.01], result

    monkeypatch.setattr(doctor, "_convolved", off)
    monkeypatch.setattr(doctor, "_proof", lambda device: contextlib.nullcontext())
    check = has_a_fix_if_not_ok(doctor.convolution(device))
    assert check.state == state
    json.loads(json.dumps(check.details), parse_constant=pytest.fail)


@pytest.mark.parametrize("error", (NotReady("no device", fix="buy one"), RuntimeError("TSD 5\nmore"), ImportError()))
def test_a_device_that_cannot_be_opened(monkeypatch, error):
    def fails(graph, device, exact):
        raise error

    monkeypatch.setattr(doctor, "open_session", fails)
    check = has_a_fix_if_not_ok(doctor.convolution("cpu"))
    assert check.state == WRONG and "\n" not in check.found
    assert (check.fix == "buy one") == isinstance(error, NotReady)
    assert str(error).split("\n")[0] in check.found


def test_ctrl_c_is_not_taken_for_a_broken_device(monkeypatch):
    def interrupted(graph, device, exact):
        raise RuntimeError("by the C code") from KeyboardInterrupt()

    monkeypatch.setattr(doctor, "open_session", interrupted)
    with pytest.raises(RuntimeError):
        doctor.convolution("cpu")


def test_what_may_not_be_read_is_wrong_and_ends_nothing(tmp_path, monkeypatch):
    def forbidden(*arguments):
        raise PermissionError(13, "Permission denied", "/root/Ascend")

    for name in ("find_toolkit", "open_session"):
        monkeypatch.setattr(doctor, name, forbidden)
    monkeypatch.setattr(doctor_programs, "find_atc", forbidden)
    monkeypatch.setattr(doctor_ascend, "_field", forbidden)
    monkeypatch.setattr(doctor_host, "caches", forbidden)
    monkeypatch.setattr(doctor, "let_adapter_tell", lambda: None)  # it would change this process's environment
    diagnosis = doctor.doctor(DoctorConfig("npu", str(tmp_path)))
    checks = {check.name: check for _, group in diagnosis.groups for check in group}
    for name, needed in (("CANN", True), ("driver", True), ("atc", False), ("cache", False), ("convolution", True)):
        check = has_a_fix_if_not_ok(checks[name])
        assert (check.state, check.needed) == (WRONG, needed), name
    for name in ("CANN", "driver", "atc", "cache"):
        assert checks[name].found == "/root/Ascend: permission denied"
    assert not diagnosis.ready and checks["runs"].state == OK


def test_only_what_the_device_needs_makes_it_unready():
    checks = (
        Check("a", OK, "", None, True),
        Check("b", MISSING, "", "fix", False),
    )
    doctor.judge(doctor.Diagnosis("cpu", True, (("x", checks),)))
    needed = (("x", (*checks, Check("c", MISSING, "", "fix", True))),)
    with pytest.raises(NotReady, match=r"--device npu is not ready: c \(missing\)"):
        doctor.judge(doctor.Diagnosis("npu", False, needed))
