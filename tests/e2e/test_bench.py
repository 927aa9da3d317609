"""``biggan bench`` through the console script: structure and words; no time is asserted."""

import json
import os
import re

import pytest

from biggan_cli.cli.bench import _show
from biggan_cli.core.bench import BenchResult
from tests.e2e.test_npu import FAKE, has_adapter

TINY = ["--preset", "digits", "--base-channels", 2, "--rounds", 2, "--steps", 1]
LAST = (
    r"Final Performance images/sec : \d+\.\d+\n"
    r"Final Performance sec/step : \d+\.\d+\n"
    r"E2E Training Duration sec : \d+\n$"
)
PARTS = ["data", "discriminator", "generator", "ema", "rest", "outside", "saving"]


@pytest.fixture(scope="module")
def measured(biggan, tmp_path_factory):
    """Both ways of resampling, in turns; and that nothing is left behind."""
    folder, temporary = tmp_path_factory.mktemp("bench"), tmp_path_factory.mktemp("temporary")
    options = ["--batch", 4, "--d-steps", 1, "--resample", "plain,fused", "--json"]
    done = biggan("bench", *TINY, *options, cwd=folder, env=dict(TMPDIR=str(temporary)), check=0)
    assert "fp32 plain 4, fp32 fused 4" in done.stderr
    assert not list(folder.iterdir()) and not list(temporary.iterdir())
    return json.loads(done.stdout)


def test_a_row_for_each_way(measured):
    assert [(row["precision"], row["resample"], row["batch"]) for row in measured["rows"]] == [
        ("fp32", "plain", 4),
        ("fp32", "fused", 4),
    ]
    plain, fused = measured["rows"]
    assert plain["times_first"] == 1 and fused["times_first"] > 0
    assert plain["flops_per_step"] > 1.2 * fused["flops_per_step"] > 1e6
    assert measured["seconds_per_step"] == fused["seconds_per_step"] < measured["e2e_seconds"]
    assert measured["images_per_second"] == fused["images_per_second"] == pytest.approx(4 / fused["seconds_per_step"])
    assert measured["base_channels"] == 2 and measured["device"] == "cpu"


def test_the_parts_are_the_step(measured):
    for row in measured["rows"]:
        split = dict(row["split_seconds"])
        assert list(split) == PARTS
        assert min(split.values()) >= 0 and split["discriminator"] > split["ema"] < split["generator"]
        assert split.pop("saving") == pytest.approx(row["checkpoint_seconds"] / 100)
        assert sum(split.values()) == pytest.approx(row["seconds_per_step"])
        outside = split["data"] + split["outside"]
        assert row["outside_share"] == pytest.approx(outside / row["seconds_per_step"])
        assert row["pipeline_times_step"] == pytest.approx(row["seconds_per_step"] / row["pipeline_seconds"])
        assert [len(turn) for turn in row["seconds_of_steps"]] == [1, 1]
        if row["memory_bytes"] is not None:  # of each row alone; a copied process shares some
            assert 50 << 20 < row["memory_bytes"] < 3 * measured["rows"][0]["memory_bytes"]
        assert row["gpu_memory_bytes"] is None


def test_the_share_of_the_peak(measured):
    (peak,) = measured["peak_flops_per_second"].values()
    for row in measured["rows"]:
        assert row["flops_by_type"] == {"float32": row["flops_per_step"]}
        assert row["flops_per_second"] == pytest.approx(row["flops_per_step"] / row["seconds_per_step"])
        assert row["share_of_peak"] == pytest.approx(row["flops_per_second"] / peak)


def test_the_tables_fit_and_the_last_lines_are_those_of_the_seed(measured, capsys):
    large = dict(precision="mixed", batch=1024, seconds_per_step=49.512, images_per_second=12345.6)
    large.update(flops_per_step=1.6e12, flops_per_second=12e12, memory_bytes=12e9)
    _show(BenchResult(**dict(measured, rows=[dict(row, **large) for row in measured["rows"]])))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert re.search(LAST, shown)
    unknown = dict.fromkeys(("split_seconds", "outside_share", "share_of_peak", "memory_bytes"))
    _show(BenchResult(**dict(measured, rows=[dict(row, **unknown) for row in measured["rows"]])))
    assert "unknown" in capsys.readouterr().out


def test_the_settings_of_a_run(biggan, tiny_run):
    """The sampler and the frozen graph with the tiny run's network; its own files stay as they are."""
    before = sorted(tiny_run.rglob("*"))
    done = biggan(
        "bench", "sample", "--run", tiny_run, "--batch", "1,2", "--rounds", 1, "--steps", 1, "--json", check=0
    )
    one, two = json.loads(done.stdout)["rows"]
    assert two["flops_per_step"] == 2 * one["flops_per_step"] and one["split_seconds"] is None
    done = biggan("bench", "frozen", "--run", tiny_run, "--batch", 2, "--rounds", 1, check=0)
    assert "fp32 plain 2" in done.stdout and "s/batch" in done.stdout and re.search(LAST, done.stdout)
    assert sorted(tiny_run.rglob("*")) == before


@has_adapter
def test_an_npu_tells_no_parts(biggan, tmp_path):
    """Against the stand-in for npu_bridge, which writes to stdout as the adapter does."""
    environment = dict(PYTHONPATH=os.pathsep.join(filter(None, [str(FAKE), os.environ.get("PYTHONPATH")])))
    options = ["--batch", 4, "--d-steps", 1, "--device", "npu", "--precision", "mixed", "--json"]
    done = biggan("bench", *TINY, *options, cwd=tmp_path, env=environment, check=0)
    result = json.loads(done.stdout)
    (row,) = result["rows"]
    assert result["device"] == "npu" and row["precision"] == "mixed" and row["seconds_per_step"] > 0
    assert row["split_seconds"] is row["outside_share"] is row["share_of_peak"] is None
    assert result["peak_flops_per_second"] == {} and row["flops_per_step"] > 1e6
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["traning"], ["traning is not one of train, sample, frozen", "fix: biggan bench train"]),
        (["--batch", "8,x"], ["--batch 8,x: x is not one of", "fix: --batch 32"]),
        (["--rounds", 0], ["--rounds 0"]),
        (["sample", "--precision", "mixed"], ["--precision mixed is for training", "fix: leave --precision mixed out"]),
        (["--data", "mnist"], ["--data mnist"]),
        (["--run", "latest"], ["there is no run in runs"]),
    ),
)
def test_one_clear_error(biggan, tmp_path, arguments, words):
    done = biggan("bench", *arguments, cwd=tmp_path, check=2)
    assert done.stdout == "" and len(re.findall("^error: ", done.stderr, re.MULTILINE)) == 1
    for word in words:
        assert word in done.stderr
    assert not list(tmp_path.iterdir())
