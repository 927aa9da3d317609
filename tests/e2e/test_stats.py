"""``biggan stats``: what is in its file, and that it serves."""

import json

import numpy as np
from PIL import Image

from biggan_cli.data import datasets
from biggan_cli.files import sha256
from biggan_cli.metrics.digit_classifier import GRAPH as CLASSIFIER
from tests import loaded
from tests.conftest import small_cifar10
from tests.e2e import scoring
from tests.e2e.deployment import digests
from tests.e2e.scoring import NUM


def about(arrays):
    return json.loads(str(arrays["about"]))


def assert_of(arrays, features):
    """Mean and covariance as TTUR has them."""
    x = features.astype(np.float64)
    assert arrays["mu"].dtype == arrays["sigma"].dtype == np.float64
    np.testing.assert_allclose(arrays["mu"], x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(arrays["sigma"], np.cov(x, rowvar=False), rtol=1e-9, atol=1e-12)


def test_statistics_are_those_of_the_features(shop, plain):
    kept = scoring.arrays_in(shop / "kept.npz")
    assert set(kept) == {"mu", "sigma", "features", "logits", "about"}
    assert kept["features"].shape == (NUM, 64) and kept["features"].dtype == np.float32
    assert kept["logits"].shape == (NUM, 10) and kept["logits"].dtype == np.float32
    assert_of(kept, kept["features"])
    said = about(kept)
    assert said["extractor"] == dict(name="digits", sha256=sha256(CLASSIFIER), official=False)
    source = said["source"]
    assert (source["name"], source["count"], source["size"]) == (plain["samples"]["source"], NUM, [32, 32])
    assert source["facts"]["step"] == 4 and source["facts"]["latents"] == f"seeds 0-{NUM - 1}"


def test_what_is_printed(bench, shop):
    """Of an offline model that ran; without the features."""
    run = scoring.copy_of_runs(shop, bench.folder)
    before = digests(run)
    done = bench.biggan("stats", "--source", "om", "--num", 5, "-o", "om.npz", "--json")
    printed = json.loads(done.stdout)
    assert (printed["file"], printed["num"], printed["features"]) == ("om.npz", 5, 64)
    assert printed["sha256"] == sha256(bench.folder / "om.npz") and printed["images_per_second"] > 0
    assert "digit classifier, not Inception" in printed["extractor"]
    arrays = scoring.arrays_in(bench.folder / "om.npz")
    assert set(arrays) == {"mu", "sigma", "about"}
    assert about(arrays)["source"]["facts"]["emulated"] is True and about(arrays)["source"]["count"] == 5
    assert digests(run) == before


def test_statistics_of_data_sets(bench, shop, plain):
    """The training part is what the run was compared with; of other data, the held-out part in batches of 7."""
    spec = f"cifar10:{small_cifar10(bench.folder / 'cifar')}"
    by_hand = bench.save("test.npy", datasets.load(spec, 32).held_out_images)
    features = ["--extractor", "digits", "--features", "--out"]
    _, scored, *_ = bench.together(
        ["stats", "digits", "--out", "train.npz"],
        ["score", shop / "kept.npz", "--ref", "train.npz", "--fid", "--json"],
        ["stats", spec, "--held-out", *features, "held_out.npz", "--batch", 7],
        ["stats", by_hand, *features, "by_hand.npz"],
    )
    record = scored.record()
    assert record["fid"] == plain["fid"]
    assert (record["reference"]["name"], record["reference"]["count"]) == ("digits, training set", 4500)
    assert record["reference"]["sha256"] == sha256(bench.folder / "train.npz")
    found, wanted = (scoring.arrays_in(bench.folder / name) for name in ("held_out.npz", "by_hand.npz"))
    for name in ("mu", "sigma", "features", "logits"):
        np.testing.assert_array_equal(found[name], wanted[name])
    assert_of(found, found["features"])
    assert about(found)["source"]["count"] == 20 and "held-out" in about(found)["source"]["name"]


def refused(cases, done):
    """One error each, with these words in the whole message."""
    for (_, words), entry in zip(cases, done):
        assert entry.stdout == "" and entry.stderr.count("error: ") == 1, entry.stderr
        for word in words:
            assert word in entry.stderr


def test_places_that_cannot_be(bench):
    """Found before anything is looked at: the source is not there either."""
    (bench.folder / "there.npz").write_text("mine")
    cases = (
        ([], ["--out is not given"]),
        (["--out", "there.npz"], ["--out there.npz exists"]),
        (["--out", "new.np"], ["--out new.np does not end in .npz", "--out new.npz"]),
        (["--out", "nowhere/new.npz"], ["there is no folder nowhere"]),
        (["--out", ""], ["does not end in .npz"]),
        (["--out", "."], ["does not end in .npz"]),
        (["--out", "/"], ["does not end in .npz"]),
    )
    refused(cases, bench.together(*(["stats", "nothing", *flags] for flags, _ in cases), check=2))
    assert (bench.folder / "there.npz").read_text() == "mine"


def test_what_cannot_be_looked_at(bench, shop):
    two = [bench.save("two.npy", np.full((2, 32, 32, 3), 255, np.uint8)), "--extractor", "digits"]
    cases = (
        ([shop / "kept.npz"], ["kept.npz has features already"]),
        ([*two, "--num", 2], ["--num is for runs, and two.npy is none"]),
        ([*two, "--weights", "raw"], ["--weights is for runs, and two.npy is none"]),
        ([*two, "--held-out"], ["--held-out is for data sets"]),
        (["digits", "--held-out", "--num", 7], ["--num is for runs, and digits is none"]),
        (["digits", "--held-out", "--source", "pb"], ["--source is for runs, and digits is none"]),
        ([*two, "--source", "pd"], ["--source pd is not one of checkpoint, pb, om"]),
        ([two[0], "--extractor", "vgg"], ["--extractor vgg is not one of inception, digits"]),
        (["--num", 0], ["--num 0"]),
        (["--seeds", 7], ["1 picture is too few"]),
    )
    common = ["--outdir", shop / "runs", "--out", "new.npz"]
    refused(cases, bench.together(*(["stats", *flags, *common] for flags, _ in cases), check=2))
    assert not (bench.folder / "new.npz").exists()


def test_a_disk_that_is_full(bench):
    """A limit on the size of files stands for it: there is no file then, nor a part of one. Nor of equal pictures."""
    for number in range(3):
        Image.fromarray(np.full((32, 32, 3), 80 * number, np.uint8)).save(str(bench.folder / f"{number}.png"))

    limit = loaded.FULL_DISK.format(9000)
    same = bench.save("same.npy", np.full((12, 32, 32, 3), 200, np.uint8))
    features = ["--extractor", "digits", "--out", "new.npz"]
    cases = (
        (["."], ["--out new.npz cannot be written: File too large"]),
        ([same], ["all 12 pictures of same.npy have the same features"]),
    )
    refused(cases, bench.together(*(["stats", *source, *features] for source, _ in cases), check=1, prelude=limit))
    assert not [path for path in bench.folder.iterdir() if "npz" in path.name]
