"""The pages are a site without a broken link, load nothing from anywhere, and speak of files and tests that are there."""

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "lesionflow"
DOCS = ROOT / "docs"
AT_ROOT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in AT_ROOT)])
#: The change log speaks of what was; the other pages speak of what is.
PRESENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = {"src", "tests", "docs", "components", "pipelines", "containers", "benchmarks", "manifests"}
ROOMS = {path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith("_")}
#: mkdocs, from a process that reaches no other machine.
BUILD = """
import socket, sys
def refuse(*address):
    raise OSError(f"a build reached for {address}")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
cli(["build", "--strict", *sys.argv[1:]])
"""


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    # Lines of mkdocs are not what coverage is for; it would take twice as long.
    settings = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-c", BUILD, "--config-file", str(config), "--site-dir", str(site)],
        env={**settings, "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@cache
def seen(page: Path) -> "Seen":
    return Seen(page)


class Seen(HTMLParser):
    """What a page loads when it is opened, where it leads, and what can be led to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads, self.ids, self.classes = [], set(), set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        self.classes |= set((given.get("class") or "").split())
        if tag == "link" and given.get("rel") not in {"canonical", "prev", "next"}:
            self.loads.append(given.get("href"))
        if tag not in {"a", "link"}:
            self.loads += [
                given[name] for name in ("src", "srcset", "data", "poster", "action", "href") if given.get(name)
            ]


def test_no_page_loads_anything_from_another_host(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    loaded = [address for page in pages for address in seen(page).loads]
    assert any(address.endswith(".js") for address in loaded)
    assert [address for address in loaded if re.match(r"(https?:)?//", address)] == []
    # The theme fetches the program that draws diagrams when a page holds one.
    assert [page.name for page in pages if "mermaid" in seen(page).classes] == []


def test_no_style_loads_anything_from_another_host(site):
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert styles
    assert [
        found for style in styles for found in re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^)\"']+)", style)
    ] == []


def test_every_page_is_in_the_site_and_in_its_nav(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    named = {"README.md": "index.html", "CONTRIBUTING.md": "contributing.html", "CHANGELOG.md": "changelog.html"}
    for page in PAGES:
        built = named.get(page.name) or page.relative_to(DOCS).with_suffix(".html").as_posix()
        assert (site / built).is_file(), page
        # The page of the nav where one is says so with a dot.
        assert f'href="{built}"' in start or built == "index.html", f"no entry of the nav leads to {page}"


def public_names(file: Path):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_the_reference_has_all_that_a_room_offers(site, room):
    ids = seen(site / "code" / f"{room}.html").ids
    for file in (PACKAGE / room).rglob("*.py"):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        assert {f"{module}.{name}" for name in public_names(file)} <= ids, module


def test_broken_links_and_missing_anchors_fail_the_build(tmp_path):
    shutil.copytree(DOCS, tmp_path / "docs")
    for name in AT_ROOT:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    # Without the reference, which takes the time.
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8")) | {"plugins": ["search"]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    broken = {"index.md": ("README.md", "docs/"), "data.md": ("docs/data.md", "")}
    for page, below in broken.values():
        with (tmp_path / page).open("a", encoding="utf-8") as file:
            file.write(f"\n[gone]({below}gone.md) [anchor]({below}plan.md#gone) [file](/src/gone.py)\n")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    faults = [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    for built_from in broken:
        for target in ("'gone.md'", "#gone'", "'/src/gone.py'"):
            assert sum(f"'{built_from}'" in line and target in line for line in faults) == 1, (built_from, target)
    # Six, and no more: each page is whole but for what was written here.
    assert len(faults) == 2 * 3


def named_paths(page: Path):
    for code in CODE.findall(page.read_text(encoding="utf-8")):
        first, _, rest = code.partition("/")
        if (
            re.fullmatch(r"[\w./-]+", code)
            and rest
            and (first in FOLDERS or (first in ROOMS and code.endswith((".py", ".yaml"))))
        ):
            yield code


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths_in_pages_are_there(page):
    missing = [code for code in named_paths(page) if not ((ROOT / code).exists() or (PACKAGE / code).exists())]
    assert set(missing) == set()


def test_some_pages_name_paths():
    assert sum(len(list(named_paths(page))) for page in PRESENT) > 40


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_names_of_the_code_in_pages_are_there(page):
    for dotted in re.findall(r"`(lesionflow(?:\.\w+)+)", page.read_text(encoding="utf-8")):
        parts = dotted.split(".")
        depth = max(n for n in range(1, len(parts) + 1) if is_module(parts[:n]))
        if depth < len(parts):
            assert parts[depth] in names_of(parts[:depth]), dotted


def is_module(parts):
    path = PACKAGE.parent.joinpath(*parts)
    return path.is_dir() or path.with_suffix(".py").is_file()


def names_of(parts):
    path = PACKAGE.parent.joinpath(*parts)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        name
        for node in ast.walk(tree)
        for name in (
            [node.name] if isinstance(node, ast.ClassDef | ast.FunctionDef)
            else [alias.asname or alias.name for alias in node.names] if isinstance(node, ast.ImportFrom)
            else []
        )
    }  # fmt: skip


def test_tests_that_the_recipes_name_are_there():
    written = {
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert len(named) > 10
    assert named - written == set()


def test_every_decision_is_in_the_index_with_its_title_and_status():
    index = (DOCS / "adr" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \| (.+) \|$", index, re.MULTILINE)
    files = sorted(path for path in (DOCS / "adr").glob("*.md") if path.name != "index.md")
    assert [file for _, _, file, _ in listed] == [path.name for path in files]
    numbers = [int(number) for number, *_ in listed]
    assert numbers == sorted(set(numbers))
    for (number, title, name, status), path in zip(listed, files, strict=True):
        head, _, said = path.read_text(encoding="utf-8").split("\n", 3)[:3]
        assert int(number) == int(name[:4])
        assert head == f"# {number}. {title}"
        assert re.fullmatch(rf"Status: {status}(: .+)?\.", said), path.name


def test_the_change_log_keeps_its_form():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})", version) for version in versions[1:]]
    assert all(released), versions
    numbers = [tuple(map(int, found.group(1, 2, 3))) for found in released]
    assert numbers == sorted(set(numbers), reverse=True)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_make_help_names_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {name for line in re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE) for name in line.split()}
    assert "docs" in targets
    assert targets == set(re.findall(r'@echo "make ([\w-]+)', text)) | {"help"}
    assert targets <= set(re.findall(r"^([\w-]+):", text, re.MULTILINE))


def test_the_commit_hook_fetches_nothing():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]] == ["make check"]
    assert {hook["language"] for repo in config["repos"] for hook in repo["hooks"]} == {"system"}
