"""The examples, run as they are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import biggan_cli
from tests.conftest import read_picture

EXAMPLES = Path(biggan_cli.__file__).parent.parent / "examples"


@pytest.mark.slow
def test_the_demo_draws_digits_that_are_recognized(tmp_path):
    """The whole demo: at least 0.88 of 1,000 samples show the digit that was asked for, and none is left out."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", str(EXAMPLES / "01_digits" / "run.sh")],
        env=dict(os.environ, PATH=path, BIGGAN_RUNS=str(tmp_path)),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    shares = dict(re.findall(r"^(\w+) +(\d\.\d{3})$", done.stdout.decode(), re.MULTILINE))
    assert len(shares) == 10 and all(float(share) > 0.6 for share in shares.values()), shares
    overall, count = re.search(r"recognized as asked: (\d\.\d{3}) of (\d+) samples", done.stdout.decode()).groups()
    assert float(overall) >= 0.88 and count == "1000"
    (run,) = tmp_path.glob("0*")
    assert read_picture(run / "sample" / "00000" / "grid.png").shape[0] == 640
    assert (run / "interpolate" / "three-to-eight.gif").is_file()
