"""Fetching from a real server on localhost, and every way in which it goes wrong."""

import fcntl
import gc
import socket
import threading
import time
from pathlib import Path

import pytest

from biggan_cli.errors import NotReady, StepFailed
from biggan_cli.runtime import cache, network
from biggan_cli.runtime.network import download, fetch
from tests.fakes.web import Answer, closed_port, serving

BODY = bytes(range(256)) * 4000
"""More than is read at once."""


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web():
    with serving() as web:
        yield web


def get(url, most=10_000_000):
    return fetch(url, most, lambda done, total: None)


def refused(url, *words, most=10_000_000):
    """The address and the words are in the error."""
    with pytest.raises(NotReady) as raised:
        get(url, most)
    for word in (url, *words):
        assert word in raised.value.message
    assert raised.value.exit_code == 4


def test_what_is_there_arrives(web):
    told = []
    web.answers["/a"] = Answer(BODY)
    assert fetch(web.url + "/a", len(BODY), lambda *now: told.append(now)) == BODY
    assert told[-1] == (len(BODY), len(BODY)) and len(told) > 1
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_a_server_that_does_not_say_how_much_it_is(web):
    told = []
    web.answers["/a"] = Answer(BODY, length="")
    assert fetch(web.url + "/a", len(BODY), lambda *now: told.append(now)) == BODY
    assert told[-1] == (len(BODY), None)


def test_nothing_is_something(web):
    web.answers["/a"] = Answer(b"")
    assert get(web.url + "/a") == b""


@pytest.mark.parametrize("ranges", (True, False))
def test_a_download_goes_on_where_it_was_cut_off(web, tmp_path, ranges):
    """Of a server that gives ranges, from there; of another, from the beginning."""
    file, told = tmp_path / "file", []
    web.answers["/a"] = Answer(BODY, ranges=ranges, cut=300_000)
    with pytest.raises(NotReady, match="is cut off"):
        download(web.url + "/a", file, len(BODY), lambda *now: None)
    kept = file.stat().st_size
    assert file.read_bytes() == BODY[:kept] and kept
    web.answers["/a"] = Answer(BODY, ranges=ranges)
    download(web.url + "/a", file, len(BODY), lambda *now: told.append(now))
    assert file.read_bytes() == BODY and web.begun == [0, kept if ranges else 0]
    assert told[-1] == (len(BODY), len(BODY))


