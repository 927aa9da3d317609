"""Checkpoints of the reference: the networks that they hold, both ways, and what is wrong with a bad one.

``data/ref32`` is a checkpoint that the reference's own code wrote, with what it computed from it.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from biggan_cli import config as configs
from biggan_cli.config import ModelConfig
from biggan_cli.errors import StepFailed
from biggan_cli.inference.sampler import Sampler
from biggan_cli.inference.weights import folded_generator
from biggan_cli.model import layers, losses
from biggan_cli.model.architecture import discriminator_weights, generator_weights, sn_u_name
from biggan_cli.model.discriminator import discriminator
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.runtime.tf import tf
from biggan_cli.training import checkpoints, ema, reference
from biggan_cli.training.state import adam_start, state_shapes
from tests.fakes.reference_network import ReferenceNetwork

TESTS = Path(__file__).parents[2]
REF32 = TESTS / "data" / "ref32"
OTHERS = (
    ModelConfig(32, base_channels=2, z_dim=9, shared_dim=3, num_classes=4, relu_on_image=True),
    ModelConfig(64, base_channels=8, z_dim=33, shared_dim=6, num_classes=3, relu_on_image=True),
    ModelConfig(128, base_channels=8, z_dim=23, shared_dim=5, num_classes=12, relu_on_image=True),
)


@pytest.fixture(scope="module")
def arrays():
    return checkpoints.read(REF32 / "model.ckpt")


@pytest.fixture(scope="module")
def golden():
    with np.load(str(REF32 / "golden.npz")) as archive:
        return {name: archive[name] for name in archive}


def random_values(model, seed=0):
    """Every variable of ours, random; variances positive."""
    random = np.random.RandomState(seed)
    values = {
        name: (0.5 * random.standard_normal(shape)).astype(np.float32) for name, shape in state_shapes(model).items()
    }
    values.update({name: np.exp(value) for name, value in values.items() if name.endswith("variance")})
    values["step"] = np.int32(77)
    return values


def computed(values, model, golden, fused):
    """The same quantities as in ``golden``, from our variables."""
    specs = dict(generator_weights(model), **discriminator_weights(model))
    y = golden["y"]

    def batch(x, name):
        return tf.nn.moments(x, [0, 1, 2])

    with tf.Graph().as_default(), tf.Session() as session:
        raw = {name: tf.constant(values[name]) for name in specs}
        weights = dict(raw)
        for name, spec in specs.items():
            if spec.output_axis is not None:
                u, v = layers.power_iteration(raw[name], tf.constant(values[sn_u_name(name)]), spec)
                weights[name] = layers.spectral_norm(raw[name], u, v, spec)[0]
        embedding = class_embedding(weights, y, model)
        moving = ema.moving_moments(values, model)
        image = generator(weights, golden["z"], embedding, model, lambda x, name: moving[name], fused)
        real = discriminator(weights, golden["x"], y, model, fused)
        trained = generator(weights, golden["z"], embedding, model, batch, fused)
        trained_fake = discriminator(weights, trained, y, model, fused)
        kernels = [raw[name] for name, spec in generator_weights(model).items() if len(spec.shape) == 4]
        return session.run(
            dict(
                image=image,
                real_logits=real,
                fake_logits=discriminator(weights, image, y, model, fused),
                train_d_loss=losses.discriminator_hinge(real, trained_fake),
                train_g_loss=losses.generator_hinge(trained_fake),
                ortho=1e-4 * losses.orthogonal_regularization(kernels),
            )
        )


def assert_equal_networks(found, wanted):
    """The tolerances of the golden test."""
    np.testing.assert_allclose(found["image"], wanted["image"], rtol=0, atol=1e-4)
    for name in set(wanted) - {"image"}:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4)


def second_opinion(arrays, z, y, x):
    network = ReferenceNetwork(arrays)
    image = network.generator(z, y)
    d_loss, g_loss = network.hinge(x, z, y)
    return dict(
        image=image,
        real_logits=network.discriminator(x, y),
        fake_logits=network.discriminator(image, y),
        train_d_loss=d_loss,
        train_g_loss=g_loss,
        ortho=1e-4 * network.orthogonal(),
    )


@pytest.mark.parametrize("fused", (False, True))
def test_the_reference_computes_the_same(arrays, golden, fused):
    imported = reference.from_reference(arrays, "raw")
    assert imported.model == ModelConfig(32, base_channels=8, relu_on_image=True) and imported.step == 4
    wanted = {name: golden[name] for name in golden if name not in "zyx"}
    assert_equal_networks(computed(imported.values, imported.model, golden, fused), wanted)


def test_the_second_opinion_is_the_reference(arrays, golden):
    found = second_opinion(arrays, golden["z"], golden["y"], golden["x"])
    assert_equal_networks(found, {name: golden[name] for name in golden if name not in "zyx"})


@pytest.mark.parametrize("model", OTHERS, ids=lambda model: str(model.resolution))
def test_other_networks_compute_the_same(model):
    random = np.random.RandomState(3)
    inputs = dict(
        z=random.standard_normal((2, model.z_dim)).astype(np.float32),
        y=np.int32([model.num_classes - 1, 1]),
        x=random.uniform(-1, 1, (2, model.resolution, model.resolution, 3)).astype(np.float32),
    )
    arrays = reference.to_reference(random_values(model), model, "raw")
    imported = reference.from_reference(arrays, "raw")
    assert imported.model == model
    found = computed(imported.values, model, inputs, fused=True)
    assert_equal_networks(found, second_opinion(arrays, **inputs))


@pytest.mark.parametrize("resolution", (32, 64, 128))
def test_names_and_shapes_are_the_reference_s(resolution):
    """``golden/reference_*.json`` lists the variables of the reference's graphs; Adam's go with their variables."""
    golden = json.loads((TESTS / "golden" / f"reference_{resolution}.json").read_text())
    wanted = {name: tuple(shape) for name, shape in golden["variables"].items()}
    model = reference.model_of(wanted) if resolution == 32 else ModelConfig(resolution, 8, relu_on_image=True)
    assert (model.base_channels, model.z_dim, model.shared_dim, model.num_classes) == (8, 120, 128, 10)
    found = {name: a.shape for name, a in reference.to_reference(random_values(model), model, "raw").items()}
    assert {name: found.get(name) for name in wanted} == wanted
    ours = ("metrics/", "biggan/", "ema_weights/", "beta")
    assert {n for n in set(found) - set(wanted) if "/Adam" not in n and not n.startswith(ours)} == set()


def test_adam_of_every_variable_of_the_reference(arrays):
    imported = reference.from_reference(arrays, "raw")
    written = reference.to_reference(imported.values, imported.model, "raw")
    assert {name: (a.shape, np.asarray(a).dtype) for name, a in arrays.items()} == {
        name: (np.shape(written[name]), np.asarray(written[name]).dtype) for name in arrays
    }


@pytest.mark.parametrize("weights", ("raw", "ema"))
@pytest.mark.parametrize("model", OTHERS[:2], ids=lambda model: str(model.resolution))
def test_there_and_back_bit_for_bit(model, weights):
    values = random_values(model)
    gain = next(name for name in values if name.endswith("/gain/b"))
    hard = np.float32([1e-9, -1 + 6e-8, 3e7, -1e-30, 0.1, 1e-38, -2.5, 0.0])[: len(values[gain])]
    values[gain][: len(hard)] = hard
    imported = reference.from_reference(reference.to_reference(values, model, weights), weights)
    assert imported.step == 77 and not imported.fresh and not imported.unknown
    if weights == "ema":
        values.update({name: values[ema.name_of(name)] for name in generator_weights(model)})
    assert set(imported.values) == set(values)
    for name, value in values.items():
        np.testing.assert_array_equal(imported.values[name], value, err_msg=name)


def test_the_weights_are_told_apart(arrays):
    assert reference.from_reference(arrays, None).weights == "raw"
    values = reference.from_reference(arrays, "raw").values
    exported = reference.to_reference(values, ModelConfig(32, base_channels=8), "ema")
    imported = reference.from_reference(exported, None)
    assert imported.weights == "ema" and imported.averages
    name = "generator/block1/conv1/w"
    np.testing.assert_array_equal(imported.values[name], values[ema.name_of(name)])
    as_ema = reference.from_reference(arrays, "ema").values
    np.testing.assert_array_equal(as_ema[ema.name_of(name)], arrays["generator/ResBlock1/conv1/w"])


def test_without_averages_ema_starts_at_the_weights(arrays):
    some = {name: array for name, array in arrays.items() if not name.startswith("ema_weights/")}
    imported = reference.from_reference(some, None)
    assert imported.weights == "raw" and not imported.averages
    for name in generator_weights(imported.model):
        np.testing.assert_array_equal(imported.values[ema.name_of(name)], imported.values[name])


def test_adam_is_carried_over_or_starts_afresh(arrays):
    imported = reference.from_reference(arrays, "raw")
    assert imported.fresh == []
    slot = "discriminator/ResBlock2/conv1/w/Adam_1"
    np.testing.assert_array_equal(imported.values["discriminator/block2/conv1/w/Adam_1"], arrays[slot])
    lacking = {name: array for name, array in arrays.items() if name != slot}
    imported = reference.from_reference(lacking, "raw")
    config = configs.resolve("seed", dict(base_channels=8, beta1=0.5, beta2=0.99))
    start = adam_start(config)
    assert set(imported.fresh) == {n for n in start if n.startswith("discriminator/")} | {"beta1_power", "beta2_power"}
    assert not set(imported.fresh) & set(imported.values)
    assert start["beta1_power"] == np.float32(0.5) and start["beta2_power_1"] == np.float32(0.99)


def test_the_scope_of_moving_averages_may_have_another_number(arrays):
    renamed = {name.replace("/generator_1/", "/generator_2/"): array for name, array in arrays.items()}
    assert renamed.keys() != arrays.keys()
    values = reference.from_reference(renamed, "raw").values
    np.testing.assert_array_equal(
        values["generator/bn/moving_mean"],
        arrays["generator/BN/generator_1/BN/moments/mean/ExponentialMovingAverage"].reshape(-1),
    )


def test_of_several_scopes_the_trained_one_counts(arrays):
    others = {
        name.replace("/generator_1/", f"/{scope}/"): array + 1
        for name, array in arrays.items()
        if "/moments/" in name and "/Adam" not in name
        for scope in ("generator_2", "generator")
    }
    one, several = reference.from_reference(arrays, None), reference.from_reference(dict(others, **arrays), None)
    assert sorted(several.unknown) == sorted(others)
    for name, value in one.values.items():
        np.testing.assert_array_equal(several.values[name], value)


def test_an_optimizer_with_a_value_that_is_not_finite_starts_afresh(arrays):
    slot = "generator/conv/b/Adam_1"
    imported = reference.from_reference(dict(arrays, **{slot: np.float32([0, np.inf, 0])}), None)
    assert slot in imported.fresh and "beta2_power_1" in imported.fresh and "beta2_power" not in imported.fresh


def test_weights_that_contradict_the_averages_are_noticed(arrays):
    assert not reference.from_reference(arrays, "ema").equal
    same = reference.to_reference(reference.from_reference(arrays, "raw").values, ModelConfig(32, 8), "ema")
    assert reference.from_reference(same, "raw").equal


def test_unknown_variables_are_named(arrays):
    assert reference.from_reference(dict(arrays, loss_scale=np.float32(1)), "raw").unknown == ["loss_scale"]


@pytest.mark.parametrize(
    ("change", "words"),
    (
        (lambda a: {"w": a["generator/conv/w"]}, "no checkpoint of the reference"),
        (lambda a: {n: v for n, v in a.items() if "generator/ResBlock2/" not in n}, "found the blocks 1, 3"),
        (lambda a: {n: v for n, v in a.items() if n != "generator/embed_w"}, "generator/embed_w is missing"),
        (lambda a: {n: v for n, v in a.items() if n != "discriminator/embedu"}, "discriminator/embedu of"),
        (lambda a: {n: v for n, v in a.items() if not n.startswith("discriminator/")}, "more of"),
        (lambda a: dict(a, **{"generator/conv/b": np.zeros(4, np.float32)}), "has the shape [4], expected [3]"),
        (lambda a: dict(a, **{"generator/embed_w": np.zeros(9, np.float32)}), "expected 2 dimensions"),
        (lambda a: dict(a, **{"generator/embed_w": np.zeros((10, 100), np.float32)}), "expected"),
        (lambda a: dict(a, **{"generator/conv/b": np.float32([1, np.nan, 0])}), "generator/conv/b has values"),
        (lambda a: dict(a, **{"generator/conv/b": np.zeros(3)}), "generator/conv/b is float64, expected float32"),
        (
            lambda a: dict(a, **{"generator/conv/b": np.array([b"a", b"b", b"c"], object)}),
            "is object, expected float32",
        ),
        (lambda a: dict(a, Variable=np.int32(-5)), "expected the step: a whole number from 0"),
        (lambda a: dict(a, Variable=np.int64(5 * 10**9)), "expected the step"),
        (lambda a: dict(a, Variable=np.float32(4)), "expected the step"),
        (lambda a: dict(a, **{"generator/embed_w": np.zeros((10, 500), np.float32)}), "expected more than the 500"),
        (
            lambda a: {n: v for n, v in a.items() if n != "ema_weights/generator/conv/b/ExponentialMovingAverage"},
            "miss",
        ),
    ),
)
def test_what_is_wrong_is_said(arrays, change, words):
    with pytest.raises(StepFailed) as caught:
        reference.from_reference(change(arrays), None)
    assert words in caught.value.message


def test_pictures_of_the_sampler_are_the_reference_s(arrays, golden):
    imported = reference.from_reference(arrays, "raw")
    with Sampler(imported.model, batch=3) as sampler:
        sampler.load(folded_generator(imported.values, imported.model))
        sampler.set_moments(ema.moving_moments(imported.values, imported.model))
        images = np.concatenate(list(sampler.images(golden["z"], golden["y"])))
    np.testing.assert_allclose(images, golden["image"], rtol=0, atol=1e-4)
