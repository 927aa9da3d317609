"""Monitors: what looks at a run while nobody does, step by step, and says so when it goes wrong.

=============  ==================================================================================================
``finite``     a loss or gradient is no number: at once, for nothing can be learnt from there
``won``        the hinge is saturated on both sides for :data:`WON_STEPS` steps: the generator gets no useful gradient
``dead``       logits of real and fake pictures are the same for :data:`WON_STEPS` steps: nothing is learnt from them
``collapse``   pictures of a batch vary by less than :data:`ALIKE` of what real ones do
``classes``    the same within the classes
``sigma``      a largest singular value is :data:`EXPLODED` times its running median, in either network
``fid``        a score is more than twice the best one
=============  ==================================================================================================

What they remember is plain values, which every checkpoint has: a resumed run goes on watching as if it had not ended.
"""

import math
import statistics
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from biggan_cli.config import TrainConfig
from biggan_cli.errors import StepFailed
from biggan_cli.training.signs import SATURATED, SIGMAS

WON_SHARE, WON_STEPS = 0.99, 200
"""Of the logits on each side. A hinge that is 0 gives the discriminator no gradient either: it stays so until the
generator finds out by itself, which it does within tens of steps if it does at all."""
APART = 1e-3
"""Between the means of logits. Ten steps of the digits preset have 0.24 and more; a discriminator whose last
activations are all 0 gives the same to every picture, for ever."""
ALIKE, GROWN, WARM_UP = 0.05, 0.25, 300
"""Of the variance of real pictures; single batches of a sound run were never below 0.45, the first ones included. Where
a generator starts with less, it counts from when it had :data:`GROWN` of that, or from step :data:`WARM_UP`."""
EXPLODED, SIGMA_EVERY, SIGMA_SAMPLES, SIGMA_LEAST = 3.0, 20, 50, 10
"""The median is of up to 50 values, 20 steps apart: the last 1,000 steps. Sound runs stay far below: the digits preset,
with rates ten times those of others, reaches 1.33 times the median, in the generator, in its first 200 steps."""
WORSE = 2.0
_AVERAGED_OVER = 50
"""Steps over which variances are averaged: small batches have few pictures of a class."""
_SIGN = 2.0
"""Half of the way to a limit is the first sign: what was saved after it may have been spoilt already."""
_WARN_EVERY = 1000
"""Steps between warnings of the same monitor."""

_HELP = dict(
    finite="smaller --g-lr and --d-lr, or a larger --batch, may help",
    overflow="a weight may not be finite: then from a checkpoint before it",
    won="a smaller --d-lr, --augment, --lecam or more data help",
    dead="a smaller --d-lr helps",
    collapse="a smaller --g-lr, more --d-steps or a larger --batch help",
    classes="a smaller --g-lr, more --d-steps or a larger --batch help",
    sigma="smaller --g-lr and --d-lr, or more --orthogonal, help",
    fid="smaller --g-lr and --d-lr, or fewer --steps: what is best is kept",
)


class Collapsed(StepFailed):
    """A monitor found the run to be spoilt; nothing was saved of it since.

    Attributes:
        monitor: its name.
        step: where it was found.
        last_good: the last step that is sound for sure. A step shows what the steps before it made of the weights:
            the one right before the first sign may have spoilt them.
    """

    def __init__(self, monitor: str, message: str, step: int, last_good: int, fix: Optional[str] = None):
        super().__init__(message, hint=_HELP[monitor], fix=fix)
        self.monitor, self.step, self.last_good = monitor, step, last_good


