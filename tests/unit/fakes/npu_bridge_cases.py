"""What the fake npu_bridge does, one small graph at a time; run as a program, in one process per era.

``python npu_bridge_cases.py REPORT`` writes {"signatures": …, "cases": {name: outcome}} to REPORT. The outcome of a
case is "" if it went well, else "ErrorType: message". A case that must fail states the error with :func:`fails`.
"""

import collections
import importlib
import inspect
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

API = Path(__file__).parents[2] / "fakes" / "ascend" / "npu_bridge_api.json"
ERAS = ("2021", "5.1", "9.x")
Case = collections.namedtuple("Case", "function error eras")
CASES = {}


def case(function=None, error=None, eras=ERAS):
    """Register a case of these eras; with ``error`` it must fail with words that match."""
    if function is None:
        return lambda function: case(function, error, eras)
    CASES[function.__name__] = Case(function, error, eras)
    return function


def fails(error, eras=ERAS):
    return case(error=error, eras=eras)


def config_of(**options):
    """A ConfigProto as §1.1 of the contract wants it, with these entries in the parameter map."""
    config = tf.ConfigProto(allow_soft_placement=True)
    rewrite = config.graph_options.rewrite_options
    rewrite.remapping = rewrite.memory_optimization = rewriter_config_pb2.RewriterConfig.OFF
    config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.OFF
    optimizer = rewrite.custom_optimizers.add()
    optimizer.name = "NpuOptimizer"
    for key, value in options.items():
        entry = optimizer.parameter_map[key]
        if isinstance(value, bool):
            entry.b = value
        elif isinstance(value, int):
            entry.i = value
        else:
            entry.s = value.encode()
    return config


def opened(**options):
    return tf.Session(config=config_of(**options))


def graphs_of(session):
    return [graph.entry["id"] for graph in session._npu.graphs.values()]


def run(fetches, feed_dict=None, **options):
    with opened(**options) as session:
        session.run(tf.global_variables_initializer())
        return session.run(fetches, feed_dict)


def scalar(value=1.0, dtype=None):
    dtype = dtype or tf.float32
    return tf.get_variable("v", [2], dtype, tf.constant_initializer(value), use_resource=True)


# --- loss scaling; first, because FAKE_NPU_OVERFLOW=2,4 counts the checks of the process


def scaled(manager, gradient=None, learning_rate=1.0):
    """A variable that starts at 1 and loses its gradient, 1 if not fed, in each step: (variable, step, train_op)."""
    variable = scalar()
    factor = tf.placeholder_with_default(tf.ones([2]), [2], name="factor")
    optimizer = NPULossScaleOptimizer(tf.train.GradientDescentOptimizer(learning_rate), manager)
    step = tf.train.get_or_create_global_step()
    gradients = optimizer.compute_gradients(tf.reduce_sum(variable * factor), [variable])
    return variable, step, optimizer.apply_gradients(gradients, global_step=step), factor


@case
def forced_overflow_skips_update_and_step():
    manager = managers.ExponentialUpdateLossScaleManager(1024.0, 100, decr_every_n_nan_or_inf=2, decr_ratio=0.5)
    variable, step, train, _ = scaled(manager)
    seen = []
    with opened(precision_mode="allow_mix_precision") as session:
        session.run(tf.global_variables_initializer())
        for _ in range(4):
            session.run(train)
            seen.append((session.run(variable)[0], session.run(step), session.run(manager.get_loss_scale())))
    assert seen == [(0.0, 1, 1024.0), (0.0, 1, 1024.0), (-1.0, 2, 1024.0), (-1.0, 2, 512.0)], seen
    names = {v.op.name for v in tf.global_variables()}
    assert {"loss_scale", "good_steps", "bad_steps"} <= names, names


@case
def an_overflow_of_float16_skips_the_update():
    variable, step, train, factor = scaled(managers.FixedLossScaleManager(8.0))
    with opened() as session:
        session.run(tf.global_variables_initializer())
        for bad in (65505.0, -1e6, float("inf"), float("nan")):
            session.run(train, {factor: [1.0, bad]})
            assert list(session.run(variable)) == [1.0, 1.0] and session.run(step) == 0
        session.run(train, {factor: [1.0, -65504.0]})
        assert list(session.run(variable)) == [0.0, 65505.0] and session.run(step) == 1


