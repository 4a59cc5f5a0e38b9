"""Laws of secrets: they are used, and nobody ever sees them."""

import base64
import copy
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config import ConfigurationError, load_settings, public_view
from holdfast.secrets import (
    MASK,
    Secret,
    SecretRefused,
    is_secret_name,
    resolve,
    scrub,
    scrub_bytes,
    scrub_event,
    scrub_value,
    scrubbed,
)

CANARY = 'k4n"ar\\y/é+42=='
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _known() -> None:
    Secret(CANARY)


def test_a_secret_prints_as_stars_everywhere() -> None:
    secret = Secret(CANARY)

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret]), repr({"k": secret})]

    assert all(CANARY not in text and MASK in text for text in shown)
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode, json.dumps])
def test_a_secret_cannot_be_written_down(leak: Any) -> None:
    with pytest.raises(TypeError) as refused:
        leak({"key": Secret(CANARY)} if leak is not copy.copy else Secret(CANARY))

    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        CANARY,
        repr(CANARY),
        repr({"key": CANARY}),
        json.dumps({"key": CANARY}),
        json.dumps({"key": CANARY}, ensure_ascii=False),
        f"https://venue/?key={quote(CANARY, safe='')}",
        base64.b64encode(CANARY.encode()).decode(),
        CANARY.encode().hex(),
        f"a{CANARY}b{CANARY}c",
    ],
)
def test_a_secret_is_scrubbed_however_it_was_written(written: str) -> None:
    cleaned = scrub(written)

    assert MASK in cleaned
    assert not any(part in cleaned for part in ("k4n", "ar\\", "6172", quote("é")))
    assert scrub_bytes(written.encode()) == cleaned.encode()


@given(st.text(max_size=50), st.text(max_size=50))
def test_scrubbing_leaves_no_trace_and_keeps_the_rest(before: str, after: str) -> None:
    assert CANARY not in scrub(before + CANARY + after)
    assert scrub(before) == before or CANARY in before


def test_keys_that_are_changed_again_and_again_stay_known_while_they_are_in_use_and_not_for_ever(
    tmp_path: Path,
) -> None:
    program = """if True:
        from holdfast import secrets
        secrets.remember("the-key-of-the-start")
        for number in range(250):
            if number >= 100:
                secrets.remember("a-password-that-stays")
            secrets.remember(f"changed-key-{number:06}")
        print(secrets.scrub("the-key-of-the-start a-password-that-stays changed-key-000249 changed-key-000150"))
        print(len(secrets._pattern.pattern) < 100_000)
    """
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )

    assert ended.stdout.splitlines() == ["*** *** *** changed-key-000150", "True"], ended.stderr


def test_lines_of_a_long_secret_are_scrubbed_by_themselves() -> None:
    Secret("-----BEGIN KEY-----\nfirst-line-of-key\nsecond-line-of-key\n")

    assert scrub("only second-line-of-key leaked") == f"only {MASK} leaked"


def test_of_two_secrets_that_begin_alike_nothing_of_the_longer_one_is_left() -> None:
    Secret("alike-alike")
    Secret("alike-alike-and-more")

    assert scrub("<alike-alike-and-more> <alike-alike>") == f"<{MASK}> <{MASK}>"


def test_what_a_renderer_adds_is_scrubbed_too() -> None:
    as_text = scrubbed(lambda *_: f"added {CANARY}")
    as_bytes = scrubbed(lambda *_: f"added {CANARY}".encode())

    assert as_text(None, "info", {}) == f"added {MASK}"
    assert as_bytes(None, "info", {}) == f"added {MASK}".encode()


def test_a_secret_too_short_to_be_told_from_words_is_refused_without_being_shown() -> None:
    with pytest.raises(SecretRefused, match="at least 8") as refused:
        Secret("order")

    assert "order" not in str(refused.value)
    assert scrub("order.sent") == "order.sent"


@pytest.mark.parametrize(
    "name", ["api_key", "API-KEY", "apiKey", "x_api_secret", "password", "Authorization", "bot_token"]
)
def test_these_names_are_secret(name: str) -> None:
    assert is_secret_name(name)
    assert scrub_value({name: "harmless"}) == {name: MASK}


@pytest.mark.parametrize("name", ["symbol", "key", "request_id", "tokens", "secretary", "client_id", "hash"])
def test_these_names_are_not(name: str) -> None:
    assert scrub_value({name: "harmless"}) == {name: "harmless"}


def test_scrubbing_keeps_the_shape_of_what_it_cleans() -> None:
    value = {"a": [1, 2.5, None, True, f"x{CANARY}"], "b": (CANARY, b"raw " + CANARY.encode()), "c": {CANARY: 1}}

    assert scrub_value(value) == {
        "a": [1, 2.5, None, True, f"x{MASK}"],
        "b": (MASK, b"raw " + MASK.encode()),
        "c": {MASK: 1},
    }


class _Careless:
    def __repr__(self) -> str:
        return f"<Client key={CANARY}>"


