"""What each command was asked for: one frozen dataclass a command. No I/O, no heavy imports."""

from dataclasses import dataclass
from typing import Any, Optional, Tuple, Union

DRAW_BATCH = 32
TOOLCHAINS = ("auto", "cann", "emulator")
RUNNERS = ("msame", "ais_bench")
METRICS = ("is", "fid", "kid", "pr")
SOURCES = ("checkpoint", "pb", "om")
EXTRACTORS = ("inception", "digits")
EXAMINED_DEVICES = ("cpu", "gpu", "npu")
ARCHIVE_FORMS = ("python", "matlab")
BENCHED = ("train", "sample", "frozen")


@dataclass(frozen=True)
class DrawConfig:
    """How a command that draws pictures opens a run's generator.

    ``truncation`` "run" is the one that the run was trained with; None is none. ``bn`` None is the run's own.
    """

    checkpoint: Optional[str] = None
    weights: str = "ema"
    bn: Optional[str] = None
    truncation: Union[float, str, None] = "run"
    device: str = "cpu"
    batch: int = DRAW_BATCH

    def truncation_for(self, trained: Optional[float]) -> Optional[float]:
        return trained if self.truncation == "run" else self.truncation


@dataclass(frozen=True)
class NpuConfig:
    """How a training uses an NPU: nothing that the numbers of a step depend on, except what ``options`` say.

    ``options`` are keys of the adapter with their values; ``profile`` the first and the last step of a profile.
    """

    device_id: Optional[int] = None
    options: Tuple[Tuple[str, str], ...] = ()
    steps_per_loop: int = 1
    profile: Optional[Tuple[int, int]] = None
    require: bool = False


@dataclass(frozen=True)
class DryRun:
    """What training does instead of training: it shows the plan, and with ``measure`` takes a few steps for it."""

    measure: bool = True


@dataclass(frozen=True)
class LatentsConfig:
    """Which latents. ``classes`` are (class name, count or None); none of them: every seed its own class."""

    classes: Tuple[Tuple[str, Optional[int]], ...] = ()
    num: Optional[int] = None
    seeds: Optional[Tuple[int, ...]] = None
    file: Optional[str] = None


@dataclass(frozen=True)
class SampleConfig:
    """What ``sample`` draws, and whether it keeps the unrounded floats."""

    draw: DrawConfig = DrawConfig()
    latents: LatentsConfig = LatentsConfig()
    npz: bool = False
    name: Optional[str] = None


@dataclass(frozen=True)
class InterpolateConfig:
    """What ``interpolate`` draws: a square grid of latents, their class moved from one to another."""

    draw: DrawConfig = DrawConfig()
    start: str = ""
    end: str = ""
    seeds: Tuple[int, ...] = tuple(range(16))
    frames: int = 11
    fps: float = 5.0
    name: Optional[str] = None


@dataclass(frozen=True)
class ImportConfig:
    """What ``import-checkpoint`` reads. ``weights`` says what the live weights are; None finds out."""

    prefix: str
    class_names: Optional[str] = None
    weights: Optional[str] = None


@dataclass(frozen=True)
class ExportConfig:
    """What ``export-checkpoint`` writes."""

    format: str = "reference"
    checkpoint: Optional[str] = None
    name: Optional[str] = None


@dataclass(frozen=True)
class FreezeConfig:
    """What ``freeze`` makes; ``batch`` None leaves the batch free."""

    draw: DrawConfig = DrawConfig()
    resample: str = "plain"
    batch: Optional[int] = None


@dataclass(frozen=True)
class ToBinConfig:
    """What ``to-bin`` writes; ``batch`` latents a file, None: that of the frozen graph, or 1."""

    latents: LatentsConfig = LatentsConfig()
    truncation: Union[float, str, None] = "run"
    batch: Optional[int] = None
    name: Optional[str] = None


@dataclass(frozen=True)
class ToolConfig:
    """Which external programs, and how long they may take; None: found by themselves."""

    toolchain: Optional[str] = None
    toolkit: Optional[str] = None
    time_limit: float = 3600.0


@dataclass(frozen=True)
class AtcConfig:
    """What ``atc`` builds. ``options`` are flags of atc with their values, ``extra`` what goes to it unread."""

    tool: ToolConfig = ToolConfig()
    soc: str = "Ascend310"
    batch: Optional[int] = None
    dynamic_batch: Tuple[int, ...] = ()
    options: Tuple[Tuple[str, str], ...] = ()
    extra: Tuple[str, ...] = ()
    name: Optional[str] = None


