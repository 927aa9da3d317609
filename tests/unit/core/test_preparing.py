"""Preparing: the same pictures and batches as from memory, resumed shard by shard, whole or not at all."""

import hashlib
import json
import os
import resource
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import io

from biggan_cli.config import ModelConfig, TrainConfig
from biggan_cli.core import prepare as core
from biggan_cli.core import shards
from biggan_cli.core.reporting import silent
from biggan_cli.data import datasets
from biggan_cli.data.formats.prepared import digest_of
from biggan_cli.data.pipeline import BatchSource
from biggan_cli.errors import Interrupted, StepFailed, UsageError
from biggan_cli.files import locked
from biggan_cli.settings import PrepareConfig
from tests import data_sets
from tests.data_sets import class_folders, pictures
from tests.unit.data.test_records import read

COUNTS = (("cat", 40), ("dog", 31), ("eel", 29))


class Told:
    """What was said, by the kind of event."""

    def __init__(self):
        self.events = []

    def __call__(self, event, **fields):
        self.events.append((event, fields))

    def text(self, kind):
        return [fields["text"] for event, fields in self.events if event == kind]


def prepare(source, out, report=silent, **changes):
    settings = dict(dict(resolution=32, workers=1, shard_size=16), **changes)
    return core.prepare(PrepareConfig(str(source), str(out), **settings), False, report)


def refused(kind, source, out, *words, report=silent, **changes):
    with pytest.raises(kind) as raised:
        prepare(source, out, report, **changes)
    assert type(raised.value) is kind, raised.value
    text = raised.value.message + " ".join(detail for _, detail in raised.value.details)
    for word in words:
        assert str(word) in text, text


@pytest.fixture
def pets(tmp_path):
    class_folders(tmp_path / "pets", COUNTS)
    return tmp_path / "pets"


def batches_of(spec):
    found = datasets.load(str(spec), 32)
    train = TrainConfig(batch=5, d_steps=2, steps=50, seed=3)
    return BatchSource(found.images, found.labels, ModelConfig(z_dim=4, num_classes=len(found.class_names)), train)


@pytest.mark.parametrize("processes", (1, 2))
def test_batches_are_those_of_the_same_pictures_in_memory(tmp_path, pets, processes):
    """Bit by bit, over three passes, and from any step on."""
    told = Told()
    result = prepare(pets, tmp_path / "out", told, workers=processes)
    assert result.num == result.made == 100 and result.shards == 7 and result.classes == 3
    assert told.events[-1][1]["done"] == told.events[-1][1]["total"] == 100
    kept, streamed = batches_of(pets), batches_of(tmp_path / "out")
    for step in [*range(30), 2]:
        for one, other in zip(kept(step).given().values(), streamed(step).given().values()):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
    in_memory, prepared = datasets.load(str(pets), 32), datasets.load(str(tmp_path / "out"), 32)
    assert (prepared.class_names, prepared.class_counts) == (in_memory.class_names, in_memory.class_counts)
    assert prepared.name == "pets" and prepared.digest == result.digest


def test_any_reader_of_tfrecords_reads_them(tmp_path, pets):
    prepare(pets, tmp_path / "out", shard_size=60)
    parts = [read(path, 32) for path in sorted((tmp_path / "out").glob("train-*.tfrecord"))]
    found = datasets.load(str(pets), 32)
    np.testing.assert_array_equal(np.concatenate([images for images, _ in parts]), found.images)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in parts]), found.labels)


