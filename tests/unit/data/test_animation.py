"""Films, read back by Pillow: every frame, its time, and that nothing waits in memory."""

import os
import stat
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from biggan_cli.data import animation
from biggan_cli.data.animation import ffmpeg_argv, write_gif, write_mp4, write_pngs, write_webp
from biggan_cli.errors import NotReady, ToolError
from tests.conftest import read_picture


def frames(count, size=(24, 40), levels=256):
    """Smooth ones of few colours, so that a palette holds them exactly."""
    for number in range(count):
        picture = np.zeros((*size, 3), np.uint8)
        picture[:, :, 0] = np.arange(size[1]) * levels // size[1]
        picture[:, :, 1] = number * 40 % 256
        yield picture


def read_back(path):
    with Image.open(str(path)) as film:
        shown = []
        for number in range(film.n_frames):
            film.seek(number)
            shown.append((np.asarray(film.convert("RGB")), film.info["duration"]))
        return shown, film.info.get("loop")


def test_a_gif_shows_every_frame_for_its_time(tmp_path):
    write_gif(tmp_path / "a.gif", frames(4), 5, True)
    shown, loop = read_back(tmp_path / "a.gif")
    assert len(shown) == 4 and loop == 0 and {duration for _, duration in shown} == {200}
    for (picture, _), wanted in zip(shown, frames(4)):
        np.testing.assert_array_equal(picture, wanted)


def test_a_webp_is_without_loss(tmp_path):
    random = np.random.RandomState(0).randint(0, 256, (3, 16, 18, 3)).astype(np.uint8)
    write_webp(tmp_path / "a.webp", iter(random), 8, True)
    shown, loop = read_back(tmp_path / "a.webp")
    assert len(shown) == 3 and loop == 0 and {duration for _, duration in shown} == {125}
    for (picture, _), wanted in zip(shown, random):
        np.testing.assert_array_equal(picture, wanted)


def test_colours_of_a_large_frame_are_chosen_by_a_part_of_it(tmp_path, monkeypatch):
    """By all of a million colours it takes minutes a frame; the picture is as near as with all of them."""
    y, x = np.mgrid[:512, :768]
    frame = np.stack([x // 3, y // 2, (x + y) // 5], axis=2).astype(np.uint8)
    chosen_by, choose = [], Image.Image.quantize

    def quantize(self, colors=256, method=None, **more):
        if method is not None:
            chosen_by.append(self.width * self.height)
        return choose(self, colors, method, **more)

    monkeypatch.setattr(Image.Image, "quantize", quantize)
    write_gif(tmp_path / "a.gif", iter([frame]), 5, True)
    assert len(chosen_by) == 1 and 4000 < chosen_by[0] <= 1 << 14
    ((shown, _),), _ = read_back(tmp_path / "a.gif")
    by_all = np.asarray(choose(Image.fromarray(frame), 256, Image.Quantize.MAXCOVERAGE).convert("RGB"))
    errors = [np.abs(picture.astype(int) - frame) for picture in (shown, by_all)]
    assert errors[0].mean() < 1.1 * errors[1].mean() and errors[0].max() < 1.5 * errors[1].max()


@pytest.mark.parametrize("write, name", ((write_gif, "a.gif"), (write_webp, "a.webp")))
def test_played_once(tmp_path, write, name):
    write(tmp_path / name, frames(2), 5, False)
    assert read_back(tmp_path / name)[1] in (None, 1)


def test_frames_for_other_programs(tmp_path):
    write_pngs(tmp_path / "film", frames(3), 5, True)
    assert sorted(os.listdir(str(tmp_path / "film"))) == ["000000.png", "000001.png", "000002.png"]
    for number, wanted in enumerate(frames(3)):
        np.testing.assert_array_equal(read_picture(tmp_path / "film" / f"{number:06d}.png"), wanted)


@pytest.mark.parametrize("write, name", ((write_gif, "a.gif"), (write_webp, "a.webp"), (write_pngs, "a")))
def test_a_frame_is_written_before_the_next_is_made(tmp_path, write, name):
    """At the fortieth frame most of those before are on the disk: nothing but a buffer waits."""
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    seen = []

    def made():
        for number in range(41):
            place = tmp_path / name
            files = list(place.iterdir()) if place.is_dir() else [place] if place.exists() else []
            seen.append(sum(path.stat().st_size for path in files))
            yield np.roll(noise, number, axis=1)

    write(tmp_path / name, made(), 5, True)
    assert seen[40] > 0.8 * 40 * 64 * 64


def test_the_size_of_a_frame_is_what_it_takes(tmp_path):
    (picture,) = frames(1)
    for name, write in (("gif", write_gif), ("webp", write_webp)):
        write(tmp_path / name, iter([picture] * 5), 5, True)
        size = animation.FORMATS[name].size(picture)
        assert abs((tmp_path / name).stat().st_size - 5 * size) < 250


def program(folder, body):
    """A stand-in for ffmpeg, first on the PATH."""
    path = folder / "bin" / "ffmpeg"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport json, sys\n{textwrap.dedent(body)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path.parent)


def test_ffmpeg_gets_every_level(tmp_path, monkeypatch):
    body = """
        raw = sys.stdin.buffer.read()
        open(sys.argv[-1], "wb").write(raw)
        json.dump(sys.argv[1:], open("argv.json", "w"))
    """
    monkeypatch.setenv("PATH", program(tmp_path, body))
    write_mp4(tmp_path / "a.mp4", frames(3), 12.5, False)
    assert (tmp_path / "a.mp4").read_bytes() == b"".join(frame.tobytes() for frame in frames(3))
    argv = (tmp_path / "argv.json").read_text()
    assert '"-s", "40x24"' in argv and '"-r", "12.5"' in argv and '"rgb24"' in argv
    assert sorted(os.listdir(str(tmp_path))) == ["a.mp4", "argv.json", "bin"]


def test_the_command_can_be_read():
    argv = ffmpeg_argv("ffmpeg", "a.mp4", 128, 64, 5.0)
    assert argv[0] == "ffmpeg" and argv[-1] == "a.mp4" and argv[argv.index("-i") + 1] == "-"


@pytest.mark.parametrize(
    "body, words",
    (
        ("sys.stdin.buffer.read(); print('no such encoder'); sys.exit(3)", "exit code 3"),
        ("print('no such encoder'); sys.exit(3)", "exit code 3"),
        ("sys.stdin.buffer.read(); print('no such encoder')", "left no a.mp4"),
    ),
)
def test_ffmpeg_that_fails(tmp_path, monkeypatch, body, words):
    monkeypatch.setenv("PATH", program(tmp_path, body))
    big = (np.zeros((512, 512, 3), np.uint8) for _ in range(20))  # more than a pipe holds
    with pytest.raises(ToolError, match=words) as error:
        write_mp4(tmp_path / "a.mp4", big, 5, False)
    assert words.startswith("left") or "no such encoder" in error.value.hint
    assert os.listdir(str(tmp_path)) == ["bin"]


def test_no_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="there is none") as error:
        write_mp4(tmp_path / "a.mp4", frames(2), 5, False)
    assert ("fix", "install it (apt-get install ffmpeg), or --format webp") in error.value.details
