"""The architecture as laws: who imports whom, what may not be read, how large things may grow."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import holdfast

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("domain", "messages", "supervision", "persistence", "gateways", "actors", "holdfast")
PURE = ("domain", "messages", "actors")

THIRD_PARTY: dict[str, frozenset[str]] = {
    "domain": frozenset({"msgspec"}),
    "messages": frozenset({"msgspec"}),
    "supervision": frozenset({"pykka"}),
    "persistence": frozenset({"apsw", "msgspec", "peewee", "playhouse"}),
    "gateways": frozenset({"aiohttp", "apscheduler", "apsw", "ccxt", "msgspec", "psutil"}),
    "actors": frozenset({"msgspec"}),
    "holdfast": frozenset({"cyclopts", "msgspec", "rich", "structlog"}),
}
"""All that each package may import from other houses."""

PURE_LIBRARY = frozenset(
    {"bisect", "collections", "dataclasses", "decimal", "enum", "fractions", "functools", "hashlib", "heapq"}
    | {"itertools", "math", "operator", "re", "statistics", "types", "typing", "unicodedata"}
)
"""What decisions and actors may take from the standard library: nothing in it knows the time, the dice or the world."""

CATCH_ALL = {
    "persistence/connection.py": {"_connect", "reading"},
    "persistence/journal.py": {"_commit"},
    "persistence/reader.py": {"__init__"},
    "persistence/writer.py": {"_guarded"},
    "gateways/live/client.py": {"send"},
    "gateways/live/venue.py": {"answer"},
    "gateways/live/market.py": {"_has_gone_on"},
    "gateways/live/rules.py": {"look"},
    "gateways/live/requests.py": {"keep_time"},
    "gateways/live/watch.py": {"listen", "_ask"},
    "gateways/paper/book.py": {"_transaction", "open"},
    "holdfast/admin/server.py": {"_serve_call"},
    "holdfast/admin/socket_file.py": {"_listen"},
    "holdfast/answers.py": {"_handle"},
    "holdfast/helpers.py": {"_work"},
    "holdfast/cli/errors.py": {"guarded"},
    "holdfast/doors.py": {"_count", "take"},
    "holdfast/ground.py": {"run_job"},
    "holdfast/node.py": {"_summarise", "run"},
    "holdfast/rebuild.py": {"_fold_by"},
    "holdfast/simulation/run.py": {"to_end"},
    "holdfast/passage.py": {"_tell", "_tell_all", "read"},
}
"""The functions that may catch what they cannot name; supervision may, being there for it."""

LINES_OF_FILE_MAX = 350
LINES_OF_FUNCTION_MAX = 60
LARGE_FILES: dict[str, int] = {}
"""Files that are larger, for one idea that does not come apart, and how large they may become."""


class Found:
    """A place in the code, as `path:line: what`."""

    def __init__(self, path: Path, node: ast.AST, what: str) -> None:
        self.path = path.relative_to(ROOT).as_posix() if path.is_absolute() else str(path)
        self.line = getattr(node, "lineno", 1)
        self.what = what

    def __repr__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def files_of(*packages: str) -> list[Path]:
    """Return every source file of packages."""
    files = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    assert files
    return files


def imports_of(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield every import, at any depth of the file, with the module's full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, ("." * node.level) + (node.module or "")


# -- imports -------------------------------------------------------------------------------------------------------


def test_every_import_contract_is_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_the_third_parties_it_is_the_door_of(package: str) -> None:
    known = THIRD_PARTY[package] | set(PACKAGES) | sys.stdlib_module_names

    strangers = [
        Found(path, node, name)
        for path in files_of(package)
        for node, name in imports_of(parsed(path))
        if name.split(".")[0] not in known
    ]

    assert not strangers


def test_no_import_is_relative() -> None:
    relative = [
        Found(path, node, name)
        for path in files_of(*PACKAGES)
        for node, name in imports_of(parsed(path))
        if name.startswith(".")
    ]

    assert not relative


# -- purity --------------------------------------------------------------------------------------------------------


def impurities_of(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield what reads a clock, rolls dice, waits, or touches the world."""
    for node, name in imports_of(tree):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names and top not in PURE_LIBRARY:
            yield node, f"imports {name}"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=("open" | "input" | "print" | "exec" | "eval" | "id" | "hash") as name)):
                yield node, f"calls {name}"
            case ast.Call(func=ast.Attribute(attr=("now" | "utcnow" | "today" | "sleep" | "uuid4") as name)):
                yield node, f"calls {name}"


@pytest.mark.parametrize("package", PURE)
def test_decisions_and_actors_read_no_clock_and_roll_no_dice(package: str) -> None:
    found = [Found(path, node, what) for path in files_of(package) for node, what in impurities_of(parsed(path))]

    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "import random",
        "from uuid import uuid4",
        "import threading",
        "import datetime",
        "x = datetime.now()",
        "x = date.today()",
        "x.sleep(1)",
        "x = hash(name)",
    ],
)
def test_a_clock_or_dice_would_be_seen(source: str) -> None:
    assert list(impurities_of(ast.parse(source)))