def test_a_download_that_is_complete_asks_for_nothing_more(web, tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    web.answers["/a"] = Answer(BODY, ranges=True)
    download(web.url + "/a", tmp_path / "file", len(BODY), lambda *now: None)
    assert (tmp_path / "file").read_bytes() == BODY and web.begun == [len(BODY)]


def test_a_shorter_file_from_a_server_without_ranges_replaces_a_longer_one(web, tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    web.answers["/a"] = Answer(b"short")
    download(web.url + "/a", tmp_path / "file", len(BODY), lambda *now: None)
    assert (tmp_path / "file").read_bytes() == b"short"


def test_the_rest_of_a_file_that_is_too_long(web, tmp_path):
    (tmp_path / "file").write_bytes(BODY[:1000])
    web.answers["/a"] = Answer(BODY, ranges=True)
    with pytest.raises(NotReady, match=f"{len(BODY):,} bytes, more than 2,000"):
        download(web.url + "/a", tmp_path / "file", 2000, lambda *now: None)


def test_two_downloads_to_the_same_file(web, tmp_path):
    with open(str(tmp_path / "file"), "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StepFailed, match="another process is fetching"):
            download(web.url + "/a", tmp_path / "file", 2000, lambda *now: None)
    assert web.asked == []


@pytest.mark.parametrize("status, words", ((404, "404 Not Found"), (500, "500 Internal Server Error"), (403, "403")))
def test_errors_of_the_server(web, status, words):
    web.answers["/a"] = Answer(b"an error page", status)
    refused(web.url + "/a", words)


@pytest.mark.parametrize("chunked", (False, True))
def test_a_body_that_is_cut_off(web, chunked):
    web.answers["/a"] = Answer(BODY, length=len(BODY) + 1, chunked=chunked)
    refused(web.url + "/a", "cut off", f"{len(BODY):,}" if not chunked else "bytes")


@pytest.mark.parametrize("length", (None, ""))
def test_a_body_that_is_too_long(web, length):
    web.answers["/a"] = Answer(BODY, length=length)
    refused(web.url + "/a", f"more than {len(BODY) - 1:,}", most=len(BODY) - 1)


def test_a_body_that_says_it_is_too_long_is_not_read(web):
    web.answers["/a"] = Answer(b"", length=10**15, silent=True)
    refused(web.url + "/a", "1,000,000,000,000,000 bytes, more than 10,000,000")


def test_nobody_listens():
    refused(closed_port() + "/a", "Connection refused")


def test_a_host_that_does_not_exist():
    refused("http://no-such-host.invalid/a", "cannot be fetched: ")


@pytest.mark.parametrize("body", (b"", b"x"))
def test_a_silent_server(web, monkeypatch, body):
    monkeypatch.setattr(network, "_TIMEOUT", 0.3)
    web.answers["/a"] = Answer(body, length=100, silent=True)
    started = time.monotonic()
    refused(web.url + "/a", "timed out")
    assert time.monotonic() - started < 4


def test_what_is_no_web_server():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        listener.settimeout(20)

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        refused(f"http://127.0.0.1:{listener.getsockname()[1]}/a", "SSH-2.0")
        thread.join()


def test_redirects_are_followed(web):
    web.answers.update({"/a": Answer(status=302, location="/b"), "/b": Answer(BODY)})
    assert get(web.url + "/a") == BODY


@pytest.mark.parametrize("place", ("ftp://127.0.0.1/a", "file:///etc/passwd", "gopher://127.0.0.1/"))
def test_redirects_lead_to_the_web_only(web, place):
    web.answers["/a"] = Answer(status=302, location=place)
    refused(web.url + "/a", place, "302")


def test_redirects_in_a_circle(web):
    web.answers["/a"] = Answer(status=302, location="/a")
    refused(web.url + "/a", "302")
    assert len(web.asked) < 20


@pytest.mark.parametrize(
    "url", ("file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a", "/etc/passwd", "http:/a", "http://")
)
def test_only_web_addresses(url):
    refused(url)


def test_the_proxy_of_the_environment(web, monkeypatch):
    monkeypatch.setenv("http_proxy", web.url)
    web.answers["http://somewhere.invalid/a"] = Answer(BODY)
    assert get("http://somewhere.invalid/a") == BODY
    assert web.asked == ["http://somewhere.invalid/a"]


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # Python 3.7 itself does not close this one
def test_a_proxy_that_refuses(web, monkeypatch):
    monkeypatch.setenv("https_proxy", web.url)
    refused("https://somewhere.invalid/a", "501")
    assert web.asked == ["somewhere.invalid:443"]
    gc.collect()


@pytest.mark.parametrize(
    "variables, wanted",
    (
        (dict(BIGGAN_CACHE="/a", XDG_CACHE_HOME="/b"), "/a"),
        (dict(BIGGAN_CACHE="~/a"), "/home/someone/a"),
        (dict(BIGGAN_CACHE="", XDG_CACHE_HOME="/b"), "/b/biggan"),
        (dict(XDG_CACHE_HOME="relative"), "/home/someone/.cache/biggan"),
        (dict(), "/home/someone/.cache/biggan"),
    ),
)
def test_the_cache(monkeypatch, variables, wanted):
    monkeypatch.setenv("HOME", "/home/someone")
    for name in ("BIGGAN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == Path(wanted)


def test_no_home_for_the_cache(monkeypatch):
    for name in ("BIGGAN_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(NotReady) as raised:
        cache.folder()
    assert "BIGGAN_CACHE" in dict(raised.value.details)["fix"]
