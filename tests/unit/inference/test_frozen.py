"""Frozen generators: few nodes of known operators, the reference's pictures, the same graph from every TensorFlow.

``data/frozen`` holds graphs of ``GOLDEN`` that TensorFlow 2 froze, and what one of them computed. They are made anew
(only where the graph itself is meant to change) with::

    python -c "from tests.unit.inference.test_frozen import write_golden; write_golden()"
"""

import re
from collections import Counter, namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biggan_cli.config import ModelConfig
from biggan_cli.deploy.operators import Node, off_the_ai_core, operators_of_atc, unknown_to_atc
from biggan_cli.deploy.spec import GraphSpec, TensorSpec
from biggan_cli.errors import StepFailed
from biggan_cli.inference import frozen
from biggan_cli.inference.frozen import FrozenGenerator, frozen_generator, nodes_of, read_graph
from biggan_cli.inference.sampler import Sampler
from biggan_cli.inference.weights import folded_generator, with_moments_folded
from biggan_cli.model.architecture import batch_norms, generator_weights, sn_u_name
from biggan_cli.runtime.tf import tf
from biggan_cli.training import ema, reference
from biggan_cli.training.state import state_shapes
from tests.fakes.reference_network import ReferenceNetwork

DATA = Path(__file__).parents[2] / "data" / "frozen"
GOLDEN = ModelConfig(32, base_channels=2, z_dim=9, shared_dim=4, num_classes=3)
MODELS = {  # the last part of z takes a remainder
    32: GOLDEN,
    64: ModelConfig(64, base_channels=8, z_dim=12, shared_dim=4, num_classes=3),
    128: ModelConfig(128, base_channels=8, z_dim=15, shared_dim=4, num_classes=3),
}
FORMS = {"plain": False, "fused": True}

# Those of the graph that the reference's users convert for an Ascend310, and what every graph has.
PLAIN_OPERATORS = set(
    re.findall(
        r"\w+",
        """
    SplitV OneHot MatMul ConcatV2 Reshape ResizeNearestNeighbor Conv2D BiasAdd AvgPool BatchMatMulV2 Softmax Mean
    SquaredDifference Rsqrt Mul Sub AddV2 Relu Tanh Squeeze Transpose Square Sum Maximum
    Placeholder Const Identity
    """,
    )
)
FUSED_OPERATORS = PLAIN_OPERATORS | {"Pad", "DepthToSpace"}


def weights_of(model, seed=5):
    """Every variable, random; variances positive. The same in every NumPy."""
    random = np.random.RandomState(seed)
    values = {}
    for name, shape in sorted(state_shapes(model).items()):
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 4
        values[name] = (random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)
        if name.endswith("variance"):
            values[name] = np.exp(values[name])
    values["step"] = np.int32(1)
    return values


def latents_of(model, count=5):
    random = np.random.RandomState(6)
    z = random.standard_normal((count, model.z_dim)).astype(np.float32)
    return z, (np.arange(count) % model.num_classes).astype(np.int32)


def freeze(model, batch=None, fused=False):
    values = weights_of(model)
    return frozen_generator(folded_generator(values, model), ema.moving_moments(values, model), model, batch, fused)


def spec_of(model, batch=None):
    return GraphSpec(
        graph="generator.pb",
        sha256="",
        inputs=(TensorSpec("z", "float32", (batch, model.z_dim)), TensorSpec("y", "int32", (batch, 1))),
        output=TensorSpec("output", "float32", (batch, model.resolution, model.resolution, 3)),
        class_names=("a", "b", "c"),
        step=1,
        weights="raw",
        bn="moving",
        truncation=None,
        resample="plain",
        biggan="0",
    )


def pictures(graph_def, model, batch=None):
    z, y = latents_of(model)
    copy = tf.GraphDef.FromString(graph_def.SerializeToString())  # TensorFlow 2 adds attributes to what it imports
    with FrozenGenerator(copy, spec_of(model, batch)) as generator:
        return np.concatenate(list(generator.images(z, y)))


Made = namedtuple("Made", "model batch form graph")


