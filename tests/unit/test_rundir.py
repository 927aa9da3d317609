"""The run directory: numbers, names, locks, and files that are whole or absent."""

import errno
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from biggan_cli import rundir
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import read_json, sha256, whole_file, write_json
from biggan_cli.rundir import check_writable, create_run, open_run


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
    assert dict(raised.value.details)["fix"] == f"name the run, {run}; or train it: biggan train --resume {run}"
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
        assert holder.wait() < 0
    assert run.is_held() is None
    with run.lock() as gone:  # a dead process holds nothing
        assert gone.startswith(f"process {holder.pid} on")
        assert run.is_held().startswith(f"process {os.getpid()} on")
    with run.lock() as gone:
        assert gone is None


def test_a_lock_that_is_removed_by_hand_still_holds(tmp_path):
    run = made(tmp_path)
    with run.lock():
        (run.path / ".lock").unlink()
        assert run.is_held() == "another process"
        with pytest.raises(StepFailed, match="is in use by another process"), run.lock():
            pass
    assert run.is_held() is None
    with run.lock():
        pass


def test_what_is_made_after_the_clock_was_set_back_is_the_latest(tmp_path, monkeypatch):
    run = made(tmp_path)
    for number, now in enumerate((5e9, 1e9, 1e9)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        with run.step("sample", f"made{2 - number}", {}, {}, {}) as step:
            (step.path / "a").write_text("")
    assert [result.name for result in run.finished("sample")] == ["made2", "made1", "made0"]


def test_one_that_looks_who_holds_a_run_is_in_nobodys_way(tmp_path):
    run = made(tmp_path)
    assert run.is_held() is None and not (run.path / ".lock").exists()
    with run.lock():
        pass
    with open(str(run.path / ".lock")) as probe:
        fcntl.flock(probe, fcntl.LOCK_SH)
        threading.Timer(0.1, probe.close).start()
        with run.lock():
            pass


def test_what_a_killed_holder_left_half_written_is_removed(tmp_path):
    run = made(tmp_path)
    half = [
        "samples/.step_000004.77.png",
        "checkpoints/.saving-77/model-000004.index",
        "checkpoints/.model-000004.77.json",
    ]
    half += [".stats.77.jsonl", ".config.77.json", ".state.77.json"]
    others = ["checkpoints/.model-000004.standing-ema-2.77.npz", "sample/.unfinished-0/a.png", "config.json"]
    for name in half + others:
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("{")
    run.remove_leftovers()
    assert [name for name in half + others if (run.path / name).exists()] == others


@pytest.mark.parametrize("code", (errno.EACCES, errno.EROFS, errno.ENOSPC))
def test_a_run_that_cannot_be_written(tmp_path, monkeypatch, code):
    """Whoever runs the tests may write anywhere: the system's answer is put in its mouth."""
    run = made(tmp_path)

    def refuse(*arguments, **more):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(rundir.os, "open", refuse)
    monkeypatch.setattr(rundir.Path, "mkdir", refuse)
    for use in (run.lock, lambda: run.step("sample", None, {}, {}, {})):
        with pytest.raises(StepFailed) as raised, use():
            pass
        assert raised.value.message == f"{run} cannot be written: {os.strerror(code).lower()}"


def test_times_are_right_when_the_clock_jumps(tmp_path, monkeypatch):
    run, clock = made(tmp_path), iter((2e9, 1e9))
    monkeypatch.setattr(rundir.time, "time", lambda: next(clock, 1e9))
    with run.step("sample", "one", {}, {}, {}) as step:
        pass
    assert 0 <= json.loads((step.path / "manifest.json").read_text())["seconds"] < 60


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
        with pytest.raises(StepFailed), run.step("sample", "00001", {}, {}, {}):
            pass
    assert len(list((run.path / "sample").iterdir())) == 2


def tree(folder):
    """Relative path → content of every file below, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def without_manifests(folder):
    return {name: text for name, text in tree(folder).items() if not name.endswith("manifest.json")}


def freeze_step(run, content, **options):
    """A step of files: ``generator.pb``, and one more that is called after the content."""
    with run.step("freeze", "generator", {}, {}, {}, stem="generator", **options) as step:
        (step.path / "generator.pb").write_text(content)
        (step.path / f"generator.{content}").write_text(content)
        if content == "bad":
            raise RuntimeError
    return step


def run_step(run, content, **options):
    """A step with a folder of its own."""
    with run.step("msame-run", "one", dict(said=content), {}, {}, **options) as step:
        (step.path / f"{content}.bin").write_text(content)
        (step.path / "sub").mkdir(exist_ok=True)
        (step.path / "sub" / "x").write_text(content)
        if content == "bad":
            raise RuntimeError
    return step


def test_a_folder_gives_way_to_the_new_one(tmp_path):
    run = made(tmp_path)
    run_step(run, "old", replace=True)
    step = run_step(run, "new", replace=True)
    assert step.path == run.path / "msame" / "one"
    assert without_manifests(run.path / "msame") == {"one/new.bin": "new", "one/sub/x": "new"}
    (found,) = run.finished("msame-run")
    assert found.manifest["config"] == {"said": "new"}
    assert sorted(found.manifest["outputs"]) == ["new.bin", "sub/"]
    with pytest.raises(UsageError):
        run_step(run, "newer")


def test_files_give_way_to_the_new_ones(tmp_path):
    run = made(tmp_path)
    freeze_step(run, "old", replace=True)
    freeze_step(run, "new", replace=True)
    assert tree(run.path / "freeze")["generator.pb"] == tree(run.path / "freeze")["generator.new"] == "new"
    (found,) = run.finished("freeze")
    assert found.name == "generator" and found.folder == run.path / "freeze"
    assert sorted(found.manifest["outputs"]) == ["generator.new", "generator.pb"]
    with pytest.raises(UsageError):
        freeze_step(run, "newer")


@pytest.mark.parametrize("command, make", (("msame-run", run_step), ("freeze", freeze_step)))
def test_the_old_one_stays_whole_until_the_new_one_is(tmp_path, command, make):
    run = made(tmp_path)
    make(run, "old", replace=True)
    before = tree(run.path)
    with pytest.raises(RuntimeError):
        make(run, "bad", replace=True)
    assert tree(run.path) == before
    assert len(run.finished(command)) == 1


def test_what_is_unfinished_stays_and_is_found_again(tmp_path):
    run = made(tmp_path)
    for stop in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(stop), run.step("msame-run", "one", {}, {}, {}, resume=True) as step:
            (step.path / f"{stop.__name__}.bin").write_text("x")
            raise stop
        assert run.finished("msame-run") == []
    with run.step("msame-run", "one", {}, {}, {}, resume=True) as step:
        assert sorted(path.name for path in step.path.iterdir()) == ["KeyboardInterrupt.bin", "RuntimeError.bin"]
        (step.path / "last.bin").write_text("x")
    (found,) = run.finished("msame-run")
    assert sorted(found.manifest["outputs"]) == ["KeyboardInterrupt.bin", "RuntimeError.bin", "last.bin"]
    assert [path.name for path in (run.path / "msame").iterdir()] == ["one"]


def test_an_unfinished_step_without_a_file_leaves_nothing(tmp_path):
    run = made(tmp_path)
    with pytest.raises(RuntimeError), run.step("msame-run", "one", {}, {}, {}, resume=True):
        raise RuntimeError
    assert list((run.path / "msame").iterdir()) == []


def test_what_is_unfinished_leaves_the_finished_one_alone(tmp_path):
    run = made(tmp_path)
    run_step(run, "old", replace=True, resume=True)
    before = tree(run.path / "msame" / "one")
    with pytest.raises(RuntimeError):
        run_step(run, "bad", replace=True, resume=True)
    assert tree(run.path / "msame" / "one") == before
    run_step(run, "new", replace=True, resume=True)
    assert without_manifests(run.path / "msame") == {"one/bad.bin": "bad", "one/new.bin": "new", "one/sub/x": "new"}


def test_who_does_not_resume_finds_an_empty_folder(tmp_path):
    run = made(tmp_path)
    with pytest.raises(RuntimeError):
        run_step(run, "bad", resume=True)
    work = run.path / "msame" / ".unfinished-one"
    (work / "link").symlink_to(tmp_path)
    assert sorted(path.name for path in work.iterdir()) == ["bad.bin", "link", "sub"]
    run_step(run, "new")
    assert without_manifests(run.path / "msame") == {"one/new.bin": "new", "one/sub/x": "new"}
    assert run.config.is_file()  # not followed through the link


HOLD = """\
import sys
from biggan_cli.rundir import RunDir
with RunDir(sys.argv[1]).step("msame-run", "one", {}, {}, {}, replace=True, resume=True) as step:
    (step.path / "half.bin").write_text("half")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_has_the_folder_until_it_dies(tmp_path):
    run = made(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        for options in ({}, dict(replace=True), dict(resume=True), dict(replace=True, resume=True)):
            with pytest.raises(StepFailed) as raised:
                run_step(run, "new", **options)
            assert "another process is making" in raised.value.message
            assert "wait" in dict(raised.value.details)["fix"]
        assert without_manifests(run.path / "msame") == {".unfinished-one/half.bin": "half"}
        holder.kill()
    assert run.finished("msame-run") == []
    run_step(run, "new", resume=True)  # a dead process holds nothing, but what it left is there
    assert without_manifests(run.path / "msame") == {"one/half.bin": "half", "one/new.bin": "new", "one/sub/x": "new"}


def test_a_folder_that_a_killed_process_left_is_emptied_without_resume(tmp_path):
    run = made(tmp_path)
    work = run.path / "sample" / ".unfinished-one"
    work.mkdir(parents=True)
    (work / "half.png").write_text("half")
    assert without_manifests(finished_step(run, "one").path) == {"one.txt": "x"}


def test_what_is_finished_comes_in_the_order_of_time(tmp_path):
    run = made(tmp_path)
    assert run.finished("sample") == []
    for name, finished in (("c", 5.5), ("a", 7.25), ("b", 1.0), ("e", 6.0), ("d", 6.0)):
        step = finished_step(run, name)
        manifest = read_json(step.path / "manifest.json")
        write_json(step.path / "manifest.json", dict(manifest, finished=finished))
    step = finished_step(run, stem="files")
    write_json(step.path / "files.manifest.json", dict(manifest, finished=5.75))
    found = run.finished("sample")
    assert [entry.name for entry in found] == ["b", "c", "files", "d", "e", "a"]
    assert [entry.folder for entry in found[:3]] == [run.path / "sample" / "b", run.path / "sample" / "c", step.path]
    assert found[0].manifest["finished"] == 1.0


def test_what_has_no_manifest_is_not_finished(tmp_path):
    run = made(tmp_path)
    finished_step(run, "one")
    (run.path / "sample" / "other").mkdir()
    (run.path / "sample" / "other" / "picture.png").write_text("x")
    (run.path / "sample" / "manifest.json").write_text("{}")
    assert [entry.name for entry in run.finished("sample")] == ["one"]
    assert run.finished("atc") == [] == run.finished("to-bin")


@pytest.mark.parametrize("hidden", (".unfinished-two", ".replaced-two"))
def test_what_a_killed_process_had_in_hand_is_not_finished(tmp_path, hidden):
    """It was killed between writing the manifest and moving the folder, or before removing the old one."""
    run = made(tmp_path)
    finished_step(run, "one")
    finished_step(run, "two").path.rename(run.path / "sample" / hidden)
    assert [entry.name for entry in run.finished("sample")] == ["one"]


@pytest.mark.parametrize(
    "change", ({"schema": None}, {"outputs": []}, {"finished": "now"}, {"details": None}, {"config": 1}), ids=str
)
def test_a_damaged_manifest_is_named(tmp_path, change):
    run = made(tmp_path)
    path = finished_step(run, "one").path / "manifest.json"
    write_json(path, dict(read_json(path), **change))
    with pytest.raises(StepFailed) as raised:
        run.finished("sample")
    assert raised.value.message == f"{path} is damaged, or of another version of biggan"
    path.write_text("[1")
    with pytest.raises(StepFailed) as raised:
        run.finished("sample")
    assert f"{path} is damaged" in raised.value.message
    path.write_text("[1]")
    with pytest.raises(StepFailed):
        run.finished("sample")


def test_the_details_are_those_of_the_body(tmp_path):
    run = made(tmp_path)
    with run.step("atc", None, {}, {}, {}, stem="m") as step:
        (step.path / "m.om").write_text("x")
        step.details["emulated"] = True
    (found,) = run.finished("atc")
    assert found.manifest["details"] == {"emulated": True} and found.manifest["schema"] == 1
    assert found.manifest["seconds"] >= 0.0


def digest_of(files):
    """As ``sha256sum`` lists them, in order: the path, the sum."""
    lines = "".join(f"{name} {hashlib.sha256(content.encode()).hexdigest()}\n" for name, content in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def test_very_many_files_are_one_entry_each_ending(tmp_path, monkeypatch):
    monkeypatch.setattr(rundir, "_LISTED", 20)
    run = made(tmp_path)
    many = [(f"{number:05d}.bin", str(number)) for number in range(21)]
    few = [(f"{number:05d}.png", str(number)) for number in range(20)]
    nested = [(name, "z/" + name) for name in ("000000.bin", "000001.bin", "deep/0.bin")]
    with run.step("msame-run", "one", {}, {}, {}) as step:
        (step.path / "z" / "deep").mkdir(parents=True)
        for name, content in (*reversed(many), *few, *(("z/" + name, content) for name, content in reversed(nested))):
            (step.path / name).write_text(content)
    outputs = run.finished("msame-run")[0].manifest["outputs"]
    assert set(outputs) == {"*.bin", "z/", *(name for name, _ in few)}
    assert outputs["*.bin"] == dict(files=21, bytes=10 + 2 * 11, sha256=digest_of(many))
    assert outputs["z/"] == dict(files=3, bytes=36, sha256=digest_of(nested))
    assert outputs["00007.png"] == dict(bytes=1, sha256=sha256(step.path / "00007.png"))


def test_a_step_that_ends_leaves_the_folder_of_the_next_one_alone(tmp_path, monkeypatch):
    """The next one of the same name may begin as soon as the working folder was moved to its place."""
    run = made(tmp_path)
    move, began = rundir._take_place, []

    def move_and_begin_the_next(work, target):
        move(work, target)
        if not began:
            began.append(run.step("msame-run", "one", {}, {}, {}, replace=True))
            (began[0].__enter__().path / "next.bin").write_text("next")

    monkeypatch.setattr(rundir, "_take_place", move_and_begin_the_next)
    run_step(run, "new", replace=True)
    assert (run.path / "msame" / ".unfinished-one" / "next.bin").is_file()
    began[0].__exit__(None, None, None)
    assert without_manifests(run.path / "msame") == {"one/next.bin": "next"}


def test_a_run_is_found_by_its_name_without_its_number(tmp_path):
    first, _, third = (made(tmp_path, name) for name in ("a-32-digits", "b", "b"))
    assert open_run("a-32-digits", tmp_path).path == first.path
    with pytest.raises(UsageError, match=r"2 runs in .* are called b") as raised:
        open_run("b", tmp_path)
    assert dict(raised.value.details)["fix"] == "the number of one: 1, 2"
    assert open_run(third.path.name, tmp_path).path == third.path
