"""Laws of the headline file: what it reads, what it skips and names, what it refuses."""

import gzip
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from domain.sources import Headline, HeadlineSource
from gateways import headlines as door
from gateways.errors import SourceBroken, SourceMissing
from gateways.headlines import SKIPPED_MAX, HeadlineFile, NoHeadlines
from gateways.lexicon import load_lexicon

NOON = 1_640_000_000_000


def a_file(folder: Path, content: str | bytes, name: str = "news.csv") -> HeadlineFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return HeadlineFile(path)


def test_headlines_come_in_order_of_publication_source_and_title(tmp_path: Path) -> None:
    rows = [f"{NOON + 1},a,x,later", f"{NOON},b,x,second", f"{NOON},a,x,first b", f"{NOON},a,x,first a"]
    source = a_file(tmp_path, "\n".join(["ts,source,subject,title", *rows]))

    loaded = source.load()

    assert [headline.title for headline in loaded] == ["first a", "first b", "second", "later"]
    assert loaded[0] == Headline(source="a", title="first a", published_at=NOON, subject="x")
    assert source.skipped == ()


def test_only_time_and_title_are_needed_and_the_file_names_the_source(tmp_path: Path) -> None:
    loaded = a_file(tmp_path, f'title,ts\n"Bitcoin, up",{NOON}\n').load()

    assert list(loaded) == [Headline(source="news.csv", title="Bitcoin, up", published_at=NOON)]


def test_gzip_is_told_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    text = f"ts,title\n{NOON},Bitcoin up\n"
    plain = a_file(tmp_path, text, name="plain.gz")
    packed = a_file(tmp_path, gzip.compress(text.encode()), name="packed.csv")

    assert [headline.title for source in (plain, packed) for headline in source.load()] == ["Bitcoin up"] * 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("yesterday,Bitcoin up", "ts must be milliseconds since the epoch, was 'yesterday'"),
        ("1640000000,Bitcoin up", "was '1640000000'"),
        ("1640000000000000,Bitcoin up", "was '1640000000000000'"),
        (f"{NOON}.5,Bitcoin up", "milliseconds"),
        (f"-{NOON},Bitcoin up", "milliseconds"),
        ("٣٣٣٣٣٣٣٣٣٣٣٣٣,Bitcoin up", "milliseconds"),
        (f"{NOON},", "title must have 1 to 10000 characters, had 0"),
        (f"{NOON}", "title must have 1 to 10000 characters, had 0"),
        (f"{NOON},{'x' * 10_001}", "had 10001"),
        (f"{NOON},{'x' * 200_000}", "field larger than field limit"),
        (f"{NOON},Bitcoin,{'x' * 101}", "source must have at most 100 characters, had 101"),
    ],
)
def test_a_bad_row_is_skipped_and_named_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    source = a_file(tmp_path, f"ts,title,source\n{NOON},good one,a\n{row}\n{NOON},good two,a\n")

    loaded = source.load()

    assert [headline.title for headline in loaded] == ["good one", "good two"]
    assert source.skipped_count == len(source.skipped) == 1
    assert source.skipped[0][0] == 3
    assert reason in source.skipped[0][1]


def test_a_quote_left_open_is_named_and_not_read_as_one_long_title(tmp_path: Path) -> None:
    source = a_file(tmp_path, f'ts,title\n{NOON},good\n{NOON},"open\n{NOON},lost\n')

    assert [headline.title for headline in source.load()] == ["good"]
    assert "a quote was left open" in source.skipped[0][1]


def test_only_the_first_bad_rows_are_named_but_all_are_counted(tmp_path: Path) -> None:
    source = a_file(tmp_path, f"ts,title\n{NOON},good\n" + "bad,row\n" * (SKIPPED_MAX + 50))

    source.load()
    source.load()

    assert len(source.skipped) == SKIPPED_MAX
    assert source.skipped_count == SKIPPED_MAX + 50


