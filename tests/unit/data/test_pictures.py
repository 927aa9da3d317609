"""Pictures to score: what is read, in which order, and what is said of what cannot be scored."""

import json
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from biggan_cli.data import pictures
from biggan_cli.data.pictures import of_array, of_file, of_folder
from biggan_cli.errors import StepFailed, UsageError

RANDOM = np.random.RandomState(0).randint(0, 256, (7, 6, 8, 3)).astype(np.uint8)
"""Seven pictures, 8 px wide and 6 px high."""


def save(path, image_u8=RANDOM[0], **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image_u8).save(str(path), **options)
    return path


@pytest.fixture
def folder(tmp_path):
    """The seven as PNG files, in another order than that of their names."""
    for number in (3, 0, 6, 1, 5, 2, 4):
        save(tmp_path / "pictures" / f"{number}.png", RANDOM[number])
    return tmp_path / "pictures"


def everything(found, size=3):
    batches = list(found.batches(size))
    assert all(batch.dtype == np.uint8 for batch in batches)
    assert [len(batch) for batch in batches] == [size] * (found.count // size) + [found.count % size] * (
        found.count % size > 0
    )
    return np.concatenate(batches)


def refused(error, call, *words):
    """The words are in the error or in what helps."""
    with pytest.raises(error) as raised:
        call()
    text = " ".join([raised.value.message, *(detail for _, detail in raised.value.details)])
    for word in words:
        assert str(word) in text
    return text


