"""Files that were made to harm: each is one clear error, before it takes memory or time."""

import gzip
import pickle
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from scipy import io

from biggan_cli.data import datasets
from biggan_cli.data.formats import archive, mat, pickles
from biggan_cli.data.formats import npz as formats_npz
from biggan_cli.errors import BigganError, StepFailed, UsageError
from biggan_cli.runtime import memory
from tests.conftest import CIFAR10_BATCHES, small_cifar10

ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"


def text(words):
    return b"X" + struct.pack("<I", len(words)) + words.encode()


def dtype(name="u1", order="|", fields=b"NNN", sizes=b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00", version=3):
    made = b"cnumpy\ndtype\n(" + text(name) + b"\x89\x88tR"
    return made + b"(K" + bytes([version]) + text(order) + fields + sizes + b"tb"


def array(shape=b"K\x04\x85", kind=None, content=b"C\x04abcd"):
    return ARRAY + b"(K\x01" + shape + (kind or dtype()) + b"\x89" + content + b"tb"


def of(data):
    return b"\x80\x03}" + text("data") + data + b"s."


def test_the_arrays_that_these_are_changes_of():
    assert pickles.loads(of(array()), "x", ("data",))["data"].tobytes() == b"abcd"
    assert pickle.loads(of(array()))["data"].tobytes() == b"abcd"
    of_numpy_2 = of(array()).replace(b"numpy.core", b"numpy._core")
    assert pickles.loads(of_numpy_2, "x", ("data",))["data"].tobytes() == b"abcd"


def test_every_type_and_order_of_numbers():
    for kind in ("u1", "i1", "<u2", ">i2", "<u4", ">i4", "<u8", ">i8", "<f4", ">f8"):
        for order in "CF":
            wanted = np.asarray(np.arange(12).reshape(3, 4), kind, order)
            for protocol in range(1, 1 + min(5, pickle.HIGHEST_PROTOCOL)):
                found = pickles.loads(pickle.dumps({"data": wanted, "more": 1.5}, protocol), "x", ("data", "labels"))
                np.testing.assert_array_equal(found["data"], wanted)
                assert found["data"].dtype == wanted.dtype and list(found) == ["data"]


FIELDS = b"}(" + text("a") + b"(" + text("A" * 200) + b"K\x00tu"


@pytest.mark.parametrize(
    "data",
    (
        array(kind=dtype("V8", fields=b"N" + text("a") + b"\x85" + FIELDS)),
        array(kind=dtype(fields=b"N" + text("a") + b"\x85" + FIELDS)),
        array(kind=dtype(sizes=b"K\x08K\x01K\x3f")),
        array(kind=dtype(version=4)),
        array(kind=dtype(order="O")),
        array(kind=dtype("O")),
        array(shape=b"K\x05\x85"),
        array(shape=b"J\xff\xff\xff\xffJ\xfc\xff\xff\xff\x86"),
        array(shape=b")"),
        array(content=b"](K\x00K\x00K\x00K\x00e"),
        ARRAY + b"}" + text("shape") + b"K\x05sb",
        b"cnumpy\nndarray\n}" + text("x") + b"K\x05sb",
        b"cnumpy\ndtype\nN}" + text("call") + b"K\x05s\x86b",
        b"N)R",
        b"(" * 1000,
        b"K\x01a",
        b"\x86",
        b"I" + b"1" * 1000 + b"\n",
        b"]r\xff\xff\xff\xff0",
        b"cnumpy\nndarray\nN}" + text("name") + b"K\x05s\x86b",
        b"}" + text("x") + b"K\x05sb",
        b"\x8a\xff" + b"\x7f" * 255,
        b"L" + b"1" * 1000 + b"L\n",
        b"\x82\x01",
        b"P1\n",
        b"cnumpy\ndtype\n)\x81",
    ),
)
def test_pickles_that_ask_for_more_than_data(data):
    with pytest.raises(StepFailed, match=r"x is (refused|cut off or damaged)"):
        pickles.loads(of(data), "x", ("data",))


def laughs():
    made = b"](K\x01K\x01eq\x00"
    for level in range(1, 60):
        made += b"](h" + bytes([level - 1]) + b"h" + bytes([level - 1]) + b"eq" + bytes([level])
    return made


def same_keys():
    """A dict whose keys all have one hash: each is compared with all before it."""
    numbers = ((count * (2**61 - 1)).to_bytes(10, "little") for count in range(1, 60_000))
    return b"\x80\x03}(" + b"".join(b"\x8a\x0a" + number + b"N" for number in numbers) + b"u."


@pytest.mark.parametrize(
    "content",
    (
        b"\x80\x03Nr" + struct.pack("<I", 50_000_000) + b".",
        b"\x80\x03" + b"]" * 2_000_000,
        of(laughs()[:-2] + b"q\x63"),
        b"\x80\x03}" + laughs().replace(b"]", b"").replace(b"e", b"t") + b"Ns.",
        b"\x80\x03" + text("x" * 100_000) + b"q\x00" + b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R" * 1000,
        same_keys(),
        b"\x80\x03}(" + b"K\x01\x85N" * 60_000 + b"u.",
        b"\x80\x03I" + b"1" * 10_000_000 + b"\n.",
    ),
    ids=("memo", "lists", "nested lists", "nested tuples", "copies", "keys", "tuples", "digits"),
)
def test_pickles_that_are_bombs(content):
    began = time.process_time()
    tracemalloc.start()
    try:
        assert pickles.loads(content, "x", ("data",)) == {}
    except StepFailed as error:
        assert "x is" in error.message
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 60_000_000 and time.process_time() - began < 20


def refused(kind, spec, *words):
    with pytest.raises(BigganError) as raised:
        datasets.load(str(spec), 32)
    assert type(raised.value) is kind, raised.value
    for word in words:
        assert word in raised.value.message, raised.value


@pytest.mark.parametrize("compressed", (False, True))
@pytest.mark.parametrize("kind", ("u1", "i2", "u4", "i8", "f4", "f8"))
def test_mat_files_as_scipy_reads_them(tmp_path, kind, compressed):
    arrays = dict(data=np.arange(60).reshape(3, 4, 5).astype(kind), labels=np.array([[2, 1]], kind), more=np.eye(3))
    io.savemat(str(tmp_path / "a.mat"), dict(arrays, text="x", long_name_of_it=["a"]), do_compression=compressed)
    found = mat.read(tmp_path / "a.mat")
    assert sorted(found) == ["data", "labels"]
    for name, wanted in io.loadmat(str(tmp_path / "a.mat"), variable_names=("data", "labels")).items():
        if name in found:
            np.testing.assert_array_equal(found[name], wanted)
            assert found[name].dtype == wanted.dtype


def test_a_mat_file_of_a_big_endian_machine():
    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    head = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 2, 3)) + element(1, b"labels")
    content = (
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI" + element(14, head + element(4, struct.pack(">6H", *range(6))))
    )
    found = mat.loads(content, "a.mat", ("data", "labels"), 1000)
    assert found["labels"].tolist() == [[0, 2, 4], [1, 3, 5]] and found["labels"].dtype == np.uint16
    for place in range(128, len(content)):
        for byte in (0, 1, 255):
            with_one_changed = content[:place] + bytes([byte]) + content[place + 1 :]
            try:
                mat.loads(with_one_changed, "a.mat", ("labels",), 1000)
            except StepFailed as error:
                assert "a.mat" in error.message


