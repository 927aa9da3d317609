"""TFRecord files of pictures, written without TensorFlow: all records of a file have the same length.

A record is the length of its content (uint64), a masked CRC-32C of that, the content, and a masked CRC-32C of the
content. The content is a tf.train.Example: ``label`` int64, padded to five bytes as protobuf allows, and ``image``,
the levels uint8 [R, R, 3]. Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/example/example.proto.
"""

import functools
from typing import NamedTuple

import numpy as np

_POLYNOMIAL = 0x82F63B78
_CHUNK = 128
_LABEL_BYTES = 5


class Layout(NamedTuple):
    """Where things are in each record of pictures of ``resolution`` px, in bytes."""

    resolution: int
    prefix: bytes
    """All before the label's five bytes."""
    middle: bytes
    """All between the label and the levels."""

    @property
    def image_bytes(self) -> int:
        return self.resolution * self.resolution * 3

    @property
    def image_offset(self) -> int:
        return len(self.prefix) + _LABEL_BYTES + len(self.middle)

    @property
    def record_bytes(self) -> int:
        return self.image_offset + self.image_bytes + 4


@functools.lru_cache(maxsize=None)
def layout(resolution: int) -> Layout:
    """The layout of records of pictures of this resolution."""
    levels = resolution * resolution * 3
    label = _field(1, b"label") + _field(2, _field(3, _field(1, bytes(_LABEL_BYTES))))
    # of the picture's field everything but the levels themselves, which end it
    inner = b"\x0a" + _varint(levels)
    feature = b"\x0a" + _varint(len(inner) + levels) + inner
    value = b"\x12" + _varint(len(feature) + levels) + feature
    entry = _field(1, b"image") + value
    image = b"\x0a" + _varint(len(entry) + levels) + entry
    features = _field(1, label)[:-_LABEL_BYTES], image
    length = len(features[0]) + _LABEL_BYTES + len(image) + levels
    before = b"\x0a" + _varint(length) + features[0]
    content = len(before) + _LABEL_BYTES + len(image) + levels
    header = np.array([content], "<u8").tobytes()
    crc = masked(crc32c(np.frombuffer(header, np.uint8)[None])).astype("<u4").tobytes()
    return Layout(resolution, header + crc + before, image)


def encoded(images_u8: np.ndarray, labels: np.ndarray) -> bytes:
    """The records of pictures uint8 [n, R, R, 3] with labels int32 [n]."""
    form, count = layout(images_u8.shape[1]), len(images_u8)
    block = np.empty((count, form.record_bytes), np.uint8)
    start, end = len(form.prefix), len(form.prefix) + _LABEL_BYTES
    block[:, :start] = np.frombuffer(form.prefix, np.uint8)
    for place in range(_LABEL_BYTES):
        more = 0x80 if place < _LABEL_BYTES - 1 else 0
        block[:, start + place] = ((labels.astype(np.int64) >> (7 * place)) & 0x7F) | more
    block[:, end : form.image_offset] = np.frombuffer(form.middle, np.uint8)
    block[:, form.image_offset : -4] = images_u8.reshape(count, -1)
    crc = masked(crc32c(block[:, 12:-4])).astype("<u4")
    block[:, -4:] = crc.view(np.uint8).reshape(count, 4)
    return block.tobytes()


def crc32c(rows: np.ndarray) -> np.ndarray:
    """CRC-32C (Castagnoli, RFC 3720) of each row of uint8 [n, length ≥ 4] → uint32 [n].

    Chunks of all rows are computed at once, then put together: the CRC is linear, so that of a chunk with others
    after it follows by a table from its own.
    """
    count, length = rows.shape
    chunks = -(-length // _CHUNK)
    padded = np.zeros((count, chunks * _CHUNK), np.uint8)  # zeros in front of a message change nothing
    padded[:, -length:] = rows
    padded[:, chunks * _CHUNK - length : chunks * _CHUNK - length + 4] ^= 0xFF  # what the start value does
    parts = _from_zero(padded.reshape(count * chunks, _CHUNK)).reshape(count, chunks)
    total = np.zeros(count, np.uint32)
    tables = _after_a_chunk()
    for part in parts.T:
        shifted = part.copy()
        for place in range(4):
            shifted ^= tables[place][(total >> np.uint32(8 * place)) & np.uint32(0xFF)]
        total = shifted
    return total ^ np.uint32(0xFFFFFFFF)


def masked(crc: np.ndarray) -> np.ndarray:
    """As TFRecords store a CRC, for files that hold CRCs of files that hold CRCs."""
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)


@functools.lru_cache(maxsize=None)
def _table() -> np.ndarray:
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = (crc >> np.uint32(1)) ^ np.where(crc & np.uint32(1), np.uint32(_POLYNOMIAL), np.uint32(0))
    return crc


def _from_zero(rows: np.ndarray) -> np.ndarray:
    """The plain remainder of each row, uint32 [n]."""
    crc, table = np.zeros(len(rows), np.uint32), _table()
    for column in np.ascontiguousarray(rows.T):
        crc = table[(crc ^ column) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc


@functools.lru_cache(maxsize=None)
def _after_a_chunk() -> np.ndarray:
    """uint32 [4, 256]: what each byte of a remainder becomes when a chunk of zeros follows."""
    table = _table()
    crc = np.concatenate([np.arange(256, dtype=np.uint32) << np.uint32(8 * place) for place in range(4)])
    for _ in range(_CHUNK):
        crc = table[crc & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc.reshape(4, 256)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