def test_the_index_says_what_it_is(tmp_path, pets):
    result = prepare(pets, tmp_path / "out")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["classes"][1] == dict(name="dog", train=31, held_out=0)
    assert index["resolution"] == 32 and "bicubic" in index["filter"] and index["source"] == f"folder:{pets}"
    assert sum(shard["count"] for shard in index["shards"]) == 100 and index["digest"] == result.digest
    files = {entry["file"] for entry in (*index["shards"], *index["labels"])} | {"index.json", ".lock"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files


def test_the_digest_is_of_the_pictures_however_they_are_divided(tmp_path, pets):
    digests = {prepare(pets, tmp_path / f"{size}", shard_size=size).digest for size in (7, 16, 100)}
    assert len(digests) == 1
    unfinish(tmp_path / "7", 4)
    assert {prepare(pets, tmp_path / "7", shard_size=7).digest} == digests
    first, second = (pets / "cat" / f"00{number}.png" for number in (1, 2))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert prepare(pets, tmp_path / "exchanged").digest not in digests
    index = json.loads((tmp_path / "16" / "index.json").read_text())
    assert {digest_of(index)} == digests
    for field, value in (("resolution", 64), ("filter", "none"), ("labels", []), ("classes", index["classes"][::-1])):
        assert digest_of(dict(index, **{field: value})) not in digests
    index["shards"][2]["pictures"] = index["shards"][3]["pictures"]
    assert digest_of(index) not in digests


def test_an_index_from_before_the_digest_was_of_the_pictures(tmp_path, pets):
    """It is read as it is, and so is what goes on from shards of then."""
    prepare(pets, tmp_path / "out")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    for entry in index["shards"]:
        del entry["pictures"]
    files = [(entry["file"], entry["sha256"]) for entry in (*index["shards"], *index["labels"])]
    index["digest"] = hashlib.sha256(json.dumps([["cat", "dog", "eel"], 32, files]).encode()).hexdigest()
    (tmp_path / "out" / "index.json").write_text(json.dumps(index))
    assert datasets.load(str(tmp_path / "out"), 32).digest == index["digest"]
    (tmp_path / "out" / index["shards"][1]["file"]).unlink()
    assert prepare(pets, tmp_path / "out").made == 16
    assert datasets.load(str(tmp_path / "out"), 32).digest == index["digest"]


def test_the_held_out_part_is_kept_apart(tmp_path):
    batches = data_sets.cifar10_batches()
    folder = tmp_path / "cifar-10-batches-mat"
    folder.mkdir()
    for name, (data, labels) in batches.items():
        io.savemat(str(folder / f"{name}.mat"), dict(data=data_sets.planes(data), labels=labels[:, None]))
    result = prepare(folder, tmp_path / "out", resolution=None)
    assert (result.num, result.held_out, result.resolution) == (100, 20, 32)
    found, wanted = datasets.load(f"prepared:{tmp_path}/out", 32), datasets.load(str(folder), 32)
    np.testing.assert_array_equal(found.images[:], wanted.images)
    np.testing.assert_array_equal(found.held_out_images[:], wanted.held_out_images)
    np.testing.assert_array_equal(found.held_out_labels, wanted.held_out_labels)


@pytest.mark.parametrize("first_shard", (0, 3))
def test_sources_in_arrays(tmp_path, first_shard):
    """Resized by the same rule; read on from the middle of a file where the first shards are there."""
    np.savez_compressed(str(tmp_path / "a.npz"), images=pictures(70, 40), labels=np.arange(70) % 3)
    prepare(tmp_path / "a.npz", tmp_path / "out")
    if first_shard:
        unfinish(tmp_path / "out", first_shard)
        assert prepare(tmp_path / "a.npz", tmp_path / "out").made == 70 - 16 * first_shard
    found = datasets.load(str(tmp_path / "out"), 32)
    np.testing.assert_array_equal(found.images[:], datasets.load(str(tmp_path / "a.npz"), 32).images)


def test_jobs_of_large_pictures_are_small(tmp_path, pets):
    """32 files, or arrays of 4 MB together."""
    arrays = dict(images=np.zeros((70, 700, 600), np.uint8), labels=np.arange(70) % 3)
    np.savez_compressed(str(tmp_path / "a.npz"), **arrays)
    found = {}
    for spec in (tmp_path / "a.npz", pets):
        with datasets.opened(str(spec)) as source:
            made = [shards.Shard("train", 0, 64, "a"), shards.Shard("train", 64, 70, "b")]
            job = shards.Job(source, tmp_path, dict(resolution=32), made, 1, False, silent)
            found[spec.name] = [len(pictures) for pictures, _ in shards._jobs(job, made)]
    assert found == {"a.npz": [3] * 21 + [1, 3, 3], "pets": [32, 32, 6]}
    assert prepare(tmp_path / "a.npz", tmp_path / "out").made == 70


def unfinish(out, count):
    """As if the process had been killed after this many."""
    index = json.loads((out / "index.json").read_text())
    for entry in index["shards"][count:]:
        (out / entry["file"]).unlink()
    (out / "index.json").unlink()
    (out / "unfinished.json").write_text(json.dumps(dict(index, shards=index["shards"][:count])))


def test_going_on_gives_the_same_files(tmp_path, pets):
    prepare(pets, tmp_path / "out")
    shutil.copytree(str(tmp_path / "out"), str(tmp_path / "again"))
    unfinish(tmp_path / "again", 4)
    (tmp_path / "again" / ".train-00004.999.tfrecord").write_bytes(b"of a process that was killed")
    with pytest.raises(UsageError, match="was not finished") as raised:
        datasets.load(str(tmp_path / "again"), 32)
    assert "it goes on" in dict(raised.value.details)["fix"]
    told = Told()
    assert prepare(pets, tmp_path / "again", told).made == 36
    assert told.text("line") == ["going on: 4 shards are there, 3 to make"]
    for path in (tmp_path / "out").glob("[!.]*"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "again").iterdir())) == len(list((tmp_path / "out").iterdir()))
    told = Told()
    assert prepare(pets, tmp_path / "again", told).made == 0
    assert told.text("line") == ["finished already"]


