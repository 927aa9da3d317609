"""Hinge losses and the orthogonal regularisation."""

from biggan_cli.runtime.tf import tf


def discriminator_hinge(real_logits, fake_logits):
    """mean(max(0, 1 - real)) + mean(max(0, 1 + fake)), a scalar (Lim and Ye 2017, arXiv:1705.02894)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real_logits)) + tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))


def generator_hinge(fake_logits):
    """-mean(fake), a scalar."""
    return -tf.reduce_mean(fake_logits)


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
