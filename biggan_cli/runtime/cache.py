"""Where files are kept that are fetched or computed once for all runs."""

import os
from pathlib import Path

from biggan_cli.errors import NotReady


def folder() -> Path:
    """``BIGGAN_CACHE``, else ``XDG_CACHE_HOME/biggan``, else ``~/.cache/biggan``; it is not made.

    Raises:
        NotReady: it would be in a home folder, and there is none.
    """
    asked, caches = os.environ.get("BIGGAN_CACHE"), os.environ.get("XDG_CACHE_HOME", "")
    try:
        if asked:
            return Path(asked).expanduser()
        # As the XDG Base Directory Specification has it, a relative path there does not count.
        return (Path(caches) if os.path.isabs(caches) else Path.home() / ".cache") / "biggan"
    except (RuntimeError, KeyError) as error:  # KeyError: Python 3.7 and a user without an entry in passwd
        raise NotReady("there is no home folder to keep a cache in", fix="set BIGGAN_CACHE to a folder") from error
