"""Features and scores equal torch-fidelity's: a network of full size with the same weights, on the same pictures.

The numbers were stored by ``python tests/golden/compare_with_torch_fidelity.py --write-golden FILE``.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.metrics.fid import frechet_distance, statistics
from biggan_cli.metrics.inception import Inception
from biggan_cli.metrics.inception_score import InceptionScoreSums
from biggan_cli.metrics.kid import kernel_distance
from biggan_cli.metrics.precision_recall import precision_recall
from tests.fakes.inception import blobs, full_graph, weights, weights_digest, weights_of

pytestmark = pytest.mark.slow

GOLDEN = json.loads((Path(__file__).parent / "inception_standin_64.json").read_text())
ROUNDING = 5e-5  # torch-fidelity differs by a third of it from itself with other threads; AVX-512 by 3.7e-5 from AVX2
SAME = 1e-5
"""Of scores, relative: what torch-fidelity's own runs differ by."""
ELSEWHERE = {
    "inception_score": dict(mean=1.9509924843760218, std=0.3776342464946834),
    "inception_score_order_given": dict(mean=1.790475773800162, std=0.3190911962045244),
    "frechet_distance": dict(value=1021.5005086245947),
    "kernel_distance": dict(mean=-1.93206787109375, std=6.289580734740734),
}
"""Of the same images by torch-fidelity 0.4.0 on another machine."""
FAR = 1e-3
FIRST = blobs(4, GOLDEN["images"]["generated"]["seed"])


@pytest.fixture(scope="module")
def values():
    return weights()


@pytest.fixture(scope="module")
def inception(values):
    with Inception(full_graph(values).SerializeToString(), "stand-in") as opened:
        yield opened


@pytest.fixture(scope="module")
def found(inception):
    """Features and logits of both sets."""
    return {
        name: inception.features_and_logits(blobs(GOLDEN["images"]["count"], GOLDEN["images"][name]["seed"]))
        for name in ("generated", "real")
    }


def score(logits, shuffle_seed):
    sums = InceptionScoreSums(len(logits), shuffle_seed=shuffle_seed)
    sums.add(logits)
    return sums.result()


def distance_from_golden(inception, images):
    """Relative, of the features that are stored of the first images (Frobenius)."""
    found = inception.features_and_logits(images)[0][:, :: GOLDEN["features"]["every"]]
    return np.linalg.norm(found - GOLDEN["features"]["some"]) / np.linalg.norm(GOLDEN["features"]["some"])


def test_both_had_the_same_weights_and_pictures(values):
    assert weights_digest(values) == weights_digest(weights_of(full_graph(values))) == GOLDEN["weights_sha256"]
    for name in ("generated", "real"):
        images = blobs(GOLDEN["images"]["count"], GOLDEN["images"][name]["seed"])
        assert hashlib.sha256(images.tobytes()).hexdigest() == GOLDEN["images"][name]["sha256"]


@pytest.mark.parametrize("place, what", ((0, "features"), (1, "logits")))
def test_features_and_logits(found, place, what):
    values, golden = found["generated"][place], GOLDEN[what]
    assert np.abs(values).max() == pytest.approx(golden["largest"], rel=ROUNDING)
    some = values[: len(FIRST), :: golden["every"]]
    np.testing.assert_allclose(some, golden["some"], rtol=0, atol=ROUNDING * golden["largest"])
    np.testing.assert_allclose(np.linalg.norm(values.astype(np.float64), axis=1), golden["norms"], rtol=ROUNDING)


@pytest.mark.parametrize("name, seed", (("inception_score", 2020), ("inception_score_order_given", None)))
def test_inception_score(found, name, seed):
    mean, std = score(found["generated"][1], seed)
    for golden in (GOLDEN[name], ELSEWHERE[name]):
        assert mean == pytest.approx(golden["mean"], rel=SAME)
        assert std == pytest.approx(golden["std"], rel=ROUNDING)


def test_frechet_distance(found):
    distance = frechet_distance(*(statistics(found[name][0]) for name in ("generated", "real")))
    for golden in (GOLDEN["frechet_distance"], ELSEWHERE["frechet_distance"]):
        assert distance.value == pytest.approx(golden["value"], rel=SAME)


def test_kernel_distance(found):
    """Relative to its spread: the mean is what is left of much larger terms, for which torch-fidelity has float32."""
    golden = GOLDEN["kernel_distance"]
    mean, std = kernel_distance(found["generated"][0], found["real"][0], golden["subsets"], golden["size"])
    for other in (golden, ELSEWHERE["kernel_distance"]):
        assert mean == pytest.approx(other["mean"], abs=SAME * other["std"])
        assert std == pytest.approx(other["std"], rel=SAME)


def test_precision_and_recall(found):
    assert precision_recall(found["generated"][0], found["real"][0])._asdict() == GOLDEN["precision_recall"]


def test_only_these_pictures_are_near(inception):
    assert distance_from_golden(inception, FIRST) < FAR / 10
    assert distance_from_golden(inception, FIRST[..., ::-1]) > FAR  # blue first
    assert distance_from_golden(inception, FIRST / np.float32(255)) > FAR  # from 0 to 1


CENTRED_ELSEWHERE = {"Sub/y": np.float32(127.5), "Mul/y": np.float32(1 / 127.5)}


@pytest.mark.parametrize(
    "constants, change",
    (
        ({}, dict(last_pool="avg")),
        ({}, dict(epsilon=1e-5)),
        ({}, dict(align_corners=True)),
        ({}, dict(half_pixel_centers=True)),
        (CENTRED_ELSEWHERE, {}),
    ),
    ids=("last pool", "epsilon", "align corners", "half pixel centers", "from -1 to 1"),
)
def test_another_network_is_far(values, constants, change):
    graph = full_graph(dict(values, **constants), **change)
    with Inception(graph.SerializeToString(), "stand-in") as other:
        assert distance_from_golden(other, FIRST) > FAR
