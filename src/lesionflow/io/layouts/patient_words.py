"""Words and forms in the names of cases: what counts, dates or sides an examination, and how collections write a patient."""

import re

#: Copies of one image that were turned over keep its name behind or before such a word.
COPY = r"(h|v)?flip(ped)?|mirror(ed)?|rot(ated)?\d*|aug(mented)?\d*"
COPY_BEFORE = re.compile(rf"^({COPY})[_-]", re.IGNORECASE)
BIDS = re.compile(r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+")
#: A DICOM UID (PS3.5, 9.1), whose numbers count nothing.
UID = re.compile(r"^[0-2](\.\d+){5,}$")
#: `patient 12`, `Patient-001`, `pat0005`, `subject_3`: what follows is of that patient.
SPOKEN = re.compile(
    r"^(?:.*?[_\-. (])?(?:patient(?:id)?|subject|subj|pat|pt)[_\-. ]?(?:id)?[_\-. ]?\d+[A-Za-z]?(?![A-Za-z0-9])",
    re.IGNORECASE,
)
NUMBER = re.compile(r"^\d+$")
#: A word that may end the patient's part before a bare number: a number, or a code such as `p12`, `case7`, `A1`.
OWN_NUMBER = re.compile(r"^(pat|patient|case|sub|subject|[a-z]{1,2})?\d+$", re.IGNORECASE)
CODE = re.compile(r"^[a-z]{1,2}\d+$", re.IGNORECASE)
DATE = re.compile(r"^((19|20)\d{6}|(19|20)\d\d)$")
#: The same with signs in it, and `03-23-2003`.
WRITTEN_DATE = re.compile(
    r"^(?P<left>.*?)[_\-. ]*(?<!\d)(?:(?:19|20)\d\d([_\-.])\d\d\2\d\d|\d\d([_\-.])\d\d\3(?:19|20)\d\d)$"
)
DATED = re.compile(r"^(\d{1,2}-\d{1,2}-(19|20)\d\d|(19|20)\d\d-?\d\d-?\d\d)(?!\d)")
TIME = "months?|mo|m|days?|d|weeks?|wk|w|years?|yrs?|y"
#: A date within a name; what stands behind it is of that examination.
DATE_WITHIN = re.compile(
    r"^(?P<left>.+?)[_\-. ]+(?:(?:0?[1-9]|[12]\d|3[01])-(?:0?[1-9]|[12]\d|3[01])-(?:19|20)\d\d|"
    r"(?:19|20)\d\d([_\-.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))(?!\d)(?P<behind>[_\-. ].+)$"
)
#: How collections write a patient, whatever stands behind it: TCGA's barcode (project, site, participant), ADNI's subject (site, `S`,
#: roster id), OASIS, LIDC-IDRI, CPTAC, NSCLC Radiogenomics, BraTS from 2023 on, autoPET.
KNOWN = re.compile(
    r"(?<![A-Za-z0-9])(?:TCGA[_\-.][A-Z0-9]{2}[_\-.][A-Z0-9]{4}|\d{3}_S_\d{4,5}|OAS1_\d{4}|OAS[234]\d{4}|LIDC-IDRI-\d{4}|C3[LN]-\d{5}|"
    r"(?:R01|AMC)-\d{3}|QIN-HEADNECK-\d{2}-\d{4}|BraTS-[A-Z]+(?:-RT)?-\d{4,5}|(?:fdg|psma)_[0-9a-f]{8,32})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
#: What a copied file is called: `P12 (1)`, `P12 - Copy`.
COPY_NUMBER = re.compile(r"^(?P<left>.*\d.*?)[_\-. ]*\(\d{1,2}\)$")
#: Phases of contrast, of breath and of the heart.
PHASE = (
    r"arterial|venous|portal|porto-?venous|portal-?venous|delayed|delay|native|plain|nc|ncct|nect|cect|ce|art|ven|pv|pvp|hap|ap|vp|dp|eap|lap|"
    r"non-?contrast|contrast|pre-?contrast|post-?contrast|unenhanced|enhanced|late|early|equilibrium|nephrographic|nephrogenic|"
    r"corticomedullary|excretory|urographic|es|ed|sys|dia|systole|diastole|end-?systole|end-?diastole|insp|exp|inspiration|expiration|"
    r"inhale|exhale|prone|supine|phase\d*|ph\d+"
)
#: Marks that say a follow-up by themselves, whatever stands before them.
FOLLOW_UP = re.compile(
    r"^(fu\d*[a-z]?|follow-?up\d*|time-?point\d*|tp\d+|visit\d*|ses\d*|sess\d*|session\d*|baseline|bl\d*|pre|post|pre-?op|post-?op|intra-?op|peri-?op|"
    r"follow|pre-?rt|mid-?rt|post-?rt|pre-?treatment|post-?treatment|before|after|initial|recurrence|relapse|progression|interim|restaging|staging|screening|preoperative|postoperative|intraoperative|nadir|prior|current)$",
    re.IGNORECASE,
)
#: Marks that say so behind a number: months, a scan's count, or a weighting, which are one patient's in either case.
BEHIND_NUMBER = re.compile(
    rf"^(t\d{{1,2}}[a-z]{{0,4}}|time\d+|v\d+|scan\d*|exam\d*|study\d*|mid|flair|(ct|pt|pet|mr|mri|cbct|us)\d{{0,2}}|adc|dwi|{PHASE}|(run|acq|series|ser|rep|repeat|cycle|fraction|fx)\d*|retest|(month|week|day|year|m|w|d|y|wk)s?\d+|"
    rf"\d+({TIME})|slice\d*|sl\d+|frame\d*|img\d*|image\d*|im\d+|tile\d*|patch\d*|crop\d*|z\d+|axial\d*|sagittal\d*|coronal\d*|"
    rf"left|right|l|r|od|os|cc|mlo|[rln]\d+|(nodule|lesion|tumou?r|finding|les|met|mets|node|roi|ln)\d*|{COPY}|copy\d*)$",
    re.IGNORECASE,
)
#: Words with a number behind them, which are then a mark together: `slice_4`, `week_000`, `R_1`.
COUNTED = re.compile(
    r"^(slice|sl|s|z|frame|img|image|im|tile|patch|crop|axial|sagittal|coronal|timepoint|tp|time|visit|ses|session|scan|exam|study|fu|up|"
    r"followup|month|week|day|year|baseline|r|l|n|nodule|lesion|tumou?r|finding|les|met|mets|node|roi|ln|cc|mlo|left|right|v|t|aug|rot|phase|run|acq|series|cycle|fraction|fx|copy)$",
    re.IGNORECASE,
)
#: Words before a patient's code that say which image of his it is: `slice012_P12`, `lesion_1_P12`, `2019_P12`.
BEFORE_CODE = re.compile(r"^(?P<mark>[A-Za-z]+[_\-. ]\d+|[^_\-. ]+)[_\-. ]+(?P<rest>(?P<word>[A-Za-z]+)[_\-. ]?\d+.*)$")
SIDE = re.compile(r"^(.*\d)[LR]$")
#: Words that name no patient, so that nothing behind them may be taken off.
NOBODY = re.compile(
    r"^(case|scan|image|img|im|volume|vol|patient|subject|study|series|ct|mr|mri|pet|data|dataset|set|train|training|test|val|"
    r"mask|seg|lesion|tumou?r|nodule|slice|file|pic|picture|exam|visit|session)s?$",
    re.IGNORECASE,
)
#: Folders that hold many patients, though a number may stand in their names.
CONTAINER = re.compile(
    r"(^(ct|mr|mri|pet)[_\-. ]?\d+$|batch|part|fold|site|cent(er|re)|hospital|data|set|task|train|test|val|group|class|grade|stage|images?|scans?|volumes?|version|"
    r"(?<![A-Za-z])(19|20)\d\d(?!\d)|png|jpe?g|tiff?|nii|nifti)",
    re.IGNORECASE,
)
