"""TFRecords written without TensorFlow: TensorFlow reads them, and each byte is where the layout says."""

import numpy as np
import pytest

from biggan_cli.data import records
from biggan_cli.runtime.tf import tf
from tests.data_sets import pictures

LABELS = np.array([0, 1, 127, 128, 999_999], np.int32)


@pytest.mark.parametrize(
    "message, crc",
    ((b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)),
)
def test_crc32c_of_known_messages(message, crc):
    """The last three: RFC 3720, B.4."""
    assert records.crc32c(np.frombuffer(message, np.uint8)[None]).tolist() == [crc]


@pytest.mark.parametrize("resolution", (2, 32, 128))
def test_tensorflow_reads_them(tmp_path, resolution):
    made, path = pictures(5, resolution), str(tmp_path / "x.tfrecord")
    content = records.encoded(made, LABELS)
    (tmp_path / "x.tfrecord").write_bytes(content)
    features = dict(image=tf.io.FixedLenFeature([], tf.string), label=tf.io.FixedLenFeature([], tf.int64))
    with tf.Graph().as_default(), tf.Session() as session:
        record = tf.data.make_one_shot_iterator(tf.data.TFRecordDataset(path)).get_next()
        example = tf.io.parse_single_example(record, features)
        image = tf.reshape(tf.io.decode_raw(example["image"], tf.uint8), [resolution, resolution, 3])
        for picture, label in zip(made, LABELS):
            read, number = session.run((image, example["label"]))
            np.testing.assert_array_equal(read, picture)
            assert number == label
        with pytest.raises(tf.errors.OutOfRangeError):
            session.run(image)
    form = records.layout(resolution)
    assert len(content) == 5 * form.record_bytes
    start = 3 * form.record_bytes + form.image_offset
    assert content[start : start + form.image_bytes] == made[3].tobytes()


def test_a_changed_byte_does_not_go_unnoticed(tmp_path):
    content = bytearray(records.encoded(pictures(2, 32), LABELS[:2]))
    content[2000] ^= 1
    (tmp_path / "x.tfrecord").write_bytes(bytes(content))
    with tf.Graph().as_default(), tf.Session() as session:
        dataset = tf.data.TFRecordDataset(str(tmp_path / "x.tfrecord"))
        record = tf.data.make_one_shot_iterator(dataset).get_next()
        with pytest.raises(tf.errors.DataLossError):
            session.run(record)
