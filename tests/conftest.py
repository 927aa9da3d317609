"""What the tests share: the console script as users call it, tiny settings, and a tiny trained run."""

import os

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


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory):
    """A directory ``runs`` with one run of four steps; tests must not change the run itself."""
    outdir = tmp_path_factory.mktemp("tiny") / "runs"
    run_biggan("train", *TINY, "--steps", 4, "--outdir", outdir, check=0)
    return outdir


@pytest.fixture(scope="session")
def tiny_run(tiny_runs):
    (run,) = [path for path in tiny_runs.iterdir() if path.is_dir()]
    return run
