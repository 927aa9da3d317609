"""What ``bench`` can measure: a training step, a batch of the sampler, a batch of the frozen graph."""

import contextlib
import re
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Optional

import numpy as np

import biggan_cli
from biggan_cli.config import ModelConfig, RunConfig, RunRecord
from biggan_cli.core import first_values
from biggan_cli.core.reporting import silent
from biggan_cli.data import pipeline
from biggan_cli.data.datasets import Dataset
from biggan_cli.inference import frozen
from biggan_cli.inference.sampler import Sampler
from biggan_cli.inference.weights import folded_generator
from biggan_cli.model.architecture import batch_norms, generator_weights
from biggan_cli.model.initial import initial_values
from biggan_cli.rundir import RunDir
from biggan_cli.runtime import flops, trace
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import start_values, tf
from biggan_cli.training import checkpoints
from biggan_cli.training.step import AVERAGES_SCOPE, D_SCOPE, G_SCOPE, build

DATA, REST = "data", "rest"
PARTS = {DATA: DATA, D_SCOPE: "discriminator", G_SCOPE: "generator", AVERAGES_SCOPE: "ema"}
"""Name scope → the part of a step that its operations are; all others are the rest."""
_SCOPE = re.compile(rf"(?:^|/)({'|'.join(PARTS)})(?:_[0-9]+)?/")
_CALLS = 20
_PIPELINE_FILL, _PIPELINE_BATCHES = 3, 10


class Subject(NamedTuple):
    """Something that does one step, or one batch, at a call.

    Attributes:
        step: does it.
        flops: type → floating-point operations of a step.
        shares: part → its share of the time of a step; None where the device does not tell.
        pipeline_seconds: what the data of a step take with nothing else to do; None: it reads none.
        checkpoint_seconds: writes a checkpoint into a folder and removes it: how long writing takes.
    """

    step: Callable[[], Any]
    flops: Mapping[str, int]
    shares: Callable[[], Optional[Dict[str, float]]] = lambda: None
    pipeline_seconds: Callable[[], Optional[float]] = lambda: None
    checkpoint_seconds: Callable[[Path], Optional[float]] = lambda folder: None


@contextlib.contextmanager
def training(config: RunConfig, dataset: Dataset, options: Mapping) -> Iterator[Subject]:
    """A step as ``train`` does it, from the start of a run.

    Args:
        options: of an NPU's session.
    """
    record = RunRecord(config, dataset.class_names, dataset.digest, biggan_cli.__version__)
    graph, start_data, handles = _training_graph(config, dataset)
    fetches = [handles.train_op, handles.metrics]
    with open_session(graph, config.train.device, npu=options) as session:
        start_values(session, handles.variables, first_values.first_values(record, silent))
        session.run(start_data)

        def shares() -> Optional[Dict[str, float]]:
            return None if config.train.device == "npu" else _shares(session, fetches, handles.step)

        def checkpoint_seconds(folder: Path) -> float:
            with tempfile.TemporaryDirectory(dir=str(folder)) as place:
                run = RunDir(place)
                run.checkpoints.mkdir()
                began = time.perf_counter()
                arrays = session.run(handles.variables)
                checkpoints.save(lambda prefix: checkpoints.write_arrays(arrays, prefix), run, 1, dict(run={}))
                return time.perf_counter() - began

        yield Subject(
            step=lambda: session.run(fetches),
            flops=flops.count(fetches),
            shares=shares,
            pipeline_seconds=lambda: _pipeline_seconds(config, dataset),
            checkpoint_seconds=checkpoint_seconds,
        )


def flops_of_training(config: RunConfig, dataset: Dataset) -> Dict[str, int]:
    """Type → floating-point operations of a step, from its graph alone."""
    _, _, handles = _training_graph(config, dataset)
    return flops.count([handles.train_op, handles.metrics])


def _training_graph(config: RunConfig, dataset: Dataset):
    """A step's graph, the initializer of its data, and its handles."""
    with tf.Graph().as_default() as graph:
        start_data, batch = _reading(config, dataset)
        return graph, start_data, build(config, batch)


@contextlib.contextmanager
def sampling(model: ModelConfig, device: str, batch: int, fused: bool) -> Iterator[Subject]:
    """A batch as ``sample`` draws it. Untrained weights: what they are does not change how long it takes."""
    latents = np.zeros((batch, model.z_dim), np.float32), np.zeros(batch, np.int32)
    with Sampler(model, device, batch, fused) as sampler:
        sampler.load(folded_generator(_untrained(model), model))
        sampler.set_moments(_any_moments(model))
        yield Subject(step=lambda: list(sampler.images(*latents)), flops=flops.count([sampler.output()]))


@contextlib.contextmanager
def freezing(model: ModelConfig, device: str, batch: int, fused: bool) -> Iterator[Subject]:
    """A batch of the graph that ``freeze --batch`` leaves, of untrained weights."""
    folded = folded_generator(_untrained(model), model)
    graph_def = frozen.frozen_generator(folded, _any_moments(model), model, batch, fused)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        output = graph.get_tensor_by_name(frozen.OUTPUT + ":0")
    feed = {"z:0": np.zeros((batch, model.z_dim), np.float32), "y:0": np.zeros((batch, 1), np.int32)}
    with open_session(graph, device) as session:
        yield Subject(step=lambda: session.run(output, feed), flops=flops.count([output]))


def part_of(name: str) -> str:
    """The part of a step that an operation belongs to; TensorFlow's rewriting puts names before the scope's."""
    match = _SCOPE.search(name)
    return PARTS[match.group(1)] if match else REST


def _shares(session, fetches, little) -> Optional[Dict[str, float]]:
    """The shares of one traced step.

    What the trace cannot see, the call itself, is what a call takes that fetches next to nothing (``little``).
    """
    seconds = trace.split(trace.traced(session, fetches), part_of, waiting=(DATA,))
    if not seconds:
        return None
    calls = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        session.run(little)
        calls.append(time.perf_counter() - began)
    parts = dict.fromkeys([*PARTS.values(), REST, trace.OUTSIDE], 0.0)
    parts.update(seconds)
    parts[trace.OUTSIDE] += float(np.median(calls))
    total = sum(parts.values())
    return {part: value / total for part, value in parts.items()}


def _reading(config: RunConfig, dataset: Dataset):
    """The initializer and the batches of ``train``, on the default graph."""
    source = pipeline.BatchSource(dataset.images, dataset.labels, config.model, config.train)
    return pipeline.iterator(source, config.train, 0)


def _pipeline_seconds(config: RunConfig, dataset: Dataset) -> float:
    with tf.Graph().as_default() as graph:
        start_data, batch = _reading(config, dataset)
        arrived = tf.group(*batch.given().values())
    with open_session(graph, "cpu") as session:
        session.run(start_data)
        for _ in range(_PIPELINE_FILL):
            session.run(arrived)
        began = time.perf_counter()
        for _ in range(_PIPELINE_BATCHES):
            session.run(arrived)
        return (time.perf_counter() - began) / _PIPELINE_BATCHES


def _untrained(model: ModelConfig) -> Dict[str, np.ndarray]:
    return initial_values(generator_weights(model), np.random.RandomState(0))


def _any_moments(model: ModelConfig):
    return {name: (np.zeros(size, "f"), np.ones(size, "f")) for name, size in batch_norms(model).items()}
