"""Files that others published: found, known by their digests, fetched from a real server; archives of all bad kinds."""

import gzip
import hashlib
import os
import socket
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.data import pictures
from biggan_cli.errors import NotReady, StepFailed, UsageError
from biggan_cli.metrics import published
from biggan_cli.metrics.published import (
    GRAPH,
    fetch_inception,
    fetch_ttur,
    find_inception,
    git_blob,
    is_ttur,
    ttur_file,
)
from tests.fakes.web import Answer, closed_port, serving

DATA = np.random.RandomState(0).bytes(70_000)
"""Stands for the graph."""
STATISTICS = np.random.RandomState(1).bytes(50_000)


def member(name, data=DATA, **attributes):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def tar(*members, end=bytes(10_240)):
    """An archive byte by byte: what a header claims need not be so."""
    padded = (info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512) for info, data in members)
    return b"".join(padded) + end


def tgz(*members, **options):
    return gzip.compress(tar(*members, **options), 1)


WHOLE = tgz(member("LICENSE", b"Apache"), member(GRAPH), member("cropped_panda.jpg", b"x" * 3000))


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """A cache of its own, no proxies, and what stands for the published files: those of this module, from nowhere."""
    monkeypatch.delenv("BIGGAN_INCEPTION", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("BIGGAN_CACHE", str(tmp_path / "cache"))
    nowhere = closed_port()
    for name, value in dict(
        GRAPH_BYTES=len(DATA),
        GRAPH_SHA256=hashlib.sha256(DATA).hexdigest(),
        GRAPH_URL=nowhere + "/graph.pb",
        ARCHIVE_BYTES=len(WHOLE),
        ARCHIVE_URL=nowhere + "/graph.tgz",
        TTUR_URL=nowhere + "/ttur.npz",
        TTUR_BLOB=git_blob(STATISTICS),
    ).items():
        monkeypatch.setattr(published, name, value)


@pytest.fixture
def cached(tmp_path):
    return tmp_path / "cache" / "inception" / GRAPH


@pytest.fixture
def web(monkeypatch):
    with serving() as web:
        monkeypatch.setattr(published, "GRAPH_URL", web.url + "/graph.pb")
        monkeypatch.setattr(published, "ARCHIVE_URL", web.url + "/graph.tgz")
        monkeypatch.setattr(published, "TTUR_URL", web.url + "/ttur.npz")
        yield web


def put(path, data=DATA):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def quiet(done, total):
    pass


def refused(error, call, *words):
    """The words are in the error or in what helps."""
    with pytest.raises(error) as raised:
        call()
    text = " ".join([raised.value.message, *(detail for _, detail in raised.value.details)])
    for word in words:
        assert str(word) in text
    return text


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


# Finding


def test_what_is_named_comes_first_then_the_variable_then_the_cache(tmp_path, cached, monkeypatch):
    put(cached, b"cached")
    assert find_inception(None)[:2] == (cached, b"cached")
    monkeypatch.setenv("BIGGAN_INCEPTION", "")
    assert find_inception(None).path == cached
    variable = put(tmp_path / "variable.pb", b"variable")
    monkeypatch.setenv("BIGGAN_INCEPTION", str(variable))
    assert find_inception(None)[:2] == (variable, b"variable")
    asked = put(tmp_path / "asked.pb", b"asked")
    assert find_inception(asked)[:2] == (asked, b"asked")


def test_the_home_folder_in_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BIGGAN_INCEPTION", "~/graph.pb")
    path = put(tmp_path / "graph.pb")
    assert find_inception(None)[:2] == (path, DATA)


def test_the_official_one_is_known_by_its_digest(tmp_path):
    found = find_inception(put(tmp_path / "a.pb"))
    assert found.official and found.sha256 == hashlib.sha256(DATA).hexdigest()
    other = find_inception(put(tmp_path / "b.PB", DATA + b"x"))
    assert not other.official and other.sha256 == hashlib.sha256(DATA + b"x").hexdigest()


@pytest.mark.parametrize("name", (published.ARCHIVE, "a.TGZ", "a.tar.gz"))
def test_out_of_an_archive(tmp_path, name):
    path = put(tmp_path / name, WHOLE)
    before = files_below(tmp_path)
    found = find_inception(path)
    assert (found.path, found.data, found.official) == (path, DATA, True)
    assert files_below(tmp_path) == before


def test_there_is_none(cached):
    words = ("no Inception graph", "--inception", "BIGGAN_INCEPTION", cached, "--fetch-inception", "88,931,400")
    text = refused(NotReady, lambda: find_inception(None), *words, published.ARCHIVE)
    assert "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz" in text
    assert not cached.parent.parent.exists()


@pytest.fixture(params=("--inception", "BIGGAN_INCEPTION"))
def find(request, monkeypatch):
    """Find a graph by either way of naming it; errors say which it was."""

    def finding(error, path, *words):
        if request.param == "--inception":
            return refused(error, lambda: find_inception(path), f"--inception {path}", *words)
        monkeypatch.setenv("BIGGAN_INCEPTION", str(path))
        return refused(error, lambda: find_inception(None), f"BIGGAN_INCEPTION={path}", *words)

    return finding


def test_what_is_named_is_not_there(tmp_path, cached, find):
    put(cached)
    find(UsageError, tmp_path / "a.pb", "not there")
    find(UsageError, tmp_path, "not a file")


@pytest.mark.parametrize("name", ("pt_inception-2015-12-05-6726825d.pth", "inception-2015-12-05.pt"))
def test_the_pytorch_port(tmp_path, find, name):
    find(UsageError, put(tmp_path / name), "is the PyTorch port", "needs the TensorFlow graph", published.ARCHIVE)


@pytest.mark.parametrize("name", ("a.h5", "a.onnx", "a", "a.gz", "a.tar", "a.pb.txt", "a.zip"))
def test_other_kinds_of_files(tmp_path, find, name):
    find(UsageError, put(tmp_path / name), "neither .pb nor .tgz")


@pytest.mark.parametrize("name", ("a.pb", "a.tgz"))
def test_a_file_that_is_much_too_large(tmp_path, find, name):
    path = put(tmp_path / name)
    os.truncate(str(path), 200_000_001)
    find(StepFailed, path, "200,000,001")


# Archives


@pytest.mark.parametrize("share", (0.0001, 0.01, 0.5, 0.99, 0.9999))
def test_a_truncated_archive(tmp_path, find, share):
    length = int(len(WHOLE) * share)
    find(StepFailed, put(tmp_path / "a.tgz", WHOLE[:length]), "cut off", f"{length:,} bytes", "88,931,400")


@pytest.mark.parametrize("content", (b"<html>404</html>" * 9, tar(member(GRAPH)), b"PK\3\4" + bytes(99), DATA))
def test_what_is_no_gzip_file(tmp_path, find, content):
    find(StepFailed, put(tmp_path / "a.tgz", content), "no gzip file")


def test_every_changed_byte_is_noticed_or_harmless(tmp_path):
    packed, noticed = tgz(member(GRAPH, DATA[:300]), end=bytes(1024)), 0
    for place in range(len(packed)):
        path = put(tmp_path / "a.tgz", packed[:place] + bytes([packed[place] ^ 0x21]) + packed[place + 1 :])
        try:
            assert find_inception(path).data == DATA[:300]
        except StepFailed as error:
            assert str(path) in error.message
            noticed += 1
    assert noticed > len(packed) - 10  # the time and the system in the header of gzip, bits that fill up its last byte


def test_what_is_no_archive_inside(tmp_path, find):
    find(StepFailed, put(tmp_path / "a.tgz", gzip.compress(DATA)), "damaged inside")
    find(StepFailed, put(tmp_path / "a.tgz", gzip.compress(b"")), "damaged inside")


@pytest.mark.parametrize(
    "data, size", ((DATA[:5000], len(DATA)), (DATA[:5000], 5001), (b"", 10)), ids=("much", "a byte", "all")
)
def test_a_graph_that_is_cut_off_inside(tmp_path, find, data, size):
    info = member(GRAPH, size=size)[0]
    content = tar(member("LICENSE", b"x" * 700), end=b"") + info.tobuf(tarfile.GNU_FORMAT) + data
    find(StepFailed, put(tmp_path / "a.tgz", gzip.compress(content)), "damaged inside", "unexpected end of data")


@pytest.mark.parametrize("size", (10**12, 200_000_001, -512, -(10**9)))
@pytest.mark.parametrize("name", (GRAPH, "LICENSE"))
def test_sizes_that_cannot_be(tmp_path, find, name, size):
    path = put(tmp_path / "a.tgz", tgz(member("first", b"x"), member(name, size=size), member(GRAPH)))
    find(StepFailed, path, "damaged inside", f"{size:,}")


def test_a_sparse_graph_that_would_be_huge(tmp_path, find):
    info = member(GRAPH, size=0, type=tarfile.GNUTYPE_SPARSE)[0]
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % (1 << 32)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    find(StepFailed, put(tmp_path / "a.tgz", gzip.compress(bytes(header) + bytes(1024))), "4,294,967,296")


@pytest.mark.parametrize(
    "entry",
    (
        member(GRAPH, b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member(GRAPH, b"", type=tarfile.LNKTYPE, linkname="LICENSE"),
        member(GRAPH, b"", type=tarfile.DIRTYPE),
        member(GRAPH, b"", type=tarfile.FIFOTYPE),
        member(GRAPH, b"", type=tarfile.CHRTYPE),
        member("../" + GRAPH),
        member("/" + GRAPH),
        member("/etc/" + GRAPH),
        member("./" + GRAPH),
        member("a/" + GRAPH),
        member(GRAPH + "~"),
        member(GRAPH.upper()),
        member("inceptionv1_for_inception_score.pb"),
    ),
    ids=lambda entry: f"{entry[0].type} {entry[0].name}",
)
def test_only_a_file_of_exactly_this_name_is_taken(tmp_path, find, entry):
    path = put(tmp_path / "a.tgz", tgz(member("LICENSE", b"Apache"), entry))
    before = files_below(tmp_path)
    find(UsageError, path, f"has no file {GRAPH}", "LICENSE, ", entry[0].name)
    assert files_below(tmp_path) == before
    put(path, tgz(entry, member(GRAPH, b"right")))
    assert find_inception(path).data == b"right"


def test_an_archive_of_nothing_and_one_of_many(tmp_path, find):
    find(UsageError, put(tmp_path / "a.tgz", tgz(member("a", b""))), "it holds: a")
    text = find(UsageError, put(tmp_path / "a.tgz", tgz(*(member(f"<{n}>", b"") for n in range(9)))), "<4>, …")
    assert "<5>" not in text


@pytest.mark.parametrize("inside", ("zeros", "before the graph", "in a long name", "in a pax header"))
def test_a_gzip_bomb_does_not_fill_the_memory(tmp_path, monkeypatch, inside):
    monkeypatch.setattr(published, "_MOST", 2_000_000)
    zeros = bytes(50_000_000)
    bomb = {
        "zeros": zeros,
        "before the graph": tar(member("a", zeros), member(GRAPH)),
        "in a long name": tar(member("././@LongLink", zeros, type=tarfile.GNUTYPE_LONGNAME), member(GRAPH)),
        "in a pax header": tar(member("a", zeros, type=tarfile.XHDTYPE), member(GRAPH)),
    }[inside]
    path = put(tmp_path / "a.tgz", gzip.compress(bomb, 1))
    del bomb, zeros
    tracemalloc.start()
    try:
        refused(StepFailed, lambda: find_inception(path), path, "unpacks to more than 2,000,000 bytes")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_many_headers_upon_headers(tmp_path, find):
    """Each of them is read inside the one before."""
    header = member("a", b"", type=tarfile.XHDTYPE)
    find(StepFailed, put(tmp_path / "a.tgz", tgz(*[header] * 5000, member(GRAPH))), "damaged inside")


# Fetching


def test_the_graph_is_fetched_into_the_cache(web, cached):
    told = []
    web.answers["/graph.pb"] = Answer(DATA)
    assert fetch_inception(lambda *now: told.append(now)) == cached
    assert told[-1] == (len(DATA), len(DATA))
    assert files_below(cached.parent.parent) == [cached]
    assert find_inception(None) == (cached, DATA, hashlib.sha256(DATA).hexdigest(), True)
    assert web.asked == ["/graph.pb"]


def test_what_is_there_is_not_fetched_again(web, cached):
    put(cached)
    assert fetch_inception(quiet) == cached
    assert web.asked == []


def test_a_damaged_file_in_the_cache_is_replaced(web, cached):
    put(cached, DATA[:-1])
    web.answers["/graph.pb"] = Answer(DATA)
    fetch_inception(quiet)
    assert cached.read_bytes() == DATA


@pytest.mark.parametrize(
    "first",
    (
        Answer(b"", 404),
        Answer(b"", 500),
        Answer(DATA[:999], length=len(DATA)),
        Answer(DATA[:-1]),
        Answer(DATA + b"x"),
        Answer(DATA + b"x", length=""),
        Answer(DATA[::-1]),
        Answer(b"<html>please log in</html>"),
        Answer(status=302, location="ftp://127.0.0.1/graph.pb"),
    ),
)
def test_the_archive_is_the_second_choice(web, cached, first):
    web.answers.update({"/graph.pb": first, "/graph.tgz": Answer(WHOLE)})
    assert fetch_inception(quiet).read_bytes() == DATA
    assert files_below(cached.parent.parent) == [cached]
    assert web.asked == ["/graph.pb", "/graph.tgz"]


OTHER = DATA[::-1]


@pytest.mark.parametrize(
    "first, second, words",
    (
        (Answer(b"", 404), Answer(b"", 500), ("404 Not Found", "500 Internal")),
        (
            Answer(DATA[:999], length=len(DATA)),
            Answer(WHOLE[:999], length=len(WHOLE)),
            ("999 of 70,000", f"999 of {len(WHOLE):,}"),
        ),
        (
            Answer(DATA[:-1]),
            Answer(WHOLE[:-1]),
            ("69,999 bytes, not 70,000", f"{len(WHOLE) - 1:,} bytes, not {len(WHOLE):,}"),
        ),
        (Answer(DATA + b"x"), Answer(WHOLE + b"x"), ("more than 70,000", f"more than {len(WHOLE):,}")),
        (Answer(OTHER), Answer(WHOLE[::-1]), (hashlib.sha256(OTHER).hexdigest(), "no gzip file")),
    ),
)
def test_every_address_fails(web, cached, first, second, words):
    web.answers.update({"/graph.pb": first, "/graph.tgz": second})
    by_hand = ("--inception FILE", published.ARCHIVE, GRAPH, cached, hashlib.sha256(DATA).hexdigest(), "70,000 bytes")
    urls = (web.url + "/graph.pb", web.url + "/graph.tgz")
    text = refused(NotReady, lambda: fetch_inception(quiet), "could not be fetched", *urls, *words, *by_hand)
    assert text.index(words[0]) < text.index(urls[1]) < text.index(words[1])
    assert files_below(cached.parent.parent) == []


@pytest.mark.parametrize(
    "members, word",
    (
        ([member(GRAPH, OTHER)], "sha256"),
        ([member("../" + GRAPH)], f"no file {GRAPH}"),
        ([member(GRAPH, b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")], f"no file {GRAPH}"),
        ([member(GRAPH, size=10**10)], "10,000,000,000"),
    ),
)
def test_an_archive_of_the_right_size_with_something_else(web, cached, monkeypatch, members, word):
    archive = tgz(*members)
    monkeypatch.setattr(published, "ARCHIVE_BYTES", len(archive))
    web.answers["/graph.tgz"] = Answer(archive)
    refused(NotReady, lambda: fetch_inception(quiet), web.url + "/graph.tgz", word)
    assert files_below(cached.parent.parent) == []


def test_nobody_listens(cached):
    text = refused(NotReady, lambda: fetch_inception(quiet), published.GRAPH_URL, published.ARCHIVE_URL)
    assert text.count("Connection refused") == 2
    assert files_below(cached.parent.parent) == []


def test_a_failure_leaves_what_is_there(web, cached):
    put(cached, b"another graph")
    refused(NotReady, lambda: fetch_inception(quiet))
    assert files_below(cached.parent.parent) == [cached] and cached.read_bytes() == b"another graph"


@pytest.mark.parametrize("error", (KeyboardInterrupt, ZeroDivisionError))
def test_whoever_stops_it_leaves_nothing(web, cached, error):
    web.answers["/graph.pb"] = Answer(DATA)

    def stop(done, total):
        raise error

    with pytest.raises(error):
        fetch_inception(stop)
    assert files_below(cached.parent.parent) == []


def test_a_full_disk_leaves_nothing(web, cached, monkeypatch):
    web.answers["/graph.pb"] = Answer(DATA)
    write = Path.write_bytes

    def full(path, data):
        write(path, data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    refused(StepFailed, lambda: fetch_inception(quiet), cached, "No space left", "BIGGAN_CACHE")
    assert files_below(cached.parent.parent) == []


def test_a_cache_that_cannot_be_made(web, tmp_path, monkeypatch):
    put(tmp_path / "file", b"")
    monkeypatch.setenv("BIGGAN_CACHE", str(tmp_path / "file"))
    refused(StepFailed, lambda: fetch_inception(quiet), tmp_path / "file", "BIGGAN_CACHE")
    assert web.asked == []


def test_a_cache_that_cannot_be_written_is_found_before_fetching(web, cached, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused(StepFailed, lambda: fetch_inception(quiet), cached, "Permission denied")
    assert web.asked == []


def test_two_at_once(web, cached):
    """The second writes while the first is about to: as two processes, under names of their own."""
    web.answers["/graph.pb"] = Answer(DATA)
    inside = []

    def progress(done, total):
        if not inside:
            inside.append(True)
            put(cached.with_name(f".{cached.stem}.1{cached.suffix}"), DATA).rename(cached)

    assert fetch_inception(progress).read_bytes() == DATA
    assert files_below(cached.parent.parent) == [cached]


def test_ttur(web, tmp_path):
    place = tmp_path / "cache" / "stats" / "fid_stats_cifar10_train.npz"
    assert ttur_file() is None
    web.answers["/ttur.npz"] = Answer(STATISTICS)
    assert fetch_ttur(quiet) == place == ttur_file()
    assert files_below(tmp_path / "cache") == [place] and is_ttur(place.read_bytes())
    fetch_ttur(quiet)
    assert web.asked == ["/ttur.npz"]
    put(place, b"damaged")
    assert fetch_ttur(quiet).read_bytes() == STATISTICS


@pytest.mark.parametrize(
    "answer, word",
    (
        (Answer(b"", 404), "404"),
        (Answer(STATISTICS[1:]), git_blob(STATISTICS[1:])),
        (Answer(STATISTICS, length=len(STATISTICS) + 1), "cut off"),
        (Answer(b"", length=10**9), "1,000,000,000 bytes, more than 50,000,000"),
    ),
)
def test_ttur_cannot_be_fetched(web, tmp_path, answer, word):
    web.answers["/ttur.npz"] = answer
    place = tmp_path / "cache" / "stats" / "fid_stats_cifar10_train.npz"
    refused(NotReady, lambda: fetch_ttur(quiet), web.url + "/ttur.npz", word, place, git_blob(STATISTICS))
    assert files_below(tmp_path / "cache") == [] and ttur_file() is None


def test_the_ids_are_those_of_git():
    """``printf 'hello\\n' | git hash-object --stdin``, and of nothing."""
    assert git_blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert git_blob(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert is_ttur(STATISTICS) and not is_ttur(STATISTICS[:-1])


def test_nothing_else_opens_a_socket(tmp_path, cached, monkeypatch):
    opened = []

    class Watched(socket.socket):
        def __init__(self, *arguments, **options):
            opened.append(arguments)
            raise OSError("no network in this test")

    monkeypatch.setattr(socket, "socket", Watched)
    with pytest.raises(NotReady):
        find_inception(None)
    for name in ("a.pth", "missing.pb"):
        with pytest.raises(UsageError):
            find_inception(tmp_path / name)
    find_inception(put(tmp_path / "a.pb"))
    find_inception(put(tmp_path / "a.tgz", WHOLE))
    put(cached, b"another")
    find_inception(None)
    assert ttur_file() is None and not is_ttur(b"")
    np.save(str(tmp_path / "a.npy"), np.full((2, 4, 4, 3), 99, np.uint8))
    list(pictures.of_file(tmp_path / "a.npy").batches(1))
    assert opened == []
    for fetching in (fetch_inception, fetch_ttur):
        with pytest.raises(NotReady):
            fetching(quiet)
        assert opened
        opened.clear()
    put(cached)
    fetch_inception(quiet)
    assert opened == []