def test_a_mat_file_that_is_a_bomb(tmp_path, monkeypatch):
    small_cifar10(tmp_path)
    bomb = zlib.compress(bytes(70_000_000))
    head = (tmp_path / CIFAR10_BATCHES[0]).read_bytes()[:128]
    (tmp_path / CIFAR10_BATCHES[0]).write_bytes(head + struct.pack("<II", 15, len(bomb)) + bomb)
    refused(StepFailed, tmp_path, "data_batch_1.mat unpacks to more than 64,000,000 bytes")
    with open(str(tmp_path / CIFAR10_BATCHES[0]), "wb") as file:
        file.truncate(100_000_000_000)
    refused(StepFailed, tmp_path, "is larger than a batch of CIFAR-10")
    data = dict(data=np.zeros((300, 32, 32, 3), np.uint8), labels=np.arange(300)[None] % 2)
    io.savemat(str(tmp_path / "a.mat"), data, do_compression=True)
    assert len(datasets.load(str(tmp_path / "a.mat"), 32).labels) == 300
    monkeypatch.setattr(memory, "available", lambda: 500_000)
    refused(StepFailed, tmp_path / "a.mat", "a.mat unpacks to more than 39")
    monkeypatch.setattr(memory, "available", lambda: 5_000)
    io.savemat(str(tmp_path / "a.mat"), data)
    refused(UsageError, tmp_path / "a.mat", "a.mat has 0.0 GB, and 0.0 GB of memory can be used")


