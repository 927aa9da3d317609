"""What one session.run would send to the device, and whether a device can take it."""

import re
from typing import Dict, List

import tensorflow.compat.v1 as tf

LOSS_SCALE_SCOPE = "npu_loss_scale"  # operators under this name are the loss-scale optimizer's own
OVERFLOW_STATUS = "overflow_status_reduce_all"
NPU_ONLY = "npu_only_operators"  # a graph's collection of names of operators that no other device has
HOST_ATTRIBUTE = "_without_npu_compile"

_OWN = re.compile(rf"(^|/){LOSS_SCALE_SCOPE}(_\d+)?/")
_HOST = re.compile(r"Dataset|^Iterator(?!GetNext)|^MakeIterator$|^SaveV2$|^RestoreV2$|^MergeV2Checkpoints$|Summary")
_V1_CONTROL_FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
_V1_CONTROL_FLOW |= {"Ref" + name for name in _V1_CONTROL_FLOW}
_HOST_ONLY = re.compile(
    r"^(Eager)?PyFunc|^Queue|Queue(V2)?$|HashTable|^LookupTable|^ReadFile$|^WriteFile$|^Decode|^Encode"
)
_UNSUPPORTED = {"IsFinite", "IsNan", "IsInf"}
_NO_DTYPES = {tf.float64, tf.complex64, tf.complex128, tf.variant}
_VARIABLES = {"VarHandleOp", "VariableV2", "Variable", "ReadVariableOp"}
_NOTHING = {"NoOp", "Const", "Placeholder", "PlaceholderWithDefault"}
_SHAPE_READERS = {"Shape", "ShapeN", "Size", "Rank"}


class GraphError(RuntimeError):
    """A graph that the device does not take, or that it takes badly."""


def pruned(fetches: List, fed) -> List:
    """The operators that a run needs: what leads to ``fetches`` (operators) without passing a fed tensor."""
    found, stack = {}, list(fetches)
    while stack:
        op = stack.pop()
        if op in found:
            continue
        found[op] = True
        stack.extend(op.control_inputs)
        stack.extend(tensor.op for tensor in op.inputs if tensor not in fed)
    return sorted(found, key=lambda op: op._id)


class Pruned:
    """The operators of one run, divided into what the host does and what the device does."""

    def __init__(self, graph, fetches: List, fed):
        self.graph, self.fed = graph, fed
        self.ops = pruned(fetches, fed)
        self._fetched = set(fetches)
        self._consumers = self._consumers_of()
        self.host = self._leading_to(lambda op: _on_host(op), stop=_VARIABLES)
        names = {op.name for op in self._initializers()}
        self._initial = self._leading_to(lambda op: op.name in names, stop=_VARIABLES)
        self.initializes = any(op.name in names for op in self.ops)
        self._constant = set()
        for op in self.ops:
            if _is_constant(op, self._constant):
                self._constant.add(op)
        self.device = [op for op in self.ops if op not in self.host]
        self.compiles = any(op.type not in _NOTHING for op in self.device)

    def check(self, options: Dict[str, object]) -> None:
        """Raise what a device of these options would not take."""
        mixed, loops = options.get("mix_compile_mode", False), options.get("iterations_per_loop", 1)
        for op in self.ops:
            if op.type == "OneShotIterator" and loops != 1:
                raise GraphError(f"{op.name}: a one-shot iterator cannot be used when iterations_per_loop is {loops}")
        for op in self.ops:
            if not mixed:
                self._check_operator(op)
        for op in self.device:
            self._check_dtypes(op)
            self._check_shapes(op)
        checks = [op.name for op in self.ops if op.name.split("/")[-1].startswith(OVERFLOW_STATUS)]
        if len(checks) > 1:
            raise GraphError(
                f"{' and '.join(checks)}: one status register serves both overflow checks of this session.run; "
                "use two session.run, or one check for all gradients"
            )
        if self.initializes and any(op.type == "MakeIterator" for op in self.ops):
            raise GraphError("an iterator and variables are initialised in one session.run; variables may stay zero")

    def _check_operator(self, op) -> None:
        if op.type in _UNSUPPORTED and op not in self.host:
            raise GraphError(f"{op.name}: {op.type} is not supported on the device")
        if _HOST_ONLY.search(op.type) and not _OWN.search(op.name):
            raise GraphError(f"{op.name}: {op.type} runs on the host only and needs mix_compile_mode")
        if op.type in _V1_CONTROL_FLOW and op not in self.host and not _OWN.search(op.name):
            raise GraphError(f"{op.name}: {op.type} is a v1 control operator")
        if _attribute(op, HOST_ATTRIBUTE):
            raise GraphError(f"{op.name}: without_npu_compile_scope needs mix_compile_mode")

    def _check_dtypes(self, op) -> None:
        if op in self._initial and op.type not in _VARIABLES:
            return
        dtypes = {tensor.dtype.base_dtype for tensor in op.outputs if tensor not in self.fed}
        if op.type == "VarHandleOp":
            dtypes.add(op.get_attr("dtype"))
        for dtype in dtypes & _NO_DTYPES:
            raise GraphError(f"{op.name}: {op.type} makes {dtype.name}, which the device does not support")

    def _check_shapes(self, op) -> None:
        if op in self._constant or self._restores(op):
            return
        for tensor in op.outputs:
            if tensor not in self.fed and not tensor.shape.is_fully_defined():
                raise GraphError(f"{tensor.name}: {op.type} has the dynamic shape {tensor.shape}")

    def _restores(self, op) -> bool:
        """Whether it only passes on what the host has read from a file."""
        while op.type == "Identity" and op.inputs[0] not in self.fed:
            op = op.inputs[0].op
        return op.type == "RestoreV2"

    def _consumers_of(self) -> Dict:
        consumers = {op: [] for op in self.ops}
        for op in self.ops:
            for before in [tensor.op for tensor in op.inputs if tensor not in self.fed] + op.control_inputs:
                consumers[before].append(op)
        return consumers

    def _leading_to(self, root, stop) -> set:
        """Operators that are ``root``, and those whose results only such operators use."""
        chosen = set()
        for op in reversed(self.ops):
            used = self._consumers[op]
            only = used and op.type not in stop and op not in self._fetched and all(user in chosen for user in used)
            if root(op) or only:
                chosen.add(op)
        return chosen

    def _initializers(self):
        keys = (tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.LOCAL_VARIABLES)
        return [variable.initializer for key in keys for variable in self.graph.get_collection(key)]


def _on_host(op) -> bool:
    tensors = list(op.outputs) + list(op.inputs)
    return bool(_HOST.search(op.type)) or any(tensor.dtype.base_dtype == tf.string for tensor in tensors)


def _is_constant(op, constant) -> bool:
    """Whether TensorFlow folds it away before the device sees the graph: arithmetic on known shapes."""
    if op.type == "Const":
        return True
    if op.type in _SHAPE_READERS:
        return all(tensor.shape.is_fully_defined() for tensor in op.inputs)
    return bool(len(op.inputs)) and all(tensor.op in constant for tensor in op.inputs)


def _attribute(op, name):
    try:
        return op.get_attr(name)
    except ValueError:
        return None
