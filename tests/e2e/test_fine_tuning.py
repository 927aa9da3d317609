"""Recipes through the console script: from another run's weights, in parts of a batch, under a preset."""

import json
import shutil

import numpy as np
import pytest

from biggan_cli.model.architecture import sn_u_name
from biggan_cli.rundir import RunDir
from biggan_cli.training import checkpoints
from tests.conftest import TINY

ONE_STEP = ["--steps", 1, "--d-steps", 1, "--g-lr", 1e-9, "--d-lr", 1e-9, "--orthogonal", 0, "--json"]
"""Weights stay what they start as, to rounding."""


def test_a_run_starts_with_another_ones_networks(biggan, tiny_run, tmp_path):
    """Same classes: everything but the optimizer; the networks' sizes are not asked again."""
    done = biggan(
        *("train", "--preset", "digits", "--init-from", tiny_run, "--freeze-classes", "--batch", 4, *ONE_STEP),
        *("--outdir", tmp_path),
        check=0,
    )
    before = checkpoints.find(RunDir(tiny_run))
    old, new = checkpoints.read(before.prefix), checkpoints.read(json.loads(done.stdout)["checkpoint"])
    assert f"starts with {before.prefix}: averaged generator, discriminator" in done.stderr
    assert "10 of 10 classes" in done.stderr and "re-initialised" not in done.stderr
    weights = [name for name in old if name.endswith(("/w", "/b", "gamma", "beta")) and not name.startswith("ema/")]
    assert len(weights) > 80
    for name in weights:
        np.testing.assert_allclose(new[name], old.get("ema/" + name, old[name]), atol=1e-6, err_msg=name)
    for name in ("ema/generator/dense/w", "ema/generator/block1/conv1/w"):
        np.testing.assert_allclose(new[name], old[name], atol=1e-6)
        assert np.abs(old[name] - old[name[4:]]).max() > 1e-5
    assert np.array_equal(new["generator/embed/w"], old["ema/generator/embed/w"]) and new["step"] == 1
    assert np.abs(old["generator/dense/w/Adam_1"]).max() > 0
    first = tmp_path / "00000-digits-32-digits" / "checkpoints" / "model-000000.json"
    assert json.loads(first.read_text())["step"] == 0  # from now on nobody else's files are needed
    config = json.loads((tmp_path / "00000-digits-32-digits" / "config.json").read_text())["config"]
    assert config["train"]["init_from"] == str(before.prefix) and config["model"]["base_channels"] == 2


def test_classes_are_taken_over_by_their_names(biggan, tiny_run, tmp_path):
    """The digits under other names: what is called like before keeps its rows, wherever it stands now."""
    other = tmp_path / "other" / tiny_run.name
    shutil.copytree(str(tiny_run), str(other))
    names = ["nine", "apple", "two", "three", "pear", "five", "six", "seven", "eight", "zero"]
    for path in (other / "config.json", *other.glob("checkpoints/model-*.json")):
        text = path.read_text()
        record = json.loads(text)
        record.pop("sum", None)  # as those of before
        record.get("run", record)["class_names"] = names
        path.write_text(json.dumps(record))
    frozen = [
        "train",
        "--preset",
        "digits",
        "--init-from",
        other,
        "--batch",
        4,
        *ONE_STEP,
        "--outdir",
        tmp_path / "runs",
    ]
    refused = biggan(*frozen, "--freeze-classes", check=2)
    assert "knows no one, four" in refused.stderr and not (tmp_path / "runs").exists()
    done = biggan(*frozen, check=0)
    assert "8 of 10 classes" in done.stderr
    assert "re-initialised in the class tables of both networks: one, four" in done.stderr
    old = checkpoints.read(checkpoints.find(RunDir(other)).prefix)
    old["generator/embed/w"] = old["ema/generator/embed/w"]
    new = checkpoints.read(json.loads(done.stdout)["checkpoint"])
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    projection = "discriminator/projection/w"
    for name in ("generator/embed/w", projection):
        same = [
            digit
            for row, digit in enumerate(digits)
            if digit in names and np.allclose(new[name][row], old[name][names.index(digit)], atol=1e-6)
        ]
        assert same == [digit for digit in digits if digit in names], name
        assert not np.allclose(new[name][1], old[name][1], atol=1e-3)
    assert sn_u_name(projection) in new


@pytest.mark.parametrize(
    "options, words",
    (
        (["--init-from", "RUN", "--base-channels", 4], "--base-channels 4 is another network"),
        (["--init-from", "RUN", "--res", 64], "--res 64 is another network"),
        (["--init-from", "RUN", "--resume", "latest"], "leave one of them out"),
        (["--init-from", "nowhere"], "nowhere"),
        (["--init-from", "obs://bucket/runs/00000-x"], "copy it here"),
    ),
)
def test_what_cannot_be_started_with(biggan, tiny_run, tmp_path, options, words):
    given = [tiny_run if option == "RUN" else option for option in options]
    done = biggan("train", "--preset", "digits", *given, "--outdir", tmp_path, check=2)
    assert words in done.stderr and list(tmp_path.iterdir()) == []


def test_a_recipe_of_everything_trains_resumes_and_draws(biggan, tmp_path):
    """All options at once, in two parts of a batch; the second half of the steps as if never stopped."""
    recipe = ["--flip", "--augment", "color,translation,cutout", "--lecam", 0.3, "--lecam-start", 2]
    recipe += ["--consistency", 10, "--d-base-channels", 3, "--ema-start", 1, "--lr-decay", "1:9", "--batch-device", 2]
    settings = [*TINY, *recipe, "--d-steps", 1, "--log-every", 1, "--save-every", 2]
    whole = biggan("train", *settings, "--steps", 4, "--outdir", tmp_path / "whole", "--json", check=0)
    biggan("train", *settings, "--steps", 2, "--outdir", tmp_path / "parts", check=0)
    parts = biggan(*("train", "--resume", "latest", "--steps", 4, "--outdir", tmp_path / "parts", "--json"), check=0)
    ends = [checkpoints.read(json.loads(done.stdout)["checkpoint"]) for done in (whole, parts)]
    assert [name for name in ends[0] if ends[0][name].tobytes() != ends[1][name].tobytes()] == []
    assert {"lecam/real", "lecam/fake"} <= set(ends[0])
    run = tmp_path / "parts" / "00000-digits-32-digits"
    records = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert all(record["lecam"] >= 0 and record["consistency"] > 0 for record in records) and len(records) == 4
    biggan("sample", run, "--num", 2, check=0)


def test_a_preset_shows_its_plan(biggan, tmp_path):
    done = biggan(
        "train",
        "--preset",
        "cifar10-best",
        "--data",
        "digits",
        "--dry-run",
        "--no-measure",
        "--outdir",
        tmp_path,
        check=0,
    )
    words = " ".join(done.stdout.split())
    for told in ("lecam 0.3, flips", "its scores are of CIFAR-10", "(discriminator 48)", "from step 1000", "batch 64"):
        assert told in words, told
    assert "3.23" not in words, "what others got with other data is no plan of this training"
