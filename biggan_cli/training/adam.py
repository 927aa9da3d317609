"""Adam as a function of values: what a gradient makes of weights and of the optimizer's own variables."""

from typing import Dict, Mapping

from biggan_cli.runtime.tf import tf
from biggan_cli.training.state import powers_of, slots_of

EPSILON = 1e-8


def updated(values: Mapping, gradients: Mapping, network: str, rate: float, beta1: float, beta2: float) -> Dict:
    """Name → new value of the weights that have a gradient, of their moments and of both powers; none has a gradient.

    The same formula as TensorFlow's Adam, whose epsilon is not the paper's: w - r_t m / (sqrt(v) + epsilon) with
    r_t = rate * sqrt(1 - beta2^t) / (1 - beta1^t).
    Source: Kingma and Ba 2015 (arXiv:1412.6980), the form before section 2.1.

    Args:
        values: name → value now.
        gradients: weight → gradient.
        network: whose powers these are, see :func:`biggan_cli.training.state.powers_of`.
    """
    power1, power2 = powers_of(network)
    rate = rate * tf.sqrt(1.0 - values[power2]) / (1.0 - values[power1])
    changed = {power1: values[power1] * beta1, power2: values[power2] * beta2}
    for name, gradient in gradients.items():
        first, second = slots_of(name)
        m = values[first] + (gradient - values[first]) * (1.0 - beta1)
        v = values[second] + (tf.square(gradient) - values[second]) * (1.0 - beta2)
        changed.update({first: m, second: v, name: values[name] - rate * m / (tf.sqrt(v) + EPSILON)})
    return {name: tf.stop_gradient(value) for name, value in changed.items()}
