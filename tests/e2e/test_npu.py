"""Training on an NPU, which the fake npu_bridge stands for: the same weights, what it is told, and what it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.runtime.versions import tensorflow_version
from biggan_cli.training import checkpoints
from tests.conftest import BIGGAN

ROOT = Path(__file__).parents[2]
FAKE = ROOT / "tests" / "fakes" / "ascend"
SMALL = ["--preset", "digits", "--base-channels", "2", "--z-dim", "8", "--shared-dim", "4"]
WHOLE = [*SMALL, "--batch", "8"]
"""The digits' whole training, in a narrow network: 400 steps, a checkpoint and a grid at every 100."""
TINY = [*SMALL, "--batch", "4", "--steps", "4", "--save-every", "2", "--sample-every", "4", "--log-every", "2"]
RUN = "00000-digits-32-digits"
has_adapter = pytest.mark.skipif(
    not tensorflow_version().startswith("1.15."), reason="npu_bridge is for TensorFlow 1.15"
)


def train(folder, *arguments, settings=TINY, path=FAKE, check=0, **variables):
    """``biggan train`` in ``folder``, with npu_bridge from ``path``."""
    folder.mkdir(exist_ok=True)
    own = ("BIGGAN_", "ASCEND_", "DEVICE_ID", "RANK_", "FAKE_NPU_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    paths = os.pathsep.join(filter(None, [str(path), kept.get("PYTHONPATH")]))
    environment = dict(kept, PYTHONPATH=paths, FAKE_NPU_REPORT=str(folder / "report.json"), **variables)
    command = [BIGGAN, "train", *settings, *map(str, arguments)]
    done = subprocess.run(command, cwd=str(folder), env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == check, done.stderr
    assert "Traceback" not in done.stderr
    return done


def state(folder, step=4):
    return checkpoints.read(folder / "runs" / RUN / "checkpoints" / f"model-{step:06d}")


def sessions(folder):
    return json.loads((folder / "report.json").read_text())["sessions"]


def records(folder):
    return [json.loads(line) for line in (folder / "runs" / RUN / "stats.jsonl").read_text().splitlines()]


def assert_same(found, wanted):
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cpu")
    train(folder)
    return folder


@pytest.fixture(scope="module")
def whole_on_cpu(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(folder, settings=WHOLE)
    return folder


@has_adapter
@pytest.mark.slow
def test_an_old_adapter_gives_the_weights_of_a_cpu(whole_on_cpu, tmp_path):
    """It patches no session; the device's number is in the environment."""
    asked = ["--device", "npu", "--device-id", 3, "--require-npu", "--json"]
    done = train(tmp_path, *asked, settings=WHOLE, FAKE_NPU_ERA="2021")
    assert_same(state(tmp_path, 400), state(whole_on_cpu, 400))
    assert json.loads(done.stdout)["used_npu"] is True
    assert "npu 3, allow_fp32_to_fp16 (the first 910's own default" in done.stderr
    assert "The model has been compiled on the Ascend AI processor, current graph id is" in done.stderr
    assert "Iteration: 400/400, D_loss: " in done.stderr and ", StepTime: " in done.stderr
    assert "compiled on the Ascend AI processor" in (tmp_path / "runs" / RUN / "npu.log").read_text()
    found = sessions(tmp_path)
    assert all(session["closed"] for session in found)
    (session,) = (session for session in found if session["kind"] == "npu")
    assert session["device"] == 3
    assert session["options"] == dict(precision_mode="allow_fp32_to_fp16", use_off_line=True)
    graphs = [graph for graph in session["graphs"] if graph["id"]]
    assert len(graphs) <= 4, [graph["fetches"][:3] for graph in graphs]  # start values, data, a step, reading
    assert {session["kind"] for session in found} == {"npu", "offline"}  # pictures are drawn on the host


@has_adapter
@pytest.mark.slow
def test_loops_and_a_profile_give_the_weights_of_a_cpu(whole_on_cpu, tmp_path):
    """Of an adapter that makes every session one of the NPU."""
    option = ["--npu-option", "op_compiler_cache_mode=enable"]
    asked = ["--device", "npu", "--steps-per-loop", 10, "--profile", "200:220", *option]
    done = train(tmp_path, *asked, settings=WHOLE, FAKE_NPU_ERA="9.x", ASCEND_DEVICE_ID="1")
    assert_same(state(tmp_path, 400), state(whole_on_cpu, 400))
    assert "loops of 10 steps" in done.stderr and "profiled the steps 201 to 220" in done.stderr
    plain, profiled, rest = (session for session in sessions(tmp_path) if session["kind"] == "npu")
    assert plain["device"] == 1 and all(session["closed"] for session in (plain, profiled, rest))
    assert plain["options"]["iterations_per_loop"] == 10 and plain["options"]["enable_data_pre_proc"] is True
    assert plain["options"]["op_compiler_cache_mode"] == "enable" and "profiling_mode" not in plain["options"]
    assert profiled["options"]["profiling_mode"] is True
    wanted = json.loads(profiled["options"]["profiling_options"])
    place = tmp_path / "runs" / RUN / "profile"
    assert wanted["output"] == str(place) and place.is_dir() and wanted["task_trace"] == "on"
    assert any("IterationOp" in graph["fetches"] for graph in plain["graphs"])
    assert [record["steps_in_record"] for record in records(tmp_path)] == [10] * 40


@has_adapter
def test_an_overflow_leaves_out_the_whole_step(on_cpu, tmp_path):
    """Steps 3 and 4 overflow: nothing changes but what counts, and the scale is halved."""
    done = train(tmp_path, "--device", "npu", "--precision", "mixed", FAKE_NPU_ERA="5.1", FAKE_NPU_OVERFLOW="3,4")
    assert "allow_mix_precision" in done.stderr and "scale 32768 skipped 2" in done.stderr
    cpu, before, after = state(on_cpu, 2), state(tmp_path, 2), state(tmp_path, 4)
    assert_same(before, cpu)
    assert_same(after, {name: value for name, value in cpu.items() if name != "step"})
    assert after["step"] == 4
    first, second = records(tmp_path)
    assert (first["loss_scale"], first["skipped_steps"]) == (65536.0, 0.0)
    assert (second["loss_scale"], second["skipped_steps"]) == (32768.0, 2.0)
    loops = ["--steps-per-loop", 3, "--save-every", 3, "--log-every", 3, "--sample-every", 3]
    done = train(tmp_path, "--resume", 0, "--steps", 10, *loops, "--dry-run", "--no-measure", check=2)
    assert "--steps-per-loop 3 does not divide step 4" in done.stderr and "fix: first --steps 6 without" in done.stderr
    bfloat16 = ["--npu-option", "precision_mode_v2=mixed_bfloat16"]
    done = train(tmp_path, "--resume", 0, "--steps", 10, *bfloat16, "--dry-run", "--no-measure")
    assert "npu 0, mixed_bfloat16; 3 graphs" in done.stdout and "without a scaled loss" not in done.stdout
    done = train(tmp_path, "--resume", 0, "--steps", 6, "--device", "cpu", "--precision", "fp32")
    assert "step 6/6" in done.stderr and "loss_scale" not in records(tmp_path)[-1]


@has_adapter
def test_the_plan_says_what_float16_lacks(tmp_path):
    done = train(
        tmp_path, "--device", "npu", "--dry-run", "--no-measure", "--npu-option", "precision_mode_v2=mixed_float16"
    )
    assert "npu 0, mixed_float16; 3 graphs for the device" in done.stdout
    assert "float16 without a scaled loss" in done.stdout + done.stderr
    assert not (tmp_path / "runs").exists()


@has_adapter
def test_an_adapter_that_uses_no_device_is_found_out(tmp_path):
    """Also where the run's log has the words of an earlier one that did; what it writes to stdout is not the result."""
    idle = tmp_path / "idle" / "npu_bridge"
    idle.mkdir(parents=True)
    (idle / "__init__.py").write_text("import os\nos.write(1, b'[INFO] GE: loaded\\n')\n")
    train(tmp_path, "--device", "npu", "--steps", 2)
    npu = ["--device", "npu", "--require-npu", "--json"]
    done = train(tmp_path, "--resume", 0, "--steps", 4, *npu, path=idle.parent, check=1)
    assert "error: --require-npu: nothing says that a graph was compiled for the NPU" in done.stderr
    assert "npu.log" in done.stderr and "biggan doctor" in done.stderr and done.stdout == ""
    assert "current graph id" not in done.stderr
    assert not (tmp_path / "runs" / RUN / "checkpoints" / "model-000004.index").exists()


@has_adapter
def test_a_device_that_fails(tmp_path):
    """When it is opened, and in the middle of training: what it says, where the rest of it is, and what is kept."""
    failed = "GeOp1_0GEOP::::DoRunAsync Failed"
    done = train(tmp_path, "--device", "npu", check=4, FAKE_NPU_FAIL="1")
    assert f"error: --device npu: it failed before the first step was done: {failed}" in done.stderr
    assert f"log: runs/{RUN}/npu.log" in done.stderr and "fix: biggan doctor --device npu" in done.stderr
    done = train(tmp_path, "--resume", 0, "--device", "npu", check=1, FAKE_NPU_FAIL="6")
    assert f"error: --device npu: {failed}" in done.stderr and f"fix: biggan train --resume runs/{RUN}" in done.stderr
    assert [record["step"] for record in records(tmp_path)] == [2] and state(tmp_path, 2)["step"] == 2


@has_adapter
def test_what_is_not_there(tmp_path):
    cases = (
        (dict(path=tmp_path), ["there is no npu_bridge", "source set_env.sh"]),
        (dict(FAKE_NPU_UNSOURCED="1"), ["npu_bridge cannot be loaded", "libge_runner.so", "source set_env.sh"]),
        (dict(ASCEND_DEVICE_ID="8"), ["device 8 gives no session", "[0, 8)", "biggan doctor"]),
    )
    for variables, words in cases:
        done = train(tmp_path, "--device", "npu", "--outdir", "none", check=4, **variables)
        assert all(word in done.stderr for word in words), done.stderr


def test_the_other_lane_cannot(tmp_path):
    if tensorflow_version().startswith("1.15."):
        pytest.skip("this is the lane that can")
    done = train(tmp_path, "--device", "npu", check=4)
    assert "Huawei's adapter is for TensorFlow 1.15 on Python 3.7, this is TensorFlow 2." in done.stderr
    assert not (tmp_path / "runs").exists()


EPSILONS = """
from npu_bridge import _device
from biggan_cli import config as configs
from biggan_cli.data import pipeline
from biggan_cli.runtime.tf import tf
from biggan_cli.training.step import build
import numpy as np

sizes = dict(base_channels=2, z_dim=8, shared_dim=4, batch=4, d_steps=1, device="npu", precision="mixed")
config = configs.resolve("digits", sizes)
source = pipeline.BatchSource(np.zeros([8, 32, 32, 3], np.uint8), np.zeros(8, np.int32), config.model, config.train)
build(config, pipeline.iterator(source, config.train, 0)[1])
found = set()
for op in tf.get_default_graph().get_operations():
    if op.type == "Const" and op.outputs[0].dtype == tf.float32 and not op.outputs[0].shape.dims:
        if 0 < float(op.get_attr("value").float_val[0]) < 6.2e-5:
            found.update((user.type, "_keep_dtype" in user.node_def.attr) for user in op.outputs[0].consumers())
print(sorted(found))
"""
"""Float16's smallest normal number is 6.1e-5."""


@has_adapter
def test_what_float16_would_lose_keeps_its_type(tmp_path):
    """In mixed precision, every operator that takes one of the epsilons: of batch norm, spectral norm and Adam."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(FAKE), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-c", EPSILONS]
    done = subprocess.run(command, env=environment, cwd=str(ROOT), capture_output=True, text=True, timeout=300)
    assert done.stdout == "[('AddV2', True), ('Maximum', True)]\n", done.stderr


NPU = ("--device", "npu")


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--precision", "full"], "--precision full is for --device npu"),
        (["--steps-per-loop", 2], "--steps-per-loop is for --device npu"),
        (["--profile", "1:2"], "--profile is for --device npu"),
        (["--require-npu"], "--require-npu is for --device npu"),
        (["--device-id", 0], "--device-id is for --device npu"),
        (["--npu-option", "work_path=x"], "--npu-option is for --device npu"),
        ([*NPU, "--precision", "bf16"], "--precision bf16 is not one of fp32, mixed, full"),
        ([*NPU, "--precision", "fp32", "--npu-option", "precision_mode=force_fp32"], "both say it"),
        ([*NPU, "--npu-option", "work_path"], "work_path is not KEY=VALUE"),
        ([*NPU, "--npu-option", "work=x"], "work: the adapter has no such option"),
        ([*NPU, "--steps-per-loop", 3], "--steps-per-loop 3 does not divide the 4 steps from 0 to 4"),
        ([*NPU, "--steps-per-loop", 4], "--steps-per-loop 4 does not divide --save-every 2"),
        ([*NPU, "--steps-per-loop", 0], "--steps-per-loop 0"),
        ([*NPU, "--profile", "2"], "--profile 2 is not START:STOP"),
        ([*NPU, "--profile", "2:9"], "--profile 2:9 is not within the steps from 0 to 4"),
        ([*NPU, "--profile", "1:2", "--steps-per-loop", 2], "--profile 1:2 cuts a loop"),
        ([*NPU, "--device-id", -1], "--device-id -1 is not the number of a device"),
    ),
)
def test_what_does_not_go_together(tmp_path, arguments, words):
    done = train(tmp_path, *arguments, check=2)
    assert words in done.stderr and "  fix: " in done.stderr and not (tmp_path / "runs").exists()


def test_more_than_one_device(tmp_path):
    done = train(tmp_path, *NPU, check=2, RANK_SIZE="8")
    assert "RANK_SIZE=8, and there is no rank table" in done.stderr
