"""The errors and warnings that ``atc`` prints: found by their codes, with what helps here.

Codes such as ``E10016`` mean the same in every CANN, while their sentences were rewritten with each of them: nothing
here looks at a sentence. Sources: ``error_code.json`` and ``error_manager.cc`` of CANN 5.0 to 9 (Ascend/metadef), and
the pages on options and error codes of hicann/ge. What ``atc`` prints, by version::

    E10016: <text>                              5.x to 7.x; since 6.x with indented blocks below: Possible Cause,
    E10016: [PID: 7] <time> <text>              8.x         Solution, TraceBack, which repeat or surround the text
    [PID: 7] <time> <Title>(E10016): <text>     9.x
    E19999: Inner Error!                        all; the text is in the next line, indented, or after the code again
"""

import re
from typing import Dict, Iterable, List, NamedTuple

_CODE = r"[EW][0-9A-Z]\d{4}"
_STAMP = r"\[PID: ?\d+\] +\S+ +"
# The dots are those with which atc shows that it is at work.
_MESSAGE = re.compile(
    rf"\.*(?:(?P<code>{_CODE}):|(?:{_STAMP})?\w+\((?P<titled>{_CODE})\):)\s*(?:{_STAMP})?(?P<text>.*)"
)
_INNER = re.compile(rf"(?:(?P<code>{_CODE}):?|(?=\s))\s*(?:{_STAMP})?(?:\w+\({_CODE}\):\s*)?(?P<text>\S.*)")
_BLOCKS = ("Possible Cause:", "Solution:", "TraceBack")

_LOGS = "$HOME/ascend/log (more of it with --log info), or on the screen with ASCEND_SLOG_PRINT_TO_STDOUT=1"
_OURS = "biggan builds this itself: look at what stands after --, or report it."
_FREEZE = "Run biggan freeze anew and convert its graph as it is"


class Message(NamedTuple):
    code: str
    text: str


def messages(lines: Iterable[str]) -> List[Message]:
    """The errors and warnings in the output of ``atc``, in its order.

    A code whose last digits are 9999 stands for errors inside CANN: its own line is a mere heading, so that the text is
    taken from the line below.
    """
    found: List[Message] = []
    below_heading = False
    for line in map(str.rstrip, lines):
        if not line:
            continue
        if below_heading:
            below_heading = False
            inner = _INNER.match(line)
            if inner and inner["code"] in (None, found[-1].code):
                if not inner["text"].startswith(_BLOCKS):
                    found[-1] = found[-1]._replace(text=inner["text"])
                continue
        match = _MESSAGE.match(line)
        if match:
            found.append(Message(match["code"] or match["titled"], match["text"]))
            below_heading = found[-1].code.endswith("9999")
    return found


def advice(code: str) -> str:
    """What the user of ``biggan atc`` can do about a code; for one that is not known here, where to read on."""
    return ADVICE.get(code, DEFAULT_ADVICE)


DEFAULT_ADVICE = f"biggan has no advice for this code. The detailed log is in {_LOGS}."