@pytest.fixture(
    scope="module",
    params=[(res, form, batch) for res in MODELS for form in FORMS for batch in (None, 2)],
    ids=lambda p: "{} px {} {}".format(*p[:2], f"batch {p[2]}" if p[2] else "free"),
)
def made(request):
    resolution, form, batch = request.param
    return Made(MODELS[resolution], batch, form, freeze(MODELS[resolution], batch, FORMS[form]))


@pytest.fixture(scope="module")
def wanted():
    """Model → the pictures of the independent network and of the sampler, computed once each."""
    known = {}

    def of(model):
        if model not in known:
            values, (z, y) = weights_of(model), latents_of(model)
            network = ReferenceNetwork(reference.to_reference(values, model, "raw"))
            with Sampler(model, batch=3) as sampler:
                sampler.load(folded_generator(values, model))
                sampler.set_moments(ema.moving_moments(values, model))
                known[model] = network.generator(z, y), np.concatenate(list(sampler.images(z, y)))
        return known[model]

    return of


def test_its_pictures_are_those_of_the_independent_network_and_of_the_sampler(made, wanted):
    independent, sampled = wanted(made.model)
    found = pictures(made.graph, made.model, made.batch)
    assert found.shape == (5, made.model.resolution, made.model.resolution, 3)
    assert independent.std() > 0.05 and np.abs(independent[0] - independent[3]).max() > 0.05
    np.testing.assert_allclose(found, independent, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found, sampled, rtol=0, atol=1e-5)


def test_it_has_only_operators_that_convert(made):
    found = {node.op for node in made.graph.node}
    assert found <= (PLAIN_OPERATORS if made.form == "plain" else FUSED_OPERATORS)
    assert found <= operators_of_atc() & set(frozen._ATTRIBUTES)
    assert unknown_to_atc(nodes_of(made.graph)) == [] == off_the_ai_core(nodes_of(made.graph))
    assert ("DepthToSpace" in found) == (made.form == "fused")


def test_it_is_small_and_nothing_in_it_is_left_over(made):
    names = [node.name for node in made.graph.node]
    if made.model.resolution == 32:
        assert len(names) < 250
    assert len(set(names)) == len(names)
    read = [name for node in made.graph.node for name in node.input]
    assert not [name for name in read if name.startswith("^")], "control inputs"
    assert {name.split(":")[0] for name in read} == set(names) - {"output"}
    for node in made.graph.node:
        assert set(node.attr) <= set(frozen._ATTRIBUTES[node.op].split()), node.name
        assert not node.device
    assert not made.graph.library.function
    assert made.graph.versions.producer == 134


def test_inputs_come_first_and_the_output_last(made):
    seen = set()
    for node in made.graph.node:
        assert {name.split(":")[0] for name in node.input} <= seen
        seen.add(node.name)
    assert made.graph.node[-1].name == "output" and made.graph.node[-1].op == "Identity"


def test_its_inputs_are_z_and_y(made):
    found = {node.name: node.attr for node in made.graph.node if node.op == "Placeholder"}
    assert set(found) == {"z", "y"}
    assert (found["z"]["dtype"].type, found["y"]["dtype"].type) == (
        tf.float32.as_datatype_enum,
        tf.int32.as_datatype_enum,
    )
    shapes = [[dim.size for dim in found[name]["shape"].shape.dim] for name in ("z", "y")]
    batch = made.batch or -1
    assert shapes == [[batch, made.model.z_dim], [batch, 1]]


def test_only_placeholders_and_the_batch_are_not_constants(made):
    """What depends on neither z nor y was computed: every other node has an input that depends on them."""
    varying = set()
    for node in made.graph.node:
        if node.op == "Placeholder" or {name.split(":")[0] for name in node.input} & varying:
            varying.add(node.name)
        else:
            assert node.op == "Const", node.name


