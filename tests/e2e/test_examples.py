"""The examples, run as they are."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import biggan_cli
from tests.conftest import read_picture

EXAMPLES = Path(biggan_cli.__file__).parent.parent / "examples"


def run_example(command, outdir):
    """The example's words on stdout; ``biggan`` and ``python`` are those of this lane."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = dict(os.environ, PATH=path, BIGGAN_RUNS=str(outdir))
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.slow
def test_the_demo_draws_digits_that_are_recognized(tmp_path):
    """The whole demo: at least 0.88 of 1,000 samples show the digit that was asked for, and none is left out."""
    words = run_example(["sh", str(EXAMPLES / "01_digits" / "run.sh")], tmp_path)
    shares = dict(re.findall(r"^(\w+) +(\d\.\d{3})$", words, re.MULTILINE))
    assert len(shares) == 10 and all(float(share) > 0.6 for share in shares.values()), shares
    overall, count = re.search(r"recognized as asked: (\d\.\d{3}) of (\d+) samples", words).groups()
    assert float(overall) >= 0.88 and count == "1000"
    (run,) = tmp_path.glob("0*")
    assert read_picture(run / "sample" / "00000" / "grid.png").shape[0] == 640
    assert (run / "interpolate" / "three-to-eight.gif").is_file()
    (compared,) = json.loads((run / "verify" / "00000" / "verify.json").read_text())["differences"][1:]
    assert compared["images"] == 16 and compared["psnr_db"] > 50
    (report,) = re.findall(r"^report +(.*\.html)$", words, re.MULTILINE)
    assert report == str(run / "report" / "report.html") and "</html>" in (run / "report" / "report.html").read_text()


def test_the_table_of_latencies_has_a_row_for_each_graph():
    script = str(EXAMPLES / "06_measurements" / "latency.py")
    words = run_example(["python", script, "--base-channels", "2", "--batches", "1,2", "--rounds", "1"], "unused")
    rows = re.findall(r"^\| (.+?) \| (\d+) \| [\d.]+ \| ([\d.]+) \| [\d.]+ \| [\d.]+ \|$", words, re.MULTILINE)
    assert [name for name, _, _ in rows] == ["plain, power iteration in the graph", "plain", "fused"]
    assert rows[0][2] == "1.00" and int(rows[0][1]) > 3 * int(rows[1][1])


@pytest.mark.slow
def test_the_tables_of_recipes_have_a_row_for_each_variant(tmp_path):
    """Two steps of one seed: that it runs, what its cells hold, and that a second call takes what is there."""
    script = str(EXAMPLES / "06_measurements" / "compare.py")
    size = ["--steps", "2", "--seeds", "1", "--samples", "96", "--variants", "2", "--outdir", str(tmp_path)]
    words = run_example(["python", script, "corrections", *size], tmp_path)
    rows = re.findall(r"^\| (.+?) \| (\d\.\d{3}) ± 0\.000 \| (\d+\.\d) ± 0\.0 \|$", words, re.MULTILINE)
    assert [name for name, _, _ in rows] == ["reference, as documented", "+ gain centred on 1"]
    assert rows[0][2] != rows[1][2]
    assert len((tmp_path / "corrections.jsonl").read_text().splitlines()) == 2
    assert run_example(["python", script, "corrections", *size], tmp_path) == words
