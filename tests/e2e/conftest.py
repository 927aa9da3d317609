"""What is made once for all tests: a run that went the whole way to the emulated device, and its scores."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BIGGAN, made_once
from tests.e2e import scoring
from tests.e2e.deployment import EMULATED, LATENTS


@pytest.fixture(scope="session")
def deployed(request, tmp_path_factory):
    """A folder with ``runs/``, where the four commands ran in a shell, no path typed; tests must not change it."""
    return made_once(tmp_path_factory, "deployed", lambda folder: _deploy(request.getfixturevalue("tiny_run"), folder))


def _deploy(tiny_run, folder):
    shutil.copytree(str(tiny_run), str(folder / "runs" / tiny_run.name))
    script = f"biggan freeze && biggan to-bin --num {LATENTS} && biggan atc --soc Ascend310 && biggan msame-run"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BIGGAN_")}
    environment.update(EMULATED, PATH=f"{Path(BIGGAN).parent}:{os.environ['PATH']}")
    done = subprocess.run(["bash", "-c", script], cwd=str(folder), env=environment, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    assert os.listdir(str(folder)) == ["runs"]


@pytest.fixture
def run(deployed, tmp_path):
    """A copy of the deployed run, in ``tmp_path/runs``, that a test may change."""
    shutil.copytree(str(deployed / "runs"), str(tmp_path / "runs"))
    (path,) = (tmp_path / "runs").glob("0*")
    return path


@pytest.fixture(scope="session")
def shop(request, tmp_path_factory):
    """What was scored once for all tests, see :func:`tests.e2e.scoring.workshop`."""
    return scoring.workshop(request, tmp_path_factory)


@pytest.fixture
def bench(shop, tmp_path):
    """In a folder of the test's own, with the workshop's cache."""
    return scoring.Bench(tmp_path, shop / "cache")


@pytest.fixture
def clone(tmp_path):
    """In a folder of the test's own, for the lines of a page, see :func:`tests.e2e.pages.run_page`."""
    return scoring.Bench(tmp_path, timeout=1800)  # a whole page in one process, on a machine that may be busy


@pytest.fixture(scope="session")
def plain(shop):
    """The record of the run, scored as it is."""
    return json.loads((shop / "plain.json").read_text())


@pytest.fixture(scope="session")
def kept(shop):
    """What the digit classifier found in the same pictures."""
    return scoring.arrays_in(shop / "kept.npz")
