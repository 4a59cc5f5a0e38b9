"""Laws of loading a configuration: the layers, every mistake at once, and nothing in between right and refused."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.config import ConfigurationError, Problem, Settings, instrument_for, load_settings, public_view
from holdfast.config.settings import InstrumentRules
from holdfast.config.view import as_configuration, as_toml
from holdfast.config.walker import known_keys

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, so that no config.toml is found by chance."""
    monkeypatch.chdir(tmp_path)


def loaded(text: str = "", *overrides: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = Path("given.toml")
    file.write_text(text)
    return load_settings(file, environ=environ or {}, overrides=overrides).settings


def problems_of(text: str = "", *overrides: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(ConfigurationError) as refused:
        loaded(text, *overrides, environ=environ)
    return list(refused.value.problems)


def test_an_unknown_section_from_outside_is_said_to_be_from_there() -> None:
    environ = {"HOLDFAST__RIKS__DRAWDOWN_MAX": "0.5"}

    found = problems_of("[feed]\nspeed = 5", "fede.speed=3", environ=environ)

    assert {problem.key: problem.origin for problem in found} == {
        "riks": "environment HOLDFAST__RIKS__DRAWDOWN_MAX",
        "fede": "--set fede.speed",
    }


# --- defaults and layers


def test_without_any_file_the_defaults_run_two_strategies_on_the_sample_market() -> None:
    found = load_settings(None, environ={}).settings

    assert found == Settings()
    assert found.feed.source == "sample"
    assert found.feed.speed == 600
    assert list(found.strategies) == ["confidence", "ema_cross"]
    assert found.venue.balances == {"USDT": Decimal(10_000)}


def test_the_file_that_ships_says_what_the_defaults_are() -> None:
    assert load_settings(ROOT / "config.toml", environ={}).settings == Settings()


def test_the_file_that_ships_names_every_key_there_is() -> None:
    text = (ROOT / "config.toml").read_text()
    named = {key.strip("# ") for key in re.findall(r"^(?:# )?\w+(?= =)", text, re.MULTILINE)}

    missing = {path for path in known_keys(Settings) if path[-1] not in named | {"*", "parameters"}}

    assert missing == set()


def test_config_toml_of_the_working_directory_is_taken_where_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[node]\nname = "here"')

    found = load_settings(None, environ={})

    assert found.settings.node.name == "here"
    assert found.file == Path("config.toml")


def test_a_file_that_is_named_must_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"readable configuration file.*No such file.*nowhere\.toml"):
        load_settings(Path("nowhere.toml"), environ={})


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default() -> None:
    text = '[risk]\ndrawdown_max = 0.11\ndaily_loss_max = 0.011\norder_notional_max = 11\n[node]\nname = "file"'
    environ = {"HOLDFAST__RISK__DRAWDOWN_MAX": "0.12", "HOLDFAST__RISK__DAILY_LOSS_MAX": "0.012"}

    risk = loaded(text, "risk.drawdown_max=0.13", environ=environ).risk

    assert risk.drawdown_max == Decimal("0.13")
    assert risk.daily_loss_max == Decimal("0.012")
    assert risk.order_notional_max == 11
    assert risk.exposure_max == Settings().risk.exposure_max


def test_numbers_of_money_are_exactly_what_was_written() -> None:
    text = '[venue]\nfee_maker_bps = 0.1\n[venue.balances]\nUSDT = 0.10000000000000000001\nBTC = "1e-8"'

    venue = loaded(text).venue

    assert venue.fee_maker_bps == Decimal("0.1")
    assert venue.balances == {"USDT": Decimal("0.10000000000000000001"), "BTC": Decimal("1e-8")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[\"BTCUSDT\", 'ethusdt']", ("BTCUSDT", "ETHUSDT")),
        ("BTCUSDT,ETHUSDT", ("BTCUSDT", "ETHUSDT")),
        ("BTCUSDT", ("BTCUSDT",)),
        ("[]", ()),
    ],
)
def test_a_list_from_outside_may_be_toml_or_have_commas(value: str, expected: tuple[str, ...]) -> None:
    assert loaded("", f"feed.symbols={value}").feed.symbols == expected
    assert loaded("", environ={"HOLDFAST__FEED__SYMBOLS": value}).feed.symbols == expected


def test_a_text_that_looks_like_a_number_is_still_a_text() -> None:
    environ = {"HOLDFAST__VENUE__CREDENTIALS__API_KEY": "1234567890", "HOLDFAST__VENUE__FEE_ASSET": "2021"}

    found = loaded("", environ=environ)

    assert found.venue.credentials.api_key is not None
    assert found.venue.credentials.api_key.reveal() == "1234567890"
    assert found.venue.fee_asset == "2021"