def test_the_dtypes_of_nodes():
    found = {node.name: node for node in nodes_of(freeze(GOLDEN))}
    assert found["z"] == Node("z", "Placeholder", ("float32",))
    assert found["y"] == Node("y", "Placeholder", ("int32",))
    assert found["output"] == Node("output", "Identity", ("float32",))
    dtypes = Counter(dtype for node in found.values() for dtype in node.dtypes)
    assert set(dtypes) == {"float32", "int32"}


def test_a_fixed_batch_is_filled_and_the_filling_dropped():
    graph_def = freeze(GOLDEN, batch=4)
    np.testing.assert_allclose(pictures(graph_def, GOLDEN, 4), pictures(freeze(GOLDEN), GOLDEN), rtol=0, atol=1e-6)


@pytest.mark.parametrize("fused", (False, True))
def test_freezing_twice_gives_the_same_bytes(fused):
    one, other = (freeze(GOLDEN, fused=fused).SerializeToString(deterministic=True) for _ in range(2))
    assert one == other


def one_power_iteration(w, u):
    """(sigma, the next u) in float64."""
    matrix = w.astype(np.float64).reshape(-1, w.shape[-1])
    v = matrix @ u.reshape(-1)
    v /= np.linalg.norm(v)
    product = v @ matrix
    return np.linalg.norm(product), product / np.linalg.norm(product)


def test_sigma_is_that_of_one_power_iteration_from_the_stored_u():
    values = weights_of(GOLDEN)
    before = {name: np.array(value) for name, value in values.items()}
    folded = folded_generator(values, GOLDEN)
    assert set(folded) == set(generator_weights(GOLDEN))
    normed = further = 0
    for name, weight in generator_weights(GOLDEN).items():
        assert folded[name].dtype == np.float32
        if weight.output_axis is None:
            np.testing.assert_array_equal(folded[name], values[name])
            continue
        sigma, u = one_power_iteration(values[name], values[sn_u_name(name)].astype(np.float64))
        np.testing.assert_allclose(folded[name], values[name] / sigma, rtol=1e-5, err_msg=name)
        normed += 1
        further += abs(one_power_iteration(values[name], u)[0] / sigma - 1) > 1e-3
    assert normed == 26 and further > normed / 2  # a second iteration would have been noticed
    for name, value in before.items():
        np.testing.assert_array_equal(values[name], value)


def test_moments_are_folded_as_plain_arithmetic_has_it():
    values = weights_of(GOLDEN)
    folded, moments = folded_generator(values, GOLDEN), ema.moving_moments(values, GOLDEN)
    found = {**folded, **with_moments_folded(folded, moments)}
    random = np.random.RandomState(8)
    changed = set()

    def as_float64(name):
        return np.float64(folded[name]), np.float64(found[name])

    for name, channels in batch_norms(GOLDEN).items():
        mean, variance = (np.float64(moment) for moment in moments[name])
        x = random.standard_normal((6, channels))
        normalized = (x - mean) / np.sqrt(variance + 1e-5)
        if name == "generator/bn":
            (gamma, new_gamma), (beta, new_beta) = as_float64(name + "/gamma"), as_float64(name + "/beta")
            wanted, got = normalized * gamma + beta, x * new_gamma + new_beta
            changed |= {name + "/gamma", name + "/beta"}
        else:
            parts = [f"{name}/{part}/{kind}" for part in ("gain", "bias") for kind in ("w", "b")]
            (gw, new_gw), (gb, new_gb), (bw, new_bw), (bb, new_bb) = map(as_float64, parts)
            c = random.standard_normal((6, len(gw)))
            wanted = normalized * (1 + c @ gw + gb) + c @ bw + bb
            got = x * (c @ new_gw + new_gb) + c @ new_bw + new_bb
            changed |= set(parts)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-6, err_msg=name)
    assert len(batch_norms(GOLDEN)) == 7 and set(found) == set(folded)
    for name in set(folded) - changed:
        np.testing.assert_array_equal(found[name], folded[name])
        assert found[name].dtype == np.float32


