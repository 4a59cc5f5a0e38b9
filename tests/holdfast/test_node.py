"""One process's life of a node: it ends once, for the first reason."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast import node as module
from holdfast.config.loading import load_settings
from holdfast.exit_codes import ExitCode
from holdfast.node import Node
from holdfast.secrets import scrub


def test_of_two_threads_that_end_a_node_at_once_one_says_why_and_with_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_amid, may_go_on = threading.Event(), threading.Event()

    def slowly(text: str) -> str:
        if text == "the slower one":
            is_amid.set()
            assert may_go_on.wait(20)
        return scrub(text)

    monkeypatch.setattr(module, "scrub", slowly)
    settings = load_settings(None, environ={}, overrides=("admin.enabled=false",)).settings
    with ExitStack() as stack:
        node = Node(settings, tmp_path / "home", stack, config_path=None, overrides=())
        slower = threading.Thread(target=lambda: node._end("the slower one", ExitCode.GAVE_UP, is_stuck=True))
        slower.start()
        assert is_amid.wait(20)
        node._end("the first one")
        assert node._over.is_set()
        may_go_on.set()
        slower.join(20)

        assert (node._reason, node._exit_code, node._is_stuck) == ("the first one", ExitCode.OK, False)
