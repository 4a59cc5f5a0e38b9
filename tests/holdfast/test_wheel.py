"""The built wheel, and the editable install, beside packages of other people with the names of ours."""

import os
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest

from holdfast import PACKAGES
from holdfast.torture.lives import durable_seq

pytest.importorskip("hatchling", reason="the wheel is built with hatchling: pip install -e '.[dev]'")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
EVENTS_MIN = 20
LIFE_S_MAX = 30.0


class Installation:
    """A virtual environment of its own that sees this one's dependencies, with foreign packages of our names in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.packages = next(folder.glob("lib/python*/site-packages"))
        (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def add_foreign(self, *names: str) -> None:
        """Install a distribution of somebody else that has these names at its top level."""
        for name in names:
            (self.packages / name).mkdir()
            (self.packages / name / "__init__.py").write_text('raise RuntimeError("a stranger was imported")\n')
        information = self.packages / "strangers-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")

    def install(self, *what: str) -> None:
        """Install with this environment's pip, from what is here."""
        python = self.folder / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
        options = ["--no-deps", "--no-index", "--no-build-isolation"]
        subprocess.run([*pip, "install", *options, *what], check=True, cwd=self.folder)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the installed `holdfast` from a folder that has nothing to do with it."""
        return subprocess.run(
            [self.folder / "bin" / "holdfast", *arguments],
            cwd=self.folder,
            env=plain_environment(),
            capture_output=True,
            text=True,
            timeout=LIFE_S_MAX,
            check=False,
        )


def plain_environment() -> dict[str, str]:
    """Return the environment without what would lead Python back to the checkout."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "HOLDFAST", "COV"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = Installation(tmp_path_factory.mktemp("installed"))
    installation.add_foreign("supervision", "persistence")
    installation.install(str(wheel))
    return installation


def test_the_wheel_has_nothing_but_holdfast_at_its_top_level(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"holdfast"}
    assert {f"holdfast/_app/{package}/__init__.py" for package in PACKAGES} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "tests/" in name]


def test_the_wheel_carries_every_module_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = [path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    front = [path.relative_to(ROOT).as_posix() for path in (ROOT / "holdfast").rglob("*.py")]

    missing = {f"holdfast/_app/{name}" for name in ours} | set(front)

    assert missing <= names


def test_the_installed_wheel_runs_beside_packages_with_our_names(installed: Installation, tmp_path: Path) -> None:
    said = installed.run("version")

    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("holdfast ")
    run_until_stopped(installed, tmp_path / "home")


def test_the_packages_installed_beside_it_are_left_alone(installed: Installation) -> None:
    for name in ("supervision", "persistence"):
        assert "stranger" in (installed.packages / name / "__init__.py").read_text()
    assert not (installed.packages / "domain").exists()


def test_an_editable_install_runs_the_checkout_from_anywhere(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "editable")

    installation.install("--editable", str(ROOT))

    assert installation.run("version").returncode == 0
    assert not list(installation.packages.glob("holdfast/**/*.py")), "a copy would grow old"
    run_until_stopped(installation, tmp_path / "home")


def test_an_editable_install_refuses_to_run_with_a_package_that_is_not_ours(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "editable")
    installation.install("--editable", str(ROOT))
    installation.add_foreign("gateways")

    done = installation.run("run", "--home", str(tmp_path / "home"))

    assert done.returncode == 78
    assert "package `gateways` must be the one in" in done.stderr
    assert not (tmp_path / "home").exists()


def run_until_stopped(installation: Installation, home: Path) -> None:
    """Run the installed node until it has journaled some events, stop it, and have its journal verified."""
    node = subprocess.Popen(
        [installation.folder / "bin" / "holdfast", "run", "--home", home],
        cwd=installation.folder,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + LIFE_S_MAX
        while durable_seq(home) < EVENTS_MIN and node.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        node.send_signal(signal.SIGTERM)
        output, _ = node.communicate(timeout=LIFE_S_MAX)
    finally:
        node.kill()
        node.wait()

    assert node.returncode == 0, output
    assert durable_seq(home) >= EVENTS_MIN, output
    verified = installation.run("journal", "verify", "--home", str(home))
    assert verified.returncode == 0, verified.stderr
