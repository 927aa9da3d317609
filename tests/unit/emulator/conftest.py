"""A tiny frozen graph, and the emulated tools as processes and as functions."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from biggan_cli.emulator import BIN
from biggan_cli.runtime.tf import tf

WEIGHTS = np.random.RandomState(3)


@pytest.fixture(scope="session")
def tool():
    """Runs ``atc`` or ``msame`` as a process; stdout and stderr come as text."""

    def run(name, *arguments, cwd=None, fail="", timeout=60):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("BIGGAN_")}
        environment.update(BIGGAN_PYTHON=sys.executable, BIGGAN_EMULATOR_FAIL=fail)
        command = [str(BIN / name)] if (BIN / name).exists() else [sys.executable, "-m", f"biggan_cli.emulator.{name}"]
        done = subprocess.run(
            command + [str(argument) for argument in arguments],
            cwd=cwd and str(cwd),
            env=environment,
            capture_output=True,
            timeout=timeout,
        )
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done

    return run


def save_graph(path: Path, build) -> Path:
    """``build()`` adds operations to an empty graph, which becomes a frozen graph in ``path``."""
    graph = tf.Graph()
    with graph.as_default():
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def tiny_generator():
    """z [None, 8], y [None, 1] → pictures [None, 4, 4, 3] named ``output``: the operators of a generator."""
    z = tf.placeholder(tf.float32, [None, 8], name="z")
    y = tf.placeholder(tf.int32, [None, 1], name="y")
    classes = tf.reshape(tf.one_hot(y, 3, name="one_hot"), [-1, 3], name="classes")
    weights = WEIGHTS.normal(size=(11, 32)).astype(np.float32)
    h = tf.matmul(tf.concat([z, classes], 1, name="joined"), tf.constant(weights, name="weights"), name="linear")
    h = tf.nn.bias_add(h, tf.constant(WEIGHTS.normal(size=32).astype(np.float32)), name="bias")
    h = tf.reshape(h, [-1, 4, 4, 2])
    kernel = tf.constant(WEIGHTS.normal(size=(3, 3, 2, 4)).astype(np.float32), name="kernel")
    h = tf.nn.relu(tf.nn.conv2d(h, kernel, [1, 1, 1, 1], "SAME", name="conv"), name="relu")
    pooled = tf.nn.avg_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name="pool")
    soft = tf.nn.softmax(tf.reshape(pooled, [-1, 4, 4]), name="soft")
    h = tf.reshape(tf.matmul(tf.reshape(h, [-1, 16, 4]), soft, name="attention"), [-1, 4, 4, 4])
    tf.identity(tf.tanh(h[..., :3], name="tanh"), name="output")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """``pb``, a frozen graph; ``flags(**changes)``, a correct command line of ``atc`` with changes (None: left out)."""
    folder = tmp_path_factory.mktemp("tiny_graph")
    pb = save_graph(folder / "generator.pb", tiny_generator)

    def flags(output, **changes):
        values = dict(
            model=pb,
            framework=3,
            output=output,
            soc_version="Ascend310",
            input_shape="z:2,8;y:2,1",
            out_nodes="output:0",
        )
        values.update(changes)
        return [f"--{name}={value}" for name, value in values.items() if value is not None]

    return SimpleNamespace(pb=pb, flags=flags, save_graph=save_graph)
