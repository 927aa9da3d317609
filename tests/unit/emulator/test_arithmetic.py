"""The roundings of every precision mode, against NumPy's float16."""

import json

import numpy as np
import pytest

from biggan_cli.emulator import atc, flags
from biggan_cli.emulator.engine import Engine
from biggan_cli.runtime.tf import tf

RANDOM = np.random.RandomState(5)
X = RANDOM.normal(size=(2, 8)).astype(np.float32)
W = RANDOM.normal(size=(8, 16)).astype(np.float32)
B = RANDOM.normal(size=16).astype(np.float32)
GAIN = np.float32(1 / 3)


def half(values):
    """What float16 keeps of float32 values."""
    return np.clip(values, -65504, 65504).astype(np.float16).astype(np.float32)


def layers():
    """MatMul → BiasAdd → Relu → AvgPool → Exp → Mean → Mul; every node is named after its operator."""
    x = tf.placeholder(tf.float32, [None, 8], name="x")
    h = tf.matmul(x, tf.constant(W), name="matmul")
    h = tf.nn.relu(tf.nn.bias_add(h, tf.constant(B), name="bias"), name="relu")
    h = tf.nn.avg_pool(tf.reshape(h, [-1, 4, 4, 1]), [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name="pool")
    h = tf.reduce_mean(tf.exp(h, name="exp"), [1, 2], name="mean")
    tf.multiply(h, tf.constant(GAIN), name="mul")
    tf.identity(h * 1.0, name="output")


NODES = ["matmul", "bias", "relu", "pool", "exp", "mean", "mul"]


def by_numpy(rounded, operands=("matmul",)):
    """Every node's value; the results of ``rounded`` are float16, the operands of those and of ``operands`` too."""

    def result(name, value):
        return half(value) if name in rounded else value

    def operand(name, value):
        return half(value) if name in rounded or name in operands else value

    def pool(h):
        h = h.reshape(2, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(2, 2, 2, 4)
        return ((h[..., 0] + h[..., 1] + h[..., 2] + h[..., 3]) / np.float32(4))[..., None]

    values = {}
    values["matmul"] = result("matmul", operand("matmul", X) @ operand("matmul", W))
    values["bias"] = result("bias", operand("bias", values["matmul"]) + operand("bias", B))
    values["relu"] = result("relu", np.maximum(operand("relu", values["bias"]), 0))
    values["pool"] = result("pool", pool(operand("pool", values["relu"])))
    values["exp"] = result("exp", np.exp(operand("exp", values["pool"])))
    values["mean"] = result("mean", operand("mean", values["exp"]).mean((1, 2), dtype=np.float32))
    values["mul"] = result("mul", operand("mul", values["mean"]) * operand("mul", GAIN))
    return values


# mode → the nodes whose results are float16
MODES = {
    "precision_mode=force_fp16": NODES,
    "precision_mode_v2=fp16": NODES,
    "precision_mode=force_fp32": ["pool", "exp"],
    "precision_mode=cube_fp16in_fp32out": ["pool", "exp"],
    "precision_mode_v2=cube_fp16in_fp32out": ["pool", "exp"],
    "precision_mode=allow_fp32_to_fp16": ["matmul", "pool", "exp"],
    "precision_mode=must_keep_origin_dtype": [],
    "precision_mode_v2=origin": [],
    "precision_mode=allow_mix_precision": ["matmul", "bias", "relu", "pool", "exp"],
    "precision_mode_v2=mixed_float16": ["matmul", "bias", "relu", "pool", "exp"],
}


@pytest.fixture
def built(tiny, tmp_path, monkeypatch):
    """``built(graph, **options)``: the offline model and the warnings."""
    monkeypatch.chdir(tmp_path)

    def build(graph, **options):
        pb = tiny.save_graph(tmp_path / "graph.pb", graph)
        settings = dict(input_shape="x:2,8", out_nodes="output:0")
        settings.update(options)
        return atc.build(flags.check(flags.parse(tiny.flags("x", model=pb, **settings))), "")

    return build


def compute(model, *inputs, batch=None):
    with Engine(model) as engine:
        return engine.execute([value.tobytes() for value in inputs], batch)


def assert_same(model, expected):
    """Within one unit of float16 at a rounded node: TensorFlow and NumPy add up and exp a little differently."""
    for name, value in zip(NODES, compute(model, X)):
        expected_value = expected[name]
        np.testing.assert_allclose(value, expected_value, rtol=1.1e-3, err_msg=name)
        is_half = np.array_equal(value, half(value))
        assert is_half == np.array_equal(expected_value, half(expected_value)), name


@pytest.mark.parametrize("mode", MODES)
def test_modes(built, mode):
    name, _, value = mode.partition("=")
    model, warnings = built(layers, out_nodes=";".join(f"{node}:0" for node in NODES), **{name: value})
    rounded = [node for node in NODES if model.precision["nodes"][node][1] == "float16"]
    assert rounded == MODES[mode]
    assert model.precision["nodes"]["matmul"][0] == "float16"
    assert warnings == (["pool", "exp"] if MODES[mode] == [] else [])
    assert_same(model, by_numpy(MODES[mode]))


def test_operands_of_a_matrix_product_are_rounded_exactly(built):
    whole = RANDOM.randint(-2000, 2000, size=(2, 8)).astype(np.float32) + np.float32(0.3)
    model, _ = built(layers, out_nodes="matmul:0", precision_mode="force_fp32")
    (result,) = compute(model, whole)
    exact = half(whole).astype(np.float64) @ half(W).astype(np.float64)
    np.testing.assert_allclose(result, exact, rtol=1e-5, atol=1e-3)
    assert np.abs(whole.astype(np.float64) @ W - exact).max() > 0.1


def elementwise():
    x = tf.placeholder(tf.float32, [None, 8], name="x")
    tf.identity(tf.square(x + tf.constant(1e6), name="square"), name="output")
    tf.multiply(x, tf.constant(np.float32(0.1)), name="mul")


def test_float16_saturates_and_vector_operators_are_exact(built):
    values = RANDOM.normal(scale=100, size=(2, 8)).astype(np.float32)
    values[0, :3] = 1e30, -1e30, np.inf
    result, scaled = compute(built(elementwise, out_nodes="output:0;mul:0")[0], values)
    assert result[0, 0] == result[0, 2] == result[1, 0] == 65504
    assert result[0, 1] == 0  # 65504 - 65504
    exact = (np.clip(values, -65504, 65504).astype(np.float16) * np.float16(0.1)).astype(np.float32)
    assert np.array_equal(scaled, exact)
    assert scaled[0, 0] == -scaled[0, 1] == scaled[0, 2]


def test_ties_go_to_even_and_nan_stays(built):
    values = np.array([1 + 2**-11, 1 + 3 * 2**-11, 2049, 2051, 6e-8, 3e-8, 2.9e-8, np.nan] * 2, np.float32).reshape(
        2, 8
    )
    model, _ = built(lambda: tf.transpose(tf.placeholder(tf.float32, [None, 8], name="x"), name="output"))
    np.testing.assert_array_equal(compute(model, values)[0].T, half(values))


def test_keep_dtype(built, tmp_path):
    (tmp_path / "keep").write_text("bias\nOpType::ReduceMeanD\n\nmatmul\nexp\n")
    outputs = ";".join(f"{node}:0" for node in NODES)
    model, warnings = built(layers, out_nodes=outputs, keep_dtype="keep")
    assert_same(model, by_numpy(["relu", "pool", "mul"]))
    assert warnings == ["exp"]  # the AI Core has it in float16 only
    (tmp_path / "keep").write_text("OpType::Mean\n")
    with pytest.raises(atc.AtcError) as caught:
        built(layers, keep_dtype="keep")
    assert caught.value.code == "E10003"


def test_mixlist(built, tmp_path):
    lists = {
        "black-list": {"to-add": ["BiasAdd"], "to-remove": ["ReduceMeanD"]},
        "white-list": {"to-add": ["Relu"], "to-remove": ["MatMulV2"]},
    }
    (tmp_path / "lists").write_text(json.dumps(lists))
    outputs = ";".join(f"{node}:0" for node in NODES)
    model, _ = built(layers, out_nodes=outputs, precision_mode="allow_mix_precision_fp16", modify_mixlist="lists")
    assert_same(model, by_numpy(["relu", "pool", "exp", "mean", "mul"]))


def test_outputs_and_inputs_of_another_dtype(built):
    model, _ = built(layers, output_type="FP16", input_fp16_nodes="x", precision_mode="force_fp32")
    (result,) = compute(model, X.astype(np.float16))
    assert result.dtype == np.float16
    plain, _ = built(layers, precision_mode="force_fp32")
    assert np.array_equal(result, compute(plain, half(X))[0].astype(np.float16))


def test_a_batch_norm_keeps_its_statistics(built):
    moments = RANDOM.uniform(0.5, 2, size=(4, 1)).astype(np.float32)

    def norm():
        x = tf.reshape(tf.placeholder(tf.float32, [None, 8], name="x"), [-1, 1, 8, 1])
        parts = [tf.constant(value) for value in moments]
        tf.identity(tf.nn.fused_batch_norm(x, *parts, is_training=False)[0], name="output")

    (result,) = compute(built(norm)[0], X)
    scale, offset, mean, variance = moments.astype(np.float64).ravel()
    exact = (half(X) - mean) / np.sqrt(variance + 1e-3) * scale + offset
    np.testing.assert_allclose(result.reshape(2, 8), half(exact.astype(np.float32)), rtol=1e-3)
    assert np.array_equal(result, half(result))


def test_a_settled_branch_gives_its_value(built):
    def branch():
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        other, taken = tf.raw_ops.Switch(data=x, pred=tf.constant(True))
        tf.identity(tf.raw_ops.Merge(inputs=[other + 1.0, taken * 2.0])[0], name="output")

    assert np.array_equal(compute(built(branch)[0], X)[0], half(2 * half(X)))


def test_constants_are_rounded_when_the_model_is_built(built):
    model, _ = built(layers, out_nodes="matmul:0")
    nodes = {node.name: node for node in tf.GraphDef.FromString(model.graph).node}
    weights = nodes[nodes["matmul"].input[1]]
    assert weights.op == "Const"
    assert np.array_equal(tf.make_ndarray(weights.attr["value"].tensor), half(W))
