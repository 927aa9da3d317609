"""Data sets: what is in them, and what is said of bad ones."""

import numpy as np
import pytest
from scipy import io

from biggan_cli.cli import options
from biggan_cli.data import datasets
from biggan_cli.data.classes import CIFAR10, DIGITS, class_index, joined, listed, quoted, split, unquoted
from biggan_cli.errors import StepFailed, UsageError
from tests.conftest import CIFAR10_BATCHES as BATCHES
from tests.conftest import small_cifar10


@pytest.fixture
def cifar(tmp_path):
    return small_cifar10(tmp_path)


def test_digits():
    digits = datasets.load("digits", 32)
    assert digits.class_names == DIGITS
    assert digits.images.shape == (4500, 32, 32, 3) and digits.images.dtype == np.uint8
    assert digits.held_out_images.shape == (500, 32, 32, 3)
    assert digits.class_counts == (450,) * 10
    assert np.bincount(digits.held_out_labels).tolist() == [50] * 10
    assert not digits.images[:, :2].any() and not digits.images[:, :, -2:].any()
    assert (digits.images[..., 0] == digits.images[..., 1]).all() and digits.images.max() == 255
    assert digits.digest == datasets.load("digits", 64).digest
    trained = {image.tobytes() for image in digits.images}
    assert sum(image.tobytes() in trained for image in digits.held_out_images) == 0


def test_resized_digits():
    digits = datasets.load("digits", 64)
    assert digits.images.shape == (4500, 64, 64, 3)
    small = datasets.load("digits", 32)
    halved = digits.images[:100].reshape(100, 32, 2, 32, 2, 3).mean((2, 4))
    assert np.abs(halved - small.images[:100]).mean() < 4


def test_cifar10_layout(cifar):
    data = datasets.load(f"cifar10:{cifar}", 32)
    assert data.class_names == CIFAR10
    assert len(data.labels) == 100 and len(data.held_out_labels) == 20
    assert data.images[:, 0, 0, 0].tolist() == list(range(100))
    assert data.held_out_images[:, 0, 0, 0].tolist() == list(range(100, 120))
    assert (data.images[0, :, :, 1] == np.arange(32)[:, None]).all()
    assert (data.images[0, :, :, 2] == np.arange(32)).all()
    assert data.labels[:12].tolist() == [*list(range(10)), 0, 1]


def broken(error, cifar, *words):
    with pytest.raises(error) as raised:
        datasets.load(f"cifar10:{cifar}", 32)
    text = str(raised.value) + " ".join(detail for _, detail in raised.value.details)
    for word in words:
        assert word in text


def test_missing_batch_is_named(cifar):
    (cifar / BATCHES[2]).unlink()
    broken(UsageError, cifar, BATCHES[2], "1 of its 6")


def test_empty_folder(tmp_path):
    broken(UsageError, tmp_path, "6 of its 6")


def test_not_a_folder(tmp_path):
    broken(UsageError, tmp_path / "nowhere", "nowhere")


@pytest.mark.parametrize("length", (0, 100, 5000))
def test_cut_off_file_is_named(cifar, length):
    path = cifar / BATCHES[3]
    path.write_bytes(path.read_bytes()[:length])
    broken(StepFailed, cifar, BATCHES[3])


def test_something_else_is_named(cifar):
    (cifar / BATCHES[0]).write_bytes(b"\x89PNG" + bytes(4000))
    broken(StepFailed, cifar, BATCHES[0])


