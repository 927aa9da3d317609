"""Write latents as raw files, the input of an offline model."""

from typing import NamedTuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core.latents import choose_latents, classes_text
from biggan_cli.core.reporting import Report
from biggan_cli.deploy.bins import BinIndex, write_bins, write_index
from biggan_cli.deploy.spec import read_spec
from biggan_cli.errors import UsageError
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import ToBinConfig


class ToBinResult(NamedTuple):
    """What ``to-bin`` left."""

    folder: str
    num: int
    files: int
    batch: int


def to_bin(run: RunDir, settings: ToBinConfig, report: Report) -> ToBinResult:
    """Write ``bin/<name>/{z,y}/000000.bin …`` for the run's frozen graph.

    Raises:
        UsageError: nothing is frozen, an unknown class, counts that do not add up, another batch than the graph's.
    """
    spec = read_spec(run)
    batch = settings.batch or spec.batch or 1
    if spec.batch not in (None, batch):
        raise UsageError(
            f"--batch {batch} does not fit the frozen graph, whose batch is {spec.batch}",
            fix=f"leave --batch out, or biggan freeze {run} --batch {batch}",
        )
    truncation = spec.truncation if settings.truncation == "run" else settings.truncation
    latents = choose_latents(settings.latents, spec.z_dim, spec.class_names, truncation)
    num = len(latents.names)
    rows = [
        ("latents", f"{num}, classes {classes_text(latents.y, spec.class_names)}"),
        ("with", f"truncation {configs.truncation_text(truncation)}, {batch} in a file"),
    ]
    report("table", title=f"raw inputs for {run}", rows=rows)
    described = configs.asdict(configs.replace(settings, batch=batch, truncation=truncation))
    inputs = {"freeze/" + spec.graph: spec.sha256}

    def progress(done: int, total: int) -> None:
        report("advance", what="writing", done=done, total=total)

    with run.step("to-bin", settings.name, described, inputs, packages()) as step:
        arrays = dict(z=latents.z, y=latents.y.reshape(-1, 1).astype(np.int32))
        files = write_bins(step.path, arrays, spec, batch, progress)
        seeds = tuple(int(name) for name in latents.names)
        write_index(step.path, BinIndex(num, batch, seeds, tuple(latents.y.tolist())), spec.class_names)
    return ToBinResult(str(step.path), num, len(files), batch)
