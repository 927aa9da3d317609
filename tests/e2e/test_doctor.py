"""``biggan doctor`` on this machine, and on Ascend machines that are laid out in a folder."""

import json
import os
from pathlib import Path

import pytest

from biggan_cli.runtime.process import environment_after
from biggan_cli.runtime.tf import tf
from tests import loaded
from tests.conftest import run_biggan

FAKE = Path(__file__).parents[1] / "fakes" / "ascend"
TARGET = tf.__version__.startswith("1.15")
NAMES = {
    "Python": ["Python", "TensorFlow", "lane"],
    "machine": ["CPU", "GPU", "runs", "cache", "Inception"],
    "Ascend": [
        *("driver", "devices", "device id", "job", "CANN", "environment", "npu_bridge"),
        *("toolchain", "atc", "msame", "ais_bench", "msprof"),
    ],
    "trial": ["convolution"],
}
FOR_CPU = {"Python", "TensorFlow", "lane", "CPU", "runs", "convolution"}
FOR_NPU = FOR_CPU | {"driver", "devices", "device id", "job", "CANN", "environment", "npu_bridge"}

ELSEWHERE = """
import atexit, os, pathlib, sys
from biggan_cli.core import doctor
from biggan_cli.deploy import toolkit
from biggan_cli import config

root, npu = pathlib.Path({root!r}), {npu}
doctor.ROOT = root
toolkit._BASES = (str(root / "usr/local/Ascend"), "~/Ascend")
toolkit._INSTALL_RECORD = root / "etc/Ascend/ascend_cann_install.info"
toolkit._DEVICE = root / "dev/davinci_manager"
if npu:  # a device that computes as the CPU does
    config.DEVICES, opened = ("cpu", "gpu", "npu"), doctor.open_session
    words = b"The model has been compiled on the Ascend AI processor, current graph id is: 1\\n"
    doctor.open_session = lambda graph, device, exact: os.write(2, words) and opened(graph, "cpu", exact)
atexit.register(lambda: print("IMPORTED" if "npu_bridge" in sys.modules else "", file=sys.stderr))
"""
"""Before ``biggan``: the file system begins in another folder."""


def written(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def program(path, script=""):
    written(path, "#!/bin/sh\n" + script).chmod(0o755)
    return path


class Machine:
    """A file system with an Ascend machine in it."""

    def __init__(self, root):
        self.root, self.base = root, root / "usr/local/Ascend"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("BIGGAN_", "ASCEND_"))}
        for name in ("RANK_SIZE", "RANK_ID", "RANK_TABLE_FILE", "DEVICE_ID", "LD_LIBRARY_PATH"):
            self.env.pop(name, None)
        self.env.update(HOME=str(root / "home"), BIGGAN_CACHE=str(root / "cache"), COLUMNS="80")
        (root / "home").mkdir()

    def install(self, cann="8.1.RC1", tfplugin="8.1.RC1"):
        """Everything that an Ascend 910 needs, npu_bridge with it."""
        home, plugin = self.base / "ascend-toolkit/latest", self.base / "tfplugin"
        program(home / "bin/atc")
        program(home / "tools/profiler/bin/msprof")
        written(home / "x86_64-linux/ascend_toolkit_install.info", f"package_name=x\nversion={cann}\n")
        (home / "opp").mkdir()
        written(
            self.base / "ascend-toolkit/set_env.sh",
            f"export ASCEND_TOOLKIT_HOME={home} ASCEND_HOME_PATH={home} ASCEND_OPP_PATH={home}/opp\n"
            f"export LD_LIBRARY_PATH={home}/lib64:$LD_LIBRARY_PATH PATH={home}/bin:$PATH\n"
            f"export PYTHONPATH={home}/python/site-packages:$PYTHONPATH\n",
        )
        written(plugin / "latest/ascend_tfplugin_install.info", f"version={tfplugin}\n")
        packages = plugin / "latest/python/site-packages"
        written(packages / "npu_bridge/__init__.py", f"open({str(self.root / 'imported')!r}, 'w').close()\n")
        written(plugin / "set_env.sh", f"export PYTHONPATH={packages}:$PYTHONPATH\n")
        written(self.base / "driver/version.info", "Version=24.1.rc2\n")
        for name in ("davinci0", "davinci1", "davinci_manager", "devmm_svm", "hisi_hdc"):
            written(self.root / "dev" / name)

    def doctor(self, *arguments, sourced=(), check=None, npu=True, imported=False, started=False):
        """The process, with the environment that the set_env.sh of ``sourced`` leave in a shell."""
        env = self.env
        for name in sourced:
            env = environment_after(self.base / name / "set_env.sh", env)
        prelude = ELSEWHERE.format(root=str(self.root), npu=npu)
        done = loaded.run(["doctor", *arguments], self.root, env, 300, prelude, started)
        assert "Traceback" not in done.stderr and ("IMPORTED" in done.stderr) == imported, done.stderr
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    def checks(self, *arguments, **options):
        """Name → check, of ``--json``."""
        return named(self.doctor("--json", *arguments, **options))


