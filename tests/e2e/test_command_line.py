"""The command line itself: help, versions, completion, bugs."""

import platform

import pytest

import biggan_cli
from biggan_cli.cli import app as app_module
from biggan_cli.runtime.tf import tf
from biggan_cli.runtime.versions import tensorflow_version

COMMANDS = (
    *("prepare", "data", "train", "sample", "interpolate", "freeze", "to-bin", "atc", "msame-run", "verify"),
    *("score", "stats", "bench", "doctor", "profile", "import-checkpoint", "export-checkpoint"),
)


def test_help_lists_what_is_there(biggan):
    done = biggan("--help", check=0)
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(biggan, command):
    assert "Example: biggan " + command in biggan(command, "--help", check=0).stdout


def test_no_command_shows_the_help(biggan):
    shown = biggan(check=0).stdout
    assert shown == biggan("--help", check=0).stdout and "<bool>" not in shown


def test_a_terminal_without_the_characters_still_gets_help(biggan):
    done = biggan("score", "--help", env={"PYTHONIOENCODING": "ascii"}, check=0)
    assert "Fr?chet Inception Distance" in done.stdout and "Example: biggan score" in done.stdout


def test_versions(biggan):
    lines = biggan("--version", check=0).stdout.splitlines()
    assert lines == [
        "biggan " + biggan_cli.__version__,
        "Python " + platform.python_version(),
        "TensorFlow " + tf.__version__,
    ]
    assert tensorflow_version() == tf.__version__


@pytest.mark.parametrize(
    "words, expected",
    (
        ("biggan sa", "sample"),
        ("biggan sample --tru", "--truncation"),
        ("biggan train --preset di", "digits"),
        ("biggan train --res 1", "128"),
    ),
)
def test_completion(biggan, words, expected):
    environment = {
        "_BIGGAN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    assert expected in biggan(env=environment).stdout.split()


def test_a_bug_shows_a_traceback_and_where_to_report(capsys, monkeypatch):
    monkeypatch.setattr(app_module.app, "registered_commands", list(app_module.app.registered_commands))

    @app_module.app.command("broken")
    def broken() -> None:
        raise RuntimeError("the cause")

    with pytest.raises(SystemExit) as stopped:
        app_module.app(["broken"], prog_name="biggan")
    assert stopped.value.code == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown and "the cause" in shown
    assert "a bug in biggan" in shown and "report" in shown
