"""Names that programs give to the numbers of a mask outside of its voxels: passed over, labels change places.

Liver is stored as 1 (8 voxels) and tumor as 2 (4 voxels), and the rules number them the other way round.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from nibabel.nifti1 import Nifti1Extension

from faults.corpus.fault import CT, Fault, Right, ingest_section
from faults.corpus.made_volumes import HU, MARKED, mask, nifti, refused, write_nrrd

RULES = ingest_section(CT, {"tumor": 1, "liver": 2})
STORED = MARKED.copy()
STORED[3, 2:4, 1:3] = 2
BY_NAME = Right(voxels={"liver": 8, "tumor": 4}, n_cases=1, rejected=())
BY_NUMBER = Right(voxels={"tumor": 8, "liver": 4}, n_cases=1, rejected=())
ITKSNAP_HEAD = "#" * 40 + "\n# ITK-SnAP Label Description File\n" + "#" * 40 + "\n"
CLEAR = '    0     0    0    0        0  0  0    "Clear Label"\n'
ITKSNAP = f'{ITKSNAP_HEAD}{CLEAR}    1   255    0    0        1  1  1    "Liver"\n    2     0  255    0        1  1  1    "Tumor"\n'
STACK = json.dumps(
    {
        "type": "org.mitk.multilabel.segmentation.stack",
        "version": 3,
        "groups": [{"labels": [{"name": "liver", "value": 1}, {"name": "tumor", "value": 2}]}],
    }
)
BIDS = "index\tname\n0\tbackground\n1\tliver\n2\ttumor\n"


def _beside(text: str, name: str, mask_name: str = "case1_seg") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        nifti(marked=mask(STORED))(folder)
        (folder / "case1_seg.nii.gz").rename(folder / f"{mask_name}.nii.gz")
        (folder / name).write_bytes(text.encode())

    return make


def _in_extension(names: Mapping[int, str]) -> Callable[[Path], None]:
    """As TotalSegmentator and Connectome Workbench write it."""
    labels = "".join(f'<Label Key="{k}" Red="1" Alpha="1"><![CDATA[{name}]]></Label>\n' for k, name in names.items())
    text = f'<?xml version="1.0"?> <CaretExtension> <LabelTable>{labels}</LabelTable></CaretExtension>'

    def make(folder: Path) -> None:
        marked = mask(STORED)
        marked.header.extensions.append(Nifti1Extension(0, text.encode()))
        nifti(marked=marked)(folder)

    return make


def _by_mitk(folder: Path) -> None:
    labels = [{"name": "liver", "value": 1}, {"name": "tumor", "value": 2}]
    write_nrrd(folder / "case1.nrrd", HU)
    path = folder / "case1_seg.nrrd"
    write_nrrd(path, STORED)
    head, _, voxels = path.read_bytes().partition(b"\n\n")
    told = f"org.mitk.multilabel.segmentation.labelgroups:={json.dumps([{'labels': labels}])}".encode()
    path.write_bytes(head + b"\nmodality:=org.mitk.multilabel.segmentation\n" + told + b"\n\n" + voxels)


def _two_tables(folder: Path) -> None:
    _beside(ITKSNAP, "labels.txt")(folder)
    (folder / "older.txt").write_text(ITKSNAP.replace("Liver", "kidney"))


FAULTS = (
    Fault(
        "names-in-an-extension-of-nifti",
        "TotalSegmentator#67",
        "TotalSegmentator writes the names of its structures into an extension of the header, which others passed over.",
        "The names in the header decide.",
        _in_extension({1: "liver", 2: "tumor"}),
        BY_NAME,
        ingest=RULES,
    ),
    Fault(
        "names-in-an-extension-that-no-rule-knows",
        "TotalSegmentator#67",
        "The file says that 1 is a spleen; as a number it was a tumor.",
        "Refused: no name is known.",
        _in_extension({1: "spleen", 2: "gallbladder"}),
        refused("no_matching_outline"),
        ingest=RULES,
    ),
    Fault(
        "names-written-by-mitk",
        "",
        "MITK writes the names of labels as JSON into the header of its NRRD.",
        "The names in the header decide.",
        _by_mitk,
        BY_NAME,
        ingest=RULES,
    ),
    Fault(
        "stack-of-masks-of-mitk",
        "",
        "MITK exports a NIfTI file a group and the names of its labels in a `.mitklabel.json` beside them; numbers were believed.",
        "Refused: export one NRRD, which holds its names.",
        _beside(STACK, "case1_seg.mitklabel.json"),
        refused("broken_segments"),
        ingest=RULES,
    ),
    Fault(
        "label-descriptions-of-itk-snap",
        "itksnap#154",
        "ITK-SNAP keeps the names in a text file beside the masks.",
        "The names in that file decide.",
        _beside(ITKSNAP, "labels.txt"),
        BY_NAME,
        ingest=RULES,
    ),
    Fault(
        "label-descriptions-without-a-head-and-with-other-line-ends",
        "itksnap#154",
        "A label description file was written by hand, without its head, or with the line ends of another system.",
        "Each line says what it is.",
        _beside(ITKSNAP.removeprefix(ITKSNAP_HEAD).replace("\n", "\r\n"), "case1_seg.label"),
        BY_NAME,
        ingest=RULES,
    ),
    Fault(
        "label-descriptions-that-name-nothing",
        "itksnap#154",
        "ITK-SNAP calls labels `Label 1` and `Label 2` until somebody names them.",
        "No names: numbers are those of the rules.",
        _beside(ITKSNAP.replace("Liver", "Label 1").replace("Tumor", "Label 2"), "labels.txt"),
        BY_NUMBER,
        ingest=RULES,
    ),
    Fault(
        "two-tables-that-differ",
        "",
        "Two label description files lie beside the masks, and they differ.",
        "Refused: which is meant can't be told.",
        _two_tables,
        refused("broken_segments"),
        ingest=RULES,
    ),
    Fault(
        "colors-of-slicer",
        "Slicer#5044",
        "A label map was exported by a color table, which says what its numbers are.",
        "The names in the table decide.",
        _beside(
            "# Color table file\n0 background 0 0 0 0\n1 liver 221 130 101 255\n2 tumor 144 238 144 255\n",
            "case1_seg.ctbl",
        ),
        BY_NAME,
        ingest=RULES,
    ),
    Fault(
        "names-in-a-table-of-bids",
        "bids-standard/bids-validator#63",
        "BIDS has the names of a segmentation in `dseg.tsv`, by index.",
        "The names in that table decide.",
        _beside(BIDS, "case1_dseg.tsv", "case1_dseg"),
        BY_NAME,
        ingest=RULES,
    ),
    Fault(
        "table-of-bids-that-begins-at-0",
        "templateflow/templateflow#16",
        "Indices of a table began at 0 where the image's begin at 1: names moved by one.",
        "Refused: a number of the mask has no name.",
        _beside("index\tname\n0\tliver\n1\ttumor\n", "dseg.tsv"),
        refused("unknown_label"),
        ingest=RULES,
    ),
)
