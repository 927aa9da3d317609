"""The Inception Score against closed forms and against the float32 computation of openai/improved-gan."""

import numpy as np
import pytest

from biggan_cli.metrics.inception_score import InceptionScoreSums

CERTAIN = 1e5  # as a logit among zeros: the other probabilities are 0 even in float64


def score(logits, batch=None, **settings):
    sums = InceptionScoreSums(len(logits), **settings)
    batch = batch or len(logits)
    for start in range(0, len(logits), batch):
        sums.add(logits[start : start + batch])
    return sums.result()


def in_float32(logits, splits=10):
    """As openai/improved-gan has it: float32 probabilities, their logarithms, the images in the order given."""
    exponentials = np.exp(logits.astype(np.float32) - logits.max(axis=1, keepdims=True).astype(np.float32))
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    scores = []
    for split in range(splits):
        part = p[split * len(p) // splits : (split + 1) * len(p) // splits]
        divergence = part * (np.log(part) - np.log(part.mean(axis=0, keepdims=True)))
        scores.append(np.exp(divergence.sum(axis=1).mean()))
    return np.mean(scores), np.std(scores)


def logits_of(count, classes=20, seed=0, sharpness=2.0):
    return np.random.RandomState(seed).standard_normal((count, classes)).astype(np.float32) * np.float32(sharpness)


def one_hot(labels, classes):
    return np.eye(classes, dtype=np.float32)[labels] * np.float32(CERTAIN)


def test_no_opinion_scores_1():
    assert score(np.full((50, 30), 7.0, np.float32)) == pytest.approx((1.0, 0.0), abs=1e-12)


@pytest.mark.parametrize("classes", (2, 5, 10))
def test_certain_and_balanced_scores_the_number_of_classes(classes):
    """A split has ten images, each class as often as any other."""
    logits = one_hot(np.arange(100) % classes, classes)
    assert score(logits, shuffle_seed=None) == pytest.approx((classes, 0.0), rel=1e-12, abs=1e-12)


def test_classes_that_never_come_count_nothing():
    """One class of 1008 in every split, or two: probabilities, and means of them, are exactly 0."""
    certain = one_hot(np.repeat([3, 500], 50), 1008)
    assert score(certain, shuffle_seed=None) == pytest.approx((1.0, 0.0), abs=1e-12)
    assert score(certain, splits=1) == pytest.approx((2.0, 0.0), rel=1e-12, abs=1e-12)


def test_one_image_again_and_again_scores_1():
    assert score(np.repeat(logits_of(1), 60, axis=0)) == pytest.approx((1.0, 0.0), abs=1e-12)


@pytest.mark.parametrize("sharpness", (0.01, 1.0, 30.0, 1e5))
def test_it_lies_between_1_and_the_number_of_classes(sharpness):
    mean, std = score(logits_of(200, sharpness=sharpness))
    assert 1.0 < mean < 20.0
    assert std > 0.0


@pytest.mark.parametrize("count", (10, 97, 200))
@pytest.mark.parametrize("splits", (1, 7, 10))
def test_float64_equals_the_original_float32(count, splits):
    logits = logits_of(count)
    assert score(logits, splits=splits, shuffle_seed=None) == pytest.approx(in_float32(logits, splits), rel=1e-6)


def test_every_image_counts():
    """97 is no multiple of the 10 splits: openai's and torch-fidelity's bounds leave none out, others do."""
    logits = logits_of(97)
    wanted = score(logits, shuffle_seed=None).mean
    for image in (0, 50, 95, 96):
        changed = logits.copy()
        changed[image] = 0.0
        assert abs(score(changed, shuffle_seed=None).mean - wanted) > 1e-3


def test_shuffled_is_the_permutation_of_torch_fidelity():
    logits = logits_of(97)
    shuffled = logits[np.random.RandomState(2020).permutation(97)]
    assert score(logits) == pytest.approx(score(shuffled, shuffle_seed=None), rel=1e-12)
    assert score(logits).std != pytest.approx(score(logits, shuffle_seed=None).std, rel=1e-3)
    assert score(logits).std != pytest.approx(score(logits, shuffle_seed=2021).std, rel=1e-3)


def test_images_sorted_by_class_need_the_shuffle():
    logits = one_hot(np.repeat(np.arange(10), 50), 10)
    assert score(logits, shuffle_seed=None).mean == pytest.approx(1.0, abs=1e-12)
    assert score(logits).mean > 9.0


def test_batches_do_not_matter():
    """2,500 images: the last case has more than one block inside of a batch."""
    logits = logits_of(2500, classes=6)
    wanted = score(logits, batch=1)
    for batch in (7, 100, None):
        assert score(logits, batch=batch) == pytest.approx(wanted, rel=1e-12)


def test_fewer_images_than_splits():
    with pytest.raises(ValueError, match="9 images do not fill 10 splits"):
        InceptionScoreSums(9)
    with pytest.raises(ValueError, match="0 splits"):
        InceptionScoreSums(9, splits=0)


def test_other_images_than_announced():
    sums = InceptionScoreSums(12)
    sums.add(logits_of(11))
    with pytest.raises(ValueError, match="11 images of the 12"):
        sums.result()
    with pytest.raises(ValueError, match="more than the 12"):
        sums.add(logits_of(2))