def png(width, height, depth, colour, pixels, chunks=b""):
    """A PNG file byte by byte, of compressed rows: Pillow writes none of 16 bits in colour, or with false contents."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) & 0xFFFFFFFF)

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunks + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# Folders


def test_a_folder_is_read_in_the_order_of_its_names(folder):
    found = of_folder(folder)
    assert (found.name, found.count, found.size, found.lossless) == (str(folder), 7, (6, 8), True)
    for size in (1, 3, 7, 100):
        np.testing.assert_array_equal(everything(found, size), RANDOM)


def test_the_order_of_the_directory_does_not_matter(folder, monkeypatch):
    before = of_folder(folder)
    walk = os.walk

    def backwards(*arguments, **options):
        for place, folders, names in walk(*arguments, **options):
            names.sort(reverse=True)
            folders.sort(reverse=True)
            yield place, folders, names

    monkeypatch.setattr(os, "walk", backwards)
    after = of_folder(folder)
    assert after.digest == before.digest
    np.testing.assert_array_equal(everything(after), RANDOM)


def test_folders_in_it_count_and_what_is_hidden_or_another_file_does_not(tmp_path):
    for number, name in enumerate(("a/2.PNG", "a/b/1.bmp", "a-/3.png", "c.webp")):
        options = dict(lossless=True) if name.endswith("webp") else {}
        save(tmp_path / name, RANDOM[number], **options)
    for name in (".hidden.png", ".hidden/x.png", "a/.x/y.png"):
        save(tmp_path / name)
    for name in ("a/notes.txt", "labels.npy", "movie.gif", "Thumbs.db", "png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty.png").mkdir()
    found = of_folder(tmp_path)
    assert found.count == 4 and found.lossless
    np.testing.assert_array_equal(everything(found), RANDOM[[2, 0, 1, 3]])  # as text: "-" before "/"


def test_a_relative_folder_is_called_as_it_was_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    whole = of_folder(folder)
    here = of_folder(type(folder)("."))
    assert here.name == "." and here.digest == whole.digest
    np.testing.assert_array_equal(everything(here), RANDOM)


def test_links_count_and_loops_end(folder, tmp_path):
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    elsewhere = save(tmp_path / "elsewhere" / "x.png", RANDOM[1]).parent
    (folder / "linked").symlink_to(elsewhere)
    (folder / "again").symlink_to(elsewhere)
    (folder / "9.png").symlink_to(folder / "0.png")
    (tmp_path / "by_link").symlink_to(folder)
    assert of_folder(folder).count == 9
    found = of_folder(tmp_path / "by_link")
    assert found.count == 9
    np.testing.assert_array_equal(everything(found), RANDOM[[0, 1, 2, 3, 4, 5, 6, 0, 1]])


def test_a_link_to_nowhere_is_named(folder):
    (folder / "7.png").symlink_to(folder / "gone")
    refused(StepFailed, lambda: of_folder(folder), folder / "7.png", "not there")


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(str(folder / "7.png"))
    refused(StepFailed, lambda: of_folder(folder), folder / "7.png", "not a file")


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("name", ("0.png", "shut"))
def test_what_may_not_be_read_is_named(folder, name):
    (folder / "shut").mkdir()
    (folder / name).chmod(0)
    refused(StepFailed, lambda: of_folder(folder), folder / name, "Permission denied")
    (folder / name).chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_named(folder, monkeypatch):
    (folder / "shut").mkdir()
    scandir = os.scandir

    def shut(place):
        if os.path.basename(place) == "shut":
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", shut)
    refused(StepFailed, lambda: of_folder(folder), folder / "shut", "Permission denied")


def sampled(folder, names=("000000.png", "000001.png", "000002.png")):
    """As ``biggan sample`` leaves it."""
    for number, name in enumerate(names):
        save(folder / name, RANDOM[number])
    save(folder / "grid.png", np.zeros((6, 8, 3), np.uint8))
    index = [dict(file=name, seed=number, label=0, class_name="a") for number, name in enumerate(names)]
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def test_of_samples_the_grid_is_left_out(tmp_path):
    found = of_folder(sampled(tmp_path / "00000"))
    assert found.count == 3
    np.testing.assert_array_equal(everything(found), RANDOM[:3])
    assert of_folder(tmp_path).count == 3
    sampled(tmp_path / "00001")
    refused(UsageError, lambda: of_folder(tmp_path), tmp_path, "several results of biggan sample")


def test_a_sample_that_is_missing_is_named(tmp_path):
    (sampled(tmp_path) / "000001.png").unlink()
    refused(StepFailed, lambda: of_folder(tmp_path), tmp_path / "000001.png", "not there")


@pytest.mark.parametrize(
    "index", ('{"a": 1}', "[]", "[1, 2]", '[{"name": "x"}]', '[{"file": 3}]', '[{"file": "../0.png"}]', '"x"')
)
def test_an_index_of_something_else_means_nothing(folder, index):
    (folder / "index.json").write_text(index)
    save(folder / "grid.png")
    assert of_folder(folder).count == 8


def test_the_digest_is_of_names_and_bytes(folder):
    before = of_folder(folder).digest
    assert of_folder(folder).digest == before and len(before) == 64
    (folder / "6.png").rename(folder / "7.png")
    renamed = of_folder(folder).digest
    save(folder / "7.png", RANDOM[0])
    changed = of_folder(folder).digest
    assert len({before, renamed, changed}) == 3


@pytest.mark.parametrize("mode", ("1", "L", "LA", "P", "RGBA", "RGB"))
def test_every_kind_of_png_becomes_rgb(tmp_path, mode):
    for number in range(2):
        Image.fromarray(RANDOM[number]).convert(mode).save(str(tmp_path / f"{number}.png"))
    found = everything(of_folder(tmp_path))
    wanted = [np.asarray(Image.fromarray(picture).convert(mode).convert("RGB")) for picture in RANDOM[:2]]
    np.testing.assert_array_equal(found, wanted)


def test_alpha_is_dropped_and_not_mixed_in(tmp_path):
    for number in range(2):
        alpha = np.full((6, 8, 1), 3 * number, np.uint8)
        save(tmp_path / f"{number}.png", np.concatenate([RANDOM[number], alpha], axis=-1))
    palette = Image.fromarray(RANDOM[2]).quantize(4)
    palette.save(str(tmp_path / "2.png"), transparency=bytes([0, 9, 0, 255]))
    found = everything(of_folder(tmp_path))
    np.testing.assert_array_equal(found[:2], RANDOM[:2])
    np.testing.assert_array_equal(found[2], np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("colour", (0, 2, 4, 6))
def test_16_bits_are_refused(tmp_path, colour):
    save(tmp_path / "0.png")
    rows = (b"\0" + bytes(8 * 2 * {0: 1, 2: 3, 4: 2, 6: 4}[colour])) * 6
    (tmp_path / "1.png").write_bytes(png(8, 6, 16, colour, zlib.compress(rows)))
    refused(UsageError, lambda: of_folder(tmp_path), tmp_path / "1.png", "16 bits")


@pytest.mark.parametrize(
    "name, options, lossless",
    (
        ("1.jpg", {}, False),
        ("1.JPEG", dict(quality=100), False),
        ("1.webp", dict(format="WEBP"), False),
        ("1.webp", dict(lossless=True), True),
        ("1.webp", dict(exif=b"Exif\0\0" + bytes(31)), False),  # in the extended format
        ("1.webp", dict(exif=b"Exif\0\0" + bytes(31), icc_profile=bytes(129), lossless=True), True),
        ("1.bmp", {}, True),
        ("1.png", dict(format="JPEG"), False),  # a JPEG under a wrong name
        ("1.jpg", dict(format="PNG"), True),
    ),
)
def test_what_lost_something_is_known_by_its_content(tmp_path, name, options, lossless):
    save(tmp_path / "0.png")
    save(tmp_path / name, RANDOM[1], **options)
    save(tmp_path / "2.png")
    found = of_folder(tmp_path)
    assert found.lossless is lossless
    assert (everything(found)[1] == RANDOM[1]).all() == lossless


def test_a_lossy_webp_with_alpha(tmp_path):
    for number in range(2):
        save(tmp_path / f"{number}.webp", np.concatenate([RANDOM[number], RANDOM[number][..., :1]], axis=-1))
    assert not of_folder(tmp_path).lossless


def test_the_folder_is_not_there(tmp_path):
    refused(UsageError, lambda: of_folder(tmp_path / "x"), tmp_path / "x", "not there")
    (tmp_path / "x").write_bytes(b"")
    refused(UsageError, lambda: of_folder(tmp_path / "x"), tmp_path / "x", "not a folder")


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"")
    refused(UsageError, lambda: of_folder(tmp_path), tmp_path, "no pictures", "*.png", "*.jpeg", "*.webp")


def test_one_picture_is_not_enough(tmp_path):
    save(tmp_path / "0.png")
    refused(UsageError, lambda: of_folder(tmp_path), tmp_path, "1 picture,", "fewer than 2")


@pytest.mark.parametrize("shape", ((6, 9), (8, 6), (7, 8)))
def test_pictures_of_different_sizes_are_named(folder, shape):
    save(folder / "5.png", np.zeros((*shape, 3), np.uint8))
    words = folder / "0.png", "8x6 px", folder / "5.png", f"{shape[1]}x{shape[0]} px"
    refused(UsageError, lambda: of_folder(folder), *words)


@pytest.mark.parametrize(
    "name, options",
    (("5.png", {}), ("5.jpg", {}), ("5.jpg", dict(progressive=True)), ("5.webp", dict(lossless=True)), ("5.bmp", {})),
)
def test_a_file_that_is_cut_off_is_named_wherever_it_is_cut(folder, name, options):
    path = save(folder / name, RANDOM[5], **options)
    whole = path.read_bytes()
    end = len(whole) - (4 if name == "5.png" else 0)  # the last 4 of a PNG are a checksum of nothing
    for length in [*range(0, end - 30, 7), *range(end - 30, end)]:
        path.write_bytes(whole[:length])
        refused(StepFailed, lambda: of_folder(folder), path)


def test_every_changed_byte_of_a_png_is_noticed(folder):
    path = folder / "5.png"
    whole = path.read_bytes()
    start, end = whole.index(b"IDAT"), whole.index(b"IEND") - 4
    for place in range(start, end):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        refused(StepFailed, lambda: of_folder(folder), path)


@pytest.mark.parametrize("content", (b"", b"x", b"<html>404</html>" * 100, b"GIF89a" + bytes(100), bytes(5000)))
def test_what_is_no_picture_is_named(folder, content):
    (folder / "5.png").write_bytes(content)
    refused(StepFailed, lambda: of_folder(folder), folder / "5.png")


@pytest.mark.parametrize("name", ("5.gif", "5.tiff"))
def test_a_picture_of_another_kind_under_a_wrong_name(folder, name):
    save(folder / name, RANDOM[5]).rename(folder / "5.png")
    refused(StepFailed, lambda: of_folder(folder), folder / "5.png", "PNG, JPEG")


def test_pixels_that_end_too_early_are_an_error_of_the_batch(folder):
    """All of its checksums are right: only who decodes it sees that half of it is missing."""
    rows = b"".join(b"\0" + row.tobytes() for row in RANDOM[5])
    (folder / "5.png").write_bytes(png(8, 6, 8, 2, zlib.compress(rows)[:80]))
    found = of_folder(folder)
    batches = found.batches(3)
    np.testing.assert_array_equal(next(batches), RANDOM[:3])
    refused(StepFailed, lambda: next(batches), folder / "5.png", "cut off or damaged")


@pytest.mark.parametrize("end", (0.5, 0.9))
def test_a_jpeg_that_is_cut_off_later_is_an_error_of_the_batch(tmp_path, end):
    for number in range(2):
        save(tmp_path / f"{number}.jpg", RANDOM[number])
    found = of_folder(tmp_path)
    path = tmp_path / "1.jpg"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * end)])
    refused(StepFailed, lambda: everything(found), path)


def test_pictures_that_change_meanwhile_are_an_error_of_the_batch(folder):
    found = of_folder(folder)
    save(folder / "5.png", np.zeros((9, 9, 3), np.uint8))
    refused(StepFailed, lambda: everything(found), folder / "5.png", "8x6 px", "9x9 px")
    (folder / "5.png").unlink()
    refused(StepFailed, lambda: everything(found), folder / "5.png", "not there")


@pytest.mark.parametrize("side", (10_000, 30_000), ids=("Pillow warns", "Pillow refuses"))
def test_a_bomb_of_pixels(folder, side):
    (folder / "5.png").write_bytes(png(side, side, 8, 2, b""))
    tracemalloc.start()
    try:
        refused(StepFailed, lambda: of_folder(folder), folder / "5.png", "too large", f"{side * side}")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_of_text(folder):
    text = zlib.compress(bytes(100_000_000), 1)
    data = b"zTXtkey\0\0" + text
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data) & 0xFFFFFFFF)
    (folder / "5.png").write_bytes(png(8, 6, 8, 2, zlib.compress((b"\0" + bytes(24)) * 6), chunk))
    refused(StepFailed, lambda: of_folder(folder), folder / "5.png")


@pytest.mark.parametrize("name", ("5.png", "5.webp"))
def test_animations_are_refused(folder, name):
    frames = [Image.fromarray(picture) for picture in RANDOM[:3]]
    frames[0].save(str(folder / name), save_all=True, append_images=frames[1:])
    refused(UsageError, lambda: of_folder(folder), folder / name, "3 pictures")


def test_names_that_are_not_utf_8(tmp_path):
    folder = os.fsencode(str(tmp_path))
    for number in range(2):
        path = save(tmp_path / f"{number}.png", RANDOM[number])
        os.rename(os.fsencode(str(path)), folder + b"/\xff%d.png" % number)
    np.testing.assert_array_equal(everything(of_folder(tmp_path)), RANDOM[:2])


# Files


def write(path, array, **others):
    if path.suffix == ".npy":
        np.save(str(path), array)
    else:
        np.savez(str(path), images=array, **others)
    return path


@pytest.mark.parametrize("name", ("a.npy", "a.npz", "a.NPY"))
def test_a_file_a_folder_and_an_array_are_the_same_pictures(folder, tmp_path, name):
    path = write(tmp_path / name.lower(), RANDOM)
    path = path.rename(tmp_path / name) or tmp_path / name
    found, array = of_file(path), of_array("memory", RANDOM)
    assert (found.name, found.count, found.size, found.lossless) == (str(path), 7, (6, 8), None)
    assert array.lossless is True
    assert found.digest == array.digest and array.name == "memory"
    assert all(type(batch) is np.ndarray and batch.flags.c_contiguous for batch in found.batches(2))
    for size in (1, 3, 7, 100):
        np.testing.assert_array_equal(everything(found, size), everything(of_folder(folder), size))
        np.testing.assert_array_equal(everything(array, size), RANDOM)


def test_the_digest_of_an_array_is_of_its_shape_and_levels():
    changed = RANDOM.copy()
    changed[6, 5, 7, 2] ^= 1
    digests = {of_array("a", array).digest for array in (RANDOM, changed, RANDOM.reshape(7, 8, 6, 3), RANDOM[:6])}
    assert len(digests) == 4


def test_the_digest_does_not_depend_on_how_an_array_is_stored(tmp_path, monkeypatch):
    wanted = of_array("a", RANDOM).digest
    np.save(str(tmp_path / "a.npy"), np.asfortranarray(RANDOM))
    found = of_file(tmp_path / "a.npy")
    assert found.digest == wanted
    np.testing.assert_array_equal(everything(found), RANDOM)
    monkeypatch.setattr(pictures, "_BLOCK", 200)
    assert of_file(tmp_path / "a.npy").digest == of_array("a", RANDOM[:, ::1]).digest == wanted


@pytest.mark.parametrize(
    "content", (dict(arr_0=RANDOM, arr_1=np.zeros(7)), dict(x=RANDOM), dict(arr_0=RANDOM[:2], images=RANDOM))
)
def test_which_array_of_an_npz_is_taken(tmp_path, content):
    np.savez_compressed(str(tmp_path / "a.npz"), **content)
    np.testing.assert_array_equal(everything(of_file(tmp_path / "a.npz")), RANDOM)


def test_an_npz_without_pictures_says_what_is_in_it(tmp_path):
    np.savez(str(tmp_path / "a.npz"), mu=np.zeros(3), sigma=np.eye(3))
    refused(UsageError, lambda: of_file(tmp_path / "a.npz"), tmp_path / "a.npz", "mu, sigma", "images")
    np.savez(str(tmp_path / "a.npz"))
    refused(UsageError, lambda: of_file(tmp_path / "a.npz"), "nothing")


@pytest.mark.parametrize("name", ("a.pth", "a.pt", "a.pkl", "a", "a.tar", "a.png", "a.npy.gz"))
def test_other_endings_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    refused(UsageError, lambda: of_file(tmp_path / name), tmp_path / name, ".npy", ".npz")


def test_the_file_is_not_there(tmp_path):
    refused(UsageError, lambda: of_file(tmp_path / "a.npy"), tmp_path / "a.npy", "not there")
    refused(UsageError, lambda: of_file(tmp_path), tmp_path, "not a file")


@pytest.mark.parametrize("name", ("a.npy", "a.npz"))
def test_a_file_that_is_cut_off_is_named(tmp_path, name):
    path = write(tmp_path / name, RANDOM)
    whole = path.read_bytes()
    for length in [*range(0, 200, 7), len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        refused(StepFailed, lambda: of_file(path), path)


def test_a_changed_byte_of_an_npz_is_noticed(tmp_path):
    path = write(tmp_path / "a.npz", RANDOM)
    whole = bytearray(path.read_bytes())
    whole[whole.index(RANDOM[3].tobytes())] ^= 1
    path.write_bytes(bytes(whole))
    refused(StepFailed, lambda: of_file(path), path, "CRC")


@pytest.mark.parametrize("name", ("a.npy", "a.npz"))
def test_nothing_is_unpickled(tmp_path, name):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    np.save(str(tmp_path / "trap.npy"), np.array([Trap()], object), allow_pickle=True)
    if name == "a.npz":
        np.savez(str(tmp_path / name), images=np.array([Trap()], object))
    else:
        (tmp_path / "trap.npy").rename(tmp_path / name)
    refused(StepFailed, lambda: of_file(tmp_path / name), tmp_path / name, "no plain array")
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    refused(StepFailed, lambda: of_file(tmp_path / name), tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_something_else_in_an_npz(tmp_path):
    with zipfile.ZipFile(str(tmp_path / "a.npz"), "w") as archive:
        archive.writestr("images", "hello")
    refused((StepFailed, UsageError), lambda: of_file(tmp_path / "a.npz"), tmp_path / "a.npz")


FLOATS = RANDOM.astype(np.float32) / 127.5 - 1


@pytest.mark.parametrize("dtype", (np.float16, np.float32, np.float64))
@pytest.mark.parametrize("first", (False, True))
@pytest.mark.parametrize(
    "values, words",
    (
        (FLOATS, ("from -1 to 1", "looks like [-1, 1]")),
        ((FLOATS + 1) / 2, ("from 0 to 1", "looks like [0, 1]")),
        (RANDOM, ("from 0 to 255",)),
    ),
)
def test_floats_are_refused_and_the_fix_works(tmp_path, values, words, dtype, first):
    values = values.astype(dtype)
    path = write(tmp_path / "a.npy", values.transpose(0, 3, 1, 2) if first else values)
    shape = (7, 3, 6, 8) if first else (7, 6, 8, 3)
    text = refused(UsageError, lambda: of_file(path), path, np.dtype(dtype), shape, "uint8 (N, H, W, 3)", *words)
    assert ("channels come first" in text) == first
    assert "PNG" in text and "NaN" not in text
    fixed = eval(text.rpartition("PNG files, or ")[2], dict(np=np, x=np.load(str(path)).astype(np.float64)))
    assert fixed.dtype == np.uint8
    if dtype is not np.float16:
        np.testing.assert_array_equal(fixed, RANDOM)


@pytest.mark.parametrize(
    "values, words",
    (
        (FLOATS * 100, ("from -100 to 100",)),
        (RANDOM.astype(np.int64) * 200, ("int64", "from 0 to 5.1e+04")),
        (RANDOM.astype(np.int16) - 128, ("int16", "from -128 to 127")),
        (np.where(RANDOM == 7, np.nan, FLOATS), (f"{(RANDOM == 7).sum()} of 1,008 values are NaN",)),
        (np.full((2, 6, 8, 3), np.inf), ("288 of 288",)),
    ),
)
def test_numbers_that_nobody_can_guess_the_levels_of(tmp_path, values, words):
    path = write(tmp_path / "a.npy", values)
    text = refused(UsageError, lambda: of_file(path), path, "PNG", *words)
    assert "np." not in text and "looks like" not in text


@pytest.mark.parametrize("dtype", (np.int64, np.uint16, ">i4"))
def test_whole_numbers_of_another_type(tmp_path, dtype):
    path = write(tmp_path / "a.npy", RANDOM.astype(dtype))
    text = refused(UsageError, lambda: of_file(path), path, np.dtype(dtype), "from 0 to 255")
    fixed = eval(text.rpartition("PNG files, or ")[2], dict(np=np, x=np.load(str(path))))
    assert fixed.dtype == np.uint8 and (fixed == RANDOM).all()
    path = write(path, (RANDOM > 99).astype(dtype))
    assert "looks like" not in refused(UsageError, lambda: of_file(path), "from 0 to 1")


def test_the_floats_of_biggan_sample(tmp_path):
    sampled(tmp_path / "00000")
    path = write(tmp_path / "00000" / "samples.npz", FLOATS, z=np.zeros((7, 4)), y=np.zeros(7))
    text = refused(UsageError, lambda: of_file(path), path, "looks like [-1, 1]", "PNG files")
    assert f"{path.parent}:" in text


def test_channels_that_come_first(tmp_path):
    path = write(tmp_path / "a.npy", RANDOM.transpose(0, 3, 1, 2))
    refused(UsageError, lambda: of_file(path), path, "(7, 3, 6, 8)", "channels come first", "x.transpose(0, 2, 3, 1)")


def test_a_height_of_3_is_not_taken_for_channels(tmp_path):
    assert of_file(write(tmp_path / "a.npy", RANDOM[:, :3])).size == (3, 8)


@pytest.mark.parametrize(
    "array",
    (
        RANDOM[0],
        RANDOM[..., 0],
        RANDOM[..., :1],
        RANDOM[..., [0, 1, 2, 0]],
        RANDOM.reshape(7, -1),
        RANDOM[:, :0],
        RANDOM[:, :, :0],
        np.uint8(3),
        RANDOM > 9,
        RANDOM.astype(complex),
        np.zeros((7, 6, 8, 3), "U3"),
    ),
)
@pytest.mark.parametrize("name", ("a.npy", "a.npz"))
def test_other_shapes_and_types(tmp_path, name, array):
    path = write(tmp_path / name, array)
    refused(UsageError, lambda: of_file(path), path, array.dtype, array.shape, "uint8 (N, H, W, 3)")


@pytest.mark.parametrize("name", ("a.npy", "a.npz"))
@pytest.mark.parametrize("count", (0, 1))
def test_an_array_of_too_few(tmp_path, name, count):
    path = write(tmp_path / name, RANDOM[:count])
    refused(UsageError, lambda: of_file(path), path, f"{count} picture", "fewer than 2")
    refused(UsageError, lambda: of_array("memory", RANDOM[:count]), "memory", "fewer than 2")


@pytest.mark.parametrize("block", (1, 300, 1 << 24))
def test_levels_that_look_like_0_to_1(tmp_path, monkeypatch, block):
    monkeypatch.setattr(pictures, "_BLOCK", block)
    dark = RANDOM % 11
    path = write(tmp_path / "a.npy", dark)
    refused(UsageError, lambda: of_file(path), path, "greatest level in all 7", " 10:", "0 to 1")
    dark[6, 5, 7, 2] = 11  # only the last level of the last picture
    np.testing.assert_array_equal(everything(of_file(write(path, dark))), dark)


def test_a_npy_file_stays_on_disk(tmp_path):
    path = write(tmp_path / "a.npy", np.full((400, 200, 200, 3), 200, np.uint8))  # 48 MB
    tracemalloc.start()
    try:
        assert sum(len(batch) for batch in of_file(path).batches(50)) == 400
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
