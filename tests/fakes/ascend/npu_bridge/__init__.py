"""A stand-in for Ascend's TensorFlow 1.15 adapter, on the CPU and stricter than the adapter itself.

It keeps the public contract: names and signatures of three eras (FAKE_NPU_ERA = 2021, 5.1 or 9.x), one device per
process. Where the adapter would ignore a mistake, such as an unknown option, or would slow down or fail on the device,
the stand-in stops with an error that names it. Nothing here is a measurement of a device.

FAKE_NPU_ERA        which adapter: 2021 (r1.2), 5.1 (r1.7), 9.x (2026; the default)
FAKE_NPU_DEVICES    how many devices there are (8)
FAKE_NPU_LOG        "tensorflow" (default): lines on descriptor 2 as TensorFlow's own logging writes them, so only
                    when TF_CPP_MIN_LOG_LEVEL was 0 or unset when npu_bridge was imported;
                    "plog": lines in $HOME/ascend/log/run/plog/plog-<pid>_<timestamp>.log
FAKE_NPU_FAIL       "3": this run on a device, counted from 1 in this process, fails as a device does
FAKE_NPU_OVERFLOW   "3,7": these calls of the overflow check, counted from 1 in this process, report an overflow
FAKE_NPU_REPORT     file (or directory) that gets a JSON report of all sessions at exit
FAKE_NPU_UNSOURCED  set: as if the toolkit's set_env.sh had not been sourced
"""

from npu_bridge import _device

_device.load_adapter()
