"""The only door to the network; nothing goes through it that was not asked for."""

import http.client
import urllib.error
import urllib.request
from typing import Callable, Optional

from biggan_cli.errors import NotReady

_SCHEMES = ("http://", "https://")
_TIMEOUT = 30.0
"""Seconds that a server may be silent."""
_BLOCK = 1 << 18


def fetch(url: str, most: int, progress: Callable[[int, Optional[int]], None]) -> bytes:
    """What is at an http or https address, through the proxies of ``http_proxy`` and ``https_proxy``.

    Args:
        most: bytes; what is longer is refused.
        progress: told how many bytes came, and how many there are, None where the server does not say.

    Raises:
        NotReady: names the address and what went wrong there.
    """
    if not url.lower().startswith(_SCHEMES):
        raise NotReady(f"{url} is not an http or https address")
    try:
        with urllib.request.build_opener(_Redirects).open(url, timeout=_TIMEOUT) as response:
            return _body(response, url, most, progress)
    except urllib.error.HTTPError as error:
        error.close()
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


def _body(response, url: str, most: int, progress: Callable[[int, Optional[int]], None]) -> bytes:
    """Read to the end, which a server that breaks off does not mark in any other way than by the length."""
    total = response.length
    if total is not None and total > most:
        raise NotReady(f"{url} has {total:,} bytes, more than {most:,}")
    body = bytearray()
    try:
        for block in iter(lambda: response.read(_BLOCK), b""):
            body += block
            if len(body) > most:
                raise NotReady(f"{url} has more than {most:,} bytes")
            progress(len(body), total)
    except http.client.IncompleteRead as error:
        raise NotReady(f"{url} is cut off after {len(body):,} bytes") from error
    if total is not None and len(body) != total:
        raise NotReady(f"{url} is cut off: {len(body):,} of {total:,} bytes")
    return bytes(body)
