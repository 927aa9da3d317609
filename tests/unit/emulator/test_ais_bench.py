"""``ais_bench``: names, packing, the summary, and the same failures as ``msame``."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.emulator import ais_bench, atc, flags, offline_model

RANDOM = np.random.RandomState(12)


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    built, _ = atc.build(flags.check(flags.parse(tiny.flags(folder / "static"))), "")
    offline_model.write(folder / "static.om", built)
    return folder / "static.om"


@pytest.fixture
def run(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder, dtype, size in (("z", np.float32, 8), ("y", np.int32, 1)):
        Path(folder).mkdir()
        for number in range(3):  # one picture a file; the model's batch is 2
            RANDOM.randint(3, size=size).astype(dtype).tofile(f"{folder}/{number:04d}.part.bin")

    def call(*arguments, fail=""):
        monkeypatch.setenv("BIGGAN_EMULATOR_FAIL", fail)
        code = ais_bench.main(["--model", str(model), *arguments])
        return code, capsys.readouterr().out

    return call


def test_files_are_packed_into_batches(run):
    code, text = run("--input", "z,y", "--output", "out", "--output_dirname", "d")
    assert code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["d", "d_summary.json"]
    assert sorted(path.name for path in Path("out/d").iterdir()) == ["0000_0.bin", "0001_0.bin", "0002_0.bin"]
    assert all(path.stat().st_size == 4 * 4 * 3 * 4 for path in Path("out/d").iterdir())
    assert "filesperbatch:2 runcount:2" in text
    number = r"[\d.e+-]+"
    assert "[INFO] -----------------Performance Summary------------------\n" in text
    assert re.search(
        rf"^\[INFO\] NPU_compute_time \(ms\): min = {number}, max = {number}, mean = {number}, "
        rf"median = {number}, percentile\(99%\) = {number}$",
        text,
        re.MULTILINE,
    )
    assert re.search(
        rf"^\[INFO\] throughput 1000\*batchsize.mean\(2\)/NPU_compute_time.mean\({number}\): {number}$",
        text,
        re.MULTILINE,
    )
    summary = json.loads(Path("out/d_summary.json").read_text())
    assert summary["filesinfo"]["2"]["outfiles"] == ["out/d/0002_0.bin"]
    assert summary["NPU_compute_time"]["count"] == 2


def test_the_folder_is_the_time_by_default(run):
    run("--output", "out", "--outfmt", "NPY", "--loop", "3")
    (folder,) = (path for path in Path("out").iterdir() if path.is_dir())
    assert re.fullmatch(r"\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d", folder.name)
    assert Path(f"{folder}_summary.json").is_file()
    assert np.load(str(folder / "pure_infer_data_0.npy")).shape == (2, 4, 4, 3)


def test_mistakes_raise(run):
    np.zeros(9, np.float32).tofile("z/0000.part.bin")
    for arguments, words in (
        (["--input", "z,y"], "tensorsize: 64 filesize: 36 not match"),
        (["--input", "z"], "not equal to model inputs num:2"),
        (["--input", "z/absent.bin,y/0000.part.bin"], "not exist"),
        (["--output_dirname", "d"], "cann't be used alone"),
        (["--dymBatch", "4"], "dymBatch"),
    ):
        with pytest.raises(RuntimeError, match=re.escape(words)):
            run(*arguments)


def test_failures(run):
    def outputs(mode):
        code, _ = run("--input", "z,y", "--output", mode, "--output_dirname", "d", fail=f"ais_bench:{mode}")
        return code, sorted(Path(mode).glob("d/*.bin"))

    assert outputs("exit1")[0] == 1
    assert [path.name for path in outputs("missing")[1]] == ["0000_0.bin", "0001_0.bin"]
    assert outputs("truncate")[1][-1].stat().st_size == 96
    assert np.isnan(np.fromfile(str(outputs("nan")[1][0]), np.float32)).all()
    assert outputs("fail") == (0, [])


def test_the_process(tool, model, tmp_path):
    done = tool("ais_bench", "--model", model, "--output", "out", "--output_dirname", "d", cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "out/d/pure_infer_data_0.bin").stat().st_size == 384
    done = tool("ais_bench", "--model", "absent.om", cwd=tmp_path)
    assert done.returncode == 1 and "RuntimeError" in done.stderr
