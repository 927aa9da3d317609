"""Numbers on the command line, and what is said of words that cannot be."""

import pytest
import typer.main
from typer.testing import CliRunner

from biggan_cli.cli import parsing
from biggan_cli.cli.app import app
from biggan_cli.errors import UsageError

COMMANDS = typer.main.get_command(app).commands


def value_of(command, *arguments):
    """The values that a command line gives the command, without running it."""
    return COMMANDS[command].make_context(command, list(arguments)).params


@pytest.mark.parametrize(
    "text, value", (("100000", 10**5), ("100_000", 10**5), ("1e5", 10**5), ("2.5e3", 2500), (" 7 ", 7), ("-3", -3))
)
def test_whole_numbers(text, value):
    found = value_of("train", f"--steps={text}")["steps"]
    assert found == value and isinstance(found, int)


@pytest.mark.parametrize("text", ("1.5", "1e-3", "100k", "many", "", "nan", "inf", "1e999999999", "٣", "1,000"))
def test_what_is_no_whole_number_is_told_with_flag_value_and_fix(text):
    for command, flag in (("train", "--steps"), ("sample", "--num"), ("score", "--kid-subsets"), ("compare", "--step")):
        with pytest.raises(UsageError) as raised:
            value_of(command, f"{flag}={text}", *(["0", "1"] if command == "compare" else []))
        assert raised.value.message == f"{flag} {text or 'nothing'} is not a whole number"
        assert [label for label, _ in raised.value.details] == ["fix"]


def test_numbers_that_need_not_be_whole():
    assert value_of("train", "--g-lr", "2e-4")["g_lr"] == 2e-4
    assert value_of("interpolate", "--fps", "12.5")["fps"] == 12.5
    with pytest.raises(UsageError, match="--g-lr fast is not a number"):
        value_of("train", "--g-lr", "fast")


def test_every_option_of_a_number_reads_it_so():
    """None is left to the parser's own types, whose words are others in each of its versions."""
    for name, command in COMMANDS.items():
        example = command.example.split()[2:]
        for parameter in command.params:
            default = value_of(name, *example)[parameter.name]
            counted = isinstance(default, (int, float)) and not isinstance(default, bool)
            if counted or parameter.metavar == "N":
                flag = parameter.opts[0]
                assert value_of(name, *example, f"{flag}=1e1")[parameter.name] == 10, f"{name} {flag}"
                with pytest.raises(UsageError, match=f"{flag} some is not a "):
                    value_of(name, *example, f"{flag}=some")


@pytest.mark.parametrize(
    "line, words",
    (
        ("train pics2", "pics2 is one argument more than biggan train takes\n  fix: biggan train --data pics2"),
        ("to-bin a b c", "b c are 2 arguments more than biggan to-bin takes\n  fix: biggan to-bin --help"),
        ("data", "biggan data needs SPEC, and none is given\n  fix: biggan data pictures/"),
        ("compare", "biggan compare needs RUN RUN…, and none is given\n  fix: biggan compare 0 1"),
        (
            "sample --weight ema",
            "--weight is no option of biggan sample\n  fix: --weights, or see biggan sample --help",
        ),
        ("train -x", "-x is no option of biggan train\n  fix: biggan train --help"),
        ("score --ref", "--ref has no value\n  fix: --ref REF; see biggan score --help"),
        ("train --flip=3", "--flip is a switch, and takes no value\n  fix: --flip"),
        ("smaple", "smaple is no command of biggan\n  fix: biggan sample, or see biggan --help"),
        ("frobnicate", "frobnicate is no command of biggan\n  fix: biggan --help"),
    ),
)
def test_every_wrong_use_is_one_line_and_what_to_do(line, words):
    done = CliRunner().invoke(app, line.split(), prog_name="biggan")
    assert (done.exit_code, done.output) == (2, f"error: {words}\n")


def test_a_default_is_read_as_it_is():
    assert value_of("interpolate", "--from", "a")["frames"] == 11
    assert parsing.whole("--steps").parser(11) == 11