@dataclass(frozen=True)
class MsameRunConfig:
    """What ``msame-run`` runs: an offline model and input files by name, None: the latest of each."""

    tool: ToolConfig = ToolConfig()
    runner: str = "msame"
    program: Optional[str] = None
    om: Optional[str] = None
    bins: Optional[str] = None
    device_id: int = 0
    loop: int = 1
    profiler: bool = False
    dump: bool = False


@dataclass(frozen=True)
class ProfileConfig:
    """What ``profile`` exports and reads, None: the latest of the run; ``top`` operators are listed."""

    tool: ToolConfig = ToolConfig()
    prof: Optional[str] = None
    top: int = 10


@dataclass(frozen=True)
class VerifyConfig:
    """What ``verify`` compares: the frozen graph and every offline model that ran, or those of ``precision_modes``."""

    tool: ToolConfig = ToolConfig()
    precision_modes: Tuple[str, ...] = ()
    soc: str = "Ascend310"
    num: int = 16
    min_psnr: float = 40.0
    name: Optional[str] = None


@dataclass(frozen=True)
class ExtractorConfig:
    """Which network looks at the pictures; None: Inception, of digits that were trained on here their classifier.

    ``inception`` is the graph's file, None: found by itself; ``fetch`` lets it be downloaded.
    """

    name: Optional[str] = None
    inception: Optional[str] = None
    fetch: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class PicturesConfig:
    """Which pictures: of a run, a folder, a file or a data set, and how a run draws them.

    ``num`` None is what the protocol says, and of an offline model all that it made; ``om`` is its name.
    ``held_out`` means the part of a data set that is not trained on; ``weights`` are those of ``draw`` if they were
    asked for.
    """

    what: Optional[str] = None
    outdir: str = "runs"
    draw: DrawConfig = DrawConfig()
    num: Optional[int] = None
    seeds: Optional[Tuple[int, ...]] = None
    om: Optional[str] = None
    held_out: bool = False
    weights: Optional[str] = None


@dataclass(frozen=True)
class ReferenceConfig:
    """What generated pictures are compared with; None: what they were trained on, of files CIFAR-10's training set.

    ``data`` is where its pictures are, ``default_data`` where they may be if neither this nor the run says so.
    """

    name: Optional[str] = None
    data: Optional[str] = None
    default_data: Optional[str] = None
    fetch: bool = False


@dataclass(frozen=True)
class ScoreConfig:
    """What ``score`` measures, of which pictures and how; the defaults are those of torch-fidelity."""

    metrics: Tuple[str, ...] = ("is", "fid")
    pictures: PicturesConfig = PicturesConfig()
    sources: Tuple[str, ...] = ("checkpoint",)
    extractor: ExtractorConfig = ExtractorConfig()
    reference: ReferenceConfig = ReferenceConfig()
    protocol: Optional[str] = None
    splits: int = 10
    shuffle: bool = True
    metric_seed: int = 2020
    kid_subsets: int = 100
    kid_subset_size: int = 1000
    neighbours: int = 3


@dataclass(frozen=True)
class StatsConfig:
    """What ``stats`` writes: mean and covariance of the features of pictures, and the features if they are wanted."""

    out: str
    pictures: PicturesConfig = PicturesConfig()
    source: str = "checkpoint"
    extractor: ExtractorConfig = ExtractorConfig()
    features: bool = False


@dataclass(frozen=True)
class DoctorConfig:
    """For which device ``doctor`` looks at this machine, and where the runs are to be."""

    device: str = "cpu"
    outdir: str = "runs"


@dataclass(frozen=True)
class PrepareConfig:
    """What ``prepare`` makes; ``resolution`` None: as the pictures are; ``form``: which archive to download.

    ``shard_size`` is in pictures; None: as many as make some 64 MB. ``workers`` None: one for each core.
    """

    source: str
    out: Optional[str] = None
    resolution: Optional[int] = None
    workers: Optional[int] = None
    skip_broken: bool = False
    shard_size: Optional[int] = None
    download: bool = False
    form: str = "python"


@dataclass(frozen=True)
class DataConfig:
    """What ``data`` looks at, and where its grid goes."""

    spec: str
    out: Optional[str] = None


@dataclass(frozen=True)
class BenchConfig:
    """What ``bench`` measures: a row for each of ``precisions`` × ``resamples`` × ``batches``, none: the usual one.

    ``values`` are fields of the configuration over those of the preset; ``run`` names a run whose configuration is
    taken instead. Each row takes ``steps`` steps in each of ``rounds`` turns.
    """

    what: str = "train"
    run: Optional[str] = None
    outdir: str = "runs"
    preset: Optional[str] = None
    values: Tuple[Tuple[str, Any], ...] = ()
    precisions: Tuple[str, ...] = ()
    resamples: Tuple[str, ...] = ()
    batches: Tuple[int, ...] = ()
    steps: int = 2
    rounds: int = 5