class Monitors:
    """All of them.

    Args:
        names: of the metrics of a step.
        remembered: what :meth:`memory` of the checkpoint gave where the run goes on from; empty of a new one.
        report: hears the warnings.

    Attributes:
        finished: why the run ends before its last step; None while it goes on.
    """

    def __init__(self, train: TrainConfig, names: Sequence[str], remembered: Mapping[str, Any], report: Callable):
        self._train, self._names, self._report = train, names, report
        kinds = dict(won=_Won, dead=_Dead, collapse=_Collapse, classes=_CollapsedClasses, sigma=_Sigma)
        held = remembered.get("monitors", {})
        self._monitors = {name: kind(held.get(name, {})) for name, kind in kinds.items()}
        self._warned: Dict[str, int] = dict(remembered.get("warned", {}))
        self._scores: Dict[str, Any] = dict(remembered.get("scores", {}))

    def memory(self) -> Dict[str, Any]:
        """All that a resumed run must know, as plain values."""
        monitors = {name: monitor.memory() for name, monitor in self._monitors.items()}
        return dict(monitors=monitors, warned=dict(self._warned), scores=dict(self._scores))

    def look(self, step: int, metrics: Sequence[float], count: int = 1, overflowed: bool = False) -> None:
        """At a run of ``count`` steps up to ``step``, with the metrics of the last one.

        Args:
            overflowed: a scaled loss left a step out, which need not have numbers then.

        Raises:
            Collapsed: it is spoilt, and ``--on-collapse`` does not say to go on.
        """
        values = {name: float(value) for name, value in zip(self._names, metrics)}
        wrong = [f"{name} {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong and overflowed:
            return
        if wrong:
            message = f"a loss or gradient is not finite at step {step}: {', '.join(wrong)}"
            raise Collapsed("finite", message, step, max(0, step - 2 * count))
        for name, monitor in self._monitors.items():
            found = monitor.look(step, count, values)
            if found:
                self._alarm(name, step, found, max(0, monitor.since - 1 - count))

    def last_good(self) -> List[int]:
        """The steps at which the run was sound for sure, in the eyes of each monitor that doubts it by now."""
        signs = [max(0, monitor.since - 2) for monitor in self._monitors.values() if monitor.since is not None]
        return signs + ([self._scores["sound_step"]] if "sound_step" in self._scores else [])

    @property
    def finished(self) -> Optional[str]:
        without = self._scores.get("without_better", 0)
        if not self._train.patience or without < self._train.patience:
            return None
        best = self._scores["best"]["fid"]
        scores = f"{without} score{'s' * (without != 1)}"
        return f"{scores} without a better FID than {best['value']:.3f} of step {best['step']}"

    @property
    def last_score(self) -> Optional[int]:
        """The step of the last score."""
        return self._scores.get("step")

    @property
    def best(self) -> Dict[str, Dict[str, Any]]:
        """``fid`` and ``is`` → the step and the value of the best score so far."""
        return dict(self._scores.get("best", {}))

    def scored(self, step: int, values: Mapping[str, float], of: Mapping[str, Any]) -> List[str]:
        """Remember a score; which of its ``values``, ``fid`` and ``is``, are the best so far.

        Args:
            of: how it was measured: the best are those that were measured so.
        """
        best = self.best if self._scores.get("of") == dict(of) else {}
        better = [
            name
            for name, value in values.items()
            if name not in best or (value < best[name]["value"] if name == "fid" else value > best[name]["value"])
        ]
        without = 0 if "fid" in better else self._scores.get("without_better", 0) + 1
        sound = self._scores.get("sound_step", step)
        best.update({name: dict(step=step, value=values[name]) for name in better})
        if values["fid"] <= WORSE * best["fid"]["value"]:
            sound = step
        self._scores = dict(step=step, of=dict(of), best=best, without_better=without, sound_step=sound)
        return better

    def judge(self, step: int, fid: float) -> None:
        """The last score, after it is kept.

        Raises:
            Collapsed: as :meth:`look`.
        """
        best = self._scores["best"]["fid"]
        if fid > WORSE * best["value"]:
            times = f"{fid / best['value']:.1f} times" if best["value"] > 0 else "more than"
            text = f"FID {fid:.3f} is {times} the best, {best['value']:.3f} of step {best['step']}"
            self._alarm("fid", step, text, self._scores["sound_step"])

    def _alarm(self, name: str, step: int, found: str, last_good: int) -> None:
        if self._train.on_collapse != "warn":
            raise Collapsed(name, f"{found}, at step {step}", step, last_good)
        if name == "fid" or step - self._warned.get(name, -_WARN_EVERY) >= _WARN_EVERY:
            self._warned[name] = step
            self._report("warning", text=f"{found}, at step {step}; {_HELP[name]}")


class _InARow:
    """``since``: the first step in a row that shows a sign. Found after :data:`WON_STEPS` of them."""

    def __init__(self, held: Mapping[str, Any]):
        self.since: Optional[int] = held.get("since")

    def memory(self) -> Dict[str, Any]:
        return dict(since=self.since)

    def look(self, step: int, count: int, values: Mapping[str, float]) -> Optional[str]:
        self.since = _first(self.since, step, count, self.shows(values))
        steps = step - self.since + 1 if self.since is not None else 0
        return self.words(steps, values) if steps >= WON_STEPS else None


class _Won(_InARow):
    """The hinge is saturated on both sides."""

    def shows(self, values: Mapping[str, float]) -> bool:
        return min(values[name] for name in SATURATED) >= WON_SHARE

    def words(self, steps: int, values: Mapping[str, float]) -> str:
        shares = " and ".join(f"{values[name]:.0%}" for name in SATURATED)
        return (
            f"the discriminator has won: for {steps} steps it has been certain of {shares} "
            f"of real and fake pictures (limit {WON_SHARE:.0%} for {WON_STEPS} steps)"
        )


class _Dead(_InARow):
    """The discriminator tells nothing apart."""

    def shows(self, values: Mapping[str, float]) -> bool:
        return abs(values["real_logit"] - values["fake_logit"]) < APART

    def words(self, steps: int, values: Mapping[str, float]) -> str:
        return (
            f"the discriminator is dead: for {steps} steps its logits of real and fake pictures have been the same "
            f"(now {abs(values['real_logit'] - values['fake_logit']):.2g} apart, limit {APART:g} for {WON_STEPS} steps)"
        )


class _Collapse:
    """Averages of squares and of their degrees of freedom, of fakes and of real pictures."""

    what = "the generator has collapsed: its pictures of a batch vary"

    def __init__(self, held: Mapping[str, Any]):
        self.since: Optional[int] = held.get("since")
        self._grown: bool = held.get("grown", False)
        self._sums: List[float] = list(held.get("sums", [0.0] * 4))

    def memory(self) -> Dict[str, Any]:
        return dict(since=self.since, grown=self._grown, sums=list(self._sums))

    def parts(self, values: Mapping[str, float]) -> List[float]:
        """Squares and freedom of fakes, then of real pictures."""
        return [values["fake_variance"], 1.0, values["real_variance"], 1.0]

    def look(self, step: int, count: int, values: Mapping[str, float]) -> Optional[str]:
        kept = (1.0 - 1.0 / _AVERAGED_OVER) ** count
        self._sums = [kept * old + (1.0 - kept) * new for old, new in zip(self._sums, self.parts(values))]
        fakes, fake_freedom, real, real_freedom = self._sums
        if not (fake_freedom and real_freedom and real):
            return None
        share = (fakes / fake_freedom) / (real / real_freedom)
        self._grown = self._grown or share >= GROWN
        self.since = _first(self.since, step, count, share < _SIGN * ALIKE)
        if share >= ALIKE or not (self._grown or step >= WARM_UP):
            return None
        return f"{self.what} {share:.3f} times as much as real ones (limit {ALIKE}), less and less since {self.since}"


class _CollapsedClasses(_Collapse):
    what = "the generator has collapsed: its pictures of a class vary"

    def parts(self, values: Mapping[str, float]) -> List[float]:
        return [values[f"{side}_class_{part}"] for side in ("fake", "real") for part in ("squares", "freedom")]


class _Sigma:
    """The last values of both networks' largest sigma, some steps apart."""

    def __init__(self, held: Mapping[str, Any]):
        self._since: Dict[str, Optional[int]] = {name: held.get("since", {}).get(name) for name in SIGMAS}
        self._samples: Dict[str, List[float]] = {name: list(held.get("samples", {}).get(name, [])) for name in SIGMAS}
        self._sampled: int = held.get("sampled", 0)

    @property
    def since(self) -> Optional[int]:
        return min((step for step in self._since.values() if step is not None), default=None)

    def memory(self) -> Dict[str, Any]:
        samples = {name: list(values) for name, values in self._samples.items()}
        return dict(since=dict(self._since), samples=samples, sampled=self._sampled)

    def look(self, step: int, count: int, values: Mapping[str, float]) -> Optional[str]:
        found = None
        for name, network in zip(SIGMAS, ("generator", "discriminator")):
            samples = self._samples[name]
            if len(samples) < SIGMA_LEAST:
                continue
            median = statistics.median(samples)
            self._since[name] = _first(self._since[name], step, count, values[name] > EXPLODED / _SIGN * median)
            if values[name] > EXPLODED * median:
                found = (
                    f"a weight of the {network} explodes: its sigma is {values[name]:.3g}, "
                    f"{values[name] / median:.1f} times the median of the last {len(samples) * SIGMA_EVERY} steps, "
                    f"{median:.3g} (limit {EXPLODED:g} times)"
                )
        if step - self._sampled >= SIGMA_EVERY:
            self._sampled = step
            for name in SIGMAS:
                self._samples[name] = [*self._samples[name], values[name]][-SIGMA_SAMPLES:]
        return found


def _first(since: Optional[int], step: int, count: int, sign: bool) -> Optional[int]:
    """The first of the steps in a row that show a sign, after ``count`` more."""
    if not sign:
        return None
    return step - count + 1 if since is None else since