_NOT_SET = "biggan does not set this option: correct or remove it after --."
_NAMED_FLAG = (
    "Correct the flag that the message names; if you gave none such, look at what stands after --, or report it."
)
_FILES = (
    "atc could not open, read, write or parse the file in the message, or its path is empty or too long. "
    "Check that the file is there and whole, and that you may read it and write beside it."
)
_NO_PARSER = (
    "atc cannot convert this TensorFlow operator. "
    f"{_FREEZE}: training leftovers (SaveV2, summaries) and operators that optimizers fuse (_FusedConv2D) fail."
)
_NO_KERNEL = (
    "No kernel of the chip takes this operator with this data type: check --soc, and leave out --precision-mode "
    "must_keep_origin_dtype, --precision-mode-v2 origin and the operator's line in --keep-dtype. "
    "By default atc computes everything in float16."
)
_NOT_REGISTERED = (
    "This CANN does not know the operator in the message. "
    f"{_FREEZE}; if it fails too, try a newer CANN with --toolkit DIR."
)
_PYTHON = (
    "atc runs the python3 that comes first on PATH, and that one lacks a module or has an unfit one. Put the Python "
    "that CANN was installed with first, or install there what CANN wants: numpy<2, decorator, attrs, psutil, scipy …"
)
_ENVIRONMENT = (
    "The environment variable in the message has a value that CANN refuses. "
    "Source the set_env.sh of the toolkit in a fresh shell, or name the toolkit with --toolkit DIR."
)
_NO_IMAGE = f"The inputs z and y are not images, so that AIPP does not apply to them. {_NOT_SET}"
_NO_SIZES = f"The inputs z and y have no height and width: --dynamic-batch is what they can vary. {_NOT_SET}"
_NO_DIMS = f"To choose the batch at run time use --dynamic-batch. {_NOT_SET}"
_NO_RANGE = f"Shape ranges do not work on Ascend310: use --batch or --dynamic-batch. {_NOT_SET}"
_SHAPE_MISMATCH = (
    "The shape of an input does not fit the graph. "
    f"{_FREEZE}, and give no --input_shape after --; --batch sets the batch."
)
_OPEN_BATCH = "--dynamic-batch opens the batch of every input, and needs no --input_shape beside it. " + _OURS

