"""One training step: what it changes, in which order, and by how much."""

from dataclasses import replace

import numpy as np
import pytest

from biggan_cli import config as configs
from biggan_cli.data import datasets, pipeline
from biggan_cli.data.pipeline import Batch
from biggan_cli.deploy.operators import operators_of_atc
from biggan_cli.model import augment
from biggan_cli.model.architecture import discriminator_weights, generator_weights, sn_u_name
from biggan_cli.runtime.tf import tf
from biggan_cli.training import ema, signs
from biggan_cli.training.state import state_shapes
from biggan_cli.training.step import METRICS, build
from tests.stepping import Training

CONFIG = configs.resolve(
    "seed", dict(data="digits", base_channels=2, z_dim=8, shared_dim=4, batch=3, d_steps=2, ema_decay=0.5, g_lr=1e-3)
)


@pytest.fixture(scope="module")
def training():
    return Training(CONFIG)


@pytest.fixture(scope="module")
def history(training):
    """Values before, after one and after two steps, and the metrics of both."""
    training.reset()
    values, metrics = [training.values()], []
    for _ in range(2):
        metrics.append(training.step())
        values.append(training.values())
    return values, metrics


def test_the_variables_are_those_that_are_listed():
    """With the data pipeline in the same graph, as in a run: its operations must not take a variable's name."""
    dataset = datasets.load("digits", 32)
    source = pipeline.BatchSource(dataset.images, dataset.labels, CONFIG.model, CONFIG.train)
    with tf.Graph().as_default():
        batch = pipeline.iterator(source, CONFIG.train, 0)[1]
        variables = build(CONFIG, batch).variables
    found = {name: tuple(variable.shape.as_list()) for name, variable in variables.items()}
    assert found == state_shapes(CONFIG.model)


def test_metrics_are_finite_and_named(history):
    for metrics in history[1]:
        assert set(metrics) == set(METRICS)
        assert all(np.isfinite(value) for value in metrics.values())
        assert metrics["d_grad_norm"] > 0 and metrics["g_grad_norm"] > 0


def test_every_weight_of_both_networks_moves(history):
    before, after = history[0][0], history[0][2]
    specs = dict(generator_weights(CONFIG.model), **discriminator_weights(CONFIG.model))
    assert [name for name in specs if np.array_equal(before[name], after[name])] == []


def test_the_step_counts_generator_updates(history):
    assert [values["step"] for values in history[0]] == [0, 1, 2]


def test_one_power_iteration_for_each_network_and_step(history):
    for before, after in zip(history[0], history[0][1:]):
        specs = dict(generator_weights(CONFIG.model), **discriminator_weights(CONFIG.model))
        for name, spec in specs.items():
            if spec.output_axis is None:
                continue
            w = before[name].astype(np.float64)
            matrix = w.T if spec.output_axis == 0 else w.reshape(-1, w.shape[-1])
            v = before[sn_u_name(name)] @ matrix.T
            u = v / np.linalg.norm(v) @ matrix
            np.testing.assert_allclose(after[sn_u_name(name)], u / np.linalg.norm(u), atol=1e-5)


def test_what_monitors_look_at_changes_nothing_of_what_is_learnt(history, training, monkeypatch):
    """Bit for bit what a graph without it gives."""
    monkeypatch.setattr(signs, "of_update", lambda *arguments: [tf.constant(0.0)] * len(signs.D_SIGNS))
    monkeypatch.setattr(signs, "largest", lambda sigmas: tf.constant(0.0))
    without = Training(CONFIG)
    without.start = training.start
    without.reset()
    for _ in history[1]:
        without.step()
    after, values = history[0][-1], without.values()
    assert [name for name in after if after[name].tobytes() != values[name].tobytes()] == []


