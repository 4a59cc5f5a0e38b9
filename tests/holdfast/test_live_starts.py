"""Laws of a start at a real venue that cannot be: whose fault it is, and where."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import msgspec

from holdfast.exit_codes import ExitCode
from persistence.reader import JournalReader
from tests.gateways.live.served import Served

ROOT = Path(__file__).resolve().parents[2]


def write_config(url: str, home: Path) -> Path:
    """Write the configuration of a node at a venue, beside its home."""
    config = home.with_name("live.toml")
    config.write_text(
        '[feed]\nsource = "venue"\nsymbols = ["BTCUSDT"]\ntimeframe = "1m"\n'
        f'[venue]\nkind = "binance"\nurl = "{url}"\n'
        '[venue.credentials]\napi_key = "env:KEY_OF_A_TEST"\napi_secret = "env:SECRET_OF_A_TEST"\n'
    )
    return config


def start_at(url: str, home: Path, key: str, secret: str) -> subprocess.CompletedProcess[str]:
    """Start a node at a venue, and wait for its end."""
    config = write_config(url, home)
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "run", "--config", str(config), "--home", str(home)],
        cwd=ROOT,
        env={**os.environ, "KEY_OF_A_TEST": key, "SECRET_OF_A_TEST": secret},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_venue_that_is_not_there_is_named_with_the_cause(tmp_path: Path) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        ended = start_at(url, tmp_path / "home", "key-of-a-test-0123456789", "secret-of-a-test-0123456789")

    assert ended.returncode == ExitCode.IO_ERROR, ended.stderr
    said = f"{url} must answer before a node can start: nothing listens there; is the exchange running?"
    assert ended.stderr.splitlines()[-1].endswith(said), ended.stderr


def test_keys_that_a_venue_refuses_are_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with closing(Served(tmp_path / "exchange", speed=60.0)) as served:
        exchange = served.exchange
        of_nobody = start_at(exchange.rest_url, tmp_path / "home", "k" * 64, exchange.secret)
        unsigned = start_at(exchange.rest_url, tmp_path / "other", exchange.api_key, "s" * 64)

    for ended, code in ((of_nobody, "-2015"), (unsigned, "-1022")):
        assert ended.returncode == ExitCode.CONFIGURATION, ended.stderr
        assert f"venue.credentials: expected keys that {exchange.rest_url} takes" in ended.stderr
        assert code in ended.stderr
        assert exchange.secret not in ended.stderr


def test_what_spoke_to_the_venue_is_in_the_journal_with_its_version(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with closing(Served(tmp_path / "exchange", speed=60.0)) as served:
        exchange = served.exchange
        config = write_config(exchange.rest_url, home)
        node = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "run", "--config", str(config), "--home", str(home)],
            cwd=ROOT,
            env={**os.environ, "KEY_OF_A_TEST": exchange.api_key, "SECRET_OF_A_TEST": exchange.secret},
            stderr=subprocess.PIPE,
            text=True,
        )
        with node:
            assert node.stderr is not None
            for line in node.stderr:
                if "node.ready" in line:
                    break
            node.terminate()
            node.communicate(timeout=30)

    with JournalReader(home) as reader:
        (started,) = [msgspec.json.decode(record.payload) for record in reader.read(kinds=["NodeStarted"])]
    assert started["platform"].endswith(f", ccxt {version('ccxt')}")
