"""The device: every session of the process passes here from the import of npu_bridge on."""

import atexit
import contextlib
import datetime
import json
import os
import time
from typing import ClassVar, Dict, List, NamedTuple

import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import session as session_lib

from npu_bridge import _era, _graphs, _options, _ranks

SOURCE = "tf_adapter/kernels/geop_npu.cc"
COMPILED = "The model has been compiled on the Ascend AI processor, current graph id is:"
MOST_SHAPES = 10
ITERATION_OP = "IterationOp"
_real = session_lib.BaseSession
_init, _do_run, _close, _del = _real.__init__, _real._do_run, _real.close, _real.__del__
_make_callable = _real.make_callable
_min_log_level = 0


class Graph(NamedTuple):
    """One compilation: its id in the log (0 if nothing of it runs on the device), and what it was made for."""

    graph_id: int
    ops: _graphs.Pruned
    entry: Dict


class Record:
    """What is known of one session. ``kind``: "npu", "offline" (use_off_line False), or "plain" (no NpuOptimizer)."""

    all: ClassVar[List["Record"]] = []
    compiled = 0
    runs = 0

    def __init__(self, kind: str, options: Dict, device):
        self.kind, self.options, self.device, self.closed = kind, options, device, False
        self.graphs: Dict = {}
        Record.all.append(self)


def load_adapter() -> None:
    """What importing npu_bridge does: load the library (here: check the lane), watch sessions, clean up at exit."""
    global _min_log_level
    if os.environ.get("FAKE_NPU_UNSOURCED"):
        message = "libge_runner.so: cannot open shared object file: No such file or directory"
        raise tf.errors.NotFoundError(None, None, message)
    if not tf.__version__.startswith("1.15."):
        raise ImportError(f"_tf_adapter.so: undefined symbol: npu_bridge is for TensorFlow 1.15, not {tf.__version__}")
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "")
    _min_log_level = int(level) if level.isdigit() else 0
    _real.__init__, _real._do_run, _real.close, _real.__del__ = _open, _run, _closing, _collected
    _real.make_callable = _callable
    atexit.register(_at_exit)


def _open(self, target="", graph=None, config=None):
    self._session, self._closed, self._npu = None, True, None  # whatever happens, __del__ and close() work
    record, plain = _record(config)
    _init(self, target=target, graph=graph, config=plain)
    self._config, self._npu = config, record


def _record(config):
    """The record of a new session, and the configuration of the CPU session that stands for it."""
    optimizer = _options.npu_optimizer(config) if isinstance(config, config_pb2.ConfigProto) else None
    if optimizer is None:
        return Record("plain", {}, None), config
    off_line = dict(optimizer.parameter_map.items()).get("use_off_line")
    if off_line is not None and off_line.WhichOneof("value") == "b" and not off_line.b:
        return Record("offline", {"use_off_line": False}, None), _on_cpu(config)
    values = _options.values_of(optimizer)
    _options.check(config, values)
    device, devices = _options.device_of(values), int(os.environ.get("FAKE_NPU_DEVICES") or 8)
    if not 0 <= device < devices:
        raise tf.errors.InternalError(
            None,
            None,
            f"Open device {device} failed. EE1001: The argument is invalid. Reason: Set device failed, "
            f"invalid device, set device={device}, valid device range is [0, {devices})",
        )
    _ranks.check_environment()
    return Record("npu", values, device), _on_cpu(config)


def _on_cpu(config):
    """The same without what is meant for the device, so that results are those of a plain CPU session."""
    plain = config_pb2.ConfigProto()
    plain.CopyFrom(config)
    plain.graph_options.rewrite_options.Clear()
    plain.graph_options.optimizer_options.Clear()
    plain.device_count["GPU"] = 0
    return plain


def _run(self, handle, target_list, fetch_list, feed_dict, options, run_metadata):
    record = self._npu
    if record is None:
        return _do_run(self, handle, target_list, fetch_list, feed_dict, options, run_metadata)
    feeds = dict(feed_dict or {})
    fetched = sorted({op.name: op for op in [t.op for t in fetch_list] + list(target_list)}.items())
    key = (
        tuple(sorted([t.name for t in fetch_list] + [op.name for op in target_list])),
        tuple(sorted((t.name, getattr(value, "shape", ())) for t, value in feeds.items())),
    )
    if record.kind != "npu":
        _refuse_on_cpu(self.graph, [op for _, op in fetched], feeds)
        return _do_run(self, handle, target_list, fetch_list, feed_dict, options, run_metadata)
    if handle is not None:
        raise NotImplementedError("the fake npu_bridge checks session.run; partial_run is not part of it")
    if key not in record.graphs:
        record.graphs[key] = _compile(record, self.graph, [op for _, op in fetched], feeds, key)
    graph = record.graphs[key]
    _fail_if_told()
    _repeat(self, record, graph, feed_dict)
    results = _do_run(self, handle, target_list, fetch_list, feed_dict, options, run_metadata)
    graph.entry["runs"] += 1
    _ranks.after_run(graph.ops.ops)
    return results


def _fail_if_told() -> None:
    Record.runs += 1
    if Record.runs == int(os.environ.get("FAKE_NPU_FAIL") or 0):
        _log("GE: an operator failed, see the lines above")
        raise tf.errors.InternalError(None, None, "GeOp1_0GEOP::::DoRunAsync Failed\nEE9999: Inner Error!")


