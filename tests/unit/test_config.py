"""Configuration: defaults, presets, rules, and what a stored one must be."""

import json
from dataclasses import asdict, replace

import pytest

import biggan_cli
from biggan_cli import config as configs
from biggan_cli.config import ModelConfig, RunRecord, TrainConfig
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.model.architecture import discriminator_weights, generator_weights, parameter_count
from biggan_cli.presets import PRESETS


def rejected(preset="seed", **values):
    with pytest.raises(UsageError) as raised:
        configs.resolve(preset, values)
    return raised.value.message


def test_the_seed_preset_is_the_documented_defaults():
    config = configs.resolve("seed", {})
    assert config.model == ModelConfig(32, 96, 120, 128, 10)
    train = config.train
    assert (train.batch, train.steps, train.d_steps) == (64, 100000, 2)
    assert (train.g_lr, train.d_lr, train.beta1, train.beta2) == (1e-4, 4e-4, 0.0, 0.9)
    assert (train.orthogonal, train.truncation, train.ema_decay) == (1e-4, 2.0, 0.9999)


def test_flags_over_preset_over_defaults():
    config = configs.resolve("digits", dict(steps=7, resolution=64))
    assert config.train.steps == 7 and config.model.resolution == 64
    assert config.train.data == "digits" and config.train.d_steps == TrainConfig().d_steps


def test_every_preset_says_where_it_comes_from():
    for preset in PRESETS.values():
        assert preset.source and preset.reaches and preset.cost


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_resolves_and_is_whole(name):
    """What a preset names is what the run has; those for CIFAR-10 have the networks of their source."""
    config = configs.resolve(name, dict(data="digits"))
    own = dict(asdict(config.model), **asdict(config.train))
    assert {key: own[key] for key in PRESETS[name].values} == PRESETS[name].values
    sizes = [parameter_count(weights(config.model)) for weights in (generator_weights, discriminator_weights)]
    if name.startswith("cifar10"):
        assert [size / own - 1 for size, own in zip(sizes, (9.416e6, 2.415e6))] == pytest.approx([0, 0], abs=0.1)


@pytest.mark.parametrize(
    "values, flag",
    (
        (dict(resolution=48), "--res 48"),
        (dict(batch=0), "--batch 0"),
        (dict(steps=-1), "--steps -1"),
        (dict(d_steps=0), "--d-steps 0"),
        (dict(g_lr=0.0), "--g-lr 0.0"),
        (dict(d_lr=float("nan")), "--d-lr nan"),
        (dict(beta2=1.0), "--beta2 1.0"),
        (dict(ema_decay=-0.1), "--ema-decay -0.1"),
        (dict(orthogonal=-1.0), "--orthogonal -1.0"),
        (dict(truncation=0.0), "--truncation 0"),
        (dict(seed=-1), "--seed -1"),
        (dict(seed=2**32), "--seed"),
        (dict(device="tpu"), "--device tpu"),
        (dict(resample="fast"), "--resample fast"),
        (dict(base_channels=1), "--base-channels 1"),
        (dict(resolution=64, base_channels=4), "--base-channels 4"),
        (dict(z_dim=3), "--z-dim 3"),
        (dict(save_every=0), "--save-every 0"),
        (dict(batch=64, batch_device=24), "--batch-device 24 does not divide --batch 64"),
        (dict(batch_device=0), "--batch-device 0"),
        (dict(score_every=-1), "--score-every -1"),
        (dict(score_num=99), "--score-num 99"),
        (dict(score_every=10, score_extractor="vgg"), "--score-extractor vgg"),
        (dict(score_extractor="digits"), "--score-extractor digits is about the scores"),
        (dict(patience=3), "--patience 3 is about the scores"),
        (dict(patience=3, score_every=10, steps=9), "--patience 3: no score falls within"),
        (dict(on_collapse="pray"), "--on-collapse pray"),
        (dict(max_rollbacks=-1), "--max-rollbacks -1"),
        (dict(d_base_channels=1), "--d-base-channels 1"),
        (dict(augment="colour"), "--augment colour"),
        (dict(augment="cutout,cutout"), "--augment cutout,cutout"),
        (dict(lecam=-0.3), "--lecam -0.3"),
        (dict(lecam_start=-1), "--lecam-start -1"),
        (dict(consistency=float("inf")), "--consistency inf"),
        (dict(ema_start=-1), "--ema-start -1"),
        (dict(lr_decay="100"), "--lr-decay 100 is not START:STOP"),
        (dict(lr_decay="100:100"), "--lr-decay 100:100"),
        (dict(lr_decay="10:20", steps=21), "--lr-decay 10:20 ends before --steps 21"),
        (dict(freeze_classes=True), "--freeze-classes without --init-from"),
        (dict(precision="full"), "--precision full is for --device npu"),
    ),
)
def test_a_bad_value_names_its_flag(values, flag):
    assert flag in rejected(**values)


def test_unknown_preset_and_key():
    assert "--preset sede" in rejected("sede")
    assert "the key momentum is unknown" in rejected(momentum=0.9)


def record(**values):
    return RunRecord(configs.resolve("digits", dict(values, num_classes=2)), ("a", "b"), "0" * 64, "0.1.0")


