"""Mistakes with ``biggan score`` through the console script: one clear error each, nothing half done, no hour lost."""

import gzip
import io
import json
import re
import shutil
import signal
import subprocess
import tarfile
import time

import numpy as np
import pytest
from PIL import Image

from biggan_cli.metrics import published
from biggan_cli.metrics.published import GRAPH
from tests import loaded
from tests.conftest import BIGGAN
from tests.e2e import scoring
from tests.e2e.deployment import digests
from tests.e2e.scoring import DIGITS, Bench
from tests.fakes.inception import blobs

NOBODY = dict(http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9", no_proxy="", PYTHONPATH=None)
"""A network without anybody in it."""


@pytest.fixture
def own(tmp_path):
    """With a cache of the test's own, empty."""
    return Bench(tmp_path)


def refused(bench, *cases, **variables):
    """Each is (command, words, exit code): one ``error:`` line, the words in the whole message, nothing on stdout.

    Nothing changes in the folder.
    """
    before = digests(bench.folder)
    done = bench.together(*(command for command, _, _ in cases), check=None, **variables)
    for (command, words, code), entry in zip(cases, done):
        assert (entry.returncode, entry.stdout) == (code, ""), f"{command}: {entry}"
        assert len(re.findall("^error: ", entry.stderr, re.MULTILINE)) == 1, f"{command}: {entry.stderr}"
        for word in words:
            assert word in entry.stderr, f"{command}: {entry.stderr}"
    assert digests(bench.folder) == before


def png(path, size=(32, 32), level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((size[1], size[0], 3), level, np.uint8)
    picture[:5] = 255 - level
    Image.fromarray(picture).save(str(path))


@pytest.fixture(scope="session")
def run(shop):
    (path,) = (shop / "runs").glob("0*")
    return path


# Options


def test_values_that_cannot_be(bench, shop, run):
    cases = (
        (["--source", "checkpoint,pd"], ["--source pd is not one of checkpoint, pb, om"]),
        (["--source", ""], ["--source (empty)"]),
        (["--source", "pb,om,pb"], ["names a source twice"]),
        (["--extractor", "vgg"], ["--extractor vgg is not one of inception, digits"]),
        (["--protocol", "sead"], ["--protocol sead is not one of cifar10-50k-train, cifar10-10k-test, seed"]),
        (["--ref", "cifar10-tain"], ["--ref cifar10-tain is nothing that is known", "fix: --ref cifar10-train"]),
        (["--ref", "none.npz"], ["--ref none.npz is not a file"]),
        (["--data", "mnist", "--ref", "train"], ["--data mnist is not a data set"]),
        (["--ref", "cifar10-train", "--data", "cifar10:nowhere"], ["nowhere is not a directory"]),
        (["--ref", "cifar10-test"], ["there is nothing to make cifar10-test of", "--data cifar10:DIR"]),
        (["--num", 1], ["--num 1 is less than 2"]),
        (["--num", 0], ["--num 0"]),
        (["--splits", 0], ["--splits 0"]),
        (["--num", 9], ["9 pictures do not fill 10 splits", "fix: "]),
        (["--num", 50, "--kid"], ["--kid-subset-size 1000 is more than the 50 pictures", "--kid-subset-size 25"]),
        (["--num", 3, "--pr"], ["--neighbours 3 is not less than the 3 pictures"]),
        (["--kid-subset-size", 1], ["--kid-subset-size 1 is less than 2"]),
        (["--metric-seed", -1], ["--metric-seed -1"]),
        (["--metric-seed", 2**32], ["--metric-seed 4294967296"]),
        (["--seeds", 5, "--splits", 1], ["1 picture is too few"]),
        (["--num", 5, "--seeds", "0-5"], ["--num", "5", "6"]),
        (["--source", "om", "--num", 7], ["7 pictures are asked for", "has 6", "biggan to-bin"]),
        (["--source", "om", "--seeds", "0-5"], ["--seeds does not go with --source om"]),
        (["--source", "om", "--om", "other"], ["--om other did not run", "ascend310_b1_force_fp16"]),
        (["--om", "other"], ["--om other is for --source om"]),
        (["--source", "pb", "--truncation", 1], ["frozen with", "--truncation", "biggan freeze"]),
        (["--checkpoint", 3], ["--checkpoint 3", "2, 4"]),
        (["--inception", "graph.pb"], ["--inception does not go with the digit classifier", "--extractor inception"]),
        (["--fetch-inception"], ["--fetch-inception does not go with the digit classifier"]),
        (["--fetch-stats"], ["--fetch-stats brings statistics of cifar10-train by the official Inception", "fix: "]),
        (["--is", "--ref", "train"], ["--ref is for --fid, --kid and --pr, and only --is is asked for"]),
        (["--is", "--data", "digits"], ["--data is for --fid, --kid and --pr"]),
        (["--is", "--fetch-stats"], ["--fetch-stats is for --fid, --kid and --pr"]),
        (["--fid", "--no-shuffle"], ["--no-shuffle is for --is, which is not asked for"]),
        (["--is", "--kid-subset-size", 5], ["--kid-subset-size is for --kid"]),
        (["--neighbours", 2], ["--neighbours is for --pr"]),
        (["--protocol", "sead", "--num", 5], ["--protocol sead is not one of"]),
        (["--source", "om,pb", "--weights", "raw"], ["frozen with", "--weights"]),
        (["--ref", run], ["is a run, not pictures", "biggan stats"]),
        (["~nobody.that.is/x.npz"], ["~nobody.that.is/x.npz is not there"]),
        (["--ref", "~nobody.that.is/x.npz"], ["~nobody.that.is/x.npz is not a file"]),
        (["--ref", "cifar10-train", "--data", "digits"], ["--ref cifar10-train is not a part of --data digits"]),
        (["--ref", "digits", "--data", "digits"], ["--data is for --ref cifar10-train", "not for --ref digits"]),
        (["--ref", shop / "kept.npz", "--data", "digits"], ["--data is for --ref cifar10-train"]),
    )
    before = digests(run)
    refused(bench, *((["score", *flags, "--outdir", shop / "runs"], words, 2) for flags, words in cases))
    assert digests(run) == before


def test_forms_that_a_run_does_not_have(bench, shop):
    run = scoring.copy_of_runs(shop, bench.folder)
    shutil.rmtree(str(run / "msame"))
    words = ["no offline model of this graph ran yet", "biggan msame-run"]
    refused(
        bench,
        (["score", "--source", "pb,om"], words, 2),
        (["score", "nowhere"], ["there is no run nowhere", run.name], 2),
    )
    shutil.rmtree(str(run / "freeze"))
    refused(
        bench,
        (["score", "--source", "pb"], ["no frozen graph in", "biggan freeze"], 2),
        (["score", "--outdir", "none"], ["there is no run in none", "biggan train --preset digits"], 2),
    )


def test_a_source_that_fails_loses_no_other(bench, shop):
    """One offline model's picture is not a number: found in the middle, named; the checkpoint's score is kept."""
    run = scoring.copy_of_runs(shop, bench.folder)
    (place,) = (run / "msame").glob("*_00000")
    output = place / "000003_output_0.bin"
    floats = np.frombuffer(output.read_bytes(), "<f4").copy()
    floats[7] = np.nan
    output.write_bytes(floats.tobytes())
    done = bench.biggan("score", "--source", "checkpoint,om", "--splits", 2, check=1)
    assert done.stdout == "" and "picture 3 (from 0) from the emulated" in done.stderr
    assert "values that are not finite" in done.stderr and "biggan verify" in done.stderr
    (line,) = (run / "score" / "score.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["source"] == "checkpoint" and f"checkpoint: digit IS {record['inception_score']['mean']:.3f}" in (
        done.stderr
    )


# Pictures


def test_folders_that_cannot_be_scored(bench):
    folder = bench.folder
    for number in range(12):
        png(folder / "cut" / f"{number}.png", level=number)
    whole = (folder / "cut" / "5.png").read_bytes()
    (folder / "cut" / "5.png").write_bytes(whole[: len(whole) // 2])
    png(folder / "one" / "0.png")
    png(folder / "mixed" / "0.png")
    png(folder / "mixed" / "1" / "large.png", size=(48, 40))
    (folder / "empty").mkdir()
    sizes = ["pictures of different sizes", "mixed/0.png has 32x32 px", "mixed/1/large.png 48x40 px"]
    cases = [
        (["score", "empty"], ["empty has no pictures", "*.png"], 2),
        (["score", "one"], ["one has 1 picture, fewer than 2"], 2),
        (["score", "mixed"], sizes, 2),
        (["score", "cut"], ["cut/5.png", "cut off"], 1),
        (["score", "--ref", "empty", "cut/4.png"], ["cut/4.png is neither .npy nor .npz"], 2),
    ]
    refused(bench, *cases)


def test_what_only_a_run_takes(bench):
    flags = "--num 4", "--seeds 0-3", "--om x", "--source pb", "--truncation 1", "--weights raw", "--bn moving"
    command = ["score", bench.save("a.npy", blobs(12, 1)), "--extractor", "digits"]
    cases = (([*command, *flag.split()], [f"{flag.split()[0]} is for runs, and a.npy is none"], 2) for flag in flags)
    refused(bench, *cases, ([*command, "--checkpoint", 2], ["--checkpoint is for runs, and a.npy is none"], 2))


def test_arrays_that_cannot_be_scored(bench):
    floats = np.linspace(-1, 1, 12 * 32 * 32 * 3, dtype=np.float32).reshape(12, 32, 32, 3)
    np.savez(str(bench.folder / "floats.npz"), images=floats)
    floats[3, 4] = np.nan
    bench.save("nan.npy", floats)
    np.savez(str(bench.folder / "two.npz"), a=floats, b=floats)
    whole = (bench.folder / "two.npz").read_bytes()
    (bench.folder / "cut.npz").write_bytes(whole[:-3000])
    np.save(str(bench.folder / "code.npy"), np.array([{"a": 1}] * 3, dtype=object), allow_pickle=True)
    bench.save("wide.npy", np.random.RandomState(0).randint(0, 256, (4, 40, 48, 3)).astype(np.uint8))
    wide = ["digit classifier", "takes squares", "wide.npy has 48x40 px"]
    kinds = ["floats.npz is float32 (12, 32, 32, 3), not uint8 (N, H, W, 3)", "[-1, 1]"]
    refused(
        bench,
        (["score", "floats.npz"], kinds, 2),
        (["score", "nan.npy"], ["nan.npy", "values are NaN or infinite"], 2),
        (["score", "two.npz"], ["two.npz has neither images nor arr_0: it holds a, b"], 2),
        (["score", "cut.npz"], ["cut.npz is cut off"], 1),
        (["score", "code.npy"], ["code.npy is cut off, or holds no plain array"], 1),
        (["score", "none.npz"], ["none.npz is not there"], 2),
    )
    done = bench.biggan("score", "wide.npy", "--extractor", "digits", "--is", "--splits", 2, check=2)
    assert all(word in done.stderr for word in wide) and done.stdout == ""


# References and features


def broken(name, kept):
    """Features, and the statistics of them, with something wrong."""
    arrays = dict(kept)
    if name == "nan":
        arrays["sigma"] = np.where(np.eye(64) > 0, np.nan, arrays["sigma"])
    elif name == "lopsided":
        arrays["sigma"] = np.triu(arrays["sigma"])
    elif name == "negative":
        arrays["sigma"] = -arrays["sigma"]
    elif name == "uneven":
        arrays["mu"] = arrays["mu"][:-1]
    elif name == "whole":
        arrays["mu"] = arrays["mu"].astype(int)
    elif name == "without":
        del arrays["sigma"]
    elif name == "logits":
        arrays["logits"] = arrays["logits"] * np.nan
    elif name == "words":
        arrays["features"] = arrays["features"].astype(str)
    elif name == "fewer":
        arrays["features"], arrays["logits"] = arrays["features"][:40], arrays["logits"][:40]
    elif name == "about":
        arrays["about"] = np.asarray('{"schema": 1, "extractor": {"sha256": "0"}, "source": {"count": 130}}')
    return arrays


def test_files_of_features_that_cannot_be(bench, shop, kept):
    cases = []
    for name, words, code in (
        ("nan", "not finite", 1),
        ("lopsided", "sigma is not symmetric", 1),
        ("negative", "sigma has negative variances", 1),
        ("uneven", "mu has the shape (63,), sigma (64, 64)", 2),
        ("whole", "mu is int64", 2),
        ("without", "has no mu and sigma", 2),
        ("logits", "not finite", 1),
        ("words", "features is <U", 2),
        ("fewer", "has 40 features, and says that they are 130", 1),
        ("about", "is damaged, or of another version of biggan", 1),
    ):
        np.savez(str(bench.folder / f"{name}.npz"), **broken(name, kept))
        cases.append((["score", shop / "kept.npz", "--ref", f"{name}.npz"], [f"--ref {name}.npz", words], code))
        cases.append((["score", f"{name}.npz", *DIGITS], [f"{name}.npz", words], code))
    refused(bench, *cases)


def test_files_of_features_that_do_not_fit(bench, shop, kept):
    def without(*names):
        return {name: array for name, array in kept.items() if name not in names}

    about = json.loads(str(kept["about"]))
    about["source"]["count"] = 12
    few = {name: kept[name][:12] for name in ("features", "logits")}
    for name, arrays in (
        ("large", dict(mu=np.zeros(65), sigma=np.eye(65))),
        ("only", dict(mu=kept["mu"], sigma=kept["sigma"])),
        ("endless", dict(mu=kept["mu"] * 1e200, sigma=kept["sigma"])),
        ("huge", dict(mu=kept["mu"], sigma=np.eye(64) * 1e308)),
        ("silent", without("about")),
        ("mute", without("logits")),
        ("few", dict(kept, **few, about=np.asarray(json.dumps(about)))),
    ):
        np.savez(str(bench.folder / f"{name}.npz"), **arrays)
    fakes, kid = shop / "kept.npz", ["--kid", "--kid-subset-size", 20]
    only = ["--ref only.npz has only statistics", "biggan stats"]
    subsets = ["--kid-subset-size 20 is more than the 12 pictures of the reference"]
    refused(
        bench,
        (["score", fakes, "--ref", "large.npz"], ["--ref large.npz is of 65 features", "gives 64"], 2),
        (["score", fakes, "--ref", "only.npz", *kid], only, 2),
        (["score", fakes, "--ref", "only.npz", "--pr"], only, 2),
        (["score", "only.npz"], ["only.npz has only statistics: they are a reference", "--ref only.npz"], 2),
        (["score", "silent.npz"], ["silent.npz does not say which network made its features"], 2),
        (["score", "mute.npz", *DIGITS], ["mute.npz has no logits, which --is needs"], 2),
        (["score", fakes, "--ref", "few.npz", *kid], subsets, 2),
        (["score", "few.npz", *DIGITS, *kid], ["--kid-subset-size 20 is more than the 12 pictures"], 2),
        (["score", "few.npz", *DIGITS, "--pr", "--neighbours", 12], ["--neighbours 12 is not less than the 12"], 2),
        (["score", fakes, "--extractor", "inception"], ["has features of digits, not of --extractor inception"], 2),
        (["score", fakes, "--ref", "endless.npz", "--fid"], ["there is no distance from endless.npz"], 1),
        (["score", fakes, "--ref", "huge.npz", "--fid"], ["there is no distance from huge.npz"], 1),
    )


# Inception


def test_no_graph_anywhere(own):
    """What it looked for, and both ways to get it; nothing is fetched."""
    pictures = own.save("a.npy", blobs(12, 1))
    looked_for = f"--inception, BIGGAN_INCEPTION, {own.cache}/inception/{GRAPH}"
    archive = "inception-2015-12-05.tgz (88,931,400 bytes)"
    words = ["there is no Inception graph", looked_for, "--fetch-inception", archive, published.ARCHIVE_URL]
    refused(own, (["score", pictures], words, 4), (["stats", pictures, "--out", "a.npz"], words, 4))
    assert not own.cache.exists()


def test_graphs_that_cannot_be(own, shop):
    graph = (shop / "graph.pb").read_bytes()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo(f"../../{GRAPH}")
        info.size = 10
        archive.addfile(info, io.BytesIO(graph))
    port, gan = "weights-inception-2015-12-05-6726825d.pth", "inceptionv1_for_inception_score.pb"
    for name, content in (
        ("cut.tgz", gzip.compress(graph, 1)[:-100_000]),
        ("out.tgz", file.getvalue()),
        (port, b"PK"),
        ("cut.pb", graph[:-5]),
        (gan, graph.replace(b"ExpandDims", b"Mul_______").replace(b"pool_3", b"pool_7")),
    ):
        (own.folder / name).write_bytes(content)
    command = ["score", own.save("a.npy", blobs(12, 1)), "--is"]
    lacking = [f"--inception {gan} has no node ExpandDims, pool_3", "TF-GAN's inceptionv1_for_inception_score.pb is"]
    refused(
        own,
        (["BIGGAN_INCEPTION=cut.tgz", *command], ["BIGGAN_INCEPTION=cut.tgz is cut off"], 1),
        (
            ["BIGGAN_INCEPTION=out.tgz", *command],
            [f"BIGGAN_INCEPTION=out.tgz has no file {GRAPH}", f"it holds: ../../{GRAPH}"],
            2,
        ),
        ([*command, "--inception", port], [f"--inception {port} is the PyTorch port: score needs the TensorFlow"], 2),
        ([*command, "--inception", "none.pb"], ["--inception none.pb is not there"], 2),
        ([*command, "--inception", "cut.pb"], ["--inception cut.pb is cut off, or is not a TensorFlow graph"], 1),
        ([*command, "--inception", gan], lacking, 2),
        ([*command, "--inception", gan, "--fetch-inception"], ["leave one out"], 2),
    )


def claims_official(bench):
    """Features that say that the official graph made them; it need not be here for what is asked of them."""
    random = np.random.RandomState(0)
    features = random.standard_normal((12, 2048)).astype(np.float32)
    source = dict(name="pictures", how="", facts={}, count=12, size=[32, 32], lossless=True, sha256="0")
    extractor = dict(name="inception", sha256=published.GRAPH_SHA256, official=True)
    np.savez(
        str(bench.folder / "official.npz"),
        mu=features.mean(axis=0, dtype=np.float64),
        sigma=np.cov(features.astype(np.float64), rowvar=False),
        features=features,
        about=np.asarray(json.dumps(dict(schema=1, extractor=extractor, source=source))),
    )
    return "official.npz"


def test_what_cannot_be_fetched(own):
    """Each address and what went wrong there, and how to do it by hand; nothing is left, not even a part."""
    graph = ["could not be fetched", published.GRAPH_URL, published.ARCHIVE_URL, "refused", "--inception FILE"]
    ttur = ["could not be fetched", published.TTUR_URL, "refused", f"{own.cache}/stats/{published.TTUR}"]
    refused(
        own,
        (["score", own.save("a.npy", blobs(12, 1)), "--fetch-inception"], [*graph, published.GRAPH_SHA256], 4),
        (["score", claims_official(own), "--fid", "--fetch-stats"], [*ttur, published.TTUR_BLOB], 4),
        **NOBODY,
    )


def test_another_file_of_the_name_of_ttur_s(own):
    features = claims_official(own)
    taken = own.cache / "stats" / published.TTUR
    taken.parent.mkdir(parents=True)
    shutil.copy(str(own.folder / features), str(taken))
    words = [
        f"{taken} is not TTUR's file: its git blob id is not {published.TTUR_BLOB}",
        "PyTorch network",
        "remove it",
    ]
    command = ["score", features, "--fid"]
    refused(own, (command, words, 2), ([*command, "--ref", "cifar10-train"], words, 2))


# What a score cannot be written to


def test_a_cache_and_a_run_that_cannot_be_written(own, shop):
    """First as on a full disk: the score is there all the same, and says what was not kept."""
    run = scoring.copy_of_runs(shop, own.folder)
    file = run / "score" / "score.jsonl"
    file.parent.mkdir()
    file.write_text('{"an": "earlier one"}\n')
    before = digests(own.folder)

    done = own.biggan("score", "--num", 12, prelude=loaded.FULL_DISK.format(1500))  # what it says fits
    assert done.stdout.startswith("digit IS ") and "kept in" not in done.stdout
    assert re.search("warning: the reference's statistics are not kept: .*npz: File too large", done.stderr)
    assert f"warning: the score is not kept: runs/{run.name}/score/score.jsonl: File too large" in done.stderr
    assert digests(own.folder) == before

    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("a file")
    own.cache = own.folder / "a file"
    own.cache.write_text("of mine")
    done = own.biggan("score", "--num", 12, "--pr", "--json")
    record = done.record()
    assert 0 <= record["precision"] <= 1 and record["reference"]["count"] == 4500
    assert "warning: the reference's statistics are not kept" in done.stderr
    assert "warning: the score is not kept" in done.stderr
    assert (file.parent.read_text(), own.cache.read_text()) == ("a file", "of mine")


def test_a_line_that_was_cut_off_spoils_no_other(bench, shop):
    run = scoring.copy_of_runs(shop, bench.folder)
    file = run / "score" / "score.jsonl"
    file.parent.mkdir()
    file.write_text('{"cut": ')
    record = bench.biggan("score", "--num", 12, "--is", "--json").record()
    first, second = file.read_text().splitlines()
    assert first == '{"cut": ' and json.loads(second) == record


@pytest.mark.parametrize("command", (["score"], ["stats", "--out", "new.npz"]))
def test_ctrl_c_leaves_nothing(own, shop, command):
    """While pictures are drawn and looked at: measuring statistics is the first thing then."""
    run = scoring.copy_of_runs(shop, own.folder)
    before = digests(run)
    command = [*command, "--num", 50000, "--truncation", 1.25]
    process = subprocess.Popen(
        [BIGGAN, *map(str, command)],
        cwd=str(own.folder),
        env=own.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background has it ignored
    )
    said = b""
    while b"measuring the standing statistics" not in said:
        line = process.stderr.readline()
        assert line, said.decode()
        said += line
    time.sleep(0.5)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and stdout == b"" and b"error: interrupted" in stderr
    after = digests(run)
    assert all(".standing-" in name for name in set(after) - set(before))
    assert {name: after[name] for name in before} == before
    assert not list(own.folder.rglob("*new*")) and not list(run.rglob(".model*"))
    own.assert_alone()
