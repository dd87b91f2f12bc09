"""Names of structures as programs and people write them: one name has many spellings, and they are told alike here alone.

A name is compared without its case, its separators, its British or American spelling, and the form that Unicode has for it
(AAPM TG-263 asks that names differ by more than case). A rule's pattern is tried on the name as it stands and on its other
spellings.
"""

import re
import unicodedata

from lesionflow.data.dataset import BACKGROUND

#: Seen between the words of a name: blanks, underscores, and every dash of Unicode.
SEPARATORS = re.compile(r"[\s_\-\u00ad\u2010-\u2015\u2212\u30fb]+")
#: Of no width: they can't be seen, and compare as something.
UNSEEN = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\x00"))
#: Spellings of one word, the American first.
SPELLINGS = (("tumor", "tumour"), ("edema", "oedema"), ("hemorrhage", "haemorrhage"), ("ischemi", "ischaemi"))
#: A pattern that says what a name must not hold, or counts its letters, would fit another spelling against its sense.
STRICT = re.compile(r"\(\?<?!|\[\^|\\[wWSB]")


def plain(name: str) -> str:
    """Return a name in Unicode's compatibility form (full width becomes ASCII), without what can't be seen."""
    return unicodedata.normalize("NFKC", name.translate(UNSEEN)).strip()


def key(name: str) -> str:
    """Return what all spellings of a name share.

    Examples:
        >>> key("Non-Enhancing Tumour") == key("non_enhancing tumor") == "nonenhancingtumor"
        True
    """
    folded = SEPARATORS.sub("", plain(name).casefold())
    for american, british in SPELLINGS:
        folded = folded.replace(british, american)
    return folded


def initials(name: str) -> str:
    """Return the first letters of a name of several words: `whole tumor` -> `wt`; "" of one word."""
    words = [word for word in SEPARATORS.split(plain(name).casefold()) if word]
    return "".join(word[0] for word in words) if len(words) > 1 else ""


def same(one: str, other: str) -> bool:
    """Tell whether two names are one, or one is the other's initials (`WT`, `whole tumor`)."""
    keys = key(one), key(other)
    return bool(keys[0] and keys[1]) and (keys[0] == keys[1] or initials(one) == keys[1] or initials(other) == keys[0])


def is_background(name: str) -> bool:
    """Tell whether a name says that there is no structure: none then, whatever pattern fits it."""
    return key(name) == BACKGROUND


def fits(pattern: str, name: str, *, any_case: bool = False) -> bool:
    """Tell whether a pattern fits a whole name in any of its spellings.

    Args:
        pattern: A regular expression. One that says what must not be there is tried on the name as it stands alone.
        name: What a file calls a structure.
        any_case: Case does not matter, whatever the pattern says.

    Examples:
        >>> fits("(?i)non_?enhancing.*", "Non-enhancing tumor"), fits("(?!non-).*tumor", "non-tumor")
        (True, False)
    """
    pattern = unicodedata.normalize("NFC", pattern)
    tried = as_written(name) if STRICT.search(pattern) else spellings(name)
    return any(re.fullmatch(pattern, form, re.IGNORECASE if any_case else 0) for form in tried)


def as_written(name: str) -> tuple[str, ...]:
    """Return a name as it stands, composed as keyboards do, and in Unicode's compatibility form."""
    return tuple(dict.fromkeys((unicodedata.normalize("NFC", name).strip(), plain(name))))


def spellings(name: str) -> tuple[str, ...]:
    """Return all spellings of a name, that which stands there first."""
    found = dict.fromkeys(as_written(name))
    for separator in "_ -":
        forms = {SEPARATORS.sub(separator, plain(name)).strip(separator): None}
        for american, british in SPELLINGS:
            # Each word by itself: `peritumoral oedema` has one of either.
            forms |= dict.fromkeys(_spelled(form, american, british) for form in tuple(forms))
            forms |= dict.fromkeys(_spelled(form, british, american) for form in tuple(forms))
        found |= forms
    return tuple(found)


def _spelled(text: str, old: str, new: str) -> str:
    """Replace a word by its other spelling, in the same case; `oedema` holds `edema` already."""

    def cased(match: re.Match[str]) -> str:
        if match[0].isupper():
            return new.upper()
        return new.capitalize() if match[0][0].isupper() else new

    return re.sub(rf"(?<!o){old}", cased, text, flags=re.IGNORECASE)
