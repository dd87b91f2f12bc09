"""What CT numbers can be at all."""

#: Twelve bits end at 3071 HU, extended scales at about 31,000; an unsigned reading of signed numbers lies near 65,000.
MAX_HU, MIN_HU = 40_000.0, -40_000.0
#: Attenuation per cm or mm lies below 10 for tissue and bone, and so does what was scaled to 0..1; no HU image of a body does.
MU_MAXIMUM = 10.0
#: Some tissue is denser than this in whatever part of a body, lungs among them; air alone is not.
SOME_TISSUE_HU = -900.0
#: Fat and air are below; an image of a body has some of either, unless it was windowed or shifted.
SOME_FAT_HU = -20.0


def hu_fault(lowest: float, highest: float) -> str:
    """Say why values can't be HU.

    Args:
        lowest: The lowest of them.
        highest: The highest of them.

    Returns:
        What they may be instead, as a question; "" where they can be HU.

    Examples:
        >>> hu_fault(-1024.0, 3071.0)
        ''
        >>> hu_fault(0.0, 64536.0)
        'signed numbers read as unsigned, or a wrong rescale?'
    """
    if highest > lowest > -1.0 and highest < MU_MAXIMUM:
        return "attenuation coefficients, or values scaled to 0..1?"
    if lowest < highest < SOME_TISSUE_HU:
        return "a slope of the wrong sign, a wrong intercept, or air alone?"
    return "signed numbers read as unsigned, or a wrong rescale?" if lowest < MIN_HU or highest > MAX_HU else ""
