"""Progress in words: the same on a terminal, in every log and in a scheduled run's state."""

from collections.abc import Sequence

from lightly_pipeline.progress.views import ItemView, StepView

_TITLES = {
    "list": "Listing videos",
    "vectors": "Reading embeddings",
    "read_frames": "Reading frames to train on",
    "train": "Training",
    "decode": "Decoding and embedding",
    "load": "Loading embeddings",
    "typicality": "Computing typicality",
    "select": "Selecting frames",
    "upload": "Writing images",
    "report": "Making the report",
    "upload_report": "Writing the report",
    "verify": "Reading images",
    "copy": "Copying images",
    "export": "Writing embeddings",
}
_IMAGES = "images"
_NAMED = 3
_MAX_NAME = 80
_EXACT_S, _MINUTE, _HOUR = 10, 60, 3600


def title(step: str) -> str:
    """Returns what a step does."""
    return _TITLES.get(step, step)


def line(view: StepView) -> str:
    """Returns how far a step is and what it works on, for a log."""
    text = f"{_title(view)}: {', '.join([_counts(view, with_share=True), *_speed(view)])}"
    return f"{text}; in hand: {names(view.in_hand)}" if view.in_hand else text


def short_line(view: StepView) -> str:
    """Returns how far a step is, in few words."""
    if view.is_over:
        return closing_line(view)
    share = percent(view.share)
    how_far = [share] if share else [_counts(view)]
    if view.items_total is not None:
        how_far.append(items(view))
    return f"{_title(view)}: {', '.join([*how_far, time_left(view)])}".removesuffix(", ")


def closing_line(view: StepView) -> str:
    """Returns what a step has done."""
    if view.items_total == 0:
        return f"{_title(view)}: nothing left to do"
    text = f"{_title(view)}: {view.done:,} {view.unit}"
    if view.items_total is not None:
        text += f" of {_items(view, view.items_total)}"
    return f"{text} in {took(view)}"


def names(items: Sequence[ItemView]) -> str:
    """Returns the first of what is in hand, with how long and how far."""
    shown = [f"{shortened(escaped(item.name))} ({_details(item)})" for item in items[:_NAMED]]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def time_left(view: StepView | ItemView) -> str:
    """Returns how long it still takes, or that nothing is heard of it; empty when unknown."""
    if view.is_stalled:
        return f"nothing for {duration(view.quiet_s)}"
    return f"{duration(view.left_s)} left" if view.left_s is not None else ""


def items(view: StepView) -> str:
    """Returns how many videos, or shards of images, are over, and of how many.

    Empty for a step without a list.
    """
    if view.items_total is None:
        return ""
    return f"{view.items_done:,} of {_items(view, view.items_total)}"


def total(view: StepView) -> str:
    """Returns how many there will be; of an estimate no more digits than it is good for."""
    if view.total is None:
        return ""
    return f"{int(float(f'{view.total:.3g}')) if view.is_estimated else view.total:,}"


def took(view: StepView) -> str:
    """Returns how long a step has taken."""
    return f"{view.seconds:.1f} s" if view.seconds < _EXACT_S else duration(view.seconds)


def rate(view: StepView) -> str:
    """Returns counts per second; empty when unknown."""
    if view.rate is None:
        return ""
    return f"{view.rate:,.0f}/s" if view.rate >= 10 else f"{view.rate:.2g}/s"


def percent(share: float | None) -> str:
    """Returns a share in percent, never more than is done; empty when unknown."""
    return "" if share is None else f"{int(share * 100)} %"


def duration(seconds: float) -> str:
    """Returns a time in the two units that matter: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s".removesuffix(" 0 s")
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min".removesuffix(" 0 min")


def escaped(name: str) -> str:
    """Returns a text that stays on its line: what no terminal may be sent is escaped."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def shortened(name: str, room: int = _MAX_NAME) -> str:
    """Returns a name of at most so many characters; the end of a path tells more."""
    return name if len(name) <= room else "..." + name[len(name) - room + 3 :]


def _counts(view: StepView, *, with_share: bool = False) -> str:
    text = f"{view.done:,}"
    if view.total is not None:
        text += f" of {'about ' if view.is_estimated else ''}{total(view)}"
    text += f" {view.unit}"
    share = percent(view.share) if with_share else ""
    return f"{text} ({share})" if share else text


def _speed(view: StepView) -> list[str]:
    parts = [items(view), "" if view.is_stalled else rate(view), time_left(view)]
    return [part for part in parts if part]


def _items(view: StepView, count: int) -> str:
    noun = "shard" if view.unit == _IMAGES else "video"
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _title(view: StepView) -> str:
    return "Listing images" if (view.step, view.unit) == ("list", _IMAGES) else title(view.step)


def _details(item: ItemView) -> str:
    if item.is_stalled:
        return f"{duration(item.seconds)}, {time_left(item)}"
    share = percent(item.share)
    return duration(item.seconds) + (f", {share}" if share else "")
