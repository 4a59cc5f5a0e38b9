"""Laws of the admin socket: who may speak, how much, and how the node answers."""

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.admin.client import AdminClient, NodeRefused, NodeUnreachable
from holdfast.admin.connection import Limits
from holdfast.admin.protocol import Code, Peer, Request
from holdfast.admin.responder import Responder
from holdfast.admin.server import AdminServer
from holdfast.admin.socket_file import SocketRefused
from holdfast.secrets import Secret

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")


def echo(request: Request, respond: Responder) -> None:
    """Answer with what was asked."""
    respond({"method": request.method, "params": request.params, "uid": request.peer.uid})


def unexpected(error: Exception) -> None:
    raise AssertionError from error


@contextmanager
def a_server(
    home: Path, handle: Callable[[Request, Responder], None] = echo, *, limits: Limits | None = None, **more: Any
) -> Iterator[AdminServer]:
    """Serve `handle` in a home until the block ends; nothing may have been reported that the test did not expect."""
    home.chmod(0o700)
    reported: list[Exception] = []
    server = AdminServer(home / "admin.sock", handle, report=more.pop("report", reported.append), limits=limits, **more)
    server.start()
    try:
        yield server
    finally:
        server.close()
    assert not reported
    assert not server.is_alive


@contextmanager
def a_connection(home: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(5)
        connection.connect(str(home / "admin.sock"))
        yield connection


def read_lines(connection: socket.socket, count: int) -> list[dict[str, Any]]:
    """Read so many lines, or fewer if the connection ends."""
    received = b""
    while received.count(b"\n") < count:
        try:
            chunk = connection.recv(65_536)
        except ConnectionResetError:
            break
        if not chunk:
            break
        received += chunk
    return [json.loads(line) for line in received.splitlines()]


def ask(connection: socket.socket, method: str = "status", call_id: int | str = 1, **params: Any) -> None:
    line = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
    connection.sendall(json.dumps(line).encode() + b"\n")


# --- the file


def test_the_socket_is_open_to_its_owner_only_at_every_instant(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    modes: set[int] = set()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            for path in tmp_path.iterdir():
                with suppress(FileNotFoundError):
                    modes.add(stat.S_IMODE(path.lstat().st_mode))

    watcher = threading.Thread(target=watch)
    watcher.start()
    umask = os.umask(0)
    try:
        for _ in range(30):
            with a_server(tmp_path):
                modes.add(stat.S_IMODE(os.lstat(tmp_path / "admin.sock").st_mode))
    finally:
        os.umask(umask)
        is_over.set()
        watcher.join()

    assert modes == {0o600}
    assert not list(tmp_path.iterdir())


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    server = AdminServer(tmp_path / "admin.sock", echo, report=unexpected)

    with pytest.raises(SocketRefused, match=r"chmod 700.*0750"):
        server.start()

    server.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["symlink", "dangling", "file", "folder"])
def test_what_is_no_socket_is_never_replaced(tmp_path: Path, kind: str) -> None:
    tmp_path.chmod(0o700)
    path, target = tmp_path / "admin.sock", tmp_path / "precious"
    target.write_text("precious")
    match kind:
        case "symlink":
            path.symlink_to(target)
        case "dangling":
            path.symlink_to(tmp_path / "nowhere")
        case "file":
            path.write_text("mine")
        case _:
            path.mkdir()
    before = os.lstat(path)

    with pytest.raises(SocketRefused, match="must be a socket or nothing"):
        AdminServer(path, echo, report=unexpected).start()

    assert os.lstat(path).st_ino == before.st_ino
    assert target.read_text() == "precious"


def test_a_socket_left_over_by_a_dead_node_is_replaced(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(tmp_path / "admin.sock"))

    with a_server(tmp_path):
        answer = AdminClient(tmp_path / "admin.sock").call("status")

    assert answer["method"] == "status"


def test_closing_removes_only_the_socket_that_is_its_own(tmp_path: Path) -> None:
    with a_server(tmp_path):
        (tmp_path / "admin.sock").unlink()
        with closing(socket.socket(socket.AF_UNIX)) as another:
            another.bind(str(tmp_path / "admin.sock"))

    assert (tmp_path / "admin.sock").is_socket()


def test_a_home_with_a_path_longer_than_the_kernel_takes_works(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100) / ("y" * 100)
    home.mkdir(parents=True)

    with a_server(home):
        answer = AdminClient(home / "admin.sock").call("status")

    assert answer["method"] == "status"


# --- who may speak


def test_a_peer_of_another_user_is_turned_away_with_a_sentence(tmp_path: Path) -> None:
    heard: list[Request] = []

    def listen(request: Request, respond: Responder) -> None:
        heard.append(request)
        respond({})

    stranger = Peer(uid=os.geteuid() + 4242, pid=1, user="stranger")
    with a_server(tmp_path, listen, read_peer=lambda _: stranger), pytest.raises(NodeRefused) as refused:
        AdminClient(tmp_path / "admin.sock").call("status")

    assert refused.value.code == Code.FORBIDDEN
    assert "stranger" in refused.value.message
    assert heard == []


AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(5)
try:
    connection.connect(sys.argv[1])
except PermissionError:
    print("no entry")
    raise SystemExit
try:
    connection.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "status"}\\n')