REAL_CLOCKS = frozenset({"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"})


def clock_reads_of(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what reads or imports a real clock, or waits for one."""
    for node, name in imports_of(tree):
        if name.split(".")[0] in {"time", "datetime", "asyncio", "sched", "uuid", "secrets"}:
            yield node
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr=name)) if name in REAL_CLOCKS:
                yield node


def test_supervision_reads_real_clocks_in_the_runtime_of_threads_only() -> None:
    readers = {path.name for path in files_of("supervision") if any(clock_reads_of(parsed(path)))}

    assert readers == {"threads.py"}


def test_randomness_in_supervision_is_seeded() -> None:
    unseeded = [
        Found(path, node, ast.unparse(node))
        for path in files_of("supervision")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "random"
        and not (node.func.attr == "Random" and node.args)
    ]

    assert not unseeded


# -- the order of sets ---------------------------------------------------------------------------------------------

ORDERLESS = frozenset({"sorted", "set", "frozenset", "len", "any", "all", "min", "max", "bool"})
"""Callables to whose result the order of what they are given makes no difference."""
ORDERED = frozenset({"list", "tuple", "iter", "next", "enumerate", "map", "filter", "zip", "dict", "sum", "reversed"})
SET_NAMES = frozenset({"set", "frozenset", "Set", "AbstractSet", "MutableSet"})


class SetOrder(ast.NodeVisitor):
    """Finds what depends on the order of a set, as far as the text of one file shows."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[ast.AST] = []
        self._names = set(_names_of_sets(tree))
        self._excused: set[ast.AST] = set()
        self.visit(tree)

    def visit_For(self, node: ast.For) -> None:
        self._judge(node.iter)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self._judge(node.value)
        self.generic_visit(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._excused.add(node)
        self._visit_comprehension(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node)

    def visit_Call(self, node: ast.Call) -> None:
        match node.func:
            case ast.Name(id=name) if name in ORDERLESS:
                self._excused.update(node.args)
            case ast.Name(id=name) if name in ORDERED:
                for argument in node.args:
                    self._judge(argument)
            case ast.Attribute(attr=("join" | "extend" | "fromkeys" | "pop")):
                for argument in node.args:
                    self._judge(argument)
        self.generic_visit(node)

    def _visit_comprehension(self, node: ast.SetComp | ast.ListComp | ast.DictComp | ast.GeneratorExp) -> None:
        if node not in self._excused:
            for generator in node.generators:
                self._judge(generator.iter)
        self.generic_visit(node)

    def _judge(self, node: ast.expr) -> None:
        if self._is_set(node):
            self.found.append(node)

    def _is_set(self, node: ast.expr) -> bool:
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Call(func=ast.Name(id=("set" | "frozenset"))):
                return True
            case ast.Call(func=ast.Attribute(attr=("union" | "intersection" | "difference" | "symmetric_difference"))):
                return True
            case ast.BinOp(left=left, op=(ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()), right=right):
                return any(self._is_set(side) or _is_keys(side) for side in (left, right))
            case ast.IfExp(body=body, orelse=orelse):
                return self._is_set(body) or self._is_set(orelse)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name in self._names
        return False


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys"


def _names_of_sets(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=(ast.Name(id=name) | ast.Attribute(attr=name)), annotation=annotation):
                if _says_set(annotation):
                    yield name
            case ast.arg(arg=name, annotation=ast.expr() as annotation) if _says_set(annotation):
                yield name
            case ast.Assign(targets=[(ast.Name(id=name) | ast.Attribute(attr=name))], value=value):
                if isinstance(value, ast.Set | ast.SetComp) or (
                    isinstance(value, ast.Call)
                    and isinstance(value.func, ast.Name)
                    and value.func.id in ("set", "frozenset")
                ):
                    yield name


def _says_set(annotation: ast.expr) -> bool:
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(outer, ast.Name) and outer.id in SET_NAMES


@pytest.mark.parametrize("package", PURE)
def test_nothing_decided_depends_on_the_order_of_a_set(package: str) -> None:
    found = [
        Found(path, node, ast.unparse(node)) for path in files_of(package) for node in SetOrder(parsed(path)).found
    ]

    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: pass",
        "y = [x for x in set(z)]",
        "y = list(frozenset(z))",
        "y = ','.join({a, b})",
        "y = (*{1, 2},)",
        "y = {k: 1 for k in a.keys() | b.keys()}",
        "NAMES = frozenset(z)\nfor x in NAMES: pass",
        "def f(seen: set[str]) -> None:\n  for x in seen: pass",
        "self.seen: set[str] = z\nnext(iter(self.seen))",
    ],
)
def test_an_order_taken_from_a_set_would_be_seen(source: str) -> None:
    assert SetOrder(ast.parse(source)).found


