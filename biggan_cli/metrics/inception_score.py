"""Inception Score from logits that come in parts. NumPy, float64."""

from typing import NamedTuple, Optional

import numpy as np

_BLOCK = 1024


class InceptionScore(NamedTuple):
    """Mean and standard deviation (ddof 0) over the splits."""

    mean: float
    std: float


class InceptionScoreSums:
    """exp of the mean KL(p(y|x) ‖ p(y)) in each split, from sums over its images: no logits are kept.

    Split s has the places from s·count//splits to (s+1)·count//splits of the shuffled order: every image counts.
    Probabilities come from logits by a log-softmax, so that none is too small for its logarithm.
    Sources: Salimans et al. 2016 (arXiv:1606.03498); the splits are those of openai/improved-gan, order and seed
    those of torch-fidelity.
    """

    def __init__(self, count: int, splits: int = 10, shuffle_seed: Optional[int] = 2020):
        """For ``count`` images in the order of RandomState(shuffle_seed).permutation(count); None: as given.

        Raises:
            ValueError: fewer images than splits.
        """
        if not 1 <= splits <= count:
            raise ValueError(f"{count} images do not fill {splits} splits")
        self._sizes = np.diff(np.arange(splits + 1) * count // splits)
        order = np.arange(count) if shuffle_seed is None else np.random.RandomState(shuffle_seed).permutation(count)
        self._split_of = np.empty(count, np.intp)
        self._split_of[order] = np.repeat(np.arange(splits), self._sizes)
        self._seen = 0
        self._p = np.zeros((splits, 1))
        self._p_log_p = np.zeros(splits)

    def add(self, logits: np.ndarray) -> None:
        """Take float [n, K] of the next n images, in batches of any size.

        Raises:
            ValueError: more images than were announced.
        """
        for start in range(0, len(logits), _BLOCK):
            block = np.asarray(logits[start : start + _BLOCK], np.float64)
            splits = self._split_of[self._seen : self._seen + len(block)]
            if len(splits) < len(block):
                raise ValueError(f"more than the {len(self._split_of)} images announced")
            log_p = block - block.max(axis=1, keepdims=True)
            log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
            p = np.exp(log_p)
            members = np.equal.outer(np.arange(len(self._sizes)), splits).astype(np.float64)
            self._p = self._p + members @ p
            self._p_log_p += members @ (p * log_p).sum(axis=1)
            self._seen += len(block)

    def result(self) -> InceptionScore:
        """The score of all images.

        Raises:
            ValueError: fewer images than were announced.
        """
        if self._seen != len(self._split_of):
            raise ValueError(f"{self._seen} images of the {len(self._split_of)} announced")
        marginal = self._p / self._sizes[:, None]
        log_marginal = np.log(np.where(marginal > 0.0, marginal, 1.0))
        scores = np.exp(self._p_log_p / self._sizes - (marginal * log_marginal).sum(axis=1))
        return InceptionScore(float(np.mean(scores)), float(np.std(scores)))