def test_the_largest_sigma_of_each_network(history):
    """v w uᵀ of the weights that the step starts with."""
    for before, metrics in zip(history[0], history[1]):
        for name, weights in (("g_sigma", generator_weights), ("d_sigma", discriminator_weights)):
            sigmas = []
            for weight, spec in weights(CONFIG.model).items():
                if spec.output_axis is not None:
                    w = before[weight].astype(np.float64)
                    matrix = w.T if spec.output_axis == 0 else w.reshape(-1, w.shape[-1])
                    v = before[sn_u_name(weight)] @ matrix.T
                    sigmas.append(np.linalg.norm(v / np.linalg.norm(v) @ matrix))
            assert metrics[name] == pytest.approx(max(sigmas), rel=1e-4)


def test_what_monitors_look_at_is_of_both_updates_of_the_discriminator(history, training):
    """The mean over them; the real pictures are known."""
    metrics, images = history[1][0], training.data["real_images"].astype(np.float64) / 127.5 - 1.0
    small = images.reshape(2, 3, 8, 4, 8, 4, 3).mean(axis=(3, 5))
    assert metrics["real_variance"] == pytest.approx(small.var(axis=1).mean(), rel=1e-4)
    assert metrics["fake_variance"] > 0


def test_ema_with_warm_up(history):
    """decay = min(0.5, (1 + step) / (10 + step)): 0.1 after the first step, 2/11 after the second."""
    values = history[0]
    for decay, before, after in ((0.1, values[0], values[1]), (2 / 11, values[1], values[2])):
        for name in generator_weights(CONFIG.model):
            expected = decay * before[ema.name_of(name)] + (1 - decay) * after[name]
            np.testing.assert_allclose(after[ema.name_of(name)], expected, atol=1e-6)


def test_moving_averages_follow_the_batch(history, training):
    """The first batch norm sees the dense layer's output alone, which NumPy can make."""
    start, after = history[0][0], history[0][1]
    z, y = training.data["z"][-1], training.data["fake_labels"][-1]
    cond = np.concatenate([z[:, :2], start["generator/embed/w"][y]], axis=1)
    x = (cond @ start["generator/dense/w"] + start["generator/dense/b"]).reshape(-1, 8)
    name = "generator/block1/cbn1/moving_"
    np.testing.assert_allclose(after[name + "mean"], 0.1 * x.mean(0), atol=1e-5)
    np.testing.assert_allclose(after[name + "variance"], 0.1 * x.var(0), atol=1e-5)


