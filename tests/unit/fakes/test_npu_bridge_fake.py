"""The fake npu_bridge: the adapter's names and signatures in three eras, its behaviour, and the errors it adds."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import npu_bridge_cases
import pytest

import biggan_cli
from tests.conftest import made_once

FAKE = Path(__file__).parents[2] / "fakes" / "ascend"
API = {
    f"{entry['module']}:{entry['name']}": entry
    for entry in json.loads((FAKE / "npu_bridge_api.json").read_text(encoding="utf-8"))
    if entry["kind"] in ("function", "class", "method") and entry["name"].replace(".", "").isidentifier()
}
BRANCHES = ["r1.1.1", "r1.2.0", "r1.3.0", "r1.5.0", "r1.6.0", "r1.7.0", "r1.8.0", "r1.9.0", "r1.10.0", "r1.11.0"]
BRANCHES += ["r1.12.0", "r1.13.0", "r1.14.0", "r1.15.0", "master", "hicann"]
ERAS = {"2021": "r1.2.0", "5.1": "r1.7.0", "9.x": "hicann"}
# What the fake leaves out: Estimator, Keras, hooks, sub-groups, operators of other networks.
LEFT_OUT = {
    "npu_bridge.npu_init": "npu_run_config_init set_keras_session_npu_config npu_hooks_append npu_callbacks_append "
    "npu_keras_optimizer npu_clear_session NpuEmptyHook",
    "npu_bridge.estimator.npu.util": "set_graph_exec_config npu_compile set_op_input_tensor_multi_dims",
    "npu_bridge.estimator.npu.npu_optimizer": "reduce KerasDistributeOptimizer",
    "npu_bridge.hccl.hccl_ops": "all_to_all_v all_to_all_v_c gather_all_to_all_v _allreduce_grad",
    "npu_bridge.estimator.npu_ops": "dropout outfeed_enqueue_op outfeed_dequeue_op stop_outfeed_dequeue_op LARSV2 "
    "npu_onnx_graph_op",
    "npu_bridge.estimator.npu.npu_scope": "npu_weight_prefetch_scope npu_variable_scope disable_autofuse "
    "limit_core_num_scope",
    "npu_bridge.estimator.npu.npu_config": "NPURunConfig ProfilingConfig DumpConfig MemoryConfig DynamicInputConfig "
    "ExperimentalConfig",
    "npu_bridge.estimator.npu.npu_hook": "NPUBroadcastGlobalVariablesHook NPUCheckpointSaverHook NPUOutputTensorHook "
    "SetIterationsVarHook TellMeStepOrLossHook broadcast_global_variables",
    "npu_bridge.estimator.npu.npu_callbacks": "NPUBroadcastGlobalVariablesCallback",
    "npu_bridge.estimator.npu.npu_strategy": "NPUStrategy",
    "npu_bridge.estimator.npu.npu_estimator": "NPUEstimator NPUEstimatorSpec",
    "npu_bridge.estimator.npu_unary_ops": "npu_unary_ops.gelu",
}
LEFT_OUT = {f"{module}:{name}" for module, names in LEFT_OUT.items() for name in names.split()}

only_tensorflow_1 = pytest.mark.skipif(
    sys.version_info >= (3, 8), reason="npu_bridge exists for TensorFlow 1.15 on Python 3.7 only"
)


def run(*arguments, **changes):
    """Python with the fake on its path and nothing of the caller's NPU environment."""
    foreign = re.compile(r"FAKE_NPU_|BIGGAN_|RANK_|CM_|ASCEND_|DEVICE_ID$|TF_CPP_")
    environment = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    path = [str(FAKE), str(Path(biggan_cli.__file__).parents[1])]
    environment.update(PYTHONPATH=os.pathsep.join(path), **changes)
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, timeout=300)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """era → what its process found."""
    found = {}

    def result(era):
        if era not in found:
            folder = made_once(tmp_path_factory, f"npu-bridge-{era}", lambda folder: run_cases(era, folder))
            found[era] = dict(
                json.loads((folder / "cases.json").read_text()),
                report=json.loads((folder / "report.json").read_text()),
                stderr=(folder / "stderr").read_text(),
                stdout=(folder / "stdout").read_text(),
            )
        return found[era]

    return result


