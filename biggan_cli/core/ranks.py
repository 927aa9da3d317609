"""The one device that a run has: what the variables and the rank table of a job say of it."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from biggan_cli.errors import UsageError
from biggan_cli.runtime import rank_table

_COUNTS = ("RANK_SIZE", "CM_WORKER_SIZE", "MA_NUM_HOSTS")
_WITHOUT_TABLE = ("CM_CHIEF_IP", "CM_CHIEF_PORT", "CM_CHIEF_DEVICE", "CM_WORKER_SIZE", "CM_WORKER_IP")
"""What starts processes without a table; the adapter refuses both kinds together."""
_ONE = "biggan trains on one device per run for now"


def table_of(env: Mapping[str, str], usual: Path = rank_table.MODELARTS_TABLE) -> Optional[Path]:
    """Where the job's rank table is, if it has one.

    Raises:
        UsageError: the variables say that there are several devices, or contradict each other.
    """
    named = env.get(rank_table.VARIABLE)
    path = Path(named) if named else usual
    has_table = bool(named) or path.is_file()
    without = [name for name in _WITHOUT_TABLE if env.get(name)]
    with_table = [name for name in ("RANK_SIZE", rank_table.VARIABLE) if env.get(name)]
    if without and with_table:
        raise UsageError(
            f"{without[0]} and {with_table[0]} are both set, and exclude each other", fix=f"unset {' '.join(without)}"
        )
    for variable in _COUNTS:
        text = env.get(variable, "").strip() or "1"
        if not text.isdigit():
            raise UsageError(f"{variable}={text} is not a number of devices", fix=f"unset {variable}")
        if int(text) > 1:
            raise UsageError(
                f"{variable}={text}{'' if has_table else ', and there is no rank table'}: {_ONE}",
                looked_for=None if has_table else f"{rank_table.VARIABLE} in the environment, {path}",
                fix=f"a job with one device, or unset {variable}",
            )
    return path if has_table else None


def of_one_device(found: Dict[str, Any], path: Path) -> Dict[str, Any]:
    """A completed rank table as HCCL reads it.

    Raises:
        UsageError: it is malformed, or has several devices.
    """
    table = rank_table.template_1(found, str(path))
    count = rank_table.device_count(table)
    if count > 1:
        raise UsageError(
            f"the rank table {path} has {count} devices: {_ONE}",
            fix=f"a job with one device, or {rank_table.VARIABLE} with a table of one",
        )
    return table
