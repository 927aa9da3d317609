"""Raw files for offline models: their bytes, their padding, and the index that says what is in them."""

import json
import struct

import numpy as np
import pytest

from biggan_cli.deploy import bins
from biggan_cli.deploy.bins import BinIndex
from biggan_cli.deploy.spec import GraphSpec, TensorSpec
from biggan_cli.errors import StepFailed

SPEC = GraphSpec(
    graph="generator.pb",
    sha256="",
    inputs=(TensorSpec("z", "float32", (None, 3)), TensorSpec("y", "int32", (None, 1))),
    output=TensorSpec("output", "float32", (None, 2, 2, 3)),
    class_names=("a", "猫"),
    step=4,
    weights="ema",
    bn="standing",
    truncation=2.0,
    resample="plain",
    biggan="0",
)


def latents(num):
    return dict(
        z=np.arange(3 * num, dtype=np.float32).reshape(num, 3) / 7 - 1,
        y=(np.arange(num, dtype=np.int32) * 65537).reshape(num, 1),  # more than a byte
    )


def index_of(num, batch):
    return BinIndex(num, batch, tuple(range(num)), (0,) * num)


def write(folder, arrays, batch, progress=lambda done, total: None):
    return bins.write_bins(folder, arrays, SPEC, batch, progress)


def test_the_bytes_are_little_endian_in_c_order(tmp_path):
    arrays = latents(4)
    assert write(tmp_path, arrays, 2) == ["000000.bin", "000001.bin"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.bin")) == [
        "y/000000.bin",
        "y/000001.bin",
        "z/000000.bin",
        "z/000001.bin",
    ]
    for number in (0, 1):
        z, y = arrays["z"][2 * number : 2 * number + 2], arrays["y"][2 * number : 2 * number + 2]
        values = [value for row in z.tolist() for value in row]
        assert (tmp_path / f"z/{number:06d}.bin").read_bytes() == struct.pack("<6f", *values)
        assert (tmp_path / f"y/{number:06d}.bin").read_bytes() == struct.pack("<2i", *y[:, 0].tolist())


@pytest.mark.parametrize(
    "convert",
    (
        lambda array: array.astype(array.dtype.newbyteorder(">")),
        np.asfortranarray,
        lambda array: np.repeat(array, 2, axis=0)[::2],
        lambda array: array.astype({"f": np.float64, "i": np.int64}[array.dtype.kind]),
    ),
    ids=("big-endian", "another order", "with gaps", "twice as wide"),
)
def test_the_bytes_do_not_depend_on_how_the_arrays_lie_in_memory(tmp_path, convert):
    for name, arrays in (
        ("one", latents(5)),
        ("other", {key: convert(value) for key, value in latents(5).items()}),
    ):
        (tmp_path / name).mkdir()
        write(tmp_path / name, arrays, 2)
    for path in (tmp_path / "one").rglob("*.bin"):
        assert (tmp_path / "other" / path.relative_to(tmp_path / "one")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("num", "batch", "last"), ((5, 2, [4, 4]), (5, 4, [4, 4, 4, 4]), (3, 8, [0, 1, 2, 0, 1, 2, 0, 1]), (4, 2, [2, 3]))
)
def test_the_last_file_is_filled_with_its_own(tmp_path, num, batch, last):
    arrays = latents(num)
    names = write(tmp_path, arrays, batch)
    assert len(names) == -(-num // batch) == len(index_of(num, batch).stems())
    found = np.frombuffer((tmp_path / "z" / names[-1]).read_bytes(), "<f4").reshape(batch, 3)
    np.testing.assert_array_equal(found, arrays["z"][last])
    found = np.frombuffer((tmp_path / "y" / names[-1]).read_bytes(), "<i4")
    np.testing.assert_array_equal(found, arrays["y"][last, 0])


@pytest.mark.parametrize(("num", "batch"), ((1, 1), (1, 4), (5, 2), (8, 4), (7, 1)))
def test_what_was_written_is_read_back(tmp_path, num, batch):
    arrays = latents(num)
    names = write(tmp_path, arrays, batch)
    index = index_of(num, batch)
    assert [stem + ".bin" for stem in index.stems()] == names
    for most in (num, 1000):
        found = bins.read_bins(tmp_path, index, SPEC, most)
        assert set(found) == {"z", "y"}
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


@pytest.mark.parametrize(("most", "files"), ((1, 1), (2, 1), (3, 2), (4, 2), (5, 3)))
def test_of_many_only_the_first_are_read_and_only_the_files_they_are_in(tmp_path, most, files):
    arrays = latents(7)
    for name in write(tmp_path, arrays, 2)[files:]:
        for folder in ("z", "y"):
            (tmp_path / folder / name).unlink()
    found = bins.read_bins(tmp_path, index_of(7, 2), SPEC, most)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array[:most])


