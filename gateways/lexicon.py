"""The shipped word list of the offline headline scorer, read from the file beside this one."""

import tomllib
from pathlib import Path

from domain.lexicon import Lexicon, build_lexicon
from gateways.errors import SourceBroken

SHIPPED = Path(__file__).with_name("lexicon.toml")


def load_lexicon(path: Path = SHIPPED) -> Lexicon:
    """Read a lexicon file; do it once, when the node is put together.

    Raises:
        OSError: the file cannot be read.
        SourceBroken: it is not a lexicon.
    """
    try:
        return build_lexicon(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise SourceBroken(path, "a lexicon", str(error)) from error
