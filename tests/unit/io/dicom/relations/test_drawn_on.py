"""Which series outlines name: as a whole, by the images of their contours, by the sources of their frames."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.relations.drawn_on import drawn_on
from lesionflow.io.dicom.sorting import scan
from lesionflow.io.rules import ReadingRules
from support.dicom_factory import SHAPE, write_rtstruct, write_segmentation, write_series

RULES = ReadingRules({}, "", {"tumor": 1}, (("(?i)gtv.*", "tumor"),))
SQUARE = [(1, [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)])]


def item(**values):
    data = Dataset()
    for name, value in values.items():
        setattr(data, name, value)
    return data


def image(series):
    data = pydicom.dcmread(series.paths[1], stop_before_pixels=True)
    return item(ReferencedSOPClassUID=data.SOPClassUID, ReferencedSOPInstanceUID=data.SOPInstanceUID)


class Written:
    """Two series on the same places, and outlines that name one of them."""

    def __init__(self, folder):
        self.folder = folder
        self.first = write_series(folder / "CT", description="soft")
        self.second = write_series(folder / "CT lung", description="lung")
        self.study = scan(self.first.paths + self.second.paths)[0]

    def structures(self, change, names=("GTV",)):
        path = self.folder / "rs.dcm"
        return pydicom.dcmread(write_rtstruct(path, self.second, dict.fromkeys(names, SQUARE), change=change))

    def segments(self, change):
        marked = np.zeros(SHAPE, dtype=bool)
        marked[1, 1:5, 2:7] = True
        return pydicom.dcmread(write_segmentation(self.folder / "seg.dcm", self.second, {"GTV": marked}, change=change))


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path)


def test_what_is_named_as_a_whole_is_believed_before_the_images_of_contours(written):
    def change(data):
        data.ROIContourSequence[0].ContourSequence[0].ContourImageSequence = [image(written.first)]

    assert drawn_on(written.structures(change), written.study, RULES) == {written.second.series_uid}
    assert drawn_on(written.segments(None), written.study, RULES) == {written.second.series_uid}


def test_the_images_of_contours_tell_it_where_nothing_is_named_as_a_whole(written):
    def change(data):
        del data.ReferencedFrameOfReferenceSequence
        for number, series in enumerate((written.first, written.second)):
            data.ROIContourSequence[number].ContourSequence[0].ContourImageSequence = [image(series)]

    # The other structure, which is not wanted, was drawn on the other series.
    found = written.structures(change, names=("GTV", "Lung"))
    assert drawn_on(found, written.study, RULES) == {written.first.series_uid}


@pytest.mark.parametrize("shared", [True, False])
def test_the_sources_of_frames_tell_it_where_nothing_is_named_as_a_whole(written, shared):
    def change(data):
        del data.ReferencedSeriesSequence
        groups = data.SharedFunctionalGroupsSequence if shared else data.PerFrameFunctionalGroupsSequence
        groups[0].DerivationImageSequence = [item(SourceImageSequence=[image(written.first)])]

    assert drawn_on(written.segments(change), written.study, RULES) == {written.first.series_uid}


def test_series_and_images_that_are_not_here_say_nothing(written):
    def strange(data):
        referenced = data.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence
        referenced[0].SeriesInstanceUID = "1.2.3"

    assert drawn_on(written.structures(strange), written.study, RULES) == set()
    assert drawn_on(written.segments(lambda data: data.pop("ReferencedSeriesSequence")), written.study, RULES) == set()


def test_a_structure_set_of_broken_numbers_is_refused_by_name(written):
    def change(data):
        del data.ReferencedFrameOfReferenceSequence
        del data.StructureSetROISequence[0].ROINumber

    with pytest.raises(DicomError, match="no ROINumber") as caught:
        drawn_on(written.structures(change), written.study, RULES)
    assert caught.value.reason == "unreadable_outline"
