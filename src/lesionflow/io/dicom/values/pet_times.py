"""How long a dose decayed before the time that PET voxels were corrected to.

References:
    DICOM PS3.3 C.8.9.1 (PET Series), C.8.9.2 (PET Isotope), C.12.1.1.8 (Timezone Offset From UTC), PS3.5 6.2 (DA, TM, DT);
    QIBA, vendor-neutral pseudo-code for SUV calculation (2018-06-26).
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from lesionflow.io.notes import note

DAY = timedelta(days=1)
#: Beyond this many half-lives nothing is left to see: the times must be wrong.
MAX_HALF_LIVES = 10.0
#: What times of one event may differ by when they were written by hand to the minute.
SAME_TIME = timedelta(minutes=2)
#: Time zones lie between (PS3.5 6.2, DT).
ZONE = re.compile(r"([+-])(\d\d):?([0-5]\d)")
MAX_ZONE = timedelta(hours=14)
NO_DATE = "19000101"


class Moment(NamedTuple):
    """Date and time on a clock, and by how much that clock is before UTC; None when nothing says so."""

    wall: datetime
    offset: timedelta | None

    def since(self, other: "Moment") -> timedelta:
        """Return how much later this is; both offsets must be known, or neither."""
        return (self.wall - (self.offset or timedelta())) - (other.wall - (other.offset or timedelta()))


def decay_time_s(slices: Sequence[Any], drug: Any, half_life_s: float, *, name: str) -> float:
    """Return the seconds from the time that the dose was measured at to the time that voxels were corrected to.

    Args:
        slices: The data sets of all slices.
        drug: The item of the radiopharmaceutical information sequence.
        half_life_s: Of the nuclide.
        name: What to call the study in what is said.

    Raises:
        ValueError: When times are absent, contradict one another or can't be.
    """
    correction = str(slices[0].get("DecayCorrection") or "none")
    if correction == "ADMIN":
        return 0.0
    if correction != "START":
        message = f"decay correction {correction!r}"
        raise ValueError(message)
    longest = timedelta(seconds=MAX_HALF_LIVES * half_life_s)
    scans = _scan_times(slices)
    waits = [_wait(scan, drug, slices[0], longest, name) for scan in scans]
    fitting = [wait for wait in waits if timedelta() <= wait <= longest]
    if not fitting:
        message = f"{waits[0].total_seconds():g} s from injection to scan with a half life of {half_life_s:g} s"
        raise ValueError(message)
    if waits[0] not in fitting:
        note(
            "series_before_injection",
            f"Expected the series time of the PET of {name} after the injection, found it before: decay was reckoned to the "
            "first acquisition.",
        )
    return fitting[0].total_seconds()


def _wait(scan: Moment, drug: Any, data: Any, longest: timedelta, name: str) -> timedelta:
    """Return the time from injection to scan; negative when it can't be known."""
    time = str(drug.get("RadiopharmaceuticalStartTime") or "")
    started = _started(drug, data, time, name)
    if started is not None and (started.offset is None) == (scan.offset is None):
        _require_agreement(started, scan, time)
        wait = scan.since(started)
    elif started is not None and not time:
        wait = _by_wall_clock(started, scan, name)
    else:
        return _within_a_day(scan.wall, parse_time(NO_DATE, time), longest)
    # Hours too early is no shifted date: the scan's time is wrong.
    if wait > -DAY / 2:
        return wait
    note(
        "injection_date_after_scan",
        f"Expected the injection of {name} before its scan, found a later date: dates were shifted one by one; the times of "
        "day alone were used.",
    )
    return _within_a_day(scan.wall, started.wall, longest)


def _started(drug: Any, data: Any, time: str, name: str) -> Moment | None:
    """Return the date and time of the injection; None when only its time of day is known."""
    text = str(drug.get("RadiopharmaceuticalStartDateTime") or "").strip()
    if not text or len(ZONE.sub("", text)) <= len(NO_DATE):
        return None
    moment = parse_moment(text, zone_of(data))
    midnight = moment.wall.time() == datetime.min.time()
    if time and midnight and parse_time(NO_DATE, time).time() != moment.wall.time():
        note(
            "injection_at_midnight",
            f"Expected date and time of the injection of {name} to agree, found midnight beside a time of day: that was used.",
        )
        return None
    return moment


