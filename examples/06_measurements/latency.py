"""How long an image takes: frozen plain and fused, against plain resampling with the power iteration left in.

The last is what the reference's frozen generator says: spectral norm is computed again for every batch, the batch norms
keep their statistics apart. All three graphs have the same weights and take turns in one run, so that a busy machine
slows all of them; the ratios are what counts.
"""

import argparse
import contextlib
import time

import numpy as np

from biggan_cli.config import ModelConfig
from biggan_cli.inference import frozen
from biggan_cli.inference.weights import folded_generator
from biggan_cli.model import layers
from biggan_cli.model.architecture import batch_norms, generator_weights, sn_u_name
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.model.initial import initial_values
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import tf

WARM_UP = 2


def with_power_iteration(values, moments, model: ModelConfig):
    """A GraphDef in which sigma is computed whenever it runs, and its vectors: input name → value.

    They are inputs because TensorFlow computes what depends on constants alone, defaults included, only once.
    """
    with tf.Graph().as_default() as graph:
        z = tf.placeholder(tf.float32, [None, model.z_dim], name="z")
        y = tf.placeholder(tf.int32, [None, 1], name="y")
        weights, vectors = {}, {}
        for name, weight in generator_weights(model).items():
            value = tf.constant(values[name])
            if weight.output_axis is not None:
                u = tf.placeholder(tf.float32, values[sn_u_name(name)].shape)
                vectors[u.name] = values[sn_u_name(name)]
                next_u, v = layers.power_iteration(value, u, weight)
                value, _ = layers.spectral_norm(value, next_u, v, weight)
            weights[name] = value
        embedding = class_embedding(weights, tf.reshape(y, [-1]), model)
        images = generator(weights, z, embedding, model, lambda x, name: moments[name], fused=False)
        tf.identity(images, name=frozen.OUTPUT)
    return graph.as_graph_def(), vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--res", type=int, default=32)
    parser.add_argument("--base-channels", type=int, default=96)
    parser.add_argument("--batches", default="1,16")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    model = ModelConfig(resolution=arguments.res, base_channels=arguments.base_channels)
    values = initial_values(generator_weights(model), np.random.RandomState(0))
    moments = {name: (np.zeros(size, "f"), np.ones(size, "f")) for name, size in batch_norms(model).items()}
    folded = folded_generator(values, model)
    iterating, vectors = with_power_iteration(values, moments, model)
    graphs = {
        "plain, power iteration in the graph": iterating,
        "plain": frozen.frozen_generator(folded, moments, model, None, fused=False),
        "fused": frozen.frozen_generator(folded, moments, model, None, fused=True),
    }
    batches = [int(batch) for batch in arguments.batches.split(",")]
    times = {name: {batch: [] for batch in batches} for name in graphs}
    with contextlib.ExitStack() as stack:
        sessions = {}
        for name, graph_def in graphs.items():
            with tf.Graph().as_default() as graph:
                tf.import_graph_def(graph_def, name="")
            sessions[name] = stack.enter_context(open_session(graph, "cpu"))
        for batch in batches:
            feed = {"z:0": np.zeros((batch, model.z_dim), np.float32), "y:0": np.zeros((batch, 1), np.int32)}
            for _ in range(WARM_UP + arguments.rounds):
                for name, session in sessions.items():
                    started = time.perf_counter()
                    session.run(frozen.OUTPUT + ":0", {**feed, **vectors} if graphs[name] is iterating else feed)
                    times[name][batch].append(1000 * (time.perf_counter() - started) / batch)
    first = next(iter(graphs))
    print(f"| {arguments.res} px, ch {arguments.base_channels}, TensorFlow {tf.__version__} | nodes | ", end="")
    print(" | ".join(f"ms an image, batch {batch} | ratio" for batch in batches), "|")
    print("|---|---|" + "---|---|" * len(batches))
    for name, graph_def in graphs.items():
        cells = []
        for batch in batches:
            mine, whose = (float(np.median(times[which][batch][WARM_UP:])) for which in (name, first))
            cells += [f"{mine:.1f}", f"{whose / mine:.2f}"]
        print(f"| {name} | {len(graph_def.node)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