def named(done):
    """Name → check of the object on stdout, which agrees with itself and with the exit code."""
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    checks = found["checks"]
    assert set(found) == {"device", "ready", "checks"}
    for check in checks:
        assert set(check) == {"group", "name", "state", "found", "fix", "needed", "details"}
        assert check["state"] in ("ok", "missing", "wrong") and check["found"]
        assert bool(check["fix"]) == (check["state"] != "ok")
    bad = [check["name"] for check in checks if check["needed"] and check["state"] != "ok"]
    assert found["ready"] == (not bad)
    assert done.returncode == (4 if bad else 0)
    for name in bad:
        assert name in done.stderr
    return {check["name"]: check for check in checks}


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_this_machine_is_ready_for_its_processor(tmp_path):
    """The suite runs here, so that it is; whatever else is missing does not matter."""
    done = run_biggan("doctor", cwd=tmp_path, env={"BIGGAN_CACHE": str(tmp_path / "cache")}, check=0)
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "ready for --device cpu"
    for group, names in NAMES.items():
        assert group in done.stdout.splitlines()
        for name in names:
            assert f"  {name} " in done.stdout
    assert tf.__version__ in done.stdout and str(tmp_path / "cache") in done.stdout
    assert os.listdir(str(tmp_path)) == []  # nothing is written


def test_the_object_of_json(tmp_path):
    done = run_biggan("doctor", "--json", cwd=tmp_path, check=0)
    assert done.stderr == ""
    checks = named(done)
    assert list(checks) == [name for names in NAMES.values() for name in names]
    assert {name: check["group"] for name, check in checks.items()} == {
        name: group for group, names in NAMES.items() for name in names
    }
    assert {name for name, check in checks.items() if check["needed"]} == FOR_CPU
    assert checks["TensorFlow"]["details"]["version"] == tf.__version__
    assert checks["lane"]["details"]["lane"] == ("tf1" if TARGET else "tf2")
    trial = checks["convolution"]["details"]
    assert trial["seconds"] > 0 and 0 < trial["relative_error"] < trial["tolerance"] == 1e-5


def test_a_device_that_is_none(biggan):
    done = biggan("doctor", "--device", "tpu", check=2)
    assert "--device tpu is not one of cpu, gpu, npu" in done.stderr and done.stdout == ""