def test_the_environment_reaches_tables_named_in_the_file_whatever_their_case() -> None:
    text = '[venue.balances]\nUSDT = 1\nBTC = 2\n[strategies.mine]\nclass = "mine.py:Mine"'
    environ = {
        "HOLDFAST__VENUE__BALANCES__USDT": "5",
        "HOLDFAST__STRATEGIES__MINE__PARAMETERS__THRESHOLD": "0.7",
        "HOLDFAST__INSTRUMENTS__BTCUSDT__LOT": "0.1",
    }

    found = loaded(text, environ=environ)

    assert found.venue.balances == {"USDT": 5, "BTC": 2}
    assert found.strategies["mine"].parameters == {"threshold": Decimal("0.7")}
    assert found.instruments["BTCUSDT"].lot == Decimal("0.1")


def test_a_whole_table_can_be_given_from_outside() -> None:
    found = loaded("[venue.balances]\nUSDT = 1", "venue.balances={EUR = 7, BTC = 0.5}")

    assert found.venue.balances == {"EUR": 7, "BTC": Decimal("0.5")}


def test_a_file_with_strategies_runs_only_those_and_outside_values_refine_the_default_ones() -> None:
    only = loaded('[strategies.mine]\nclass = "package.module:Mine"\nsymbols = ["btcusdt"]')
    refined = loaded("", "strategies.ema_cross.enabled=false", "strategies.mine.class=mine.py:Mine")

    assert list(only.strategies) == ["mine"]
    assert only.strategies["mine"].symbols == ("BTCUSDT",)
    assert {name: strategy.enabled for name, strategy in refined.strategies.items()} == {
        "ema_cross": False,
        "mine": True,
        "confidence": True,
    }
    assert refined.strategies["ema_cross"].implementation == "ema_cross"


def test_generated_headlines_are_not_mixed_with_recorded_bars_unless_asked_for(tmp_path: Path) -> None:
    recorded = loaded(f'[feed]\nsource = "files"\npath = "{tmp_path}"')
    asked = loaded(f'[feed]\nsource = "files"\npath = "{tmp_path}"\n[sentiment]\nsource = "sample"')

    assert recorded.sentiment.source == "none"
    assert asked.sentiment.source == "sample"


def test_a_path_starts_at_the_folder_of_the_file_that_names_it_others_at_the_working_directory(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    (folder / "bars").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    file = folder / "my.toml"
    file.write_text('[feed]\nsource = "files"\npath = "bars"')

    named = load_settings(Path("elsewhere/my.toml"), environ={}).settings
    overridden = load_settings(file, environ={}, overrides=["feed.path=mine"]).settings

    assert named.feed.path == str(folder / "bars")
    assert overridden.feed.path == str(tmp_path / "mine")


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("2021-06-10", 1_623_283_200_000),
        ("2021-06-10T12:00:00Z", 1_623_326_400_000),
        ("2021-06-10T14:00:00.5+02:00", 1_623_326_400_500),
        ("2021-06-10 12:00:00", 1_623_326_400_000),
        ('"2021-06-10T12:00"', 1_623_326_400_000),
        ("1623326400000", 1_623_326_400_000),
    ],
)
def test_an_instant_is_utc_however_it_is_written(written: str, milliseconds: int) -> None:
    assert loaded(f"[feed]\nstart = {written}").feed.start == milliseconds


@pytest.mark.parametrize(("written", "speed"), [("600", Decimal(600)), ("0.5", Decimal("0.5")), ('"max"', "max")])
def test_speed_is_a_factor_or_max(written: str, speed: Decimal | str) -> None:
    assert loaded(f"[feed]\nspeed = {written}").feed.speed == speed
    assert loaded("", f"feed.speed={written}").feed.speed == speed
    assert loaded("", "feed.speed=max").feed.speed == "max"


# --- mistakes


EVERY_MISTAKE = """
[node]
name = "Bad Name"
[feed]
source = "filez"
sped = 3
frames = ["15m", "7m"]
warmup_bars = 1.5
start = "yesterday"
[risk]
drawdown_max = 3
exposure_max = nan
[venue]
kind = "live"
[venue.balances]
USDT = -4
"a b" = 3
[health]
daily_summary = "0 25 * * *"
[strategies.mine]
symbols = "BTCUSDT"
[instruments.BTCUSDT]
tick = 0
[log]
file = "yes"
[journal]
snapshot_every = true
[admin]
enabled = { yes = 1 }
[logg]
level = "info"
"""


