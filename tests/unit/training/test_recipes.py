"""What each option of a recipe means for a step, against the same step without it."""

import functools

import numpy as np
import pytest

from biggan_cli import config as configs
from biggan_cli.errors import NotReady
from biggan_cli.model.architecture import batch_norms, discriminator_weights, generator_weights
from biggan_cli.runtime import device
from biggan_cli.runtime.tf import tf
from biggan_cli.training import ema, precision, step
from biggan_cli.training.signs import SPREAD
from biggan_cli.training.state import LECAM
from biggan_cli.training.step import CLASS_TABLES
from tests.stepping import Training

TINY = dict(data="digits", base_channels=2, z_dim=8, shared_dim=4, batch=4, d_steps=1, orthogonal=0.0)
G, D = (list(weights(configs.resolve("seed", TINY).model)) for weights in (generator_weights, discriminator_weights))


@functools.lru_cache(maxsize=None)
def trained(**values):
    """Graphs are dear: one for each set of values."""
    training = Training(configs.resolve("seed", dict(TINY, **values)))
    return training, dict(training.start)


def stepped(start=None, changes=None, build=trained, **values):
    """The training, its values after one step from ``start``, and the step's metrics; Adam's m is the gradient."""
    training, usual = build(**values)
    training.start = dict(usual, **start or {})
    metrics = training.reset().step(**changes or {})
    return training, training.values(), metrics


def gradients(values, names):
    return np.concatenate([values[name + "/Adam"].ravel() for name in names])


@pytest.fixture(scope="module")
def plain():
    return stepped()


def close(one, other, names, rtol=1e-4):
    """Gradients agree to a fraction of the largest."""
    one, other = gradients(one, names), gradients(other, names)
    np.testing.assert_allclose(one, other, rtol=0, atol=rtol * np.abs(other).max())


def test_parts_of_a_batch_are_the_batch_where_nothing_is_normalized_over_it(monkeypatch):
    def constant(self, x, name):
        return tf.zeros(x.shape[-1:]), tf.ones(x.shape[-1:])

    monkeypatch.setattr(step._Builder, "_batch_moments", constant)
    values = dict(batch=8, lecam=0.5, consistency=2.0, augment="color,cutout", orthogonal=1e-2)
    fresh = trained.__wrapped__
    _, whole, theirs = stepped(build=fresh, **values)
    _, parts, ours = stepped(build=fresh, batch_device=2, **values)
    assert set(ours) == set(theirs) > {"lecam", "consistency"}
    for name in set(theirs) - set(SPREAD):  # variances are those within a part
        assert ours[name] == pytest.approx(theirs[name], rel=1e-4, abs=1e-6), name
    assert ours["real_class_freedom"] <= theirs["real_class_freedom"]
    close(parts, whole, D)
    close(parts, whole, G)