def run_cases(era, folder):
    folder.mkdir()
    done = run(
        npu_bridge_cases.__file__,
        str(folder / "cases.json"),
        FAKE_NPU_ERA=era,
        FAKE_NPU_OVERFLOW="2,4",
        FAKE_NPU_REPORT=str(folder / "report.json"),
    )
    (folder / "stderr").write_text(done.stderr)
    (folder / "stdout").write_text(done.stdout)
    assert done.returncode == 0, done.stderr


@only_tensorflow_1
@pytest.mark.parametrize(
    "era, name", [(era, name) for era in ERAS for name, case in npu_bridge_cases.CASES.items() if era in case.eras]
)
def test_case(results, era, name):
    error, result = npu_bridge_cases.CASES[name].error, results(era)
    outcome = result["cases"][name]
    if error is None:
        assert outcome == "", result["stdout"]
    else:
        assert re.search(error, outcome), outcome or "nothing was refused"


def in_era(entry, era):
    """What the adapter of this era has under an entry of the list: its signature, None if nothing."""
    branches = BRANCHES[: BRANCHES.index(ERAS[era]) + 1]
    first = entry.get("first_seen") or "any r1.1.1"
    first = "hicann" if first.startswith("hicann") else first.split()[1]
    if first not in branches:
        return None
    past = [old["signature"] for old in entry.get("signature_history") or () if old["branch"] in branches]
    return past[-1] if past else entry["signature"]


def parameters(signature):
    """[name, kind, default] of each parameter of a signature in words."""
    arguments = ast.parse(f"def f{signature}: pass").body[0].args
    positional = [(a.arg, "POSITIONAL_OR_KEYWORD") for a in arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    found = [[name, kind, default_of(value)] for (name, kind), value in zip(positional, defaults)]
    if arguments.vararg:
        found.append([arguments.vararg.arg, "VAR_POSITIONAL", ""])
    found += [[a.arg, "KEYWORD_ONLY", default_of(d)] for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    if arguments.kwarg:
        found.append([arguments.kwarg.arg, "VAR_KEYWORD", ""])
    return found


def default_of(node):
    if node is None:
        return ""
    if isinstance(node, ast.Attribute):
        assert node.attr == "GATE_OP"
        return "1"
    return repr(ast.literal_eval(node))


def test_the_list_of_what_is_left_out_is_exact():
    assert set(API) >= LEFT_OUT


@only_tensorflow_1
@pytest.mark.parametrize("era", ERAS)
def test_signatures_are_those_of_the_era(results, era):
    found = results(era)["signatures"]
    assert set(found) == set(API)
    wrong = {}
    for name, entry in API.items():
        signature = in_era(entry, era)
        expected = None if signature is None or name in LEFT_OUT else parameters(signature)
        if found[name] != expected:
            wrong[name] = (found[name], expected)
    assert not wrong


@only_tensorflow_1
@pytest.mark.parametrize("era", ERAS)
def test_nothing_is_invented(results, era):
    shown = {f"{module}:{name}" for module, names in results(era)["public"].items() for name in names}
    assert shown and not shown - set(API)


@only_tensorflow_1
@pytest.mark.parametrize("era", ERAS)
def test_each_graph_has_its_line(results, era):
    result = results(era)
    line = (
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}: I tf_adapter/kernels/geop_npu\.cc:\d+\] "
        r"The model has been compiled on the Ascend AI processor, current graph id is:( ?)(\d+) \(stand-in .*\)$"
    )
    found = re.findall(line, result["stderr"], re.MULTILINE)
    graphs = [graph["id"] for session in result["report"]["sessions"] for graph in session["graphs"] if graph["id"]]
    assert sorted(graphs) == [1 + 10 * number for number in range(result["report"]["compiled"])]
    ids = [int(number) for _, number in found]
    assert set(graphs) - set(ids) and len(set(graphs) - set(ids)) == 1  # one case logs into a file
    assert ids == sorted(ids) and set(ids) < set(graphs)
    assert {space for space, _ in found} == {" " if era == "9.x" else ""}


