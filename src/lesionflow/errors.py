"""Every exception that lesionflow raises on purpose.

::

    LesionFlowError                 (exit 1, HTTP 500)
    ├── ConfigError                 a wrong params file or setting            (exit 2, HTTP 500)
    ├── InputError(ValueError)      a study that can't be read right          (exit 3, HTTP 422)
    │   ├── DicomError
    │   ├── NiftiError
    │   ├── RasterError
    │   └── GeometryMismatchError   two things that do not lie on one grid
    ├── DataQualityError            the data as a whole failed validation     (exit 4, HTTP 500)
    ├── ArtifactError               a bundle, plan or array that does not fit (exit 5, HTTP 503)
    ├── MisplacedResultError        what was to be given out is not the mask   (exit 1, HTTP 500)
    └── ServiceError                a server or database that we need         (exit 6, HTTP 503)
        ├── ConflictError           somebody else changed it meanwhile        (exit 6, HTTP 503)
        └── MachineError            the machine failed, not the study         (exit 6, HTTP 503; a full disk 507)

Every message says what was expected, what was found, in which case, and what to do. It names a ``case_id``, never a
patient. An ``InputError`` carries a stable ``reason`` code that callers may match on.
"""


class LesionFlowError(Exception):
    """Base of all errors that lesionflow raises on purpose."""

    exit_code = 1
    http_status = 500


class ConfigError(LesionFlowError):
    """A params file or a setting is wrong."""

    exit_code = 2


class InputError(LesionFlowError, ValueError):
    """A study can't be read right, so it is refused.

    Args:
        message: What was expected, what was found, in which case, and what to do.
        reason: Stable snake_case code, such as ``irregular_spacing``.
    """

    exit_code = 3
    http_status = 422

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword-only reason when crossing a process boundary."""
        return (_rebuild_input_error, (type(self), str(self), self.reason))


class DicomError(InputError):
    """A DICOM file, series, structure set or segmentation can't be read right."""


class NiftiError(InputError):
    """A NIfTI file can't be read right."""


class RasterError(InputError):
    """A PNG, JPEG or TIFF picture can't be read right."""


class GeometryMismatchError(InputError):
    """Two arrays that must lie on one grid do not."""

    def __init__(self, message: str, *, reason: str = "geometry_mismatch") -> None:
        super().__init__(message, reason=reason)


class DataQualityError(LesionFlowError):
    """The data failed validation as a whole; ``report`` says where to read why."""

    exit_code = 4

    def __init__(self, message: str, *, report: str) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword-only report when crossing a process boundary."""
        return (_rebuild_data_quality_error, (str(self), self.report))


class ArtifactError(LesionFlowError):
    """A bundle, plan or stored array is corrupt, of another version, or does not fit."""

    exit_code = 5
    http_status = 503


class MisplacedResultError(LesionFlowError):
    """What was written of a mask, read back by other code than wrote it, has another volume or lies elsewhere; it was not given out."""


class ServiceError(LesionFlowError):
    """A server, database or registry that is needed can't be used."""

    exit_code = 6
    http_status = 503


class ConflictError(ServiceError):
    """What a decision was made against is no longer so: somebody else changed it meanwhile. It is made anew, not repeated."""


class MachineError(ServiceError):
    """The machine failed while it worked on a study, and says nothing of the study: read again, it may be right.

    Args:
        message: What was expected, what was found, and what to do.
        code: `disk_full`, `out_of_memory`, `too_many_open_files`, `no_permission`, `io_error` or `timed_out`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = 507 if code == "disk_full" else 503

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword-only code when crossing a process boundary."""
        return (_rebuild_machine_error, (str(self), self.code))


def _rebuild_machine_error(message: str, code: str) -> MachineError:
    return MachineError(message, code=code)


def _rebuild_input_error(kind: type[InputError], message: str, reason: str) -> InputError:
    return kind(message, reason=reason)


def _rebuild_data_quality_error(message: str, report: str) -> DataQualityError:
    return DataQualityError(message, report=report)
