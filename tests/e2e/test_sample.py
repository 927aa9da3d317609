"""Sampling through the console script: seeds, classes, latents, files."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest

from biggan_cli.data import datasets
from biggan_cli.data.images import to_uint8
from biggan_cli.files import sha256
from tests.conftest import BIGGAN, read_picture
from tests.e2e import scoring
from tests.e2e.scoring import Bench, arrays_in


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


TRUNCATIONS = ("0.5", "1", "none")
MORE = {
    "sheets": ["--sheets", 3, "--classes", "two,three:4"],
    "near": ["--num", 6, "--neighbours", 3],
    "pixels": ["--num", 1, "--neighbours", 2, "--extractor", "digits"],
    "plain": ["--seeds", "0-4"],
    "frozen": ["--seeds", "0-4", "--from-graph"],
    "sweep": ["--truncation", "0.5,none", "--seeds", "3,1"],
    "scored": ["--truncation", "0.5,2", "--num", 3, "--score", "--score-num", 40],
}
"""Samples that are all made in one process, by their names."""


@pytest.fixture(scope="module")
def studio(tiny_run, tmp_path_factory):
    """A bench with a copy of the tiny run in ``runs``."""
    folder = tmp_path_factory.mktemp("studio")
    shutil.copytree(str(tiny_run), str(folder / "runs" / tiny_run.name))
    return Bench(folder)


@pytest.fixture(scope="module")
def made(studio):
    """What each of ``MORE`` printed and the folder that it left; and of the arrays, what they printed."""
    named = [["sample", *arguments, "--name", name] for name, arguments in MORE.items()]
    arrays = ["sample", "--seeds", "0-4", "--out", "drawn.npz"]
    again = ["sample", "--latents", "drawn.npz", "--name", "again"]
    (run,) = (studio.folder / "runs").glob("0*")
    scored = ["score", run / "sample" / "sheets", "--json", "--is", "--splits", 2]
    done = studio.together(["freeze"], *named, arrays, again, scored)
    printed = dict(zip([*MORE, "arrays", "again", "score"], done[1:]))
    return {name: (run / "sample" / name, entry) for name, entry in printed.items()}


def test_a_sheet_for_each_class(made):
    folder, _ = made["sheets"]
    assert sorted(path.name for path in (folder / "sheets").iterdir()) == ["three.png", "two.png"]
    index = json.loads((folder / "index.json").read_text())
    assert [entry["class_name"] for entry in index] == ["two"] * 9 + ["three"] * 4
    sheet = read_picture(folder / "sheets" / "two.png")[-3 * 64 :]
    assert sheet.shape == (192, 192, 3)
    for number in range(9):
        row, column = divmod(number, 3)
        cell = sheet[row * 64 : row * 64 + 64 : 2, column * 64 : column * 64 + 64 : 2]
        np.testing.assert_array_equal(cell, read_picture(folder / f"{number:06d}.png"))
    assert read_picture(folder / "sheets" / "three.png").shape[0] > 2 * 64


def test_sheets_are_no_pictures_to_score(made):
    record = json.loads(made["score"][1].stdout)
    assert record["samples"]["count"] == 13


def test_neighbours_are_the_nearest_training_pictures(made):
    folder, done = made["near"]
    index = json.loads((folder / "index.json").read_text())
    digits = datasets.load("digits", 32)
    training = digits.images.reshape(len(digits.images), -1).astype(float)
    held_out = digits.held_out_images.reshape(len(digits.held_out_images), -1).astype(float)
    for entry in index:
        sample = read_picture(folder / entry["file"]).reshape(-1).astype(float)
        distances = np.sqrt(np.square(training - sample).mean(axis=1))
        found = entry["neighbours"]["pixels"]
        assert [near["index"] for near in found] == np.argsort(distances, kind="stable")[:3].tolist()
        np.testing.assert_allclose([near["distance"] for near in found], np.sort(distances)[:3], atol=1e-4)
        assert found[0]["class_name"] == digits.class_names[digits.labels[found[0]["index"]]]
        assert len(entry["neighbours"]["features of digits"]) == 3
    squares = [np.square(rows).sum(axis=1) for rows in (held_out, training)]
    nearest = squares[0] + (squares[1] - 2 * (held_out @ training.T)).min(axis=1)
    nearest = np.sqrt(nearest / training.shape[1])
    assert f"that of one held-out picture {np.median(nearest):.3g}" in done.stdout
    assert "0 of 6 samples are nearer than 99 % of 500 held-out pictures" in done.stdout
    assert "no sign of copies" in done.stdout
    picture = read_picture(folder / "neighbours.png")[20:]  # without the line of words
    assert picture.shape[0] == 6 * 64 and (picture[:, -4 * 64 : -3 * 64] == 255).all()
    first = min(index, key=lambda entry: entry["neighbours"]["pixels"][0]["distance"])
    shown = picture[:64:2, -5 * 64 : -4 * 64 : 2], picture[:64:2, -3 * 64 : -2 * 64 : 2]
    np.testing.assert_array_equal(shown[0], read_picture(folder / first["file"]))
    np.testing.assert_array_equal(shown[1], digits.images[first["neighbours"]["pixels"][0]["index"]])


def test_one_picture_has_neighbours_too(made):
    folder, _ = made["pixels"]
    (entry,) = json.loads((folder / "index.json").read_text())
    assert [len(near) for near in entry["neighbours"].values()] == [2, 2]
    assert len(json.loads((folder / "manifest.json").read_text())["details"]["copies"]) == 2


def test_the_frozen_graph_draws_what_it_was_made_from(made):
    """Up to the rounding of another way to resample."""
    for name, picture in pictures(made["frozen"][0]).items():
        wanted = read_picture(made["plain"][0] / name).astype(int)
        assert np.abs(picture.astype(int) - wanted).max() <= 1
    manifest = json.loads((made["frozen"][0] / "manifest.json").read_text())
    assert list(manifest["inputs"]) == ["freeze/generator.pb"] and manifest["config"]["from_graph"]


def test_arrays_are_the_pictures(made, studio):
    with np.load(str(studio.folder / "drawn.npz"), allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    assert sorted(found) == ["images", "labels", "seeds", "z"]
    assert found["images"].dtype == np.uint8 and found["z"].shape == (5, 8)
    assert found["labels"].tolist() == found["seeds"].tolist() == [0, 1, 2, 3, 4]
    for number, picture in enumerate(pictures(made["plain"][0]).values()):
        np.testing.assert_array_equal(found["images"][number], picture)
    for name, picture in pictures(made["again"][0]).items():
        np.testing.assert_array_equal(picture, read_picture(made["plain"][0] / name))
    assert made["arrays"][1].stdout.split() == ["file", "drawn.npz", "num", "5", "step", "4"]


def test_a_sweep_has_a_row_of_the_same_seeds_for_each_truncation(made, sample):
    folder, _ = made["sweep"]
    assert sorted(path.name for path in folder.iterdir()) == ["grid.png", "manifest.json", "sweep.json"]
    grid = read_picture(folder / "grid.png")[:, -2 * 64 :]
    assert grid.shape == (128, 128, 3)
    for row, truncation in enumerate((0.5, "none")):
        drawn = pictures(sample("--seeds", "1,3", "--truncation", truncation))
        for column, name in enumerate(("000003.png", "000001.png")):
            cell = grid[row * 64 : row * 64 + 64 : 2, column * 64 : column * 64 + 64 : 2]
            np.testing.assert_array_equal(cell, drawn[name])


def test_a_scored_sweep_keeps_what_score_says(made, studio):
    folder, done = made["scored"]
    content = json.loads((folder / "sweep.json").read_text())
    assert content["truncations"] == [0.5, 2.0] and read_picture(folder / "curve.png").shape == (240, 720, 3)
    kept = (folder.parents[1] / "score" / "score.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in kept][-2:] == content["scores"]
    for record, truncation in zip(content["scores"], (0.5, 2.0)):
        samples = record["samples"]
        assert samples["truncation"] == samples["batch_norm_truncation"] == truncation and samples["count"] == 40
    alone = studio.biggan("score", "--is", "--fid", "--num", 40, "--truncation", 0.5, "--json").record()
    assert (alone["fid"], alone["inception_score"]) == tuple(
        content["scores"][0][name] for name in ("fid", "inception_score")
    )
    rows = [line.split() for line in done.stdout.splitlines()[:3]]
    assert rows[0] == ["truncation", "digit", "IS", "digit", "FID"] and [row[0] for row in rows[1:]] == ["0.5", "2"]
    assert "comparable with published scores: no" in done.stdout


@pytest.mark.slow  # the features of 4,500 digits in the stand-in for Inception, twice
def test_a_sweep_by_inception_is_drawn_and_right(studio):
    """IS and FID of each truncation from its features, computed in other ways; the curve stands at the values."""
    (studio.folder / "graph.pb").write_bytes(scoring.tiny_graph().SerializeToString())
    network = ["--extractor", "inception", "--inception", "graph.pb"]
    swept, *_ = studio.together(
        ["sample", "--truncation", "0.5,1,none", "--num", 3, "--score", "--score-num", 40, *network, "--json"],
        ["stats", "digits", *network, "--features", "--out", "real.npz"],
        *(["stats", "--num", 40, "--truncation", t, *network, "--features", "--out", f"{t}.npz"] for t in TRUNCATIONS),
    )
    result, real = json.loads(swept.stdout), arrays_in(studio.folder / "real.npz")["features"]
    found = dict(IS=[], FID=[])
    for record, truncation in zip(result["scores"], TRUNCATIONS):
        drawn = arrays_in(studio.folder / f"{truncation}.npz")
        mean, _ = scoring.inception_score(drawn["logits"])
        assert record["inception_score"]["mean"] == pytest.approx(mean, rel=1e-5)
        assert record["fid"]["value"] == pytest.approx(scoring.frechet(drawn["features"], real), rel=1e-6)
        found["IS"].append(mean)
        found["FID"].append(record["fid"]["value"])
    picture = read_picture(studio.folder / result["curve"]).astype(int)
    blue = np.abs(picture - (31, 111, 180)).sum(axis=2) < 30
    for panel, values in enumerate(found.values()):
        columns = [panel * 360 + 64 + round(280 * (place + 0.5) / 3) for place in range(3)]
        heights = [np.flatnonzero(blue[:, column - 2 : column + 3].any(axis=1)).mean() for column in columns]
        low, high = int(np.argmin(values)), int(np.argmax(values))
        per_value = (heights[high] - heights[low]) / (values[high] - values[low])
        for height, value in zip(heights, values):
            assert height == pytest.approx(heights[low] + (value - values[low]) * per_value, abs=4)


def piped(studio, *arguments):
    command = [BIGGAN, "sample", *map(str, arguments), "--out", "-"]
    return subprocess.Popen(
        command, cwd=str(studio.folder), env=studio.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_pipe_gets_an_npz_and_nothing_else(made, studio):
    with piped(studio, "--seeds", "0-4") as process:
        content, words = process.communicate(timeout=300)
    assert process.returncode == 0, words
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        wanted = arrays_in(studio.folder / "drawn.npz")
        assert found.files == list(wanted)
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array)
    assert b"pictures  5" in words


def test_a_pipe_that_is_closed_ends_it_quietly(made, studio):
    with piped(studio, "--num", 2000) as process:
        assert process.stdout.read(10)[:2] == b"PK"
        process.stdout.close()
        words = process.stderr.read().decode()
        process.wait(300)
    assert process.returncode == 1 and "Traceback" not in words and "Exception" not in words and "error" not in words


REFUSED = (
    (["--out", "-", "--json"], "--json prints a result, and --out - has standard output"),
    (["--out", "x.npz", "--sheets", 2], "--sheets leaves something in the run"),
    (["--out", "x.npz", "--name", "x"], "--name leaves something in the run"),
    (["--out", "x.png"], "--out x.png does not end in .npz"),
    (["--out", "nowhere/x.npz"], "there is no folder nowhere"),
    (["--out", "drawn.npz"], "--out drawn.npz exists"),
    (["--sheets", 0], "--sheets 0 is not a whole number from 1 to 100"),
    (["--neighbours", 101], "--neighbours 101 is not a whole number from 1 to 100"),
    (["--neighbours", 2, "--data", "nowhere"], "--data nowhere is not a data set"),
    (["--data", "digits"], "--data is for --neighbours"),
    (["--score"], "--score is for several truncations"),
    (["--extractor", "digits"], "--extractor is for --neighbours, or for several truncations"),
    (["--truncation", "1,1"], "--truncation 1,1 names a value twice"),
    (["--truncation", "1,wide"], "--truncation wide is not a number"),
    (["--truncation", "1,2", "--from-graph"], "a frozen graph has the statistics of one truncation"),
    (["--truncation", "1,2", "--npz"], "--npz is for one truncation"),
    (["--truncation", "1,2", "--num", 500], "a row of 500 pictures is more than 100"),
    (["--truncation", "1,2", "--latents", "drawn.npz"], "--latents brings its own z, and a sweep truncates z"),
    (["--from-graph", "--weights", "raw"], "was frozen with --weights ema, not raw"),
)


def test_what_does_not_go_together_is_one_clear_error(made, studio):
    done = studio.together(*(["sample", *arguments] for arguments, _ in REFUSED), check=2)
    for (_, words), entry in zip(REFUSED, done):
        assert words in entry.stderr and entry.stderr.count("error: ") == 1 and entry.stdout == ""


def test_a_run_whose_data_went_away(made, studio, tmp_path):
    run = tmp_path / "runs" / "00000-gone"
    shutil.copytree(str(made["plain"][0].parents[1]), str(run), ignore=shutil.ignore_patterns("sample", "score"))
    config = json.loads((run / "config.json").read_text())
    config["config"]["train"]["data"] = "npz:/nowhere/pictures.npz"
    (run / "config.json").write_text(json.dumps(config))
    done = studio.biggan("sample", run, "--neighbours", 2, check=1)
    assert "/nowhere/pictures.npz" in done.stderr and not list((run / "sample").glob("0*"))
