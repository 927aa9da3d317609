"""What the tests share: the console script as users call it, tiny settings, and a tiny trained run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BIGGAN = str(Path(sys.executable).parent / "biggan")
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
    "--save-every",
    "2",
    "--sample-every",
    "100",
    "--log-every",
    "2",
]


def run_biggan(*arguments, cwd=None, env=None, check=None):
    """The console script in a process of its own; ``check`` is the exit code that it must have."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BIGGAN_")}
    environment.update(env or {}, COLUMNS="100")
    command = [BIGGAN] + [str(argument) for argument in arguments]
    done = subprocess.run(command, cwd=cwd and str(cwd), env=environment, capture_output=True, timeout=600)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    if check is not None:
        assert done.returncode == check, done.stderr
        assert check == 0 or "Traceback" not in done.stderr
    return done


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