@case
def the_scale_rises_after_good_steps():
    manager = managers.ExponentialUpdateLossScaleManager(4.0, 2)
    _, _, train, _ = scaled(manager)
    with opened() as session:
        session.run(tf.global_variables_initializer())
        scales = []
        for _ in range(4):
            session.run(train)
            scales.append(float(session.run(manager.get_loss_scale())))
    assert scales == [4, 8, 8, 16], scales


@case
def the_loss_is_scaled_and_gradients_are_not():
    variable = scalar()
    optimizer = NPULossScaleOptimizer(tf.train.GradientDescentOptimizer(1.0), managers.FixedLossScaleManager(256.0))
    ((gradient, _),) = optimizer.compute_gradients(tf.reduce_sum(3 * variable), [variable])
    assert list(run(gradient)) == [3.0, 3.0]
    names = [type(optimizer).__mro__[index].__name__ for index in (2,)]
    assert names == ["Optimizer" if era == "2021" else "LossScaleOptimizer"], names


@case(eras=("5.1", "9.x"))
def a_fixed_scale_can_go_unchecked():
    variable, _, train, factor = scaled(managers.FixedLossScaleManager(8.0, enable_overflow_check=False))
    with opened() as session:
        session.run(tf.global_variables_initializer())
        session.run(train, {factor: [0.0, 1e6]})
        assert session.run(variable)[1] == 1 - 1e6


@fails("overflow_status_reduce_all.*one status register")
def two_checks_in_one_run():
    manager = managers.FixedLossScaleManager(8.0)
    variable = scalar()
    optimizers = [NPULossScaleOptimizer(tf.train.GradientDescentOptimizer(1.0), manager) for _ in "dg"]
    run([optimizer.minimize(tf.reduce_sum(variable)) for optimizer in optimizers])


@fails("Placeholder not support")
def a_manager_in_control_dependencies():
    with tf.control_dependencies([tf.no_op()]):
        managers.ExponentialUpdateLossScaleManager(4.0, 2)


@fails("overflow_status_reduce_all: no kernel", eras=("2021", "5.1"))
def loss_scaling_on_the_cpu():
    _, _, train, _ = scaled(managers.FixedLossScaleManager(8.0))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train)


# --- sessions


@case(eras=("5.1", "9.x"))
def a_session_with_the_optimizer_is_the_devices():
    with opened(precision_mode="allow_mix_precision", session_device_id=3) as session:
        variable = scalar(2.0)
        session.run(variable.initializer)
        assert list(session.run(variable * 2)) == [4.0, 4.0]
        record = session._npu
        assert (record.kind, record.device) == ("npu", 3)
        assert record.options == {"precision_mode": "allow_mix_precision", "session_device_id": 3}
    assert record.closed


@case
def the_same_fetches_are_one_graph():
    x = tf.placeholder(tf.float32, [2], name="x")
    a, b = x + 1, x + 2
    with opened() as session:
        for fetches in ([a, b], [b, a], {"b": b, "a": a}):
            session.run(fetches, {x: [0, 0]})
        session.run(a, {x: [0, 0]})
        session.run(tf.no_op())  # nothing for the device
        ids = graphs_of(session)
    assert ids[1] - ids[0] == 10 and ids[2] == 0 and len(ids) == 3, ids


@case
def off_line_is_plain():
    config = config_of(use_off_line=False)
    config.graph_options.rewrite_options.Clear()
    optimizer = config.graph_options.rewrite_options.custom_optimizers.add()
    optimizer.name = "NpuOptimizer"
    optimizer.parameter_map["use_off_line"].b = False
    with tf.Session(config=config) as session:
        assert session._npu.kind == "offline"
        assert session.run(tf.constant(1.0, tf.float64)) == 1.0


@case
def a_bare_session():
    with tf.Session() as session:
        assert session._npu.kind == ("npu" if era == "9.x" else "plain")
        session.run(tf.constant(1.0) + 1)
    session = tf.InteractiveSession()
    assert session._npu.kind == ("npu" if era == "9.x" else "plain")
    session.close()


