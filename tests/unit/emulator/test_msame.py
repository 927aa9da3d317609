"""``msame``: names, loops, sizes, and its habit to exit with 0."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.emulator import atc, flags, msame, offline_model

FOLDER = r"20\d\d\d{1,2}\d{1,2}_\d{1,2}_\d{1,2}_\d{1,2}_\d{1,6}"
RANDOM = np.random.RandomState(11)


@pytest.fixture(scope="module")
def models(tiny, tmp_path_factory):
    """A folder with ``static.om`` (batch 2), ``gears.om`` (batches 1, 3 and 8) and ``bad.om``."""
    folder = tmp_path_factory.mktemp("models")
    for name, changes in (
        ("static", {}),
        ("gears", dict(input_shape="z:-1,8;y:-1,1", dynamic_batch_size="1,3,8")),
    ):
        model, _ = atc.build(flags.check(flags.parse(tiny.flags(folder / name, **changes))), "")
        offline_model.write(folder / (name + ".om"), model)
    (folder / "bad.om").write_bytes((folder / "static.om").read_bytes()[:-7])
    return folder


def write_inputs(count, batch=2):
    """Files 0000.bin … in the folders z and y; returns the values."""
    Path("z").mkdir()
    Path("y").mkdir()
    values = []
    for number in range(count):
        z = RANDOM.normal(size=(batch, 8)).astype(np.float32)
        y = RANDOM.randint(3, size=(batch, 1)).astype(np.int32)
        z.tofile(f"z/{number:04d}.bin")
        y.tofile(f"y/{number:04d}.bin")
        values.append((z, y))
    return values


@pytest.fixture
def run(models, tmp_path, monkeypatch, capsys):
    """``run(model, *arguments)``: exit code, stdout and the folder of outputs, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(model, *arguments, fail="", output="out"):
        monkeypatch.setenv("BIGGAN_EMULATOR_FAIL", fail)
        code = msame.main(["--model", str(models / model), "--output", output, *arguments])
        text = capsys.readouterr().out
        folder = re.search(rf"^{output}/{FOLDER}$", text, re.MULTILINE)
        return code, text, folder and Path(folder.group())

    return call


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_process_over_folders(tool, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_inputs(3)
    done = tool("msame", "--model", models / "static.om", "--input", "z,y", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "[INFO] acl init success" and lines[-1] == "[INFO] end to finalize acl"
    assert "[INFO] Execute sample success" in lines and lines.count("[INFO] model execute success") == 3
    assert lines.count("[INFO] start to process file:y/0002.bin") == 1
    assert len([line for line in lines if re.fullmatch(r"Inference time: [\d.e+]+ms", line)]) == 3
    assert re.search(r"^Inference average time : \d+\.\d\d ms$", done.stdout, re.MULTILINE)
    assert re.search(r"^Inference average time without first time: \d+\.\d\d ms$", done.stdout, re.MULTILINE)
    (folder,) = Path("out").iterdir()
    assert re.fullmatch(FOLDER, folder.name)
    assert names(folder) == ["0000_output_0.bin", "0001_output_0.bin", "0002_output_0.bin"]
    assert (folder / "0000_output_0.bin").stat().st_size == 2 * 4 * 4 * 3 * 4


def test_the_first_folder_drives_and_the_order_is_by_name(run):
    write_inputs(3)
    Path("z/0001.bin").unlink()
    Path("z/.hidden").write_text("")
    code, text, folder = run("static.om", "--input", "z,y")
    assert code == 0 and names(folder) == ["0000_output_0.bin", "0002_output_0.bin"]
    Path("y/0002.bin").unlink()
    code, text, folder = run("static.om", "--input", "z, y")
    assert code == 1 and names(folder) == ["0000_output_0.bin"]
    assert "[ERROR] open file y/0002.bin failed\n[ERROR] get pic device buffer failed,index is 1\n" in text


def test_single_files_and_zeros_are_named_after_the_model(run):
    write_inputs(1)
    code, text, folder = run("static.om", "--input", "z/0000.bin,y/0000.bin", "--loop", "3")
    assert code == 0 and names(folder) == ["static_output_0.bin"]
    assert len(re.findall("^Inference time: ", text, re.MULTILINE)) == 3
    assert re.search(r"^Inference average time: \d+\.\d{6} ms$", text, re.MULTILINE)
    _, _, zeros = run("static.om")
    assert names(zeros) == ["static_output_0.bin"]
    first, second = (np.fromfile(str(path / "static_output_0.bin"), np.float32) for path in (folder, zeros))
    assert np.isfinite(second).all() and not np.array_equal(first, second)


def test_text(run):
    code, _, folder = run("static.om", "--outfmt", "TXT")
    rows = np.loadtxt(str(folder / "static_output_0.txt"))
    assert code == 0 and rows.shape == (2 * 4 * 4, 3)
    assert names(run("static.om", "--outfmt", "txt")[2]) == ["static_output_0.bin"]


def test_a_folder_named_like_a_file_is_taken_for_one(run):
    write_inputs(1)
    Path("z").rename("z.bin")
    code, text, _ = run("static.om", "--input", "z.bin,y")
    assert code == 1 and "[ERROR] open file z.bin failed" in text


def test_sizes(run):
    ((z, y),) = write_inputs(1)
    right = np.fromfile(str(run("static.om", "--input", "z,y")[2] / "0000_output_0.bin"), np.float32)
    y.astype(np.int64).tofile("y/0000.bin")
    code, text, folder = run("static.om", "--input", "z,y")
    assert code == 0 and "[WARN] Input size [16] is bigger than om size need [8]" in text
    assert not np.array_equal(np.fromfile(str(folder / "0000_output_0.bin"), np.float32), right)
    y.tofile("y/0000.bin")
    z[:1].tofile("z/0000.bin")  # 32 bytes too small: within the 64 that the runtime tolerates
    assert run("static.om", "--input", "z,y")[0] == 0
    Path("z/0000.bin").write_bytes(b"")
    assert run("static.om", "--input", "z,y")[0] == 1


def test_after_a_failure_all_others_fail_and_the_exit_code_is_0(run, tiny, models):
    big = 32
    model, _ = atc.build(flags.check(flags.parse(tiny.flags(models / "big", input_shape=f"z:{big},8;y:{big},1"))), "")
    offline_model.write(models / "big.om", model)
    write_inputs(4, big)
    Path("z/0002.bin").write_bytes(b"short")
    code, text, folder = run("big.om", "--input", "z,y")
    assert code == 0 and "Execute sample success" in text
    assert names(folder) == ["0000_output_0.bin", "0001_output_0.bin"]
    assert text.count("[ERROR] model execute failed") == 2
    Path("z/0001.bin").write_bytes(b"short")
    code, text, folder = run("big.om", "--input", "z,y")
    assert code == 1 and "[ERROR] Sample process failed" in text


def test_a_missing_input_fails(run):
    write_inputs(1)
    code, text, folder = run("static.om", "--input", "z/0000.bin")
    assert code == 1 and "[ERROR] execute model failed, modelId is 1" in text and names(folder) == []


def test_gears(run):
    write_inputs(1, batch=8)
    whole = np.fromfile(str(run("gears.om", "--input", "z,y")[2] / "0000_output_0.bin"), np.float32).reshape(8, -1)
    code, text, folder = run("gears.om", "--input", "z,y", "--dymBatch", "1")
    one = np.fromfile(str(folder / "0000_output_0.bin"), np.float32)
    assert code == 0 and "[INFO] check dynamic batch success" in text
    np.testing.assert_allclose(one, whole[0], atol=1e-3)
    three = np.fromfile(str(run("gears.om", "--input", "z,y", "--dymBatch", "3")[2] / "0000_output_0.bin"), np.float32)
    assert three.size == whole.size // 2 and np.all(three[3 * 48 :] == 0)  # 8 // 3 = 2: half of the buffer
    code, text, _ = run("gears.om", "--dymBatch", "2")
    assert code == 1 and "[ERROR] the dymBatch parameter is not correct" in text
    assert run("static.om", "--dymBatch", "2")[0] == 1


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["--model", "x.pb"], 0, "input model file type is not .om"),
        (["--frobnicate"], 0, "[ERROR] unknown paramenter"),
        (["--help"], 0, "--dymBatch"),
        (["--model", "x.om", "--loop", "101"], 0, "loop must in 1 to 100"),
        (["--model", "x.om", "--loop", "many"], 0, "loop must in 1 to 100"),
        (["--model", "x.om", "--device", "256"], 0, "device id must in 0 to 255"),
        (["--model", "x.om", "--dump", "true", "--profiler", "true"], 1, "can not both be true"),
        (["--model", "x.om", "--dymHW", "2,2"], 1, "not emulated"),
        ([], 1, "[ERROR] Invalid params"),
        (["--model", "x.om"], 1, "[ERROR] load model from file failed, model file is x.om"),
    ],
)
def test_mistakes(capsys, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    assert msame.main(arguments) == code
    assert words in capsys.readouterr().out


def test_mistakes_in_paths(run):
    write_inputs(1)
    Path("file").write_text("x")
    code, text, _ = run("static.om", "--input", "absent,y")
    assert code == 0 and "[ERROR] absent doesn't exist" in text
    code, text, _ = run("static.om", "--input", "file,y")
    assert code == 0 and "input parameter must be folder or file ending in '.bin'" in text
    Path("empty").mkdir()
    code, text, folder = run("static.om", "--input", "empty,y")
    assert code == 0 and "No file in the directory[empty]" in text and names(folder) == []
    code, text, _ = run("static.om", output="not/there")
    assert code == 0 and "current user does not have permission" in text
    code, text, _ = run("bad.om")
    assert code == 1 and "cut off or damaged" in text and "[ERROR] Sample process failed" in text


def test_failures_in_the_outputs(run):
    write_inputs(11)
    arguments = ("static.om", "--input", "z,y")
    code, text, folder = run(*arguments, fail="msame:exit1")
    assert code == 1 and len(names(folder)) == 11 and "Execute sample success" in text
    assert len(names(run(*arguments, fail="msame:missing")[2])) == 10
    folder = run(*arguments, fail="msame:truncate,atc:crash")[2]
    assert [path.stat().st_size for path in sorted(folder.iterdir())] == [384] * 10 + [192]
    folder = run(*arguments, fail="msame:nan")[2]
    assert all(np.isnan(np.fromfile(str(path), np.float32)).all() for path in folder.iterdir())
    code, text, folder = run(*arguments, fail="msame:fail")
    assert code == 0 and names(folder) == [] and "[ERROR] model execute failed" in text
    code, text, folder = run("static.om", fail="msame:fail")
    assert code == 0 and names(folder) == []


def test_failures_of_the_process(tool, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_inputs(4)
    arguments = ("--model", models / "static.om", "--input", "z,y", "--output", "out")
    done = tool("msame", *arguments, fail="msame:crash", cwd=tmp_path)
    assert done.returncode == -11 and len(list(Path("out").glob("*/*.bin"))) == 2
    assert tool("msame", *arguments, fail="msame:explode").returncode == 2
    with pytest.raises(subprocess.TimeoutExpired):
        tool("msame", *arguments, fail="msame:hang", cwd=tmp_path, timeout=2)
