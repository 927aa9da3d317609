"""``--input_shape`` and ``--dynamic_batch_size``: how they are written and which pairs of them can be."""

import re
from typing import Dict, List, NamedTuple

from biggan_cli.emulator.messages import AtcError

_SAMPLE = '"input_name1:n1,c1,h1,w1;input_name2:n2,c2,h2,w2"'
_FEWEST, _MOST = 2, 100


class Shapes(NamedTuple):
    """``shapes``: input → dimensions, in the order given, -1 where the batch has gears; ``gears`` may be empty."""

    shapes: Dict[str, List[int]]
    gears: List[int]

    @property
    def largest(self) -> Dict[str, List[int]]:
        """The shapes with the largest gear for the batch."""
        return {name: self.at(name, max(self.gears, default=-1)) for name in self.shapes}

    def at(self, name: str, batch: int) -> List[int]:
        return [batch if size == -1 else size for size in self.shapes[name]]


def parse_gears(value: str) -> List[int]:
    """``"1,2,4,8"``.

    Raises:
        AtcError: other characters, too few or many, zero, or one of them twice.
    """
    if not re.fullmatch("[0-9]+(,[0-9]+)*", value):
        raise AtcError("E10014", value, "dynamic_batch_size")
    gears = [int(gear) for gear in value.split(",")]
    if len(gears) < _FEWEST:
        raise AtcError("E10035", len(gears), _FEWEST)
    if len(gears) > _MOST:
        raise AtcError("E10036", len(gears), _MOST)
    if 0 in gears:
        raise AtcError("E10038", 0)
    if len(set(gears)) < len(gears):
        raise AtcError("E10039")
    return gears


def parse_input_shape(value: str, gears: List[int]) -> Shapes:
    """``"z:64,120;y:64,1"``; the name ends at the last colon, and nothing after it is a scalar.

    Raises:
        AtcError: it cannot be read, a size is no positive integer, or the -1 do not fit ``gears``.
    """
    shapes: Dict[str, List[int]] = {}
    for item in filter(None, value.split(";")):
        name, colon, sizes = item.rpartition(":")
        if not colon or not name:
            raise AtcError("E10002", item, "it is not a name, a colon and a shape.", _SAMPLE)
        shapes[name] = [_size(size, item, gears) for size in sizes.split(",")] if sizes else []
    if gears:
        _check_batches(shapes)
    return Shapes(shapes, gears)


def _size(text: str, item: str, gears: List[int]) -> int:
    if re.fullmatch("0*[1-9][0-9]*", text):
        return int(text)
    if text == "-1" and gears:
        return -1
    raise AtcError("E10011", item, text)


def _check_batches(shapes: Dict[str, List[int]]) -> None:
    for name, sizes in shapes.items():
        if not sizes:
            raise AtcError("E10012")
        if -1 in sizes[1:]:
            raise AtcError("E10018", -1, f"{name}:{','.join(map(str, sizes))}")
    if not any(-1 in sizes for sizes in shapes.values()):
        raise AtcError("E10031")