def tar_gz(path, *headers):
    """Headers of 512 bytes, and content where a pair says how much."""
    with gzip.open(str(path), "wb") as file:
        for header, content in headers:
            file.write(header.tobuf(tarfile.GNU_FORMAT)[:512] + content + bytes(-len(content) % 512))
        file.write(bytes(10240))
    return path


def header(name, kind=tarfile.REGTYPE, size=0):
    found = tarfile.TarInfo(name)
    found.type, found.size = kind, size
    return found


def test_archives_that_are_bombs(tmp_path, monkeypatch):
    long_name = header("././@LongLink", tarfile.GNUTYPE_LONGNAME, 5)
    refused(StepFailed, tar_gz(tmp_path / "a.tar.gz", *[(long_name, b"name")] * 3000), "more than 1,000 members")
    sparse = header("cifar/data_batch_1", tarfile.GNUTYPE_SPARSE, 0)
    refused(StepFailed, tar_gz(tmp_path / "b.tar.gz", (sparse, b"")), "'cifar/data_batch_1' is a sparse file")
    pax = header("PaxHeaders/data_batch_1", tarfile.XHDTYPE, 30)
    content = b"30 GNU.sparse.realsize=9999999"
    refused(UsageError, tar_gz(tmp_path / "c.tar.gz", (pax, content)), "lacks 6 of its 6 files")
    monkeypatch.setattr(archive, "_MOST", 1_000_000)
    parts = [(header(f"cifar/data_batch_{number}", size=400_000), bytes(400_000)) for number in (1, 2, 3)]
    refused(StepFailed, tar_gz(tmp_path / "d.tar.gz", *parts), "unpacks to more than 1,000,000 bytes")
    refused(StepFailed, tar_gz(tmp_path / "e.tar.gz", (header("a", size=2**40), b"")), "unpacks to more than")


def test_a_byte_of_an_archive_that_changed(tmp_path):
    content = np.random.RandomState(0).bytes(3000)
    path = tar_gz(tmp_path / "a.tar.gz", (header("cifar/test_batch", size=3000), content))
    assert archive.members(path, ("test_batch",), "a") == {"test_batch": content}
    whole = bytearray(path.read_bytes())
    whole[1500] ^= 1
    path.write_bytes(bytes(whole))
    refused(StepFailed, path, "a.tar.gz is cut off or damaged")


def npz(path, arrays):
    """Members as they are, and zeros where a number says how many."""
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (shape, content) in arrays.items():
            header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".encode() if shape else content
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                member.write(b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header)
                for _ in range(0, content if shape else 0, 1_000_000):
                    member.write(bytes(1_000_000))
    return path


def test_npz_files_that_are_bombs(tmp_path, monkeypatch):
    long_header = npz(tmp_path / "a.npz", dict(images=(None, b" " * 20_000_000), labels=((2,), 2)))
    refused(StepFailed, f"npz:{long_header}", "an array has a header of 20,000,000 bytes")
    count = 3_000_000
    many = npz(tmp_path / "b.npz", dict(images=((count, 1, 1), count), labels=((count,), count)))
    monkeypatch.setattr(memory, "available", lambda: 100_000_000)
    refused(UsageError, many, "labels is uint8 (3000000,), which takes 0.2 GB of memory")
    monkeypatch.setattr(formats_npz, "_LARGEST_PICTURE", 1_000_000)
    np.savez_compressed(str(tmp_path / "c.npz"), images=np.zeros((2, 1001, 1000), np.uint8), labels=np.arange(2))
    refused(StepFailed, tmp_path / "c.npz", "images is (2, 1001, 1000): a picture of it is too large")
