"""Sampling through the console script: seeds, classes, latents, files."""

import json

import numpy as np
import pytest

from biggan_cli.data.images import to_uint8
from biggan_cli.rundir import sha256
from tests.conftest import read_picture


@pytest.fixture(scope="module")
def sample(biggan, tiny_runs):
    """``biggan sample …`` on the tiny run; the folder it left."""
    from pathlib import Path

    def call(*arguments):
        return Path(json.loads(biggan("sample", *arguments, "--json", "--outdir", tiny_runs, check=0).stdout)["folder"])

    return call


def pictures(folder):
    return {path.name: read_picture(path) for path in sorted(folder.glob("0*.png"))}


def classes(folder):
    return [entry["class_name"] for entry in json.loads((folder / "index.json").read_text())]


@pytest.fixture(scope="module")
def plain(sample):
    return sample("--num", 12)


def test_pictures_grid_index_manifest(plain):
    names = [f"{number:06d}.png" for number in range(12)]
    assert list(pictures(plain)) == names
    assert all(picture.shape == (32, 32, 3) for picture in pictures(plain).values())
    assert classes(plain)[:3] + classes(plain)[10:] == ["zero", "one", "two", "zero", "one"]
    manifest = json.loads((plain / "manifest.json").read_text())
    assert set(manifest["outputs"]) == set(names) | {"grid.png", "index.json"}
    assert manifest["config"]["draw"]["truncation"] == 2.0 and manifest["config"]["draw"]["checkpoint"] == "4"
    assert manifest["outputs"]["000003.png"]["sha256"] == sha256(plain / "000003.png")
    run = plain.parent.parent
    assert {run / path for path in manifest["inputs"]} < set((run / "checkpoints").iterdir())
    assert all(sha256(run / path) == digest for path, digest in manifest["inputs"].items())
    assert {"tensorflow", "numpy"} <= set(manifest["packages"])
    assert read_picture(plain / "grid.png").shape[0] == 10 * 64


def test_seed_i_makes_picture_i_whatever_the_batch_and_the_company(sample, plain):
    whole = pictures(plain)
    (kept,) = (plain.parents[1] / "checkpoints").glob("model-000004.standing-ema-2.npz")
    for arguments in (("--seeds", "7,3"), ("--seeds", "3-7", "--batch", 2), ("--seeds", "0-11", "--batch", 48)):
        kept.unlink()  # the statistics too must not depend on the batch
        some = pictures(sample(*arguments))
        assert {"000003.png", "000007.png"} <= set(some)
        for name, picture in some.items():
            np.testing.assert_array_equal(picture, whole[name])


def test_sampling_changes_nothing(sample, tiny_run):
    def state():
        files = [path for path in (tiny_run / "checkpoints").iterdir() if "standing" not in path.name]
        return {path.name: sha256(path) for path in [*files, tiny_run / "config.json", tiny_run / "stats.jsonl"]}

    before = state()
    one, two = sample("--num", 3), sample("--num", 3)
    assert state() == before
    for name, picture in pictures(one).items():
        np.testing.assert_array_equal(picture, pictures(two)[name])


def test_classes_with_and_without_counts(sample):
    assert classes(sample("--classes", "eight,three:2", "--num", 5)) == ["eight"] * 3 + ["three"] * 2
    assert classes(sample("--classes", "8:1,nine:2")) == ["eight"] + ["nine"] * 2
    assert classes(sample("--classes", "one,two", "--seeds", "4-6")) == ["one", "one", "two"]


def test_the_class_and_the_truncation_change_the_picture(sample, plain):
    base = pictures(plain)["000000.png"]
    assert (pictures(sample("--classes", "five:1"))["000000.png"] != base).any()
    assert (pictures(sample("--num", 1, "--truncation", 0.5))["000000.png"] != base).any()
    assert (pictures(sample("--num", 1, "--truncation", "none"))["000000.png"] != base).any()
    assert (pictures(sample("--num", 1, "--weights", "raw"))["000000.png"] != base).any()
    assert (pictures(sample("--num", 1, "--checkpoint", 2))["000000.png"] != base).any()


def test_latents_from_a_file_and_floats(sample, plain, tmp_path):
    floats = sample("--seeds", "0-4", "--npz")
    with np.load(str(floats / "samples.npz")) as archive:
        kept = {name: archive[name] for name in archive}
    assert kept["images"].dtype == np.float32 and np.abs(kept["images"]).max() <= 1
    for number, picture in enumerate(pictures(floats).values()):
        np.testing.assert_array_equal(to_uint8(kept["images"][number]), picture)
    np.savez(str(tmp_path / "l.npz"), z=kept["z"][::-1], y=kept["y"][::-1, None])
    again = pictures(sample("--latents", tmp_path / "l.npz"))
    for number in range(5):
        np.testing.assert_array_equal(again[f"{number:06d}.png"], pictures(plain)[f"{4 - number:06d}.png"])


def test_statistics_are_measured_once(biggan, tiny_runs, sample):
    sample("--num", 1, "--truncation", 1.5)
    again = biggan("sample", "--num", 1, "--truncation", 1.5, "--outdir", tiny_runs, check=0)
    assert "measuring" not in again.stderr
    (kept,) = tiny_runs.glob("*/checkpoints/*standing-ema-1.5.npz")
    kept.write_bytes(b"spoilt")
    healed = biggan("sample", "--num", 1, "--truncation", 1.5, "--outdir", tiny_runs, check=0)
    assert "measuring" in healed.stderr and kept.stat().st_size > 100


def test_a_grid_that_is_a_selection_says_so(biggan, tiny_runs):
    done = biggan("sample", "--classes", "one:12,two:3", "--outdir", tiny_runs, check=0)
    assert "grid.png shows 13 of them: the first 10 of each class" in done.stderr


def test_a_name_is_used_once(biggan, tiny_runs, sample):
    assert sample("--num", 1, "--name", "mine").name == "mine"
    again = biggan("sample", "--num", 1, "--name", "mine", "--outdir", tiny_runs, check=2)
    assert "--name mine is taken" in again.stderr