def test_pictures_that_change_before_it_goes_on(tmp_path, pets):
    """Only their shards are made again; what is finished is never touched."""
    prepare(pets, tmp_path / "out")
    unfinish(tmp_path / "out", 4)
    Image.fromarray(pictures(1, 50, 99)[0]).save(str(pets / "cat" / "020.png"))
    told = Told()
    assert prepare(pets, tmp_path / "out", told).made == 36 + 16
    assert told.text("line") == [
        "going on: 3 shards are there, 4 to make, 1 of them again: they or their pictures have changed"
    ]
    np.testing.assert_array_equal(
        datasets.load(str(tmp_path / "out"), 32).images[:], datasets.load(str(pets), 32).images
    )
    (pets / "cat" / "021.png").unlink()
    refused(UsageError, pets, tmp_path / "out", "was made of other pictures than")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def test_what_is_missing_or_damaged_is_made_again(tmp_path, pets):
    """Of a finished folder, from pictures that are the same, be their dates what they are."""
    prepare(pets, tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "train-00001.tfrecord").unlink()
    short, changed = (tmp_path / "out" / f"train-0000{number}.tfrecord" for number in (2, 4))
    short.write_bytes(short.read_bytes()[:-1])
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    (tmp_path / "out" / "train-labels.npy").write_bytes(b"")
    told = Told()
    assert prepare(pets, tmp_path / "out", told).made == 48
    assert told.text("line") == ["finished already, 3 to make, 3 of them again: they or their pictures have changed"]
    assert [text.split(".tfrecord ")[1].split()[0] for text in told.text("warning")] == ["is", "has", "has"]
    assert contents(tmp_path / "out") == before
    os.utime(str(pets / "cat" / "020.png"), (1, 1))
    assert prepare(pets, tmp_path / "out").made == 16
    assert prepare(pets, tmp_path / "out").made == 0
    after = contents(tmp_path / "out")
    index = after.pop("index.json")
    assert index != before.pop("index.json") and after == before
    (tmp_path / "out" / "train-labels.npy").unlink()
    assert prepare(pets, tmp_path / "out").made == 0
    assert contents(tmp_path / "out") == dict(before, **{"index.json": index})
    assert datasets.load(str(tmp_path / "out"), 32).class_counts == (40, 31, 29)


def test_a_finished_folder_of_other_pictures_stays_as_it_is(tmp_path, pets):
    prepare(pets, tmp_path / "out")
    before = contents(tmp_path / "out")
    picture = (pets / "cat" / "020.png").read_bytes()
    Image.fromarray(pictures(1, 50, 99)[0]).save(str(pets / "cat" / "020.png"))
    refused(UsageError, pets, tmp_path / "out", "was made of other pictures than")
    (pets / "cat" / "020.png").write_bytes(picture)
    (pets / "dog").rename(str(pets / "dogs"))
    refused(UsageError, pets, tmp_path / "out", "was made of other pictures than")
    assert contents(tmp_path / "out") == before


