"""``biggan score``: its numbers computed anew from what it looked at, what it says of them, and what it leaves."""

import io
import json
import os
import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biggan_cli import protocols
from biggan_cli.core.extractors import Extractor
from biggan_cli.core.references import Reference
from biggan_cli.core.run_sources import Source
from biggan_cli.core.score_caveats import Job, why_incomparable
from biggan_cli.core.score_words import table, words
from biggan_cli.data import datasets
from biggan_cli.data.pictures import Pictures
from biggan_cli.files import sha256
from biggan_cli.metrics import published
from biggan_cli.metrics.digit_classifier import GRAPH as CLASSIFIER
from biggan_cli.settings import ScoreConfig
from tests.conftest import read_picture, small_cifar10
from tests.e2e import scoring
from tests.e2e.deployment import LATENTS, MODEL, digests
from tests.e2e.scoring import ALL, DIGITS, KID, NUM, Bench, numbers
from tests.fakes.inception import blobs

TORCH_FIDELITY = {
    "inception_score_mean",
    "inception_score_std",
    "frechet_inception_distance",
    "kernel_inception_distance_mean",
    "kernel_inception_distance_std",
}
EXACT = dict(rel=1e-9, abs=1e-12)
"""Two ways to compute the same in float64."""


@pytest.fixture(scope="session")
def real(shop):
    """What it found in the digits that the run was trained on."""
    (path,) = (shop / "cache" / "stats").glob("digits-training-set-*-features.npz")
    return scoring.arrays_in(path)["features"]


@pytest.fixture(scope="session")
def run(shop):
    (path,) = (shop / "runs").glob("0*")
    return path


@pytest.fixture(scope="session")
def drawn(run):
    """The run's pictures as ``biggan sample`` left them."""
    return run / "sample" / "drawn"


@pytest.fixture(scope="session")
def pictures(drawn):
    return np.stack([read_picture(path) for path in sorted(drawn.glob("0*.png"))])


def write_pngs(folder, pictures_u8):
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures_u8):
        Image.fromarray(picture).save(str(folder / f"{number:03d}.png"))
    return folder


# A run


def test_the_numbers_are_those_of_the_features(plain, kept, real):
    fake = kept["features"]
    assert fake.shape == (NUM, 64) and real.shape == (4500, 64)
    mean, deviation = scoring.inception_score(kept["logits"])
    found = dict(mean=pytest.approx(mean, **EXACT), std=pytest.approx(deviation, **EXACT))
    assert plain["inception_score"] == dict(found, splits=10, shuffled=True, seed=2020)
    fid = plain["fid"]
    assert fid["value"] == pytest.approx(scoring.frechet(fake, real), rel=1e-8) and fid["count"] == NUM
    assert fid["value"] == pytest.approx(scoring.frechet_by_root(fake, real), rel=1e-4)
    assert fid["value"] == pytest.approx(fid["mean_term"] + fid["trace_term"], **EXACT)
    assert fid["mean_term"] > 0 and fid["trace_term"] > 0
    mean, deviation = scoring.kernel_distance(fake, real, 10, 50)
    found = dict(mean=pytest.approx(mean, **EXACT), std=pytest.approx(deviation, **EXACT))
    assert plain["kid"] == dict(found, subsets=10, subset_size=50, seed=2020)
    assert (plain["precision"], plain["recall"]) == pytest.approx(scoring.precision_recall(fake, real), **EXACT)
    assert plain["neighbours"] == 3


def test_scoring_adds_a_line_and_changes_nothing_else(shop, run, plain):
    assert json.loads((shop / "changed.json").read_text()) == ["score/score.jsonl"]
    (line,) = (run / "score" / "score.jsonl").read_text().splitlines()
    assert json.loads(line) == plain


def test_a_record_says_what_the_score_is_of(shop, run, plain):
    samples, extractor = plain["samples"], plain["extractor"]
    assert (samples["count"], samples["size"], samples["source"]) == (NUM, [32, 32], f"runs/{run.name}")
    assert (samples["step"], samples["weights"], samples["batch_norm"]) == (4, "ema", "standing")
    assert (samples["truncation"], samples["trained_truncation"]) == (2.0, 2.0)
    assert samples["latents"] == f"seeds 0-{NUM - 1}"
    assert (samples["quantisation"], samples["jpeg"], samples["lossless"]) == ("nearest", None, True)
    assert samples["files"] and all(sha256(run / name) == digest for name, digest in samples["files"].items())
    assert extractor == dict(name="digits", sha256=sha256(CLASSIFIER), official=False)
    assert plain["reference"]["name"] == "digits, training set" and plain["reference"]["count"] == 4500
    assert (plain["source"], plain["protocol"], plain["emulated"]) == ("checkpoint", None, False)
    assert plain["comparable"] is False and "not of Inception" in plain["why_incomparable"][0]
    assert not TORCH_FIDELITY & set(plain)
    assert plain["lane"].startswith("TensorFlow ") and {"tensorflow", "numpy"} <= set(plain["versions"])
    assert plain["biggan"] and plain["time"].endswith("Z") and plain["images_per_second"] > 0

    said = plain["sentence"]
    for part in (f"of {NUM} images (32x32 px)", "step 4", "EMA weights", "standing batch-norm", "truncation 2"):
        assert part in said
    for part in (f"seeds 0-{NUM - 1}", "rounded to nearest", "lossless", "not Inception", sha256(CLASSIFIER)[:12]):
        assert part in said
    assert "against digits, training set (4,500 images)" in said and plain["lane"] in said
    assert (
        f"digit IS {plain['inception_score']['mean']:.3f} ± " in said and "10 splits, shuffled with seed 2020" in said
    )
    assert f"digit FID {plain['fid']['value']:.3f}," in said and "10 subsets of 50" in said
    stderr = (shop / "plain.stderr").read_text()
    assert all(f"warning: {warning}\n" in stderr for warning in plain["warnings"])
    assert "z is truncated at 2, as in training" in plain["warnings"]


