"""A strategy is found by short name, by entry point, by dotted path and in a file; what is none is named."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest

from domain.market import HOUR_MS, Bar, Instant, Instrument
from domain.proposal import Entry, Exit, Proposal
from domain.strategies import Holding, Strategy, View
from domain.strategies.confidence import Confidence, ConfidenceParameters
from domain.strategies.ema_cross import EmaCross
from gateways.plugins import StrategyClass, StrategyNotFound, find_strategy, make_strategy, parameters_of

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCE = """
    import msgspec

    class Settings(msgspec.Struct):
        hours: int = 1

    class Mine:
        Parameters = Settings
        timeframes = ("1h",)
        def __init__(self, symbols, parameters): self.settings = msgspec.convert(parameters, Settings)
        def on_bar(self, bar): ...
        def on_score(self, score): ...
        def propose(self, view): return []
        def save(self): return {}
        def restore(self, state): ...

    class Plain(Mine):
        Parameters = None

    class Half:
        def on_bar(self, bar): ...
        def propose(self, view): return []

    number = 7
"""


def write(path: Path, source: str = SOURCE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(source))
    return path


def install(folder: Path, package: str, points: dict[str, str]) -> None:
    """Leave what an installer leaves behind of a package with entry points."""
    lines = "\n".join(f"{name} = {place}" for name, place in points.items())
    write(folder / f"{package}-1.0.dist-info" / "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    write(folder / f"{package}-1.0.dist-info" / "entry_points.txt", f"[holdfast.strategies]\n{lines}\n")


@pytest.mark.parametrize(("name", "expected"), [("confidence", Confidence), ("ema_cross", EmaCross)])
def test_strategies_that_ship_have_short_names(name: str, expected: StrategyClass, tmp_path: Path) -> None:
    assert find_strategy(name, folder=tmp_path) is expected


def test_a_dotted_path_names_an_importable_class(tmp_path: Path) -> None:
    assert find_strategy("domain.strategies.ema_cross:EmaCross", folder=tmp_path) is EmaCross


def test_a_file_is_found_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    write(tmp_path / "strategies" / "mine.py")

    found = find_strategy("strategies/mine.py:Mine", folder=tmp_path)

    assert found.__name__ == "Mine"
    assert found(("BTCUSDT",), {"hours": 3}).save() == {}


def test_a_file_is_found_by_its_absolute_path(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.py")

    assert find_strategy(f"{path}:Mine", folder=Path("/nowhere")).__name__ == "Mine"


def test_a_file_is_loaded_once(tmp_path: Path) -> None:
    write(tmp_path / "mine.py")

    assert find_strategy("mine.py:Mine", folder=tmp_path) is find_strategy("./mine.py:Mine", folder=tmp_path)


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    write(tmp_path / "a" / "mine.py")
    write(tmp_path / "b" / "mine.py")

    assert find_strategy("a/mine.py:Mine", folder=tmp_path) is not find_strategy("b/mine.py:Mine", folder=tmp_path)


def test_an_installed_package_offers_a_strategy_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "offered_by_entry_point.py")
    install(tmp_path, "offered", {"mine": "offered_by_entry_point:Mine"})
    monkeypatch.syspath_prepend(tmp_path)

    assert find_strategy("mine", folder=tmp_path).__name__ == "Mine"


def test_a_package_cannot_take_the_name_of_a_strategy_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "taking_a_name.py")
    install(tmp_path, "taking", {"confidence": "taking_a_name:Mine"})
    monkeypatch.syspath_prepend(tmp_path)

    assert find_strategy("confidence", folder=tmp_path) is Confidence


def test_a_name_that_two_packages_claim_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "claimed.py")
    install(tmp_path, "one", {"same": "claimed:Mine"})
    install(tmp_path, "two", {"same": "claimed:Half"})
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(StrategyNotFound, match="found 2 installed packages with that name"):
        find_strategy("same", folder=tmp_path)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("momentum", "momentum: expected one of confidence, ema_cross, .*, found no such name"),
        ("gone.py:Mine", r"gone.py:Mine: expected a Python file, found none at .*gone\.py"),
        ("no_such_package.module:Mine", "expected a module that can be imported, found ModuleNotFoundError: No module"),
        ("mine.py:Yours", "mine.py:Yours: expected a class Yours, found Settings, Mine, Plain, Half"),
        ("mine.py:number", "mine.py:number: expected a class, found a int"),
        ("mine.py:Half", "expected a strategy, with .*, found a class without on_score, save, restore"),
        ("mine.py:", "expected a class , found"),
        ("", "found no such name"),
    ],
)
def test_what_is_no_strategy_is_named_with_what_was_expected(place: str, sentence: str, tmp_path: Path) -> None:
    write(tmp_path / "mine.py")

    with pytest.raises(StrategyNotFound, match=sentence):
        find_strategy(place, folder=tmp_path)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def broken(:", r"SyntaxError: invalid syntax \(broken.py, line 1\)"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("print(undefined)", "NameError: name 'undefined' is not defined"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why_and_can_be_mended(source: str, found: str, tmp_path: Path) -> None:
    write(tmp_path / "broken.py", source)

    with pytest.raises(StrategyNotFound, match=f"expected a module that can be imported, found {found}"):
        find_strategy("broken.py:Mine", folder=tmp_path)

    write(tmp_path / "broken.py")
    assert find_strategy("broken.py:Mine", folder=tmp_path).__name__ == "Mine"


def test_the_parameters_of_a_strategy_are_known_where_it_declares_them(tmp_path: Path) -> None:
    write(tmp_path / "mine.py")
    mine = parameters_of(find_strategy("mine.py:Mine", folder=tmp_path))

    assert parameters_of(Confidence) is ConfidenceParameters
    assert mine is not None and [field.name for field in msgspec.structs.fields(mine)] == ["hours"]
    assert parameters_of(find_strategy("mine.py:Plain", folder=tmp_path)) is None


def hours_of(closes: Sequence[int]) -> list[Bar]:
    bars = []
    for place, close in enumerate(map(Decimal, closes)):
        at = place * HOUR_MS
        bars.append(Bar("BTCUSDT", "1h", at, at + HOUR_MS, close, close + 1, close - 1, close, Decimal(1)))
    return bars


def a_view(at: Instant, holding: Holding) -> View:
    btc = Instrument(symbol="BTCUSDT", base="BTC", quote="USDT", tick=Decimal(1), lot=Decimal("0.01"))
    return View(at, Decimal(10_000), Decimal(10_000), {"BTCUSDT": holding}, {"BTCUSDT": btc})


def answers(strategy: Strategy, bars: Sequence[Bar], holding: Holding) -> list[Proposal]:
    made: list[Proposal] = []
    for bar in bars:
        strategy.on_bar(bar)
        made += strategy.propose(a_view(bar.closed_at, holding))
    return made


def test_the_example_of_a_strategy_of_ones_own_works(tmp_path: Path) -> None:
    breakout = find_strategy("breakout.py:Breakout", folder=EXAMPLES)
    strategy, restored = (breakout(("BTCUSDT",), {"hours": 5}) for _ in range(2))
    still, up, down = [100, 101, 100, 101, 100, 101], 103, 98
    quiet = answers(strategy, hours_of(still), Holding())
    restored.restore(json.loads(json.dumps(strategy.save())))

    entry = answers(strategy, hours_of([*still, up])[-1:], Holding())
    exit_ = answers(restored, hours_of([*still, down])[-1:], Holding(quantity=Decimal(1)))

    assert quiet == []
    assert entry == [
        Entry("BTCUSDT", Decimal("9.70"), Decimal(103), 8 * HOUR_MS, stop_price=Decimal(99), why="above the highest")
    ]
    assert exit_ == [Exit("BTCUSDT", 8 * HOUR_MS, why="below the lowest")]
    with pytest.raises(ValueError, match="hours must be a whole number of bars from 1 to 1000, was 0"):
        breakout(("BTCUSDT",), {"hours": 0})


@pytest.mark.parametrize(
    ("parameters", "found"),
    [({"hours": "x"}, "Expected `int`, got `str`"), ({"hours": 0}, "ZeroDivisionError"), ({"hours": 1}, "timeframes")],
)
def test_whatever_a_strategy_stumbles_over_is_told_as_parameters_that_cannot_be(
    parameters: dict[str, object], found: str
) -> None:
    class Settings(msgspec.Struct):
        hours: int = 1

    class Careless(Confidence):
        def __init__(self, symbols: Sequence[str], given: Mapping[str, Any]) -> None:
            self.share = 1 / msgspec.convert(given, Settings).hours
            super().__init__(symbols, {})

        @property
        def timeframes(self) -> tuple[str, ...]:  # type: ignore[override]
            raise AttributeError("it says no timeframes")

    with pytest.raises(ValueError, match=found):
        make_strategy(Careless, ("BTCUSDT",), parameters)  # type: ignore[arg-type]