@case
def never_closed():
    session = opened(graph_run_mode=0)  # the report says so
    session.run(tf.constant(1.0) + 1)


@case
def a_log_in_a_file():
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HOME=home, FAKE_NPU_LOG="plog")
        try:
            with opened() as session:
                session.run(tf.ones([2]) + tf.ones([2]))
        finally:
            del os.environ["FAKE_NPU_LOG"]
        (log,) = (Path(home) / "ascend" / "log" / "run" / "plog").glob(f"plog-{os.getpid()}_*.log")
        assert "compiled on the Ascend AI processor, current graph id is:" in log.read_text()


@case(eras=("5.1", "9.x"))
def npu_config_proto_gives_its_argument():
    config = tf.ConfigProto()
    assert npu_init.npu_config_proto(config) is config
    with tf.Session(config=config) as session:
        assert session._npu.kind == "npu"
    config.graph_options.rewrite_options.custom_optimizers.add().name = "other"
    npu_init.npu_config_proto(config)
    assert len(config.graph_options.rewrite_options.custom_optimizers) == 2


@fails("EE1001.*device=8, valid device range is .0, 8.", eras=("5.1", "9.x"))
def a_device_that_is_not_there():
    opened(session_device_id=8)


@fails("device=9")
def a_device_of_the_environment_that_is_not_there():
    os.environ["ASCEND_DEVICE_ID"] = "9"
    try:
        opened()
    finally:
        del os.environ["ASCEND_DEVICE_ID"]


@fails("RANK_SIZE is 2, but RANK_TABLE_FILE")
def ranks_without_a_table():
    os.environ["RANK_SIZE"] = "2"
    try:
        opened()
    finally:
        del os.environ["RANK_SIZE"]


def _without(name):
    config = config_of()
    options = config.graph_options
    {"global_jit_level": options.optimizer_options}.get(name, options.rewrite_options).ClearField(name)
    tf.Session(config=config)


@fails("remapping: must be OFF", eras=("2021", "5.1"))
def remapping_left_on():
    _without("remapping")


@fails("memory_optimization: must be OFF")
def memory_optimization_left_on():
    _without("memory_optimization")


@fails("global_jit_level: must be OFF", eras=("2021", "5.1"))
def jit_left_on():
    _without("global_jit_level")


@fails("allow_soft_placement: must be True", eras=("2021", "5.1"))
def soft_placement_off():
    config = config_of()
    config.allow_soft_placement = False
    tf.Session(config=config)


# --- options