except BrokenPipeError:
    pass
print(connection.recv(65536).decode())
"""


def as_nobody(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, path], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout


@needs_root
def test_nobody_cannot_even_reach_the_socket(tmp_path: Path) -> None:
    with a_server(tmp_path):
        assert as_nobody(tmp_path / "admin.sock").strip() == "no entry"


@needs_root
def test_nobody_is_refused_by_the_kernels_word_where_the_files_would_let_it_in() -> None:
    with tempfile.TemporaryDirectory() as folder, a_server(Path(folder)):
        home = Path(folder)
        home.chmod(0o711)
        (home / "admin.sock").chmod(0o666)
        answer = json.loads(as_nobody(home / "admin.sock"))

    assert answer["error"]["code"] == Code.FORBIDDEN
    assert "nobody" in answer["error"]["message"]


def test_the_handler_is_told_who_asks(tmp_path: Path) -> None:
    peers: list[Peer] = []

    def listen(request: Request, respond: Responder) -> None:
        peers.append(request.peer)
        respond(None)

    with a_server(tmp_path, listen):
        AdminClient(tmp_path / "admin.sock").call("status")

    assert (peers[0].uid, peers[0].pid) == (os.geteuid(), os.getpid())
    assert peers[0].user


# --- JSON-RPC


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", Code.PARSE_ERROR),
        (b"\xff\xfe", Code.PARSE_ERROR),
        (b'{"a":' * 9_000, Code.PARSE_ERROR),
        (b"[" * 60_000, Code.PARSE_ERROR),
        (b"[]", Code.INVALID_REQUEST),
        (b"7", Code.INVALID_REQUEST),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "status"}', Code.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1}', Code.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "status"}', Code.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": true, "method": "status"}', Code.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "status", "extra": 1}', Code.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "launch"}', Code.METHOD_NOT_FOUND),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "status", "params": [1]}', Code.INVALID_PARAMS),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "status", "params": {"x": 1}}', Code.INVALID_PARAMS),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "pause"}', Code.INVALID_PARAMS),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "halt", "params": {"request_id": "a"}}', Code.INVALID_PARAMS),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tail", "params": {"n": 1000000}}', Code.INVALID_PARAMS),
    ],
)
def test_what_is_no_request_gets_its_code_and_the_connection_lives(tmp_path: Path, line: bytes, code: Code) -> None:
    with a_server(tmp_path), a_connection(tmp_path) as connection:
        connection.sendall(line + b"\n")
        ask(connection, call_id="after")
        refusal, answer = read_lines(connection, 2)

    assert refusal["error"]["code"] == code
    assert answer["id"] == "after"
    assert answer["result"]["method"] == "status"


def test_an_answer_has_the_id_of_its_call_and_a_notification_has_no_answer(tmp_path: Path) -> None:
    with a_server(tmp_path), a_connection(tmp_path) as connection:
        connection.sendall(b'{"jsonrpc": "2.0", "method": "status"}\n{"jsonrpc": "2.0", "method": "launch"}\n\n')
        ask(connection, call_id="x")
        ask(connection, call_id=7)
        connection.sendall(b'{"jsonrpc": "2.0", "id": null, "method": "status"}\n')
        answers = read_lines(connection, 3)

    assert [answer["id"] for answer in answers] == ["x", 7, None]


def test_parameters_come_complete_to_the_handler(tmp_path: Path) -> None:
    with a_server(tmp_path):
        client = AdminClient(tmp_path / "admin.sock")
        answers = [client.call("tail", {"n": 3}), client.call("flatten", {"request_id": "r1"})]

    assert answers[0]["params"] == {"n": 3, "follow": False}
    assert answers[1]["params"] == {"request_id": "r1", "reason": "", "symbol": ""}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("fuzzed")
    with a_server(home):
        yield home


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.binary(max_size=200), max_size=8))
def test_no_bytes_stop_the_server(fuzzed: Path, lines: list[bytes]) -> None:
    sent = b"\n".join(lines) + b"\n"

    with a_connection(fuzzed) as connection:
        connection.sendall(sent)
        ask(connection, call_id="still here")
        answers = read_lines(connection, 1 + sum(1 for line in sent.split(b"\n") if line.strip()))

    assert answers[-1].get("id") == "still here"


# --- limits


def test_a_line_that_is_too_long_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    with a_server(tmp_path), a_connection(tmp_path) as other, a_connection(tmp_path) as connection:
        with suppress(BrokenPipeError):
            connection.sendall(b"x" * 200_000)
        (refusal,) = read_lines(connection, 2)
        ask(other)
        (answer,) = read_lines(other, 1)

    assert refusal["error"]["code"] == Code.LIMIT
    assert "at most 65536 bytes" in refusal["error"]["message"]
    assert "result" in answer


def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    with a_server(tmp_path), a_connection(tmp_path) as connection:
        line = b'{"jsonrpc": "2.0", "id": 1, "method": "status"}'
        connection.sendall(line + b" " * (65_536 - len(line)) + b"\n")
        (answer,) = read_lines(connection, 1)

    assert "result" in answer


def test_a_line_that_drips_is_cut_off(tmp_path: Path) -> None:
    with a_server(tmp_path, limits=Limits(line_s=0.3)), a_connection(tmp_path) as connection:
        began = time.monotonic()
        with suppress(BrokenPipeError):
            for byte in b'{"jsonrpc": "2.0", "id": 1, "method": "status"}' * 10:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        took_s = time.monotonic() - began
        (refusal,) = read_lines(connection, 2)

    assert "within 0.3 s" in refusal["error"]["message"]
    assert 0.25 < took_s < 2


def test_a_line_in_two_parts_is_over_when_it_ends(tmp_path: Path) -> None:
    with a_server(tmp_path, limits=Limits(line_s=0.2)), a_connection(tmp_path) as connection:
        connection.sendall(b'{"jsonrpc": "2.0", "id": 1, ')
        time.sleep(0.05)
        connection.sendall(b'"method": "status"}\n')
        time.sleep(0.4)
        ask(connection, call_id=2)
        answers = read_lines(connection, 2)

    assert [answer["id"] for answer in answers] == [1, 2]


def test_whole_lines_may_come_slowly(tmp_path: Path) -> None:
    with a_server(tmp_path, limits=Limits(line_s=0.2)), a_connection(tmp_path) as connection:
        for _ in range(4):
            ask(connection)
            time.sleep(0.1)
        answers = read_lines(connection, 4)

    assert len(answers) == 4


def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    with a_server(tmp_path, limits=Limits(idle_s=0.2)), a_connection(tmp_path) as connection:
        (refusal,) = read_lines(connection, 2)

    assert "idle" in refusal["error"]["message"]


def test_a_connection_too_many_is_turned_away_and_finds_room_later(tmp_path: Path) -> None:
    with a_server(tmp_path, limits=Limits(connections=2)):
        with a_connection(tmp_path) as first, a_connection(tmp_path) as second:
            for connection in (first, second):
                ask(connection)
                read_lines(connection, 1)
            with a_connection(tmp_path) as third:
                (refusal,) = read_lines(third, 2)
        answer = _patiently(lambda: AdminClient(tmp_path / "admin.sock").call("status"))

    assert refusal["error"]["code"] == Code.LIMIT
    assert answer["method"] == "status"


def test_one_connection_too_many_takes_the_place_of_the_oldest_that_is_owed_least(tmp_path: Path) -> None:
    heard: list[str] = []

    def serve(request: Request, respond: Responder) -> None:
        heard.append(request.method)
        if request.method == "tail":
            respond.keep_open()
            respond.push("item")
        elif request.method == "status":
            echo(request, respond)

    with a_server(tmp_path, serve, limits=Limits(connections=3, fresh_s=0.0)), ExitStack() as connected:
        waiting, follower, silent = (connected.enter_context(a_connection(tmp_path)) for _ in range(3))
        ask(waiting, "performance")
        ask(follower, "tail", n=0, follow=True)
        read_lines(follower, 1)
        ask(silent)
        read_lines(silent, 1)

        told = []
        for count, turned_out in ((2, silent), (3, follower)):
            ask(connected.enter_context(a_connection(tmp_path)), "performance")
            told += read_lines(turned_out, 1)
            assert _comes(lambda count=count: heard.count("performance") == count)  # type: ignore[misc]
        with a_connection(tmp_path) as sixth:
            (refusal,) = read_lines(sixth, 1)

    assert [each["error"]["code"] for each in (*told, refusal)] == [Code.LIMIT] * 3
    assert all("another one needs this" in each["error"]["message"] for each in told)
    assert refusal["error"]["message"] == "at most 3 connections at a time"


def _comes(is_so: Callable[[], bool]) -> bool:
    late = time.monotonic() + 5
    while not is_so() and time.monotonic() < late:
        time.sleep(0.02)
    return is_so()


def _patiently(call: Callable[[], Any]) -> Any:
    for _ in range(100):
        try:
            return call()
        except NodeRefused:
            time.sleep(0.02)
    return call()


def test_a_client_that_does_not_read_is_dropped_and_the_others_are_served(tmp_path: Path) -> None:
    responders: list[Responder] = []

    def stream(request: Request, respond: Responder) -> None:
        if request.method == "status":
            respond("ok")
        else:
            respond.keep_open()
            responders.append(respond)

    with a_server(tmp_path, stream, limits=Limits(outgoing_bytes=100_000)), a_connection(tmp_path) as deaf:
        ask(deaf, "tail", follow=True)
        while not responders:
            time.sleep(0.01)
        pushed = 0
        while responders[0].push("x" * 10_000) and pushed < 1_000:
            pushed += 1
            time.sleep(0.001)
        answer = AdminClient(tmp_path / "admin.sock").call("status")

    assert pushed < 200
    assert answer == "ok"


def test_a_flood_of_items_ends_the_stream_not_the_memory(tmp_path: Path) -> None:
    gate, responders = threading.Event(), []

    def stream(request: Request, respond: Responder) -> None:
        if request.method == "tail":
            respond.keep_open()
            responders.append(respond)
        gate.wait(5)

    with a_server(tmp_path, stream, limits=Limits(posted=50)), a_connection(tmp_path) as connection:
        ask(connection, "tail", follow=True)
        while not responders:
            time.sleep(0.01)
        pushed = sum(responders[0].push(number) for number in range(500))
        gate.set()
        items = read_lines(connection, 1_000)

    assert pushed == 50
    assert len(items) <= 50


def test_a_client_that_takes_nothing_for_too_long_is_dropped(tmp_path: Path) -> None:
    def pour(_request: Request, respond: Responder) -> None:
        respond("x" * 2_000_000)

    with a_server(tmp_path, pour, limits=Limits(stall_s=0.2)), a_connection(tmp_path) as deaf:
        ask(deaf)
        time.sleep(0.6)
        received = b""
        with suppress(ConnectionResetError):
            while chunk := deaf.recv(1_000_000):
                received += chunk

    assert len(received) < 2_000_000


def test_too_many_open_calls_of_a_connection_are_refused(tmp_path: Path) -> None:
    limits = Limits(calls_open=3, answer_s=0.3)
    with a_server(tmp_path, lambda *_: None, limits=limits), a_connection(tmp_path) as connection:
        for number in range(5):
            ask(connection, call_id=number)
        answers = read_lines(connection, 5)

    codes = {answer["id"]: answer["error"]["code"] for answer in answers}
    assert codes == {0: Code.TIMED_OUT, 1: Code.TIMED_OUT, 2: Code.TIMED_OUT, 3: Code.LIMIT, 4: Code.LIMIT}


def test_an_answer_that_is_too_large_is_replaced_by_a_sentence(tmp_path: Path) -> None:
    def pour(_request: Request, respond: Responder) -> None:
        respond("x" * 2_000)

    with a_server(tmp_path, pour, limits=Limits(outgoing_bytes=1_000)), pytest.raises(NodeRefused) as refused:
        AdminClient(tmp_path / "admin.sock").call("status")

    assert refused.value.code == Code.LIMIT


# --- answers


def test_an_answer_may_come_later_from_another_thread_and_only_the_first_counts(tmp_path: Path) -> None:
    def later(_request: Request, respond: Responder) -> None:
        def answer() -> None:
            outcomes.extend([respond("first"), respond("second"), respond.refuse("third"), respond.push("fourth")])

        threading.Timer(0.05, answer).start()

    outcomes: list[bool] = []
    with a_server(tmp_path, later), a_connection(tmp_path) as connection:
        ask(connection)
        (answer,) = read_lines(connection, 1)
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)

    assert answer["result"] == "first"
    assert outcomes == [True, False, False, False]


def test_a_node_that_does_not_answer_is_said_not_to_have(tmp_path: Path) -> None:
    kept: list[Responder] = []
    with a_server(tmp_path, lambda _request, respond: kept.append(respond), limits=Limits(answer_s=0.2)):
        with pytest.raises(NodeUnreachable, match=r"the node did not answer within 0\.2 s") as unanswered:
            AdminClient(tmp_path / "admin.sock").call("status")
        too_late = kept[0]("too late")

    assert unanswered.value.was_reached
    assert too_late is False


def test_a_stream_tells_its_items_in_order_and_then_ends(tmp_path: Path) -> None:
    def stream(_request: Request, respond: Responder) -> None:
        respond.keep_open()

        def tell() -> None:
            for number in range(300):
                respond.push({"n": number})
            respond(None)

        threading.Timer(0.1, tell).start()

    with a_server(tmp_path, stream, limits=Limits(answer_s=0.05)):
        items = list(AdminClient(tmp_path / "admin.sock").stream("tail"))

    assert items == [{"n": number} for number in range(300)]


def test_who_follows_and_leaves_is_not_told_any_more(tmp_path: Path) -> None:
    kept: list[Responder] = []

    def stream(_request: Request, respond: Responder) -> None:
        respond.keep_open()
        kept.append(respond)
        respond.push("one")

    with a_server(tmp_path, stream):
        following = AdminClient(tmp_path / "admin.sock").stream("tail", silence_s=None)
        first = next(following)
        following.close()  # type: ignore[attr-defined]
        began = time.monotonic()
        while not kept[0].is_done and time.monotonic() < began + 5:
            time.sleep(0.01)

    assert first == "one"
    assert kept[0].is_done
    assert kept[0].push("two") is False


def test_a_client_that_sends_no_more_still_gets_its_answer(tmp_path: Path) -> None:
    def later(_request: Request, respond: Responder) -> None:
        threading.Timer(0.1, lambda: respond("x" * 1_000_000)).start()

    with a_server(tmp_path, later), a_connection(tmp_path) as connection:
        ask(connection)
        connection.shutdown(socket.SHUT_WR)
        (answer,) = read_lines(connection, 1)
        rest = connection.recv(1)

    assert len(answer["result"]) == 1_000_000
    assert rest == b""


def test_a_half_closed_client_costs_no_spinning(tmp_path: Path) -> None:
    with a_server(tmp_path, lambda *_: None, limits=Limits(answer_s=0.5)), a_connection(tmp_path) as connection:
        ask(connection)
        connection.shutdown(socket.SHUT_WR)
        began = time.process_time()
        read_lines(connection, 1)

    assert time.process_time() - began < 0.2


def test_a_handler_that_raises_costs_its_caller_the_answer_and_nobody_else(tmp_path: Path) -> None:
    reported: list[Exception] = []

    def fail(request: Request, respond: Responder) -> None:
        if request.method == "tree":
            raise ZeroDivisionError("inner matters")
        respond("fine")

    with a_server(tmp_path, fail, report=reported.append):
        client = AdminClient(tmp_path / "admin.sock")
        with pytest.raises(NodeRefused) as refused:
            client.call("tree")
        answer = client.call("status")

    assert refused.value.code == Code.INTERNAL_ERROR
    assert "inner matters" not in refused.value.message
    assert isinstance(reported[0], ZeroDivisionError)
    assert answer == "fine"


def test_a_last_answer_is_sent_before_the_server_closes(tmp_path: Path) -> None:
    asked = threading.Event()
    responders: list[Responder] = []

    def keep(_request: Request, respond: Responder) -> None:
        responders.append(respond)
        asked.set()

    with a_connection_to(tmp_path, keep) as (server, connection):
        ask(connection, "stop", request_id="r")
        asked.wait(5)
        responders[0]("stopping" * 200_000)
        closing_down = threading.Thread(target=server.close)
        closing_down.start()
        (answer,) = read_lines(connection, 1)
        closing_down.join()

    assert answer["result"] == "stopping" * 200_000


@contextmanager
def a_connection_to(
    home: Path, handle: Callable[[Request, Responder], None]
) -> Iterator[tuple[AdminServer, socket.socket]]:
    with a_server(home, handle) as server, a_connection(home) as connection:
        yield server, connection


def test_no_answer_shows_a_secret(tmp_path: Path) -> None:
    Secret("tr0ub4dor&3-canary")

    def tell(request: Request, respond: Responder) -> None:
        if request.method == "status":
            respond({"note": "key is tr0ub4dor&3-canary", "tr0ub4dor&3-canary": 1})
        elif request.method == "tree":
            respond.refuse("key is tr0ub4dor&3-canary", data={"k": "tr0ub4dor&3-canary"})
        else:
            respond.push("tr0ub4dor&3-canary")
            respond(None)

    with a_server(tmp_path, tell), a_connection(tmp_path) as connection:
        for method in ("status", "tree", "tail"):
            ask(connection, method)
        received = json.dumps(read_lines(connection, 4))

    assert "canary" not in received
    assert received.count("***") == 5


def test_a_secret_in_a_reason_does_not_reach_the_node(tmp_path: Path) -> None:
    Secret("tr0ub4dor&3-canary")

    with a_server(tmp_path):
        answer = AdminClient(tmp_path / "admin.sock").call(
            "halt", {"request_id": "r", "reason": "key tr0ub4dor&3-canary leaked"}
        )

    assert answer["params"] == {"request_id": "r", "reason": "key *** leaked"}


def test_threads_that_answer_while_the_server_closes_harm_nothing(tmp_path: Path) -> None:
    responders: list[Responder] = []

    def keep(_request: Request, respond: Responder) -> None:
        respond.keep_open()
        responders.append(respond)

    with a_server(tmp_path, keep), a_connection(tmp_path) as connection:
        ask(connection, "tail")
        while not responders:
            time.sleep(0.01)
        pushing = threading.Thread(target=lambda: [None for _ in iter(lambda: responders[0].push("x"), False)])
        pushing.start()
        read_lines(connection, 5)
    pushing.join(5)

    assert not pushing.is_alive()


# --- the client


def test_the_client_says_which_socket_nobody_answers_at(tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachable, match=r"admin\.sock"):
        AdminClient(tmp_path / "admin.sock").call("status")


def test_the_client_does_not_wait_for_ever(tmp_path: Path) -> None:
    with a_server(tmp_path, lambda *_: None), pytest.raises(NodeUnreachable, match="in time"):
        AdminClient(tmp_path / "admin.sock").call("status", timeout_s=0.2)
