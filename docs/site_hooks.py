"""What the site holds beside docs/*.md: the files at the repository's root, a page of reference a room, and their places in the nav.

Nothing is written into docs/: the pages live in the build alone, so that they can't go stale.
"""

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "lesionflow"
#: The page of the site that each file at the root becomes.
ROOT_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
REFERENCE = "Reference"
LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add to the nav what is found rather than listed: rooms, decisions, and pages that no line names."""
    nav: list[dict[str, Any]] = config.nav
    sections = {name: entries for item in nav for name, entries in item.items()}
    named = set(_pages(nav)) | set(ROOT_PAGES.values())
    docs = Path(config.docs_dir)
    found = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    sections["Decisions"] += [page for page in found if page.startswith("adr/") and page not in named]
    sections[REFERENCE] += [page for page in found if not page.startswith("adr/") and page not in named]
    sections[REFERENCE].append({"The code, room by room": [{name: f"code/{name}.md"} for name, _ in rooms()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of docs/ holds."""
    for source, page in ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=LINK.sub(_link_of_the_site, text)))
    for name, modules in rooms():
        files.append(File.generated(config, f"code/{name}.md", content=_room_page(name, modules)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Let the pages of docs/ link to the files at the root, as they do where the repository is read without the site."""
    if page.file.src_uri in ROOT_PAGES.values():
        return markdown
    here = posixpath.dirname(page.file.src_uri)

    def moved(match: re.Match[str]) -> str:
        target, _, anchor = match[2].partition("#")
        above = posixpath.normpath(posixpath.join("docs", here, target))
        if above not in ROOT_PAGES:
            return match[0]
        return (
            f"{match[1]}{posixpath.relpath(ROOT_PAGES[above], here or '.')}{'#' + anchor if anchor else ''}{match[3]}"
        )

    return LINK.sub(moved, markdown)


def rooms() -> Iterator[tuple[str, list[str]]]:
    """Yield each room, a package or module right below `lesionflow`, and the dotted names of its modules that say something."""
    for path in sorted(PACKAGE.iterdir()):
        if path.name.startswith("__"):
            continue
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.suffix == ".py" else []
        if files:
            yield path.stem, [_dotted(file) for file in files if file.name != "__main__.py" and _has_members(file)]


def _dotted(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _has_members(file: Path) -> bool:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) is not None


def _room_page(name: str, modules: list[str]) -> str:
    directives = "\n\n".join(f"::: {module}" for module in modules)
    return f"# {name}\n\n{directives}\n"


def _pages(nav: Any) -> Iterator[str]:
    for item in nav:
        entries = [item] if isinstance(item, str) else list(item.values())
        for entry in entries:
            if isinstance(entry, str):
                yield entry
            else:
                yield from _pages(entry)


def _link_of_the_site(match: re.Match[str]) -> str:
    target, _, anchor = match[2].partition("#")
    if re.match(r"[a-z]+:", target) or not target:
        return match[0]
    page = ROOT_PAGES.get(target, target.removeprefix("docs/"))
    if (ROOT / "docs" / page).is_dir():
        page = f"{page.rstrip('/')}/index.md"
    return f"{match[1]}{page}{'#' + anchor if anchor else ''}{match[3]}"
