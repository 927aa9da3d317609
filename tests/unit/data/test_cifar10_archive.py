"""CIFAR-10's archives, fetched from a server on localhost that is as bad as real ones."""

import hashlib

import numpy as np
import pytest

from biggan_cli.data import cifar10_archive, datasets
from biggan_cli.data.cifar10_archive import ARCHIVES, fetch
from biggan_cli.errors import NotReady, StepFailed, UsageError
from tests import data_sets
from tests.fakes.web import Answer, closed_port, serving


def ignored(done, total):
    """A progress that nobody follows."""


@pytest.fixture
def body(tmp_path):
    files = {
        f"cifar-10-batches-py/{name}": data_sets.pickled(*pair) for name, pair in data_sets.cifar10_batches().items()
    }
    return data_sets.archive(tmp_path / "archive.tar.gz", files).read_bytes()


@pytest.fixture
def web(tmp_path, monkeypatch, body):
    """A server with a small archive, whose MD5 is taken for the official one's."""
    monkeypatch.setenv("BIGGAN_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    small = {form: entry._replace(md5=hashlib.md5(body).hexdigest()) for form, entry in ARCHIVES.items()}
    monkeypatch.setattr(cifar10_archive, "ARCHIVES", small)
    with serving() as web:
        monkeypatch.setattr(cifar10_archive, "PAGE", web.url + "/")
        yield web


def archive():
    return cifar10_archive.ARCHIVES["python"]


def test_the_published_digests():
    digests = {entry.file: entry.md5 for entry in ARCHIVES.values()}
    assert digests == {
        "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
        "cifar-10-matlab.tar.gz": "70270af85842c9e89bb428ec9976c926",
    }


def test_what_was_fetched_is_data(web, body):
    web.answers["/cifar-10-python.tar.gz"] = Answer(body)
    with pytest.raises(UsageError, match="cifar10 is not in the cache") as raised:
        datasets.load("cifar10", 32)
    assert "biggan prepare cifar10 --download" in dict(raised.value.details)["fix"]
    place = fetch(archive(), ignored)
    assert place.read_bytes() == body and [path.name for path in place.parent.iterdir()] == [place.name]
    assert datasets.absolute("cifar10") == f"cifar10:{place}"
    np.testing.assert_array_equal(datasets.load("cifar10", 32).images, datasets.load(str(place), 32).images)
    assert fetch(archive(), ignored) == place and len(web.asked) == 1


def test_an_interrupted_download_is_carried_on_with(web, body):
    web.answers["/cifar-10-python.tar.gz"] = Answer(body, ranges=True, cut=len(body) // 2)
    with pytest.raises(NotReady, match="cut off") as raised:
        fetch(archive(), ignored)
    fix = dict(raised.value.details)["fix"]
    assert "goes on where this one ended" in fix and str(archive().place) in fix and archive().md5 in fix
    assert cifar10_archive.in_cache() is None
    web.answers["/cifar-10-python.tar.gz"] = Answer(body, ranges=True)
    assert fetch(archive(), ignored).read_bytes() == body
    assert web.begun[0] == 0 < web.begun[1] <= len(body) // 2


def test_another_file_is_refused(web, body):
    web.answers["/cifar-10-python.tar.gz"] = Answer(b"<html>Please log in</html>")
    with pytest.raises(StepFailed, match=f"its md5 is .*, not {archive().md5}"):
        fetch(archive(), ignored)
    assert not list(archive().place.parent.iterdir())
    archive().place.write_bytes(b"something of the user's")
    with pytest.raises(StepFailed, match="is not cifar-10-python") as raised:
        fetch(archive(), ignored)
    assert "remove it" in dict(raised.value.details)["fix"] and archive().place.is_file()


def test_without_a_network(web, monkeypatch):
    monkeypatch.setattr(cifar10_archive, "PAGE", closed_port() + "/")
    with pytest.raises(NotReady, match="Connection refused") as raised:
        fetch(archive(), ignored)
    assert raised.value.exit_code == 4 and str(archive().place) in dict(raised.value.details)["fix"]


def test_a_cache_that_cannot_be_written(web, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StepFailed, match="cannot be written"):
        fetch(archive(), ignored)
