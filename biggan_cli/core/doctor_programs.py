"""What ``doctor`` looks at of CANN's programs: as the commands that run them would find them."""

from typing import Callable, List, Mapping

from biggan_cli.core.doctor_check import MISSING, OK, WRONG, Check, from_error, unreadable
from biggan_cli.deploy.toolkit import Tool, chosen, find_atc, find_msprof, find_runner
from biggan_cli.errors import BigganError, UsageError


def toolchain() -> Check:
    """Which programs ``atc`` and ``msame-run`` take if no flag says so."""
    try:
        choice = chosen(None)
    except UsageError as error:
        return from_error("toolchain", error, WRONG)
    said = dict(
        auto="auto: CANN's programs",
        cann="cann, from BIGGAN_TOOLCHAIN",
        emulator="emulator, from BIGGAN_TOOLCHAIN: CPU stand-ins, not the programs below",
    )
    return Check("toolchain", OK, said[choice], details=dict(toolchain=choice))


def programs(env: Mapping[str, str]) -> List[Check]:
    """CANN's converter, the two programs that run an offline model, and what reads a profile."""
    named = bool(env.get("BIGGAN_MSAME"))
    return [
        _program("atc", lambda: find_atc("cann", None), False),
        _program("msame", lambda: find_runner("cann", "msame", None, None), named),
        _program("ais_bench", lambda: find_runner("cann", "ais_bench", None, None), False),
        _program("msprof", lambda: find_msprof(None), False),
    ]


def _program(name: str, find: Callable[[], Tool], named: bool) -> Check:
    try:
        tool = find()
    except BigganError as error:
        # What is not there was looked for somewhere; anything else went wrong.
        state = MISSING if "looked for" in dict(error.details) and not named else WRONG
        return from_error(name, error, state)
    except OSError as error:
        return unreadable(name, error)
    details = dict(argv=list(tool.argv), version=tool.version, set_env=str(tool.setup or ""))
    sourced = f"; {tool.setup} is sourced for it" if tool.setup else ""
    return Check(name, OK, f"{' '.join(tool.argv)} ({tool.version}){sourced}", details=details)