def test_a_record_survives_json():
    for values in ({}, dict(truncation=None, seed=3)):
        stored = json.loads(json.dumps(configs.to_json(record(**values))))
        assert configs.from_json(stored, "x") == record(**values)


@pytest.mark.parametrize(
    "spoil, words",
    (
        (lambda stored: stored.update(schema=2), "schema 2"),
        (lambda stored: stored["config"]["train"].update(colour="red"), "the key colour is unknown"),
        (lambda stored: stored["config"]["train"].pop("g_lr"), "the key g_lr is missing"),
        (lambda stored: stored["config"].pop("model"), "the key model is missing"),
        (lambda stored: stored["config"].update(model=None), "model cannot be None"),
        (lambda stored: stored["config"].update(model=[1]), "model cannot be [1]"),
        (lambda stored: stored["config"].update(preset="nosuch"), "--preset nosuch"),
        (lambda stored: stored["config"].update(speed=1), "the key speed is unknown"),
        (lambda stored: stored.update(config=[]), "config cannot be []"),
        (lambda stored: stored.update(class_names="ab"), "class_names cannot be 'ab'"),
        (lambda stored: stored.update(class_names=["a"]), "class_names are not 2 names"),
        (lambda stored: stored.update(class_names=[1, 2]), "class_names are not 2 names"),
        (lambda stored: stored["config"]["train"].update(batch="64"), "batch cannot be '64'"),
        (lambda stored: stored["config"]["model"].update(resolution=True), "resolution cannot be True"),
        (lambda stored: stored.update(bn="foo"), "bn cannot be 'foo'"),
        (lambda stored: stored.update(extra=1), "the key extra is unknown"),
        (lambda stored: stored.pop("class_names"), "the key class_names is missing"),
        (lambda stored: stored["config"]["train"].update(batch=0), "--batch 0"),
    ),
)
def test_a_spoilt_record_is_refused(spoil, words):
    stored = json.loads(json.dumps(configs.to_json(record())))
    spoil(stored)
    with pytest.raises(StepFailed) as raised:
        configs.from_json(stored, "config.json")
    assert raised.value.message.startswith("config.json") and words in raised.value.message


def test_a_preset_fits_another_batch_and_width():
    """What the user did not say is not what an error is about."""
    assert configs.resolve("imagenet64", dict(batch=192, data="x")).train.batch_device == 96
    assert configs.resolve("imagenet64", dict(data="x")).train.batch_device == 128
    assert configs.resolve("cifar10", dict(base_channels=8, data="x")).model.d_channels == 4
    assert "--batch-device 100" in rejected("imagenet64", batch=64, batch_device=100)


def test_a_record_of_before_an_option_is_as_it_was_then():
    stored = json.loads(json.dumps(configs.to_json(record())))
    for part, keys in (("model", ("d_base_channels",)), ("train", ("precision", "flip", "rollbacks", "patience"))):
        for key in keys:
            stored["config"][part].pop(key)
    assert configs.from_json(stored, "x") == record()


def test_what_a_resumed_run_may_change():
    own = record().config
    changed = configs.resume_with(record(), dict(steps=900, save_every=5, on_collapse="stop"), None, "runs/0")
    assert (changed.train.steps, changed.train.save_every, changed.train.on_collapse) == (900, 5, "stop")
    assert configs.resume_with(record(), dict(batch=own.train.batch), "digits", "runs/0") == own
    for values, words in (
        (dict(batch=7), "--batch 7 conflicts with the run's own 32"),
        (dict(resolution=64), "--res 64"),
        (dict(truncation=None), "--truncation none conflicts with the run's own 2"),
    ):
        with pytest.raises(UsageError) as raised:
            configs.resume_with(record(), values, None, "runs/0")
        assert words in raised.value.message
    with pytest.raises(UsageError) as raised:
        configs.resume_with(record(), {}, "seed", "runs/0")
    assert "--preset seed conflicts with the run's own preset digits" in raised.value.message


def test_the_recipe_of_an_imported_run_is_open():
    """Until it is trained here: then it is the run's own."""
    imported = replace(record(), data_digest=None, config=configs.resolve("seed", dict(num_classes=2, z_dim=33)))
    resumed = configs.resume_with(imported, dict(batch=7, steps=9), "digits", "runs/0")
    assert (resumed.preset, resumed.train.batch, resumed.train.steps, resumed.train.g_lr) == ("digits", 7, 9, 1e-3)
    assert resumed.model == imported.config.model
    assert configs.resume_with(imported, {}, None, "runs/0") == imported.config
    with pytest.raises(UsageError) as raised:
        configs.resume_with(imported, dict(z_dim=32), None, "runs/0")
    assert "--z-dim 32 conflicts with the run's own 33" in raised.value.message


@pytest.mark.parametrize("version", ("99.0.0", "0.1.1", "0.10"))
def test_a_configuration_of_a_newer_version_names_both(version):
    stored = configs.to_json(RunRecord(configs.resolve("digits", {}), tuple("0123456789"), "0" * 64, version))
    stored["config"]["train"]["colour"] = "red"
    with pytest.raises(StepFailed) as raised:
        configs.from_json(stored, "config.json")
    assert f"written by biggan {version}" in raised.value.message
    assert f"this is biggan {biggan_cli.__version__}" in raised.value.message
