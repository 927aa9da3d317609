"""Checkpoints of the reference, in its names and conventions, to ours and back. NumPy only.

The reference is the documented BigGAN for Ascend 910 (AnimeFaceGAN_ID1062, TensorFlow 1.15). What differs:

================================  ====================================================================
ours                              the reference's
================================  ====================================================================
``…/block1/conv1/w``              ``…/ResBlock1/conv1/w``; likewise every weight, see ``_RENAMED``
``…/cbn1/gain/b``                 ``…/bn1/gamma/b``, which is one more: its gain is ``dense(c)``, ours ``1 + dense(c)``
``…/sn_u``                        ``…/snu``; of the projection ``embedu``
``…/moving_mean`` [C]             ``…/generator_1/…/moments/mean/ExponentialMovingAverage`` [1, 1, 1, C]
``ema/…``                         ``ema_weights/…/ExponentialMovingAverage``
``step``                          ``Variable``
``…/Adam``, ``…/Adam_1``          the same; the reference has them for ``snu`` and the moving averages too
``beta1_power``, ``…_1``          the same: first the discriminator's, then the generator's
================================  ====================================================================
"""

import re
from dataclasses import replace
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli.config import MAX_COUNT, ModelConfig
from biggan_cli.errors import StepFailed
from biggan_cli.model.architecture import GENERATORS, discriminator_weights, generator_weights, sn_u_shapes
from biggan_cli.training import ema
from biggan_cli.training.state import adam_names, state_shapes

Shapes = Mapping[str, Sequence[int]]

_RENAMED = (
    ("generator/embed/w", "generator/embed_w"),
    ("discriminator/projection/w", "discriminator/v"),
    ("discriminator/projection/sn_u", "discriminator/embedu"),
    ("generator/bn/gamma", "generator/BN/BNgamma"),
    ("generator/bn/beta", "generator/BN/BNbeta"),
    ("generator/bn", "generator/BN"),
    ("/attention/theta/", "/Non-local/f/"),
    ("/attention/phi/", "/Non-local/h/"),
    ("/attention/g/", "/Non-local/g/"),
    ("/attention/output/", "/Non-local/attn/"),
    ("/attention/scale", "/Non-local/sigma_ratio"),
    ("/block", "/ResBlock"),
    ("/cbn", "/bn"),
    ("/gain/", "/gamma/"),
    ("/bias/", "/beta/"),
    ("/shortcut/", "/identity/"),
    ("/sn_u", "/snu"),
)
_SCOPE = re.compile(r"/(generator(?:_\d+)?)/(?=.+/moments/)")
_MOVING = re.compile(r"(.+)/moving_(mean|variance)")
_ROUNDING = "biggan/rounding/"
_RELU_ON_IMAGE = "biggan/relu_on_image"
_OTHERS = {
    "train_phase": np.asarray(True),
    "metrics/FID_now": np.float32(1e3),
    "metrics/IS_now": np.float32(0.0),
    "metrics/FID_best": np.float32(1e3),
    "metrics/IS_best": np.float32(0.0),
}
"""What else the reference's graph has, at its start values."""


class Imported(NamedTuple):
    """What a checkpoint of the reference holds.

    Attributes:
        model: the networks, read from names and shapes.
        step: generator updates done.
        weights: ``raw`` or ``ema``: what the live weights of the file are.
        averages: whether the file has averages beside its live weights, and ``equal`` whether they are the same.
        values: ours → array; what is neither there nor made from it is missing.
        fresh: ours, the names of Adam's variables that start afresh, because the file lacks some of them.
        unknown: variables of the file that mean nothing here.
    """

    model: ModelConfig
    step: int
    weights: str
    averages: bool
    equal: bool
    values: Dict[str, np.ndarray]
    fresh: List[str]
    unknown: List[str]


def reference_name(name: str) -> str:
    """The reference's name of one of our variables."""
    if name == "step":
        return "Variable"
    for slot in ("/Adam", "/Adam_1"):
        if name.endswith(slot):
            return reference_name(name[: -len(slot)]) + slot
    if name.startswith(ema.PREFIX):
        return f"ema_weights/{reference_name(name[len(ema.PREFIX) :])}/ExponentialMovingAverage"
    moving = _MOVING.fullmatch(name)
    if moving:
        scope = reference_name(moving.group(1))
        inner = scope.split("/", 1)[1]
        return f"{scope}/generator_1/{inner}/moments/{moving.group(2)}/ExponentialMovingAverage"
    for ours, theirs in _RENAMED:
        name = name.replace(ours, theirs)
    return name