def test_a_folder_that_was_begun_otherwise(tmp_path, pets):
    prepare(pets, tmp_path / "out")
    refused(UsageError, pets, tmp_path / "out", "made with --res 32, and this is 64", resolution=64)
    unfinish(tmp_path / "out", 2)
    refused(UsageError, pets, tmp_path / "out", "begun with --shard-size 16, and this is 17", shard_size=17)
    class_folders(tmp_path / "others")
    refused(UsageError, tmp_path / "others", tmp_path / "out", "begun with SOURCE folder:", "pets, and this is folder:")
    refused(UsageError, pets, pets, f"--out {pets} is there, and is no prepared data set")
    refused(UsageError, pets, pets / "cat" / "000.png" / "x", "cannot be written")
    prepare(pets, tmp_path / "out")
    refused(UsageError, tmp_path / "out", tmp_path / "b", "is prepared already")


def test_two_processes_do_not_prepare_into_one_folder(tmp_path, pets):
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"):
        refused(StepFailed, pets, tmp_path / "out", "is in use by process")
    assert prepare(pets, tmp_path / "out").made == 100


def test_ctrl_c_keeps_what_is_finished(tmp_path, pets):
    def report(event, **fields):
        if event == "advance" and fields["done"] > 60:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="3 of 7 shards are finished") as raised:
        prepare(pets, tmp_path / "out", report)
    assert raised.value.exit_code == 130 and "goes on" in dict(raised.value.details)["fix"]
    assert not list((tmp_path / "out").glob(".*.tfrecord"))
    assert prepare(pets, tmp_path / "out").made == 100 - 48


def test_a_full_disk_keeps_what_is_finished(tmp_path, pets):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        refused(
            StepFailed, pets, tmp_path / "out", "file too large", "0 of 4 are finished", "MB are free", shard_size=30
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "out").glob("*.tfrecord"))
    assert prepare(pets, tmp_path / "out", shard_size=30).made == 100


def test_a_disk_with_too_little_room(tmp_path, pets, monkeypatch):
    usage = shutil.disk_usage(str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    refused(StepFailed, pets, tmp_path / "out", "needs 0.3 MB, and 0.1 MB are free")


@pytest.mark.parametrize("processes", (1, 2))
def test_broken_pictures_are_named_and_skipped_where_that_is_asked_for(tmp_path, pets, processes):
    (pets / "dog" / "003.png").write_bytes((pets / "dog" / "003.png").read_bytes()[:700])
    (pets / "eel" / "028.png").write_bytes(b"")
    os.symlink("nowhere", str(pets / "cat" / "zzz.png"))
    words = ["3 of 101 pictures cannot be used", "zzz.png is not there", "003.png is cut off", "028.png is cut off"]
    told = Told()
    refused(StepFailed, pets, tmp_path / "out", *words, "; or --skip-broken", "5 of 7", report=told, workers=processes)
    (at_once,) = told.text("warning")
    assert "zzz.png is not there; the shards without such pictures are made" in at_once
    assert len(list((tmp_path / "out").glob("*.tfrecord"))) == 5
    told = Told()
    result = prepare(pets, tmp_path / "out", told, workers=processes, skip_broken=True)
    assert (result.num, result.skipped, result.made) == (99 - 1, 3, 16 - 2 + 5 - 1), "the two shards that were left"
    skipped = told.text("warning")
    assert [text.split(str(pets))[1].split(" ")[0] for text in skipped] == [
        "/cat/zzz.png",
        "/dog/003.png",
        "/eel/028.png",
    ]
    found = datasets.load(str(tmp_path / "out"), 32)
    assert found.class_counts == (40, 30, 28)
    for name in ("cat/zzz.png", "dog/003.png", "eel/028.png"):
        (pets / name).unlink()
    np.testing.assert_array_equal(found.images[:], datasets.load(str(pets), 32).images)
    np.testing.assert_array_equal(found.labels, datasets.load(str(pets), 32).labels)


def test_a_class_of_which_nothing_is_left(tmp_path):
    class_folders(tmp_path / "pets", (("cat", 3), ("dog", 2)))
    for path in (tmp_path / "pets" / "dog").iterdir():
        path.write_bytes(b"x")
    refused(UsageError, tmp_path / "pets", tmp_path / "out", "one class only, cat", skip_broken=True)
    assert not (tmp_path / "out" / "index.json").exists()
    class_folders(tmp_path / "pets" / "x", (("eel", 2),))
    (tmp_path / "pets" / "x" / "eel").rename(tmp_path / "pets" / "eel")
    (tmp_path / "pets" / "x").rmdir()
    told = Told()
    assert prepare(tmp_path / "pets", tmp_path / "two", told, skip_broken=True).skipped == 2
    assert told.text("warning")[-1].startswith("no picture is left of 1 of 3 classes: dog")


def test_pictures_of_16_bits_and_animations_are_skipped_with_the_reason(tmp_path, pets):
    Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20) * 99).save(str(pets / "cat" / "000.png"))
    frames = [Image.fromarray(frame) for frame in pictures(2, 20)]
    frames[0].save(str(pets / "eel" / "moves.webp"), save_all=True, append_images=frames[1:])
    words = ["2 of 101 pictures", "000.png has 16 bits a channel", "convert", "moves.webp holds 2 pictures", "one file"]
    refused(UsageError, pets, tmp_path / "out", *words, "or --skip-broken")
    refused(UsageError, pets, tmp_path / "out", "000.png has 16 bits", "--res 64", resolution=None, skip_broken=True)
    told = Told()
    assert prepare(pets, tmp_path / "out", told, skip_broken=True).skipped == 2
    first, second = told.text("warning")
    assert first.startswith("skipped: ") and "000.png has 16 bits a channel" in first
    assert second.startswith("skipped: ") and "moves.webp holds 2 pictures" in second
    assert datasets.load(str(tmp_path / "out"), 32).class_counts == (39, 31, 29)


