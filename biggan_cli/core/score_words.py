"""The words of scores: a sentence to paste, a table, what compares with what."""

from typing import Any, List, Mapping, Sequence, Tuple

from biggan_cli.metrics import digit_classifier

Record = Mapping[str, Any]
"""A line of ``score.jsonl``."""


def px(size: Sequence[int]) -> str:
    """Of (height, width)."""
    return f"{size[1]}x{size[0]} px"


def sentence(record: Record) -> str:
    """What was measured, of what and how, in one sentence."""
    samples, reference, extractor = record["samples"], record["reference"], record["extractor"]
    scores = ", ".join(f"{name} {value}" + (f" ({how})" if how else "") for name, value, how in numbers(record))
    size = f" ({px(samples['size'])})" if samples["size"] else ""
    how = [record["how"]] if record["how"] else []
    if "quantisation" in samples:
        how.append("levels rounded down" if samples["quantisation"] == "down" else "levels rounded to nearest")
    lossy = f"through JPEG of quality {samples['jpeg']}" if samples.get("jpeg") else "through a lossy format"
    resized = f"resized to {px(samples['resized_to'])}" if "resized_to" in samples else None
    loss = {True: "lossless", False: lossy, None: "with or without loss until then"}[samples["lossless"]]
    how += [loss, resized] if resized else [loss]
    if extractor["name"] == digit_classifier.NAME:
        network = f"features of biggan's digit classifier (sha256 {extractor['sha256'][:12]}), not Inception"
    else:
        official = "2015-12-05" if extractor["official"] else "of another origin"
        network = f"Inception {official} (sha256 {extractor['sha256'][:12]})"
    against = f", against {reference['name']}" if reference else ""
    if reference and reference["count"]:
        against += f" ({reference['count']:,} images)"
    protocol = f"protocol {record['protocol']}; " if record["protocol"] else ""
    form = f" from the {record['label']}" if record["source"] in ("pb", "om") else ""
    return (
        f"{scores} of {samples['count']:,} images{size}{form}: {', '.join(how)}; {network}{against}; {protocol}"
        f"biggan {record['biggan']}, {record['lane']}."
    )


def numbers(record: Record) -> List[Tuple[str, str, str]]:
    """The scores as words: name, value, and how it was made."""
    rows = []
    digits = record["extractor"]["name"] == digit_classifier.NAME
    label = "digit {}" if digits else "{}"
    found = record.get("inception_score")
    if found:
        order = f"shuffled with seed {found['seed']}" if found["shuffled"] else "in the order given"
        splits = f"{found['splits']} split{'s' * (found['splits'] != 1)}"
        how = f"{'at most 10; ' if digits else ''}{splits}, {order}"
        rows.append((label.format("IS"), f"{found['mean']:.3f} ± {found['std']:.3f}", how))
    found = record.get("fid")
    if found:
        how = f"the first {found['count']:,} images" if found["count"] != record["samples"]["count"] else ""
        rows.append((label.format("FID"), without_minus_zero(found["value"], 3), how))
    found = record.get("kid")
    if found:
        how = f"{found['subsets']} subsets of {found['subset_size']}"
        value = f"{without_minus_zero(found['mean'], 6)} ± {found['std']:.6f}"
        rows.append((label.format("KID"), value, how))
    if "precision" in record:
        how = f"{record['neighbours']} neighbours"
        rows.append((label.format("precision"), f"{record['precision']:.4f}", how))
        rows.append((label.format("recall"), f"{record['recall']:.4f}", how))
    return rows


def without_minus_zero(value: float, digits: int) -> str:
    """Rounded; what rounding leaves of a distance 0 may be below it."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def table(scores: Sequence[Record]) -> Tuple[List[str], List[List[str]]]:
    """A row for each score, and a column for each source with how far it is from the first one."""
    if len(scores) == 1:
        return [], [list(row) for row in numbers(scores[0])]
    rows = [[name, value] for name, value, _ in numbers(scores[0])]
    for record in scores[1:]:
        for row, (_, value, _), own, base in zip(rows, numbers(record), _means(record), _means(scores[0])):
            number, digits = value.split()[0], 6 if "KID" in row[0] else 4
            row.append(f"{number} ({round(own - base, digits) + 0.0:+.{digits}f})")
    return ["", *(_heading(record) for record in scores)], rows


def _heading(record: Record) -> str:
    """Of a column: not the whole name of an offline model."""
    if record["source"] == "om":
        return "emulated om" if record["emulated"] else "om"
    return record["label"]


def words(scores: Sequence[Record]) -> str:
    """What stands below the table: whether it compares with published scores, and a sentence for each source."""
    shared = scores[0]["why_incomparable"]
    lines = [f"comparable with published scores: {'no' if shared else 'yes'}", *(f"  - {reason}" for reason in shared)]
    for record in scores[1:]:
        own = [reason for reason in record["why_incomparable"] if reason not in shared]
        lines += [f"  - {record['label']}: {reason}" for reason in own]
    for record in scores:
        lines += ["", record["sentence"]]
    return "\n".join(lines)


def _means(record: Record) -> List[float]:
    """The numbers in the order of :func:`numbers`."""
    parts = dict(inception_score="mean", fid="value", kid="mean")
    found = [record[name][part] for name, part in parts.items() if name in record]
    return found + [record[name] for name in ("precision", "recall") if name in record]
