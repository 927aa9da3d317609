"""The object storage: names of places, the scratch folder, and the stand-in for moxing against what is documented."""

import importlib
import inspect
import json
import sys
from pathlib import Path

import pytest

from biggan_cli.errors import NotReady, StepFailed, UsageError
from biggan_cli.runtime import storage
from tests import fakes

FAKES = Path(next(iter(fakes.__path__)))


@pytest.fixture
def moxing(tmp_path, monkeypatch):
    (tmp_path / "obs").mkdir()
    monkeypatch.setenv("FAKE_OBS", str(tmp_path / "obs"))
    monkeypatch.setenv("BIGGAN_MODELARTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(FAKES))
    yield importlib.import_module("moxing")
    for name in ("moxing", "moxing.file"):
        sys.modules.pop(name, None)


def test_the_fake_has_the_documented_signatures(moxing):
    """``...`` in a documented signature is a default that nobody states."""
    entries = json.loads((FAKES / "moxing_api.json").read_text())
    assert len(entries) == 7
    for entry in entries:
        function = getattr(moxing.file, entry["name"].split(".")[1])
        documented = {}
        exec("def documented{}: pass".format(entry["signature"]), documented)
        stated = inspect.signature(documented["documented"]).parameters
        own = inspect.signature(function).parameters
        assert list(own) == list(stated), entry["name"]
        for name, parameter in stated.items():
            if parameter.default is not ...:
                assert own[name].default == parameter.default, f"{entry['name']} {name}"


def test_places():
    assert storage.is_remote("obs://bucket/x") and storage.is_remote("s3://bucket") and storage.is_remote("obs:/typo")
    assert not any(map(storage.is_remote, (None, "", "runs", "/cache/obs://x", "cifar10:obs://bucket")))
    assert storage.checked_url("obs://bucket/x//", "--outdir") == "obs://bucket/x"
    for place in ("obs:/bucket/x", "obs://", "s3:///x"):
        with pytest.raises(UsageError, match="names no bucket"):
            storage.checked_url(place, "--outdir")


def test_the_scratch_place(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGGAN_MODELARTS_CACHE", str(tmp_path / "a" / "b"))
    assert storage.scratch() == tmp_path / "a" / "b" and storage.scratch().is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIGGAN_MODELARTS_CACHE", str(tmp_path / "file" / "c"))
    with pytest.raises(NotReady, match="BIGGAN_MODELARTS_CACHE"):
        storage.scratch()
    monkeypatch.delenv("BIGGAN_MODELARTS_CACHE")
    monkeypatch.setattr(storage, "SCRATCH", tmp_path / "none")
    with pytest.raises(NotReady) as raised:
        storage.scratch()
    assert "set BIGGAN_MODELARTS_CACHE" in dict(raised.value.details)["fix"]


def test_in_and_out_and_what_fails(moxing, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("a")
    storage.copy_out(tmp_path / "a.txt", "obs://bucket/deep/a.txt")
    assert storage.names("obs://bucket/deep") == ["a.txt"] and storage.names("s3://bucket/none") == []
    storage.copy_in("obs://bucket/deep", tmp_path / "in", "--data")
    assert (tmp_path / "in" / "a.txt").read_text() == "a"
    with storage.local_copy("s3://bucket/deep/") as folder:
        assert [path.name for path in folder.iterdir()] == ["a.txt"]
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(UsageError, match="--data obs://bucket/none is not there"):
        storage.copy_in("obs://bucket/none", tmp_path / "x", "--data")
    with pytest.raises(UsageError, match="is a file, not a folder"):
        storage.copy_in("obs://bucket/deep/a.txt", tmp_path / "x", "--resume")
    monkeypatch.setenv("FAKE_MOXING_FAIL", "out")
    with pytest.raises(StepFailed, match=r"cannot be copied to obs://bucket/b.txt: \[403\] AccessDenied"):
        storage.copy_out(tmp_path / "a.txt", "obs://bucket/b.txt")
    monkeypatch.delenv("FAKE_MOXING_FAIL")
    for _ in range(2):
        storage.remove("obs://bucket/deep/a.txt")
        assert storage.names("obs://bucket/deep") == []


def test_names_of_folders_have_no_separator(moxing, monkeypatch):
    monkeypatch.setattr(moxing.file, "exists", lambda url: True)
    monkeypatch.setattr(moxing.file, "list_directory", lambda url: ["00001-b/", "00000-a", ""])
    assert storage.names("obs://bucket") == ["00000-a", "00001-b"]


def test_without_moxing(monkeypatch):
    monkeypatch.setitem(sys.modules, "moxing", None)
    with pytest.raises(NotReady, match="need moxing") as raised:
        storage.exists("obs://bucket/x")
    assert "ModelArts" in dict(raised.value.details)["fix"]
