"""The parts of a report with what was drawn of a run: samples, sheets, truncations, neighbours and interpolations."""

from typing import List, Optional

from biggan_cli.core import report_facts as facts
from biggan_cli.core.markup import Html, Section, element
from biggan_cli.core.report_data import Drawn, Morph, RunData, Sheet
from biggan_cli.core.report_pictures import Animation, Picture

_SECTIONS = dict(
    drawn="Samples that were drawn",
    sheets="Class sheets",
    truncation="What truncation costs and brings",
    neighbours="Is it memorising?",
)
"""Kind of a picture, which is the anchor of its section → heading."""
_CAPTIONS = {
    "grid.png": "Samples, a row for each class",
    "curve.png": "Scores over truncations",
    "neighbours.png": "The nearest training pictures, by their pixels",
    "neighbours-features.png": "The nearest training pictures, by their features",
}
_SAID_OF = {"neighbours.png": 0, "neighbours-features.png": 1}
"""Which of the sentences about copies is about a picture."""


def sheets(data: RunData) -> List[Section]:
    """A section for each kind of picture that there is."""
    return [_of_a_kind(drawn) for drawn in sorted(data.drawn, key=lambda drawn: list(_SECTIONS).index(drawn.kind))]


def _of_a_kind(drawn: Drawn) -> Section:
    said = None
    if len(drawn.sheets) < drawn.total:
        said = element("p", f"The latest {len(drawn.sheets)} of {drawn.total} pictures.")
    shown = [_sheet(sheet) for sheet in drawn.sheets]
    layout = "side" if drawn.kind == "sheets" else "pair"
    return Section(drawn.kind, _SECTIONS[drawn.kind], said, element("div", shown, class_=layout))


def _sheet(sheet: Sheet) -> Html:
    config, details = sheet.result.manifest["config"], sheet.result.manifest["details"]
    name = _CAPTIONS.get(sheet.file) or sheet.file.rsplit(".", 1)[0].rpartition("/")[2].replace("_", " ")
    if config.get("truncations") and sheet.file == "grid.png":
        name = "The same seeds, a row for each truncation"
    draw = config.get("draw") if isinstance(config.get("draw"), dict) else {}
    words = [f"sample/{sheet.result.name}/{sheet.file}"]
    words += [f"step {draw['checkpoint']}"] if draw.get("checkpoint") else []
    truncation = config.get("truncations") or draw.get("truncation", config.get("truncation"))
    words.append("no truncation" if truncation is None else f"truncation {facts.plain(truncation)}")
    words += [f"{str(draw['weights']).replace('ema', 'EMA')} weights"] if draw.get("weights") else []
    said = list(details.get("copies") or ())
    place = _SAID_OF.get(sheet.file, len(said))
    return figure(sheet.picture, name, ". ".join([f"{name}: {', '.join(words)}", *said[place : place + 1]]))


def morphs(data: RunData) -> Optional[Section]:
    """All interpolations, moving; on paper some of their frames."""
    if not data.morphs:
        return None
    said = None
    if len(data.morphs) < data.morphs_total:
        said = element("p", f"The latest {len(data.morphs)} of {data.morphs_total}.")
    shown = element("div", [_morph(morph) for morph in data.morphs], class_="side")
    return Section("interpolations", "Interpolations", said, shown)


def _morph(morph: Morph) -> Html:
    config, details, film = morph.result.manifest["config"], morph.result.manifest["details"], morph.film
    name = morph.file.rsplit(".", 1)[0].replace("-to-", " to ")
    alt = f"Interpolation {name}"
    count = film.frames if isinstance(film, Animation) else details.get("frames")
    caption = f"{name}: " + (f"{count} frames, " if count else "") + f"interpolate/{morph.file}"
    if isinstance(film, Picture):
        return figure(film, alt, caption)
    if isinstance(config.get("fps"), (int, float)):
        caption += f", {config['fps']:g} a second"
    if isinstance(film, Animation):
        still = image(film.still, f"{alt}, some of its frames", "still" if film.moving else None)
        if not film.moving:
            caption += "; the animation is too large to be here, these are some of its frames"
        shown = [image(film.moving, alt, "moving") if film.moving else None, still]
    elif film.uri:
        shown = element("video", src=film.uri, controls=True, loop=True, muted=True, playsinline=True, aria_label=alt)
    else:
        shown, caption = None, f"{caption}; the film is too large to be here"
    return element("figure", shown, element("figcaption", caption))


def figure(picture: Picture, alt: str, caption: str) -> Html:
    """A picture with words below it, which say whether it is as it was."""
    reduced = " (compressed to fit here)" if picture.smaller else ""
    return element("figure", image(picture, alt), element("figcaption", caption + reduced))


def image(picture: Picture, alt: str, class_: Optional[str] = None) -> Html:
    return element("img", src=picture.uri, width=picture.width, height=picture.height, alt=alt, class_=class_)
