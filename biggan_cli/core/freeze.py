"""Freeze a generator: from a checkpoint to a graph of constants, compared with the session before it counts."""

from collections import Counter
from pathlib import Path
from typing import List, NamedTuple

import numpy as np

from biggan_cli import __version__
from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core.generators import RunGenerator, open_generator, record_of
from biggan_cli.core.reporting import Report
from biggan_cli.deploy import operators
from biggan_cli.deploy.spec import GraphSpec, TensorSpec, write_spec
from biggan_cli.errors import StepFailed
from biggan_cli.files import flush_to_disk, sha256
from biggan_cli.inference import frozen
from biggan_cli.inference.sampler import Sampler
from biggan_cli.model.latents import classes_of_seeds, z_of_seeds
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import FreezeConfig

COMPARED = 16
TOLERANCE = 1e-5


class FreezeResult(NamedTuple):
    """What ``freeze`` left; ``max_abs`` is the largest difference from the session, of pictures in [-1, 1]."""

    graph: str
    spec: str
    step: int
    nodes: int
    bytes: int
    max_abs: float


def freeze(run: RunDir, settings: FreezeConfig, report: Report) -> FreezeResult:
    """Write ``freeze/generator.pb`` and ``generator.spec.json``, in the place of those before.

    Raises:
        UsageError: no such checkpoint.
        StepFailed: the checkpoint is damaged, the graph does not give the session's pictures, or has an operator
            that ``atc`` does not know.
    """
    asked = [("graph", f"{settings.resample} resampling, batch {settings.batch or 'free'}")]
    with open_generator(run, settings.draw, asked, report) as opened:
        record = record_of(opened.checkpoint)
        described = configs.asdict(configs.replace(settings, draw=opened.draw))
        inputs = opened.checkpoint.inputs()
        name = run.frozen_graph.stem
        with run.step("freeze", name, described, inputs, packages(), stem=name, replace=True) as step:
            path = step.path / run.frozen_graph.name
            graph_def = frozen.frozen_generator(
                opened.folded, opened.moments, record.config.model, settings.batch, settings.resample == "fused"
            )
            _check_operators(graph_def, report)
            path.write_bytes(graph_def.SerializeToString(deterministic=True))
            flush_to_disk(path)
            spec = _spec(path, settings, opened, record)
            write_spec(step.path / run.graph_spec.name, spec)
            worst = _difference(path, spec, opened, record)
            step.details.update(max_abs=worst, compared=COMPARED)
    nodes = len(graph_def.node)
    report(
        "line", text=f"read back, its pictures of {COMPARED} latents differ from the session's by {worst:.1e} at most"
    )
    size = run.frozen_graph.stat().st_size
    return FreezeResult(str(run.frozen_graph), str(run.graph_spec), opened.checkpoint.step, nodes, size, worst)


def _check_operators(graph_def, report: Report) -> None:
    nodes = frozen.nodes_of(graph_def)
    unknown = operators.unknown_to_atc(nodes)
    if unknown:
        raise StepFailed(
            f"{len(unknown)} nodes have operators that atc does not know: {_listed(unknown)}",
            hint="a bug in biggan; please report it",
        )
    slow = operators.off_the_ai_core(nodes)
    if slow:
        report("warning", text=f"an Ascend310 has no AI Core kernel for {_listed(slow)}: they run on its slow AI CPU")


def _listed(nodes: List[operators.Node]) -> str:
    counts = Counter(f"{node.operator} ({', '.join(node.dtypes)})" for node in nodes)
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def _spec(path: Path, settings: FreezeConfig, opened: RunGenerator, record: RunRecord) -> GraphSpec:
    model, batch = record.config.model, settings.batch
    return GraphSpec(
        graph=path.name,
        sha256=sha256(path),
        inputs=(TensorSpec("z", "float32", (batch, model.z_dim)), TensorSpec("y", "int32", (batch, 1))),
        output=TensorSpec(frozen.OUTPUT, "float32", (batch, model.resolution, model.resolution, 3)),
        class_names=record.class_names,
        step=opened.checkpoint.step,
        weights=opened.draw.weights,
        bn=opened.draw.bn,
        truncation=opened.draw.truncation,
        resample=settings.resample,
        biggan=__version__,
    )


def _difference(path: Path, spec: GraphSpec, opened: RunGenerator, record: RunRecord) -> float:
    """Read the file back and compare its pictures with the session's: the largest difference.

    Both resample in the same way, so that what is left is rounding, whatever the size.
    """
    model, seeds = record.config.model, range(COMPARED)
    z, y = z_of_seeds(seeds, model.z_dim, spec.truncation), classes_of_seeds(seeds, model.num_classes)
    with Sampler(model, batch=COMPARED, fused=spec.resample == "fused") as sampler:
        sampler.load(opened.folded)
        sampler.set_moments(opened.moments)
        wanted = np.concatenate(list(sampler.images(z, y)))
    with frozen.FrozenGenerator(frozen.read_graph(path), spec) as generator:
        found = np.concatenate(list(generator.images(z, y)))
    worst = float(np.abs(found - wanted).max())
    if not worst <= TOLERANCE:
        raise StepFailed(
            f"the frozen graph differs from the session by {worst:.2g} at {COMPARED} latents, more than {TOLERANCE:g}",
            hint="a bug in biggan; please report it with the run's config.json",
        )
    return worst
