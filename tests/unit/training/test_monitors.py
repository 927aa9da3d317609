"""Monitors: each fires on what it is there for, at its limit, and says since when; sound runs are left alone."""

import json

import numpy as np
import pytest

from biggan_cli.config import TrainConfig
from biggan_cli.training.monitors import Collapsed, Monitors
from biggan_cli.training.step import METRICS

SOUND = dict(
    dict.fromkeys(METRICS, 1.0),
    fake_logit=-1.0,
    real_saturated=0.5,
    fake_saturated=0.5,
    fake_class_freedom=2.0,
    real_class_freedom=2.0,
)
OF = dict(extractor="digits", count=5000)


class Watched:
    """Monitors that see a step after the other, with what they warned of."""

    def __init__(self, policy="stop", remembered=None, **train):
        self.warnings = []
        self.monitors = Monitors(
            TrainConfig(on_collapse=policy, **train),
            METRICS,
            json.loads(json.dumps(remembered or {})),
            lambda event, text: self.warnings.append(text),
        )

    def see(self, steps, **values):
        metrics = np.array([dict(SOUND, **values)[name] for name in METRICS], np.float32)
        for step in steps:
            self.monitors.look(step, metrics)
        return self

    def found(self, steps, **values):
        with pytest.raises(Collapsed) as caught:
            self.see(steps, **values)
        return caught.value


def test_a_number_that_is_none_is_named_at_once():
    """Whatever the policy: there is nothing to go on from."""
    for policy in ("warn", "stop", "rollback"):
        error = Watched(policy).see(range(1, 7)).found([7], d_loss=np.nan, g_grad_norm=np.inf)
        assert error.message == "a loss or gradient is not finite at step 7: d_loss nan, g_grad_norm inf"
        assert (error.monitor, error.step, error.last_good) == ("finite", 7, 5)


def test_an_overflow_that_a_scaled_loss_left_out_is_none():
    metrics = [np.nan] * len(METRICS)
    Watched().monitors.look(3, metrics, overflowed=True)


def test_a_discriminator_that_has_won():
    won = dict(real_saturated=1.0, fake_saturated=1.0)
    watched = Watched().see(range(1, 11)).see(range(11, 210), **won)  # 199 steps
    error = watched.found([210], **won)
    assert (error.monitor, error.step, error.last_good) == ("won", 210, 9)
    assert "for 200 steps it has been certain of 100% and 100%" in error.message
    Watched().see(range(1, 200), **won).see([200]).see(range(201, 400), **won)  # not in a row
    Watched().see(range(1, 1000), real_saturated=1.0)  # one side alone
    Watched().see(range(1, 1000), fake_saturated=1.0)


def test_a_discriminator_that_is_dead():
    """Its loss is that of a start, 2, and stays so."""
    dead = dict(d_loss=2.0, real_logit=0.1, fake_logit=0.1)
    watched = Watched().see(range(1, 11)).see(range(11, 210), **dead)
    error = watched.found([210], **dead)
    assert (error.monitor, error.step, error.last_good) == ("dead", 210, 9)
    assert "for 200 steps its logits of real and fake pictures have been the same (now 0 apart" in error.message
    Watched().see(range(1, 1000), d_loss=2.0, real_logit=0.1, fake_logit=0.098)


@pytest.mark.parametrize(
    "monitor, values, what",
    (
        ("collapse", dict(fake_variance=0.001, fake_class_squares=0.9), "of a batch"),
        ("classes", dict(fake_variance=0.9, fake_class_squares=0.001), "of a class"),
    ),
)
def test_a_generator_that_collapsed(monitor, values, what):
    """All pictures alike; or those of each class alike, whose batches still vary."""
    error = Watched().see(range(1, 1001)).found(range(1001, 2000), **values)
    assert error.monitor == monitor and f"its pictures {what} vary 0.0" in error.message
    # the average over 50 steps falls as 0.98^n: below 0.1 after 114 steps, below 0.05 after 148
    first_sign = 1001 + int(np.ceil(np.log(0.099 / 0.999) / np.log(0.98))) - 1
    assert error.last_good == first_sign - 2
    assert error.step == 1001 + int(np.ceil(np.log(0.049 / 0.999) / np.log(0.98))) - 1


def test_variances_are_averaged():
    """A single batch of alike pictures is no collapse; nor are classes that come one by one."""
    watched = Watched().see(range(1, 101))
    for step in range(101, 1001):
        watched.see([step], fake_variance=0.0 if step % 2 else 1.0)
    Watched().see(range(1, 2000), fake_class_squares=0.0, fake_class_freedom=0.0)
    Watched().see(range(1, 2000), real_variance=0.0, real_class_squares=0.0)  # data without any variance


