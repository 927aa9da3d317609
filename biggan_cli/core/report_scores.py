"""The scores of a report: those that were measured alike share a table, and each says what it is a score of."""

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from biggan_cli.core.markup import Html, element, joined, table
from biggan_cli.core.score_words import numbers

Record = Mapping[str, Any]


class Group(NamedTuple):
    """Scores that compare with each other: of as many pictures, by the same network, protocol and reference."""

    title: str
    records: List[Record]


def groups(scores: Sequence[Record]) -> List[Group]:
    """In the order in which each was first measured."""
    found: Dict[Tuple, List[Record]] = {}
    for record in scores:
        reference, extractor = record.get("reference") or {}, record["extractor"]
        samples = record["samples"]
        key = (record.get("protocol"), extractor.get("sha256"), samples["count"], reference.get("sha256"))
        key += (samples.get("truncation"), samples.get("weights"), samples.get("batch_norm"))
        found.setdefault(tuple(map(str, key)), []).append(record)
    return [Group(_title(records[-1]), records) for records in found.values()]


def score_tables(scores: Sequence[Record]) -> Html:
    """A table for each group, with the sentences below it."""
    return joined([joined(_table(group), _sentences(group)) for group in groups(scores)])


def best(scores: Sequence[Record]) -> List[Tuple[str, str, str]]:
    """The first numbers of the latest score, of a checkpoint as it was trained if there is one: (name, value, how)."""
    if not scores:
        return []
    usual = [
        record
        for record in scores
        if record["samples"].get("truncation") == record["samples"].get("trained_truncation")
    ]
    of_checkpoint = [record for record in usual if record["source"] == "checkpoint"]
    latest = (of_checkpoint or usual or scores)[-1]
    step = latest["samples"].get("step")
    how = f"{latest['samples']['count']:,} pictures" + (f", step {step:,}" if isinstance(step, int) else "")
    return [(name, value.split(" ± ")[0], how) for name, value, _ in numbers(latest)[:2]]


def _title(record: Record) -> str:
    words = [f"{record['samples']['count']:,} pictures"]
    words += [f"against {record['reference']['name']}"] if record.get("reference") else []
    words += [f"protocol {record['protocol']}"] if record.get("protocol") else []
    return ", ".join(words)


def _table(group: Group) -> Html:
    names = dict.fromkeys(name for record in group.records for name, _, _ in numbers(record))
    rows = []
    for record in group.records:
        step = record["samples"].get("step")
        values = {name: value for name, value, _ in numbers(record)}
        row = [(record["label"], "of"), (f"{step:,}" if isinstance(step, int) else "–", "step")]
        rows.append(row + [(values.get(name, "–"), name) for name in names])
    return table(rows, group.title)


def _sentences(group: Group) -> Html:
    """What is pasted with a number, and why it compares with published ones or not: of the latest of each source.

    Those of earlier steps are folded: they differ in numbers alone.
    """
    latest = {record["label"]: record for record in group.records}.values()
    reasons = dict.fromkeys(str(reason) for record in latest for reason in record.get("why_incomparable") or ())
    compares = "Comparable with published scores."
    if reasons:
        compares = f"Not comparable with published scores: {'; '.join(reasons)}."
    folded = None
    if len(latest) < len(group.records):
        summary = element("summary", f"The sentences of all {len(group.records)}")
        folded = element("details", summary, _list(group.records))
    return element("div", _list(latest), element("p", compares), folded, class_="quiet")


def _list(records: Iterable[Record]) -> Html:
    return element("ul", [element("li", record["sentence"]) for record in records], class_="plain")
