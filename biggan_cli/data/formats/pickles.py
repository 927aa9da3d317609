"""Pickles of strangers, of which nothing can come but numbers, text, bytes, lists, dicts and arrays of numbers."""

import codecs
import io
import pickle
from typing import Any

import numpy as np

from biggan_cli.errors import StepFailed


class _Refused(Exception):
    """Asks for something that no data are made of."""


class _ArrayType:
    """Stands for ``numpy.ndarray``, which pickles only name."""


def _reconstruct(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """NumPy's own makes an array of any size here; its content, which has a size, comes later."""
    return np.ndarray((0,), np.uint8)


def _dtype(name: Any, *flags: Any) -> np.dtype:
    kind = np.dtype(name)
    if kind.hasobject or kind.names or kind.subdtype:
        raise _Refused(f"arrays of {kind}")
    return kind


def _latin1(text: str, encoding: str) -> bytes:
    """How protocol 2 of Python 3 has bytes."""
    if codecs.lookup(encoding).name != "iso8859-1":
        raise _Refused(f"the encoding {encoding}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _latin1,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None


def loads(content: bytes, where: str) -> Any:
    """What is pickled in ``content``; strings of Python 2 become text in Latin-1.

    Raises:
        StepFailed: it is cut off, or asks for anything else than data, which is not done.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except _Refused as error:
        raise StepFailed(
            f"{where} is refused: it asks for {error}, and data are made of numbers only",
            hint="nothing in it was run; get the file from its official place",
        ) from error
    except RecursionError as error:
        raise StepFailed(f"{where} is nested too deep to be data") from error
    except Exception as error:  # a damaged pickle is met with whatever its machine trips over
        raise StepFailed(f"{where} is cut off or damaged: {error or type(error).__name__}") from error
