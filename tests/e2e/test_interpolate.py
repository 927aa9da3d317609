"""Morphing through the console script."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import read_picture


@pytest.fixture(scope="module")
def morph(biggan, tiny_runs):
    def call(*arguments):
        done = biggan("interpolate", *arguments, "--json", "--outdir", tiny_runs, check=0)
        return Path(json.loads(done.stdout)["file"])

    return call


def frames(path):
    with Image.open(str(path)) as gif:
        for number in range(gif.n_frames):
            gif.seek(number)
            yield np.asarray(gif.convert("RGB")).astype(int)


def test_eleven_frames_from_one_class_to_the_other(morph, biggan, tiny_runs):
    path = morph("--from", "three", "--to", 8, "--seeds", "0-3")
    assert path.name == "three-to-eight.gif"
    manifest = json.loads(path.with_name("three-to-eight.manifest.json").read_text())
    assert list(manifest["outputs"]) == ["three-to-eight.gif"]
    shown = list(frames(path))
    assert len(shown) == 11 and shown[0].shape == (128, 128, 3)
    for frame, digit in ((shown[0], "three"), (shown[-1], "eight")):
        arguments = ("--classes", digit, "--seeds", "0-3", "--outdir", tiny_runs, "--json")
        folder = Path(json.loads(biggan("sample", *arguments, check=0).stdout)["folder"])
        drawn = [read_picture(folder / f"{seed:06d}.png") for seed in range(4)]
        rows = [np.concatenate(drawn[:2], axis=1), np.concatenate(drawn[2:], axis=1)]
        expected = np.concatenate(rows).repeat(2, 0).repeat(2, 1).astype(int)
        assert np.abs(frame - expected).mean() < 8  # noise in the 256 colours of a GIF
    steps = [np.abs(one - other).mean() for one, other in zip(shown, shown[1:])]
    assert max(steps) < np.abs(shown[0] - shown[-1]).mean()


def test_the_next_morph_of_the_same_classes_gets_a_name_of_its_own(morph):
    first = morph("--from", "one", "--to", "two", "--frames", 2, "--seeds", "0")
    second = morph("--from", "one", "--to", "two", "--frames", 2, "--seeds", "1")
    assert (first.name, second.name) == ("one-to-two.gif", "one-to-two-2.gif")
    assert first.is_file() and len(list(frames(second))) == 2
