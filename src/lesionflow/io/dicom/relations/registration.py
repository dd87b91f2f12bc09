"""Frames of reference, and the rigid registrations that join them.

Positions in two frames of reference can't be compared (PS3.3 C.7.4.1), unless a spatial registration says how the one lies in the
other (C.20.2; PS3.17 annex P): each of its items has a matrix that brings points of its own frame to the frame of the object.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import DicomError
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.io.notes import note
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

#: What two registrations of the same frames may differ by, and a matrix from a rotation: matrices have about 6 digits.
SAME_MM, RIGID_TOLERANCE = 0.1, 1e-3
#: Where two registrations are compared: the corners of a body.
PROBES_MM = np.array([[x, y, z, 1.0] for x in (-300, 300) for y in (-300, 300) for z in (-1000, 1000)])
#: More frames than this no study has.
MAX_LINKS = 32
Matrix = NDArray[np.float64]


class Link(NamedTuple):
    """Points of frame `source` times `matrix` are points of frame `target`; None when the way is no rigid one."""

    source: str
    target: str
    matrix: Matrix | None


def in_frame_of(
    volume: Volume,
    frame: str,
    reference_frame: str,
    registrations: Sequence[Any],
    frames_by_instance: Mapping[str, str],
    *,
    what: str,
    name: str,
) -> Volume:
    """Bring a volume to the reference's frame of reference; its voxels stay what they are.

    Args:
        volume: A channel.
        frame: Its frame of reference UID, "" when it has none.
        reference_frame: That of the reference channel.
        registrations: Data sets of modality REG.
        frames_by_instance: Frame of reference by SOP instance, for registrations that name images alone.
        what: The channel's name.
        name: What to call the study in messages.

    Returns:
        The volume where it lies in the reference's frame.

    Raises:
        DicomError: `other_frame_of_reference` when nothing joins the two frames; `non_rigid_registration`,
            `ambiguous_registration` or `unreadable_registration`.
    """
    if not frame or not reference_frame:
        note(
            "unknown_frame_of_reference",
            f"Expected channel {what} and the reference of {name} to say their frame of reference, found one that does not: "
            "they were taken to be in one.",
        )
        return volume
    if frame == reference_frame:
        return volume
    matrix = _matrix(_links(registrations, frames_by_instance, name), frame, reference_frame, what, name)
    shift = float(
        np.linalg.norm(volume.geometry.corners_mm() @ (matrix[:3, :3] - np.eye(3)).T + matrix[:3, 3], axis=1).max()
    )
    note(
        "registered_channel",
        f"Expected one frame of reference in {name}, found channel {what} in another: it was moved by up to {shift:.1f} mm, as "
        "the study's registration says.",
    )
    geometry = Geometry(volume.geometry.shape, matrix @ volume.geometry.affine, volume.geometry.spacing_known)
    return Volume(volume.array, geometry)


def _matrix(links: Sequence[Link], frame: str, reference_frame: str, what: str, name: str) -> Matrix:
    ways = list(_ways(links, frame, reference_frame, frozenset({frame})))
    if not ways:
        _refuse(
            "other_frame_of_reference",
            f"Expected channel {what} of {name} in the frame of reference of the reference channel, found another: where one "
            "lies in the other is unknown. Add the registration (DICOM REG) that joins them, or leave the channel out.",
        )
    rigid = [way for way in ways if way is not None]
    if len(rigid) < len(ways):
        _refuse(
            "non_rigid_registration",
            f"Expected a rigid registration of channel {what} of {name}, found one that scales or deforms. Export the channel "
            "resampled.",
        )
    if any(np.abs(PROBES_MM @ (way - rigid[0]).T).max() > SAME_MM for way in rigid):
        _refuse(
            "ambiguous_registration",
            f"Expected one registration of channel {what} of {name}, found several that differ. Keep the final one.",
        )
    return rigid[0]


def _ways(links: Sequence[Link], frame: str, goal: str, passed: frozenset[str]) -> list[Matrix | None]:
    """Return the matrix of every way from one frame to another that passes none twice."""
    found: list[Matrix | None] = []
    for source, target, matrix in links:
        for here, there, forth in ((source, target, True), (target, source, False)):
            if here != frame or there in passed:
                continue
            rest = [np.eye(4)] if there == goal else _ways(links, there, goal, passed | {there})
            for way in rest:
                step = None if matrix is None else matrix if forth else np.linalg.inv(matrix)
                found.append(None if step is None or way is None else way @ step)
    return found


def _links(registrations: Sequence[Any], frames_by_instance: Mapping[str, str], name: str) -> list[Link]:
    try:
        with quiet():
            links = [link for data in registrations for link in _links_of(data, frames_by_instance)]
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable registration in {name}, found {plain_words(error)}. Export it again.",
            reason="unreadable_registration",
        ) from error
    if len(links) > MAX_LINKS:
        _refuse("ambiguous_registration", f"Expected at most {MAX_LINKS} registrations in {name}, found {len(links)}.")
    return links


def _links_of(data: Any, frames_by_instance: Mapping[str, str]) -> list[Link]:
    target = str(data.FrameOfReferenceUID)
    links = []
    for item in data.get("RegistrationSequence") or ():
        source = _frame_of(item, frames_by_instance)
        if source and source != target:
            links.append(Link(source, target, _rigid(item)))
    for item in data.get("DeformableRegistrationSequence") or ():
        source = str(item.get("SourceFrameOfReferenceUID") or "")
        if source and source != target:
            links.append(Link(source, target, None))
    return links


def _frame_of(item: Any, frames_by_instance: Mapping[str, str]) -> str:
    """Return the frame that an item registers: by its UID, else that of the images it names, if it is one."""
    if item.get("FrameOfReferenceUID"):
        return str(item.FrameOfReferenceUID)
    named = {str(image.get("ReferencedSOPInstanceUID")) for image in item.get("ReferencedImageSequence") or ()}
    frames = {frames_by_instance[uid] for uid in named & set(frames_by_instance)}
    return frames.pop() if len(frames) == 1 else ""


def _rigid(item: Any) -> Matrix | None:
    """Return the product of an item's matrices; None when that is no rotation and shift."""
    matrices = []
    for registration in item.MatrixRegistrationSequence:
        for one in registration.MatrixSequence:
            matrix = np.array([float(v) for v in one.FrameOfReferenceTransformationMatrix]).reshape(4, 4)
            if not np.isfinite(matrix).all():
                message = "a matrix that is not finite"
                raise ValueError(message)
            if str(one.FrameOfReferenceTransformationMatrixType) != "RIGID" or not _is_rigid(matrix):
                return None
            matrices.append(matrix)
    product = np.eye(4)
    for matrix in matrices:
        # The first is applied first; readers that take them the other way round must come to the same.
        if np.abs(PROBES_MM @ (matrix @ product - product @ matrix).T).max() > SAME_MM:
            message = "several matrices whose order matters"
            raise ValueError(message)
        product = matrix @ product
    return product


def _is_rigid(matrix: Matrix) -> bool:
    turn = matrix[:3, :3]
    return bool(
        np.abs(turn @ turn.T - np.eye(3)).max() <= RIGID_TOLERANCE
        and np.linalg.det(turn) > 0
        and np.array_equal(matrix[3], (0, 0, 0, 1))
    )


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
