"""``biggan msame-run``: the whole chain to the device's pictures, and programs whose word counts for nothing."""

import json
import os
import re
import shutil
import signal
import subprocess

import numpy as np
import pytest

from tests import loaded
from tests.e2e.deployment import (
    BINS,
    FLOAT16,
    LATENTS,
    MODEL,
    OUTPUTS,
    digests,
    emulated,
    hanging,
    log_named_in,
    make_program,
    with_a_full_disk,
    without_toolkit,
)
from tests.e2e.test_bad_input import files, refused

DONE = f"{MODEL}_{BINS}"
BYTES = 32 * 32 * 3 * 4


def pictures_in(folder, num=LATENTS):
    """float32 [num, 32, 32, 3] of the outputs in a folder, whatever the batch."""
    raw = b"".join(path.read_bytes() for path in sorted(folder.glob("*_output_0.bin")))
    return np.frombuffer(raw, "<f4").reshape(-1, 32, 32, 3)[:num]


def outputs_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.bin")}


def only_run(folder):
    (run,) = (folder / "runs").glob("0*")
    return run


def test_the_device_draws_what_sample_draws(deployed, run, tmp_path):
    """The four commands ran one after the other without a path; seed i is picture i on the device too."""
    done = only_run(deployed) / "msame" / DONE
    assert set(os.listdir(str(done))) == {*OUTPUTS, "index.json", "manifest.json", "msame.log", "source.json"}
    device = pictures_in(done)
    sampled = emulated("sample", "--num", LATENTS, "--npz", "--json", cwd=tmp_path)
    with np.load(str(tmp_path / json.loads(sampled.stdout)["folder"] / "samples.npz")) as archive:
        sample = archive["images"]
    np.testing.assert_allclose(device, sample, rtol=0, atol=FLOAT16)
    assert np.abs(device - sample).max() > 1e-5  # the chip computes in float16
    distances = np.abs(device[:, None] - sample[None]).mean(axis=(2, 3, 4))
    assert distances.argmin(axis=1).tolist() == list(range(LATENTS))
    assert np.sort(distances, axis=1)[:, 1].min() > 2 * np.diagonal(distances).max()

    manifest = json.loads((done / "manifest.json").read_text())
    details = manifest["details"]
    assert details["emulated"] is True and details["toolkit"] == "emulated CANN 8.1"
    assert (details["soc"], details["precision"], details["model"]) == ("Ascend310", "force_fp16", MODEL)
    assert details["first_ms"] > 0 and details["mean_ms"] > 0
    assert details["images_per_second"] == pytest.approx(1000 / details["mean_ms"])
    assert set(manifest["inputs"]) == {f"atc/{MODEL}.om", f"bin/{BINS}/manifest.json"}
    index = json.loads((done / "index.json").read_text())
    assert index["seeds"] == index["labels"] == list(range(LATENTS)) and index["class_names"][5] == "five"
    printed = re.findall("Inference time: (.*)ms", (done / "msame.log").read_text())
    assert len(printed) == LATENTS and float(printed[0]) == details["first_ms"]


WRONG = {
    "msame:exit1": "msame failed: ended with exit code 1; 1 of 6 outputs are missing, first 000005_output_0.bin",
    "msame:missing": "msame failed: 1 of 6 outputs are missing, first 000005_output_0.bin",
    "msame:truncate": f"1 outputs are wrong, first 000005_output_0.bin has {BYTES // 2} bytes instead of {BYTES}",
    "msame:nan": "6 outputs are wrong, first 000000_output_0.bin has values that are not finite",
    "msame:crash": "msame failed: was killed by SIGSEGV; 4 of 6 outputs are missing, first 000002_output_0.bin",
    "msame:hang": "did not end within 4 seconds and was stopped",
    "msame:fail": "msame failed: 6 of 6 outputs are missing, first 000000_output_0.bin; it says: the failure that the",
    "ais_bench:exit1": "ais_bench failed: ended with exit code 1; 1 of 6 outputs are missing",
    "ais_bench:crash": "ais_bench failed: was killed by SIGSEGV; 4 of 6 outputs are missing",
    "ais_bench:fail": "ais_bench failed: 6 of 6 outputs are missing, first 000000_output_0.bin; it says: the failure",
}


