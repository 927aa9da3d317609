"""What biggan gives to msame and ais_bench, and what it reads in what they leave and print."""

import json
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.deploy import msame
from biggan_cli.errors import UsageError
from biggan_cli.runtime.process import Ended
from biggan_cli.settings import MsameRunConfig

FOLDERS = [Path("/bins/z"), Path("/bins/y")]
COMMON = ["--model", "/atc/m.om", "--input", "/bins/z,/bins/y", "--output", "/raw", "--outfmt", "BIN"]


def argv(gear=None, **settings):
    return msame.build_argv(MsameRunConfig(**settings), Path("/atc/m.om"), FOLDERS, Path("/raw"), gear)


def ended(*lines):
    return Ended(0, 1.0, list(lines))


@pytest.mark.parametrize(
    ("runner", "own", "yes"), (("msame", [], "true"), ("ais_bench", ["--output_dirname", "results"], "1"))
)
def test_the_arguments_of_both(runner, own, yes):
    assert argv(runner=runner) == [*COMMON, "--device", "0", "--loop", "1", *own]
    assert argv(8, runner=runner, device_id=3, loop=10, profiler=True, dump=True) == [
        *COMMON,
        *("--device", "3", "--loop", "10", "--dymBatch", "8"),
        *own,
        *("--profiler", yes, "--dump", yes),
    ]
    assert argv(runner=runner, dump=True)[-2:] == ["--dump", yes] and "--profiler" not in argv(runner=runner, dump=True)


def test_the_folders_keep_the_order_of_the_model_s_inputs():
    found = msame.build_argv(MsameRunConfig(), Path("m.om"), FOLDERS[::-1], Path("/raw"), None)
    assert found[3] == "/bins/y,/bins/z"


@pytest.mark.parametrize("path", ("/a,b/run", "/a/x.bin/run", "/a/x.bins", "/a.binary/run"))
def test_a_path_that_msame_does_not_take(path):
    with pytest.raises(UsageError) as raised:
        msame.check_path(Path(path))
    assert repr("," if "," in path else ".bin") in raised.value.message and path in raised.value.message


@pytest.mark.parametrize("path", ("/a b/run", "/bin/run", "/a.b/in", "/数据"))
def test_a_path_that_msame_takes(path):
    msame.check_path(Path(path))


@pytest.mark.parametrize(
    ("place", "ending"), (("20261122_10_3_59_123456", "_output_0"), ("results", "_0"), (".", "_output_0"), (".", "_0"))
)
def test_the_outputs_of_both_are_found(tmp_path, place, ending):
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    for name in (f"000000{ending}.bin", f"000017{ending}.bin"):
        (folder / name).write_bytes(b"x")
    for name in (
        f"000001{ending.replace('0', '1')}.bin",  # a second output
        f"000002{ending}.txt",
        "000003.bin",
        f"m{ending}.bin",
        "results_summary.json",
        "pure_infer_data_0.bin",
    ):
        (folder / name).write_bytes(b"x")
    assert msame.outputs_in(tmp_path) == {
        "000000": folder / f"000000{ending}.bin",
        "000017": folder / f"000017{ending}.bin",
    }


def test_there_are_no_outputs_where_there_is_no_folder(tmp_path):
    assert msame.outputs_in(tmp_path / "gone") == {} == msame.outputs_in(tmp_path)


@pytest.mark.parametrize(
    ("batch", "gears", "wanted"),
    (
        (4, (), 400),
        (1, (), 100),
        (8, (1, 2, 4, 8), 800),
        (4, (1, 2, 4, 8), 400),
        (1, (8, 1, 4), 100),
        (3, (1, 3, 8), 400),  # 800 // (8 // 3): more than three pictures
        (5, (5, 8), 800),
        (3, (3, 10), 333),  # 1000 // (10 // 3): a part of a picture is left over
    ),
)
def test_the_bytes_that_are_written(batch, gears, wanted):
    found = msame.written_bytes("msame", batch, gears, 100)
    assert found == wanted and found >= batch * 100


def test_the_times_of_msame(tmp_path):
    found = msame.times_of(
        ended(
            "[INFO] model execute success",
            "Inference time: 30.5ms",
            "Inference time: 10.0ms",
            "Inference time: 1.5e1 ms",
            "Inference average time : 18.5 ms",
            "Inference average time without first time: 12.5 ms",
        ),
        tmp_path,
        4,
    )
    assert found == dict(first_ms=30.5, mean_ms=12.5, images_per_second=pytest.approx(320.0))


