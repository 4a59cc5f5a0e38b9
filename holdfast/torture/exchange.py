"""The exchange of a torture: a process of its own, spoken to through its operator's door."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

from gateways.exchange.home import read_keys

ANSWER_WITHIN_S = 10.0
END_WITHIN_S = 20.0
LINE_CHARS_MAX = 65_536


class ExchangeFailed(OSError):
    """The exchange did not start, or does not answer."""


class ExchangeProcess:
    """Runs until the context is left."""

    def __init__(
        self,
        home: Path,
        *,
        symbols: Sequence[str],
        balances: Sequence[str],
        speed: float,
        seed: int,
        scenario: Path | None,
        data: str,
    ) -> None:
        """Start it; `scenario` is what it lies about, nothing where None.

        Raises:
            ExchangeFailed: it does not come up.
        """
        options = ["--home", str(home), "--speed", f"{speed:g}", "--seed", str(seed), "--data", data, "--json"]
        options += ["--balance", *balances, "--symbols", *symbols]
        options += ["--scenario", str(scenario)] if scenario is not None else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "venue", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # An interrupt from the keyboard is for the torture: its end needs the exchange.
            start_new_session=True,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        line = self._process.stdout.readline(LINE_CHARS_MAX)
        try:
            self.rest_url: str = json.loads(line)["rest_url"]
        except (ValueError, KeyError, TypeError) as error:
            self._process.kill()
            said = self._process.communicate()[1].strip()[-1_000:]
            raise ExchangeFailed(f"expected an exchange that is ready, found: {line.strip() or said}") from error
        self.keys = read_keys(home)
        # What it says would fill its pipes, and nobody needs it.
        for pipe in (self._process.stdout, self._process.stderr):
            threading.Thread(target=_drain, args=(pipe,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def be_honest(self) -> None:
        """Tell no lies from now on."""
        self._ask("DELETE", "faults")

    def stand_still(self, seconds: float) -> None:
        """Do nothing for so long, and then at once what came meanwhile."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def ledger(self) -> dict[str, Any]:
        """Return everything the exchange has taken, refused and traded, and what the account holds."""
        return self._ask("GET", "ledger")

    def faults(self) -> dict[str, int]:
        """Return how often each kind of fault struck."""
        counts: dict[str, int] = self._ask("GET", "faults")["counts"]
        return counts

    def _ask(self, method: str, what: str) -> dict[str, Any]:
        connection = HTTPConnection(urlsplit(self.rest_url).netloc, timeout=ANSWER_WITHIN_S)
        try:
            connection.request(
                method, f"/holdfast/{what}", headers={"Authorization": f"Bearer {self.keys.admin_token}"}
            )
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            raise ExchangeFailed(f"expected the exchange to answer, found that {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ExchangeFailed(f"expected the exchange to do as it is told, found {said}")
        found: dict[str, Any] = said
        return found


def _drain(pipe: IO[str]) -> None:
    with pipe:
        while pipe.read(LINE_CHARS_MAX):
            pass