def test_what_fills_the_last_file_is_never_read_back(tmp_path):
    write(tmp_path, latents(3), 8)
    for most in (2, 3, 4, 8, 9):
        assert {len(rows) for rows in bins.read_bins(tmp_path, index_of(3, 8), SPEC, most).values()} == {min(most, 3)}


def test_progress_is_told_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(bins, "_PROGRESS_EVERY", 10)
    told = []
    write(tmp_path, latents(25), 1, lambda *progress: told.append(progress))
    assert told == [(10, 25), (20, 25)]


def test_the_index_comes_back_as_it_was(tmp_path):
    index = BinIndex(3, 2, (7, 2**40, 0), (0, 1, 1))
    bins.write_index(tmp_path, index, SPEC.class_names)
    assert bins.read_index(tmp_path) == index
    assert json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))["class_names"] == ["a", "猫"]


GOOD = dict(num=2, batch=1, seeds=[0, 1], labels=[0, 1], class_names=[])


@pytest.mark.parametrize(
    "change",
    (
        dict(num=3),
        dict(num=None),
        dict(num="2"),
        dict(batch=0),
        dict(batch=-4),
        dict(batch=None),
        dict(batch="1"),
        dict(seeds=[0]),
        dict(seeds=5),
        dict(labels=[0, 1, 1]),
        dict(labels=None),
    ),
    ids=str,
)
def test_a_damaged_index(tmp_path, change):
    (tmp_path / "index.json").write_text(json.dumps(GOOD))
    assert bins.read_index(tmp_path) == BinIndex(2, 1, (0, 1), (0, 1))
    (tmp_path / "index.json").write_text(json.dumps(dict(GOOD, **change)))
    with pytest.raises(StepFailed) as raised:
        bins.read_index(tmp_path)
    assert raised.value.message.startswith(f"{tmp_path / 'index.json'} is damaged: ")
    assert dict(raised.value.details)["fix"] == "biggan to-bin"


@pytest.mark.parametrize("key", ("num", "batch", "seeds", "labels"))
def test_an_index_without_a_key(tmp_path, key):
    (tmp_path / "index.json").write_text(json.dumps({name: GOOD[name] for name in GOOD if name != key}))
    with pytest.raises(StepFailed) as raised:
        bins.read_index(tmp_path)
    assert key in raised.value.message


@pytest.mark.parametrize("content", ("[]", "3", "null", "", '{"num": 2'))
def test_an_index_that_is_no_index(tmp_path, content):
    with pytest.raises(StepFailed) as raised:
        bins.read_index(tmp_path)
    assert raised.value.message == f"{tmp_path / 'index.json'} is missing"
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(StepFailed) as raised:
        bins.read_index(tmp_path)
    assert f"{tmp_path / 'index.json'} is damaged" in raised.value.message


def test_the_outputs_of_a_run_in_the_order_of_its_inputs(tmp_path):
    pictures = np.arange(4 * 12, dtype="<f4").reshape(4, 2, 2, 3)
    (tmp_path / bins.output_name("000001")).write_bytes(pictures[2:].tobytes())
    (tmp_path / bins.output_name("000000")).write_bytes(struct.pack("<24f", *range(24)))
    for most in (3, 4, 100):
        np.testing.assert_array_equal(bins.read_outputs(tmp_path, index_of(3, 2), SPEC, most), pictures[:3])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000_output_0.bin", "000001_output_0.bin"]


def test_of_many_outputs_only_the_first_are_read(tmp_path):
    pictures = np.arange(2 * 12, dtype="<f4").reshape(2, 2, 2, 3)
    (tmp_path / bins.output_name("000000")).write_bytes(pictures.tobytes())
    for most in (1, 2):
        found = bins.read_outputs(tmp_path, index_of(50, 2), SPEC, most)
        np.testing.assert_array_equal(found, pictures[:most])
        assert found.dtype == np.float32
    with pytest.raises(FileNotFoundError):
        bins.read_outputs(tmp_path, index_of(50, 2), SPEC, 3)
