"""Profiling of a few session.run calls."""

import os


class Profiler:
    def __init__(self, *, level: str = "L0", aic_metrics: str = "", output_path: str = ""):
        if level not in ("L0", "L1", "L2"):
            raise ValueError(f"level {level!r} is none of L0, L1, L2")
        if output_path and not os.path.isdir(output_path):
            raise ValueError(f"output_path {output_path} is no directory")
        self._started = False

    def start(self):
        if self._started:
            raise RuntimeError("the profiler is already started")
        self._started = True

    def stop(self):
        if not self._started:
            raise RuntimeError("the profiler is not started")
        self._started = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()