@pytest.mark.parametrize("failure", sorted(WRONG))
def test_a_failure_of_the_program(run, tmp_path, failure):
    """The error is of its own kind, the log is kept, and the result of before stays as it was."""
    before = digests(run)
    runner, mode = failure.split(":")
    options = ["--runner", runner, *(["--time-limit", 4] if mode == "hang" else [])]
    done = emulated("msame-run", *options, cwd=tmp_path, fail=failure, check=3)
    refused(done, WRONG[failure], "msame.log")
    assert "load model" in log_named_in(done, tmp_path) and "# exit code" in log_named_in(done, tmp_path)
    assert ("--precision-mode allow_fp32_to_fp16" in done.stderr) == (mode == "nan")
    after = digests(run)
    half = [name for name in after if ".unfinished-" in name]
    assert {name: digest for name, digest in after.items() if name not in half} == before
    good = {name for name in half if name.endswith(".bin")}
    assert good == {name for name in good if name.rpartition("/")[2] in OUTPUTS[: LATENTS - 1]}
    assert all((run / name).stat().st_size == BYTES for name in good)
    assert os.listdir(str(tmp_path)) == ["runs"]


def test_a_second_call_carries_on(deployed, run, tmp_path):
    """After a crash only the rest is made, and the result is that of a call that was never cut off."""
    whole = only_run(deployed) / "msame" / DONE
    shutil.rmtree(str(run / "msame"))
    emulated("msame-run", cwd=tmp_path, fail="msame:crash", check=3)
    assert "carrying on" not in emulated("msame-run", "--dry-run", cwd=tmp_path).stderr
    done = emulated("msame-run", cwd=tmp_path)
    assert "carrying on: 2 files are done" in done.stderr
    folder = run / "msame" / DONE
    assert outputs_of(folder) == outputs_of(whole) and sorted(outputs_of(folder)) == OUTPUTS
    assert (folder / "index.json").read_bytes() == (whole / "index.json").read_bytes()
    assert "start to process file" in (folder / "msame.log").read_text()
    assert "/000001.bin" not in (folder / "msame.log").read_text()
    assert os.listdir(str(run / "msame")) == [DONE]


def test_the_successor_leaves_the_same_files(deployed, run, tmp_path):
    """What another program left half is not carried on."""
    emulated("msame-run", cwd=tmp_path, fail="msame:crash", check=3)
    done = emulated("msame-run", "--runner", "ais_bench", "--json", cwd=tmp_path)
    assert "carrying on" not in done.stderr and json.loads(done.stdout)["mean_ms"] > 0
    assert outputs_of(run / "msame" / DONE) == outputs_of(only_run(deployed) / "msame" / DONE)
    assert os.listdir(str(run / "msame")) == [DONE]
    assert json.loads((run / "msame" / DONE / "manifest.json").read_text())["config"]["runner"] == "ais_bench"


@pytest.fixture(scope="module")
def dynamic(deployed, tmp_path_factory):
    """A deployed run with a model of several batches, and input files of four; tests must not change it."""
    folder = tmp_path_factory.mktemp("dynamic")
    shutil.copytree(str(deployed / "runs"), str(folder / "runs"))
    made = json.loads(emulated("atc", "--dynamic-batch", "1,3,4", "--json", cwd=folder).stdout)
    assert (made["batch"], made["dynamic_batch"]) == (None, [1, 3, 4])
    assert made["om"].endswith("ascend310_b1-3-4_force_fp16.om")
    emulated("to-bin", "--num", LATENTS, "--batch", 4, "--name", "fours", cwd=folder)
    emulated("to-bin", "--num", LATENTS, "--batch", 3, "--name", "threes", cwd=folder)
    emulated("to-bin", "--num", LATENTS, "--batch", 2, "--name", "twos", cwd=folder)
    return folder


@pytest.mark.parametrize("bins, batch", (("fours", 4), ("threes", 3)))
def test_a_dynamic_batch_draws_the_same(deployed, dynamic, bins, batch):
    done = emulated("msame-run", "--bins", bins, "--json", cwd=dynamic)
    folder = dynamic / json.loads(done.stdout)["folder"]
    assert f"--dymBatch {batch}" in done.stderr and json.loads(done.stdout)["batch"] == batch
    assert sorted(outputs_of(folder)) == OUTPUTS[:2]
    assert {len(values) for values in outputs_of(folder).values()} == {batch * BYTES}
    wanted = pictures_in(only_run(deployed) / "msame" / DONE)
    np.testing.assert_allclose(pictures_in(folder), wanted, rtol=0, atol=FLOAT16)


