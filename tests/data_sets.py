"""Small data sets in the layouts that others publish, whose pictures say which they are."""

import io
import pickle
import tarfile

import numpy as np
from PIL import Image


def pictures(count, side, seed=0):
    """uint8 [count, side, side, 3], no two alike."""
    return np.random.RandomState(seed).randint(0, 256, (count, side, side, 3)).astype(np.uint8)


def planes(images_u8):
    """[N, R, R, 3] → [N, 3 * R * R], as CIFAR-10 and downsampled ImageNet have it."""
    return images_u8.transpose(0, 3, 1, 2).reshape(len(images_u8), -1)


def cifar10_batches(count=20):
    """Name of the batch → (images, labels)."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    return {name: (pictures(count, 32, seed), np.arange(count) % 10) for seed, name in enumerate(names)}


def pickled(images_u8, labels, as_python_2=True):
    """A batch as Python 2 pickled the official ones: its strings come as bytes or Latin-1 to Python 3."""
    content = {"data": planes(images_u8), "labels": labels.tolist(), "batch_label": "x"}
    if not as_python_2:
        return pickle.dumps({key.encode(): value for key, value in content.items()}, protocol=2)
    data = planes(images_u8)
    shape = f"(I{data.shape[0]}\nI{data.shape[1]}\nt".encode()
    raw = data.tobytes()
    return b"".join(
        [
            b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(K\x00tU\x01b\x87R",
            b"(K\x01",
            shape,
            b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb",
            b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in labels.tolist()) + b"e",
            b"u.",
        ]
    )


def archive(path, files, more=()):
    """A .tar.gz of name → bytes, and of further members that are there already."""
    with tarfile.open(str(path), "w:gz") as opened:
        for member in more:
            opened.addfile(member, io.BytesIO(bytes(member.size)))
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return path


def class_folders(folder, counts=(("cat", 5), ("dog", 3), ("eel", 4)), side=None):
    """PNG files of several sizes, or of one; name of each file → its pixels."""
    made, number = {}, 0
    for name, count in counts:
        (folder / name).mkdir(parents=True)
        for index in range(count):
            size = side or 20 + 3 * (number % 20)
            picture = pictures(1, size, number)[0]
            Image.fromarray(picture).save(str(folder / name / f"{index:03d}.png"))
            made[f"{name}/{index:03d}.png"] = picture
            number += 1
    return made
