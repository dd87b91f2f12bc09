"""PNG: a picture to look at, on which no measure may be taken."""

from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.prediction import PASSPORT_KEY
from lesionflow.prediction.writer import Writer

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


def _write(output: Path, prediction: "Prediction") -> None:
    """Write the slice with most of the mask, outlined, its volumes above."""
    from lesionflow.evaluation.figures import overlay_slice
    from lesionflow.io.files import replacing_file
    from lesionflow.io.images.pictures.png_texts import hash_pixels, with_png_text

    kinds = tuple(prediction.model.bundle.plan.dataset.channels.values())
    volumes = ", ".join(f"{name} {ml:.1f} ml" for name, ml in prediction.segmentation.volumes_ml.items())
    title = f"{prediction.study.case_id}: {volumes} ({prediction.model.name} {prediction.model.version})"
    if prediction.remark:
        title += f"\n{prediction.remark}: do not rely on it"
    picture = overlay_slice(prediction.volume, prediction.segmentation.mask, kinds, title)
    passport = prediction.report().passport.for_file(picture_sha256=hash_pixels(picture))
    with replacing_file(output) as partial:
        partial.write_bytes(with_png_text(picture, PASSPORT_KEY, passport))


WRITER = Writer(
    name="png",
    summary="contours on the slice with most tumor",
    media_type="image/png",
    accepted=("image/png",),
    file_name="overlay.png",
    write=_write,
    is_picture=True,
    holds_voxels=False,
)
