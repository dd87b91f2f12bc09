"""Names outside of voxels: which file is a table, which table speaks of which mask, and hostile ones that cost nothing."""

import pytest

from lesionflow.errors import InputError
from lesionflow.io.images.label_tables import CARET_LABEL, find_tables, groups_in_nrrd, read_tables, tables_beside

ITKSNAP = '# ITK-SnAP Label Description File\n 0 0 0 0 0 0 0 "Clear Label"\n 1 255 0 0 1 1 1 "Left lung"\n'
COLORS = "# Color table\n0 background 0 0 0 0\n7 tumor 1 2 3 255\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", ITKSNAP, {0: "Clear Label", 1: "Left lung"}),
        ("a.ctbl", COLORS, {0: "background", 7: "tumor"}),
        ("dseg.tsv", "index\tname\tcolor\n1\tGM\t#ff\n2\tWM\t#00\n", {1: "GM", 2: "WM"}),
        ("dseg.tsv", "index\tname\n1\tGM\n", {1: "GM"}),
        ("a.txt", '  # drawn by hand\n1 255 0 0 1 1 1 "Left lung"\n', {1: "Left lung"}),
    ],
)
def test_each_form_is_read(tmp_path, name, text, expected):
    path = write(tmp_path / name, text)
    assert find_tables([path]) == [path]
    assert read_tables([path], name="c-1") == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.txt", "Masks of 12 patients.\n1 255 0 0 1 1 1 tumor\n"),
        ("participants.tsv", "participant_id\tage\nsub-01\t50\n"),
        ("empty.txt", ""),
        ("broken.tsv", "index\tname\nx\tGM\n"),
        ("wide.tsv", "index\tname\n1\t" + "x" * 200_000),
        ("mask.nii.gz", ITKSNAP),
    ],
)
def test_other_texts_are_none(tmp_path, name, text):
    assert find_tables([write(tmp_path / name, text)]) == []


def test_the_table_called_as_the_mask_comes_first_then_that_of_the_nearest_folder(tmp_path):
    whole = write(tmp_path / "labels.txt", ITKSNAP)
    near = write(tmp_path / "masks" / "names.txt", ITKSNAP)
    own = write(tmp_path / "masks" / "a.txt", ITKSNAP)
    for name in ("a", "b"):
        write(tmp_path / "masks" / f"{name}.nii.gz", "")
    tables = [whole, near, own]
    assert tables_beside(tmp_path / "masks" / "a.nii.gz", tables) == [own]
    assert tables_beside(tmp_path / "masks" / "b.nii.gz", tables) == [near]
    assert tables_beside(tmp_path / "b.nii.gz", tables) == [whole]
    assert tables_beside(tmp_path.parent / "b.nii.gz", tables) == []


@pytest.mark.parametrize(("coding", "name"), [("utf-8-sig", "Lésion"), ("utf-8", "Lésion"), ("latin-1", "L\ufffdsion")])
def test_a_table_in_another_coding_is_still_a_table(tmp_path, coding, name):
    """Its numbers are not believed as if nobody had named them, though a letter can't be read."""
    path = tmp_path / "labels.txt"
    path.write_bytes('1 255 0 0 1 1 1 "Lésion"\n'.encode(coding))
    assert find_tables([path]) == [path]
    assert read_tables([path], name="c-1") == {1: name}


def test_no_table_names_nothing():
    assert read_tables([], name="c-1") == {}


def test_a_stack_of_mitk_is_found_and_refused(tmp_path):
    stack = write(tmp_path / "a.mitklabel.json", "{}")
    write(tmp_path / "dataset.json", "{}")
    assert find_tables(sorted(tmp_path.iterdir())) == [stack]
    with pytest.raises(InputError, match=r"mask of c-1 .*mitklabel\.json.*one NRRD") as refusal:
        read_tables(tables_beside(tmp_path / "a.nii.gz", [stack]), name="c-1")
    assert refusal.value.reason == "broken_segments"


def test_tables_that_differ_are_refused(tmp_path):
    tables = [write(tmp_path / "a.txt", ITKSNAP), write(tmp_path / "b.ctbl", COLORS)]
    with pytest.raises(InputError, match="mask of c-1, found 2 that differ") as refusal:
        read_tables(tables, name="c-1")
    assert refusal.value.reason == "broken_segments"
    assert read_tables(tables[:1] * 2, name="c-1") == {0: "Clear Label", 1: "Left lung"}


def test_labels_of_mitk_that_cannot_be_read_are_refused():
    key = "org.mitk.multilabel.segmentation.labelgroups"
    assert groups_in_nrrd(
        {key: '[{"labels": [{"name": "t", "value": 3}, {"value": 4}]}, {"labels": null}]'}, name="c-1"
    ) == [
        {3: "t", 4: ""},
        {},
    ]
    assert groups_in_nrrd({"modality": "CT"}, name="c-1") == []
    for told in ("[", '[{"labels": [{"name": "t"}]}]', "7"):
        with pytest.raises(InputError, match="header of c-1") as refusal:
            groups_in_nrrd({key: told}, name="c-1")
        assert refusal.value.reason == "broken_segments"


@pytest.mark.parametrize(("text", "n_found"), [("<Label " * 30_000, 0), ('<Label Key="1"><![CDATA[' * 10_000, 10_000)])
def test_a_header_without_ends_is_searched_once(text, n_found):
    """Of what is tried again from each beginning to the end, hours would pass."""
    assert len(CARET_LABEL.findall(text)) == n_found
