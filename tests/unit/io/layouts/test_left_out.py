"""Cases that are counted and not found, and files kept for a test, are said."""

import pytest

from lesionflow.io.layouts.left_out import say_count, say_shared, say_test_files
from lesionflow.io.notes import collected


@pytest.mark.parametrize(("declared", "said"), [(3, []), (5, ["cases_not_as_declared"]), (None, []), (True, [])])
def test_a_count_that_disagrees_is_said(declared, said):
    with collected() as notes:
        say_count(declared, 3)
    assert [note.code for note in notes] == said
    assert all("declares 5" in note.message and "3 were found" in note.message for note in notes)


@pytest.mark.parametrize(("paths", "said"), [("abcd", 0), ("abcb", 1), ("abab", 2)])
def test_files_that_several_cases_share_are_said(paths, said):
    with collected() as notes:
        say_shared(paths)
    assert [f"lists {said} files" in note.message for note in notes] == [True] * bool(said)


def test_images_and_labels_of_a_test_are_counted(tmp_path):
    for name in ("imagesTr/a.png", "imagesTs/b.png", "imagesTs/c.png", "labelsTs/b.png", "imagesTs/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with collected() as notes:
        say_test_files(tmp_path)
    assert [note.code for note in notes] == ["test_files_left_out"]
    assert "2 images and 1 labels" in notes[0].message