SUMMARY = [
    "[INFO] -----------------Performance Summary------------------",
    "[INFO] H2D_latency (ms): min = 0.05, max = 0.06, mean = 0.055, median = 0.05, percentile(99%) = 0.06",
    "[INFO] NPU_compute_time (ms): min = 1.5, max = 9.25, mean = 4.0, median = 1.9, percentile(99%) = 9.1",
    "[INFO] throughput 1000*batchsize.mean(16)/NPU_compute_time.mean(4.0): 4000.0",
]
"""What ais_bench prints, which has no time of the first inference."""


def of_ais_bench(raw, times, batch=16):
    """The times where ais_bench left these."""
    left = dict(NPU_compute_time=dict(mean=4.0), filesinfo={}, npu_compute_time_list=times)
    (raw / "results_summary.json").write_text(json.dumps(left))
    return msame.times_of(ended(*SUMMARY), raw, batch)


def of_msame(raw, times, batch=16):
    """The times where msame printed these."""
    return msame.times_of(ended(*(f"Inference time: {time}ms" for time in times)), raw, batch)


BOTH = pytest.mark.parametrize("times_of", (of_msame, of_ais_bench), ids=("msame", "ais_bench"))


@BOTH
def test_the_times_are_those_of_the_first_and_of_the_others(tmp_path, times_of):
    assert times_of(tmp_path, [9.25, 1.5, 2.5]) == dict(first_ms=9.25, mean_ms=2.0, images_per_second=8000.0)


@BOTH
def test_a_single_time_is_the_first_and_the_mean(tmp_path, times_of):
    assert times_of(tmp_path, [8], 2) == dict(first_ms=8.0, mean_ms=8.0, images_per_second=250.0)


@BOTH
def test_no_times(tmp_path, times_of):
    assert times_of(tmp_path, []) == {}
    assert msame.times_of(ended("[INFO] acl init success"), tmp_path / "gone", 4) == {}


@BOTH
def test_a_time_of_zero_gives_no_rate(tmp_path, times_of):
    assert times_of(tmp_path, [0, 0]) == dict(first_ms=0.0, mean_ms=0.0)


@BOTH
def test_the_times_are_plain_numbers(tmp_path, times_of):
    found = times_of(tmp_path, [2, 3])
    assert len(found) == 3
    for value in found.values():
        assert type(value) is float and not isinstance(value, np.floating)


@pytest.mark.parametrize(
    "content",
    (
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b'{"npu_compute_time_list": null}',
        b'{"npu_compute_time_list": ["x"]}',
        b'{"npu_compute_time_list": [[1, 2]]}',
    ),
)
def test_a_summary_that_is_damaged_gives_no_times(tmp_path, content):
    (tmp_path / "results_summary.json").write_bytes(content)
    assert msame.times_of(ended(*SUMMARY), tmp_path, 4) == {}


@pytest.mark.parametrize(
    ("outputs", "others"),
    (
        (["20261122_10_3_59_123456/000000_output_0.bin"], ["profiler", "dump"]),
        (["results/000000_0.bin", "results/000001_0.bin"], ["profiler", "dump"]),
        (["000000_output_0.bin"], ["PROF_1"]),
        (["results/000000_0.bin"], []),
        ([], []),
    ),
)
def test_what_profiling_and_dumping_left(tmp_path, outputs, others):
    for name in [*outputs, *(f"{other}/deeper/data.bin" for other in others), "acl.json", "results_summary.json"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert msame.left_besides(tmp_path) == sorted(tmp_path / other for other in others)


def test_nothing_is_left_where_there_is_no_folder(tmp_path):
    """As before the first run."""
    assert msame.left_besides(tmp_path / "gone") == []


def test_an_empty_folder_is_left_besides_too(tmp_path):
    (tmp_path / "dump").mkdir()
    assert msame.left_besides(tmp_path) == [tmp_path / "dump"]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    (
        (["[INFO] a", "[ERROR] model path m is wrong", "[ERROR] b"], "model path m is wrong"),
        (["[INFO] a", "2026 [ERROR] load failed, ret 145001"], "2026  load failed, ret 145001"),
        (
            ["Traceback (most recent call last):", '  File "x", line 1', "RuntimeError: tensorsize: 8 not match"],
            "RuntimeError: tensorsize: 8 not match",
        ),
        (["ModuleNotFoundError: No module named 'aclruntime'"], "ModuleNotFoundError: No module named 'aclruntime'"),
        (["[INFO] no Error here", "[WARN] x", ""], None),
        ([], None),
    ),
)
def test_the_first_error(lines, wanted):
    assert msame.first_error(ended(*lines)) == wanted
