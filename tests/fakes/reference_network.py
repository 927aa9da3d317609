"""The reference's networks in NumPy, from its variables under its own names: an independent second opinion.

Written from the description of the network, without anything of biggan's. Slow and plain on purpose.
"""

import re

import numpy as np

EPSILON = 1e-5


def l2_normalized(x):
    return x / np.sqrt((x * x).sum())


def relu(x):
    return np.maximum(x, 0)


def conv(x, w, b):
    side = w.shape[0] // 2
    padded = np.pad(x, ((0, 0), (side, side), (side, side), (0, 0)), mode="constant")
    height, width = x.shape[1:3]
    taps = [(i, j) for i in range(w.shape[0]) for j in range(w.shape[1])]
    return sum(padded[:, i : i + height, j : j + width] @ w[i, j] for i, j in taps) + b


def upsample(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def average(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


class ReferenceNetwork:
    """Both networks of a checkpoint of the reference: name → array, computed in float64."""

    def __init__(self, arrays):
        self.arrays = {
            re.sub(r"/generator_1/.*/moments/", "/moments/", name): np.asarray(a, np.float64)
            for name, a in arrays.items()
        }
        self.blocks = max(int(m.group(1)) for m in (re.match(r"generator/ResBlock(\d+)/", n) for n in arrays) if m)
        self.attention = {3: 2, 4: 3, 5: 4}[self.blocks]

    def generator(self, z, y, training=False):
        """Images [N, R, R, 3]; batch norms use the batch's moments in training, else the moving averages."""
        embedded = self.arrays["generator/embed_w"][y]
        size = z.shape[1] // (self.blocks + 1)
        chunks = [z[:, i * size : (i + 1) * size] for i in range(self.blocks)] + [z[:, self.blocks * size :]]
        x = (
            np.concatenate([chunks[0], embedded], 1) @ self.arrays["generator/dense/w"]
            + self.arrays["generator/dense/b"]
        )
        x = x.reshape(len(z), 4, 4, -1)
        for number in range(1, self.blocks + 1):
            name = f"generator/ResBlock{number}"
            condition = np.concatenate([chunks[number], embedded], 1)
            h = relu(self._conditional_norm(x, name + "/bn1", condition, training))
            h = self._conv(upsample(h), name + "/conv1")
            h = relu(self._conditional_norm(h, name + "/bn2", condition, training))
            x = self._conv(h, name + "/conv2") + self._conv(upsample(x), name + "/identity")
            if number == self.attention:
                x = self._non_local(x, "generator/Non-local")
        gamma, beta = self.arrays["generator/BN/BNgamma"], self.arrays["generator/BN/BNbeta"]
        x = relu(self._norm(x, "generator/BN", gamma, beta, training))
        return np.tanh(self._conv(x, "generator/conv"))

    def discriminator(self, x, y):
        """Logits [N, 1]."""
        downsampled = {3: 2, 4: 4, 5: 5}[self.blocks]
        for number in range(1, {3: 4, 4: 5, 5: 6}[self.blocks] + 1):
            name = f"discriminator/ResBlock{number}"
            h = self._conv(relu(self._conv(relu(x), name + "/conv1")), name + "/conv2")
            x = self._conv(x, name + "/identity")
            x = average(h) + average(x) if number <= downsampled else h + x
            if number == 1:
                x = self._non_local(x, "discriminator/Non-local")
        features = relu(x).sum(axis=(1, 2))
        table = self._normalized(self.arrays["discriminator/v"].T, self.arrays["discriminator/embedu"]).T
        w = self._normalized(self.arrays["discriminator/dense/w"], self.arrays["discriminator/dense/snu"])
        return (table[y] * features).sum(1, keepdims=True) + features @ w + self.arrays["discriminator/dense/b"]

    def hinge(self, x, z, y):
        """(discriminator's loss, generator's loss) of one batch in training."""
        real, fake = self.discriminator(x, y), self.discriminator(self.generator(z, y, training=True), y)
        return relu(1 - real).mean() + relu(1 + fake).mean(), -fake.mean()

    def orthogonal(self):
        """Half the squared sum of the off-diagonals, over the generator's convolutions."""
        total = 0.0
        for name, w in self.arrays.items():
            if name.startswith("generator/") and w.ndim == 4 and name.endswith("/w"):
                filters = w.reshape(-1, w.shape[3]).T
                gram = filters @ filters.T
                total += 0.5 * ((gram - np.diag(np.diag(gram))) ** 2).sum()
        return total

    def _normalized(self, w, u):
        matrix = w.reshape(-1, w.shape[-1])
        v = l2_normalized(u @ matrix.T)
        return w / (v @ matrix @ l2_normalized(v @ matrix).T)

    def _conv(self, x, name):
        return conv(x, self._normalized(self.arrays[name + "/w"], self.arrays[name + "/snu"]), self.arrays[name + "/b"])

    def _conditional_norm(self, x, name, condition, training):
        gamma, beta = (
            condition @ self._normalized(self.arrays[f"{name}/{part}/w"], self.arrays[f"{name}/{part}/snu"])
            + self.arrays[f"{name}/{part}/b"]
            for part in ("gamma", "beta")
        )
        return self._norm(x, name, gamma[:, None, None], beta[:, None, None], training)

    def _norm(self, x, name, gamma, beta, training):
        if training:
            mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        else:
            mean, variance = (
                self.arrays[f"{name}/moments/{moment}/ExponentialMovingAverage"] for moment in ("mean", "variance")
            )
        return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta

    def _non_local(self, x, name):
        n, h, w, _ = x.shape
        theta = self._conv(x, name + "/f").reshape(n, h * w, -1)
        phi = average(self._conv(x, name + "/h")).reshape(n, h * w // 4, -1)
        g = average(self._conv(x, name + "/g")).reshape(n, h * w // 4, -1)
        weights = np.exp(theta @ phi.transpose(0, 2, 1))
        attended = (weights / weights.sum(axis=2, keepdims=True)) @ g
        return x + self.arrays[name + "/sigma_ratio"] * self._conv(attended.reshape(n, h, w, -1), name + "/attn")