def write_golden():
    """Freeze ``GOLDEN`` with this TensorFlow, which should be 2."""
    DATA.mkdir(parents=True, exist_ok=True)
    for form, fused in FORMS.items():
        (DATA / f"{form}.pb").write_bytes(freeze(GOLDEN, fused=fused).SerializeToString(deterministic=True))
    z, y = latents_of(GOLDEN)
    np.savez(str(DATA / "golden.npz"), z=z, y=y, image=pictures(freeze(GOLDEN), GOLDEN))


@pytest.mark.parametrize("form", FORMS)
def test_a_graph_of_the_other_tensorflow_gives_its_pictures(form):
    with np.load(str(DATA / "golden.npz")) as archive:
        golden = {name: archive[name] for name in archive}
    with FrozenGenerator(read_graph(DATA / f"{form}.pb"), spec_of(GOLDEN)) as generator:
        found = np.concatenate(list(generator.images(golden["z"], golden["y"])))
    np.testing.assert_allclose(found, golden["image"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_every_tensorflow_writes_the_same_graph(form):
    golden, found = read_graph(DATA / f"{form}.pb"), freeze(GOLDEN, fused=FORMS[form])
    assert [(node.name, node.op) for node in found.node] == [(node.name, node.op) for node in golden.node]
    assert found.versions == golden.versions
    compared = 0
    for ours, theirs in zip(found.node, golden.node):
        assert list(ours.input) == list(theirs.input), ours.name
        assert set(ours.attr) == set(theirs.attr), ours.name
        for name in ours.attr:
            if name != "value":
                assert ours.attr[name] == theirs.attr[name], (ours.name, name)
                continue
            values = [tf.make_ndarray(attr[name].tensor) for attr in (ours.attr, theirs.attr)]
            assert values[0].dtype == values[1].dtype and values[0].shape == values[1].shape
            np.testing.assert_allclose(*values, rtol=1e-6, atol=1e-6, err_msg=ours.name)
            compared += 1
    assert compared > 40


def own_attributes(operator):
    from tensorflow.python.framework import op_def_registry

    if hasattr(op_def_registry, "get_registered_ops"):
        definition = op_def_registry.get_registered_ops()[operator]
    else:
        definition = op_def_registry.get(operator)
    return {attribute.name for attribute in definition.attr}


@pytest.mark.parametrize("operator", sorted(frozen._ATTRIBUTES))
def test_the_attributes_are_those_of_tensorflow_1_15(operator):
    kept = set(frozen._ATTRIBUTES[operator].split())
    if tf.__version__.startswith("1.15"):
        assert kept == own_attributes(operator)
    else:  # a newer one may know more
        assert kept <= own_attributes(operator)


def cut_off(path):
    content = (DATA / "plain.pb").read_bytes()
    path.write_bytes(content[: len(content) // 2 - 1])


@pytest.mark.parametrize(
    "damage",
    (cut_off, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"node {}"), lambda path: path.mkdir()),
    ids=("cut off", "empty", "text", "a folder"),
)
def test_a_file_that_is_no_graph(tmp_path, damage):
    damage(tmp_path / "generator.pb")
    with pytest.raises(StepFailed) as raised:
        read_graph(tmp_path / "generator.pb")
    assert raised.value.message == f"{tmp_path / 'generator.pb'} is cut off, or is not a frozen graph"


@pytest.mark.parametrize("place", ("inputs", "output"))
def test_a_specification_with_other_names(place):
    spec, nowhere = spec_of(GOLDEN), TensorSpec("nowhere", "float32", (None, 9))
    spec = replace(spec, **{place: nowhere if place == "output" else (nowhere, spec.inputs[1])})
    with pytest.raises(StepFailed) as raised:
        FrozenGenerator(read_graph(DATA / "plain.pb"), spec)
    assert "generator.pb does not fit its specification" in raised.value.message and "nowhere" in raised.value.message


def test_a_graph_with_a_broken_node():
    graph_def = read_graph(DATA / "plain.pb")
    graph_def.node[-1].input[0] = "gone"
    with pytest.raises(StepFailed) as raised:
        FrozenGenerator(graph_def, spec_of(GOLDEN))
    assert "generator.pb does not fit its specification" in raised.value.message