def test_every_mistake_is_reported_at_once_with_key_expected_found_and_place() -> None:
    environ = {"HOLDFAST__RISK__TYPO": "1", "HOLDFAST__JOURNAL__LINGER_MS": "x", "HOLDFAST_HOME": "/x"}

    problems = {problem.key: problem for problem in problems_of(EVERY_MISTAKE, "feed.speed=0", "oops", environ=environ)}

    places = {key: problem.origin.removeprefix("given.toml:") for key, problem in problems.items()}
    assert places == {
        "": "--set",
        "node.name": "3",
        "feed.source": "5",
        "feed.sped": "6",
        "feed.frames": "7",
        "feed.warmup_bars": "8",
        "feed.start": "9",
        "feed.speed": "--set feed.speed",
        "risk.drawdown_max": "11",
        "risk.exposure_max": "12",
        "risk.typo": "environment HOLDFAST__RISK__TYPO",
        "venue.kind": "14",
        "venue.balances.USDT": "16",
        "venue.balances.a b": "17",
        "health.daily_summary": "19",
        "strategies.mine.class": "20",
        "instruments.BTCUSDT.tick": "23",
        "log.file": "25",
        "journal.snapshot_every": "27",
        "journal.linger_ms": "environment HOLDFAST__JOURNAL__LINGER_MS",
        "admin.enabled": "29",
        "logg": "30",
    }
    assert str(problems["risk.drawdown_max"]) == (
        "risk.drawdown_max: expected a number above 0 and at most 1, found 3 (given.toml:11)"
    )
    assert problems["feed.sped"].hint == "did you mean `feed.speed`?"
    assert problems["logg"].hint == "did you mean `log`?"


@pytest.mark.parametrize(
    "override",
    [
        "feed.warmup_bars=true",
        "venue.latency_ms=false",
        "feed.speed=true",
        "risk.order_notional_max=true",
        "admin.enabled=1",
    ],
)
def test_a_flag_is_no_number_and_a_number_is_no_flag(override: str) -> None:
    assert [problem.key for problem in problems_of("", override)] == [override.partition("=")[0]]


def test_a_key_in_the_wrong_section_is_shown_the_right_one() -> None:
    (problem,) = problems_of("[feed]\ndrawdown_max = 0.1")

    assert problem.hint == "did you mean `risk.drawdown_max`?"


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('[feed]\nsource = "files"', "feed.path", "a file or folder that exists"),
        ('[feed]\nsource = "files"\npath = "nowhere"', "feed.path", "a file or folder that exists"),
        ('[sentiment]\nsource = "files"', "sentiment.path", "a file that exists"),
        ('[sentiment]\nsource = "files"\npath = "/tmp"', "sentiment.path", "a file that exists"),
        ("[feed]\nframes = []", "feed.frames", "at least one"),
        ('[feed]\ntimeframe = "8h"\nframes = ["12h"]', "feed.frames", "add up to"),
        ("[feed]\nstart = 2021-06-10\nend = 2021-06-10", "feed.end", "after feed.start"),
        ('[feed]\nsymbols = ["WHATEVER"]', "instruments.WHATEVER", "base and quote"),
        (
            '[feed]\nsymbols = ["BTCUSDT"]\n[risk]\nsymbols_allowed = ["BTCUSD"]',
            "risk.symbols_allowed",
            "among feed.symbols",
        ),
        (
            '[feed]\nsymbols = ["BTCUSDT"]\n[strategies.confidence]\nsymbols = ["ETHUSDT"]',
            "strategies.confidence.symbols",
            "among feed.symbols",
        ),
        ("[strategies.mine]\nenabled = true", "strategies.mine.class", "a dotted path or file.py:Class"),
        ("[risk]\nexposure_max = 0.2", "risk.symbol_exposure_max", "at most risk.exposure_max"),
        ("[supervision.backoff]\nbase_s = 9.0", "supervision.backoff.base_s", "at most supervision.backoff.cap_s"),
        ("[supervision.guard]\nperiod_s = 5.0", "supervision.guard.period_s", "never gives up"),
        ('[venue]\nkind = "binance"', "venue.url", "venue.allow_elsewhere = true"),
        ('[venue]\nkind = "bybit"\nurl = "https://exchange.example"', "venue.url", "or none for the venue's own place"),
        (
            '[venue]\nkind = "bybit"\nurl = "http://127.0.0.1:1"\ntestnet = true',
            "venue.testnet",
            "false, since venue.url says where",
        ),
    ],
)
def test_settings_that_do_not_fit_each_other_are_found(text: str, key: str, expected: str) -> None:
    problems = {problem.key: problem for problem in problems_of(text)}

    assert expected in problems[key].expected