@pytest.mark.parametrize(
    "content, words",
    (
        (dict(data=np.zeros((20, 3071), np.uint8), labels=np.zeros(20)), ["3071"]),
        (dict(data=np.zeros((20, 3072), np.float64), labels=np.zeros(20)), ["float64"]),
        (dict(data=np.zeros((20, 3072), np.uint8), labels=np.full(20, 10)), ["10", "0 to 9"]),
        (dict(data=np.zeros((20, 3072), np.uint8), labels=np.full(20, 0.5)), ["0.5"]),
        (dict(data=np.zeros((20, 3072), np.uint8), labels=np.zeros(19)), ["20 pictures", "(1, 19)"]),
        (dict(data=np.zeros((20, 3072), np.uint8), labels=np.zeros((4, 5))), ["20 pictures", "(4, 5)"]),
        (dict(data=np.zeros((20, 3072), np.uint8), labels=np.zeros(20, complex)), ["complex"]),
        (dict(data=np.zeros((20, 3072), np.uint8), labels=["a"] * 20), ["no array of numbers"]),
        (
            dict(data=np.zeros((20, 3072), np.uint8), labels=np.array([1, "b"] * 10, object)),
            ["no array of numbers"],
        ),
        (dict(data=np.zeros((20, 3072), np.uint8)), ["labels"]),
    ),
)
def test_wrong_content_is_named(cifar, content, words):
    io.savemat(str(cifar / BATCHES[1]), content)
    broken(StepFailed, cifar, BATCHES[1], *words)


@pytest.mark.parametrize("spec", (None, "", "mnist", "cifar10", "cifar10:", "digits:x"))
def test_unknown_specification(spec):
    with pytest.raises(UsageError):
        datasets.load(spec, 32)


@pytest.mark.parametrize(
    "name, index", (("car", 1), ("plane", 0), ("automobile", 1), ("truck", 9), ("3", 3), (" frog ", 6))
)
def test_class_names(name, index):
    assert class_index(name, CIFAR10, "--classes") == index


def test_digits_answer_to_their_numbers():
    assert [class_index(str(number), DIGITS, "--classes") for number in range(10)] == list(range(10))
    assert class_index("seven", DIGITS, "--classes") == 7


def test_unknown_class_lists_names_and_the_nearest():
    with pytest.raises(UsageError) as raised:
        class_index("hosre", CIFAR10, "--from")
    details = dict(raised.value.details)
    assert "--from hosre" in str(raised.value)
    assert details["fix"] == "horse instead of hosre"
    assert all(name in details["hint"] for name in CIFAR10)


PEOPLES = ("007", "1", "10", "2", "cat, tabby", "dog:16", "it's", "my cat", "-x", "'q'", "cat", "1e5", "nan", "猫")


def test_names_are_quoted_where_one_would_not_see_where_they_end():
    assert listed(("cat", "my cat", "007", "猫", "-x", "it's", "v1.2", "3d")) == (
        "cat, 'my cat', '007', 猫, -x, 'it''s', v1.2, 3d"
    )
    assert listed([str(number) for number in range(12)], 2) == "'0', '1', …"


def test_names_that_were_quoted_are_taken_as_they_were():
    """In a list and alone, with and without counts, whatever they look like."""
    assert [unquoted(part) for part in split(joined(PEOPLES))] == list(PEOPLES)
    for index, name in enumerate(PEOPLES):
        assert [class_index(word, PEOPLES, "--from") for word in (name, quoted(name), f" {quoted(name)} ")] == 3 * [
            index
        ]
    with_counts = ",".join(f"{quoted(name)}:{index + 1}" for index, name in enumerate(PEOPLES))
    assert options.parse_classes(with_counts) == tuple((name, i + 1) for i, name in enumerate(PEOPLES))
    assert options.parse_classes("my cat, it's:2 ,'tis") == (("my cat", None), ("it's", 2), ("'tis", None))
    with pytest.raises(UsageError) as raised:
        options.parse_classes("dog:16x")
    assert dict(raised.value.details)["fix"] == "dog:16, or 'dog:16x' if that is its name"


def test_a_number_is_a_name_where_names_are_numbers():
    """``2`` is the class of that name, not the third one, and ``0`` none."""
    names = ("1", "10", "2")
    assert [class_index(name, names, "--to") for name in names] == [0, 1, 2]
    with pytest.raises(UsageError) as raised:
        class_index("0", names, "--to")
    assert "--to '0' is not a class" in raised.value.message
    assert dict(raised.value.details)["hint"] == "the classes are: '1', '10', '2'"
    assert class_index("0", ("a", "b"), "--to") == 0


def test_car_means_nothing_to_digits():
    with pytest.raises(UsageError):
        class_index("car", DIGITS, "--from")