REFUSED = {
    "no_such_key": ({"precision": "x"}, "precision: the adapter knows no such key", ERAS),
    "a_key_of_the_past": ({"fp_point": "x"}, "fp_point: this adapter", ERAS),
    "a_key_of_the_future": ({"deterministic": 1}, "deterministic: this adapter", ("2021", "5.1")),
    "jit_compile_too_early": ({"jit_compile": "auto"}, "jit_compile: this adapter", ("2021", "5.1")),
    "jit_compile_as_bool": ({"jit_compile": True}, r"jit_compile: bytes \(.s\) is wanted, but .b", ("9.x",)),
    "a_bool_as_int": ({"enable_data_pre_proc": 1}, r"enable_data_pre_proc: bool \(.b\)", ERAS),
    "an_int_as_bool": ({"graph_run_mode": True}, r"graph_run_mode: int \(.i\)", ERAS),
    "an_int_as_string": ({"iterations_per_loop": "2"}, r"iterations_per_loop: int \(.i\)", ERAS),
    "off_line_as_int": ({"use_off_line": 0}, r"use_off_line: bool \(.b\)", ERAS),
    "no_such_mode": ({"precision_mode": "mixed"}, "precision_mode: 'mixed' is none of", ERAS),
    "bfloat16": ({"precision_mode": "allow_mix_precision_bf16"}, "precision_mode", ERAS),
    "fp16_in_training": ({"precision_mode": "force_fp16"}, "for inference", ERAS),
    "run_mode": ({"graph_run_mode": 2}, "graph_run_mode: 2 is none of", ERAS),
    "no_iterations": ({"iterations_per_loop": 0}, "iterations_per_loop: 0 is not between", ERAS),
    "iterations_without_data": ({"iterations_per_loop": 2}, "needs enable_data_pre_proc", ERAS),
    "iterations_mixed": (
        {"iterations_per_loop": 2, "enable_data_pre_proc": True, "mix_compile_mode": True},
        "must be 1 with mix_compile_mode",
        ERAS,
    ),
    "iterations_lazy": (
        {
            "iterations_per_loop": 2,
            "enable_data_pre_proc": True,
            "dynamic_input": True,
            "dynamic_graph_execute_mode": "lazy_recompile",
        },
        "lazy_recompile",
        ("5.1", "9.x"),
    ),
    "two_precisions": (
        {"precision_mode": "force_fp32", "precision_mode_v2": "origin"},
        "precision_mode and precision_mode_v2 exclude",
        ("9.x",),
    ),
    "no_file": ({"fusion_switch_file": "/nowhere"}, "fusion_switch_file: there is no file", ERAS),
    "both_dumps": ({"enable_dump": True, "enable_dump_debug": True, "dump_path": "/tmp"}, "enable_dump and", ERAS),
    "dump_nowhere": ({"enable_dump": True}, "dump_path", ERAS),
    "dump_steps": ({"dump_step": "|".join(map(str, range(101)))}, "dump_step: 100 ranges", ERAS),
    "half_a_shape": ({"dynamic_dims": "1;2"}, "come together", ERAS),
    "cache_mode": ({"op_compiler_cache_mode": "on"}, "op_compiler_cache_mode: 'on' is none of", ERAS),
    "host_variables": ({"variable_placement": "Host"}, "variable_placement Host needs", ("9.x",)),
    "timeout": ({"hccl_timeout": 20000}, "hccl_timeout: 20000 is not between", ("5.1", "9.x")),
    "profiling_no_json": ({"profiling_options": "x"}, "profiling_options: no JSON", ERAS),
    "profiling_unknown": ({"profiling_options": '{"out": "x"}'}, "profiling_options: an object of", ERAS),
    "profiling_nowhere": (
        {"profiling_mode": True, "profiling_options": '{"output": "/nowhere/at/all"}'},
        "is no directory; make it first",
        ERAS,
    ),
    "profiling_points": ({"profiling_options": '{"training_trace": "on"}'}, "needs fp_point and bp_point", ERAS),
}


def _register_refused():
    for name, (options, error, eras) in REFUSED.items():
        CASES[f"refuses_{name}"] = Case(lambda options=options: opened(**options), error, eras)


_register_refused()


@fails("needs a mixed mode", eras=("5.1", "9.x"))
def a_list_without_a_mixed_mode():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "list.json")
        Path(path).write_text('{"black-list": {"to-add": ["ReduceSumD"]}}')
        opened(modify_mixlist=path, precision_mode="allow_mix_precision").close()
        opened(modify_mixlist=path)


@fails("fusion_switch_file: .* has not the layout")
def a_fusion_switch_of_another_layout():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fusion.cfg")
        Path(path).write_text('{"Switch": {"GraphFusion": {"ALL": "off"}, "UBFusion": {"ALL": "off"}}}')
        opened(fusion_switch_file=path).close()
        Path(path).write_text('{"Switch": {"GraphFusion": {"ALL": false}}}')
        opened(fusion_switch_file=path)


@case
def a_profile_leaves_a_folder():
    with tempfile.TemporaryDirectory() as folder:
        options = json.dumps({"output": folder, "task_trace": "on", "aicpu": "on"})
        opened(profiling_mode=True, profiling_options=options).close()
        (profile,) = Path(folder).iterdir()
        assert profile.name.startswith("PROF_000001_") and (profile / "device_0").is_dir()


# --- graphs


@fails("double: Cast makes float64")
def float64():
    run(tf.cast(scalar(), tf.float64, name="double"))


@fails("wide: VarHandleOp makes float64")
def a_float64_variable():
    variable = tf.get_variable("wide", [2], tf.float64, tf.zeros_initializer(), use_resource=True)
    run(tf.cast(variable, tf.float32))


