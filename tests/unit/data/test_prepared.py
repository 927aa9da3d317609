"""A prepared data set is read as it was written, or refused: every byte counts."""

import json
import shutil

import numpy as np
import pytest

from biggan_cli.core import prepare as core
from biggan_cli.core.reporting import silent
from biggan_cli.data import datasets
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.settings import PrepareConfig
from tests.data_sets import class_folders


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    class_folders(folder / "pets", side=32)
    core.prepare(PrepareConfig(str(folder / "pets"), str(folder / "out"), 32, workers=1, shard_size=5), False, silent)
    return folder


@pytest.fixture
def out(made, tmp_path):
    return shutil.copytree(str(made / "out"), str(tmp_path / "out")) and tmp_path / "out"


def refused(kind, out, *words):
    with pytest.raises(kind) as raised:
        datasets.load(str(out), 32)
    assert type(raised.value) is kind
    text = raised.value.message + " ".join(detail for _, detail in raised.value.details)
    for word in words:
        assert word in text, text


def test_indexing_is_that_of_an_array(made):
    images, wanted = datasets.load(str(made / "out"), 32).images, datasets.load(str(made / "pets"), 32).images
    assert images.shape == wanted.shape and images.dtype == wanted.dtype and len(images) == 12
    for key in (0, -1, slice(3, 9, 2), slice(None), [4, 4, 11], np.array([[5, 0], [10, 7]]), np.zeros((0,), int)):
        np.testing.assert_array_equal(images[key], wanted[key])
    for key in (12, -13, [0, 12]):
        with pytest.raises(IndexError):
            images[key]


def test_a_byte_that_changed_is_found(out):
    path = out / "train-00001.tfrecord"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(bytes(content))
    refused(StepFailed, out, "train-00001.tfrecord has changed", "biggan prepare")
    path.write_bytes(bytes(content)[:-1])
    refused(StepFailed, out, "train-00001.tfrecord has", "bytes, not")
    path.unlink()
    refused(StepFailed, out, "train-00001.tfrecord is missing")


def test_a_shard_that_goes_away_while_it_is_read(out):
    images = datasets.load(str(out), 32).images
    (out / "train-00002.tfrecord").write_bytes(b"")
    with pytest.raises(StepFailed, match=r"train-00002.tfrecord is cut off"):
        images[11]
    (out / "train-00002.tfrecord").unlink()
    with pytest.raises(StepFailed, match=r"train-00002.tfrecord cannot be read"):
        images[11]


def test_an_index_that_is_damaged(out):
    index = json.loads((out / "index.json").read_text())
    for changed, words in (
        (dict(index, format="x"), "is not of a prepared data set"),
        (dict(index, schema=99), "has schema 99"),
        (dict(index, digest="0"), "its digest is not that of its content"),
        ({key: index[key] for key in index if key != "shards"}, "it has no 'shards'"),
        ([], "is not of a prepared data set"),
    ):
        (out / "index.json").write_text(json.dumps(changed))
        refused(StepFailed, out, words)
    (out / "index.json").write_text(json.dumps(index)[:100])
    refused(StepFailed, out, "index.json is damaged")


def test_another_resolution(out):
    with pytest.raises(UsageError, match="was prepared at 32 px, and --res is 64"):
        datasets.load(str(out), 64)


def test_not_from_the_object_storage():
    with pytest.raises(UsageError, match="read all through training"):
        datasets.load("prepared:obs://bucket/folder", 32)
