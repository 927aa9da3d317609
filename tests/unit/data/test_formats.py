"""Each format: every pixel that comes out is one that went in; damaged and hostile files are named."""

import os
import pickle
import struct
import tarfile
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy import io

from biggan_cli.data import datasets, images
from biggan_cli.data.classes import CIFAR10
from biggan_cli.data.formats import archive, npz, pickles
from biggan_cli.errors import BigganError, StepFailed, UsageError
from biggan_cli.runtime import memory
from tests import data_sets
from tests.data_sets import cifar10_batches, class_folders, pickled, pictures, planes

NAMES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")


def refused(kind, spec, *words, resolution=32):
    with pytest.raises(BigganError) as raised:
        datasets.load(str(spec), resolution)
    assert type(raised.value) is kind, raised.value
    text = raised.value.message + " ".join(detail for _, detail in raised.value.details)
    for word in words:
        assert str(word) in text, text


def mat_bytes(tmp_path, pair):
    io.savemat(str(tmp_path / "batch.mat"), dict(data=planes(pair[0]), labels=pair[1][:, None]))
    return (tmp_path / "batch.mat").read_bytes()


def cifar10(tmp_path, form):
    batches = cifar10_batches()
    if form == "matlab":
        files = {f"cifar-10-batches-mat/{name}.mat": mat_bytes(tmp_path, pair) for name, pair in batches.items()}
    else:
        old = form != "python 3"
        files = {f"cifar-10-batches-py/{name}": pickled(*pair, as_python_2=old) for name, pair in batches.items()}
    files["cifar-10/readme.html"] = b"<html>"
    if form.endswith("folder"):
        for name, content in files.items():
            (tmp_path / "folder").mkdir(exist_ok=True)
            (tmp_path / "folder" / name.split("/")[1]).write_bytes(content)
        return tmp_path / "folder"
    return data_sets.archive(tmp_path / "c.tar.gz", files)


@pytest.mark.parametrize("form", ("matlab", "python 2", "python 3", "python 2 folder"))
def test_every_form_of_cifar10_gives_the_same_pictures(tmp_path, form):
    place = cifar10(tmp_path, form)
    found, batches = datasets.load(str(place), 32), cifar10_batches()
    assert found.class_names == CIFAR10 and found.name == "cifar10"
    np.testing.assert_array_equal(found.images, np.concatenate([batches[name][0] for name in NAMES]))
    np.testing.assert_array_equal(found.labels, np.concatenate([batches[name][1] for name in NAMES]))
    np.testing.assert_array_equal(found.held_out_images, batches["test_batch"][0])
    assert datasets.absolute(str(place)) == f"cifar10:{place}"
    assert datasets.load(f"cifar10:{place}", 32).digest == found.digest


def test_protocol_of_python_2_is_really_that():
    """The bytes that stand for a pickle of Python 2 are one, to Python's own unpickler too."""
    images_u8, labels = cifar10_batches()["test_batch"]
    for encoding, data, names in (("bytes", b"data", b"labels"), ("latin1", "data", "labels")):
        content = pickle.loads(pickled(images_u8, labels), encoding=encoding)
        np.testing.assert_array_equal(content[data], planes(images_u8))
        assert content[names] == labels.tolist()


class Runs:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def hostile(mark):
    yield pickle.dumps({"data": Runs(mark), "labels": [0]}, protocol=2)
    yield pickle.dumps({"data": Runs(mark), "labels": [0]}, protocol=4)
    yield b"cos\nmkdir\n(S'" + str(mark).encode() + b"'\ntR."
    yield b'cbuiltins\neval\n(S\'__import__("os").mkdir("' + str(mark).encode() + b"\")'\ntR."
    yield b"\x80\x04\x8c\x05numpy\x8c\x13ctypeslib.os.system\x93."
    yield b"c__builtin__\ngetattr\n."
    yield b"cnumpy\nload\n(S'x'\ntR."
    yield b"cnumpy\ndtype\n(S'O'\ntR."
    yield b"c_codecs\nencode\n(S'x'\nS'zip'\ntR."
    yield b"I" + b"9" * 100000 + b"\n."


