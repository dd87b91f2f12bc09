"""Zips of studies, as clients send them."""

import io
import zipfile


def zip_of_folder(folder, below=None):
    """Return a zip of a folder's files, named from `below` on; without, from the folder itself on."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(below or folder))
    return made.getvalue()
