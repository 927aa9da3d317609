"""Hinge losses and the orthogonal regularisation."""

from biggan_cli.runtime.tf import tf


def discriminator_hinge(real_logits, fake_logits):
    """mean(max(0, 1 - real)) + mean(max(0, 1 + fake)), a scalar (Lim and Ye 2017, arXiv:1705.02894)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real_logits)) + tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))


def generator_hinge(fake_logits):
    """-mean(fake), a scalar."""
    return -tf.reduce_mean(fake_logits)


def lecam(real_logits, fake_logits, real_average, fake_average):
    """mean(max(0, real - fake_average)²) + mean(max(0, real_average - fake)²), a scalar.

    Keeps the logits of each side from running away from where the other side's have been.
    Source: Tseng et al. 2021 (arXiv:2104.03310), in the one-sided form of its official code, whose averages have the
    logits of this update too, at a weight of 1 %.
    """
    real, fake = tf.nn.relu(real_logits - fake_average), tf.nn.relu(real_average - fake_logits)
    return tf.reduce_mean(tf.square(real)) + tf.reduce_mean(tf.square(fake))


def consistency(logits, other_logits):
    """mean((logits - other_logits)²), a scalar (Zhang et al. 2020, arXiv:1910.12027, on the logits)."""
    return tf.reduce_mean(tf.squared_difference(logits, other_logits))


def orthogonal_regularization(kernels):
    """Half the squared sum of the off-diagonal of W Wᵀ, summed over ``kernels`` [k, k, in, out] (rows of W = filters).

    Source: Brock et al. 2019 (arXiv:1809.11096), equation 3.
    """
    penalties = []
    for kernel in kernels:
        outputs = kernel.shape.as_list()[-1]
        w = tf.reshape(kernel, [-1, outputs])
        gram = tf.matmul(w, w, transpose_a=True)
        penalties.append(tf.nn.l2_loss(gram * (1.0 - tf.eye(outputs))))
    return tf.add_n(penalties)