@case
def float64_in_an_initialiser():
    value = tf.cast(tf.random.uniform([2], dtype=tf.float64), tf.float32)
    run(tf.get_variable("v", initializer=value, use_resource=True))


@fails("makes complex64")
def complex_numbers():
    run(tf.abs(tf.complex(scalar(), tf.ones([2]))))


@fails("bad: IsFinite is not supported")
def is_finite():
    run(tf.is_finite(scalar(), name="bad"))


@fails("is a v1 control operator")
def a_condition():
    variable = scalar()
    run(tf.cond(variable[0] > 0, lambda: variable * 1, lambda: variable * 2))


@fails("is a v1 control operator")
def a_loop():
    run(tf.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.constant(0)]))


@fails("runs on the host only")
def a_python_function():
    run(tf.py_func(lambda: 1, [], tf.int64))


@case
def a_python_function_in_a_mixed_graph():
    number = tf.py_func(lambda: np.int32(1), [], tf.int32)
    number.set_shape([])
    assert run(number + 1, mix_compile_mode=True) == 2


@fails("runs on the host only")
def a_queue():
    queue = tf.FIFOQueue(2, [tf.float32], [[]])
    run(queue.dequeue())


@fails("HashTable.*runs on the host only")
def a_table():
    keys = tf.constant(["a"])
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, tf.constant([1])), 0)
    run(table.lookup(keys))


@fails("without_npu_compile_scope needs mix_compile_mode")
def left_out_without_mixing():
    with npu_scope.keep_dtype_scope():
        kept = scalar() + 1
    with npu_scope.without_npu_compile_scope():
        left = kept + 1
    run(kept)
    run(left)


@fails("has the dynamic shape")
def a_dynamic_shape():
    x = tf.placeholder(tf.float32, [None, 2])
    run(x * 2, {x: [[1, 2]]})


@fails("more than 10 shapes")
def many_shapes():
    x = tf.placeholder(tf.float32, [None, 2])
    total = tf.reduce_sum(x)
    with opened() as session:
        for size in range(1, 12):
            session.run(total, {x: [[1, 2]] * size})
            assert size <= 10


@case
def shape_arithmetic_is_folded():
    variable = scalar()
    product = tf.reshape(tf.ones([3, 1]), [3, 1]) * variable
    gradient = tf.gradients(tf.reduce_sum(product), [variable])
    assert list(run(gradient)[0]) == [3.0, 3.0]


@case
def saving_and_restoring():
    variable = scalar(5.0)
    saver = tf.train.Saver([variable])
    with tempfile.TemporaryDirectory() as folder, opened() as session:
        session.run(variable.initializer)
        path = saver.save(session, os.path.join(folder, "model"))
        session.run(variable.assign([0.0, 0.0]))
        saver.restore(session, path)
        assert list(session.run(variable)) == [5.0, 5.0]


@fails("partial_run is not part of it")
def a_partial_run():
    x = tf.placeholder(tf.float32, [])
    y = x + 1
    with opened() as session:
        session.partial_run(session.partial_run_setup([y], [x]), y, {x: 1})


@fails("make_callable is not part of it")
def a_callable():
    with opened() as session:
        session.make_callable(tf.ones([2]))


# --- data and iterations


def counted(one_shot=False):
    """A variable that adds up 1, 2, 3, … from a data set made on the host: (iterator, variable, op)."""

    def number(i):
        value = tf.numpy_function(lambda i: np.float32(float(np.float64(i))), [i], tf.float32)
        value.set_shape([])
        return value

    dataset = tf.data.Dataset.range(1, 100).map(number).prefetch(1)
    make = tf.data.make_one_shot_iterator if one_shot else tf.data.make_initializable_iterator
    if one_shot:
        dataset = tf.data.Dataset.from_tensors(np.float32(1)).repeat()
    iterator = make(dataset)
    total = tf.get_variable("total", [], tf.float32, tf.zeros_initializer(), use_resource=True)
    return iterator, total, total.assign_add(iterator.get_next()).op


LOOP = dict(iterations_per_loop=4, enable_data_pre_proc=True)


