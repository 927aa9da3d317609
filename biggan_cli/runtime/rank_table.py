"""Rank tables: which devices a job on Ascend chips has. Pure functions, and one that waits for the file.

==========  =========================================================================================
template 1  what HCCL reads: ``version`` "1.0", ``server_list`` of servers, each with a ``device`` list
template 2  what ModelArts writes: ``group_list``, ``instance_list``, ``devices``; its ``status`` may
            still be "initializing"
==========  =========================================================================================

In both, every value is a string. Format: the documentation of HCCL, and of custom images on ModelArts.
"""

import itertools
import json
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from biggan_cli.errors import NotReady, UsageError

VARIABLE = "RANK_TABLE_FILE"
MODELARTS_TABLE = Path("/user/config/jobstart_hccl.json")
TIME_LIMIT = 600.0
"""Seconds that ModelArts may take to complete its table."""
_POLL = 1.0
_TRIES = 2
"""How often a file that is no JSON is read again: it may be half written."""
_COMPLETED = "completed"


def wait_for(
    path: Path,
    on_wait: Callable[[], None] = lambda: None,
    time_limit: float = TIME_LIMIT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Dict[str, Any]:
    """The table in the file, as soon as its status is "completed"; ``on_wait`` is called if that is not at once.

    Raises:
        UsageError: the file is missing, or no table.
        NotReady: it was not completed in time.
    """
    end, not_json = clock() + time_limit, 0
    for tried in itertools.count():
        try:
            table = parse(_read(path), str(path))
        except UsageError as error:
            not_json += 1
            if error.__cause__ is None or not_json > _TRIES:
                raise
        else:
            if table["status"] == _COMPLETED:
                return table
            if clock() >= end:
                raise NotReady(
                    f"the rank table {path} has the status {table['status']}, not {_COMPLETED}, after {time_limit:g} s",
                    fix="look into the job's own log for a node that did not start",
                )
        if not tried:
            on_wait()
        sleep(_POLL)


def parse(text: str, origin: str) -> Dict[str, Any]:
    """A table that says its status; ``origin`` names the file in errors.

    Raises:
        UsageError: it is no JSON, or no table.
    """
    try:
        table = json.loads(text)
    except ValueError as error:
        raise _malformed(origin, f"it is not JSON ({error})") from error
    if not isinstance(table, dict):
        raise _malformed(origin, f"it is a {type(table).__name__}, not an object")
    _text(table, "status", "the table", origin)
    return table


def template_1(table: Dict[str, Any], origin: str) -> Dict[str, Any]:
    """A completed table of either template as template 1: all values strings, the ranks 0, 1, … in order.

    Raises:
        UsageError: something is missing or of another kind; names the file and what is wrong.
    """
    if "group_list" in table:
        servers = _servers_of_groups(table, origin)
    elif "server_list" in table:
        servers = _servers(table, origin)
    else:
        raise _malformed(origin, "it has neither group_list nor server_list")
    count = 0
    for server in servers:
        for device in server["device"]:
            if device.setdefault("rank_id", str(count)) != str(count):
                raise _malformed(origin, f"rank_id {device['rank_id']} is where {count} should be")
            count += 1
    if not count:
        raise _malformed(origin, "it has no device")
    return dict(status=_COMPLETED, version="1.0", server_count=str(len(servers)), server_list=servers)


def is_template_1(table: Dict[str, Any]) -> bool:
    return "server_list" in table and "group_list" not in table


def device_count(table: Dict[str, Any]) -> int:
    """The devices of a table of template 1."""
    return sum(len(server["device"]) for server in table["server_list"])


def _servers_of_groups(table: Dict[str, Any], origin: str) -> List[Dict[str, Any]]:
    """The servers of template 2, in its order; instances (pods) on one server stand together."""
    servers: Dict[str, List[Dict[str, str]]] = {}
    for group_number, group in enumerate(_list(table, "group_list", "the table", origin)):
        place = f"group_list[{group_number}]"
        for number, instance in enumerate(_list(group, "instance_list", place, origin)):
            here = f"{place}.instance_list[{number}]"
            devices = servers.setdefault(_text(instance, "server_id", here, origin), [])
            for index, device in enumerate(_list(instance, "devices", here, origin)):
                devices.append(_device(device, f"{here}.devices[{index}]", origin))
    return [dict(server_id=name, device=devices) for name, devices in servers.items()]


def _servers(table: Dict[str, Any], origin: str) -> List[Dict[str, Any]]:
    servers = []
    for number, server in enumerate(_list(table, "server_list", "the table", origin)):
        here = f"server_list[{number}]"
        devices = []
        for index, device in enumerate(_list(server, "device", here, origin)):
            place = f"{here}.device[{index}]"
            known = _device(device, place, origin)
            devices.append(dict(known, rank_id=_text(device, "rank_id", place, origin)))
        servers.append(dict(server_id=_text(server, "server_id", here, origin), device=devices))
    return servers


def _device(device: Any, place: str, origin: str) -> Dict[str, str]:
    return {key: _text(device, key, place, origin) for key in ("device_id", "device_ip")}


def _text(holder: Any, key: str, place: str, origin: str) -> str:
    """A value as a string; ModelArts writes numbers here and there."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise _malformed(origin, f"{key} of {place} is {'missing' if value is None else repr(value)}")
    return str(value)


def _list(holder: Any, key: str, place: str, origin: str) -> List[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, list):
        raise _malformed(origin, f"{key} of {place} is {'missing' if value is None else 'no list'}")
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"the rank table {path} cannot be read: {reason.lower()}",
            needed_by=f"{VARIABLE}, as the environment has it",
            fix=f"unset {VARIABLE}: one device needs no table",
        ) from None


def _malformed(origin: str, problem: str) -> UsageError:
    return UsageError(
        f"the rank table {origin} is malformed: {problem}", fix=f"unset {VARIABLE}: one device needs no table"
    )