def test_the_same_pictures_from_elsewhere_score_the_same(bench, drawn, pictures, plain):
    """Whatever holds them, in whatever batches, in whatever order the files were made: to the last digit."""
    nested = bench.folder / "nested"
    for number in reversed(range(NUM)):
        place = nested / f"part_{number // 50}" / f"{number % 50:02d}"
        place.mkdir(parents=True)
        Image.fromarray(pictures[number]).save(str(place / "picture.png"))
    (nested / "notes.txt").write_text("no picture")
    np.savez_compressed(str(bench.folder / "pictures.npz"), images=pictures, y=np.arange(NUM))
    how = ["--extractor", "digits", *DIGITS, *ALL, "--json"]
    sources = (drawn, 100), (nested, 1), ("pictures.npz", 7)  # the grid among the drawn ones does not count
    for (source, _), done in zip(
        sources, bench.together(*(["score", source, *how, "--batch", batch] for source, batch in sources))
    ):
        record = done.record()
        assert numbers(record) == numbers(plain)
        lossless = None if source == "pictures.npz" else True
        known = dict(count=NUM, size=[32, 32], source=str(source), lossless=lossless)
        if source == drawn:  # whose manifest says how the run drew them
            known = {**plain["samples"], **known}
            del known["files"]
        assert record["samples"] == known
    assert not (drawn / "score").exists() and not (bench.folder / "score").exists()


def test_features_score_as_the_run_they_are_of(bench, shop, plain):
    """Where no Inception graph is, and none is asked for; of digits, the reference needs no name either."""
    for done in bench.together(
        ["score", shop / "kept.npz", *DIGITS, *ALL, "--json"], ["score", shop / "kept.npz", *ALL, "--json"]
    ):
        record = done.record()
        assert numbers(record) == numbers(plain) and record["source"] == "features"
        own = {"time", "source", "label", "samples", "reference", "asked", "seconds", "images_per_second"}
        same = set(plain) - own
        assert {name: record[name] for name in same} == {name: plain[name] for name in same}
        assert record["reference"]["sha256"] == plain["reference"]["sha256"]
        files = ("files",)  # of the checkpoint
        assert all(record["samples"][name] == plain["samples"][name] for name in plain["samples"] if name not in files)


def test_how_a_run_draws(bench, shop):
    run = scoring.copy_of_runs(shop, bench.folder)
    drawing = ["--seeds", "40,4-14", "--weights", "raw", "--bn", "moving", "--checkpoint", 2, "--truncation", 1]
    scored, sampled = bench.together(
        ["score", 0, *drawing, "--is", "--splits", 3, "--json"], ["sample", 0, *drawing, "--json"]
    )
    record = scored.record()
    samples = record["samples"]
    assert (samples["count"], samples["latents"]) == (12, "seeds 40, 4, 5, 6, 7, 8, 9, 10, 11, 12, …")
    assert (samples["step"], samples["weights"], samples["batch_norm"]) == (2, "raw", "moving")
    assert (samples["truncation"], samples["trained_truncation"]) == (1.0, 2.0)
    (reason,) = (reason for reason in record["why_incomparable"] if "truncation" in reason)
    assert f"warning: {reason}" in scored.stderr and "truncation 1, where the training had 2" in reason
    assert "raw weights, moving batch-norm statistics, truncation 1, seeds 40, 4" in record["sentence"]
    assert record["reference"] is None and "fid" not in record and "against" not in record["sentence"]
    pictures = [read_picture(path) for path in sorted((run / "sample" / "00000").glob("0*.png"))]
    assert json.loads(sampled.stdout)["num"] == len(pictures) == 12
    order = [11, *range(11)]  # sorted by their names, that of seed 40 comes last
    by_hand = bench.save("a.npy", np.stack(pictures)[order])
    again = bench.biggan("score", by_hand, "--extractor", "digits", "--is", "--splits", 3, "--json").record()
    assert numbers(again) == numbers(record)


# Forms of a run side by side


