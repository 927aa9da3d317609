"""TFRecord files of pictures, as ``tf.data.TFRecordDataset`` and ``tf.io.parse_single_example`` read them.

They are written without TensorFlow, of which the 2.x lane takes 550 MB to be imported and 5 seconds. A record is the
length of its content (uint64), a masked CRC-32C of that, the content, and a masked CRC-32C of the content. The content
is a tf.train.Example of ``label`` int64 and ``image``, the levels uint8 [R, R, 3], which end it: where the levels of
each picture stand follows from the labels alone.
Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/example/example.proto.
"""

import struct

import google_crc32c
import numpy as np

_LENGTH, _CRC = 8, 4


def record(levels: bytes, label: int) -> bytes:
    """A picture's record."""
    return framed(_example(levels, label))


def framed(content: bytes) -> bytes:
    """A record of this content."""
    length = struct.pack("<Q", len(content))
    return b"".join((length, _masked_crc(length), content, _masked_crc(content)))


def offsets(labels: np.ndarray, resolution: int) -> np.ndarray:
    """Where the levels of each picture stand in a file of records with these labels, in bytes, int64 [N].

    Behind the last one stands the file's last CRC.
    """
    levels = resolution * resolution * 3
    known, places = np.unique(labels, return_inverse=True)
    sizes = np.array([_LENGTH + 2 * _CRC + len(_example(bytes(levels), label)) for label in known.tolist()], np.int64)
    return np.cumsum(sizes[places.reshape(-1)]) - _CRC - levels if len(labels) else np.zeros(0, np.int64)


def file_bytes(labels: np.ndarray, resolution: int) -> int:
    """The size of a file of records with these labels."""
    return int(offsets(labels, resolution)[-1]) + resolution * resolution * 3 + _CRC if len(labels) else 0


def _example(levels: bytes, label: int) -> bytes:
    """tf.train.Example(features=Features(feature={label: Int64List, image: BytesList})), serialized."""
    number = _entry(b"label", _field(3, _field(1, _varint(label))))
    picture = _entry(b"image", _field(1, _field(1, levels)))
    return _field(1, number + picture)


def _entry(key: bytes, feature: bytes) -> bytes:
    return _field(1, _field(1, key) + _field(2, feature))


def _field(number: int, content: bytes) -> bytes:
    """A field of protobuf with a length."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _masked_crc(content: bytes) -> bytes:
    """As TFRecords store a CRC, for files that hold CRCs of files that hold CRCs."""
    crc = google_crc32c.value(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