@pytest.mark.parametrize("number", range(10))
def test_a_pickle_with_code_is_refused_and_nothing_runs(tmp_path, number):
    mark = tmp_path / "it ran"
    content = list(hostile(mark))[number]
    with pytest.raises(StepFailed) as raised:
        pickles.loads(content, "data_batch_1", ("data", "labels"))
    assert "data_batch_1 is refused" in raised.value.message and not mark.exists()
    if number < 4:  # and it would have run
        pickle.loads(content)
        assert mark.exists()


@pytest.mark.parametrize("content", (b"", b"\x80", b"(" * 100000, b"\x80\x02}(U\x04data", b"I1\n.", b"]."))
def test_a_pickle_of_something_else(tmp_path, content):
    folder = cifar10(tmp_path, "python 2 folder")
    (folder / "data_batch_3").write_bytes(content)
    refused(StepFailed, folder, "data_batch_3")


def test_an_archive_that_is_cut_off_anywhere(tmp_path):
    place = cifar10(tmp_path, "python 2")
    whole = place.read_bytes()
    for length in (1, 3, 30, len(whole) // 3, len(whole) // 2, len(whole) - 20):
        place.write_bytes(whole[:length])
        refused(UsageError if length == 1 else StepFailed, place, "c.tar.gz" if length > 1 else "is a file of no known")


@pytest.mark.parametrize("name", ("../data_batch_1", "/data_batch_1", "a/../../data_batch_1"))
def test_an_archive_with_a_member_that_leads_out_of_it(tmp_path, name):
    place = data_sets.archive(tmp_path / "c.tar.gz", {name: b"x"})
    refused(StepFailed, place, name, "leads out of it")


def test_a_bomb(tmp_path, monkeypatch):
    member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    member.size = 5_000_000
    place = data_sets.archive(tmp_path / "c.tar.gz", {}, [member])
    assert place.stat().st_size < 20_000
    monkeypatch.setattr(archive, "_MOST", 1_000_000)
    refused(StepFailed, place, "unpacks to more than 1,000,000 bytes")
    member.name = "zeros"
    member.size = 900_000
    place = data_sets.archive(tmp_path / "c.tar.gz", {}, [member, member])
    refused(StepFailed, place, "unpacks to more than 1,000,000 bytes")


def test_archives_that_are_not_cifar10(tmp_path):
    refused(UsageError, data_sets.archive(tmp_path / "c.tar.gz", {"a": b""}), "lacks 6 of its 6 files")
    twice = {"a/data_batch_1": b"", "b/data_batch_1": b""}
    refused(StepFailed, data_sets.archive(tmp_path / "d.tar.gz", twice), "twice")


def test_the_reference_s_imagenet64(tmp_path):
    data, labels = pictures(12, 16), np.arange(12)[None] % 5
    io.savemat(str(tmp_path / "imagenet64.mat"), dict(data=data, labels=labels))
    found = datasets.load(str(tmp_path / "imagenet64.mat"), 16)
    np.testing.assert_array_equal(found.images, data)
    assert found.labels.tolist() == labels[0].tolist() and found.class_names == tuple("01234")
    assert datasets.kind_of(str(tmp_path / "imagenet64.mat")) == "mat"
    io.savemat(str(tmp_path / "imagenet64.mat"), dict(data=data, labels=labels + 1))
    refused(StepFailed, tmp_path / "imagenet64.mat", "labels go from 1 to 5, and do not start at 0")
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512))
    refused(StepFailed, tmp_path / "new.mat", "HDF5")


def imagenet(folder, side=8, first=1):
    made = []
    for number in (1, 2, 10):
        data, labels = pictures(7, side, number), np.arange(7) * number + first
        np.savez(str(folder / f"train_data_batch_{number}.npz"), data=planes(data), labels=labels, mean=np.zeros(9))
        made.append((data, labels - 1))
    np.savez(str(folder / "val_data.npz"), data=planes(pictures(3, side, 11)), labels=np.array([1000, 1, 2]))
    return made


