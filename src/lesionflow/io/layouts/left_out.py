"""What is said of a data set as a whole: cases that a declaration counts otherwise, files that it lists twice, images kept for a test."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lesionflow.io.files import find_files
from lesionflow.io.images import image_files
from lesionflow.io.layouts.pairs.file_roles import TEST_FOLDER
from lesionflow.io.notes import note


def say_count(declared: object, n_found: int) -> None:
    """Say when a data set counts its cases otherwise than they were found.

    Args:
        declared: `numTraining`; nothing is said where it is no number.
        n_found: Cases found.
    """
    if isinstance(declared, int) and not isinstance(declared, bool) and declared != n_found:
        note(
            "cases_not_as_declared",
            f"dataset.json declares {declared} training cases (numTraining), and {n_found} were found: these were taken.",
        )


def say_shared(paths: Iterable[str]) -> None:
    """Say when a declaration lists a file for several cases: one outline can't have been drawn on several images.

    Args:
        paths: Images and labels of all cases, each as often as it is listed.
    """
    n_shared = sum(count > 1 for count in Counter(paths).values())
    if n_shared:
        note(
            "files_of_several_cases",
            f"dataset.json lists {n_shared} files for several cases each: a label lies right on the image that it was drawn on "
            "alone, and one patient may stand in training and test. List each file once, unless this is meant.",
        )


def say_test_files(folder: Path, paths: Iterable[Path] | None = None) -> None:
    """Say how many files of `imagesTs` and `labelsTs` are left out.

    Args:
        folder: The data set.
        paths: Files below it, where they are known already.
    """
    known = (path for path in find_files(folder) if image_files.ending(path)) if paths is None else paths
    left = [path for path in known if any(map(TEST_FOLDER.match, path.relative_to(folder).parts[:-1]))]
    n_labels = sum(any(part.lower() == "labelsts" for part in path.relative_to(folder).parts) for path in left)
    if left:
        note(
            "test_files_left_out",
            f"Left out {len(left) - n_labels} images and {n_labels} labels kept for a test (imagesTs, labelsTs).",
        )
