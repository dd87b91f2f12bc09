"""Waits by hand: what the clocks on the wall say, brought to one zone."""

from datetime import datetime, timedelta

import pytest
from pydicom.dataset import Dataset

from lesionflow.io.dicom.values.pet_times import decay_time_s, parse_moment, parse_time, zone_of
from lesionflow.io.notes import collected

#: Fluorine-18, zirconium-89.
SHORT_S, LONG_S = 6588.0, 282_280.0
HOUR_S = 3600.0


#: pydicom warns of each oddity that is written on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


def scan(**values):
    data = Dataset()
    told = {"DecayCorrection": "START", "SeriesDate": "20240229", "SeriesTime": "101500"}
    for keyword, value in (told | values).items():
        if value is not None:
            setattr(data, keyword, value)
    return data


def drug(started=None, time=None):
    data = Dataset()
    if started is not None:
        data.RadiopharmaceuticalStartDateTime = started
    if time is not None:
        data.RadiopharmaceuticalStartTime = time
    return data


def wait(slices, injected, half_life_s=SHORT_S):
    with collected() as notes:
        found = decay_time_s(slices, injected, half_life_s, name="c-1")
    assert all("c-1" in said.message for said in notes)
    return found, [said.code for said in notes]


@pytest.mark.parametrize(
    ("zone", "started", "hours"),
    [
        ("+0200", "20240229071500+0000", 1.0),
        ("+0200", "20240229101500.00+0300", 1.0),
        ("-0500", "20240229141500+0000", 1.0),
        ("+0545", "20240229033000+0000", 1.0),
        ("+0200", "20240229091500", 1.0),
        (None, "20240229091500", 1.0),
        # The day before in UTC, and the day after.
        ("+1200", "20240228211500+0000", 1.0),
        ("-1100", "20240229201500+0000", 1.0),
    ],
)
def test_times_on_two_clocks_are_brought_to_one(zone, started, hours):
    assert wait([scan(TimezoneOffsetFromUTC=zone)], drug(started)) == (hours * HOUR_S, [])


def test_a_time_of_day_is_on_the_scanners_clock_whatever_the_zone():
    assert wait([scan(TimezoneOffsetFromUTC="+0200")], drug(time="091500")) == (HOUR_S, [])
    # Beside a time in UTC when nothing tells the scanner's zone.
    assert wait([scan()], drug("20240229071500+0000", "091500")) == (HOUR_S, [])


def test_a_zone_of_one_alone_is_taken_for_that_of_both_and_said_but_utc_is_no_clock():
    assert wait([scan()], drug("20240229091500+0100")) == (HOUR_S, ["time_zone_unknown"])
    with pytest.raises(ValueError, match="UTC"):
        wait([scan()], drug("20240229091500+0000"))


@pytest.mark.parametrize(
    ("series", "started", "time", "seconds", "said"),
    [
        # Over midnight: 23:45 to 0:15.
        ({"SeriesTime": "001500"}, None, "234500", 1800.0, []),
        ({"SeriesTime": "001500"}, "20240228234500", None, 1800.0, []),
        # A date moved to after the scan by de-identification; the times of day are as they were.
        ({}, "20240301091500", None, HOUR_S, ["injection_date_after_scan"]),
        ({"SeriesDate": None}, None, "091500", HOUR_S, []),
        ({"SeriesDate": None, "AcquisitionDate": "20240229"}, "20240229091500", None, HOUR_S, []),
        # Of a date alone nothing can be reckoned; a midnight that nobody meant is passed over.
        ({}, "20240229", "091500", HOUR_S, []),
        ({}, "20240229000000.00", "091500", HOUR_S, ["injection_at_midnight"]),
        # Before DICOM 3: points and colons.
        ({"SeriesTime": "10:15:00"}, None, "09:15:00", HOUR_S, []),
        ({"SeriesTime": "1015"}, None, "0915", HOUR_S, []),
    ],
)
def test_injections_are_told_in_many_ways(series, started, time, seconds, said):
    assert wait([scan(**series)], drug(started, time)) == (seconds, said)


def test_a_series_time_before_the_injection_gives_way_to_the_first_acquisition():
    slices = [scan(SeriesTime="090000", AcquisitionTime=t) for t in ("102000", "101500")]
    assert wait(slices, drug("20240229091500")) == (HOUR_S, ["series_before_injection"])
    assert wait(slices, drug(time="091500")) == (HOUR_S, ["series_before_injection"])


def test_a_series_time_after_the_first_acquisition_is_of_a_later_rework():
    slices = [scan(SeriesTime="180000", AcquisitionTime=t) for t in ("102000", "101500")]
    assert wait(slices, drug(time="091500")) == (HOUR_S, [])


def test_an_acquisition_after_midnight_without_a_date_is_of_the_next_day():
    slices = [scan(SeriesTime="235000", AcquisitionTime=t) for t in ("235000", "001000")]
    assert wait(slices, drug(time="225000")) == (HOUR_S, [])


def test_corrected_to_the_injection_nothing_decayed_and_enhanced_pet_says_to_when():
    assert wait([scan(DecayCorrection="ADMIN")], drug()) == (0.0, [])
    enhanced = scan(SeriesTime=None, SeriesDate=None, DecayCorrectionDateTime="20240229101500+0200")
    assert wait([enhanced], drug("20240229071500+0000")) == (HOUR_S, [])


def test_a_nuclide_that_outlasts_a_day_needs_the_date():
    assert wait([scan()], drug("20240224101500"), LONG_S) == (5 * 24 * HOUR_S, [])
    for injected in (drug(time="101500"), drug("20240301091500")):
        # Zirconium-89, and copper-64, of which a tenth is left after 42 hours.
        for half_life_s in (LONG_S, 45_723.0):
            with pytest.raises(ValueError, match="date"):
                wait([scan()], injected, half_life_s)


@pytest.mark.parametrize(
    ("series", "injected"),
    [
        ({"DecayCorrection": "NONE"}, drug(time="091500")),
        ({"SeriesTime": ""}, drug(time="091500")),
        ({"SeriesTime": "1x1500"}, drug(time="091500")),
        ({"SeriesDate": "2024"}, drug(time="091500")),
        ({"TimezoneOffsetFromUTC": "+9900"}, drug(time="091500", started="20240229091500")),
        ({"TimezoneOffsetFromUTC": "CET"}, drug(started="20240229091500")),
        ({}, drug()),
        ({}, drug("20240229")),
        # Told twice and not alike.
        ({}, drug("20240229091500", "081500")),
        ({"TimezoneOffsetFromUTC": "+0200"}, drug("20240229091500+0000", "091500")),
        # 18.3 hours are ten half-lives.
        ({}, drug("20240228150000")),
        ({}, drug("20240229103000")),
    ],
)
def test_what_can_not_be_reckoned_is_an_error(series, injected):
    with pytest.raises((ValueError, AttributeError)):
        wait([scan(**series)], injected)


def test_moments_and_zones():
    assert parse_time("2024.02.29", "0915") == datetime(2024, 2, 29, 9, 15)  # noqa: DTZ001
    moment = parse_moment("20240229091500.5-0330", timedelta(hours=2))
    assert moment.offset == -timedelta(hours=3, minutes=30)
    assert moment.wall == datetime(2024, 2, 29, 9, 15, 0, 500_000)  # noqa: DTZ001
    assert zone_of(scan()) is None
    assert zone_of(scan(TimezoneOffsetFromUTC="-0330")) == -timedelta(hours=3, minutes=30)