def see_through(path, hidden=0):
    """A red square on nothing, under which the colour is ``hidden``; as it is over white."""
    levels = np.full((32, 32, 4), hidden, np.uint8)
    levels[..., 3] = 0
    levels[8:24, 8:24] = 255, 0, 0, 255
    Image.fromarray(levels).save(str(path))
    over_white = np.full((32, 32, 3), 255, np.uint8)
    over_white[8:24, 8:24] = 255, 0, 0
    return over_white


def test_what_is_left_out_and_what_is_transparent_is_told_once(tmp_path, pets):
    """Also where a folder is gone on with; by a dry run as far as it is known; not to who trains on the shards."""
    over_white = see_through(pets / "dog" / "aaa.png")
    see_through(pets / "eel" / "aaa.png", hidden=200)
    (pets / "eel" / "x.tif").write_bytes(b"x")
    left_out = (
        "1 file of a kind that is not read is left out (.tif): the first is eel/x.tif; "
        "what is read: .png, .jpg, .jpeg, .webp, .bmp"
    )
    transparent = "2 pictures have transparent parts, drawn over white: the first is dog/aaa.png"
    for made in (102, 0):
        told = Told()
        result = prepare(pets, tmp_path / "out", told)
        assert (result.made, result.transparent) == (made, 2)
        assert told.text("warning") == [left_out, transparent]
    told = Told()
    core.prepare(PrepareConfig(str(pets), str(tmp_path / "dry"), 32), True, told)
    assert told.text("warning") == [left_out]
    found = datasets.load(str(tmp_path / "out"), 32)
    assert [label for image, label in zip(found.images, found.labels) if np.array_equal(image, over_white)] == [1, 2]
    assert found.notes == ()
    assert datasets.load(str(pets), 32).notes == (left_out, transparent)


def test_sizes_that_no_model_has(tmp_path, pets):
    refused(UsageError, pets, tmp_path / "out", "pictures of 20x20 px to 77x77 px, not of one", resolution=None)
    class_folders(tmp_path / "small", side=20)
    refused(UsageError, tmp_path / "small", tmp_path / "out", "of 20 px, which no model has", resolution=None)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_touches_nothing(tmp_path, pets):
    told = Told()
    settings = PrepareConfig(str(pets), str(tmp_path / "out"), 64, shard_size=30)
    plan = core.prepare(settings, True, told)
    assert (plan.num, plan.shards, plan.resolution) == (100, 4, 64) and not (tmp_path / "out").exists()
    assert plan.megabytes == pytest.approx(100 * 64 * 64 * 3 / 1e6, rel=0.01)
    assert dict(told.events[0][1]["rows"])["classes"] == "3: cat, dog, eel"


def test_broken_pictures_have_no_size_to_go_by(tmp_path, pets):
    (pets / "eel" / "028.png").write_bytes(b"")
    refused(StepFailed, pets, tmp_path / "out", "028.png", resolution=None)
    words = ["--skip-broken without --res", "028.png", "--res 64"]
    refused(UsageError, pets, tmp_path / "out", *words, resolution=None, skip_broken=True)
