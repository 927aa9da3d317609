"""Films through the console script: every stop is what ``sample`` draws, whatever moves and whatever it becomes."""

import json
import os
import shutil
import stat
import sys

import numpy as np
import pytest
from PIL import Image

from tests.conftest import read_picture
from tests.e2e.scoring import Bench

ENDS = {
    "three": ["--classes", "three", "--seeds", "0-3"],
    "eight": ["--classes", "eight", "--seeds", "0-3"],
    "three-on": ["--classes", "three", "--seeds", "4-7"],
    "eight-on": ["--classes", "eight", "--seeds", "4-7"],
    "five": ["--classes", "five", "--seeds", "0-3"],
    "frozen": ["--classes", "three", "--seeds", "0-3", "--from-graph"],
    "frozen-on": ["--classes", "eight", "--seeds", "4-7", "--from-graph"],
}
"""What ``sample`` draws at stops, by the name of the result."""
PAIR = ["--from", "three", "--to", 8]
FOUR = ["--seeds", "0-3"]
EIGHT = ["--seeds", "0-7", "--grid", "2x2"]
FILMS = {
    "plain": [*PAIR, *FOUR],
    "class": [*PAIR, *FOUR, "--format", "png", "--name", "class"],
    "z": ["--from", "three", "--mode", "z", *EIGHT, "--frames", 5, "--format", "png", "--name", "z"],
    "both": [*PAIR, "--mode", "both", *EIGHT, "--frames", 3, "--format", "png", "--ease", "cosine", "--name", "both"],
    "path": ["--path", "three,five,eight", *FOUR, "--frames", 3, "--format", "png", "--name", "path"],
    "webp": [*PAIR, *FOUR, "--no-loop", "--out", "film.webp"],
    "strip": [*PAIR, *FOUR, "--format", "strip"],
    "ends": [*PAIR, *FOUR, "--from-graph", "--format", "png", "--name", "ends"],
    "switch": [*PAIR, "--mode", "both", *EIGHT, "--frames", 5, "--from-graph", "--out", "switch"],
    "again": [*PAIR, "--frames", 2, "--seeds", "0"],
    "mp4": [*PAIR, "--grid", "3x2", "--frames", 3, "--out", "film.mp4"],
}
FFMPEG = "raw = sys.stdin.buffer.read(); open(sys.argv[-1], 'wb').write(raw)"


@pytest.fixture(scope="module")
def studio(tiny_run, tmp_path_factory):
    """A bench with a copy of the tiny run in ``runs``, frozen, and a stand-in for ffmpeg in ``bin``."""
    folder = tmp_path_factory.mktemp("studio")
    shutil.copytree(str(tiny_run), str(folder / "runs" / tiny_run.name))
    program = folder / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\n{FFMPEG}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Bench(folder)


@pytest.fixture(scope="module")
def made(studio):
    """What each of ``FILMS`` printed, and where the samples of ``ENDS`` are; all made in one process."""
    path = os.pathsep.join([str(studio.folder / "bin"), os.environ["PATH"]])
    samples = [["sample", *arguments, "--name", name] for name, arguments in ENDS.items()]
    films = [["interpolate", *arguments, "--json"] for arguments in FILMS.values()]
    done = studio.together(["freeze"], *samples, *films, PATH=path)[1 + len(samples) :]
    return dict(zip(FILMS, done))


@pytest.fixture(scope="module")
def run(made, studio):
    (path,) = (studio.folder / "runs").glob("0*")
    return path


def result(made, studio, name):
    values = json.loads(made[name].stdout)
    return studio.folder / values["file"], values


def sampled(run, name):
    """What ``sample`` drew of four latents, as a frame shows it."""
    drawn = [read_picture(path) for path in sorted((run / "sample" / name).glob("0*.png"))]
    rows = [np.concatenate(drawn[:2], axis=1), np.concatenate(drawn[2:], axis=1)]
    return np.concatenate(rows).repeat(2, 0).repeat(2, 1)


def frames_in(path):
    if path.is_dir():
        return [read_picture(file) for file in sorted(path.iterdir())]
    with Image.open(str(path)) as film:
        shown = []
        for number in range(film.n_frames):
            film.seek(number)
            shown.append(np.asarray(film.convert("RGB")))
    return shown


