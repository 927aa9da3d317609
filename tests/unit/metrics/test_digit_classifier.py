"""The shipped digit classifier: small, good on digits it never saw, and deterministic."""

import numpy as np
import pytest

from biggan_cli.data import datasets
from biggan_cli.metrics import digit_classifier


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", 32)


def test_it_is_small():
    assert digit_classifier.GRAPH.stat().st_size < 400_000


def test_it_recognizes_the_held_out_digits(digits):
    assert digit_classifier.recognized_share(digits.held_out_images, digits.held_out_labels) >= 0.97


def test_it_does_not_recognize_what_is_not_there(digits):
    wrong = (digits.held_out_labels + 1) % 10
    assert digit_classifier.recognized_share(digits.held_out_images, wrong) < 0.03
    noise = np.random.RandomState(0).randint(0, 256, (100, 32, 32, 3)).astype(np.uint8)
    assert digit_classifier.recognized_share(noise, np.arange(100) % 10) < 0.3


def test_features_and_logits(digits):
    features, logits = digit_classifier.features_and_logits(digits.held_out_images[:30])
    assert features.shape == (30, 64) and logits.shape == (30, 10)
    again, _ = digit_classifier.features_and_logits(digits.held_out_images[10:20])
    np.testing.assert_allclose(again, features[10:20], atol=1e-5)


def test_other_pictures_are_refused():
    for wrong in (np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 32, 32, 3), np.float32)):
        with pytest.raises(ValueError):
            digit_classifier.features_and_logits(wrong)