def test_downsampled_imagenet(tmp_path):
    made = imagenet(tmp_path)
    (tmp_path / "train_data_batch_2.npz").rename(tmp_path / "train_data_batch_2")
    found = datasets.load(str(tmp_path), 8)
    np.testing.assert_array_equal(found.images, np.concatenate([data for data, _ in made]))
    assert found.labels.tolist() == np.concatenate([labels for _, labels in made]).tolist()
    np.testing.assert_array_equal(found.held_out_images, pictures(3, 8, 11))
    assert found.held_out_labels.tolist() == [999, 0, 1] and len(found.class_names) == 1000
    assert found.name == "imagenet8"
    one = datasets.load(str(tmp_path / "train_data_batch_10.npz"), 8)
    np.testing.assert_array_equal(one.images, made[2][0])
    imagenet(tmp_path, first=0)
    refused(StepFailed, tmp_path, "labels go from 0 to 6, not over the whole numbers 1 to 1000")


@pytest.mark.parametrize("save", (np.savez, np.savez_compressed))
@pytest.mark.parametrize("shape", ((9, 9, 3), (9, 9), (9, 9, 1)))
def test_npz(tmp_path, save, shape):
    data = np.random.RandomState(3).randint(0, 256, (10, *shape)).astype(np.uint8)
    labels = np.arange(10) % 3
    save(str(tmp_path / "mine.npz"), images=data, labels=labels, class_names=np.array(["a", "b", "é"]))
    found = datasets.load(str(tmp_path / "mine.npz"), 9)
    grey = data.reshape(10, 9, 9, -1)
    np.testing.assert_array_equal(found.images, np.broadcast_to(grey, (10, 9, 9, 3)))
    assert found.labels.tolist() == labels.tolist() and found.class_names == ("a", "b", "é") and found.name == "mine"
    with datasets.opened(str(tmp_path / "mine.npz")) as source:
        middle = list(source.train.pictures(4, 7))
    np.testing.assert_array_equal(np.stack(middle), found.images[4:7])


@pytest.mark.parametrize(
    "arrays, kind, words",
    (
        (dict(images=pictures(4, 8)), UsageError, ["no array labels", "it holds images"]),
        (dict(images=pictures(4, 8), labels=np.arange(3)), StepFailed, ["has 4 pictures", "(3,)"]),
        (dict(images=pictures(4, 8), labels=np.arange(4) + 1), StepFailed, ["from 1 to 4, and do not start at 0"]),
        (dict(images=pictures(4, 8), labels=np.arange(4) - 1), StepFailed, ["from -1 to 2"]),
        (dict(images=pictures(4, 8), labels=np.arange(4) / 2), StepFailed, ["not whole numbers"]),
        (dict(images=pictures(4, 8), labels=np.array([0, np.nan, 1, 2])), StepFailed, ["nan"]),
        (dict(images=pictures(4, 8), labels=np.zeros(4, int)), UsageError, ["one class only"]),
        (dict(images=pictures(4, 8) / 255, labels=np.arange(4)), StepFailed, ["float64"]),
        (dict(images=pictures(4, 8)[..., :2], labels=np.arange(4)), StepFailed, ["(4, 8, 8, 2)"]),
        (dict(images=np.array([None] * 4), labels=np.arange(4)), StepFailed, ["Python objects"]),
        (dict(images=pictures(2, 8), labels=np.arange(2), class_names=np.array(["a"])), StepFailed, ["2 different"]),
        (dict(images=pictures(0, 8), labels=np.arange(0)), StepFailed, ["0 pictures"]),
    ),
)
def test_npz_with_something_else(tmp_path, arrays, kind, words):
    np.savez(str(tmp_path / "a.npz"), **arrays)
    refused(kind, tmp_path / "a.npz", *words)


def test_npz_that_is_cut_off_or_changed(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(str(path), images=pictures(20, 32), labels=np.arange(20) % 2)
    whole = path.read_bytes()
    for length in (4, 100, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:length])
        refused(StepFailed, path, "a.npz is cut off")
    path.write_bytes(whole[:3000] + bytes(50) + whole[3050:])
    refused(StepFailed, path, "a.npz")


