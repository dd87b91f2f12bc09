"""A text of ours inside a DICOM object: whole in a private block (PS3.5 7.8.1), in short where programs that drop those keep it."""

from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.machine.faults import blame_machine

#: The block's creator, in the group of the elements; the element in the block.
CREATOR, GROUP, ELEMENT = "LESIONFLOW", 0x0099, 0x01
#: What the contribution was (CID 7005), and how much its description holds (ST, PS3.5 6.2).
PURPOSE = ("109102", "DCM", "Processing Equipment")
LONGEST_DESCRIPTION = 1024
MAKER = "lesionflow"


def add_private_text(data: Any, text: str, *, short: str, software_version: str) -> None:
    """Put a text into a data set.

    Args:
        data: The data set.
        text: ASCII, of any length.
        short: What of it stands in the Contributing Equipment Sequence (PS3.3 C.12.1), which de-identification keeps.
        software_version: Of this program.
    """
    data.private_block(GROUP, CREATOR, create=True).add_new(ELEMENT, "UT", text)
    equipment, purpose = Dataset(), Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = PURPOSE
    equipment.PurposeOfReferenceCodeSequence = Sequence([purpose])
    equipment.Manufacturer = MAKER
    equipment.SoftwareVersions = software_version
    equipment.ContributionDescription = short[:LONGEST_DESCRIPTION]
    data.ContributingEquipmentSequence = Sequence([*(data.get("ContributingEquipmentSequence") or ()), equipment])


def read_private_text(data: Any) -> str:
    """Return the text that `add_private_text` put into a data set; empty where there is none, or another program dropped it."""
    try:
        with quiet():
            value = data.private_block(GROUP, CREATOR)[ELEMENT].value
    except READ_FAULTS as error:
        blame_machine(error)
        return ""
    # Written again with implicit types, a private element has none: its bytes are handed out as they are.
    told = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return told.rstrip("\0 ")


def read_equipment_text(data: Any) -> str:
    """Return the short text that `add_private_text` put beside; empty where there is none."""
    try:
        with quiet():
            for item in data.get("ContributingEquipmentSequence") or ():
                if str(item.get("Manufacturer") or "") == MAKER:
                    return str(item.get("ContributionDescription") or "")
    except READ_FAULTS as error:
        blame_machine(error)
    return ""
