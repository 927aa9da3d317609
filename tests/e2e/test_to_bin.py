"""``biggan to-bin``: raw files that msame reads as they are, whole or not at all."""

import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from biggan_cli.model.latents import classes_of_seeds, z_of_seeds
from tests.conftest import BIGGAN
from tests.e2e.deployment import BINS, EMULATED, digests, emulated, with_a_full_disk
from tests.e2e.test_bad_input import files, refused

Z_DIM = 8


def to_bin(*arguments, cwd):
    """The folder that the command left."""
    return cwd / json.loads(emulated("to-bin", *arguments, "--json", cwd=cwd).stdout)["folder"]


def z_in(path):
    return np.fromfile(str(path), "<f4").reshape(-1, Z_DIM)


def y_in(path):
    return np.fromfile(str(path), "<i4")


def index_of(folder):
    return json.loads((folder / "index.json").read_text())


def test_one_latent_a_file(run, tmp_path):
    folder = to_bin("--num", 12, cwd=tmp_path)
    assert folder == run / "bin" / "00001"
    names = [f"{number:06d}.bin" for number in range(12)]
    assert sorted(os.listdir(str(folder))) == ["index.json", "manifest.json", "y", "z"]
    assert sorted(os.listdir(str(folder / "z"))) == sorted(os.listdir(str(folder / "y"))) == names
    z, y = z_of_seeds(range(12), Z_DIM, 2.0), classes_of_seeds(range(12), 10)
    for number, name in enumerate(names):
        assert (folder / "z" / name).read_bytes() == z[number].astype("<f4").tobytes()
        assert (folder / "y" / name).read_bytes() == y[number].astype("<i4").tobytes()
    index = index_of(folder)
    assert (index["num"], index["batch"]) == (12, 1) and index["seeds"] == list(range(12))
    assert index["labels"] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1] and index["class_names"][3] == "three"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["outputs"]["z/"]["files"] == 12 and manifest["outputs"]["z/"]["bytes"] == 12 * Z_DIM * 4
    spec = json.loads((run / "freeze" / "generator.spec.json").read_text())
    assert manifest["inputs"] == {"freeze/generator.pb": spec["sha256"]}


def test_a_batch_in_a_file_the_last_one_filled_up(run, tmp_path):
    folder = to_bin("--num", 6, "--batch", 4, cwd=tmp_path)
    assert sorted(os.listdir(str(folder / "z"))) == ["000000.bin", "000001.bin"]
    z, y = z_of_seeds(range(6), Z_DIM, 2.0), [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(z_in(folder / "z" / "000000.bin"), z[:4])
    np.testing.assert_array_equal(z_in(folder / "z" / "000001.bin"), z[[4, 5, 4, 5]])
    assert y_in(folder / "y" / "000000.bin").tolist() == y[:4]
    assert y_in(folder / "y" / "000001.bin").tolist() == [4, 5, 4, 5]
    index = index_of(folder)
    assert (index["num"], index["batch"], index["labels"]) == (6, 4, y)


def test_asked_classes_seeds_and_truncation(run, tmp_path):
    folder = to_bin("--classes", "eight:1,three", "--seeds", "40-42", "--truncation", 0.5, cwd=tmp_path)
    assert index_of(folder)["labels"] == [8, 3, 3] and index_of(folder)["seeds"] == [40, 41, 42]
    stored = np.concatenate([z_in(folder / "z" / f"00000{number}.bin") for number in range(3)])
    np.testing.assert_array_equal(stored, z_of_seeds([40, 41, 42], Z_DIM, 0.5))
    assert 0 < np.abs(stored).max() <= 0.5


def test_classes_are_balanced(run, tmp_path):
    labels = index_of(to_bin(cwd=tmp_path))["labels"]
    assert len(labels) == 64 and set(np.bincount(labels, minlength=10)) == {6, 7}


def test_latents_of_a_file(run, tmp_path):
    z = np.linspace(-1, 1, 2 * Z_DIM).reshape(2, Z_DIM)
    np.savez(str(tmp_path / "mine.npz"), z=z, y=np.array([9, 1]))
    folder = to_bin("--latents", "mine.npz", "--name", "mine", cwd=tmp_path)
    assert folder.name == "mine" and index_of(folder)["labels"] == [9, 1]
    np.testing.assert_array_equal(z_in(folder / "z" / "000001.bin")[0], z[1].astype(np.float32))
    refused(emulated("to-bin", "--name", "mine", cwd=tmp_path, check=2), "--name mine is taken")


def begun(run, tmp_path):
    """``biggan to-bin`` in the background, while it is writing."""
    process = subprocess.Popen(
        [BIGGAN, "to-bin", "--num", "6000"],
        cwd=str(tmp_path),
        env=dict(os.environ, **EMULATED),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.time() + 120
    while not (run / "bin" / ".unfinished-00001" / "y" / "000100.bin").exists():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.time() < deadline
        time.sleep(0.02)
    return process


def test_an_interrupted_call_leaves_nothing_half(run, tmp_path):
    before = digests(run)
    process = begun(run, tmp_path)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and b"error: interrupted" in stderr
    assert digests(run) == before and os.listdir(str(run / "bin")) == [BINS]

    process = begun(run, tmp_path)
    process.kill()
    process.communicate(timeout=60)
    assert sorted(os.listdir(str(run / "bin"))) == [".unfinished-00001", BINS]
    assert f"bin/{BINS}/z" in emulated("msame-run", "--dry-run", cwd=tmp_path).stdout  # what is half does not count
    folder = to_bin("--num", 3, cwd=tmp_path)
    assert sorted(os.listdir(str(run / "bin"))) == [BINS, "00001"] and folder.name == "00001"
    assert len(files(folder / "z")) == len(files(folder / "y")) == 3


def test_a_full_disk(run, tmp_path):
    before = digests(run)
    done = with_a_full_disk("to-bin", "--num", 20, "--batch", 20, cwd=tmp_path, limit=20 * Z_DIM * 4 - 1)
    assert done.returncode == 1
    refused(done, "file too large")
    assert digests(run) == before and os.listdir(str(run / "bin")) == [BINS]


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--classes", "thre"], ["--classes thre is not a class", "three"]),
        (["--num", 0], ["--num 0"]),
        (["--batch", 0], ["--batch 0"]),
        (["--seeds", "0-4", "--num", 3], ["--num 3 does not fit the 5 seeds"]),
        (["--latents", "nowhere.npz"], ["--latents nowhere.npz is not a file"]),
        (["--name", "../x"], ["--name ../x"]),
        (["--truncation", 0], ["--truncation 0"]),
    ),
)
def test_wrong_use(deployed, arguments, words):
    before = files(deployed)
    refused(emulated("to-bin", *arguments, cwd=deployed, check=2), *words)
    assert files(deployed) == before


def test_latents_of_another_model(run, tmp_path):
    np.savez(str(tmp_path / "l.npz"), z=np.zeros((3, 9), np.float32), y=np.zeros(3, int))
    shutil.rmtree(str(run / "bin"))
    refused(emulated("to-bin", "--latents", "l.npz", cwd=tmp_path, check=2), "(3, 9)", "[N, 8]")
    assert not (run / "bin").exists()
