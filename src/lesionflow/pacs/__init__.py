"""DICOM networking: images received from a PACS, handed to the service as studies, results stored back. What a study means is none of its business: no voxel is looked at here."""
