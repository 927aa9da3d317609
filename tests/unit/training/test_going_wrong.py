"""Training that really goes wrong, on tiny networks: what the monitors make of it. A sound one they leave alone."""

from biggan_cli import config as configs
from biggan_cli.core import first_values
from biggan_cli.data import datasets, pipeline
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import start_values, tf
from biggan_cli.training.monitors import Collapsed, Monitors
from biggan_cli.training.step import build

TINY = dict(data="digits", base_channels=2, z_dim=8, shared_dim=4, batch=4, d_steps=1, steps=500, on_collapse="stop")


def watched(steps, **values):
    """What ends a training within ``steps`` steps; None: nothing does."""
    config = configs.resolve("digits", dict(TINY, **values))
    dataset = datasets.load("digits", 32)
    source = pipeline.BatchSource(dataset.images, dataset.labels, config.model, config.train)
    graph = tf.Graph()
    with graph.as_default():
        start, batch = pipeline.iterator(source, config.train, 0)
        handles = build(config, batch)
    monitors = Monitors(config.train, handles.names, {}, lambda event, **fields: None)
    with open_session(graph, "cpu") as session:
        start_values(session, handles.variables, first_values._of_the_seed(config))
        session.run(start)
        try:
            for step in range(1, steps + 1):
                monitors.look(step, session.run([handles.metrics, handles.train_op])[0])
        except Collapsed as error:
            return error
    return None


def test_a_generator_that_stands_still_is_beaten():
    error = watched(490, d_lr=0.005, g_lr=1e-9, batch=8)
    assert error.monitor == "won" and error.step - error.last_good == 200


def test_latents_that_are_all_alike_give_pictures_of_a_class_that_are():
    """Truncated at next to nothing: of a class each picture of a batch is the same, of several the batch still varies."""
    error = watched(310, truncation=1e-3)
    assert error.monitor == "classes" and error.step == 300


def test_a_rate_that_is_far_too_large_explodes():
    error = watched(490, g_lr=1e-3, d_lr=1e-3, orthogonal=0.0, lr_decay=None, ema_decay=0.5, beta1=0.0)
    assert error is None