def test_both_updates_of_the_discriminator_are_those_of_adam():
    """Recomputed in NumPy, with momentum; the first gradient is known from a graph that stops after it."""
    config = replace(CONFIG, train=replace(CONFIG.train, beta1=0.5, beta2=0.9, d_lr=1e-2))
    twice = Training(config).reset()
    once = Training(replace(config, train=replace(config.train, d_steps=1)))
    sizes = dict(real_images=1, real_labels=1, z=2, fake_labels=2)
    once.start, once.data = twice.start, {name: array[: sizes[name]] for name, array in twice.data.items()}
    once.reset().step()
    twice.step()
    first, second = once.values(), twice.values()
    for name in discriminator_weights(config.model):
        g1 = first[name + "/Adam"] / 0.5
        g2 = (second[name + "/Adam"] - 0.25 * g1) / 0.5
        v1 = 0.1 * g1**2
        v2 = 0.9 * v1 + 0.1 * g2**2
        np.testing.assert_allclose(second[name + "/Adam_1"], v2, rtol=1e-3, atol=1e-12, err_msg=name)
        moved = 1e-2 * np.sqrt(1 - 0.9) / (1 - 0.5) * 0.5 * g1 / (np.sqrt(v1) + 1e-8)
        np.testing.assert_allclose(first[name], twice.start[name] - moved, atol=1e-5, err_msg=name)
        moved = 1e-2 * np.sqrt(1 - 0.81) / (1 - 0.25) * second[name + "/Adam"] / (np.sqrt(v2) + 1e-8)
        np.testing.assert_allclose(second[name], first[name] - moved, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(second["beta2_power"], 0.9**3, rtol=1e-6)


def test_adam_moves_by_its_rate(history):
    """Without momentum the first step of Adam moves every weight that has a gradient by the rate itself."""
    before, after = history[0][0], history[0][1]
    moved = np.abs(after["generator/dense/w"] - before["generator/dense/w"])
    assert np.median(moved) == pytest.approx(CONFIG.train.g_lr, rel=1e-2)


@pytest.mark.parametrize("part", ("real_images", "real_labels", "z", "fake_labels"))
@pytest.mark.parametrize("place", (0, 1, 2))
def test_every_update_reads_its_own_batch(training, part, place):
    """Changing what only one of the updates reads changes what the step gives."""
    data = training.data
    if place >= len(data[part]):
        place = 0
    changed = data[part].copy()
    changed[place] = np.roll(changed[place], 1, axis=0) if part != "real_images" else 255 - changed[place]
    assert training.reset().step(**{part: changed}) != training.reset().step()


def static_and_narrow(operations):
    """An NPU compiles the graph once for fixed shapes and has no 64-bit arithmetic."""
    outputs = [
        (operation.type, tensor)
        for operation in operations
        for tensor in operation.outputs
        if operation.type != "BroadcastGradientArgs"  # folded away: its inputs are the static shapes
    ]
    assert {kind for kind, tensor in outputs if not tensor.shape.is_fully_defined()} == set()
    assert {tensor.dtype.name for _, tensor in outputs} <= {"float32", "int32", "uint8", "bool", "resource"}


def test_a_step_gives_the_same_again(training):
    assert training.reset().step() == training.reset().step()


def test_the_generator_reads_the_updated_discriminator(training):
    """With a discriminator that does not learn, the generator's loss is another one."""
    frozen = Training(configs.replace(CONFIG, train=configs.replace(CONFIG.train, d_lr=1e-12)))
    assert training.reset().step()["g_loss"] != pytest.approx(frozen.reset().step()["g_loss"], abs=1e-6)


def test_fused_and_plain_training_agree(training):
    """The first step, before rounding has had steps to grow."""
    plain = Training(configs.replace(CONFIG, train=configs.replace(CONFIG.train, resample="plain")))
    theirs, ours = plain.reset().step(), training.reset().step()
    for name in METRICS:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-3, abs=1e-4), name


EVERYTHING = dict(
    augment="color,translation,cutout",
    lecam=0.3,
    consistency=10.0,
    d_base_channels=16,
    ema_start=1,
    steps=9,
    lr_decay="1:9",
    batch_device=1,
)


@pytest.mark.parametrize(
    "values",
    (
        dict(resolution=32, resample="plain"),
        dict(resolution=64),
        dict(resolution=128),
        dict(resolution=32, **EVERYTHING),
    ),
)
def test_every_operator_is_one_that_an_npu_has(values):
    """At each resolution, resampling and with all options; of control flow and of checks for NaN there is none."""
    values = dict(data="digits", base_channels=8, z_dim=12, shared_dim=4, batch=2, d_steps=1, **values)
    config = configs.resolve("seed", values)
    resolution = config.model.resolution
    with tf.Graph().as_default() as graph:
        batch = Batch(
            tf.placeholder(tf.uint8, [1, 2, resolution, resolution, 3]),
            tf.placeholder(tf.int32, [1, 2]),
            tf.placeholder(tf.float32, [2, 2, 12]),
            tf.placeholder(tf.int32, [2, 2]),
            tf.placeholder(tf.float32, [3, 2, augment.CHANGES]),
            tf.placeholder(tf.float32, [1, 2, augment.MOVES]),
        )
        build(config, batch)
    operations = graph.get_operations()
    found = {operation.type for operation in operations}
    assert found <= operators_of_atc(), sorted(found - operators_of_atc())
    assert not found & {"Switch", "Merge", "If", "While", "IsFinite", "IsNan", "IsInf", "PyFunc"}
    static_and_narrow(operations)