def test_class_folders(tmp_path):
    made = class_folders(tmp_path / "pets")
    (tmp_path / "pets" / ".hidden").mkdir()
    (tmp_path / "pets" / "notes.txt").write_text("x")
    found = datasets.load(str(tmp_path / "pets"), 16)
    assert found.class_names == ("cat", "dog", "eel") and found.class_counts == (5, 3, 4) and found.name == "pets"
    expected = [images.fit(made[name], 16) for name in sorted(made)]
    np.testing.assert_array_equal(found.images, np.stack(expected))
    assert len(found.held_out_labels) == 0
    (tmp_path / "pets" / "dog" / "000.png").write_bytes((tmp_path / "pets" / "dog" / "001.png").read_bytes())
    assert datasets.load(str(tmp_path / "pets"), 16).digest != found.digest


@pytest.mark.parametrize("name", ("a\n", "b\x1b[31mred", "c\x85", "d\u2028e", " f", "g\\h\x7f"))
def test_names_that_no_class_can_have(tmp_path, name):
    class_folders(tmp_path / "x", ((name, 3), ("val", 2)))
    words = ["has a class name", repr(name), f"rename the folder {name!r}"]
    refused(UsageError, tmp_path / "x", *words)
    np.savez(str(tmp_path / "a.npz"), images=pictures(4, 8), labels=np.arange(4) % 2, class_names=np.array(["a", name]))
    refused(UsageError, tmp_path / "a.npz", "has a class name", repr(name), "another name for it in class_names")


@pytest.mark.parametrize("name", ("test_batch", "data_batch_1.mat", "train_data", "train_data_batch_1", "index.json"))
def test_class_folders_that_are_called_as_files_of_others(tmp_path, name):
    class_folders(tmp_path / "x", ((name, 3), ("val.tfrecord", 2)))
    assert datasets.load(str(tmp_path / "x"), 16).class_names == (name, "val.tfrecord")


def test_the_square_in_the_centre():
    wide = np.zeros((4, 10, 3), np.uint8)
    wide[:, 3:7] = pictures(1, 4)[0]
    np.testing.assert_array_equal(images.fit(wide, 4), wide[:, 3:7])
    np.testing.assert_array_equal(images.fit(wide.transpose(1, 0, 2), 4), wide[:, 3:7].transpose(1, 0, 2))
    large = pictures(1, 12)[0]
    np.testing.assert_array_equal(images.fit(large, 5), images.resize(large[None], 5)[0])


def test_modes_of_pictures(tmp_path):
    """Grey, palette, full alpha, bilevel, CMYK, and EXIF's orientation; each format without loss gives its pixels."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    picture = Image.fromarray(pictures(1, 16)[0])
    expected = {}

    def save(name, image, as_rgb, **options):
        image.save(str(tmp_path / "a" / name), **options)
        expected[name] = np.asarray(as_rgb)

    grey, palette, alpha = picture.convert("L"), picture.quantize(64), picture.convert("RGBA")
    alpha.putalpha(255)
    save("1.png", grey, grey.convert("RGB"))
    save("2.png", palette, palette.convert("RGB"))
    save("3.png", alpha, picture)
    save("4.png", picture.convert("1"), picture.convert("1").convert("RGB"))
    save("5.webp", picture, picture, lossless=True)
    save("6.bmp", picture, picture)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("7.png", picture, picture.transpose(Image.ROTATE_270), exif=exif)
    picture.convert("CMYK").save(str(tmp_path / "a" / "8.jpg"))
    picture.save(str(tmp_path / "b" / "9.JPEG"))
    found = datasets.load(str(tmp_path), 16)
    for index, name in enumerate(sorted(expected)):
        np.testing.assert_array_equal(found.images[index], expected[name], err_msg=name)
    assert len(found.labels) == 9


@pytest.mark.parametrize("mode", ("I;16", "RGB 16"))
def test_16_bits_are_refused(tmp_path, mode):
    class_folders(tmp_path)
    if mode == "I;16":
        Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20) * 99).save(str(tmp_path / "cat" / "x.png"))
    else:
        path = tmp_path / "cat" / "x.png"
        path.write_bytes(png_of_16_bits())
    refused(UsageError, tmp_path, "x.png has 16 bits a channel")


def png(width, height, bits, rows):
    """An RGB file with these rows, whatever its header says."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_of_16_bits():
    """2x2 px, RGB of 16 bits a channel, which Pillow cannot write."""
    return png(2, 2, 16, b"".join(b"\0" + struct.pack(">6H", *range(0, 60000, 10000)) for _ in range(2)))