def test_who_says_so_may_go_to_an_exchange_elsewhere() -> None:
    wanted = '[venue]\nkind = "binance"\nallow_elsewhere = true\ntestnet = true\n[feed]\nsource = "venue"'

    assert "venue.url" not in {problem.key for problem in problems_of(wanted)}


def test_a_key_that_is_wrong_in_itself_is_not_judged_by_its_default_too() -> None:
    problems = problems_of("[risk]\nexposure_max = 7\nsymbol_exposure_max = 0.95")

    assert [problem.key for problem in problems] == ["risk.exposure_max"]


def test_bars_coarser_than_a_frame_are_used_as_they_are() -> None:
    assert loaded('[feed]\ntimeframe = "1h"').feed.frames == ("15m", "1h")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[node", "a file in TOML"), ("x = 1\nx = 2", "a file in TOML"), ("node = 3", "a table")],
)
def test_a_file_that_is_no_configuration_is_refused(text: str, expected: str) -> None:
    assert problems_of(text)[0].expected == expected


@pytest.mark.parametrize("override", ["oops", "=3", ".x=3", "node=3", "risk.=3"])
def test_an_override_that_names_no_key_is_refused(override: str) -> None:
    assert problems_of("", override)[0].origin.startswith("--set")


def test_an_override_through_a_value_is_refused() -> None:
    (problem,) = problems_of('[node]\nname = "a"', "node.name.first=b")

    assert (problem.key, problem.expected) == ("node.name", "a table")


@pytest.mark.parametrize(
    "written",
    ["* * * * *", "0 0 * * *", "*/5 9-17 1,15 1-12/3 mon,fri", "59 23 31 12 6", "0 0 * * mon"],
)
def test_a_cron_line_is_taken(written: str) -> None:
    assert loaded(f'[health]\ndaily_summary = "{written}"').health.daily_summary == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "5-1 * * * *",
        "x * * * *",
        "*/0 * * * *",
    ],
)
def test_what_is_no_cron_line_is_refused(written: str) -> None:
    assert [problem.key for problem in problems_of(f'[health]\ndaily_summary = "{written}"')] == [
        "health.daily_summary"
    ]


@pytest.mark.parametrize(
    "written", ["confidence", "my-entry", "package.module:Class", "package.Class", "./a/my file.py:C"]
)
def test_a_class_may_be_named_in_these_ways(written: str) -> None:
    assert loaded(f'[strategies.x]\nclass = "{written}"').strategies["x"].implementation == written


# --- every file is right or refused


def test_a_file_cut_at_any_byte_is_loaded_or_refused_as_a_whole() -> None:
    content = (ROOT / "config.toml").read_bytes()
    file = Path("cut.toml")
    outcomes = set()

    for length in range(0, len(content), 29):
        file.write_bytes(content[:length])
        try:
            load_settings(file, environ={})
            outcomes.add("loaded")
        except ConfigurationError as error:
            assert error.problems
            outcomes.add("refused")

    assert outcomes == {"loaded", "refused"}


TEXT = (ROOT / "config.toml").read_text()


@settings(max_examples=150, deadline=None)
@given(
    places=st.lists(st.integers(0, len(TEXT) - 1), min_size=1, max_size=6),
    put=st.text(alphabet='[]{}="#.,-\n 0x9\x00é', max_size=6),
    width=st.integers(0, 30),
)
def test_a_file_with_any_damage_is_loaded_or_refused_as_a_whole(places: list[int], put: str, width: int) -> None:
    text = TEXT
    for place in places:
        text = text[:place] + put + text[place + width :]
    Path("damaged.toml").write_text(text)

    try:
        found = load_settings(Path("damaged.toml"), environ={}).settings
    except ConfigurationError as error:
        assert all(problem.expected and problem.origin for problem in error.problems)
    else:
        assert isinstance(found, Settings)


NAMES = ("RISK__DRAWDOWN_MAX", "FEED__SPEED", "FEED__START", "VENUE__BALANCES", "A", "__", "FEED")
ANY_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30)


@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(st.sampled_from(NAMES), ANY_TEXT))
def test_no_value_from_outside_is_more_than_a_mistake(values: dict[str, str]) -> None:
    environ = {f"HOLDFAST__{name}": text for name, text in values.items()}
    overrides = [f"{name.lower().replace('__', '.')}={text}" for name, text in values.items()]

    for outside, line in ((environ, []), ({}, overrides)):
        try:
            load_settings(None, environ=outside, overrides=line)
        except ConfigurationError as error:
            assert error.problems


# --- the view