def test_parts_of_a_batch_have_statistics_of_their_own():
    """Real logits are the same; fakes are normalized over their part; the moving averages follow the mean."""
    training, whole, theirs = stepped(batch=8)
    _, parts, ours = stepped(batch=8, batch_device=2)
    assert ours["real_logit"] == pytest.approx(theirs["real_logit"], rel=1e-5)
    assert ours["fake_logit"] != pytest.approx(theirs["fake_logit"], rel=1e-3)
    z, y = training.data["z"][-1], training.data["fake_labels"][-1]
    cond = np.concatenate([z[:, :2], training.start["generator/embed/w"][y]], axis=1)
    x = (cond @ training.start["generator/dense/w"]).reshape(4, -1, 8)
    name = "generator/block1/cbn1/moving_"
    np.testing.assert_allclose(parts[name + "mean"], 0.1 * x.mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(parts[name + "variance"], 0.1 * x.var(1).mean(0), atol=1e-5)
    assert np.abs(whole[name + "variance"] - parts[name + "variance"]).max() > 1e-4


def test_one_part_waits_for_the_other():
    """Else the device would hold the pictures of all parts at the same time."""
    training, _ = trained(batch=8, batch_device=2)
    graph = training.handles.step.graph
    reads = [op for op in graph.get_operations() if op.type == "Identity" and op.control_inputs]
    assert len(reads) >= 5  # z, pictures and labels of the second part of each update

    def before(operations):
        found, left = set(), list(operations)
        while left:
            operation = left.pop()
            if operation not in found:
                found.add(operation)
                left += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
        return found

    kinds = {op.type for op in before(reads)}
    assert {"Conv2DBackpropFilter", "Conv2DBackpropInput"} <= kinds


REGULARIZED = dict(lecam=0.3, lecam_start=1, consistency=10.0)
FAR = {LECAM[0]: np.float32(-1e3), LECAM[1]: np.float32(1e3)}
"""Averages that LeCam asks nothing of."""
STILL = dict(moves=np.zeros((1, 4, 3), np.float32))


@pytest.mark.parametrize("name", ("lecam", "consistency"))
def test_the_strength_of_a_regularizer_is_linear_in_the_gradient(plain, name):
    start = {LECAM[0]: np.float32(0.4), LECAM[1]: np.float32(-0.2)} if name == "lecam" else FAR
    start = dict(start, step=np.int32(1))
    changes = STILL if name == "lecam" else None
    _, once, weak = stepped(start, changes, **REGULARIZED)
    _, twice, strong = stepped(start, changes, **dict(REGULARIZED, lecam=0.6, consistency=20.0))
    nothing = gradients(plain[1], D)
    added = gradients(once, D) - nothing
    assert np.abs(added).max() > 1e-3 and weak[name] > 0
    np.testing.assert_allclose(gradients(twice, D) - nothing, 2 * added, atol=1e-3 * np.abs(added).max())
    assert weak[name] == strong[name] and weak["d_loss"] == pytest.approx(plain[2]["d_loss"], rel=1e-5)


def test_lecam_begins_at_its_start(plain):
    """Before it there is no penalty, and the averages are the last logits."""
    before = {LECAM[0]: np.float32(2.0), LECAM[1]: np.float32(-3.0)}
    _, early, metrics = stepped(before, STILL, **REGULARIZED)
    assert (early[LECAM[0]], early[LECAM[1]]) == (metrics["real_logit"], metrics["fake_logit"])
    assert metrics["lecam"] == 0.0
    close(early, plain[1], D)
    _, late, metrics = stepped(dict(before, step=np.int32(1)), STILL, **REGULARIZED)
    assert late[LECAM[0]] == pytest.approx(0.99 * 2.0 + 0.01 * metrics["real_logit"], rel=1e-5)
    assert late[LECAM[1]] == pytest.approx(0.99 * -3.0 + 0.01 * metrics["fake_logit"], rel=1e-5)
    assert metrics["lecam"] > 0


def test_consistency_is_nothing_where_nothing_moves(plain):
    _, values, metrics = stepped(FAR, STILL, **REGULARIZED)
    assert metrics["lecam"] == 0.0 and metrics["consistency"] == pytest.approx(0.0, abs=1e-12)
    close(values, plain[1], D)
    _, _, metrics = stepped(FAR, dict(moves=np.array([[[1, 0, 0]] * 4], np.float32)), **REGULARIZED)
    assert metrics["consistency"] > 1e-6


def test_a_moved_picture_is_augmented_as_its_original():
    """Without a move their logits are the same, whatever the augmentation."""
    _, _, metrics = stepped(None, STILL, consistency=10.0, augment="color,cutout")
    assert metrics["consistency"] == pytest.approx(0.0, abs=1e-12) and np.isfinite(metrics["d_loss"])


def test_augmentation_that_changes_nothing_is_none(plain):
    still = np.tile(np.array([0, 1, 1, 0, 0, 0, 0], np.float32), (3, 4, 1))
    _, values, metrics = stepped(None, dict(changes=still), augment="color,translation")
    assert metrics["d_loss"] == pytest.approx(plain[2]["d_loss"], rel=1e-5)
    close(values, plain[1], D)
    close(values, plain[1], G)


def test_the_generator_learns_through_the_augmentation():
    """Its own draw changes its gradient and not the discriminator's; of the discriminator each kind has its own."""
    training, values, _ = stepped(augment="color,translation")
    drawn = training.data["changes"]
    for place, names in ((2, G), (0, D), (1, D)):
        other = drawn.copy()
        other[place] = np.roll(drawn[place], 1, axis=0) + np.float32([0.1, 0.1, 0.1, 0, 0, 0, 0])
        training.reset().step(changes=other)
        changed = training.values()
        assert np.abs(gradients(changed, names) - gradients(values, names)).max() > 1e-6, place
        if place == 2:
            np.testing.assert_array_equal(gradients(changed, D), gradients(values, D))
    assert np.abs(gradients(values, ["generator/dense/w"])).max() > 0


LATE = dict(steps=20, lr_decay="10:20", ema_start=7, init_from="elsewhere", freeze_classes=True)


def test_both_rates_fall_in_a_straight_line(plain):
    names = ("generator/dense/w", "discriminator/block1/conv1/w")
    whole = {name: plain[1][name] - plain[0].start[name] for name in names}
    for number, share in ((5, 1.0), (15, 0.5), (20, 0.0)):
        training, values, _ = stepped(dict(step=np.int32(number)), **LATE)
        for name in names:
            moved, before = (values[name] - training.start[name]).ravel(), whole[name].ravel()
            assert moved @ before / (before @ before) == pytest.approx(share, abs=0.05), name
            assert np.abs(moved).max() == pytest.approx(share * np.abs(before).max(), rel=1e-3)


def test_the_average_starts_at_its_step():
    for number, same in ((6, True), (7, False)):
        _, values, _ = stepped(dict(step=np.int32(number)), **LATE)
        differing = [name for name in G if not np.array_equal(values[ema.name_of(name)], values[name])]
        assert (differing == []) == same


def test_frozen_class_tables_stay_and_the_rest_learns(plain):
    still = [
        {name for name in (*G, *D) if np.array_equal(values[name], training.start[name])}
        for training, values, _ in (plain, stepped(**LATE))
    ]
    assert still[1] - still[0] == set(CLASS_TABLES) and len(still[1]) < len(G)


def test_the_discriminator_has_a_width_of_its_own():
    wide, narrow = (configs.resolve("seed", dict(TINY, base_channels=width)).model for width in (4, 2))
    both = configs.resolve("seed", dict(TINY, base_channels=4, d_base_channels=2)).model
    assert generator_weights(both) == generator_weights(wide) and batch_norms(both) == batch_norms(wide)
    assert discriminator_weights(both) == discriminator_weights(narrow) != discriminator_weights(wide)
    _, values, metrics = stepped(base_channels=4, d_base_channels=2)
    assert values["discriminator/block1/conv1/w"].shape[-1] == 8 and np.isfinite(list(metrics.values())).all()


def lane_of_2():
    return not tf.__version__.startswith("1.")


@pytest.mark.parametrize("name", ("float16", "bfloat16"))
def test_mixed_precision_is_the_same_step_with_fewer_digits(monkeypatch, plain, name):
    """Convolutions in 16 bits; weights, optimizer and averages in 32; gradients along those of float32."""
    if name == "bfloat16" and not lane_of_2():
        pytest.skip("TensorFlow 1.15 has no bfloat16 on a CPU")
    monkeypatch.setattr(device, "half_type", lambda device: tf.as_dtype(name))
    start = {"scaled/loss_scale": np.float32(2.0**8)} if name == "float16" else None
    training, values, metrics = stepped(start, build=trained.__wrapped__, precision="mixed")
    operations = training.handles.step.graph.get_operations()
    types = {kind: {op.outputs[0].dtype.name for op in operations if op.type == kind} for kind in ("Conv2D", "Rsqrt")}
    assert types == dict(Conv2D={name}, Rsqrt={"float32"})
    assert {value.dtype.name for value in values.values()} == {"float32", "int32"}
    digits = dict(float16=11, bfloat16=8)[name]
    for key in ("d_loss", "g_loss", "real_logit", "fake_logit"):
        assert metrics[key] == pytest.approx(plain[2][key], abs=2.0 ** (4 - digits)), key
    for names in (G, D):
        ours, theirs = gradients(values, names), gradients(plain[1], names)
        assert ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs) > 1 - 2.0 ** (5 - digits)


