"""Training that really goes wrong, on tiny networks: what the monitors make of it. A sound one they leave alone."""

from biggan_cli import config as configs
from biggan_cli.core import first_values
from biggan_cli.data import datasets, pipeline
from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import assign_values, start_values, tf
from biggan_cli.training.monitors import Collapsed, Monitors
from biggan_cli.training.step import build

TINY = dict(data="digits", base_channels=2, z_dim=8, shared_dim=4, batch=4, d_steps=1, steps=500, on_collapse="stop")


def trained(steps, spoil=None, **values):
    """What ends a training within ``steps`` steps, if anything does. ``spoil`` is (step, name of a weight, change)."""
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
                if spoil and step == spoil[0]:
                    weight = {spoil[1]: handles.variables[spoil[1]]}
                    assign_values(session, weight, {spoil[1]: spoil[2](session.run(weight)[spoil[1]])})
        except Collapsed as error:
            return error
    return None


def test_a_generator_that_stands_still_is_beaten():
    error = trained(490, d_lr=0.005, g_lr=1e-9, batch=8)
    assert error.monitor == "won" and error.step - error.last_good == 201


def test_latents_that_are_all_alike_give_pictures_of_a_class_that_are():
    """Next to nothing is left of them: of a class all pictures of a batch are the same, though batches still vary."""
    error = trained(310, truncation=1e-3)
    assert error.monitor == "classes" and error.step == 300


def test_a_sound_training_is_left_alone_until_a_weight_explodes():
    """Its scale alone changes nothing of what the networks compute, so that only its sigma can tell."""
    error = trained(260, spoil=(250, "generator/block2/conv1/w", lambda w: 100.0 * w))
    assert error.monitor == "sigma" and error.step == 251 and error.last_good == 249


def test_a_discriminator_whose_activations_are_all_0():
    """Nothing is learnt any more, and every loss is that of a start."""
    error = trained(300, spoil=(50, "discriminator/block4/shortcut/b", lambda b: b - 1000.0))
    assert error.monitor == "dead" and error.step == 250 and error.last_good == 49
