import threading

from lesionflow.io.notes import Note, collected, listening, note, took


def test_what_is_said_reaches_whoever_listens_once_and_in_order():
    note("before", "Nobody hears this.")
    with collected() as notes:
        note("gap_filled", "One.")
        note("dropped_contour", "Two.")
        note("gap_filled", "One.")
    note("after", "Nor this.")
    assert notes == [Note("gap_filled", "One."), Note("dropped_contour", "Two.")]


def test_studies_read_in_turn_within_one_another_and_side_by_side_do_not_hear_each_other():
    with collected() as outer:
        with collected() as inner:
            note("inner", "x")
        thread = threading.Thread(target=note, args=("elsewhere", "x"))
        thread.start()
        thread.join()
        note("outer", "x")
    assert (inner, outer) == ([Note("inner", "x")], [Note("outer", "x")])


def test_what_was_taken_is_told_by_channel_and_label_once_each():
    took("CT", "nobody listens")
    with listening() as taken:
        for what, found in (("CT", "axial"), ("tumor", "GTV 2"), ("tumor", "GTV 1"), ("tumor", "GTV 2")):
            took(what, found)
    assert taken == {"CT": ["axial"], "tumor": ["GTV 2", "GTV 1"]}