def _refuse_on_cpu(graph, fetched, feeds) -> None:
    only = graph.get_collection_ref(_graphs.NPU_ONLY)
    if only:
        needed = {op.name for op in _graphs.pruned(fetched, feeds)} & set(only)
        if needed:
            raise tf.errors.InvalidArgumentError(
                None, None, f"{sorted(needed)[0]}: no kernel for this operator on the CPU; it is the NPU's"
            )


def _compile(record, graph, fetched, feeds, key) -> Graph:
    ops = _graphs.Pruned(graph, fetched, feeds)
    ops.check(record.options)
    shapes = {other[1] for other in record.graphs if other[0] == key[0] and _names(other) == _names(key)} | {key[1]}
    if len(shapes) > MOST_SHAPES:
        raise _graphs.GraphError(
            f"{', '.join(_names(key))}: fed in more than {MOST_SHAPES} shapes for the same fetches"
        )
    graph_id = 0
    if ops.compiles:
        graph_id = 1 + 10 * Record.compiled
        Record.compiled += 1
        space = " " if _era.ERA == "9.x" else ""
        _log(f"{COMPILED}{space}{graph_id} (stand-in for npu_bridge: on the CPU)")
    feeds = {name: list(shape) for name, shape in key[1]}
    return Graph(graph_id, ops, {"id": graph_id, "fetches": list(key[0]), "feeds": feeds, "runs": 0})


def _names(key):
    return [name for name, _ in key[1]]


def _repeat(session, record, graph: Graph, feed_dict) -> None:
    """N - 1 of the N iterations of a sunk training operator; the run itself is the last."""
    loops = record.options.get("iterations_per_loop", 1)
    found = [op for op in graph.ops.ops if op.name.split("/")[-1].split("_")[0] == ITERATION_OP]
    for op in found:
        if op.name != ITERATION_OP:
            raise _graphs.GraphError(f"{op.name}: only an operator named exactly {ITERATION_OP} is looped")
    if not found:
        return
    loaded = _loaded(session)
    if loaded != loops - 1:
        raise _graphs.GraphError(
            f"{ITERATION_OP}: {loaded + 1} iterations were loaded, but iterations_per_loop is {loops}"
            if loaded is not None
            else f"{ITERATION_OP}: load_iteration_per_loop_var was not called in this session"
        )
    if loops > 1 and any("Summary" in op.type for op in graph.ops.ops):
        raise _graphs.GraphError(f"{ITERATION_OP}: summaries cannot leave a loop of {loops} iterations")
    for _ in range(loops - 1):
        _do_run(session, None, found, [], feed_dict, None, None)


def _loaded(session):
    """The value of npu_runconfig/iterations_per_loop in this session, None if it was never loaded."""
    for variable in session.graph.get_collection("npu_runconfig_iterations_per_loop"):
        with contextlib.suppress(tf.errors.FailedPreconditionError):
            return int(_do_run(session, None, [], [variable._graph_element], {}, None, None)[0])
    return None


def _callable(self, fetches, feed_list=None, accept_options=False):
    if self._npu is not None and self._npu.kind == "npu":
        raise NotImplementedError("the fake npu_bridge checks session.run; make_callable is not part of it")
    return _make_callable(self, fetches, feed_list, accept_options)


def _closing(self):
    _close(self)
    if self._npu is not None and not self._npu.closed:
        self._npu.closed = True
        _leave_profile(self._npu)


def _collected(self):
    self._npu = None  # who lets a session be collected has not closed it
    _del(self)


def _leave_profile(record) -> None:
    if record.options.get("profiling_mode") and "profiling_options" in record.options:
        output = json.loads(record.options["profiling_options"])["output"]
        folder = os.path.join(output, f"PROF_000001_{time.strftime('%Y%m%d%H%M%S')}000_{os.getpid():08d}FAKE")
        for name in ("host", f"device_{record.device}"):
            os.makedirs(os.path.join(folder, name, "data"), exist_ok=True)


def _log(words: str) -> None:
    stamp = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")
    if os.environ.get("FAKE_NPU_LOG") == "plog":
        folder = os.path.join(os.environ["HOME"], "ascend", "log", "run", "plog")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"plog-{os.getpid()}_{_STARTED}.log"), "a", encoding="utf-8") as file:
            file.write(f"[INFO] TF_ADAPTER({os.getpid()},python):{stamp} [{SOURCE}:746] {words}\n")
    elif _min_log_level == 0:
        os.write(2, f"{stamp}: I {SOURCE}:746] {words}\n".encode())


_STARTED = time.strftime("%Y%m%d%H%M%S") + "000"


def _at_exit() -> None:
    path = os.environ.get("FAKE_NPU_REPORT")
    if not path:
        return
    if os.path.isdir(path):
        path = os.path.join(path, f"npu-{os.getpid()}.json")
    sessions = [
        dict(
            kind=record.kind,
            device=record.device,
            options=record.options,
            graphs=[graph.entry for graph in record.graphs.values()],
            closed=record.closed,
        )
        for record in Record.all
    ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(dict(era=_era.ERA, branch=_era.BRANCH, compiled=Record.compiled, sessions=sessions), file, indent=1)
