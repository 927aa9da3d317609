"""TFRecords written without TensorFlow: TensorFlow's own readers read them, and the levels are where they should be."""

import numpy as np
import pytest

from biggan_cli.data import records
from biggan_cli.runtime.tf import tf
from tests.data_sets import pictures

LABELS = np.array([0, 1, 127, 128, 1, 16_384, 999_999], np.int32)


def written(path, made, labels):
    path.write_bytes(b"".join(records.record(picture.tobytes(), label) for picture, label in zip(made, labels)))
    return path.read_bytes()


def read(path, resolution):
    """(images, labels) by the standard reader, of records in a file."""
    features = dict(image=tf.io.FixedLenFeature([], tf.string), label=tf.io.FixedLenFeature([], tf.int64))
    with tf.Graph().as_default(), tf.Session() as session:
        dataset = tf.data.TFRecordDataset(str(path)).map(lambda content: tf.io.parse_single_example(content, features))
        example = tf.data.make_one_shot_iterator(dataset.batch(1000)).get_next()
        images = tf.reshape(tf.io.decode_raw(example["image"], tf.uint8), [-1, resolution, resolution, 3])
        return session.run((images, example["label"]))


@pytest.mark.parametrize("resolution", (2, 6, 7, 32, 74, 128))
def test_tensorflow_reads_them(tmp_path, resolution):
    """Of sizes whose lengths take one byte more than the one before, too."""
    made = pictures(len(LABELS), resolution)
    content = written(tmp_path / "x.tfrecord", made, LABELS.tolist())
    images, labels = read(tmp_path / "x.tfrecord", resolution)
    np.testing.assert_array_equal(images, made)
    assert labels.tolist() == LABELS.tolist()
    for picture, offset in zip(made, records.offsets(LABELS, resolution)):
        assert content[offset : offset + picture.nbytes] == picture.tobytes()
    assert records.file_bytes(LABELS, resolution) == len(content)


def test_the_content_is_an_example():
    (picture,) = pictures(1, 32)
    content = records.record(picture.tobytes(), 300)[12:-4]
    example = tf.train.Example.FromString(content)
    assert example.features.feature["image"].bytes_list.value[:] == [picture.tobytes()]
    assert example.features.feature["label"].int64_list.value[:] == [300]
    assert len(example.SerializeToString()) == len(content)


def test_no_records():
    nothing = np.zeros(0, np.int32)
    assert len(records.offsets(nothing, 32)) == records.file_bytes(nothing, 32) == 0


def test_a_changed_byte_does_not_go_unnoticed(tmp_path):
    content = bytearray(written(tmp_path / "x.tfrecord", pictures(2, 32), [0, 1]))
    content[2000] ^= 1
    (tmp_path / "x.tfrecord").write_bytes(bytes(content))
    with pytest.raises(tf.errors.DataLossError):
        read(tmp_path / "x.tfrecord", 32)
