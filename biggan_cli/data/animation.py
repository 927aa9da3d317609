"""Films: frames to GIF, WebP, PNG files or MP4, one after the other, so that memory never holds all of them.

Frames are uint8 [H, W, 3], all of one size.
"""

import io
import math
import os
import shutil
import struct
from pathlib import Path
from typing import Callable, Dict, Iterator, NamedTuple, Optional

import numpy as np
from PIL import GifImagePlugin, Image, features

from biggan_cli.data.images import write_png
from biggan_cli.errors import NotReady, ToolError
from biggan_cli.runtime import process

Frames = Iterator[np.ndarray]
_COLOURS = 256
"""Of each frame its own, by maximum coverage, not dithered: a third of the bytes of median cut, which spends colours
on noise, at 1.3 levels of mean error instead of 0.8 (20 frames of 16 digits: 176 kB, 533 kB)."""
_LOOKED_AT = 1 << 14
"""Pixels of a frame, evenly spread, that choose its colours. Of a million different ones the choice took 22 s a frame,
of these 0.04 s, and the mean error stays (10.6 levels of soft noise, 8x8 pictures of 128 px)."""


def write_gif(path: Path, frames: Frames, fps: float, forever: bool) -> None:
    """GIF: 256 colours chosen for each frame; time in hundredths of a second."""
    duration = max(round(100.0 / fps), 2) * 10
    with open(str(path), "wb") as file:
        for number, frame in enumerate(frames):
            if number == 0:
                height, width = frame.shape[:2]
                file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0))
                if forever:
                    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
            file.write(_gif_frame(frame, duration))
        file.write(b";")


def _gif_frame(frame: np.ndarray, duration: int) -> bytes:
    every = math.ceil(math.sqrt(frame.shape[0] * frame.shape[1] / _LOOKED_AT))
    some = Image.fromarray(np.ascontiguousarray(frame[every // 2 :: every, every // 2 :: every]))
    colours = some.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE)
    picture = Image.fromarray(frame).quantize(palette=colours, dither=Image.Dither.NONE)
    return b"".join(GifImagePlugin.getdata(picture, duration=duration, disposal=1, include_color_table=True))


def write_webp(path: Path, frames: Frames, fps: float, forever: bool) -> None:
    """Animated WebP without loss: the frames are exactly these; time in milliseconds.

    Source of the layout: the WebP container specification, sections "Extended file format" and "Animation".

    Raises:
        NotReady: this Pillow has no WebP.
    """
    duration = round(1000.0 / fps)
    with open(str(path), "wb") as file:
        file.write(b"RIFF\0\0\0\0WEBP")
        for number, frame in enumerate(frames):
            size = _three_bytes(frame.shape[1] - 1) + _three_bytes(frame.shape[0] - 1)
            if number == 0:
                file.write(_chunk(b"VP8X", b"\x02\0\0\0" + size))
                file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, 0 if forever else 1)))
            file.write(_chunk(b"ANMF", bytes(6) + size + _three_bytes(duration) + b"\x02" + _webp_still(frame)))
        length = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", length))


def _webp_still(frame: np.ndarray) -> bytes:
    """The chunk of a picture by itself."""
    if not features.check("webp"):
        raise NotReady("this Pillow was built without WebP", fix="--format gif")
    file = io.BytesIO()
    Image.fromarray(frame).save(file, format="WEBP", lossless=True, method=4)
    return file.getvalue()[12:]


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _three_bytes(number: int) -> bytes:
    return struct.pack("<I", number)[:3]


def write_pngs(path: Path, frames: Frames, fps: float, forever: bool) -> None:
    """A folder of 000000.png, 000001.png, …, for other programs to go on with."""
    path.mkdir(exist_ok=True)
    for number, frame in enumerate(frames):
        write_png(path / f"{number:06d}.png", frame)


def write_mp4(path: Path, frames: Frames, fps: float, forever: bool) -> None:
    """H.264 by ffmpeg, which gets the frames through a pipe.

    Raises:
        NotReady: there is no ffmpeg.
        ToolError: it failed; its words are in the error.
    """
    first = next(frames)
    log = path.with_name(f".{path.stem}.ffmpeg.log")
    argv = ffmpeg_argv(find_ffmpeg(), path.name, first.shape[1], first.shape[0], fps)
    try:
        with process.fed(argv, path.parent, os.environ, log, name="ffmpeg") as stdin:
            stdin.write(first.tobytes())
            for frame in frames:
                stdin.write(frame.tobytes())
        if not path.is_file() or not path.stat().st_size:
            raise ToolError(f"ffmpeg ended well and left no {path.name}", fix="--format webp")
    finally:
        if log.is_file():
            log.unlink()


def find_ffmpeg() -> str:
    """The program on PATH.

    Raises:
        NotReady: there is none.
    """
    found = shutil.which("ffmpeg")
    if not found:
        raise NotReady(
            "--format mp4 needs ffmpeg, and there is none",
            looked_for="ffmpeg on PATH",
            fix="install it (apt-get install ffmpeg), or --format webp",
        )
    return found


def ffmpeg_argv(program: str, name: str, width: int, height: int, fps: float):
    """The command that makes an MP4 file which browsers play of raw RGB frames from its standard input."""
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    coded = ["-an", "-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    return [program, "-hide_banner", "-loglevel", "error", "-y", *raw, *coded, name]


class Format(NamedTuple):
    """``repeats``: it is played again and again; ``size`` of a frame in bytes, None where it is not known before."""

    ending: str
    repeats: bool
    write: Callable[[Path, Frames, float, bool], None]
    size: Optional[Callable[[np.ndarray], int]]


def _png_size(frame: np.ndarray) -> int:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, format="PNG")
    return file.tell()


FORMATS: Dict[str, Format] = dict(
    gif=Format(".gif", True, write_gif, lambda frame: len(_gif_frame(frame, 20))),
    webp=Format(".webp", True, write_webp, lambda frame: len(_webp_still(frame))),
    png=Format("", False, write_pngs, _png_size),
    mp4=Format(".mp4", False, write_mp4, None),
)
