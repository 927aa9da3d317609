"""Batches that Python pickled, read by a machine that knows the few instructions that data are made of.

Python's own calls whatever a pickle asks for. This one makes numbers, text, lists, dicts and arrays of numbers: the
functions that NumPy's pickles call are imitated here, and every array is made of bytes that stand in the file.
Source: pickletools in Python's library, which says what each instruction does.
"""

import functools
import operator
import struct
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from biggan_cli.errors import StepFailed

_MOST_STEPS = 300_000
"""Instructions in a pickle; a batch of CIFAR-10 has some 40,000."""
_LONGEST_NAME = 100
_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
_ORDERS = {"|": "=", "=": "=", "<": "<", ">": ">"}


class _Refused(Exception):
    """Asks for something that no data are made of."""


class _Function:
    """What a pickle may call."""

    def __init__(self, call: Callable[..., Any]):
        self.call = call


class _Type:
    """``numpy.dtype``: its name comes first, the order of its bytes later."""

    def __init__(self, name: Any, align: Any, copy: Any):
        self._name, self.dtype = _text(name), None
        if self._name not in _TYPES:
            raise _Refused(f"arrays of {self._name!r}")

    def build(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 8 or state[0] != 3 or state[2:] != (None, None, None, -1, -1, 0):
            raise _Refused(f"arrays of something else than {self._name}")
        self.dtype = np.dtype(_ORDERS[_text(state[1])] + self._name)


class _Array:
    """``numpy.ndarray``, which is empty until its content comes."""

    def __init__(self, kind: Any, shape: Any, code: Any):
        self.array: Optional[np.ndarray] = None

    def build(self, state: Any) -> None:
        _, shape, kind, by_column, content = state
        if type(shape) is not tuple or not 1 <= len(shape) <= 4 or not all(map(_is_length, shape)):
            raise ValueError("an array has no shape")
        if type(kind) is not _Type or kind.dtype is None or type(content) is not bytes:
            raise ValueError("an array is not made of plain numbers")
        if functools.reduce(operator.mul, shape, kind.dtype.itemsize) != len(content):
            raise ValueError(f"an array {kind.dtype} {shape} has {len(content):,} bytes")
        self.array = np.frombuffer(content, kind.dtype).reshape(shape, order="F" if by_column else "C")


def _is_length(value: Any) -> bool:
    return type(value) is int and value >= 0


def _latin1(text: str, encoding: Any) -> bytes:
    """How protocol 2 of Python 3 has bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise _Refused("another encoding than Latin-1")
    return text.encode("latin1")


_ALLOWED = {
    "numpy.core.multiarray._reconstruct": _Function(_Array),
    "numpy._core.multiarray._reconstruct": _Function(_Array),
    "numpy.ndarray": None,
    "numpy.dtype": _Function(_Type),
    "_codecs.encode": _Function(_latin1),
}


class _Machine:
    """A stack, a memo, and the place in the bytes that are read."""

    def __init__(self, content: bytes):
        self._content, self._place = content, 0
        self._stack: List[Any] = []
        self._marks: List[int] = []
        self._memo: Dict[int, Any] = {}
        self._unmade = len(content)

    def run(self) -> Any:
        for _ in range(_MOST_STEPS):
            code = self.take(1)
            if code == b".":
                return self._stack.pop()
            if code not in _STEPS:
                raise _Refused(f"the instruction {code!r}")
            _STEPS[code](self)
        raise _Refused(f"more than {_MOST_STEPS:,} instructions")

    def take(self, count: int) -> bytes:
        taken = self._content[self._place : self._place + count]
        if len(taken) != count:
            raise EOFError("it ends too early")
        self._place += count
        return taken

    def number(self, count: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(count), "little", signed=signed)

    def line(self) -> str:
        end = self._content.index(b"\n", self._place, self._place + _LONGEST_NAME)
        return self.take(end + 1 - self._place)[:-1].decode("latin1")

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def popped(self, count: Optional[int] = None) -> List[Any]:
        """The last ``count`` values, or those above the last mark."""
        begin = self._marks.pop() if count is None else len(self._stack) - count
        values = self._stack[begin:]
        if begin < 0 or (count and len(values) != count):
            raise ValueError("it takes more than there is")
        del self._stack[begin:]
        return values

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def put(self, index: Optional[int] = None) -> None:
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def extend(self, values: List[Any]) -> None:
        self._top(list).extend(values)

    def update(self, values: List[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(values[::2], values[1::2]):
            target[_text(key)] = value

    def name(self, module: Any, name: Any) -> None:
        wanted = f"{_text(module)}.{_text(name)}"
        if wanted not in _ALLOWED:
            raise _Refused(repr(wanted)[1:-1])
        self._stack.append(_ALLOWED[wanted])

    def call(self, function: Any, arguments: Any) -> None:
        if type(function) is not _Function or type(arguments) is not tuple:
            raise _Refused("a call of something that is no function")
        made = function.call(*arguments)
        self._unmade -= len(made) if type(made) is bytes else 0
        if self._unmade < 0:
            raise _Refused("more bytes than it has")
        self._stack.append(made)

    def build(self, state: Any) -> None:
        if type(self._stack[-1]) not in (_Type, _Array):
            raise _Refused("a change of something that is no array")
        self._stack[-1].build(state)

    def _top(self, kind: type) -> Any:
        if type(self._stack[-1]) is not kind:
            raise _Refused(f"something else in the place of a {kind.__name__}")
        return self._stack[-1]


_STEPS: Dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda machine: machine.take(1),  # the protocol
    b"\x95": lambda machine: machine.take(8),  # the size of a frame
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"K": lambda machine: machine.push(machine.number(1)),
    b"M": lambda machine: machine.push(machine.number(2)),
    b"J": lambda machine: machine.push(machine.number(4, signed=True)),
    b"\x8a": lambda machine: machine.push(machine.number(machine.number(1), signed=True)),
    b"I": lambda machine: machine.push(int(machine.line())),
    b"G": lambda machine: machine.push(struct.unpack(">d", machine.take(8))[0]),
    b"U": lambda machine: machine.push(machine.take(machine.number(1))),
    b"T": lambda machine: machine.push(machine.take(machine.number(4))),
    b"C": lambda machine: machine.push(machine.take(machine.number(1))),
    b"B": lambda machine: machine.push(machine.take(machine.number(4))),
    b"\x8e": lambda machine: machine.push(machine.take(machine.number(8))),
    b"\x8c": lambda machine: machine.push(machine.take(machine.number(1)).decode("utf-8")),
    b"X": lambda machine: machine.push(machine.take(machine.number(4)).decode("utf-8")),
    b"\x8d": lambda machine: machine.push(machine.take(machine.number(8)).decode("utf-8")),
    b"]": lambda machine: machine.push([]),
    b"}": lambda machine: machine.push({}),
    b")": lambda machine: machine.push(()),
    b"(": _Machine.mark,
    b"t": lambda machine: machine.push(tuple(machine.popped())),
    b"\x85": lambda machine: machine.push(tuple(machine.popped(1))),
    b"\x86": lambda machine: machine.push(tuple(machine.popped(2))),
    b"\x87": lambda machine: machine.push(tuple(machine.popped(3))),
    b"a": lambda machine: machine.extend(machine.popped(1)),
    b"e": lambda machine: machine.extend(machine.popped()),
    b"s": lambda machine: machine.update(machine.popped(2)),
    b"u": lambda machine: machine.update(machine.popped()),
    b"q": lambda machine: machine.put(machine.number(1)),
    b"r": lambda machine: machine.put(machine.number(4)),
    b"\x94": _Machine.put,
    b"h": lambda machine: machine.get(machine.number(1)),
    b"j": lambda machine: machine.get(machine.number(4)),
    b"c": lambda machine: machine.name(machine.line(), machine.line()),
    b"\x93": lambda machine: machine.name(*machine.popped(2)),
    b"R": lambda machine: machine.call(*machine.popped(2)),
    b"b": lambda machine: machine.build(*machine.popped(1)),
}


def _text(value: Any) -> str:
    """A name: text, or a string of Python 2."""
    if type(value) not in (str, bytes) or len(value) > _LONGEST_NAME:
        raise _Refused(f"a {type(value).__name__} in the place of a name")
    return value.decode("latin1") if type(value) is bytes else value


def loads(content: bytes, where: str, names: Sequence[str]) -> Dict[str, np.ndarray]:
    """Of a pickled dict, the arrays and the lists of whole numbers of these names, as far as it has them.

    Raises:
        StepFailed: it is cut off, no dict, or asks for anything else than data, which is not done.
    """
    try:
        found = _Machine(content).run()
        if type(found) is not dict:
            raise ValueError(f"it holds a {type(found).__name__}, not a dict")
        arrays = {name: _as_array(found.get(name)) for name in names}
    except _Refused as error:
        raise StepFailed(
            f"{where} is refused: it asks for {error}, and data are made of numbers only",
            hint="nothing in it was run; get the file from its official place",
        ) from error
    except Exception as error:  # whatever a damaged pickle makes the machine trip over
        raise StepFailed(f"{where} is cut off or damaged: {error or type(error).__name__}") from error
    return {name: array for name, array in arrays.items() if array is not None}


def _as_array(value: Any) -> Optional[np.ndarray]:
    if type(value) is list and all(type(number) is int for number in value):
        return np.array(value, np.int64)
    return value.array if type(value) is _Array else None