def test_what_is_shown_as_toml_loads_as_the_same_settings(tmp_path: Path) -> None:
    text = """
    [feed]
    start = 2021-06-10
    speed = "max"
    [strategies.mine]
    class = "a b/my.py:Mine"
    [strategies.mine.parameters]
    text = "quote \\" and \\\\ and \\u007f and é"
    whole = 3
    yes = true
    nested = {deep = [1, 2], "odd key" = "x"}
    [instruments."BTC/USDT"]
    tick = 0.10
    """
    before = loaded(text)

    shown = tmp_path / "shown.toml"
    for written in (as_toml(public_view(before)), as_configuration(before)):
        shown.write_text(written)

        assert load_settings(shown, environ={}).settings == before


def test_what_people_are_shown_has_numbers_as_numbers_and_secrets_as_comments_only(tmp_path: Path) -> None:
    text = """
    [feed]
    source = "venue"
    symbols = ["BTCUSDT"]
    start = 2021-06-10T12:30:00Z
    [venue]
    kind = "binance"
    url = "http://127.0.0.1:1"
    credentials = {api_key = "env:KEY", api_secret = "env:SECRET"}
    [strategies.mine]
    class = "mine:Mine"
    parameters = {share = 0.25, name = "0.25", api_token = "not-for-eyes-0123"}
    """
    (tmp_path / "given.toml").write_text(text)
    environ = {"KEY": "key-of-a-test-0123456789", "SECRET": "secret-of-a-test-0123456789"}

    shown = as_configuration(load_settings(tmp_path / "given.toml", environ=environ).settings)

    said = tomllib.loads(shown)
    assert (said["feed"]["speed"], said["venue"]["fee_maker_bps"], said["venue"]["balances"]["USDT"]) == (
        600,
        10,
        10_000,
    )
    assert said["feed"]["start"].isoformat() == "2021-06-10T12:30:00+00:00"
    assert said["strategies"]["mine"]["parameters"] == {"share": 0.25, "name": "0.25"}
    assert said["venue"]["credentials"] == {}
    assert shown.startswith("# A secret is hidden")
    assert '# api_secret = "***"' in shown
    assert not any(secret in shown for secret in (*environ.values(), "not-for-eyes"))


def test_the_view_is_made_of_plain_json_values() -> None:
    view = public_view(loaded("[strategies.mine]\nclass='x'\n[strategies.mine.parameters]\na = 0.5\nb = 2021-06-10"))

    def plain(value: object) -> Iterator[bool]:
        match value:
            case dict():
                for key, inner in value.items():
                    yield isinstance(key, str)
                    yield from plain(inner)
            case list():
                for inner in value:
                    yield from plain(inner)
            case _:
                yield value is None or type(value) in (str, int, float, bool)

    assert all(plain(view))
    assert view["strategies"]["mine"]["parameters"] == {"a": "0.5", "b": "2021-06-10"}


# --- instruments


@pytest.mark.parametrize(
    ("symbol", "base", "quote", "tick"),
    [
        ("BTCUSDT", "BTC", "USDT", "0.01"),
        ("DOGEUSDT", "DOGE", "USDT", "0.00001"),
        ("ETHBTC", "ETH", "BTC", "0.00000001"),
        ("BTC/USDT", "BTC", "USDT", "0.01"),
        ("BTC/USDT:USDT", "BTC", "USDT", "0.01"),
        ("NEWUSDT", "NEW", "USDT", "0.00000001"),
        ("USDTUSD", "USDT", "USD", "0.00000001"),
    ],
)
def test_a_symbol_shows_its_assets(symbol: str, base: str, quote: str, tick: str) -> None:
    instrument = instrument_for(symbol)

    assert (instrument.base, instrument.quote, instrument.tick) == (base, quote, Decimal(tick))


def test_configured_rules_beat_what_is_known() -> None:
    rules = InstrumentRules(lot=Decimal("0.5"), notional_min=Decimal(0), base="XBT")

    instrument = instrument_for("BTCUSDT", rules)

    assert (instrument.base, instrument.quote) == ("XBT", "USDT")
    assert (instrument.lot, instrument.quantity_min, instrument.notional_min) == (
        Decimal("0.5"),
        Decimal("0.5"),
        Decimal(0),
    )


@pytest.mark.parametrize("symbol", ["USDT", "WHATEVER", "/USDT", ""])
def test_a_symbol_that_shows_no_assets_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="base and quote"):
        instrument_for(symbol)


def test_loading_reads_nothing_of_the_real_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST__NODE__NAME", "from-outside")

    assert load_settings(None, environ={}).settings.node.name == "holdfast"
    assert load_settings(None, environ=os.environ).settings.node.name == "from-outside"