@case
def four_iterations():
    iterator, total, op = counted()
    with opened(**LOOP) as session:
        session.run(tf.global_variables_initializer())
        session.run(iterator.initializer)
        looped = util.set_iteration_per_loop(session, op, 4)
        assert looped.name == "IterationOp"
        session.run(looped)
        assert session.run(total) == 10
        session.run(looped)
        assert session.run(total) == 36
        local = {v.op.name: session.run(v) for v in tf.local_variables()}
    expected = {"iterations_per_loop": 3, "loop_cond": 0, "zero": 0, "one": 1}
    assert local == {f"npu_runconfig/{name}": value for name, value in expected.items()}, local
    assert all(v.dtype.base_dtype == tf.int64 for v in tf.local_variables())
    assert "total" in {v.op.name for v in tf.global_variables()} and len(tf.global_variables()) == 1


@case
def iterations_in_two_parts():
    iterator, total, op = counted()
    loop = util.IterationPerLoop()
    looped = loop.create_iteration_per_loop_var(op)
    initialize = tf.global_variables_initializer()
    tf.get_default_graph().finalize()
    with opened(**LOOP) as session:
        session.run(initialize)
        session.run(iterator.initializer)
        loop.load_iteration_per_loop_var(session, 4)
        session.run(looped)
        assert session.run(total) == 10


@case
def one_iteration_is_the_operator():
    op = tf.no_op()
    assert util.set_iteration_per_loop(None, op, 1) is op


@fails("^ValueError: train_op must be an operation")
def iterations_of_a_tensor():
    util.set_iteration_per_loop(None, tf.ones([2]), 2)


@fails("^TypeError: iterations_per_loop must be an int")
def half_an_iteration():
    util.set_iteration_per_loop(None, tf.no_op(), 1.5)


@fails("^ValueError: iterations_per_loop must be positive")
def negative_iterations():
    util.set_iteration_per_loop(None, tf.no_op(), 0)


@fails("3 iterations were loaded, but iterations_per_loop is 4")
def other_iterations():
    _, _, op = counted()
    with opened(**LOOP) as session:
        session.run(util.set_iteration_per_loop(session, op, 3))


@fails("2 iterations were loaded, but iterations_per_loop is 1")
def iterations_that_the_session_does_not_know():
    op = scalar().assign_add([1.0, 1.0]).op
    with opened() as session:
        session.run(util.set_iteration_per_loop(session, op, 2))


@fails("load_iteration_per_loop_var was not called")
def iterations_never_loaded():
    op = scalar().assign_add([1.0, 1.0]).op
    looped = util.IterationPerLoop().create_iteration_per_loop_var(op)
    run(looped, **LOOP)


@fails("IterationOp_1: only an operator named exactly IterationOp")
def a_second_loop():
    op = scalar().assign_add([1.0, 1.0]).op
    with opened(**LOOP) as session:
        util.set_iteration_per_loop(session, op, 4)
        session.run(util.set_iteration_per_loop(session, op, 4))


@fails("IterationOp: summaries cannot leave a loop")
def a_summary_of_a_loop():
    _, total, op = counted()
    with opened(**LOOP) as session:
        looped = util.set_iteration_per_loop(session, op, 4)
        session.run([looped, tf.summary.scalar("total", total)])


@fails("a one-shot iterator cannot be used when iterations_per_loop is 4")
def a_one_shot_iterator():
    _, _, op = counted(one_shot=True)
    run(op, **LOOP)


@fails("an iterator and variables are initialised in one session.run")
def iterator_and_variables_at_once():
    iterator, _, _ = counted()
    with opened() as session:
        session.run([iterator.initializer, tf.global_variables_initializer()])


# --- one rank


@fails("get rank id: HCCL is not initialised")
def a_rank_too_early():
    hccl_api.get_rank_id()


@case
def a_rank_in_time():
    with opened() as session:
        session.run(npu_ops.initialize_system())
        assert (hccl_api.get_rank_id(), hccl_api.get_rank_size()) == (0, 1)
        session.run(npu_ops.shutdown_system())