@only_tensorflow_1
@pytest.mark.parametrize("era", ERAS)
def test_the_report_tells_of_sessions_never_closed(results, era):
    report = results(era)["report"]
    assert report["era"] == era
    (left_open,) = [session for session in report["sessions"] if session["options"] == {"graph_run_mode": 0}]
    assert not left_open["closed"] and left_open["kind"] == "npu"
    assert any(session["closed"] for session in report["sessions"])
    graphs = [graph for session in report["sessions"] for graph in session["graphs"]]
    assert all(graph["fetches"] and isinstance(graph["feeds"], dict) for graph in graphs)


@only_tensorflow_1
def test_lines_are_tensorflows_so_its_level_silences_them():
    program = """if True:
        import tensorflow.compat.v1 as tf
        from npu_bridge.npu_init import npu_config_proto
        with tf.Session(config=npu_config_proto()) as session:
            print(session.run(tf.ones([1]) + 1))
    """
    line = "compiled on the Ascend AI processor"
    assert line in run("-W", "ignore", "-c", program).stderr
    done = run("-W", "ignore", "-c", program, TF_CPP_MIN_LOG_LEVEL="1")
    assert done.returncode == 0 and "[2.]" in done.stdout and line not in done.stderr


@only_tensorflow_1
def test_importing_only_the_adapter_sends_no_session_to_the_device():
    program = """if True:
        import importlib_metadata
        import npu_bridge, tensorflow.compat.v1 as tf
        print(tf.Session()._npu.kind, importlib_metadata.version("npu_bridge"))
    """
    assert run("-W", "ignore", "-c", program).stdout == "plain 1.15.0\n"


@only_tensorflow_1
def test_the_report_goes_into_a_directory_too(tmp_path):
    program = "import npu_bridge, tensorflow.compat.v1 as tf; tf.Session(); print()"
    assert run("-W", "ignore", "-c", program, FAKE_NPU_REPORT=str(tmp_path), FAKE_NPU_ERA="5.1").returncode == 0
    (report,) = tmp_path.glob("npu-*.json")
    (session,) = json.loads(report.read_text())["sessions"]
    assert (session["kind"], session["closed"]) == ("plain", False)


@only_tensorflow_1
def test_an_era_that_is_none():
    done = run("-W", "ignore", "-c", "import npu_bridge", FAKE_NPU_ERA="8")
    assert done.returncode == 1 and "FAKE_NPU_ERA=8: the eras of the fake npu_bridge are 2021, 5.1, 9.x" in done.stderr


@only_tensorflow_1
def test_a_toolkit_that_is_not_sourced():
    done = run("-W", "ignore", "-c", "import npu_bridge", FAKE_NPU_UNSOURCED="1")
    assert done.returncode == 1 and "libge_runner.so: cannot open shared object file" in done.stderr


@pytest.mark.skipif(sys.version_info < (3, 8), reason="about other versions of TensorFlow")
def test_only_for_tensorflow_1():
    done = run("-c", "import npu_bridge")
    assert done.returncode == 1 and "npu_bridge is for TensorFlow 1.15" in done.stderr


def test_the_parameter_map_of_the_product_is_that_of_the_fake():
    product = Path(biggan_cli.__file__).parent / "runtime" / "npu_parameter_map.json"
    product = json.loads(product.read_text(encoding="utf-8"))
    fake = json.loads((FAKE / "npu_bridge" / "npu_parameter_map.json").read_text(encoding="utf-8"))
    assert len({entry["key"] for entry in product}) == len(product) == 111
    assert [{name: entry[name] for name in fake[0]} for entry in product] == fake
    assert all(set(entry) - set(fake[0]) == {"group", "default", "values", "doc_status"} for entry in product)