ADVICE: Dict[str, str] = {
    "E10001": (
        "The message names an option and what is wrong with its value: correct that flag, or what stands after --. "
        "Paths may hold letters a-z, digits, Chinese characters and . _ - / only, and --modify-mixlist needs a mixed "
        "precision mode."
    ),
    "E10002": f"The option --input_shape is malformed. {_OURS}",
    "E10003": f"The value is of the wrong kind or, for --out_nodes, the node has no such output. {_NAMED_FLAG}",
    "E10004": f"The option in the message has no value. {_NAMED_FLAG}",
    "E10005": f"The option in the message takes true or false. {_NOT_SET}",
    "E10006": f"The option in the message takes 0 or 1. {_NOT_SET}",
    "E10007": f"The option --framework is not 3, TensorFlow. {_OURS}",
    "E10008": f"--framework is set to 0, Caffe, where biggan sets 3, TensorFlow. {_OURS}",
    "E10009": (
        "--dynamic-batch excludes --dynamic_image_size, --dynamic_dims and --input_shape_range. "
        "Leave them out after --."
    ),
    "E10010": "--log takes debug, info, warning, error or null.",
    "E10011": (
        "Sizes of inputs must be whole numbers above 0: correct --batch, or --input_shape after --. "
        "To leave the batch open use --dynamic-batch with a list of sizes, not -1."
    ),
    "E10012": f"With --dynamic-batch every input needs a batch dimension, as z and y have. {_OURS}",
    "E10013": f"The value in the message is out of range. {_NAMED_FLAG}",
    "E10014": f"atc refuses the value in the message. {_NAMED_FLAG}",
    "E10015": f"atc refuses the value in the message. {_NAMED_FLAG}",
    "E10016": (
        "The graph has no node of this name; those of biggan freeze are z, y and output:0. "
        f"{_FREEZE}, or correct the name after --."
    ),
    "E10017": (
        "The node in the message is no input of the graph; those of biggan freeze are z and y. "
        f"{_FREEZE}, or correct the name after --."
    ),
    "E10018": f"With --dynamic-batch only the batch of an input may be open. {_OURS}",
    "E10019": _NO_SIZES,
    "E10020": _NO_SIZES,
    "E10021": "The path in the message is too long for atc. Move the run to a folder with a shorter path.",
    "E10022": f"The option --output ends in a folder: it takes a file's name without .om. {_OURS}",
    "E10031": _OPEN_BATCH,
    "E10034": _NO_IMAGE,
    "E10035": "--dynamic-batch needs at least two sizes. For a single one use --batch.",
    "E10036": "--dynamic-batch takes at most 100 sizes: leave some out.",
    "E10037": f"The profiles of --dynamic_dims or --dynamic_image_size are not equally long. {_NO_DIMS}",
    "E10038": "Every size in --dynamic-batch must be above 0.",
    "E10039": "--dynamic-batch has the same size twice: leave one out.",
    "E10040": _OPEN_BATCH,
    "E10041": (
        "atc cannot load the graph: it takes a whole frozen TensorFlow graph, neither a checkpoint nor a SavedModel. "
        f"{_FREEZE}, and give no --framework after --."
    ),
    "E10044": (
        "This computer has less free memory than atc asks for; the message has both numbers. "
        "Stop other programs, or convert on a bigger computer: it needs no Ascend chip."
    ),
    "E10045": _NO_DIMS,
    "E10046": _NO_DIMS,
    "E10047": "The two options in the message exclude each other. Leave one out, be it a flag or after --.",
    "E10048": _NO_RANGE,
    "E10049": _SHAPE_MISMATCH,
    "E10050": _SHAPE_MISMATCH,
    "E10052": _NO_IMAGE,
    "E10054": (
        "The option in the message has no value; after -- a value with ; in it needs quotes, or the shell cuts it "
        f"there. {_OURS}"
    ),
    "E10055": "This CANN or chip cannot do what an option asks for. Leave out the flag that the message names.",
    "E10056": "Two options cannot go together: give either --precision-mode or --precision-mode-v2, not both.",
    **dict.fromkeys(
        (f"E1040{number}" for number in range(1, 7)),
        f"The number or the sizes of inputs and outputs do not fit, for a single operator or at run time. {_OURS}",
    ),
    "E10410": (
        "The file in the message does not exist. "
        "Check the paths of --keep-dtype, --modify-mixlist and --fusion-switch-file, and those after --."
    ),
    "E10501": _NOT_REGISTERED,
    "EZ0501": _NOT_REGISTERED,
    "E12009": f"The graph is broken: an operator's input is missing. {_FREEZE}.",
    **dict.fromkeys(
        ("E12013", "E12029"),
        f"The graph calls functions (If, While, PartitionedCall), which need a graph_def_library.pbtxt. {_FREEZE}.",
    ),
    **dict.fromkeys((f"E1{era}00{number}" for era in (9, 3) for number in range(6)), _FILES),
    **dict.fromkeys(("E19010", "E13010", "EZ9010"), _NO_PARSER),
    "E19014": f"An operator of the graph has a value that atc refuses. {_FREEZE}.",
    "E19015": (
        "The file in the message is empty or too large for atc. "
        "If that is the graph, run biggan freeze anew; if not, look at what stands after --."
    ),
    "E19018": f"A file in protobuf's text form, such as the one of --insert_op_conf, is malformed. {_NOT_SET}",
    "E19024": _ENVIRONMENT,
    "E19025": f"An input of the graph does not suit atc; the message says why. {_FREEZE}.",
    "E19999": (
        "An error inside CANN, which its message seldom explains; a shape that does not fit the graph is one cause. "
        f"The first error in the detailed log tells more: {_LOGS}."
    ),
    "E20101": (
        "This CANN does not know the chip: correct --soc, which takes the names of the .ini files in "
        "<toolkit>/<arch>-linux/data/platform_config. Ascend310 is documented up to CANN 8.2: name an older one with "
        "--toolkit DIR."
    ),
    "E40000": _PYTHON,
    "E40001": _ENVIRONMENT,
    "E40021": (
        "The compiler of operators failed at the one in the message; its own error is in "
        f"{_LOGS}. Another --precision-mode or --op-select-implmode may choose another kernel."
    ),
    "EC0010": _PYTHON,
    "EZ3002": _NO_KERNEL,
    "EZ3003": _NO_KERNEL,
    "W11001": (
        "Only a warning: the operator works, but may be slow, on the AI CPU for instance. "
        "If speed matters, try another precision: on Ascend310 AvgPool, MaxPool and Exp are fast in float16 only."
    ),
}
