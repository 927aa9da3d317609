"""The run directory: numbers, names, locks, and files that are whole or absent."""

import json
import subprocess
import sys
import threading

import pytest

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import check_writable, create_run, open_run, read_json, sha256, whole_file, write_json


def made(outdir, name="a"):
    run = create_run(outdir, name)
    write_json(run.config, {})
    return run


def test_runs_are_numbered_and_found(tmp_path):
    runs = [made(tmp_path, name) for name in ("a", "b", "c")]
    assert [run.path.name for run in runs] == ["00000-a", "00001-b", "00002-c"]
    assert open_run(None, tmp_path, trained=False).path == runs[2].path
    (runs[1].checkpoints / "model-000004.json").write_text("{}")
    assert open_run(None, tmp_path).path == runs[1].path
    assert open_run("1", tmp_path).path == runs[1].path
    assert open_run("00001-b", tmp_path).path == runs[1].path
    assert open_run(str(runs[0].path), tmp_path / "elsewhere").path == runs[0].path


def test_a_run_without_a_configuration_does_not_count_but_keeps_its_number(tmp_path):
    made(tmp_path)
    create_run(tmp_path, "unfinished")
    assert open_run(None, tmp_path, trained=False).path.name == "00000-a"
    assert create_run(tmp_path, "b").path.name == "00002-b"


def test_two_at_once_get_two_numbers(tmp_path):
    made_runs = []
    threads = [threading.Thread(target=lambda: made_runs.append(create_run(tmp_path, "x"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.path.name for run in made_runs) == [f"{number:05d}-x" for number in range(8)]


def test_no_such_run(tmp_path):
    with pytest.raises(UsageError) as raised:
        open_run(None, tmp_path)
    assert "biggan train" in dict(raised.value.details)["fix"]
    run = made(tmp_path)
    with pytest.raises(UsageError) as raised:
        open_run(None, tmp_path)
    assert "has a checkpoint" in raised.value.message
    assert dict(raised.value.details)["fix"] == f"biggan train --resume {run}"
    with pytest.raises(UsageError) as raised:
        open_run("7", tmp_path)
    assert "00007-" in dict(raised.value.details)["looked for"]
    assert "00000-a" in dict(raised.value.details)["hint"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as raised:
        create_run(tmp_path / "file" / "runs", "a")
    assert "--outdir" in raised.value.message


@pytest.mark.parametrize("name", ("a[1]", "a*", "b\\c", "\udcff"))
def test_a_place_that_tensorflow_cannot_read_again(tmp_path, name):
    for check in (check_writable, lambda place: create_run(place, "a")):
        with pytest.raises(UsageError) as raised:
            check(tmp_path / name)
        assert "TensorFlow could not read" in raised.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_refused_and_told_who_holds_the_run(tmp_path):
    run = made(tmp_path)
    hold = (
        "import sys; from biggan_cli.rundir import RunDir\n"
        "with RunDir(sys.argv[1]).lock():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StepFailed) as raised, run.lock():
            pass
        assert f"process {holder.pid} on" in raised.value.message
        holder.kill()
    with run.lock():  # a dead process holds nothing
        pass


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, [1])
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("[1, 2")
        raise RuntimeError
    assert read_json(path) == [1]
    assert [child.name for child in tmp_path.iterdir()] == ["file.json"]


@pytest.mark.parametrize("content", ("", "{", '{"a": ', b"\xff\xfe"))
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StepFailed) as raised:
        read_json(path)
    assert "config.json" in raised.value.message


def finished_step(run, name=None, stem=None):
    with run.step("sample", name, dict(num=1), {"in": "00"}, {"numpy": "1"}, stem) as step:
        (step.path / f"{step.name}.txt").write_text("x")
    return step


def test_a_step_appears_whole_with_a_manifest(tmp_path):
    run = made(tmp_path)
    step = finished_step(run, "one")
    assert step.path == run.path / "sample" / "one"
    manifest = json.loads((step.path / "manifest.json").read_text())
    assert manifest["command"] == "sample" and manifest["config"] == {"num": 1}
    assert manifest["inputs"] == {"in": "00"} and manifest["packages"] == {"numpy": "1"}
    assert manifest["outputs"] == {"one.txt": {"bytes": 1, "sha256": sha256(step.path / "one.txt")}}


def test_a_step_of_files_has_its_manifest_beside_them(tmp_path):
    run = made(tmp_path)
    step = finished_step(run, stem="a-to-b")
    assert step.path == run.path / "sample"
    assert sorted(path.name for path in step.path.iterdir()) == ["a-to-b.manifest.json", "a-to-b.txt"]
    assert list(json.loads((step.path / "a-to-b.manifest.json").read_text())["outputs"]) == ["a-to-b.txt"]


@pytest.mark.parametrize("stop", (RuntimeError, KeyboardInterrupt))
def test_an_unfinished_step_leaves_nothing(tmp_path, stop):
    run = made(tmp_path)
    with pytest.raises(stop), run.step("sample", "one", {}, {}, {}) as step:
        (step.path / "half.png").write_text("x")
        raise stop
    assert list((run.path / "sample").iterdir()) == []


def test_names_are_free_or_refused(tmp_path):
    run = made(tmp_path)
    assert [finished_step(run).name for _ in range(2)] == ["00000", "00001"]
    assert [finished_step(run, stem="a").name for _ in range(2)] == ["a", "a-2"]
    with pytest.raises(UsageError) as raised:
        finished_step(run, "00000")
    assert "--name 00000 is taken" in raised.value.message


def test_two_steps_at_once_get_two_names(tmp_path):
    run = made(tmp_path)
    with run.step("sample", None, {}, {}, {}) as one, run.step("sample", None, {}, {}, {}) as other:
        assert {one.name, other.name} == {"00000", "00001"}
        with pytest.raises(UsageError), run.step("sample", "00001", {}, {}, {}):
            pass
    assert len(list((run.path / "sample").iterdir())) == 2