def test_no_log_line_shows_a_secret() -> None:
    out = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[structlog.processors.format_exc_info, scrub_event, scrubbed(structlog.processors.JSONRenderer())],
    )

    log.info("sent", url=f"https://x/?key={CANARY}", api_key="anything", nested={"headers": [CANARY]}, who=_Careless())
    try:
        raise RuntimeError(f"venue said {CANARY}")
    except RuntimeError:
        log.exception(f"failed with {CANARY}")

    assert "k4n" not in out.getvalue()
    assert "anything" not in out.getvalue()
    assert "RuntimeError: venue said ***" in out.getvalue()


CRASHES = """
import threading, sys
from holdfast.secrets import Secret, install_excepthooks
install_excepthooks()
secret = Secret("tr0ub4dor-canary").reveal()
class Dying:
    def __del__(self): raise ValueError(secret)
dying = Dying(); del dying
def fail(): raise ValueError("on a thread: " + secret)
thread = threading.Thread(target=fail); thread.start(); thread.join()
try:
    fail()
except ValueError as error:
    raise RuntimeError({"key": secret}) from error
"""


def test_no_traceback_shows_a_secret() -> None:
    died = subprocess.run(
        [sys.executable, "-c", CRASHES], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )

    assert died.returncode == 1
    assert "canary" not in died.stderr.replace('Secret("tr0ub4dor-canary")', "")
    assert died.stderr.count("***") == 4


# --- where secrets come from


def test_a_secret_in_a_private_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(file)

    assert resolve(f"file:{file}", {}) == Secret(CANARY)
    assert resolve(f"file:{link}", {}) == Secret(CANARY)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o610, 0o601, 0o777])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(CANARY)
    file.chmod(mode)

    with pytest.raises(SecretRefused, match=rf"chmod 600.*{mode:04o}"):
        resolve(f"file:{file}", {})


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "short"])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    match kind:
        case "folder":
            path.mkdir(mode=0o700)
        case "binary":
            path.write_bytes(b"\xff\xfe\xfd" * 10)
        case "short":
            path.write_text("abc\n")
    if path.is_file():
        path.chmod(0o600)

    with pytest.raises(SecretRefused):
        resolve(f"file:{path}", {})


def test_the_owner_of_a_secret_file_must_be_us_or_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    file = tmp_path / "key"
    file.write_text(CANARY)
    file.chmod(0o600)
    os.chown(file, 65534, 65534)

    with pytest.raises(SecretRefused, match="belong to"):
        resolve(f"file:{file}", {})


def test_a_secret_may_come_from_the_environment() -> None:
    assert resolve("env:KEY", {"KEY": CANARY}).reveal() == CANARY
    with pytest.raises(SecretRefused, match="variable KEY to be set"):
        resolve("env:KEY", {})


# --- in a configuration


def test_a_configured_secret_is_in_no_view_and_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[venue.credentials]\napi_key = "canary-in-the-file"\napi_secret = "env:SECRET"\n[node]\nname = "n"'
    )
    settings = load_settings(file, environ={"SECRET": "canary-in-the-environment"}).settings
    file.write_text(
        file.read_text() + '\ndescription = "canary-in-the-file"\n[feed]\npath = "canary-in-the-file"\nspeed = 0'
    )
    with pytest.raises(ConfigurationError) as refused:
        load_settings(file, environ={"SECRET": "canary-in-the-environment"})

    shown = [repr(settings), str(public_view(settings)), scrub(str(refused.value))]

    assert settings.venue.credentials.api_key == Secret("canary-in-the-file")
    assert settings.venue.credentials.api_secret == Secret("canary-in-the-environment")
    assert not any("canary" in text for text in shown)
    assert public_view(settings)["venue"]["credentials"] == {"api_key": MASK, "api_secret": MASK}


def test_a_secret_under_a_misspelt_key_or_of_a_wrong_form_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[venue]\ncredentials = "canary-1"\napi_kee = "canary-2"\n[venues]\nx = "canary-3"')
    with pytest.raises(ConfigurationError) as first:
        load_settings(file, environ={"HOLDFAST__VENUE__CREDENTIAL": "canary-4"})
    file.write_text('[venue.credentials]\napi_key = ["canary-5"]\napi_secret = "canry"')
    with pytest.raises(ConfigurationError) as second:
        load_settings(file, environ={})

    assert len(first.value.problems) == 4
    assert len(second.value.problems) == 2
    assert "can" not in str(first.value).replace("cannot", "") + str(second.value).replace("cannot", "").replace(
        "can be", ""
    )


def test_a_secret_on_the_command_line_is_refused_since_everybody_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(Path("/dev/null"), environ={}, overrides=["venue.credentials.api_key=canary-on-the-line"])
    accepted = load_settings(
        Path("/dev/null"), environ={"KEY": "canary-elsewhere"}, overrides=["venue.credentials.api_key=env:KEY"]
    )

    assert "every user" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert accepted.settings.venue.credentials.api_key == Secret("canary-elsewhere")


def test_what_a_strategy_calls_a_secret_is_scrubbed_too(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[strategies.mine]\nclass = "m.py:M"\n[strategies.mine.parameters]\nllm_api_key = "canary-of-mine"')

    settings = load_settings(file, environ={}).settings

    assert settings.strategies["mine"].parameters == {"llm_api_key": "canary-of-mine"}
    assert public_view(settings)["strategies"]["mine"]["parameters"] == {"llm_api_key": MASK}
    assert scrub("Bearer canary-of-mine") == f"Bearer {MASK}"
