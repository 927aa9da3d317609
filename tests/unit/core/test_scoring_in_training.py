"""What is refused before a training starts that could not be scored."""

import pytest

from biggan_cli.config import TrainConfig
from biggan_cli.core import npu, scoring
from biggan_cli.core.reporting import silent
from biggan_cli.errors import NotReady, UsageError
from biggan_cli.settings import NpuConfig


def test_without_an_inception_graph_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGGAN_CACHE", str(tmp_path))
    monkeypatch.delenv("BIGGAN_INCEPTION", raising=False)
    train = TrainConfig(data="cifar10:somewhere", score_every=100)
    with pytest.raises(NotReady, match="--score-every 100 needs an Inception graph") as caught:
        scoring.extractor_of(train, silent)
    assert "biggan score --fetch-inception once; or --score-extractor digits" in dict(caught.value.details)["fix"]


def test_which_network_looks():
    assert scoring.extractor_of(TrainConfig(data="digits"), silent) is None
    for train in (
        TrainConfig(data="digits", score_every=5),
        TrainConfig(data="cifar10:somewhere", score_every=5, score_extractor="digits", device="npu"),
    ):
        assert scoring.extractor_of(train, silent).name == "digits"


def test_a_score_does_not_fall_into_a_loop_of_the_device():
    train = TrainConfig(device="npu", steps=100, save_every=10, sample_every=10, log_every=10, score_every=15)
    with pytest.raises(UsageError, match="--steps-per-loop 10 does not divide --score-every 15"):
        npu.check(train, NpuConfig(steps_per_loop=10), 0)