def test_a_dynamic_batch_with_the_successor(dynamic):
    done = emulated("msame-run", "--bins", "threes", "--runner", "ais_bench", "--json", cwd=dynamic)
    folder = dynamic / json.loads(done.stdout)["folder"]
    assert {len(values) for values in outputs_of(folder).values()} == {3 * BYTES}


def test_a_batch_that_does_not_fit(dynamic):
    before = files(dynamic)
    done = emulated("msame-run", "--bins", "twos", cwd=dynamic, check=2)
    refused(done, "twos has 2 latents in a file, the model takes 1 or 3 or 4", "fix: biggan to-bin", "--batch 1")
    done = emulated("msame-run", "--bins", "fours", "--om", MODEL, cwd=dynamic, check=2)
    refused(done, "fours has 4 latents in a file, the model takes 1")
    assert files(dynamic) == before


@pytest.mark.parametrize("number, code", ((signal.SIGINT, 130), (signal.SIGTERM, 143)))
def test_stopped_in_the_middle(run, tmp_path, number, code):
    before = digests(run)
    with hanging("msame-run", cwd=tmp_path, fail="msame:hang", said="create model output success") as started:
        refused(emulated("msame-run", cwd=tmp_path, check=1), "another process is making")
        returned, stderr, left = started.end_by(number)
    assert returned == code and left == set()
    assert len(re.findall("^error: ", stderr, re.MULTILINE)) == 1 and "Traceback" not in stderr
    after = digests(run)
    new = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert new == {f"msame/.unfinished-{DONE}/{name}" for name in ("msame.log", "source.json")}
    assert "todo" not in os.listdir(str(run / "msame" / f".unfinished-{DONE}"))


def test_a_dry_run_can_be_pasted(deployed, run, tmp_path):
    before = digests(run)
    env = dict(os.environ, BIGGAN_TOOLCHAIN="emulator")  # a process that is no copy: the tools of a copy end with it
    printed = loaded.run(["msame-run", "--loop", 2, "--device-id", 3, "--dry-run"], tmp_path, env, started=True).stdout
    assert "--loop 2" in printed and "--device 3" in printed and digests(run) == before
    done = subprocess.run(["bash", "-c", printed], cwd=str(tmp_path), capture_output=True)
    assert done.returncode == 0 and b"Execute sample success" in done.stdout
    (folder,) = (path for path in tmp_path.iterdir() if path.name.startswith("20"))  # named by the time
    assert outputs_of(folder) == outputs_of(only_run(deployed) / "msame" / DONE)


@pytest.mark.parametrize("flag", ("--profiler", "--dump"))
def test_what_profiling_and_dumping_leave_is_kept(run, tmp_path, flag):
    emulated("msame-run", flag, cwd=tmp_path)
    done = run / "msame" / DONE
    assert (done / flag[2:] / "emulated.txt").is_file() and not (done / "acl.json").exists()
    assert f"{flag[2:]}/" in json.loads((done / "manifest.json").read_text())["outputs"]


def test_an_input_file_that_was_changed_is_noticed(run, tmp_path):
    path = run / "bin" / BINS / "y" / "000001.bin"
    path.write_bytes(bytes(4))
    done = emulated("msame-run", cwd=tmp_path, check=1)
    refused(done, "is not what to-bin left: a file was changed", "fix: biggan to-bin")


def test_what_was_frozen_since_makes_the_model_an_old_one(run, tmp_path):
    emulated("freeze", "--weights", "raw", cwd=tmp_path)
    done = emulated("msame-run", cwd=tmp_path, check=1)
    refused(done, f"{MODEL}.om was made from another graph", "something was frozen since", "fix: biggan atc runs/")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-4])


@pytest.mark.parametrize(
    "spoil, words",
    (
        (lambda run: cut_off(run / "atc" / f"{MODEL}.om"), [f"{MODEL}.om is not what atc left", "fix: biggan atc"]),
        (lambda run: (run / "atc" / f"{MODEL}.om").unlink(), [f"{MODEL}.om is not what atc left"]),
        (lambda run: cut_off(run / "bin" / BINS / "z" / "000003.bin"), ["z/000003.bin has 28 bytes", "are 32 bytes"]),
        (lambda run: (run / "bin" / BINS / "y" / "000005.bin").unlink(), ["y/000005.bin is missing", "to-bin"]),
        (lambda run: (run / "bin" / BINS / "index.json").write_text("{}"), ["index.json is damaged"]),
        (lambda run: (run / "atc" / f"{MODEL}.manifest.json").write_text("{}"), [f"{MODEL}.manifest.json is damaged"]),
    ),
)
def test_damaged_input(run, tmp_path, spoil, words):
    spoil(run)
    before = digests(run)
    refused(emulated("msame-run", cwd=tmp_path, check=1), *words)
    assert digests(run) == before