@pytest.mark.parametrize(
    "source",
    [
        "y = sorted({1, 2})",
        "y = {x + 1 for x in {1, 2}}",
        "y = any(x for x in set(z))",
        "for x in sorted(set(z)): pass",
        "y = 1 in {1, 2}",
        "for x in [1, 2]: pass",
        "y = dict(a) | dict(b)",
    ],
)
def test_a_set_whose_order_does_not_matter_is_left_alone(source: str) -> None:
    assert not SetOrder(ast.parse(source)).found


# -- errors --------------------------------------------------------------------------------------------------------


def catch_alls_of(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield every handler that catches what it cannot name, with the function it is in."""
    for function, node in _with_function(tree, "the module"):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type):
            yield node, function


def _with_function(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield inner, child
        yield from _with_function(child, inner)


def _catches_all(caught: ast.expr | None) -> bool:
    match caught:
        case None:
            return True
        case ast.Tuple(elts=kinds):
            return any(map(_catches_all, kinds))
        case ast.Name(id=name):
            return name in ("Exception", "BaseException")
    return False


def test_only_the_edges_catch_what_they_cannot_name() -> None:
    found: dict[str, set[str]] = {}
    for path in files_of(*(set(PACKAGES) - {"supervision"})):
        for _node, function in catch_alls_of(parsed(path)):
            found.setdefault(path.relative_to(ROOT).as_posix(), set()).add(function)

    assert found == CATCH_ALL


# -- size and speech -----------------------------------------------------------------------------------------------


def test_no_file_grows_beyond_what_a_person_reads_at_once() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in files_of(*PACKAGES)
    }

    too_long = {name: n for name, n in lengths.items() if n > LARGE_FILES.get(name, LINES_OF_FILE_MAX)}

    assert not too_long
    assert all(lengths[name] > LINES_OF_FILE_MAX for name in LARGE_FILES), "take it off the list"


def test_no_function_grows_beyond_a_page() -> None:
    too_long = [
        Found(path, node, f"{node.name} has {node.end_lineno - node.lineno + 1} lines")
        for path in files_of(*PACKAGES)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LINES_OF_FUNCTION_MAX
    ]

    assert not too_long


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public_parts_of(tree: ast.Module) -> Iterator[Documented]:
    """Yield a module and its public classes and functions, and their public methods."""
    yield tree
    waiting: list[ast.Module | ast.ClassDef] = [tree]
    while waiting:
        for node in waiting.pop().body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            if _is_setter(node) or node.name == "Meta":
                # The second half of a property; what peewee reads of a table.
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                waiting.append(node)


def _is_setter(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Attribute) and each.attr == "setter" for each in node.decorator_list)


def test_everything_public_says_what_it_promises() -> None:
    silent = [
        Found(path, node, getattr(node, "name", "the module"))
        for path in files_of(*PACKAGES)
        for node in public_parts_of(parsed(path))
        if not (ast.get_docstring(node) or (isinstance(node, ast.Module) and not node.body))
    ]

    assert not silent


# -- what is kept under version control ----------------------------------------------------------------------------

PLACES = re.compile(
    r"https?://[\w.:-]+/(?:simple|packages)\b|(?:--|extra-|\b)index-url|trusted-host"
    r"|(?<![\w.$}/-])/(?:work|root|Users|home/(?!someone)\w+|mnt)/"
)
"""Where packages come from, and where somebody's files are, are no business of this project."""


def tracked_files() -> list[Path]:
    """Return the files under version control; skip where there is no repository."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_file_names_a_package_index_or_a_place_on_one_machine() -> None:
    found = []
    for path in tracked_files():
        if path == Path(__file__).resolve():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in PLACES.finditer(text)]

    assert not found


@pytest.mark.parametrize("place", ["https://index.example/{}", "--{}-url X", "open('/{}/x')", "see /{}/shared/a"])
@pytest.mark.parametrize("word", ["simple", "index", "root", "work"])
def test_a_package_index_or_a_place_would_be_seen(place: str, word: str) -> None:
    belongs_together = {"simple": "https", "index": "--", "root": "open", "work": "see"}[word]

    assert bool(PLACES.search(place.format(word))) or not place.startswith(belongs_together)


def test_a_node_that_serves_no_exchange_imports_no_web_server() -> None:
    """It would take half as long again to start, and so would every command that speaks of a node."""
    program = "import sys, holdfast.node; sys.exit('aiohttp' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_no_installed_distribution_claims_the_name_of_a_package_of_ours() -> None:
    """The same name at the top level of another distribution would be imported in place of ours, or overwrite it."""
    claims = [
        f"{distribution.name}: {name}"
        for distribution in importlib.metadata.distributions()
        for name in _top_levels_of(distribution)
        if name in holdfast.PACKAGES
    ]

    assert not claims


def test_the_packages_python_would_import_are_ours() -> None:
    holdfast.require_own_packages()

    assert {*holdfast.PACKAGES, "holdfast"} == set(PACKAGES)


def _top_levels_of(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return the names that a distribution's files, and its own word, put at the top level."""
    files = distribution.files or ()
    names = {file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py" and ".." not in file.parts}
    return names | set((distribution.read_text("top_level.txt") or "").split())
