"""The only door to the network; nothing goes through it that was not asked for."""

import contextlib
import fcntl
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Callable, Iterator, Optional, Tuple

from biggan_cli.errors import NotReady, StepFailed

Progress = Callable[[int, Optional[int]], None]
"""Told how many bytes came, and how many there are, None where the server does not say."""
_SCHEMES = ("http://", "https://")
_TIMEOUT = 30.0
"""Seconds that a server may be silent."""
_BLOCK = 1 << 18


def fetch(url: str, most: int, progress: Progress) -> bytes:
    """What is at an http or https address, through the proxies of ``http_proxy`` and ``https_proxy``.

    Args:
        most: bytes; what is longer is refused.

    Raises:
        NotReady: names the address and what went wrong there.
    """
    body = bytearray()
    for _, block in _blocks(url, 0, most, progress):
        body += block
    return bytes(body)


def download(url: str, path: Path, most: int, progress: Progress) -> None:
    """As :func:`fetch`, into a file: what an earlier call left in it is not asked for again.

    Whether it is the right file only its digest tells: the server's may have changed between two calls.

    Raises:
        NotReady: as :func:`fetch`; what came until then is kept.
        StepFailed: another process is at it.
    """
    with os.fdopen(os.open(str(path), os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StepFailed(f"another process is fetching {path}", fix="wait until it ends, then try again") from error
        with contextlib.closing(_blocks(url, file.seek(0, os.SEEK_END), most, progress)) as blocks:
            for begin, block in blocks:
                if begin != file.tell():  # the server gives all of it again
                    file.truncate(file.seek(begin))
                file.write(block)


def _blocks(url: str, begin: int, most: int, progress: Progress) -> Iterator[Tuple[int, bytes]]:
    """(place, bytes) of what is at an address, from ``begin`` on if the server can; else from 0."""
    if not url.lower().startswith(_SCHEMES):
        raise NotReady(f"{url} is not an http or https address")
    try:
        request = urllib.request.Request(url, headers={"Range": f"bytes={begin}-"} if begin else {})
        with urllib.request.build_opener(_Redirects).open(request, timeout=_TIMEOUT) as response:
            yield from _body(response, url, begin, most, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if begin and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # there is no more of it
            return
        raise NotReady(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise NotReady(f"{url} cannot be fetched: {why}") from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To http and https only; urllib would follow one to ftp too."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.lower().startswith(_SCHEMES):
            raise urllib.error.HTTPError(req.full_url, code, f"and redirects to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _body(response, url: str, begin: int, most: int, progress: Progress) -> Iterator[Tuple[int, bytes]]:
    """Read to the end, which a server that breaks off does not mark in any other way than by the length."""
    place = begin if response.status == http.client.PARTIAL_CONTENT else 0
    if place and not response.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
        raise NotReady(f"{url} was asked for its bytes from {begin} on, and gives others")
    total = None if response.length is None else place + response.length
    if total is not None and total > most:
        raise NotReady(f"{url} has {total:,} bytes, more than {most:,}")
    try:
        for block in iter(lambda: response.read(_BLOCK), b""):
            if place + len(block) > most:
                raise NotReady(f"{url} has more than {most:,} bytes")
            yield place, block
            place += len(block)
            progress(place, total)
    except http.client.IncompleteRead as error:
        raise NotReady(f"{url} is cut off after {place:,} bytes") from error
    if total is not None and place != total:
        raise NotReady(f"{url} is cut off: {place:,} of {total:,} bytes")
