"""``moxing.file``: signatures as in ``tests/fakes/moxing_api.json``; strict where the real one may not be."""

import os
import shutil
from pathlib import Path

_counts = {"in": 0, "out": 0}


class MoxFileNotExistsException(Exception):
    pass


class MoxFileRespException(Exception):
    pass


def exists(url):
    return _path(url).exists()


def is_directory(url):
    return _path(url).is_dir()


def make_dirs(url):
    _path(url).mkdir(parents=True, exist_ok=True)


def list_directory(url, recursive=False, remove_sep=True, skip_file=False, skip_dir=False):
    folder = _path(url)
    if not folder.is_dir():
        raise MoxFileNotExistsException(f"{url} does not exist")
    found = folder.rglob("*") if recursive else folder.iterdir()
    return [
        path.relative_to(folder).as_posix() + ("/" if path.is_dir() and not remove_sep else "")
        for path in found
        if not (skip_dir if path.is_dir() else skip_file)
    ]


def copy(src_url, dst_url, client_id=None):
    """One file. An object store needs no folder first; a disk does."""
    _note("copy", src_url, dst_url)
    source, target = _path(src_url), _path(dst_url)
    if not source.exists():
        raise MoxFileNotExistsException(f"{src_url} does not exist")
    if source.is_dir():
        raise MoxFileRespException(f"{src_url} is a directory")
    if _is_remote(dst_url):
        target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(source), str(target))


def copy_parallel(src_url, dst_url, file_list=None, threads=16, is_processing=True, use_queue=True):
    """A folder. Empty ones are no objects, and do not come along."""
    _note("copy_parallel", src_url, dst_url)
    source, target = _path(src_url), _path(dst_url)
    files = [path for path in sorted(source.rglob("*")) if path.is_file()] if source.is_dir() else []
    if not files:
        raise OSError("No files to copy")
    for path in files:
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(path), str(place))


def remove(url, recursive=False):
    """A folder without ``recursive``: nothing, and nothing is said."""
    _note("remove", url)
    path = _path(url)
    if path.is_dir():
        if recursive:
            shutil.rmtree(str(path))
    elif path.exists():
        path.unlink()
    else:
        raise MoxFileNotExistsException(f"{url} does not exist")


def _is_remote(url):
    return url.startswith(("obs://", "s3://"))


def _path(url):
    if not isinstance(url, str):
        raise TypeError(f"a path must be a str, not {type(url).__name__}")
    return Path(os.environ["FAKE_OBS"], url.partition("://")[2]) if _is_remote(url) else Path(url)


def _note(*words):
    """Write the call down, and fail where that was asked for."""
    with open(os.path.join(os.environ["FAKE_OBS"], "calls.txt"), "a") as calls:
        calls.write(" ".join(words) + "\n")
    way = "out" if _is_remote(words[-1]) else "in"
    _counts[way] += 1
    asked = os.environ.get("FAKE_MOXING_FAIL", "")
    if not asked.startswith(way):
        return
    condition, value = asked[len(way) : len(way) + 1], asked[len(way) + 1 :]
    fails = {
        "": lambda: True,
        ":": lambda: value in words[-1],
        "#": lambda: _counts[way] == int(value),
        "@": lambda: not os.path.exists(value),
    }
    if fails[condition]():
        raise MoxFileRespException(f"[403] AccessDenied: {words[-1]}")
