"""The scores of a report: those that were measured alike share a table, and each says what it is a score of."""

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from biggan_cli.config import truncation_text
from biggan_cli.core.markup import Html, element, joined, table
from biggan_cli.core.score_words import numbers

Record = Mapping[str, Any]


class Group(NamedTuple):
    """Scores that stand together: of as many pictures, by the same network, protocol and reference."""

    title: str
    records: List[Record]


def groups(scores: Sequence[Record], with_truncations: bool = False) -> List[Group]:
    """In the order in which each was first measured; those of several truncations together only if asked for."""
    found: Dict[Tuple, List[Record]] = {}
    for record in scores:
        reference, extractor = record.get("reference") or {}, record["extractor"]
        samples = record["samples"]
        key = (record.get("protocol"), extractor.get("sha256"), samples["count"], reference.get("sha256"))
        key += (samples.get("weights"), samples.get("batch_norm"))
        key += () if with_truncations else (samples.get("truncation"),)
        found.setdefault(tuple(map(str, key)), []).append(record)
    return [Group(_title(records[-1]), records) for records in found.values()]


def score_tables(scores: Sequence[Record]) -> Html:
    """A table for each group, with the sentences below it."""
    return joined([joined(_table(group), _sentences(group)) for group in groups(scores, True)])


def best(scores: Sequence[Record]) -> List[Tuple[str, str, str]]:
    """The first numbers of the latest score, of a checkpoint as it was trained if there is one: (name, value, how)."""
    if not scores:
        return []
    usual = [record for record in scores if _as_trained(record)]
    of_checkpoint = [record for record in usual if record["source"] == "checkpoint"]
    latest = (of_checkpoint or usual or scores)[-1]
    step = latest["samples"].get("step")
    how = f"{latest['samples']['count']:,} pictures" + (f", step {step:,}" if isinstance(step, int) else "")
    return [(name, value.split(" ± ")[0], how) for name, value, _ in numbers(latest)[:2]]


def _as_trained(record: Record) -> bool:
    return record["samples"].get("truncation") == record["samples"].get("trained_truncation")


def _title(record: Record) -> str:
    words = [f"{record['samples']['count']:,} pictures"]
    words += [f"against {record['reference']['name']}"] if record.get("reference") else []
    words += [f"protocol {record['protocol']}"] if record.get("protocol") else []
    words += ["raw weights"] if record["samples"].get("weights") == "raw" else []
    return ", ".join(words)


def _table(group: Group) -> Html:
    truncations = [record["samples"].get("truncation", "unknown") for record in group.records]
    several = len(set(map(str, truncations))) > 1
    names = dict.fromkeys(name for record in group.records for name, _, _ in numbers(record))
    rows = []
    for record, truncation in zip(group.records, truncations):
        step = record["samples"].get("step")
        values = {name: value for name, value, _ in numbers(record)}
        row = [(record["label"], "of"), (f"{step:,}" if isinstance(step, int) else "–", "step")]
        row += [(_truncation(truncation), "truncation")] if several else []
        rows.append(tuple(row + [(values.get(name, "–"), name) for name in names]))
    return table(list(dict.fromkeys(rows)), group.title)


def _truncation(value: Any) -> str:
    return value if isinstance(value, str) else truncation_text(value)


def _sentences(group: Group) -> Html:
    """What is pasted with a number, and why it compares with published ones or not: of the latest of each source.

    Those of earlier steps and of other truncations than in training are folded: they differ in numbers alone.
    """
    last = {record["label"]: record for record in group.records}
    latest = dict(last, **{record["label"]: record for record in group.records if _as_trained(record)}).values()
    rows = {(record["label"], str(record["samples"].get("truncation"))): record for record in group.records}
    reasons = dict.fromkeys(str(reason) for record in rows.values() for reason in record.get("why_incomparable") or ())
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