def test_checkpoint_graph_and_offline_model_side_by_side(bench, shop):
    run = scoring.copy_of_runs(shop, bench.folder)
    raw = [(run / "msame" / f"{MODEL}_00000" / f"{i:06d}_output_0.bin").read_bytes() for i in range(LATENTS)]
    floats = np.frombuffer(b"".join(raw), "<f4").reshape(LATENTS, 32, 32, 3).astype(np.float64)
    by_hand = bench.save("om.npy", np.clip(np.rint((floats + 1) * 127.5), 0, 255).astype(np.uint8))
    done, twice, again = bench.together(
        ["score", "--source", "checkpoint,pb,om", "--splits", 3],
        ["score", "--source", "om,pb", "--is", "--splits", 3, "--json"],
        ["score", by_hand, "--extractor", "digits", *DIGITS, "--splits", 3, "--json"],
    )
    lines = (run / "score" / "score.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines[:3]]
    checkpoint, graph, om = records
    device = f"emulated {MODEL}"
    assert [record["source"] for record in records] == ["checkpoint", "pb", "om"]
    assert [record["label"] for record in records] == ["checkpoint", "frozen graph", device]
    assert all(record["samples"]["count"] == LATENTS for record in records)
    assert all(f"seeds 0-{LATENTS - 1}" in record["samples"]["latents"] for record in records)
    assert [record["emulated"] for record in records] == [False, False, True]
    assert om["comparable"] is False and any("emulated" in reason for reason in om["why_incomparable"])
    assert not any("emulated" in reason for reason in graph["why_incomparable"])
    assert (om["samples"]["soc"], om["samples"]["precision"]) == ("Ascend310", "force_fp16")
    assert graph["samples"]["graph_sha256"] == sha256(run / "freeze" / "generator.pb")
    assert graph["fid"]["value"] == pytest.approx(checkpoint["fid"]["value"], rel=1e-3)
    assert numbers(again.record()) == numbers(om) != numbers(checkpoint)
    printed = [json.loads(line) for line in twice.stdout.splitlines()]
    assert printed == [json.loads(line) for line in lines[3:]]
    assert [numbers(record) for record in printed] == [
        dict(inception_score=record["inception_score"]) for record in (om, graph)
    ]

    rows = [re.split("  +", row) for row in done.stdout.split("\n\n")[0].splitlines()]
    assert rows[0] == ["", "checkpoint", "frozen graph", "emulated om"]
    assert [row[0] for row in rows[1:]] == ["digit IS", "digit FID"]
    found, fid = checkpoint["inception_score"], checkpoint["fid"]["value"]
    assert [row[1] for row in rows[1:]] == [f"{found['mean']:.3f} ± {found['std']:.3f}", f"{fid:.3f}"]
    for column, record in ((2, graph), (3, om)):
        for row, part, name in ((rows[1], "mean", "inception_score"), (rows[2], "value", "fid")):
            value, change = row[column].rstrip(")").split(" (")
            assert value == f"{record[name][part]:.3f}"
            assert float(change) == pytest.approx(record[name][part] - checkpoint[name][part], abs=5.1e-5)
    assert f"  - {device}: the offline model is emulated: no device computed it\n" in done.stdout
    assert all(record["sentence"] in done.stdout for record in records) and f"from the {device}:" in om["sentence"]


def test_a_graph_needs_no_checkpoint(bench, shop):
    """What was frozen has all that it needs: the checkpoint may have been rotated away."""
    run = scoring.copy_of_runs(shop, bench.folder)
    command = ["score", "--source", "pb", "--num", 20, "--splits", 2, "--is", "--json"]
    before = bench.biggan(*command).record()
    gone = [path for path in (run / "checkpoints").iterdir() if re.match(r"model-0*4\.", path.name)]
    assert gone
    for path in gone:
        path.unlink()
    after, both = bench.together(command, ["score", "--source", "checkpoint,pb", "--num", 20], check=None)
    assert numbers(after.record()) == numbers(before) and after.record()["samples"] == before["samples"]
    assert before["samples"]["step"] == 4 and both.returncode == 2 and "4" in both.stderr


def test_what_an_offline_model_ran_on_is_not_taken_for_granted(bench, shop):
    """The manifests tell it: latents that were truncated otherwise, or are those of a file; older ones tell less."""
    for place, file, truncation in (("half", None, 0.5), ("file", "mine.npz", 2.0), ("older", None, 2.0)):
        (bench.folder / place).mkdir()
        run = scoring.copy_of_runs(shop, bench.folder / place)
        bins, ran = (run / place / "manifest.json" for place in ("bin/00000", f"msame/{MODEL}_00000"))
        asked, made = (json.loads(path.read_text()) for path in (bins, ran))
        asked["config"]["latents"]["file"], asked["config"]["truncation"] = file, truncation
        bins.write_text(json.dumps(asked))
        details = dict(made["details"], latents_file=file, truncation=truncation, bins_sha256=sha256(bins))
        if place == "older":
            del details["latents_file"], details["truncation"]
        ran.write_text(json.dumps(dict(made, details=details)))
    command = ["score", "--source", "om", "--is", "--splits", 3, "--json", "--outdir"]
    *done, older = bench.together(*([*command, f"{place}/runs"] for place in ("half", "file", "older")), check=None)
    half, file = (entry.record() for entry in done)
    assert half["samples"]["truncation"] == 0.5 and "truncation 0.5" in half["sentence"]
    assert any("truncation 0.5, where the training had 2" in reason for reason in half["why_incomparable"])
    assert f"seeds 0-{LATENTS - 1}" in half["samples"]["latents"]
    assert "mine.npz" in file["samples"]["latents"] and "seeds" not in file["samples"]["latents"]
    assert file["samples"]["truncation"] == "unknown" and "truncation unknown, latents of mine.npz" in file["sentence"]
    assert any("truncation unknown, where the training had 2" in reason for reason in file["why_incomparable"])
    assert not any("as in training" in warning for warning in file["warnings"])
    assert older.returncode == 1 and "was left by an earlier biggan" in older.stderr
    assert "fix: biggan msame-run older/runs/" in older.stderr


def test_pictures_of_sample_are_what_their_manifest_says(bench, shop):
    """Those of other latents, those of another version, and several at once."""
    run = scoring.copy_of_runs(shop, bench.folder)
    np.savez(str(bench.folder / "mine.npz"), z=np.zeros((4, 8), np.float32), y=np.arange(4))
    results, how = run / "sample", ["--is", "--splits", 2, "--json"]
    bench.together(
        ["sample", "--latents", "mine.npz", "--name", "mine"],
        ["sample", "--classes", "three:4", "--truncation", 1, "--name", "three"],
    )
    shutil.copytree(str(results / "three"), str(results / "other"))
    manifest = json.loads((results / "other" / "manifest.json").read_text())
    manifest["config"]["draw"]["something"] = "new"
    (results / "other" / "manifest.json").write_text(json.dumps(manifest))
    mine, three, other, several = bench.together(
        ["score", results / "mine", *how],
        ["score", results / "three", *how],
        ["score", results / "other", *how, "--extractor", "digits"],
        ["score", results, *how, "--extractor", "digits"],
        check=None,
    )
    record = three.record()
    assert record["samples"]["truncation"] == 1 and "classes three" in record["samples"]["latents"]
    assert record["extractor"]["name"] == "digits" and "truncation 1, seeds 0-3, classes three" in record["sentence"]
    assert numbers(other.record()) == numbers(record) and "truncation" not in other.record()["samples"]
    assert "truncation unknown, latents of mine.npz" in mine.record()["sentence"]
    assert not any("as in training" in warning for warning in mine.record()["warnings"])
    assert several.returncode == 2 and "has several results of biggan sample" in several.stderr


# How it is measured


def test_splits_order_and_seed_of_the_metrics(bench, shop, kept, real):
    how = ["--metric-seed", 7, "--splits", 3, "--kid-subsets", 3, "--kid-subset-size", NUM, "--neighbours", 1]
    given, other = bench.together(
        ["score", shop / "kept.npz", "--is", "--no-shuffle", "--splits", 7, "--json"],
        ["score", shop / "kept.npz", *DIGITS, "--is", "--kid", "--pr", *how, "--json"],
    )
    found = given.record()["inception_score"]
    mean, deviation = scoring.inception_score(kept["logits"], 7, None)
    assert (found["mean"], found["std"]) == pytest.approx((mean, deviation), **EXACT)
    assert (found["splits"], found["shuffled"], found["seed"]) == (7, False, None)
    record = other.record()
    found = record["inception_score"]
    mean, deviation = scoring.inception_score(kept["logits"], 3, 7)
    assert (found["mean"], found["std"]) == pytest.approx((mean, deviation), **EXACT) and found["seed"] == 7
    mean, deviation = scoring.kernel_distance(kept["features"], real, 3, NUM, 7)
    assert (record["kid"]["mean"], record["kid"]["std"]) == pytest.approx((mean, deviation), **EXACT)
    wanted = scoring.precision_recall(kept["features"], real, 1)
    assert (record["precision"], record["recall"]) == pytest.approx(wanted, **EXACT)
    assert "fid" not in record and record["neighbours"] == 1
    reasons = " ".join(record["why_incomparable"])
    assert "3 splits instead of 10" in reasons and f"KID of 3 subsets of {NUM} instead of 100 of 1000" in reasons


def test_pictures_sorted_by_class_need_the_shuffle(bench, kept):
    classes = np.arange(NUM) * 10 // NUM
    certain = dict(kept, logits=np.float32(100) * np.eye(10, dtype=np.float32)[classes])
    np.savez(str(bench.folder / "sorted.npz"), **certain)
    flags = [], ["--no-shuffle"], ["--splits", 1]
    done = bench.together(*(["score", "sorted.npz", "--is", *more, "--json"] for more in flags))
    shuffled, as_given, whole = (entry.record()["inception_score"]["mean"] for entry in done)
    assert as_given == pytest.approx(1) and shuffled > 5 and whole == pytest.approx(10, abs=0.01)


# Inception, which a tiny network of the same names stands for


def test_inception(shop, tmp_path):
    """The graph is in the cache; then in an archive that BIGGAN_INCEPTION names; then it is another one."""
    bench = Bench(tmp_path)
    graph = bench.cache / "inception" / published.GRAPH
    graph.parent.mkdir(parents=True)
    shutil.copy(str(shop / "graph.pb"), str(graph))
    fakes, reals = bench.save("fakes.npy", blobs(41, 1)), write_pngs(bench.folder / "reals", blobs(30, 2))
    few = ["--kid", "--kid-subsets", 3, "--kid-subset-size", 20]
    done = bench.biggan("score", fakes, "--ref", reals, "--is", "--fid", *few, "--pr", "--json")
    record = done.record()
    assert set(record) >= TORCH_FIDELITY
    for name in ("inception_score", "kid"):
        theirs = name.replace("kid", "kernel_inception_distance")
        assert [record[f"{theirs}_{part}"] for part in ("mean", "std")] == [record[name]["mean"], record[name]["std"]]
    assert record["frechet_inception_distance"] == record["fid"]["value"]
    digest = sha256(graph)
    assert record["extractor"] == dict(name="inception", sha256=digest, official=False)
    assert record["reference"]["name"] == str(reals) and record["reference"]["count"] == 30
    assert record["comparable"] is False
    for reason in (
        f"this is not the Inception graph of 2015-12-05 (sha256 {digest[:12]}…)",
        "41 images, where published scores against the training set are of 50,000",
        f"the reference is not CIFAR-10's complete training or test set, but {reals}",
        "41 images are fewer than the 2,048 features",
    ):
        assert any(reason in warning for warning in record["warnings"])
        assert f"warning: {reason}" in done.stderr
    assert f"Inception of another origin (sha256 {digest[:12]})" in record["sentence"]
    assert record["sentence"].startswith("IS ")

    with tarfile.open(str(bench.folder / "inception-2015-12-05.tgz"), "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("LICENSE"), io.BytesIO())
        archive.add(str(shop / "graph.pb"), published.GRAPH)
    graph.unlink()
    (place,) = (bench.cache / "stats").glob("*.npz")
    other = sha256(shop / "other.pb")
    taken = place.with_name(place.name.replace(digest[:12], other[:12]))
    shutil.copy(str(place), str(taken))  # what is called as that of another network, and is not
    before = digests(bench.cache)
    archived, again, refused = bench.together(
        ["BIGGAN_INCEPTION=inception-2015-12-05.tgz", "stats", fakes, "--features", "--out", "fakes.npz"],
        ["score", fakes, "--ref", reals, *few, "--inception", shop / "other.pb", "--json"],
        ["score", fakes, "--ref", "fakes.npz", "--inception", shop / "other.pb"],
        check=None,
    )
    assert (archived.returncode, again.returncode, refused.returncode) == (0, 0, 2)
    kept = scoring.arrays_in(bench.folder / "fakes.npz")
    assert kept["features"].shape == (41, 2048) and kept["logits"].shape == (41, 1008)
    real = scoring.arrays_in(place)["features"]
    assert record["fid"]["value"] == pytest.approx(scoring.frechet(kept["features"], real), rel=1e-8)
    found = record["inception_score"]
    assert (found["mean"], found["std"]) == pytest.approx(scoring.inception_score(kept["logits"]), **EXACT)
    mean, deviation = scoring.kernel_distance(kept["features"], real, 3, 20)
    assert (record["kid"]["mean"], record["kid"]["std"]) == pytest.approx((mean, deviation), **EXACT)
    wanted = scoring.precision_recall(kept["features"], real)
    assert (record["precision"], record["recall"]) == pytest.approx(wanted, **EXACT)

    assert again.record()["extractor"]["sha256"] == other and "kept in" not in again.stderr
    assert again.record()["kid"] == record["kid"]  # the two differ in a bias, which nothing here depends on
    after = digests(bench.cache)
    assert {name for name in after if before.get(name) != after[name]} == {f"stats/{taken.name}"}
    assert "--ref fakes.npz was made with another network: sha256 " + digest[:12] in refused.stderr


def test_pictures_of_another_size_and_through_jpeg(bench, shop):
    folder = bench.folder / "photos"
    folder.mkdir()
    for number, picture in enumerate(blobs(12, 3)):
        large = Image.fromarray(picture).resize((48, 40))
        large.save(str(folder / f"{number}.{'jpg' if number == 7 else 'png'}"))
    reals = bench.save("reals.npy", blobs(14, 4))
    few = ["--kid", "--kid-subsets", 2, "--kid-subset-size", 6, "--inception", shop / "graph.pb", "--json"]
    photos, back = bench.together(
        ["score", folder, "--ref", reals, *few, "--extractor", "inception"], ["score", reals, "--ref", folder, *few]
    )
    record = photos.record()
    assert record["samples"]["size"] == [40, 48] and record["samples"]["lossless"] is False
    assert "the pictures are of 48x40 px, those of the reference of 32x32 px" in record["warnings"]
    assert any("some pictures went through a lossy format" in reason for reason in record["why_incomparable"])
    assert "warning: some pictures went through a lossy format" in photos.stderr
    assert "(48x40 px): through a lossy format;" in record["sentence"]
    assert np.isfinite(record["kid"]["mean"])
    record = back.record()
    assert (
        record["samples"]["lossless"] is None and "(32x32 px): with or without loss until then;" in record["sentence"]
    )
    assert "some pictures of the reference went through a lossy format" in record["why_incomparable"]


# What it is compared with


def test_what_was_trained_on_cifar10_is_compared_with_it(shop, tmp_path):
    """By Inception, and from the run's own data: nothing has to be named."""
    bench, spec = Bench(tmp_path), f"cifar10:{small_cifar10(tmp_path / 'cifar')}"
    run = scoring.copy_of_runs(shop, bench.folder)
    config = json.loads((run / "config.json").read_text())
    config["config"]["train"]["data"] = spec
    (run / "config.json").write_text(json.dumps(config))
    graph = shop / "graph.pb"
    few = ["--kid", "--kid-subsets", 2, "--kid-subset-size", 6, "--num", 12, "--json"]
    record = bench.biggan("score", *few, BIGGAN_INCEPTION=graph).record()
    assert record["extractor"]["name"] == "inception" and record["extractor"]["sha256"] == sha256(graph)
    assert (record["reference"]["name"], record["reference"]["count"]) == ("cifar10-train", 100)
    reason = "the reference is not CIFAR-10's complete training or test set, but cifar10-train"
    assert any(reason in entry for entry in record["why_incomparable"])


def test_files_as_references(bench, shop, kept, plain, real):
    """Mean and covariance and nothing else, float64, as TTUR writes them; and features."""
    sigma = np.cov(real.astype(np.float64), rowvar=False)
    np.savez_compressed(str(bench.folder / "real.npz"), mu=real.mean(axis=0, dtype=np.float64), sigma=sigma)
    fakes = shop / "kept.npz"
    of_others, of_itself, shown = bench.together(
        ["score", fakes, "--ref", "real.npz", "--fid", "--json"],
        ["score", fakes, "--ref", fakes, "--fid", *KID, "--pr", "--json"],
        ["score", fakes, "--ref", fakes, "--fid"],
    )
    record = of_others.record()
    assert record["fid"]["value"] == pytest.approx(plain["fid"]["value"], rel=1e-8)
    reference = record["reference"]
    assert (reference["name"], reference["count"]) == ("real.npz", None)
    assert reference["sha256"] == sha256(bench.folder / "real.npz") and "does not say of what" in reference["origin"]
    assert "nobody knows how many images" in of_others.stderr
    record = of_itself.record()
    assert record["fid"]["value"] == pytest.approx(0, abs=1e-6) and record["kid"]["mean"] < 0
    assert (record["precision"], record["recall"], record["reference"]["count"]) == (1, 1, NUM)
    assert shown.stdout.startswith("digit FID  0.000\n") and "digit FID 0.000 of" in shown.stdout


def test_cifar10_is_computed_once_from_the_data(shop, kept, tmp_path):
    bench, spec = Bench(tmp_path), f"cifar10:{small_cifar10(tmp_path / 'cifar')}"
    command = ["score", shop / "kept.npz", "--ref", "cifar10-train", *ALL, "--json"]
    first, second = bench.together([*command, "--data", spec], [f"BIGGAN_DATA={spec}", *command])
    record = first.record()
    assert "kept in" not in first.stderr
    assert (record["reference"]["name"], record["reference"]["count"]) == ("cifar10-train", 100)
    (place,) = (bench.cache / "stats").glob("cifar10-training-set-*-features.npz")
    real = scoring.arrays_in(place)["features"]
    assert record["fid"]["value"] == pytest.approx(scoring.frechet(kept["features"], real), rel=1e-8)
    assert (record["precision"], record["recall"]) == scoring.precision_recall(kept["features"], real)
    again = second.record()
    assert numbers(again) == numbers(record) and again["reference"] == record["reference"]
    assert str(place) in second.stderr

    before = place.read_bytes(), place.stat().st_mtime_ns
    bench.biggan(*command, "--data", spec)
    assert (place.read_bytes(), place.stat().st_mtime_ns) == before
    place.write_bytes(before[0][:-2000])
    named = ["score", shop / "kept.npz", "--ref"]
    healed, test, digits = bench.together(
        [*command, "--data", spec],
        [*named, "cifar10-test", "--data", spec, "--pr", "--json"],
        [*named, "test", "--data", "digits", "--fid", "--json"],
    )
    assert numbers(healed.record()) == numbers(record) and str(place) not in healed.stderr
    np.testing.assert_array_equal(scoring.arrays_in(place)["features"], real)

    reference = test.record()["reference"]
    assert (reference["name"], reference["count"]) == ("cifar10-test", 20)
    (place,) = (bench.cache / "stats").glob("cifar10-held-out-set-*-features.npz")
    real = scoring.arrays_in(place)["features"]
    found = test.record()["precision"], test.record()["recall"]
    assert found == scoring.precision_recall(kept["features"], real)
    reference = digits.record()["reference"]
    assert (reference["name"], reference["count"]) == ("digits, held-out set", 500)


# What it says of it


def test_when_a_score_compares_with_published_ones(plain):
    """Only where nothing differs; each difference is a reason of its own. The official graph is not at hand."""
    official = Extractor("inception", published.GRAPH_SHA256, True, 2048, None, None)
    train = Reference("cifar10-train", "", 50000, (32, 32), True, "", "cifar10-train", None, None)
    test = train._replace(name="cifar10-test", count=10000, published="cifar10-test")
    pictures = Pictures("p", 50000, (32, 32), True, "", None)
    drawn = Source("checkpoint", "checkpoint", "p", "", dict(truncation=2.0, trained_truncation=2.0), pictures)
    every = ScoreConfig(metrics=("is", "fid", "kid"))
    of_digits = drawn._replace(facts=dict(drawn.facts, trained_on="digits"))

    def reasons(source=drawn, settings=every, extractor=official, reference=train):
        protocol = protocols.find(settings.protocol)
        return why_incomparable(source, Job(settings, protocol, extractor, reference))

    def with_pictures(**changes):
        return drawn._replace(pictures=pictures._replace(**changes))

    assert reasons() == reasons(reference=None) == []
    assert reasons(settings=replace(every, protocol="cifar10-50k-train", shuffle=False)) == []
    assert reasons(with_pictures(count=10000), reference=test) == []
    assert reasons(with_pictures(lossless=None)) == reasons(reference=train._replace(lossless=None)) == []
    for more, word in (
        (dict(source=with_pictures(count=49999)), "49,999 images"),
        (dict(reference=test), "against the test set are of 10,000"),
        (dict(source=with_pictures(count=5000), reference=None), "published scores of Inception are of 50,000"),
        (dict(source=with_pictures(size=(64, 64))), "not of 32x32 px"),
        (dict(source=with_pictures(lossless=False)), "lossy"),
        (dict(reference=train._replace(lossless=False)), "lossy"),
        (dict(reference=train._replace(published=None)), "not CIFAR-10's complete"),
        (dict(source=drawn._replace(facts=dict(truncation=None, trained_truncation=2.0))), "truncation none"),
        (dict(source=drawn._replace(facts=dict(truncation="unknown", trained_truncation=2.0))), "truncation unknown"),
        (dict(source=drawn._replace(facts=dict(drawn.facts, emulated=True))), "emulated"),
        (dict(source=of_digits, reference=None), "trained on digits"),
        (dict(source=drawn._replace(facts=dict(drawn.facts, own_classes=True))), "classes were chosen"),
        (
            dict(
                source=with_pictures(size=(96, 128)),
                reference=None,
                settings=replace(every, protocol="cifar10-50k-train", metrics=("is",)),
            ),
            "not of 32x32 px",
        ),
        (dict(settings=replace(every, metrics=("fid", "pr"))), "precision and recall have no usual way"),
        (dict(extractor=official._replace(official=False)), "not the Inception graph"),
        (dict(settings=replace(every, splits=5)), "5 splits"),
        (dict(settings=replace(every, kid_subsets=50)), "KID of 50 subsets"),
        (dict(settings=replace(every, protocol="seed")), "seed's procedure"),
    ):
        (reason,) = reasons(**more)
        assert word in reason
    assert "comparable with published scores: yes" in words([dict(plain, why_incomparable=[])])


def test_an_output_that_knows_few_characters(bench, shop):
    """Whose words are written as far as they can be: what took an hour is not lost for a ±."""
    for variables in (dict(PYTHONIOENCODING="ascii"), dict(LC_ALL="C", PYTHONIOENCODING=None)):
        done = bench.biggan("score", shop / "kept.npz", "--is", **variables)
        assert done.stdout.startswith("digit IS  1.") and "\n\ndigit IS 1." in done.stdout


def test_small_changes_are_shown_as_exactly_as_the_scores(plain):
    kid = plain["kid"]
    _, rows = table([plain, dict(plain, source="pb", label="frozen graph", kid=dict(kid, mean=kid["mean"] - 2e-6))])
    changes = {name: change.partition(" ")[2] for name, _, change in rows}
    assert changes["digit KID"] == "(-0.000002)" and changes["digit FID"] == "(+0.0000)"


# Protocols


def test_the_protocol_of_the_seed(bench, shop, drawn, plain, real):
    """Against the plain score of as many pictures, and against what is computed here from the same floats.

    The number of pictures alone is another, so that a call takes seconds.
    """
    scoring.copy_of_runs(shop, bench.folder)
    floats = scoring.arrays_in(drawn / "samples.npz")["images"]  # the seed computes levels in float32 too
    pictures = []
    for levels in np.clip(np.floor((floats + np.float32(1)) * np.float32(127.5)), 0, 255).astype(np.uint8):
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "JPEG")  # with Pillow's own settings: quality 75
        pictures.append(np.asarray(Image.open(file)))
    by_hand = bench.save("seed.npy", np.stack(pictures))
    fewer = f"from biggan_cli.protocols import PROTOCOLS as p; p['seed'] = p['seed']._replace(num={NUM})"
    done, _ = bench.together(
        ["score", *ALL, "--protocol", "seed", "--json"],
        ["stats", by_hand, "--extractor", "digits", "--features", "--out", "seed.npz"],
        prelude=fewer,
    )
    record, kept = done.record(), scoring.arrays_in(bench.folder / "seed.npz")
    mean, deviation = scoring.inception_score(kept["logits"], 10, None)
    found = dict(mean=pytest.approx(mean, **EXACT), std=pytest.approx(deviation, **EXACT))
    assert record["inception_score"] == dict(found, splits=10, shuffled=False, seed=None)
    assert record["fid"]["value"] == pytest.approx(scoring.frechet(kept["features"][:100], real), rel=1e-8)
    assert record["fid"]["count"] == 100
    mean, _ = scoring.kernel_distance(kept["features"], real, 10, 50)
    assert record["kid"]["mean"] == pytest.approx(mean, **EXACT)

    assert record["samples"] == dict(plain["samples"], quantisation="down", jpeg=75, lossless=False)
    same = ("source", "reference", "extractor", "emulated", "neighbours", "lane", "biggan")
    assert all(record[name] == plain[name] for name in same)
    assert record["protocol"] == "seed" and record["comparable"] is False
    assert "it follows the seed's procedure: few images, rounded down, through JPEG" in record["why_incomparable"]
    assert "warning: it follows the seed's procedure" in done.stderr
    assert "levels rounded down, through JPEG of quality 75" in record["sentence"]
    assert "protocol seed; " in record["sentence"] and "(the first 100 images)" in record["sentence"]


def test_a_protocol_fixes_how_many_and_against_what(bench, shop):
    scoring.copy_of_runs(shop, bench.folder)
    two = bench.save("two.npy", np.full((2, 32, 32, 3), 255, np.uint8))
    cases = [
        (["--protocol", "seed", "--seeds", "0-9"], "--protocol asks for 4992 pictures, --seeds for 10"),
        (["--protocol", "seed", "--source", "om"], "4992 pictures are asked for"),
        ([two, "--protocol", "seed", "--extractor", "digits"], "--protocol seed is for runs, and two.npy is none"),
        ([shop / "kept.npz", "--protocol", "cifar10-10k-test", "--is"], "kept.npz has features"),
    ]
    for name, num in (("seed", None), ("cifar10-50k-train", 50000), ("cifar10-10k-test", 10000)):
        flags = ["--protocol", name, "--extractor", "digits"]
        if num:
            cases.append(([two, *flags], f"two.npy has 2 pictures, the protocol takes {num}"))
        for flag in (["--num", 5], ["--truncation", "none"], ["--no-shuffle"], ["--shuffle"]):
            cases.append(([*flags, *flag], f"--protocol {name} fixes what {flag[0]} says"))
    for name, ref in (("cifar10-50k-train", "cifar10-train"), ("cifar10-10k-test", "cifar10-test")):
        compares = f"--protocol {name} compares with {ref}, not with --ref train"
        cases.append((["--protocol", name, "--ref", "train"], compares))
        cases.append((["--protocol", name], f"there is nothing to make {ref} of"))
    for (_, said), done in zip(cases, bench.together(*(["score", *case] for case, _ in cases), check=2)):
        assert said in done.stderr and done.stdout == ""


# Acceptance: with the official graph and all of CIFAR-10, where BIGGAN_INCEPTION and BIGGAN_DATA name them


@pytest.fixture(scope="session")
def graph():
    """The official graph's file."""
    name = os.environ.get("BIGGAN_INCEPTION")
    if not name or not published.find_inception(Path(name)).official:
        pytest.skip("BIGGAN_INCEPTION does not name the official graph")
    return Path(name).absolute()


@pytest.fixture(scope="session")
def cifar10(graph):
    """The data, and how to name them."""
    spec = datasets.absolute(os.environ.get("BIGGAN_DATA"))
    if not spec or not spec.startswith("cifar10:"):
        pytest.skip("BIGGAN_DATA does not name CIFAR-10")
    data = datasets.load(spec, 32)
    if (len(data.images), len(data.held_out_images)) != (50000, 10000):
        pytest.skip("BIGGAN_DATA is not all of CIFAR-10")
    return data, spec


@pytest.fixture(scope="session")
def whole_train(graph, cifar10, tmp_path_factory):
    """Features of all training pictures, which take an hour or two on a CPU."""
    bench = Bench(tmp_path_factory.mktemp("whole"), timeout=None)
    bench.biggan("stats", cifar10[1], "--features", "--out", "train.npz", BIGGAN_INCEPTION=graph)
    return bench.folder / "train.npz"


def chosen(pictures_u8, count):
    """As torch-fidelity's tests choose them: named by their place in the set, and read in the order of the names."""
    places = np.random.RandomState(2020).choice(len(pictures_u8), count, replace=False)
    return pictures_u8[np.sort(places)]


def accepted(folder, *arguments, **variables):
    """The record of a call that may take hours."""
    bench = Bench(folder, timeout=None)
    return bench.biggan("score", *arguments, "--json", **variables).record()


def test_100_training_pictures_score_as_torch_fidelity_says(graph, cifar10, tmp_path):
    """The cheapest proof that graph, resizing, bias, order and splits are right; its TensorFlow is 5e-3 away."""
    np.save(str(tmp_path / "a.npy"), chosen(cifar10[0].images, 100))
    record = accepted(tmp_path, "a.npy", "--is", BIGGAN_INCEPTION=graph)
    assert record["inception_score"]["mean"] == pytest.approx(4.51089784587268, rel=5e-3)
    assert record["extractor"]["official"] is True


@pytest.mark.slow
def test_5000_training_pictures_against_5000_others(graph, cifar10, tmp_path):
    np.save(str(tmp_path / "a.npy"), chosen(cifar10[0].images, 5000))
    np.save(str(tmp_path / "b.npy"), chosen(cifar10[0].held_out_images, 5000))
    record = accepted(tmp_path, "a.npy", "--ref", "b.npy", "--fid", BIGGAN_INCEPTION=graph)
    assert record["fid"]["value"] == pytest.approx(10.3233274, abs=1e-2)


@pytest.mark.slow
def test_the_training_set(graph, cifar10, whole_train, tmp_path):
    """IS as lzhbrian/metrics has it, FID against the test set as pytorch-gan-metrics has it."""
    record = accepted(tmp_path, whole_train, "--is", "--no-shuffle")
    found = record["inception_score"]
    assert (found["mean"], found["std"]) == (pytest.approx(11.237364, rel=1e-3), pytest.approx(0.11623184, rel=0.05))
    assert record["comparable"] is True and record["sentence"].startswith("IS 11.")
    test = ["--ref", "cifar10-test", "--data", cifar10[1], "--fid"]
    record = accepted(tmp_path, whole_train, *test, BIGGAN_INCEPTION=graph)
    assert record["fid"]["value"] == pytest.approx(3.15, abs=0.01)


@pytest.mark.slow
def test_the_training_set_against_ttur_s_statistics_of_it(whole_train, tmp_path):
    ttur = published.ttur_file()  # of the cache that BIGGAN_CACHE names, or the home
    if not ttur:
        pytest.skip(f"there is no {published.TTUR} in the cache")
    record = accepted(tmp_path, whole_train, "--ref", ttur, "--fid")
    assert record["fid"]["value"] == pytest.approx(0, abs=0.1)
    assert record["reference"]["name"] == "cifar10-train" and record["comparable"] is True