def _require_agreement(started: Moment, scan: Moment, time: str) -> None:
    """Refuse an injection that is told twice and not alike: date and time on any clock, time of day on the scanner's."""
    if not time:
        return
    local = started.wall + ((scan.offset or timedelta()) - (started.offset or timedelta()))
    apart = (local - parse_time(f"{local:%Y%m%d}", time)) % DAY
    if min(apart, DAY - apart) > SAME_TIME:
        message = f"an injection at {local:%H:%M:%S} and at {time:.8} of the scanner's clock"
        raise ValueError(message)


def _by_wall_clock(started: Moment, scan: Moment, name: str) -> timedelta:
    """Take clocks for one when only one says its zone; not when that one is UTC, which no scanner need be set to."""
    if not (started.offset or scan.offset):
        message = "a time in UTC and another in an unknown time zone (TimezoneOffsetFromUTC)"
        raise ValueError(message)
    note(
        "time_zone_unknown",
        f"Expected time zones of injection and scan of {name}, found one of them: both were taken to be of the same clock.",
    )
    return scan.wall - started.wall


def _within_a_day(scan: datetime, injected: datetime, longest: timedelta) -> timedelta:
    """Return the time between two times of day, the scan later; of nuclides that outlast a day it tells nothing."""
    if longest >= DAY:
        message = "no date of injection for a nuclide that outlasts a day"
        raise ValueError(message)
    return (scan - injected) % DAY


def _scan_times(slices: Sequence[Any]) -> list[Moment]:
    """Return when the scan began, and when its first image was taken if that is later.

    It began at the series' time, unless that is later than the first acquisition (a later rework). Enhanced PET says what
    its voxels were corrected to.
    """
    data = slices[0]
    corrected_to = str(data.get("DecayCorrectionDateTime") or "")
    if corrected_to and "SeriesTime" not in data:
        return [parse_moment(corrected_to, zone_of(data))]
    series = parse_time(_date(data, "SeriesDate", "AcquisitionDate"), str(data.SeriesTime))
    acquired = [
        _after(series, parse_time(_date(d, "AcquisitionDate", "SeriesDate"), str(d.AcquisitionTime)), d)
        for d in slices
        if d.get("AcquisitionTime")
    ]
    zone = zone_of(data)
    return [Moment(time, zone) for time in dict.fromkeys((min([series, *acquired]), min(acquired or [series])))]


def _after(series: datetime, acquired: datetime, data: Any) -> datetime:
    """Put an acquisition whose date nobody gives on the next day when it was after midnight."""
    undated = not data.get("AcquisitionDate")
    return acquired + DAY if undated and series - acquired > DAY / 2 else acquired


def _date(data: Any, *keywords: str) -> str:
    found = (str(data.get(keyword) or "") for keyword in (*keywords, "StudyDate"))
    return next(filter(None, found), NO_DATE)


def zone_of(data: Any) -> timedelta | None:
    """Return by how much a data set's times are before UTC.

    Raises:
        ValueError: When that is no offset.
    """
    text = str(data.get("TimezoneOffsetFromUTC") or "").strip()
    return _offset(text) if text else None


def _offset(text: str) -> timedelta:
    match = ZONE.fullmatch(text)
    offset = timedelta(hours=int(match[2]), minutes=int(match[3])) if match else MAX_ZONE * 2
    if match is None or offset > MAX_ZONE:
        message = f"time zone {text!r:.20}"
        raise ValueError(message)
    return -offset if match[1] == "-" else offset


def parse_moment(text: str, zone: timedelta | None) -> Moment:
    """Read a date and time (DT), its own offset from UTC before that of the data set.

    Raises:
        ValueError: When it is none.
    """
    zone_at = re.search(r"[+-]", text)
    own = _offset(text[zone_at.start() :].strip()) if zone_at else zone
    plain = text[: zone_at.start()] if zone_at else text
    return Moment(parse_time(plain[:8], plain[8:].strip()), own)


def parse_time(date: str, time: str) -> datetime:
    """Read a date (DA) and time of day (TM), also as they were written with points and colons before DICOM.

    Raises:
        ValueError: When they are none.
    """
    whole, _, fraction = time.strip().replace(":", "").partition(".")
    if len(whole) < 2 or len(whole) % 2 or not whole.isdigit():
        message = f"time {time!r:.30}"
        raise ValueError(message)
    parsed = datetime.strptime(f"{date.replace('.', '').strip()}{whole[:6]:0<6}", "%Y%m%d%H%M%S")  # noqa: DTZ007 scanners write local time
    return parsed + timedelta(seconds=float(f"0.{fraction[:6]}") if fraction[:6].isdigit() else 0.0)
