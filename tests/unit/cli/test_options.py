"""Lists in options."""

import pytest

from biggan_cli.cli.options import parse_choices, parse_counts
from biggan_cli.errors import UsageError


def test_lists_keep_their_order():
    assert parse_choices("--resample", "plain, fused", ("fused", "plain")) == ("plain", "fused")
    assert parse_choices("--resample", None, ("fused", "plain")) == ()
    assert parse_counts("--batch", "64,8") == (64, 8)
    assert parse_counts("--batch", None) == ()


@pytest.mark.parametrize(
    "text, words",
    (
        ("fused,bilinear", "--resample fused,bilinear: bilinear is not one of fused, plain"),
        ("fused,", "nothing is not one of"),
        ("", "nothing is not one of"),
        ("plain,plain", "names plain twice"),
    ),
)
def test_choices_that_cannot_be(text, words):
    with pytest.raises(UsageError, match=words) as raised:
        parse_choices("--resample", text, ("fused", "plain"))
    assert raised.value.details


@pytest.mark.parametrize("text", ("8,many", "0", "-8", "8,8.5", "99999999999", "8,,16", "٣"))
def test_counts_that_cannot_be(text):
    with pytest.raises(UsageError, match=r"--batch .* is not one of the whole numbers from 1 to"):
        parse_counts("--batch", text)
