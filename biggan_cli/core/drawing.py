"""Pictures of a run, from a checkpoint or from the graph that was frozen of one."""

import contextlib
from typing import Callable, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli.core import generators
from biggan_cli.core.reporting import Report
from biggan_cli.deploy.spec import read_spec
from biggan_cli.errors import StepFailed
from biggan_cli.inference.frozen import FrozenGenerator, read_graph
from biggan_cli.inference.sampler import Sampler
from biggan_cli.rundir import RunDir
from biggan_cli.settings import DrawConfig


class Model(NamedTuple):
    """What must be known of a generator to choose latents for it; ``truncation`` is that of z."""

    class_names: Tuple[str, ...]
    z_dim: int
    resolution: int
    truncation: Optional[float]


class Drawer(NamedTuple):
    """A generator that is ready; ``images`` as :meth:`Sampler.images`.

    ``draw`` is what was asked for with everything decided; ``inputs`` are files, with their sha256. ``sampler`` is None
    of a frozen graph, which takes whole classes only.
    """

    step: int
    draw: DrawConfig
    inputs: Dict[str, str]
    images: Callable[[np.ndarray, np.ndarray], Iterator[np.ndarray]]
    sampler: Optional[Sampler]


def model_of(run: RunDir, draw: DrawConfig, from_graph: bool) -> Model:
    """What the latents of a run, or of its frozen graph, must be like.

    Raises:
        UsageError: nothing was frozen.
        StepFailed: something is damaged.
    """
    record = generators.read_record(run)
    model = record.config.model
    if from_graph:
        spec = read_spec(run)
        return Model(spec.class_names, spec.z_dim, spec.output.shape[1], spec.truncation)
    truncation = draw.truncation_for(record.config.train.truncation)
    return Model(record.class_names, model.z_dim, model.resolution, truncation)


@contextlib.contextmanager
def open_drawer(
    run: RunDir,
    draw: DrawConfig,
    weights: Optional[str],
    from_graph: bool,
    asked: Sequence[Tuple[str, str]],
    report: Report,
) -> Iterator[Drawer]:
    """The generator of a checkpoint, or the frozen graph, which may have outlived its checkpoint.

    Args:
        weights: those of ``draw`` if they were asked for.
        asked: rows that say what is to be drawn, shown together with how.

    Raises:
        UsageError: no such checkpoint, nothing frozen, or a graph that was frozen of something else.
        StepFailed: something is damaged.
    """
    if not from_graph:
        with generators.open_generator(run, draw, asked, report) as opened:
            sampler, checkpoint = opened.sampler, opened.checkpoint
            yield Drawer(checkpoint.step, opened.draw, checkpoint.inputs(), sampler.images, sampler)
        return
    spec = read_spec(run)
    generators.check_frozen(run, spec, draw, weights)
    decided = generators.as_frozen(spec, draw)
    how = f"the frozen graph of step {spec.step}, {generators.described(decided)}"
    report("table", title=f"drawing from {run}", rows=[*asked, ("with", how)])
    with FrozenGenerator(read_graph(run.frozen_graph), spec, draw.device) as generator:

        def images(z: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
            for batch in generator.images(z, y):
                if not np.isfinite(batch).all():
                    raise StepFailed(
                        f"the frozen graph of {run} gives values that are not finite",
                        fix=f"biggan freeze {run}, of another step",
                    )
                yield batch

        yield Drawer(spec.step, decided, {"freeze/" + spec.graph: spec.sha256}, images, None)
