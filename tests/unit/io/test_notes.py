import threading

from lesionflow.io.notes import Note, collected, note


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