@pytest.mark.parametrize("side", (12_000, 60_000))
def test_a_picture_that_is_a_bomb(tmp_path, side):
    """A few bytes that would be gigabytes: Pillow warns of the first size, and refuses the second."""
    class_folders(tmp_path)
    (tmp_path / "cat" / "x.png").write_bytes(png(side, side, 8, bytes(1000)))
    refused(StepFailed, tmp_path, "cat/x.png is too large to be a picture")


def test_labels_that_are_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "_MOST_LABELS", 1000)
    np.savez_compressed(str(tmp_path / "a.npz"), images=pictures(4, 8), labels=np.zeros(10_000))
    refused(StepFailed, tmp_path / "a.npz", "labels is float64 (10000,), larger than the labels of any data set")


def test_broken_pictures_are_named(tmp_path):
    class_folders(tmp_path, side=64)
    path = tmp_path / "dog" / "001.png"
    whole = path.read_bytes()
    for content in (b"", whole[:20], whole[: len(whole) // 2], b"hello" * 50):
        path.write_bytes(content)
        words = ["dog/001.png is cut off", f"biggan prepare {tmp_path} --res 32 --out DIR --skip-broken"]
        refused(StepFailed, tmp_path, *words)
    path.unlink()
    path.symlink_to(path.name)
    refused(StepFailed, tmp_path, "dog/001.png cannot be followed")


def test_all_broken_pictures_are_named_at_once(tmp_path):
    """Their number, and of the first five what is wrong."""
    class_folders(tmp_path, (("cat", 9), ("dog", 3)))
    for number in range(1, 7):
        (tmp_path / "cat" / f"00{number}.png").write_bytes(b"x" * number)
    (tmp_path / "dog" / "001.png").write_bytes(png_of_16_bits())
    with pytest.raises(StepFailed) as raised:
        datasets.load(str(tmp_path), 16)
    assert raised.value.message == "7 of 12 pictures cannot be used"
    named = [text for label, text in raised.value.details if label == "picture"]
    assert [text.split(" ")[0] for text in named[:5]] == [f"{tmp_path}/cat/00{number}.png" for number in range(1, 6)]
    assert all("is cut off" in text for text in named[:5]) and named[5:] == ["… and 2 more"]
    (fix,) = (text for label, text in raised.value.details if label == "fix")
    assert fix.startswith("copy or make it again, or remove it; convert the pictures to 8 bits; or leave out all")
    assert f"biggan prepare {tmp_path} --res 16 --out DIR --skip-broken" in fix


def test_what_is_transparent_lies_on_white(tmp_path):
    """level * alpha + 255 * (1 - alpha), whatever the colour is that nobody sees; alpha of 255 is no transparency."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    levels, alpha = pictures(1, 16)[0], np.repeat(np.arange(0, 256, 16, dtype=np.uint8)[None], 16, axis=0)
    whole = np.full((16, 16), 255, np.uint8)
    share = alpha[..., None] / 255.0
    expected = {}

    def save(name, picture, rgb, share=share, **options):
        picture.save(str(tmp_path / "a" / name), **options)
        expected[name] = rgb * share + 255 * (1 - share)

    def with_alpha(picture, alpha):
        picture = picture.copy()
        picture.putalpha(Image.fromarray(alpha))
        return picture

    colour = Image.fromarray(levels)
    grey, palette = colour.convert("L"), colour.quantize(8)
    in_grey, in_palette = (np.asarray(picture.convert("RGB")) for picture in (grey, palette))
    save("1-rgba.png", with_alpha(colour, alpha), levels)
    save("2-la.png", with_alpha(grey, alpha), in_grey)
    save("3-rgba.webp", with_alpha(colour, alpha), levels, lossless=True, exact=True)
    of_index = np.array([0, 50, 255, 255, 100, 255, 255, 255], np.uint8)
    seen = of_index[np.asarray(palette)][..., None] / 255.0
    save("4-palette.png", palette, in_palette, seen, transparency=bytes(of_index))
    one = int(in_grey[3, 5, 0])
    save("5-grey.png", grey, in_grey, (in_grey[..., :1] != one).astype(float), transparency=one)
    rgb = tuple(levels[3, 5].tolist())
    save("6-rgb.png", colour, levels, (levels != rgb).any(-1, keepdims=True).astype(float), transparency=rgb)
    save("7-opaque.png", with_alpha(colour, whole), levels, 1.0)
    save("8-palette.png", palette, in_palette, 1.0, transparency=bytes(8 * [255]))
    colour.save(str(tmp_path / "b" / "9.png"))
    found = datasets.load(str(tmp_path), 16)
    for index, name in enumerate(sorted(expected)):
        np.testing.assert_allclose(found.images[index].astype(float), expected[name], atol=1, err_msg=name)
    note = "6 pictures have transparent parts, drawn over white: the first is a/1-rgba.png"
    assert found.notes == (note,)
    with datasets.opened(str(tmp_path)) as source:
        assert source.train.notes() == [note]


def test_files_that_are_left_out_are_told(tmp_path):
    """Not what lies beside pictures: hidden files, lists, notes, what file managers leave."""
    class_folders(tmp_path / "x")
    for name in (".hidden.tif", "cat/.DS_Store", "cat/Thumbs.db", "labels.csv", "README", "dog/README.txt", "a.json"):
        (tmp_path / "x" / name).write_bytes(b"x")
    assert datasets.load(str(tmp_path / "x"), 16).notes == ()
    for name in ("cat/1.TIF", "cat/2.tif", "dog/3.heic", "loose.gif"):
        (tmp_path / "x" / name).write_bytes(b"x")
    (note,) = datasets.load(str(tmp_path / "x"), 16).notes
    assert note == (
        "4 files of kinds that are not read are left out (.gif, .heic, .tif): the first is loose.gif; "
        "what is read: .png, .jpg, .jpeg, .webp, .bmp"
    )
    with datasets.opened(str(tmp_path / "x")) as source:
        assert source.notes == (note,)
    (tmp_path / "x" / "loose.gif").rename(tmp_path / "x" / os.fsdecode(b"\xff\x1b.gif"))
    (note,) = datasets.load(str(tmp_path / "x"), 16).notes
    assert "the first is \\xff\\x1b.gif" in note


def test_folders_that_are_no_data(tmp_path):
    class_folders(tmp_path / "x" / "train")
    refused(UsageError, tmp_path / "x", "folder of folders of folders", f"--data {tmp_path}/x/train")
    (tmp_path / "x" / "train" / "ant").mkdir()
    refused(UsageError, tmp_path / "x" / "train", "the class folder ant has no pictures")
    refused(UsageError, tmp_path / "x" / "train" / "cat", "5 pictures that are in no class folder, as 000.png")
    class_folders(tmp_path / "one", (("cat", 3),))
    refused(UsageError, tmp_path / "one", "one class only, cat")
    (tmp_path / "empty").mkdir()
    refused(UsageError, tmp_path / "empty", "no class folders")
    (tmp_path / "one" / "loop").symlink_to(tmp_path / "one")
    refused(UsageError, tmp_path / "one", "folder of folders of folders")
    (tmp_path / "one" / "loop").unlink()
    (tmp_path / "one" / "loop").symlink_to("loop")
    refused(StepFailed, tmp_path / "one", "loop cannot be followed")


def test_data_that_are_larger_than_the_memory(tmp_path, monkeypatch):
    class_folders(tmp_path)
    monkeypatch.setattr(memory, "available", lambda: 12 * 128 * 128 * 3)
    refused(UsageError, tmp_path, f"biggan prepare {tmp_path} --res 128 --out DIR", resolution=128)
    assert len(datasets.load(str(tmp_path), 64).labels) == 12


@pytest.mark.parametrize("spec", ("folder:", "npz:", "prepared:", "nowhere", "folder:nowhere", "imagenet:nowhere"))
def test_specifications_without_a_place(tmp_path, monkeypatch, spec):
    monkeypatch.chdir(tmp_path)
    refused(UsageError, spec, f"--data {spec}")


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    refused(UsageError, tmp_path / "a.txt", "is a file of no known kind")