def model_of(shapes: Shapes) -> ModelConfig:
    """The networks of a checkpoint of the reference, from the names and shapes of its variables.

    Raises:
        StepFailed: it is of something else, a variable is missing, or a shape does not fit the others.
    """
    numbers = {
        int(match.group(1)) for match in (re.match(r"generator/ResBlock(\d+)/", name) for name in shapes) if match
    }
    resolutions = {len(table.channels): resolution for resolution, table in GENERATORS.items()}
    if numbers != set(range(1, len(numbers) + 1)) or len(numbers) not in resolutions:
        found = f"the blocks {', '.join(map(str, sorted(numbers)))}" if numbers else "none"
        raise StepFailed(
            f"this is no checkpoint of the reference: expected generator/ResBlock1 to 3, 4 or 5, found {found} "
            f"among {len(shapes)} variables{_examples(shapes)}"
        )
    resolution = resolutions[len(numbers)]
    num_classes, shared_dim = _shape(shapes, "generator/embed_w", 2)
    width = _shape(shapes, "generator/ResBlock1/conv1/w", 4)[3]
    first = _shape(shapes, "generator/ResBlock1/bn1/gamma/w", 2)[0]
    last = _shape(shapes, f"generator/ResBlock{len(numbers)}/bn1/gamma/w", 2)[0]
    if min(first, last) <= shared_dim:
        raise StepFailed(
            f"generator/ResBlock1/bn1/gamma/w has {first} rows, expected more than the {shared_dim} of the class "
            "embedding (generator/embed_w): a part of z and the embedding"
        )
    model = ModelConfig(
        resolution=resolution,
        base_channels=max(1, width // GENERATORS[resolution].channels[0]),
        z_dim=len(numbers) * (first - shared_dim) + last - shared_dim,
        shared_dim=shared_dim,
        num_classes=num_classes,
        relu_on_image=True,
    )
    _check_shapes(shapes, model)
    return model


def from_reference(arrays: Mapping[str, np.ndarray], weights: Optional[str]) -> Imported:
    """Everything of a checkpoint of the reference under our names.

    Args:
        weights: what its live weights are, ``raw`` or ``ema``; None finds out: they are ``ema`` where they equal
            the averages beside them, which is how the reference writes ``ema.ckpt``.

    Raises:
        StepFailed: see :func:`model_of`; also a value that is not finite.
    """
    arrays = _with_plain_scope(arrays)
    shapes = {name: array.shape for name, array in arrays.items()}
    model = model_of(shapes)
    if _RELU_ON_IMAGE in arrays:
        model = replace(model, relu_on_image=bool(arrays[_RELU_ON_IMAGE]))
    expected = state_shapes(model)
    g_names = list(generator_weights(model))
    averages = any(name.startswith("ema_weights/") for name in arrays)
    adam = adam_names(model)
    fresh = [name for names in adam.values() if not _all_there(arrays, names, expected) for name in names]
    left_out = set(fresh) | (set() if averages else {ema.name_of(name) for name in g_names})
    values = {}
    for name, shape in expected.items():
        if name not in left_out:
            _check_values(arrays, name)
            values[name] = _shifted(arrays, name).reshape(shape)
    values["step"] = values["step"].astype(np.int32)
    equal = averages and all(np.array_equal(values[name], values[ema.name_of(name)]) for name in g_names)
    weights = weights or ("ema" if equal else "raw")
    if weights == "ema" or not averages:
        values.update({ema.name_of(name): values[name] for name in g_names})
    known = {reference_name(name) for name in expected} | set(_OTHERS)
    unknown = [name for name in arrays if name not in known and not name.startswith("biggan/") and "/Adam" not in name]
    return Imported(model, int(values["step"]), weights, averages, equal, values, fresh, sorted(unknown))


def to_reference(values: Mapping[str, np.ndarray], model: ModelConfig, weights: str) -> Dict[str, np.ndarray]:
    """Everything that the reference's training graph restores, under its names.

    Beside it ``biggan/…`` keeps what the reference has no place for and does not read: what adding one to a gain's
    bias rounds off, and whether the discriminator has the reference's ReLU on the image. :func:`from_reference`
    reads it, so that nothing is lost on the way there and back.

    Args:
        values: name → array of one of our checkpoints.
        weights: which of ours become the live weights.

    Raises:
        StepFailed: something is missing.
    """
    arrays: Dict[str, np.ndarray] = dict(_OTHERS, **{_RELU_ON_IMAGE: np.asarray(model.relu_on_image)})
    missing = sorted(set(state_shapes(model)) - set(values))
    if missing:
        raise StepFailed(f"the checkpoint lacks {len(missing)} variables, such as {missing[0]}")
    for name in state_shapes(model):
        theirs = reference_name(name)
        source = ema.name_of(name) if weights == "ema" and ema.name_of(name) in values else name
        array = values[source]
        if _MOVING.fullmatch(name):
            array = array.reshape(1, 1, 1, -1)
        if _is_gain(name):
            array, arrays[_ROUNDING + theirs] = _plus_one(array)
        arrays[theirs] = array
    for name in (
        *sn_u_shapes(dict(generator_weights(model), **discriminator_weights(model))),
        *ema.moving_shapes(model),
    ):
        theirs = reference_name(name)
        for slot in ("/Adam", "/Adam_1"):
            arrays[theirs + slot] = np.zeros_like(arrays[theirs])
    return arrays


def _is_gain(name: str) -> bool:
    return name.endswith("/gain/b")


def _plus_one(x: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """x + 1 in float32 and what the addition rounded off, exactly (Knuth's two-sum)."""
    one = np.float32(1.0)
    total = x + one
    part = total - x
    return total, (x - (total - part)) + (one - part)


def _shifted(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The array of one of our names; one less where it is the bias of a gain."""
    theirs = reference_name(name)
    array = arrays[theirs]
    if not _is_gain(name):
        return array
    rounding = arrays.get(_ROUNDING + theirs, np.float32(0.0))
    return (array.astype(np.float64) - 1.0 + rounding).astype(np.float32)


def _with_plain_scope(arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """The arrays with ``…/generator_2/…`` in the name of a moving average as ``…/generator_1/…``.

    TensorFlow numbers the scope by how often the graph opened it. Where there are several, ``generator_1`` is the
    one that was trained.
    """
    scopes = {match.group(1) for match in map(_SCOPE.search, arrays) if match}
    if len(scopes) != 1:
        return dict(arrays)
    return {_SCOPE.sub("/generator_1/", name): array for name, array in arrays.items()}


def _check_values(arrays: Mapping[str, np.ndarray], name: str) -> None:
    """float32 and finite, or, of the step, a whole number that fits."""
    theirs = reference_name(name)
    array = np.asarray(arrays[theirs])
    if name == "step":
        if not np.issubdtype(array.dtype, np.integer) or not 0 <= array <= MAX_COUNT:
            raise StepFailed(f"{theirs} is {array.dtype} {array}, expected the step: a whole number from 0")
    elif array.dtype != np.float32:
        raise StepFailed(f"{theirs} is {array.dtype}, expected float32")
    elif not np.isfinite(array).all():
        raise StepFailed(f"{theirs} has values that are not finite")


def _shape(shapes: Shapes, name: str, rank: int) -> Tuple[int, ...]:
    if name not in shapes:
        raise StepFailed(f"the variable {name} is missing among {len(shapes)}{_examples(shapes)}")
    if len(shapes[name]) != rank:
        raise StepFailed(f"{name} has the shape {_text(shapes[name])}, expected {rank} dimensions")
    return tuple(shapes[name])


def _check_shapes(shapes: Shapes, model: ModelConfig) -> None:
    """Every variable that an import cannot do without is there, in the shape that the others ask for."""
    optional = {name for names in adam_names(model).values() for name in names}
    if not any(name.startswith("ema_weights/") for name in shapes):
        optional |= {ema.name_of(name) for name in generator_weights(model)}
    expected = {}
    for name, shape in state_shapes(model).items():
        if name not in optional:
            expected[reference_name(name)] = (1, 1, 1, *shape) if _MOVING.fullmatch(name) else shape
    network = (
        f"a network of {model.resolution} px with base channels {model.base_channels}, z {model.z_dim}, "
        f"shared {model.shared_dim} and {model.num_classes} classes"
    )
    missing = [name for name in expected if name not in shapes]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise StepFailed(
            f"the variable {missing[0]}{more} of {len(expected)} is missing: expected {_text(expected[missing[0]])}",
            hint="the others are those of " + network,
        )
    for name, shape in expected.items():
        if tuple(shapes[name]) != tuple(shape):
            raise StepFailed(
                f"{name} has the shape {_text(shapes[name])}, expected {_text(shape)}",
                hint="expected for " + network,
            )


def _all_there(arrays: Mapping[str, np.ndarray], names: Sequence[str], expected: Shapes) -> bool:
    """Whether all of an optimizer's variables are there, in shape and finite."""
    found = [arrays.get(reference_name(name)) for name in names]
    return all(
        array is not None and np.shape(array) == tuple(expected[name]) and np.isfinite(array).all()
        for array, name in zip(found, names)
    )


def _examples(shapes: Shapes) -> str:
    return f", such as {', '.join(sorted(shapes)[:3])}" if shapes else ""


def _text(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape))}]"
