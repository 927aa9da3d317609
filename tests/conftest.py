"""What the tests share: ``biggan`` as users call it, tiny settings, and a tiny trained run.

How they are kept fast; the whole of a lane should take ten minutes on two cores:

- ``biggan`` (:func:`run_biggan`) is a process of its own, and begins with TensorFlow loaded: it is a copy, see
  :mod:`tests.loaded`. A call costs a tenth of a second and what it computes, so mistakes are cheap to test one by one.
  Processes that are started from nothing cost seconds each. They stand where that is what is tested: signals, a
  shell, a library that does not load, the deployed run of :mod:`tests.e2e.conftest`, which is the proof of the chain.
- To build the graph of a training takes eight seconds of computing whatever its size, to sample less than one. Take
  :func:`tiny_runs` or ``deployed`` and a copy of it before you train; more steps are cheap, another training is not.
- What is dear is made once for all workers of xdist, with :func:`made_once`; ``module`` and ``session`` fixtures of
  pytest are made once for each worker.
- ``TESTS_START_EACH=1`` starts a console script for every call, to see that both are the same.
"""

import fcntl
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import io

from tests import loaded

BIGGAN = loaded.BIGGAN

TINY = [
    "--preset",
    "digits",
    "--base-channels",
    "2",
    "--z-dim",
    "8",
    "--shared-dim",
    "4",
    "--batch",
    "4",
    "--d-steps",
    "1",
    "--save-every",
    "2",
    "--sample-every",
    "100",
    "--log-every",
    "2",
]


def run_biggan(*arguments, cwd=None, env=None, check=None):
    """``biggan …`` in a process of its own, see :mod:`tests.loaded`; ``check`` is the exit code that it must have."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BIGGAN_")}
    environment.update(env or {}, COLUMNS="100")
    done = loaded.run(arguments, cwd, environment)
    if check is not None:
        assert done.returncode == check, done.stderr
        assert check == 0 or "Traceback" not in done.stderr
    return done


CIFAR10_BATCHES = [f"data_batch_{number}.mat" for number in range(1, 6)] + ["test_batch.mat"]


def small_cifar10(folder):
    """Six small batches in CIFAR-10's own layout; every picture says which batch and place it is."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(CIFAR10_BATCHES):
        data = np.zeros((20, 3, 32, 32), np.uint8)
        data[:, 0] = number * 20 + np.arange(20)[:, None, None]
        data[:, 1] = np.arange(32)[:, None]  # green: the row
        data[:, 2] = np.arange(32)  # blue: the column
        labels = (np.arange(20) % 10).astype(np.uint8)[:, None]
        io.savemat(str(folder / name), dict(data=data.reshape(20, 3072), labels=labels, batch_label="x"))
    return folder


def read_picture(path):
    """uint8 [H, W, 3] of a picture file."""
    with Image.open(str(path)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="session")
def biggan():
    return run_biggan


def made_once(tmp_path_factory, name, make):
    """The folder ``name``, which ``make(folder)`` makes once for all workers of xdist; tests must not change it."""
    workers = "PYTEST_XDIST_WORKER" in os.environ
    folder = (tmp_path_factory.getbasetemp().parent if workers else tmp_path_factory.getbasetemp()) / name
    with open(str(folder) + ".lock", "a") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        if not folder.exists():
            making = folder.with_name("making-" + name)
            shutil.rmtree(str(making), ignore_errors=True)
            make(making)
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory):
    """A directory ``runs`` with one run of four steps; tests must not change the run itself."""

    def make(folder):
        run_biggan("train", *TINY, "--steps", 4, "--outdir", folder, check=0)

    outdir = tmp_path_factory.mktemp("tiny") / "runs"  # where the tests of each worker draw
    shutil.copytree(str(made_once(tmp_path_factory, "tiny-runs", make)), str(outdir))
    return outdir


@pytest.fixture(scope="session")
def tiny_run(tiny_runs):
    (run,) = [path for path in tiny_runs.iterdir() if path.is_dir()]
    return run
