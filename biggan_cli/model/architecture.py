"""The tables that drive both networks, and the name, shape and initial value of every weight.

Nothing here needs TensorFlow: the graph builders, the checkpoints, the parameter counts and the golden
structure tests all read the same tables.

Channels are multiples of ``base_channels``; parameters counted at 96 channels, z 120, shared 128, 10 classes:

====  =======================  ===============  ==================================  ===========  ============
res   generator blocks         its attention    discriminator blocks (d = halves)   G            D
====  =======================  ===============  ==================================  ===========  ============
32    4, 4, 4                  after 2 (16 px)  4d, 4d, 4, 4                        10,315,428   9,937,442
64    16, 8, 4, 2              after 3 (32 px)  1d, 2d, 4d, 8d, 16                  73,411,236   43,991,498
128   16, 8, 4, 2, 1           after 4 (64 px)  1d, 2d, 4d, 8d, 16d, 16             73,468,116   88,822,730
====  =======================  ===============  ==================================  ===========  ============

Source: Brock et al. 2019 (arXiv:1809.11096), appendix B, in the variant of the documented CIFAR-10 model
for Ascend (32 px without hierarchical halving of channels, attention in both networks).
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from biggan_cli.config import ModelConfig


class GeneratorTable(NamedTuple):
    """Output channels of each residual block (times base channels); attention after block ``attention``."""

    channels: Tuple[int, ...]
    attention: int


class DiscriminatorTable(NamedTuple):
    """The same for the discriminator; ``halves[i]`` says whether block i + 1 halves the resolution."""

    channels: Tuple[int, ...]
    halves: Tuple[bool, ...]
    attention: int


GENERATORS = {
    32: GeneratorTable((4, 4, 4), 2),
    64: GeneratorTable((16, 8, 4, 2), 3),
    128: GeneratorTable((16, 8, 4, 2, 1), 4),
}

DISCRIMINATORS = {
    32: DiscriminatorTable((4, 4, 4, 4), (True, True, False, False), 1),
    64: DiscriminatorTable((1, 2, 4, 8, 16), (True, True, True, True, False), 1),
    128: DiscriminatorTable((1, 2, 4, 8, 16, 16), (True, True, True, True, True, False), 1),
}


class Weight(NamedTuple):
    """One trainable array: its shape, how it starts, and which axis spectral norm takes as output.

    ``output_axis`` is None for weights without spectral norm.
    """

    shape: Tuple[int, ...]
    initializer: str = "orthogonal"
    output_axis: Optional[int] = None

    @property
    def size(self) -> int:
        count = 1
        for dimension in self.shape:
            count *= dimension
        return count


Weights = Dict[str, Weight]


def z_chunk_sizes(config: ModelConfig) -> List[int]:
    """Sizes of the parts of z: one for the first dense layer and one for each block.

    Each part has ``z_dim // parts`` values; the last one also takes the remainder.
    """
    parts = len(GENERATORS[config.resolution].channels) + 1
    size = config.z_dim // parts
    return [size] * (parts - 1) + [config.z_dim - size * (parts - 1)]


def generator_weights(config: ModelConfig) -> Weights:
    """Name → :class:`Weight` of the generator, in the order in which the image is made."""
    table = GENERATORS[config.resolution]
    channels = [multiple * config.base_channels for multiple in table.channels]
    chunks = z_chunk_sizes(config)
    weights: Weights = {"generator/embed/w": Weight((config.num_classes, config.shared_dim))}
    _dense(weights, "generator/dense", chunks[0] + config.shared_dim, 16 * channels[0], spectral_norm=False)
    inputs = channels[0]
    for number, outputs in enumerate(channels, start=1):
        block = f"generator/block{number}"
        cond_dim = chunks[number] + config.shared_dim
        for position, features in ((1, inputs), (2, outputs)):
            for part in ("gain", "bias"):
                _dense(weights, f"{block}/cbn{position}/{part}", cond_dim, features)
            _conv(weights, f"{block}/conv{position}", 3, features, outputs)
        _conv(weights, block + "/shortcut", 1, inputs, outputs)
        if number == table.attention:
            _attention(weights, "generator/attention", outputs)
        inputs = outputs
    weights["generator/bn/gamma"] = Weight((inputs,), "ones")
    weights["generator/bn/beta"] = Weight((inputs,), "zeros")
    _conv(weights, "generator/conv", 3, inputs, 3)
    return weights


def discriminator_weights(config: ModelConfig) -> Weights:
    """Name → :class:`Weight` of the discriminator, in the order in which the image is read."""
    table = DISCRIMINATORS[config.resolution]
    weights: Weights = {}
    inputs = 3
    for number, multiple in enumerate(table.channels, start=1):
        outputs = multiple * config.d_channels
        block = f"discriminator/block{number}"
        _conv(weights, block + "/conv1", 3, inputs, outputs)
        _conv(weights, block + "/conv2", 3, outputs, outputs)
        _conv(weights, block + "/shortcut", 1, inputs, outputs)
        if number == table.attention:
            _attention(weights, "discriminator/attention", outputs)
        inputs = outputs
    _dense(weights, "discriminator/dense", inputs, 1)
    weights["discriminator/projection/w"] = Weight((config.num_classes, inputs), output_axis=0)
    return weights


def batch_norms(config: ModelConfig) -> Dict[str, int]:
    """Name → number of channels of each batch norm of the generator, in the order of the forward pass."""
    table = GENERATORS[config.resolution]
    channels = [multiple * config.base_channels for multiple in table.channels]
    norms = {}
    inputs = channels[0]
    for number, outputs in enumerate(channels, start=1):
        norms[f"generator/block{number}/cbn1"] = inputs
        norms[f"generator/block{number}/cbn2"] = outputs
        inputs = outputs
    norms["generator/bn"] = inputs
    return norms


def sn_u_name(weight_name: str) -> str:
    """Name of the power-iteration vector that belongs to a weight: ``…/w`` → ``…/sn_u``."""
    return weight_name.rsplit("/", 1)[0] + "/sn_u"


def sn_u_shapes(weights: Weights) -> Dict[str, Tuple[int, int]]:
    """Name → shape [1, outputs] of the power-iteration vectors of ``weights``."""
    return {
        sn_u_name(name): (1, weight.shape[weight.output_axis])
        for name, weight in weights.items()
        if weight.output_axis is not None
    }


def parameter_count(weights: Weights) -> int:
    """How many trainable numbers ``weights`` hold."""
    return sum(weight.size for weight in weights.values())


def _dense(weights: Weights, name: str, inputs: int, outputs: int, spectral_norm: bool = True) -> None:
    weights[name + "/w"] = Weight((inputs, outputs), output_axis=1 if spectral_norm else None)
    weights[name + "/b"] = Weight((outputs,), "zeros")


def _conv(weights: Weights, name: str, kernel: int, inputs: int, outputs: int) -> None:
    weights[name + "/w"] = Weight((kernel, kernel, inputs, outputs), output_axis=3)
    weights[name + "/b"] = Weight((outputs,), "zeros")


def _attention(weights: Weights, name: str, channels: int) -> None:
    _conv(weights, name + "/theta", 1, channels, channels // 8)
    _conv(weights, name + "/phi", 1, channels, channels // 8)
    _conv(weights, name + "/g", 1, channels, channels // 2)
    _conv(weights, name + "/output", 1, channels // 2, channels)
    weights[name + "/scale"] = Weight((), "zeros")