@pytest.mark.skipif(bool(tf.config.experimental.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tmp_path):
    done = run_biggan("doctor", "--device", "gpu", "--json", cwd=tmp_path, check=4)
    checks = named(done)
    assert checks["GPU"]["needed"] and checks["GPU"]["state"] != "ok"
    assert checks["convolution"]["state"] == "wrong" and "sees no GPU" in checks["convolution"]["found"]
    assert "error: --device gpu is not ready: GPU (" in done.stderr


def test_a_machine_without_ascend(machine):
    """Is no worse for it, unless an NPU is asked for."""
    machine.env["RANK_SIZE"] = "8"  # wrong, but nothing that a processor minds
    checks = machine.checks(check=0)
    assert checks["job"]["state"] == "wrong"
    for name in ("driver", "devices", "CANN", "environment", "npu_bridge", "atc", "msame", "msprof"):
        assert checks[name]["state"] == "missing" and not checks[name]["needed"]
    checks = machine.checks("--device", "npu", check=4)
    assert {name for name, check in checks.items() if check["needed"]} == FOR_NPU
    assert checks["lane"]["state"] == ("ok" if TARGET else "wrong")
    if not TARGET:
        assert "Python 3.7" in checks["lane"]["fix"] and "Python 3.7" in checks["npu_bridge"]["fix"]


def test_an_npu_that_this_biggan_or_this_machine_cannot_open(machine):
    trial = machine.checks("--device", "npu", check=4, npu=False)["convolution"]
    assert trial["state"] == "wrong" and "seconds" not in trial["details"]
    assert ("npu_bridge" if TARGET else "TensorFlow 1.15") in trial["found"]


def test_an_ascend_machine(machine):
    machine.install()
    done = machine.doctor("--json", "--device", "npu", sourced=("ascend-toolkit", "tfplugin"))
    checks = named(done)
    lacking = set() if TARGET else {"lane", "npu_bridge"}
    assert {name for name in FOR_NPU if checks[name]["state"] != "ok"} == lacking
    assert done.returncode == (0 if TARGET else 4)
    assert checks["CANN"]["details"]["version"] == "CANN 8.1.RC1"
    assert checks["driver"]["details"]["version"] == "24.1.rc2"
    assert checks["devices"]["details"]["devices"] == ["/dev/davinci0", "/dev/davinci1"]
    for name, place in (("atc", "bin/atc"), ("msprof", "tools/profiler/bin/msprof")):
        assert checks[name]["state"] == "ok"
        assert str(machine.base / "ascend-toolkit/latest" / place) in checks[name]["found"]
    assert checks["msame"]["state"] == "missing" and "msame" in checks["msame"]["fix"]
    if TARGET:
        assert checks["npu_bridge"]["details"]["fits"] is True
        assert (machine.root / "imported").exists()  # by a process of its own: see IMPORTED
    else:
        assert "cannot run on TensorFlow 2" in checks["npu_bridge"]["found"]


@pytest.mark.skipif(not TARGET, reason="npu_bridge fits nothing on TensorFlow 2")
def test_the_convolution_is_really_one_of_the_npu(tmp_path, machine):
    """With the stand-in for npu_bridge, and with one that leaves everything to the processor."""
    idle = written(tmp_path / "idle" / "npu_bridge" / "__init__.py").parent.parent
    for path, state, words in (
        (FAKE, "ok", "on npu: "),
        (idle, "wrong", "nothing says that a graph was compiled for the NPU"),
    ):
        machine.env["PYTHONPATH"] = str(path)
        check = machine.checks("--device", "npu", npu=False, imported=True)["convolution"]
        assert check["state"] == state and words in check["found"]


def test_a_toolkit_that_is_not_sourced(machine):
    machine.install()
    checks = machine.checks("--device", "npu", check=4)
    assert checks["CANN"]["state"] == "ok"
    script = machine.base / "ascend-toolkit/set_env.sh"
    assert checks["environment"]["state"] == "wrong" and checks["environment"]["fix"] == f"source {script}"
    assert "ASCEND_OPP_PATH" in checks["environment"]["details"]["lacking"]
    assert f"source {machine.base}/tfplugin/set_env.sh" in checks["npu_bridge"]["fix"]
    assert checks["atc"]["state"] == "ok" and "is sourced for it" in checks["atc"]["found"]


@pytest.mark.skipif(not TARGET, reason="npu_bridge fits nothing on TensorFlow 2")
def test_releases_that_do_not_fit(machine):
    machine.install(cann="8.1.RC1", tfplugin="5.1.RC1")
    check = machine.checks("--device", "npu", sourced=("ascend-toolkit", "tfplugin"), check=4)["npu_bridge"]
    assert check["state"] == "wrong" and "tfplugin 5.1.RC1" in check["found"]
    assert "does not fit CANN 8.1.RC1" in check["found"]


def test_devices_and_ranks_of_the_environment(machine):
    machine.install()
    machine.env.update(ASCEND_DEVICE_ID="2", RANK_SIZE="8", RANK_ID="0", BIGGAN_TOOLCHAIN="emulator")
    machine.env["BIGGAN_MSAME"] = str(machine.root / "nothing")
    checks = machine.checks("--device", "npu", check=4)
    assert checks["device id"]["state"] == "wrong" and "/dev/davinci0, /dev/davinci1" in checks["device id"]["found"]
    assert checks["job"]["state"] == "wrong" and checks["job"]["found"].startswith("RANK_SIZE=8, and there is no")
    assert "emulator" in checks["toolchain"]["found"] and "ascend-toolkit" in checks["atc"]["found"]
    assert checks["msame"]["state"] == "wrong" and "BIGGAN_MSAME" in checks["msame"]["found"]


def test_a_tensorflow_that_does_not_start(machine):
    broken = written(machine.root / "broken/tensorflow/__init__.py", "raise ImportError('libcuda.so.1 is gone')\n")
    machine.env["PYTHONPATH"] = f"{broken.parents[1]}:{machine.env.get('PYTHONPATH', '')}"
    done = machine.doctor(check=4, npu=False, started=True)
    assert (
        "libcuda.so.1 is gone" in done.stdout and "error: --device cpu is not ready: TensorFlow (wrong)" in done.stderr
    )


def test_the_words_fit_80_columns_and_fixes_have_lines_of_their_own(machine):
    machine.install()
    machine.env["RANK_SIZE"] = "8"
    lines = machine.doctor("--device", "npu", check=4).stdout.splitlines()
    assert all(len(line) <= 80 or len(line.split()) == 1 or str(machine.root) in line for line in lines)
    states = [line for line in lines if line.startswith(("  ok ", "  missing ", "  wrong "))]
    assert len(states) == sum(len(names) for names in NAMES.values())
    (job,) = [number for number, line in enumerate(lines) if line.startswith("  wrong    job ")]
    assert "RANK_SIZE=8, and there is no rank table" in lines[job]
    assert any(line.startswith("           fix: a job with one device") for line in lines[job + 1 : job + 4])
    assert not any(line.startswith("ready") for line in lines)