@pytest.mark.parametrize(
    "film, count, stops",
    (
        ("class", 11, {0: "three", 10: "eight"}),
        ("z", 5, {0: "three", 4: "three-on"}),
        ("both", 3, {0: "three", 2: "eight-on"}),
        ("path", 5, {0: "three", 2: "five", 4: "eight"}),
        ("webp", 11, {0: "three", 10: "eight"}),
        ("ends", 2, {0: "frozen"}),
        ("switch", 5, {0: "frozen", 4: "frozen-on"}),
    ),
)
def test_a_stop_is_to_the_last_level_what_sample_draws(made, studio, run, film, count, stops):
    path, values = result(made, studio, film)
    shown = frames_in(path)
    assert len(shown) == values["frames"] == count
    for number, name in stops.items():
        np.testing.assert_array_equal(shown[number], sampled(run, name))
    assert len({frame.tobytes() for frame in shown}) == count, "every frame is another"


def test_without_a_word_it_is_a_gif_there_and_back(made, studio, run):
    path, values = result(made, studio, "plain")
    assert path.name == "three-to-eight.gif" and values["bytes"] == path.stat().st_size
    shown = [frame.astype(int) for frame in frames_in(path)]
    assert len(shown) == 20 and shown[0].shape == (128, 128, 3)
    there = [frame.astype(int) for frame in frames_in(result(made, studio, "class")[0])]
    for frame, wanted in zip(shown, [*there, *there[9:0:-1]]):
        assert np.abs(frame - wanted).mean() < 8  # noise in the 256 colours of a GIF
    steps = [np.abs(one - other).mean() for one, other in zip(there, there[1:])]
    assert max(steps) < np.abs(there[0] - there[-1]).mean()
    with Image.open(str(path)) as gif:
        assert gif.info["loop"] == 0 and gif.info["duration"] == 200


def test_results_have_manifests_and_names_of_their_own(made, studio, run):
    folder = run / "interpolate"
    manifest = json.loads((folder / "three-to-eight.manifest.json").read_text())
    assert list(manifest["outputs"]) == ["three-to-eight.gif"] and manifest["details"] == {"frames": 20}
    assert manifest["config"]["seeds"] == [[0, 1, 2, 3]] * 2 and manifest["config"]["grid"] == [2, 2]
    frames = json.loads((folder / "class.manifest.json").read_text())["outputs"]
    assert list(frames) == ["class/"] and frames["class/"]["files"] == 11
    frozen = json.loads((folder / "ends.manifest.json").read_text())
    assert list(frozen["inputs"]) == ["freeze/generator.pb"]
    assert result(made, studio, "again")[0] == folder / "three-to-eight-2.gif"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_strip_has_a_row_for_each_latent(made, studio):
    path, _ = result(made, studio, "strip")
    strip = read_picture(path)[:, -11 * 64 :]
    assert strip.shape == (256, 704, 3)
    for column, frame in enumerate(frames_in(result(made, studio, "class")[0])):
        cells = [frame[:64, :64], frame[:64, 64:], frame[64:, :64], frame[64:, 64:]]
        np.testing.assert_array_equal(strip[:, column * 64 : (column + 1) * 64], np.concatenate(cells))


def test_ffmpeg_gets_the_frames(made, studio, run):
    path, values = result(made, studio, "mp4")
    assert path == studio.folder / "film.mp4" and values["bytes"] == 3 * 128 * 192 * 3
    first = np.frombuffer(path.read_bytes(), np.uint8).reshape(3, 128, 192, 3)[0]
    np.testing.assert_array_equal(first[:64, :128], sampled(run, "three")[:64])


def test_what_is_told_before(made):
    assert "20 frames of 128x128 px, 1.0 MB before compression" in made["plain"].stderr
    assert "as gif, going by the first frame" in made["plain"].stderr
    assert "three to eight and back, class moves, 4 latents" in made["plain"].stderr
    assert "a frozen graph takes whole classes only: of 11 frames from a class to the next the 2 ends" in (
        made["ends"].stderr
    )
    assert "the class switches halfway" in made["switch"].stderr


