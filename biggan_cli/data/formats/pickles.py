"""Batches that Python pickled: looked through first, then read by Python's unpickler with nothing to call.

A pickle is a program, and Python calls whatever it asks for. Here each instruction must be one that data are made of,
and what NumPy's pickles call is a stand-in that only keeps what it is given. The arrays are made afterwards, of bytes
that stand in the file: NumPy's own ``__setstate__`` trusts what it gets. Protocol 0 is refused: a batch of CIFAR-10
in it is larger than any that is read.
"""

import functools
import io
import operator
import pickle
import pickletools
from typing import Any, Dict, Optional, Sequence

import numpy as np

from biggan_cli.errors import StepFailed

_MOST_STEPS = 300_000
"""Instructions in a pickle; a batch of CIFAR-10 has some 40,000."""
_MOST_TUPLES = 100
"""An array has six or fewer."""
_LONGEST_NAME = 100
_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
_ORDERS = {"|": "=", "=": "=", "<": "<", ">": ">"}

_PUTS, _GETS = {"BINPUT", "LONG_BINPUT", "MEMOIZE"}, {"BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_TEXTS = {"SHORT_BINSTRING", "BINSTRING", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_BYTES = {"SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_SHARED = {*_TEXTS, *_BYTES, "GLOBAL", "STACK_GLOBAL", "REDUCE", "EMPTY_LIST", "EMPTY_DICT"}
"""What makes a thing that may stand in several places: tuples in tuples would take forever as the key of a dict."""
_KNOWN = {
    *("PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "EMPTY_TUPLE"),
    *("INT", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD"),
    *(_PUTS | _GETS | _TUPLES | _SHARED),
}


class _Refused(Exception):
    """Asks for something that no data are made of."""


class _Function:
    """Stands for a function that NumPy's pickles call."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __call__(self, *arguments: Any) -> "_Made":
        return _Made(self, arguments)

    def __setstate__(self, state: Any) -> None:
        raise _Refused(f"a change of {self.name}")


class _Made:
    """Stands for what it would have made: keeps what the function and ``__setstate__`` were called with."""

    __slots__ = ("arguments", "function", "state")

    def __init__(self, function: _Function, arguments: tuple):
        self.function, self.arguments, self.state = function, arguments, None

    def __setstate__(self, state: Any) -> None:
        self.state = state


_ARRAY, _BUFFER = _Function("numpy's _reconstruct"), _Function("numpy's _frombuffer")
_CLASS, _DTYPE, _ENCODE = _Function("numpy.ndarray"), _Function("numpy.dtype"), _Function("_codecs.encode")
_FUNCTIONS = {
    "numpy.core.multiarray._reconstruct": _ARRAY,
    "numpy._core.multiarray._reconstruct": _ARRAY,
    "numpy.core.numeric._frombuffer": _BUFFER,  # protocol 5
    "numpy._core.numeric._frombuffer": _BUFFER,
    "numpy.ndarray": _CLASS,
    "numpy.dtype": _DTYPE,
    "_codecs.encode": _ENCODE,  # how protocol 2 of Python 3 has bytes
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _Function:
        wanted = f"{module}.{name}"
        if wanted not in _FUNCTIONS:
            raise _Refused(repr(wanted[:_LONGEST_NAME])[1:-1])
        return _FUNCTIONS[wanted]


class _ShortLines(io.BytesIO):
    """Numbers and names that are written as text end soon: a whole number of many digits takes forever."""

    def readline(self, size: Optional[int] = -1) -> bytes:
        line = super().readline(_LONGEST_NAME)
        if len(line) == _LONGEST_NAME and not line.endswith(b"\n"):
            raise _Refused(f"a name of more than {_LONGEST_NAME} characters")
        return line


def _look_through(content: bytes) -> None:
    """Each instruction, before any is followed: what it is, and how much it can make."""
    tuples, previous, memo = 0, "", {}
    for step, (instruction, argument, _) in enumerate(pickletools.genops(_ShortLines(content))):
        name = instruction.name
        tuples += name in _TUPLES
        if name not in _KNOWN:
            raise _Refused(f"the instruction {name}")
        if name == "PROTO" and argument > pickle.HIGHEST_PROTOCOL:
            raise ValueError(f"protocol {argument}, and this Python reads up to {pickle.HIGHEST_PROTOCOL}")
        if step == _MOST_STEPS or tuples > _MOST_TUPLES:
            raise _Refused(f"more than {_MOST_STEPS:,} instructions or {_MOST_TUPLES} tuples")
        if type(argument) is int and argument.bit_length() > 63:  # larger ones can be made to be slow keys of a dict
            raise _Refused(f"a whole number of {argument.bit_length()} bits")
        if name in _PUTS:
            place = len(memo) if argument is None else argument
            if place > step:
                raise _Refused(f"place {place:,} of its memory after {step:,} instructions")
            memo[place] = previous in _SHARED
        if name in _GETS and not memo.get(argument):
            raise _Refused("the same thing in several places")
        previous = name


def loads(content: bytes, where: str, names: Sequence[str]) -> Dict[str, np.ndarray]:
    """Of a pickled dict, the arrays and the lists of whole numbers of these names, as far as it has them.

    Raises:
        StepFailed: it is cut off, no dict, or asks for anything else than data, which is not done.
    """
    try:
        _look_through(content)
        found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        if type(found) is not dict:
            raise ValueError(f"it holds a {type(found).__name__}, not a dict")
        named = {_text(_bytes(key)): value for key, value in found.items()}
        arrays = {name: _array(named.get(name)) for name in names}
    except _Refused as error:
        raise StepFailed(
            f"{where} is refused: it asks for {error}, and data are made of numbers only",
            hint="nothing in it was run; get the file from its official place",
        ) from error
    except Exception as error:  # whatever a damaged pickle makes it trip over
        raise StepFailed(f"{where} is cut off or damaged: {error or type(error).__name__}") from error
    return {name: array for name, array in arrays.items() if array is not None}


def _array(value: Any) -> Optional[np.ndarray]:
    if type(value) is list and all(type(number) is int for number in value):
        return np.array(value, np.int64)
    if type(value) is not _Made or value.function not in (_ARRAY, _BUFFER):
        return None
    if value.function is _ARRAY:
        _, shape, kind, by_column, content = value.state
        order = "F" if by_column else "C"
    else:
        content, kind, shape, order = value.arguments
    if type(shape) is not tuple or not 1 <= len(shape) <= 4 or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError("an array has no shape")
    dtype, content = _dtype(kind), _bytes(content)
    if type(content) not in (bytes, bytearray):
        raise ValueError("an array is not made of bytes")
    if functools.reduce(operator.mul, shape, dtype.itemsize) != len(content):
        raise ValueError(f"an array {dtype} {shape} has {len(content):,} bytes")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _dtype(kind: Any) -> np.dtype:
    if type(kind) is not _Made or kind.function is not _DTYPE:
        raise ValueError("an array is not made of plain numbers")
    name = _text(kind.arguments[0])
    if name not in _TYPES:
        raise _Refused(f"arrays of {name!r}")
    version, order, *others = kind.state
    if (version, *others) != (3, None, None, None, -1, -1, 0):
        raise _Refused(f"arrays of something else than {name}")
    return np.dtype(_ORDERS[_text(order)] + name)


def _bytes(value: Any) -> Any:
    """What a text stands for that Python 3 made of bytes in protocol 2; else the value itself."""
    if type(value) is not _Made or value.function is not _ENCODE:
        return value
    text, encoding = value.arguments
    if encoding not in ("latin1", "latin-1"):
        raise _Refused("another encoding than Latin-1")
    return text.encode("latin1")


def _text(value: Any) -> str:
    """A name: text, or a string of Python 2."""
    if type(value) not in (str, bytes) or len(value) > _LONGEST_NAME:
        raise _Refused(f"a {type(value).__name__} in the place of a name")
    return value.decode("latin1") if type(value) is bytes else value
