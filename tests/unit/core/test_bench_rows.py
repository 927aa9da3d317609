"""Which configurations are measured, and which part of a step an operation belongs to."""

import pytest

from biggan_cli.core.bench import _planned
from biggan_cli.core.bench_subjects import part_of
from biggan_cli.errors import UsageError
from biggan_cli.settings import BenchConfig


def rows(what="train", preset=None, values=None, **lists):
    planned = _planned(
        BenchConfig(what, preset=preset, values=tuple(dict(values or {}, device="cpu").items()), **lists)
    )
    return [(config.train.precision, config.train.resample, config.train.batch) for config in planned]


def test_a_row_for_each_combination_the_first_values_first():
    found = rows(precisions=("fp32", "mixed"), resamples=("plain", "fused"), batches=(64, 8))
    assert found[:3] == [("fp32", "plain", 64), ("fp32", "plain", 8), ("fp32", "fused", 64)]
    assert len(found) == len(set(found)) == 8


def test_what_is_measured_where_nobody_says():
    assert rows() == [("fp32", "fused", 64)]
    assert rows(preset="digits") == [("fp32", "fused", 32)]
    assert rows("sample", preset="digits") == [("fp32", "fused", 32)]
    assert rows("frozen") == [("fp32", "plain", 32)]
    (config,) = _planned(BenchConfig(preset="cifar10"))
    assert config.train.data == "digits" and config.model.d_channels == 48


def test_a_batch_that_the_device_holds_is_not_cut():
    planned = _planned(BenchConfig(preset="imagenet64", batches=(64, 200, 256)))
    assert [config.train.batch_device for config in planned] == [64, 100, 128]
    (config,) = _planned(BenchConfig(preset="imagenet64", values=(("batch_device", 8),), batches=(64,)))
    assert config.train.batch_device == 8


@pytest.mark.parametrize(
    "settings, words",
    (
        (BenchConfig("sample", precisions=("fp32", "mixed")), "--precision mixed is for training"),
        (BenchConfig("frozen", values=(("data", "digits"),)), "--data is for training"),
        (BenchConfig("sample", values=(("device", "npu"),)), "drawn on cpu or gpu"),
        (BenchConfig(values=(("device", "npu"),), batches=(8, 16)), "one configuration at a time, and these are 2"),
        (BenchConfig(values=(("device", "tpu"),)), "--device tpu"),
        (BenchConfig(preset="none"), "--preset none"),
        (BenchConfig(preset="digits", run="3"), "--preset and --run both"),
        (BenchConfig(values=(("d_steps", 3),), run="3"), "--d-steps and --run both"),
        (
            BenchConfig(preset="imagenet64", values=(("batch_device", 128),), batches=(200,)),
            "--batch-device 128 does not divide --batch 200",
        ),
        (BenchConfig(precisions=("full",)), "--precision full is for --device npu"),
    ),
)
def test_what_does_not_go_together(settings, words):
    with pytest.raises(UsageError, match=words) as raised:
        _planned(settings)
    assert raised.value.details


@pytest.mark.parametrize(
    "name, part",
    (
        ("discriminator_update/block1/Conv2D", "discriminator"),
        (
            "discriminator_update_1/gradients/discriminator_update_1/block1/Conv2D_grad/Conv2DBackpropInput",
            "discriminator",
        ),
        ("ConstantFolding/generator_update/gradients/truediv_22_grad/BroadcastGradientArgs-folded-1", "generator"),
        ("generator_update/gradients_1/averages/x", "generator"),
        ("averages/mul_3", "ema"),
        ("data/IteratorGetNext", "data"),
        ("l2_normalize_66", "rest"),
        ("generator/block3/cbn1/bias/w/Adam", "rest"),
        ("AssignVariableOp_4", "rest"),
    ),
)
def test_the_part_of_an_operation(name, part):
    assert part_of(name) == part