def test_an_overflow_leaves_the_step_out_and_halves_the_scale(monkeypatch):
    monkeypatch.setattr(device, "half_type", lambda device: tf.float16)
    monkeypatch.setattr(precision, "SCALE_GROWS_AFTER", 2)
    training, after, metrics = stepped(
        {"scaled/loss_scale": np.float32(2.0**40)}, build=trained.__wrapped__, precision="mixed"
    )
    assert (metrics["loss_scale"], metrics["skipped_steps"]) == (2.0**39, 1)
    changed = {name for name in after if not np.array_equal(after[name], training.start[name])}
    assert changed == {"step", "scaled/loss_scale", "scaled/skipped_steps"}
    training.start.update({"scaled/loss_scale": np.float32(2.0**8), "scaled/skipped_steps": np.int32(1)})
    training.reset()
    scales = [training.step()["loss_scale"] for _ in range(3)]
    assert scales == [2.0**8, 2.0**9, 2.0**9] and training.values()["scaled/skipped_steps"] == 1
    assert not np.array_equal(training.values()[D[0]], training.start[D[0]])


def test_a_cpu_without_16_bits_says_so(monkeypatch):
    monkeypatch.setattr(device, "cpu_features", lambda: frozenset({"avx2", "avx512f"}))
    with pytest.raises(NotReady, match="--precision mixed"):
        device.half_type("cpu")
    if lane_of_2():
        monkeypatch.setattr(device, "cpu_features", lambda: frozenset({"avx2", "avx512_bf16"}))
        assert device.half_type("cpu") == tf.bfloat16
