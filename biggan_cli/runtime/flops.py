"""How many floating-point operations a graph does, counted from its static shapes."""

from collections import Counter
from typing import Dict, Sequence

_MATRIX_PRODUCTS = {
    "MatMul": "transpose_a",
    "BatchMatMul": "adj_x",
    "BatchMatMulV2": "adj_x",
    "BatchMatMulV3": "adj_x",
}
"""Operator → its attribute that says whether the first factor is transposed."""


def count(fetches: Sequence) -> Dict[str, int]:
    """Type of the factors → operations of one run that fetches these tensors and operations.

    Two for each multiplication of the convolutions, of their gradients and of the matrix products, which are nearly
    all of the work; what goes over an edge into padding counts too, as it does elsewhere. Everything element by
    element is left out, and so is what the fetches do not need.

    Raises:
        ValueError: a shape is not static.
    """
    found: Counter = Counter()
    for operation in _needed_for(fetches):
        multiplications = _multiplications(operation)
        if multiplications:
            found[operation.inputs[-1].dtype.base_dtype.name] += 2 * multiplications
    return dict(found)


def _multiplications(operation) -> int:
    inputs = operation.inputs
    if operation.type == "Conv2D":
        return _size(operation.outputs[0]) * _taps(inputs[1])
    if operation.type == "Conv2DBackpropInput":
        return _size(inputs[2]) * _taps(inputs[1])
    if operation.type == "Conv2DBackpropFilter":
        return _size(inputs[2]) * _taps(operation.outputs[0])
    if operation.type in _MATRIX_PRODUCTS:
        transposed = operation.get_attr(_MATRIX_PRODUCTS[operation.type])
        return _size(operation.outputs[0]) * _shape(inputs[0])[-2 if transposed else -1]
    return 0


def _taps(kernel) -> int:
    """Multiplications for one value of a convolution with a kernel [height, width, inputs, outputs]."""
    height, width, channels, _ = _shape(kernel)
    return height * width * channels


def _size(tensor) -> int:
    total = 1
    for dimension in _shape(tensor):
        total *= dimension
    return total


def _shape(tensor) -> Sequence[int]:
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"{tensor.name} has no static shape")
    return tensor.shape.as_list()


def _needed_for(fetches: Sequence) -> set:
    needed, todo = set(), [getattr(fetch, "op", fetch) for fetch in fetches]
    while todo:
        operation = todo.pop()
        if operation not in needed:
            needed.add(operation)
            todo.extend(tensor.op for tensor in operation.inputs)
            todo.extend(operation.control_inputs)
    return needed
