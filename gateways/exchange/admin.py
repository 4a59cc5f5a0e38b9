"""The operator's door: the ledger, the faults, and what is to befall the exchange; for who shows the admin token."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from gateways.exchange.faults import Faults, drawn
from gateways.exchange.lies import KINDS
from gateways.exchange.reading import is_same, read_json
from gateways.exchange.scenario import ScenarioBroken, lie_of, scenario_of
from gateways.exchange.world import World

Answer = Callable[[web.Request], Awaitable[web.Response]]


class AdminDoor:
    """Serves what is below `/holdfast`."""

    def __init__(
        self, token: str, faults: Faults, world: World, ledger: Callable[[], dict[str, Any]], status: Callable[[], Any]
    ) -> None:
        self._token, self._faults, self._world, self._ledger, self._status = token, faults, world, ledger, status

    def add_routes(self, app: web.Application) -> None:
        """Take the paths."""
        add = app.router.add_route
        add("GET", "/holdfast/status", self._guarded(self._tell_status))
        add("GET", "/holdfast/ledger", self._guarded(self._tell_ledger))
        add("GET", "/holdfast/faults", self._guarded(self._tell_faults))
        add("POST", "/holdfast/faults", self._guarded(self._add))
        add("DELETE", "/holdfast/faults", self._guarded(self._clear))
        add("DELETE", "/holdfast/faults/{number}", self._guarded(self._remove))

    def _guarded(self, answer: Answer) -> Answer:
        async def handle(request: web.Request) -> web.Response:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not is_same(given, self._token):
                return _json({"error": "expected the admin token as `Authorization: Bearer ...`"}, status=401)
            return await answer(request)

        return handle

    async def _tell_status(self, request: web.Request) -> web.Response:
        return _json(self._status())

    async def _tell_ledger(self, request: web.Request) -> web.Response:
        return _json(self._ledger())

    async def _tell_faults(self, request: web.Request) -> web.Response:
        return _json({"faults": self._faults.report(), "counts": dict(self._faults.counts)})

    async def _add(self, request: web.Request) -> web.Response:
        """Take in a scenario, or one fault; what befalls the world at once does so before the answer."""
        try:
            said = read_json(await request.read())
            is_scenario = isinstance(said, dict) and "fault" in said
            lies = list(drawn(scenario_of(said))) if is_scenario else [(lie_of(said), None)]
        except msgspec.DecodeError as error:
            return _json({"error": f"expected JSON, found that {error}"}, status=400)
        except ScenarioBroken as broken:
            return _json({"error": str(broken), "problems": [each.as_dict() for each in broken.problems]}, status=400)
        numbers, refused = [], []
        for lie, draws in lies:
            is_now = KINDS[lie.kind].family == "world" and not lie.begin_s and lie.every_s is None
            if is_now:
                refused.append(self._world.befall(self._faults.befall(lie, draws)))
            else:
                numbers.append(self._faults.arm(lie, draws))
        return _json({"numbers": numbers, "refused": [each for each in refused if each]})

    async def _clear(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return _json({})

    async def _remove(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        found = number.isdecimal() and self._faults.remove(int(number[:9]))
        return _json({}) if found else _json({"error": f"expected the number of a fault, found {number}"}, status=404)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
