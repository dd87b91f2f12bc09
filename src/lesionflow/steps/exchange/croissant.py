"""Metadata of a version of the data: Croissant 1.0 (docs.mlcommons.org/croissant), its files by hash and its case table by column. No image, nobody's name."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lesionflow.data.dataset import Dataset
from lesionflow.io.files import sha256_file, write_text
from lesionflow.io.stores.cases import read_dataset, read_table

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
#: Of the specification's own context, the terms that are used.
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "column": "cr:column",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "recordSet": "cr:recordSet",
    "source": "cr:source",
}
TABLE, RECORDS = "cases.parquet", "cases"


def write_croissant(cases: Path, path: Path) -> int:
    """Write what the ingested data are.

    Args:
        cases: What `ingest` wrote.
        path: The file, ending in `.json`.

    Returns:
        How many columns of the case table are described.

    Raises:
        ArtifactError: When the cases can't be read.
    """
    table, dataset = read_table(cases), read_dataset(cases)
    sha256 = sha256_file(cases / TABLE)
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": dataset.name,
        "description": _describe(dataset, table),
        "version": f"0.0.0+{sha256:.12}",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": TABLE,
                "name": TABLE,
                "contentUrl": TABLE,
                "contentSize": f"{(cases / TABLE).stat().st_size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": RECORDS,
                "name": RECORDS,
                "description": "One row a case; cases and patients by pseudonym.",
                "field": [_field(name, table[name]) for name in table],
            }
        ],
    }
    write_text(path, json.dumps(content, indent=2) + "\n")
    return len(table.columns)


def _describe(dataset: Dataset, table: pd.DataFrame) -> str:
    images = ", ".join(f"{name} ({kind})" for name, kind in dataset.channels.items())
    return (
        f"{len(table)} studies of {table['patient_id'].nunique()} patients: {images}, with outlines of {', '.join(dataset.labels)}. "
        "De-identified; kept by the team, not published."
    )


def _field(name: str, values: pd.Series) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{name}",
        "name": name,
        "dataType": _type_of(values),
        "source": {"fileObject": {"@id": TABLE}, "extract": {"column": name}},
    }


def _type_of(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "sc:Boolean"
    if pd.api.types.is_integer_dtype(values):
        return "sc:Integer"
    return "sc:Float" if pd.api.types.is_float_dtype(values) else "sc:Text"
