"""Which image a mask was drawn on, by their names: the same name, then the same words without those for image and mask."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from lesionflow.io.layouts.pairs.file_roles import SEPARATORS, NamedFile, parts_of_name
from lesionflow.io.layouts.pairs.role_words import HINTS, IMAGES, QUALIFIERS, Word, unmasked, without, words_of

K = TypeVar("K")


class Home(NamedTuple):
    """Where a mask belongs.

    Args:
        names: The images that its name fits equally well; one where all is well.
        channel: The channel that it names, or "".
        close: Whether the names are the same but for words for image and mask, and what stands behind those.
        numbered: Whether its name is the image's and a number, which may count masks or be another image's.
    """

    names: tuple[str, ...]
    channel: str
    close: bool
    numbered: bool = False


class Images:
    """The names of the images of a folder, to be found by names and words."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self.folded = _by(self.names, lambda name: (name.casefold(),))
        self.by_words = _by(self.names, _forms)
        self.by_end = _by(self.names, lambda name: _ends(without(_texts(name), IMAGES)))
        self.by_channel = _by(self.names, _before_channel)

    def called(self, name: str) -> tuple[str, ...]:
        """Return the image of this name, or the only one that differs by capitals."""
        alike = self.folded.get(name.casefold(), ())
        return (name,) if name in alike else alike if len(alike) == 1 else ()


def find_home(mask: NamedFile, images: Images) -> Home | None:
    """Find the image of a mask.

    Args:
        mask: The mask.
        images: The images beside it.

    Returns:
        Where it belongs; None when no image's name fits.
    """
    cut, channel = _cut(mask)
    for name, of in ((mask.name, mask.channel), (cut, channel)):
        if found := images.called(name):
            return Home(found, of, close=True)
    if cut and (found := images.by_words.get(_texts(cut), ())):
        return Home(found, channel, close=True)
    own = _core(mask)
    if not own:
        return None
    if equal := images.by_words.get(own):
        return Home(equal, mask.channel, close=True)
    if numbered := images.by_channel.get(mask.name):
        return Home(numbered, mask.channel, close=True)
    return _beginning(mask, own, images) or _ending(mask, own, images)


#: nnU-Net's number of a channel at the end of an image's name, where no dataset.json says what it is.
_CHANNELS = frozenset(f"{number:04d}" for number in range(10))


def _by(names: Iterable[str], keys: Callable[[str], Iterable[K]]) -> dict[K, tuple[str, ...]]:
    found: dict[K, tuple[str, ...]] = {}
    for name in names:
        for key in set(keys(name)):
            found[key] = (*found.get(key, ()), name)
    return found


def _forms(name: str) -> list[tuple[str, ...]]:
    """Return an image's words, and its words without those that say that it is one."""
    return [form for form in (_texts(name), without(_texts(name), IMAGES)) if form]


def _ends(of: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [of[at:] for at in range(len(of)) if any(text.isdecimal() for text in of[at:])]


def _before_channel(name: str) -> list[str]:
    before, _, number = name.rpartition("_")
    return [before] if number in _CHANNELS else []


def _cut(mask: NamedFile) -> tuple[str, str]:
    """Return what stands before the first word for a mask, and its channel: `CT_mask_1` -> ``, `CT`."""
    at = next((word.start for word in words_of(mask.stem) if word.is_mask or word.text in HINTS), None)
    # A name that begins with such a word has nothing before it, and no file may be taken for nothing's mask.
    if not at or mask.stem[:at].strip(SEPARATORS) == "":
        return mask.name, mask.channel
    name, channel, _ = parts_of_name(mask.stem[:at].rstrip(SEPARATORS))
    return name.rstrip(SEPARATORS), channel


def _texts(name: str) -> tuple[str, ...]:
    return tuple(word.text for word in words_of(name))


def _core(mask: NamedFile) -> tuple[str, ...]:
    """Return the mask's words that may be the image's."""
    own = unmasked(_texts(mask.name))
    while own and own[-1] in QUALIFIERS:
        own = own[:-1]
    return without(own, HINTS)


def _beginning(mask: NamedFile, own: tuple[str, ...], images: Images) -> Home | None:
    """Find the image whose words the mask's begin with, the longest."""
    for length in range(len(own) - 1, 0, -1):
        if found := images.by_words.get(own[:length]):
            numbered = all(text.isdecimal() for text in own[length:]) and not _counts_masks(mask)
            return Home(found, mask.channel, close=False, numbered=numbered)
    return None


def _counts_masks(mask: NamedFile) -> bool:
    """Tell whether a number stands behind a mask's word: `x_mask_1`."""
    of = words_of(mask.stem)
    at = [number for number, word in enumerate(of) if _marks(word)]
    return bool(at) and at[0] > 0 and any(word.is_number for word in of[at[0] + 1 :])


def _marks(word: Word) -> bool:
    return word.is_mask or word.text in HINTS


def _ending(mask: NamedFile, own: tuple[str, ...], images: Images) -> Home | None:
    """Find the only image that ends with the mask's words, or whose words the mask's end with: `PANCREAS_0001`, `label0001`."""
    longer = images.by_end.get(own, ())
    shorter = {name for end in _ends(own)[1:] for name in images.by_words.get(end, ())}
    found = {*longer, *shorter}
    return Home(tuple(found), mask.channel, close=True) if len(found) == 1 else None
