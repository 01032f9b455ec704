"""What the serving grammar or the checker would refuse of a text, whatever wrote it."""

from copywriting.brief import Brief
from copywriting.slots import slots_in


def faults_of(brief: Brief, text: str) -> list[str]:
    """What the serving grammar or the checker would refuse."""
    faults = []
    if len(text.split("\n")) != len(brief.channel.parts):
        faults.append("parts")
    if set(slots_in(text)) - set(brief.slots):
        faults.append("unavailable slot")
    if "\ufffd" in text or not text.strip():
        faults.append("damaged")
    if any("\u4e00" <= c <= "\u9fff" for c in text) != (brief.language == "zh"):
        faults.append("language")
    return faults