def test_a_new_generator_may_draw_gray_for_a_while():
    gray = dict(fake_variance=0.001, fake_class_squares=0.002)
    error = Watched().see(range(1, 300), **gray).found([300], **gray)
    assert (error.monitor, error.last_good) == ("collapse", 0)


@pytest.mark.parametrize("name, network", (("g_sigma", "generator"), ("d_sigma", "discriminator")))
def test_a_sigma_that_explodes(name, network):
    watched = Watched().see(range(1, 401)).see([401], **{name: 1.4}).see(range(402, 405), **{name: 2.9})
    error = watched.found([405], **{name: 3.1})
    assert (error.monitor, error.step, error.last_good) == ("sigma", 405, 400)
    assert f"a weight of the {network} explodes: its sigma is 3.1, 3.1 times the median" in error.message
    Watched().see([step for step in range(1, 150)]).see([150], **{name: 9.0})  # before there is a median


def test_a_sigma_that_grows_slowly_is_sound():
    """By half within each 1,000 steps, up to 7 times the start."""
    watched = Watched()
    for step in range(1, 5000):
        watched.see([step], g_sigma=1.5 ** (step / 1000), d_sigma=1.5 ** (step / 1000))


def test_warnings_come_once_a_thousand_steps_and_end_nothing():
    won = dict(real_saturated=1.0, fake_saturated=1.0)
    watched = Watched("warn").see(range(1, 2500), **won)
    assert [text.split("at step ")[1].split(";")[0] for text in watched.warnings] == ["200", "1200", "2200"]
    assert "a smaller --d-lr" in watched.warnings[0]


def test_what_is_remembered_goes_on_as_if_nothing_had_happened():
    """Through a checkpoint's record and back, in the middle of a collapse, for every monitor the same."""
    random = np.random.RandomState(0)
    metrics = random.random_sample((400, len(METRICS))).astype(np.float32) + 0.2
    metrics[150:, METRICS.index("fake_variance")] = 0.0

    def seen(watched, steps):
        for step in steps:
            watched.monitors.look(step, metrics[step])
        return watched

    whole = seen(Watched("warn"), range(400))
    part = seen(Watched("warn"), range(220))
    resumed = seen(Watched("warn", part.monitors.memory()), range(220, 400))
    assert resumed.monitors.memory() == whole.monitors.memory()
    assert part.warnings + resumed.warnings == whole.warnings != []


def scored(watched, *fids):
    """The watched after scores of 100, 200 … with these FIDs, and what each was the best by."""
    better = []
    for step, fid in enumerate(fids, start=1):
        better.append(watched.monitors.scored(100 * step, {"fid": fid, "is": float(step)}, OF))
        watched.monitors.judge(100 * step, fid)
    return watched, better


def test_the_best_scores():
    watched, better = scored(Watched(), 30.0, 20.0, 25.0, 20.0)
    assert better == [["fid", "is"], ["fid", "is"], ["is"], ["is"]]
    assert watched.monitors.best == {"fid": dict(step=200, value=20.0), "is": dict(step=400, value=4.0)}
    resumed = Watched(remembered=watched.monitors.memory()).monitors
    assert resumed.scored(500, {"fid": 21.0, "is": 3.0}, OF) == []
    assert resumed.scored(600, {"fid": 99.0, "is": 1.0}, dict(OF, count=500)) == ["fid", "is"]  # of something else


def test_a_fid_of_more_than_twice_the_best():
    watched, _ = scored(Watched(), 10.0, 20.0)
    with pytest.raises(Collapsed, match=r"FID 20\.100 is 2\.0 times the best, 10\.000 of step 100") as caught:
        watched.monitors.scored(300, {"fid": 20.1, "is": 1.0}, OF)
        watched.monitors.judge(300, 20.1)
    assert (caught.value.monitor, caught.value.last_good) == ("fid", 200)
    watched, _ = scored(Watched("warn"), 10.0, 30.0, 30.0)
    assert len(watched.warnings) == 2


def test_patience():
    watched, _ = scored(Watched(patience=2, score_every=100), 30.0, 20.0, 20.5)
    assert watched.monitors.finished is None
    resumed = Watched(patience=2, score_every=100, remembered=watched.monitors.memory()).monitors
    resumed.scored(400, {"fid": 20.0, "is": 1.0}, OF)
    assert resumed.finished == "2 scores without a better FID than 20.000 of step 200"
    assert Watched(remembered=resumed.memory()).monitors.finished is None  # without --patience


def test_the_steps_that_are_worth_keeping():
    """Before each doubt, and of the last score that was not much worse than the best."""
    watched, _ = scored(Watched("warn"), 10.0, 15.0, 40.0)
    watched.see(range(1, 301)).see(range(301, 350), real_saturated=1.0, fake_saturated=1.0)
    assert sorted(watched.monitors.last_good()) == [200, 299]
