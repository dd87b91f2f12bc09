"""What uptake in PET (SUV by body weight) can be at all."""

#: A bladder may hold an SUV of hundreds, a drop of the dose itself of thousands: at most, usually at most.
SUV_MAXIMUM: tuple[float, float] = (2e4, 1e3)
#: The brightest voxel of a PET, noise included, is above 1 in whatever part of a body; kBq/ml taken for Bq/ml bring the
#: brain's 10 and the bladder's 100 below: at least, usually at least.
SUV_BRIGHTEST: tuple[float, float] = (0.1, 0.3)
#: The mean of what is above 0: near 1 in a body by the meaning of SUV, some 10 in a box round a hot lesion, thousands in Bq/ml:
#: at most, usually at most.
SUV_MEAN: tuple[float, float] = (500.0, 15.0)
#: Reconstructions leave noise below 0, never more of it than uptake.
SUV_LOWEST = -5.0


def suv_fault(lowest: float, highest: float, mean: float) -> str:
    """Say why values can't be SUV.

    Args:
        lowest: The lowest of them.
        highest: The highest of them.
        mean: Of those above 0.

    Returns:
        What they may be instead, as a question; "" where they can be SUV.

    Examples:
        >>> suv_fault(-0.1, 12.0, 0.8)
        ''
        >>> suv_fault(0.0, 15_000.0, 1500.0)
        'Bq/ml, or counts?'
        >>> suv_fault(0.0, 0.012, 0.001)
        'another unit, or an empty image?'
    """
    if highest > SUV_MAXIMUM[0] or mean > SUV_MEAN[0]:
        return "Bq/ml, or counts?"
    if highest < SUV_BRIGHTEST[0]:
        return "another unit, or an empty image?"
    return "a wrong intercept?" if lowest < min(SUV_LOWEST, -highest) else ""


def is_unusual(highest: float, mean: float) -> bool:
    """Tell whether values that can be SUV are seldom so high or low.

    Args:
        highest: The highest of them.
        mean: Of those above 0.
    """
    return highest > SUV_MAXIMUM[1] or mean > SUV_MEAN[1] or highest < SUV_BRIGHTEST[1]
