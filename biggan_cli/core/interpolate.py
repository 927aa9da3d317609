"""Morph one class into another: a grid of latents, their class embedding moved in even steps, as a GIF."""

import math
from typing import NamedTuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core.generators import open_generator, read_record
from biggan_cli.core.reporting import Report
from biggan_cli.data import images
from biggan_cli.data.classes import class_index
from biggan_cli.errors import UsageError
from biggan_cli.model.latents import z_of_seeds
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import InterpolateConfig


class InterpolateResult(NamedTuple):
    """What ``interpolate`` left."""

    file: str
    frames: int


def interpolate(run: RunDir, settings: InterpolateConfig, report: Report) -> InterpolateResult:
    """Draw ``interpolate/<name>.gif``; its first and last frame are what ``sample`` draws of the two classes.

    Raises:
        UsageError: an unknown class, or one class twice.
        StepFailed: a damaged checkpoint.
    """
    record = read_record(run)
    ends = [class_index(settings.start, record.class_names, "--from")]
    ends.append(class_index(settings.end, record.class_names, "--to"))
    names = [record.class_names[end] for end in ends]
    if ends[0] == ends[1]:
        raise UsageError(f"--from and --to are both {names[0]}: nothing would move", fix="--to with another class")
    asked = [("morph", f"{names[0]} to {names[1]}, {settings.frames} frames of {len(settings.seeds)} latents")]
    with open_generator(run, settings.draw, asked, report) as opened:
        z = z_of_seeds(settings.seeds, record.config.model.z_dim, opened.draw.truncation)
        first, last = opened.sampler.embedding(np.asarray(ends))
        described = configs.asdict(configs.replace(settings, draw=opened.draw))
        stem = settings.name or f"{names[0]}-to-{names[1]}"
        with run.step("interpolate", settings.name, described, opened.checkpoint.inputs(), packages(), stem) as step:
            frames = []
            for place in np.linspace(0.0, 1.0, settings.frames, dtype=np.float32):
                embedding = np.tile((1 - place) * first + place * last, (len(z), 1))
                pictures = np.concatenate(list(opened.sampler.images_of_embedding(z, embedding)))
                frames.append(images.tiled(images.to_uint8(pictures), columns=math.ceil(math.sqrt(len(z)))))
                report("advance", what="drawing", done=len(frames), total=settings.frames)
            images.write_gif(step.path / f"{step.name}.gif", frames, settings.fps)
    return InterpolateResult(str(step.path / f"{step.name}.gif"), len(frames))
