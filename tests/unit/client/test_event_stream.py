"""Lines become events by HTML's rules (section 9.2.6)."""

from lesionflow.client.event_stream import EventLines


def events(text):
    lines = EventLines()
    return [event for line in text.split("\n") for event in lines.take(line)], lines.last_id


def test_comments_and_unknown_fields_tell_nothing():
    told, last = events(': alive\n\nretry: 2000\n\nid: 4\nevent: stage\ndata: {"stage":"reading"}\n\n')
    assert [(one.id, one.stage, one.is_end) for one in told] == [("4", "reading", False)]
    assert last == "4"


def test_data_of_several_lines_are_one_and_a_space_after_the_colon_is_none_of_it():
    told, _ = events('id:5\nevent:end\ndata: {"state":\ndata:"done"}\n\n')
    assert [(one.stage, one.is_end) for one in told] == [("done", True)]


def test_events_of_other_names_and_halves_are_passed_over():
    assert (
        events('event: other\ndata: {"stage":"a"}\n\ndata: {"stage":"b"}\n\nevent: stage\ndata: {"stage":"c"}')[0] == []
    )