def test_input_files_of_another_model(run, tmp_path):
    """One with a longer z, one with more classes."""
    other = tmp_path / "other"
    shutil.copytree(str(run / "bin" / BINS), str(other))
    for path in (other / "z").iterdir():
        path.write_bytes(bytes(120 * 4))
    before = digests(run)
    done = emulated("msame-run", "--bins", "other", cwd=tmp_path, check=1)
    refused(done, "z/000000.bin has 480 bytes", "(float32, 8) are 32 bytes", "made for another model")
    shutil.rmtree(str(other))
    shutil.copytree(str(run / "bin" / BINS), str(other))
    index = json.loads((other / "index.json").read_text())
    (other / "index.json").write_text(json.dumps(dict(index, labels=[0, 1, 2, 3, 4, 99])))
    done = emulated("msame-run", "--bins", other, cwd=tmp_path, check=1)
    refused(done, "has class 99, the model has 10 classes", "made for another model")
    assert digests(run) == before


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--om", "mine"], ["--om mine is not in", f"the latest: {MODEL}"]),
        (["--bins", "mine"], ["--bins mine is not in", f"the latest: {BINS}"]),
        (["--runner", "benchmark"], ["--runner benchmark is not one of msame, ais_bench"]),
        (["--loop", 0], ["--loop 0 is outside 1 to 100"]),
        (["--device-id", 256], ["--device-id 256 is outside 0 to 255"]),
        (["--profiler", "--dump"], ["--profiler and --dump exclude each other"]),
        (["--time-limit", -1], ["--time-limit -1"]),
    ),
)
def test_wrong_use(deployed, arguments, words):
    before = files(deployed)
    refused(emulated("msame-run", *arguments, cwd=deployed, check=2), *words)
    assert files(deployed) == before


def test_nothing_to_run_yet(run, tmp_path):
    shutil.rmtree(str(run / "bin"))
    refused(emulated("msame-run", cwd=tmp_path, check=2), "there is no set of input files yet", "fix: biggan to-bin")
    shutil.rmtree(str(run / "atc"))
    refused(emulated("msame-run", cwd=tmp_path, check=2), "there is no offline model yet", "fix: biggan atc")


def test_no_program_and_one_that_cannot_run_the_model(biggan, run, tmp_path):
    before = files(run)
    (tmp_path / "home").mkdir()
    env = without_toolkit(tmp_path / "home")
    refused(biggan("msame-run", cwd=tmp_path, env=env, check=4), "there is no msame on this machine", "--runner-path")
    done = biggan("msame-run", "--runner-path", "nowhere", cwd=tmp_path, env=env, check=4)
    refused(done, "--runner-path nowhere is not a program")
    done = biggan("msame-run", cwd=tmp_path, env=dict(env, BIGGAN_MSAME="nowhere"), check=4)
    refused(done, "BIGGAN_MSAME nowhere is not a program")
    msame = make_program(tmp_path / "msame", "#!/bin/sh\nexit 0\n")
    done = biggan("msame-run", cwd=tmp_path, env=dict(env, BIGGAN_MSAME=str(msame)), check=2)
    refused(done, f"{MODEL}.om was made by the emulator, msame on a device cannot run it", "--toolchain emulator")
    assert files(run) == before


def test_a_path_that_the_program_would_take_for_something_else(run, tmp_path):
    for name in ("a,b", "my.bins"):
        (tmp_path / name).mkdir()
        moved = tmp_path / name / run.name
        run.rename(moved)
        run = moved
        before = digests(run)
        done = emulated("msame-run", run, cwd=tmp_path, check=2)
        refused(done, "msame does not take a folder with", name, "fix: rename the folder")
        assert digests(run) == before


def test_a_full_disk(run, tmp_path):
    before = digests(run)
    done = with_a_full_disk("msame-run", cwd=tmp_path, limit=BYTES - 1)
    assert done.returncode == 3
    refused(done, "msame failed: ended with exit code 1; 6 of 6 outputs are missing", "File too large", "msame.log")
    after = digests(run)
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if name.endswith(".bin") and name not in before]