REFUSED = (
    (["--from", "three"], 2, ["--from three has no --to", "--mode z"]),
    (["--to", "three"], 2, ["--to three has no --from"]),
    ([], 2, ["none is named", "--path A,B,C"]),
    (["--path", "one"], 2, ["--path one is one class"]),
    (["--path", "one,two", "--to", "three"], 2, ["--path names all classes"]),
    (["--path", "one,one"], 2, ["--path goes twice in a row to one"]),
    (["--from", "three", "--to", "eigth"], 2, ["--to eigth", "eight instead of eigth", "zero, one, two"]),
    (["--path", "one,nien"], 2, ["--path nien", "nine instead of nien"]),
    (["--mode", "z"], 2, ["--mode z needs a class to stay with"]),
    ([*PAIR, "--mode", "z"], 2, ["--to is for a class that moves", "--mode both"]),
    ([*PAIR, "--mode", "all"], 2, ["--mode all is not one of class, z, both"]),
    ([*PAIR, "--frames", 1], 2, ["--frames 1 is outside 2 to 10000", "biggan sample"]),
    ([*PAIR, "--format", "avi"], 2, ["--format avi is not one of gif, webp, png, strip, mp4"]),
    ([*PAIR, "--out", "film.avi"], 2, ["--out film.avi ends in nothing that is known", ".webp (webp)"]),
    ([*PAIR, "--out", "film.gif", "--format", "webp"], 2, ["--out film.gif is not --format webp"]),
    ([*PAIR, "--out", "nowhere/film.gif"], 2, ["there is no folder nowhere", "mkdir -p nowhere"]),
    ([*PAIR, "--out", "taken.gif"], 2, ["--out taken.gif exists"]),
    ([*PAIR, "--out", "taken.gif/film.gif"], 2, ["taken.gif is no folder"]),
    ([*PAIR, "--fps", 60], 2, ["--fps 60 is outside 0.01 to 50, what a GIF can show", "--format webp"]),
    ([*PAIR, "--fps", 60, "--format", "mp4"], 4, ["--format mp4 needs ffmpeg"]),
    ([*PAIR, "--fps", 300, "--out", "film.webp"], 2, ["--fps 300 is outside 0.01 to 240"]),
    ([*PAIR, "--out", "film.gif", "--name", "film"], 2, ["--name is for a film in the run"]),
    ([*PAIR, "--grid", "0x4"], 2, ["--grid 0x4 is not columns x rows"]),
    ([*PAIR, "--grid", "4x4", "--seeds", "0-7"], 2, ["--seeds names 8 seeds", "16 latents", "--seeds 0-15"]),
    ([*PAIR, "--mode", "both", "--seeds", "0-8"], 2, ["--seeds names 9 seeds", "at each of 2 stops", "--seeds 0-7"]),
    ([*PAIR, "--format", "strip", "--frames", 9000], 2, ["a strip of 9000 frames of 16 latents", "--format png"]),
    ([*PAIR, "--format", "mp4"], 4, ["--format mp4 needs ffmpeg", "ffmpeg on PATH", "--format webp"]),
    ([*PAIR, "--from-graph", "--truncation", 1], 2, ["was frozen with --truncation 2, not 1", "biggan freeze"]),
)


def test_what_cannot_be_is_one_clear_error(made, studio, run):
    (studio.folder / "taken.gif").write_bytes(b"mine")
    before = sorted(str(path) for path in studio.folder.rglob("*"))
    done = studio.together(
        *(["interpolate", *arguments] for arguments, _, _ in REFUSED), check=None, PATH=str(studio.folder / "none")
    )
    for (arguments, code, words), entry in zip(REFUSED, done):
        assert entry.returncode == code and entry.stdout == "", (arguments, entry)
        assert entry.stderr.count("error: ") == 1 and all(word in entry.stderr for word in words), entry.stderr
    assert sorted(str(path) for path in studio.folder.rglob("*")) == before
    assert (studio.folder / "taken.gif").read_bytes() == b"mine"
