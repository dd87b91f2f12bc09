"""Where a module is tested can be told from its name: `tests/unit` mirrors the package."""

from pathlib import Path

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import ARCHITECTURES, build_model

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, UNIT = ROOT / "src" / "lesionflow", ROOT / "tests" / "unit"

#: Networks that stand in `models.ARCHITECTURES`: one parametrized test of the table tests each entry.
OF_A_TABLE = {
    f"models/networks/{name}"
    for name in ("brats2020_unet", "efficientnet_unet", "inception_unet", "residual_encoder_unet", "resnet_unet", "unet", "unetpp")
}  # fmt: skip
#: Rooms in which every module is an entry of a table: `tests/contract/test_output_formats.py` tests each writer.
ROOMS_OF_A_TABLE = ("prediction/writers/",)
#: Modules that are started, never imported: what they start is tested where it is defined.
STARTED = {"__main__", "serving/__main__", "serving/service"}
#: Without a test of their own yet: a debt, to be shortened. A module that has got one fails until its line is gone.
UNTESTED = {
    *(f"config/{name}" for name in ("loading", "sections", "settings")),
    *(f"metrics/{name}" for name in ("boxes", "brats", "detection", "lesion", "overlap", "surface")),
    *(f"models/{name}" for name in ("blocks", "cascade", "shapes")),
    *(f"models/encoders/{name}" for name in ("efficientnet", "resnet")),
    "prediction/passport",
    *(f"serving/{name}" for name in ("engine", "metrics", "middleware", "problems", "segmentation")),
}  # fmt: skip
#: Test files by theme, of which each part is still to go to the module that it tests.
BY_THEME = {
    "config/test_presets.py",
    "metrics/test_lesion_metrics.py",
    "metrics/test_metrics.py",
    "models/test_architectures.py",
    "training/test_every_architecture.py",
}
EXCEPTED = OF_A_TABLE | STARTED | UNTESTED


def path_of_test(module: str) -> str:
    """`io/files` -> `io/test_files.py`; a package's own code, `io` -> `io/test_init.py`."""
    path = Path(module)
    named = path / "test_init.py" if (PACKAGE / path).is_dir() else path.with_name(f"test_{path.name}.py")
    return named.as_posix()


def modules() -> list[str]:
    files = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return sorted(path.with_suffix("").as_posix() for path in files if path.name != "__init__.py")


def packages() -> list[str]:
    return sorted(path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("__init__.py"))


def unit_tests() -> set[str]:
    return {path.relative_to(UNIT).as_posix() for path in UNIT.rglob("test_*.py")}


def has_test(module: str) -> bool:
    return (UNIT / path_of_test(module)).is_file()


def test_every_module_has_a_test_file_of_its_name() -> None:
    owed = [name for name in modules() if not name.startswith(ROOMS_OF_A_TABLE) and name not in EXCEPTED]
    missing = [
        f"src/lesionflow/{name}.py has no tests/unit/{path_of_test(name)}: write it, or move its tests there"
        for name in owed
        if not has_test(name)
    ]
    assert not missing, "\n".join(missing)


def test_what_has_got_a_test_is_no_exception() -> None:
    paid = [f"{name} has tests/unit/{path_of_test(name)} by now" for name in sorted(EXCEPTED) if has_test(name)]
    assert not paid, "\n".join(paid) + "\ntake them from the exceptions"


def test_every_test_file_belongs_to_a_module() -> None:
    wanted = {path_of_test(name) for name in (*modules(), *packages())}
    stray = [
        f"tests/unit/{path} belongs to no module: name it as one, or move it to contract, integration or faults"
        for path in sorted(unit_tests() - wanted - BY_THEME)
    ]
    assert not stray, "\n".join(stray)
    assert not BY_THEME - unit_tests(), f"{sorted(BY_THEME - unit_tests())} are gone: take them from the list"


def test_exceptions_are_modules() -> None:
    assert EXCEPTED - set(modules()) == set()


def test_networks_that_are_excepted_stand_in_the_table() -> None:
    homes = set()
    for name, entry in ARCHITECTURES.items():
        plan = ArchitecturePlan(name=name, options=dict(entry.small_options))
        network = build_model(plan, in_channels=1, out_channels=1, dimensions=entry.dimensions[0])
        homes.add(type(network).__module__.removeprefix("lesionflow.").replace(".", "/"))
    assert homes == OF_A_TABLE
