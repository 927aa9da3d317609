"""What ``atc`` prints: the codes with their texts of CANN 8.1 (``error_code.json``), in the shape of CANN 8.x."""

import datetime
import os

START = "ATC start working now, please wait for a moment.\n..."
SUCCESS = "ATC run success, welcome to the next use."
FAILURE = "ATC run failed, Please check the detail log, Try 'atc --help' for more information"

_INVALID = "Value [{}] for parameter [--{}] is invalid. "
_SHAPE = "Value [{}] for parameter [--input_shape] is invalid. "
_GEARS = "[--dynamic_batch_size] "

TEXTS = dict(
    E10001="Value [{}] for parameter [{}] is invalid. Reason: {}",
    E10002=_SHAPE + "Reason: {} The value must be formatted as [{}].",
    E10003=_INVALID + "Reason: {}",
    E10005=_INVALID + "The value must be either [true] or [false].",
    E10006=_INVALID + "The value must be either 1 or 0.",
    E10007="[--{}] is required. The value must be [{}].",
    E10009="[--dynamic_batch_size], [--dynamic_image_size], [--input_shape_range], and [--dynamic_dims] are mutually "
    "exclusive.",
    E10010="Value [{}] for parameter [--log] is invalid.",
    E10011=_SHAPE + "Shape values must be positive integers. The error value in the shape is {}",
    E10012=_GEARS + "is included, but the dimension count of the dynamic-shape input configured in [--input_shape] "
    "is less than 1.",
    E10014="Value [{}] for parameter [--{}] is invalid.",
    E10016="Opname [{}] specified in [--{}] is not found in the model, confirm whether this node name exists, or node "
    "is not split with the specified delimiter ';'",
    E10017="Input Op [{}] specified in [--{}] is invalid. The Op type must be Data.",
    E10018="Value [{}] for shape [{}] is invalid. When [--dynamic_batch_size] is included, only batch size N can be -1 "
    "in [--input_shape].",
    E10021="Path for parameter [--{}] is too long. Keep the length within {}",
    E10022="Path [{}] for parameter [--{}] does not include the file name.",
    E10031=_GEARS + "is included, but none of the nodes specified in [--input_shape] have a batch size equaling -1.",
    E10035=_GEARS + "has [{}] profiles, which is less than the minimum ([{}]).",
    E10036=_GEARS + "has [{}] profiles, which is greater than the maximum ([{}]).",
    E10038="Dimension size [{}] is invalid. The value must be greater than 0.",
    E10039=_GEARS + "has duplicate profiles.",
    E10041="Failed to load the model from [{}].",
    E10054="The requied parameter [{}] for ATC is empty. Another possible reason is that the value of some parameters "
    'is not enclosed by quotation marks ("").',
    E10055="The operation is not supported. Reason: {}",
    E10056="Cannot config both parameters [{}] and [{}] simultaneously.",
    E10410="File [{}] does not exist.",
    E12009="Op [{}]'s input [{}] is not found in graph_def.",
    E19010="No parser is registered for Op [{}, optype [{}]].",
    E19999="{}",
    E20101="Value [{}] for parameter [{}] is invalid. Reason: {}.",
    EZ3003="No supported Ops kernel and engine are found for [{}], optype [{}].",
    W11001="Op [{}] does not hit the high-priority operator information library, which might result in compromised "
    "performance.",
)


class AtcError(Exception):
    """``atc`` stops with this code; the values fill the places of its text."""

    def __init__(self, code: str, *values):
        super().__init__(code)
        self.code = code
        self.lines = [line_of(code, *values)]
        if code == "E19999":
            self.lines.insert(0, "E19999: Inner Error!")


def line_of(code: str, *values) -> str:
    """``E10016: [PID: 10490] 2025-03-18-09:02:18.501.341 Opname [x] specified in …``"""
    now = datetime.datetime.now()
    stamp = f"{now:%Y-%m-%d-%H:%M:%S}.{now.microsecond // 1000:03d}.{now.microsecond % 1000:03d}"
    return f"{code}: [PID: {os.getpid()}] {stamp} {TEXTS[code].format(*values)}"