def test_bytes_that_are_not_utf_8_become_replacement_marks_and_never_surrogates(tmp_path: Path) -> None:
    loaded = a_file(tmp_path, b"\xef\xbb\xbfts,title\n%d,B\xf6rse up \xed\xa0\x80\n" % NOON).load()

    assert loaded[0].title.startswith("B\ufffdrse up")
    loaded[0].title.encode()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"news.csv, line 1: expected the columns ts, title, found an empty line"),
        (b"time,headline\n1,x\n", r"line 1: expected the columns ts, title, found time, headline"),
        (b"ts,title\nbad,row\nbad,row\n", r"line 2: expected headlines, found 2 bad rows and no good one: ts must be"),
        (gzip.compress(b"ts,title\n" * 500, mtime=0)[:-9], r"expected a whole gzip file, found "),
        (b"\x1f\x8bnot gzip at all", r"expected a whole gzip file"),
    ],
)
def test_a_file_that_is_no_list_of_headlines_is_refused_by_name(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(SourceBroken, match=sentence) as refused:
        a_file(tmp_path, content).load()

    assert "news.csv" in str(refused.value)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    source = HeadlineFile(tmp_path / "none.csv")

    with pytest.raises(SourceMissing, match=r"none\.csv: expected a readable file of headlines, found No such file"):
        source.load()
    assert source.describe() == "headlines none.csv"


def test_a_file_with_a_header_only_is_an_empty_source(tmp_path: Path) -> None:
    assert list(a_file(tmp_path, "ts,title\n").load()) == []


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(door, "FILE_BYTES_MAX", 1_000)
    content = b"ts,title\n" + b"1640000000000,x\n" * 100
    source = a_file(tmp_path, gzip.compress(content) if packed else content)

    with pytest.raises(SourceBroken, match="expected at most 1000 bytes, packed and unpacked, found more"):
        source.load()


def test_a_file_that_was_loaded_is_described_by_name_and_hash_and_must_stay_as_it_was(tmp_path: Path) -> None:
    content = f"ts,title\n{NOON},Bitcoin up\n"
    source = a_file(tmp_path, content)

    source.load()
    described = source.describe()
    a_file(tmp_path, content + f"{NOON},Bitcoin down\n")

    assert described == f"headlines news.csv sha256:{sha256(content.encode()).hexdigest()}"
    with pytest.raises(SourceBroken, match="expected the same content as before, sha256"):
        source.load()


def test_a_file_that_could_not_be_loaded_may_be_mended(tmp_path: Path) -> None:
    source = a_file(tmp_path, "time,words\n")
    with pytest.raises(SourceBroken, match="expected the columns ts, title"):
        source.load()

    a_file(tmp_path, f"ts,title\n{NOON},Bitcoin up\n")

    assert [headline.title for headline in source.load()] == ["Bitcoin up"]


def test_no_headlines_is_a_source_too() -> None:
    source: HeadlineSource = NoHeadlines()

    assert list(source.load()) == []
    assert source.describe() == "no headlines"


def test_the_recorded_headlines_load_whole() -> None:
    data = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "../shared/data"))
    path = data / "news" / "headlines_20211012_20220228_MIT.csv.gz"
    if not path.exists():
        pytest.skip(f"no recorded headlines at {path}")
    source = HeadlineFile(path)

    loaded = source.load()

    assert (len(loaded), source.skipped_count) == (2_208, 0)
    assert {headline.source for headline in loaded} == {"CoinTelegraph", "CryptoNews", "CryptoPotato"}


def test_a_lexicon_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text("words = 5")

    with pytest.raises(SourceBroken, match=r"words\.toml: expected a lexicon, found "):
        load_lexicon(path)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_shipped_lexicon_has_the_same_model_name_in_every_process(hash_seed: str) -> None:
    program = "from gateways.lexicon import load_lexicon; print(load_lexicon().model)"

    named = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert named.stdout.strip() == load_lexicon().model