@fails("NPUInit: no kernel", eras=("2021", "5.1"))
def the_system_on_the_cpu():
    with tf.Session() as session:
        session.run(npu_ops.initialize_system())


@case(eras=("5.1", "9.x"))
def resources():
    assert (npu_init.get_npu_rank_id(), npu_init.get_npu_rank_size()) == (0, 1)
    session, shutdown = npu_init.init_resource()
    assert npu_init.get_npu_rank_size() == 1
    npu_init.shutdown_resource(session, shutdown)
    npu_init.close_session(session)
    assert session._npu.closed


@case
def distribution_of_one():
    variable = scalar()
    optimizer = npu_init.NPUDistributedOptimizer(tf.train.GradientDescentOptimizer(0.5))
    with opened() as session:
        session.run(tf.global_variables_initializer())
        session.run(optimizer.minimize(tf.reduce_sum(variable)))
        assert list(session.run(variable)) == [0.5, 0.5]
        (same,) = hccl_ops.broadcast([tf.identity(variable)], 0)
        assert list(session.run(same)) == [0.5, 0.5]
        assert list(session.run(hccl_ops.allreduce(tf.identity(variable), "sum"))) == [0.5, 0.5]


@fails("the fake npu_bridge has one rank, and RANK_SIZE is 2")
def distribution_of_two():
    os.environ["RANK_SIZE"] = "2"
    try:
        variable = scalar()
        npu_init.NPUDistributedOptimizer(tf.train.GradientDescentOptimizer(0.5)).minimize(tf.reduce_sum(variable))
    finally:
        del os.environ["RANK_SIZE"]


@fails("^TypeError: broadcast: a list")
def a_broadcast_of_no_list():
    hccl_ops.broadcast(tf.ones([2]), 0)


@fails("float64 is no dtype of HCCL")
def an_allreduce_of_float64():
    hccl_ops.allreduce(tf.ones([2], tf.float64), "sum")


# --- signatures


def signatures():
    """API entry → the parameters of what the fake has under its name, None if it has nothing there."""
    found = {}
    for entry in json.loads(API.read_text(encoding="utf-8")):
        if entry["kind"] not in ("function", "class", "method") or not entry["name"].replace(".", "").isidentifier():
            continue
        try:
            thing = importlib.import_module(entry["module"])
            for part in entry["name"].split("."):
                thing = getattr(thing, part)
        except (ImportError, AttributeError):
            thing = None
        found[f"{entry['module']}:{entry['name']}"] = thing and described(thing, entry["kind"] == "method")
    return found


def described(thing, method):
    parameters = list(inspect.signature(thing).parameters.values())[1 if method else 0 :]
    return [[p.name, str(p.kind), repr(p.default) if p.default is not p.empty else ""] for p in parameters]


def public_names():
    """What the fake defines and shows: module → names of functions and classes."""
    shown = {}
    for name in sorted(sys.modules):
        module = sys.modules[name]
        if name.split(".")[0] in ("npu_bridge", "hccl") and "._" not in name:
            shown[name] = [
                key
                for key, value in vars(module).items()
                if not key.startswith("_") and getattr(value, "__module__", None) == name and callable(value)
            ]
    return shown


def outcome(function):
    try:
        with tf.Graph().as_default():
            function()
        return ""
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        return f"{type(error).__name__}: {error}"


def main(report):
    outcomes = {name: outcome(entry.function) for name, entry in CASES.items() if era in entry.eras}
    content = dict(cases=outcomes, signatures=signatures(), public=public_names())
    Path(report).write_text(json.dumps(content))


if __name__ == "__main__":
    era = os.environ["FAKE_NPU_ERA"]
    import numpy as np
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf import rewriter_config_pb2

    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_v2_behavior()
    from hccl.manage import api as hccl_api
    from npu_bridge import npu_init
    from npu_bridge.estimator import npu_ops
    from npu_bridge.estimator.npu import npu_loss_scale_manager as managers
    from npu_bridge.estimator.npu import npu_scope, util
    from npu_bridge.estimator.npu.npu_loss_scale_optimizer import NPULossScaleOptimizer
    from npu_bridge.hccl import hccl_ops

    main(sys.argv[1])
