"""The laws of watching open orders: the stream is a hint, what it does not tell is found all the same."""

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from domain.venue import OrderSeen
from gateways.live import watch as watching
from gateways.live.binance import Binance
from gateways.live.client import Client
from gateways.live.orders import Orders
from gateways.live.requests import Requests
from gateways.live.thread import IoThread
from gateways.live.watch import Told, Watch
from tests.gateways.live.liar import Liar, Request, answer, pointed_at

SYMBOL = "BTCUSDT"


class Script:
    """A stream that tells what it is told to tell, and breaks when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.hung_up = 0
        self._events: asyncio.Queue[Told | None] = asyncio.Queue()

    async def events(self) -> AsyncIterator[Told]:
        self.begun += 1
        while (told := await self._events.get()) is not None:
            yield told
        raise ConnectionError("it broke on purpose")

    async def hang_up(self) -> None:
        self.hung_up += 1
        self._events.put_nowait(None)

    def put(self, client_id: str | None, filled: str = "0", *, is_over: bool = False) -> None:
        self._events.put_nowait(None if client_id is None else Told(client_id, SYMBOL, Decimal(filled), is_over))


class Scene:
    """Orders at a venue that shows them as the test says, watched."""

    def __init__(self, ask_all_every_s: float) -> None:
        self.liar = Liar()
        self.shown: dict[str, tuple[str, str]] = {}
        self.trades: list[str] = []
        """Quantities of the trades that the venue shows of any order."""
        self.liar.behave = self._behave
        self.reports: queue.Queue[OrderSeen] = queue.Queue()
        self.told: list[str] = []
        self.thread = IoThread("scene")
        self.script, self.watch, self.client = self.thread.wait(self._begin(ask_all_every_s), 30)

    def note(self, client_id: str) -> None:
        self.shown[client_id] = ("NEW", "0")
        seen = OrderSeen(client_id, "7", "accepted")
        self.call(lambda: self.watch.note(seen, SYMBOL))

    def call(self, work: Callable[[], Any]) -> Any:
        async def there() -> Any:
            return work()

        return self.thread.wait(there(), 10)

    def next_report(self) -> OrderSeen:
        return self.reports.get(timeout=10)

    def questions(self, client_id: str) -> int:
        asked = [request.params.get("origClientOrderId") for request in self.liar.requests]
        return asked.count(client_id)

    def close(self) -> None:
        self.thread.wait(self.client.close(), 10)
        self.thread.close()
        self.liar.close()

    async def _begin(self, ask_all_every_s: float) -> tuple[Script, Watch, Client]:
        client = Client("binance", {**Binance().settings(), **pointed_at(self.liar.url)}, answer_within_s=5)
        await client.open()
        script = Script()
        orders = Orders(Binance(), Requests(Binance(), client, tell=self._tell))
        watch = Watch(orders, script, report=self.reports.put, tell=self._tell, ask_all_every_s=ask_all_every_s)
        for work in (watch.listen, watch.ask_hinted, watch.ask_all):
            self.thread.begin(work)
        return script, watch, client

    def _tell(self, event: str, **values: Any) -> None:
        self.told.append(event)

    def _behave(self, request: Request) -> bytes:
        if request.path.endswith("myTrades"):
            money = {"price": "100", "commission": "0", "commissionAsset": "USDT", "time": 1, "isBuyer": True}
            return answer([{"id": n, "orderId": 7, "qty": each, **money} for n, each in enumerate(self.trades)])
        client_id = request.params.get("origClientOrderId", "")
        if client_id not in self.shown:
            return answer({"code": -2013, "msg": "Order does not exist."}, 400)
        status, filled = self.shown[client_id]
        return answer({"orderId": 7, "clientOrderId": client_id, "status": status, "executedQty": filled})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LATE_S", 0.2)
    monkeypatch.setattr(watching, "REDIAL_FIRST_S", 0.05)
    monkeypatch.setattr(watching, "AFTER_REDIAL_S", (0.1,))


@pytest.fixture
def scene(quick: None) -> Iterator[Scene]:
    made = Scene(ask_all_every_s=3600)
    yield made
    made.close()


@pytest.fixture
def restless(quick: None) -> Iterator[Scene]:
    made = Scene(ask_all_every_s=0.3)
    yield made
    made.close()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_the_stream_tells_of_is_asked_for_and_reported_once(scene: Scene) -> None:
    scene.note("h1")
    scene.shown["h1"] = ("CANCELED", "0")

    scene.call(lambda: [scene.script.put("h1") for _ in range(3)])

    assert scene.next_report() == OrderSeen("h1", "7", "canceled")
    time.sleep(0.3)
    assert scene.reports.empty()


def test_a_fill_that_the_stream_tells_sooner_than_answers_show_it_is_found_soon(scene: Scene) -> None:
    scene.note("h1")
    until(lambda: scene.questions("h1"))

    scene.call(lambda: scene.script.put("h1", "2", is_over=True))
    time.sleep(0.4)
    scene.shown["h1"] = ("FILLED", "2")  # Its trades are shown later still.
    time.sleep(0.4)
    scene.trades = ["0.5", "1.5"]

    assert sum(fill.quantity for fill in scene.next_report().fills) == 2


def test_what_the_stream_tells_late_or_twice_takes_nothing_back_that_it_has_told(scene: Scene) -> None:
    scene.note("h1")
    until(lambda: scene.questions("h1"))

    scene.call(lambda: [scene.script.put("h1", "2", is_over=True), *(scene.script.put("h1") for _ in range(9))])
    time.sleep(0.4)
    scene.shown["h1"], scene.trades = ("FILLED", "2"), ["2"]

    assert scene.next_report().state == "filled"


def test_what_no_answer_ever_comes_to_is_left_to_the_timer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "AGAIN_AFTER_S", (0.05, 0.05))
    scene.note("h1")
    until(lambda: scene.questions("h1"))
    time.sleep(0.3)
    asked = scene.questions("h1")

    scene.call(lambda: scene.script.put("h1", "2"))
    time.sleep(0.6)

    assert scene.questions("h1") == asked + 3


def test_an_order_of_somebody_else_is_reported_too(scene: Scene) -> None:
    scene.shown["web_1"] = ("NEW", "0")

    scene.call(lambda: scene.script.put("web_1"))

    assert scene.next_report() == OrderSeen("web_1", "7", "accepted")


def test_an_order_of_somebody_else_is_asked_about_when_the_stream_tells_of_it_and_by_no_timer(restless: Scene) -> None:
    restless.shown["web_1"] = ("NEW", "0")
    restless.call(lambda: restless.script.put("web_1"))
    restless.next_report()
    restless.note("h1")
    until(lambda: restless.questions("h1") >= 3)

    assert restless.questions("web_1") == 1

    restless.shown["web_1"] = ("CANCELED", "0")
    restless.call(lambda: restless.script.put("web_1"))

    assert restless.next_report() == OrderSeen("web_1", "7", "canceled")


def test_an_order_that_was_only_heard_of_is_watched_once_somebody_here_has_asked_about_it(restless: Scene) -> None:
    restless.shown["h1"] = ("NEW", "0")
    restless.call(lambda: restless.script.put("h1"))
    restless.next_report()

    restless.note("h1")
    restless.shown["h1"] = ("CANCELED", "0")

    assert restless.next_report().state == "canceled"


def test_however_much_is_told_of_others_orders_ours_are_asked_about_first(scene: Scene) -> None:
    scene.note("h1")
    until(lambda: scene.questions("h1"))
    scene.shown["h1"] = ("CANCELED", "0")
    asked = len(scene.liar.requests)

    scene.call(lambda: [scene.watch._hint(Told(f"web_{n}", SYMBOL)) for n in range(500)])
    scene.call(lambda: scene.watch._hint(Told("h1", SYMBOL)))

    assert scene.next_report().client_id == "h1"
    assert len(scene.liar.requests) - asked < 20
    assert scene.call(lambda: len(scene.watch._hints)) <= watching.OTHERS_MAX


def test_what_happened_while_the_stream_was_down_is_found_when_it_is_back(scene: Scene) -> None:
    scene.note("h1")
    until(lambda: scene.questions("h1"))  # The first dial asks for all as well.
    scene.call(lambda: scene.script.put(None))
    scene.shown["h1"] = ("EXPIRED", "0")

    assert scene.next_report().state == "expired"
    assert scene.script.begun >= 2
    assert "venue.stream_broke" in scene.told


def test_what_a_deaf_stream_does_not_tell_is_found_and_the_stream_begun_anew(restless: Scene) -> None:
    restless.note("h1")
    until(lambda: restless.questions("h1") >= 2)

    restless.shown["h1"] = ("CANCELED", "0")

    assert restless.next_report().state == "canceled"
    until(lambda: restless.script.begun >= 2)
    assert "venue.stream_is_deaf" in restless.told


def test_a_stream_that_tells_a_little_later_than_an_answer_is_not_deaf(restless: Scene) -> None:
    restless.note("h1")
    until(lambda: restless.questions("h1") >= 2)

    restless.shown["h1"] = ("CANCELED", "0")
    restless.next_report()
    restless.call(lambda: restless.script.put("h1"))
    time.sleep(0.5)

    assert restless.script.hung_up == 0
    assert "venue.stream_is_deaf" not in restless.told


def test_an_order_that_is_finished_is_asked_for_no_more(restless: Scene) -> None:
    restless.note("h1")
    restless.shown["h1"] = ("CANCELED", "0")
    restless.next_report()
    asked = restless.questions("h1")

    time.sleep(0.8)

    assert restless.questions("h1") == asked
    assert restless.call(lambda: restless.watch.open_orders) == 0


def test_what_nobody_foresaw_about_one_order_does_not_keep_others_from_being_asked_for(restless: Scene) -> None:
    heard = restless.reports.put

    def break_down(seen: OrderSeen) -> None:
        restless.watch._report = heard
        raise RuntimeError("nobody foresaw it")

    restless.watch._report = break_down
    restless.note("h1")
    restless.note("h2")
    restless.shown |= {"h1": ("CANCELED", "0"), "h2": ("CANCELED", "0")}

    assert restless.next_report().state == "canceled"
    assert "venue.error" in restless.told
