"""What an error says can be printed, whatever the file in it is called."""

import pytest

from biggan_cli.cli import console
from biggan_cli.errors import StepFailed, visible


@pytest.mark.parametrize(
    "name, shown",
    (
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nerror: b\r\t", "a\\nerror: b\\r\\t"),
        ("gnp.\u202etxt", "gnp.\\u202etxt"),
        ("\x7f\x9b31m", "\\x7f\\x9b31m"),
        ("Katze größer 猫\u3000犬 👩\u200d🔬", "Katze größer 猫\u3000犬 👩\u200d🔬"),
    ),
)
def test_controls_are_shown_and_letters_stay(name, shown, capsys):
    assert visible(name) == shown
    error = StepFailed(f"{name} is cut off", fix=f"remove {name}", looked_for=name)
    assert str(error) == error.message == f"{shown} is cut off"
    assert error.details == [("looked for", shown), ("fix", f"remove {shown}")]
    error.rename(name, "x")
    assert error.message == "x is cut off" and ("fix", "remove x") in error.details
    console.rows((), [[name, "1"]])
    assert capsys.readouterr().out == f"{shown}  1\n"
