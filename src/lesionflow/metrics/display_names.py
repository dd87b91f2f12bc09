"""How a metric is called in a sentence: as the field writes it, not as params and tables do."""

#: Parts that are not written as plain words.
SPELLED = {"hd95": "HD95", "hd": "HD", "assd": "ASSD", "iou": "IoU", "dice": "Dice", "brats": "BraTS", "f1": "F1"}
TOLERANCES = ("1mm", "2mm", "5mm")


def spell_metric(name: str) -> str:
    """Return a metric's or column's name in words, without its unit, as it stands within a sentence.

    Examples:
        >>> spell_metric("dice"), spell_metric("surface_dice_2mm"), spell_metric("hd95_mm"), spell_metric("lesion_recall")
        ('Dice', 'surface Dice at 2 mm', 'HD95', 'lesion recall')
    """
    parts = name.removeprefix("n_").split("_")
    if parts[-1] in {"mm", "ml"}:
        parts.pop()
    spelled = " ".join(SPELLED.get(part, part) for part in parts)
    return f"{spelled[:-3]}at {spelled[-3]} mm" if spelled.endswith(TOLERANCES) else spelled


def head_of(words: str) -> str:
    """Return words as they begin a sentence or head a column."""
    return words[:1].upper() + words[1:]
