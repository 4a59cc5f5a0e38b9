"""What a power cut can leave of files, enumerated from the system calls of a real process.

A process runs under strace; every call that writes, cuts, syncs, makes, renames or removes a file of a folder is an
operation.  A write is certainly on the disk once its file was synced after it, a name once its folder was.  Of what was
done since then a power cut leaves any part: that is the set of states.  A write may be torn between sectors.

Source of the method: ALICE (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018).
"""

import itertools
import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
CALLS = "openat,pwrite64,write,ftruncate,fallocate,fdatasync,fsync,unlink,unlinkat,rename,renameat,renameat2"
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?")
_FILE = re.compile(r"^\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
WHOLE_MAX = 12
"""Of so many operations every part is enumerated; of more, all beginnings, all gaps, and a sample."""


class Operation(NamedTuple):
    """Something that was done to a file of the folder."""

    kind: str
    """`make`, `remove`, `write`, `cut`, `sync`, or `say`: what the process told the world."""
    name: str
    """Of the file; empty for the folder itself."""
    offset: int = 0
    content: bytes = b""


class State(NamedTuple):
    """What a power cut leaves: the files, and what had been told before."""

    files: dict[str, bytes]
    said: int


def record(command: Sequence[str], folder: Path, log: Path, *, cwd: Path) -> list[Operation]:
    """Run a command, and return what it did to the files of a folder.

    It says what is durable by writing a number to /dev/null.

    Raises:
        RuntimeError: it failed, or did something to a file that is not understood.
    """
    traced = ["strace", "-f", "-y", "-xx", "-s", "4000000", "-e", f"trace={CALLS}", "-o", str(log), *command]
    done = subprocess.run(traced, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}")
    with log.open() as lines:
        return [operation for line in lines if (operation := _read(line, str(folder))) is not None]


def _read(line: str, folder: str) -> Operation | None:
    found = _LINE.match(line)
    if found is None or int(found[3]) < 0:
        if "resumed" in line or "unfinished" in line:
            raise RuntimeError(f"expected a process of one thread, found {line[:200]}")
        return None
    call, given, returned = found[1], found[2], int(found[3])
    if call == "openat":
        opened = _plain(found[4] or "")
        return Operation("make", Path(opened).name) if "O_CREAT" in given and _within(opened, folder) else None
    if call.startswith(("unlink", "rename")):
        places = [_plain(text) for text in _TEXT.findall(given)]
        if not any(_within(place, folder) for place in places):
            return None
        if call.startswith("rename"):
            raise RuntimeError(f"expected no file to be renamed, found {places}")
        return Operation("remove", Path(places[0]).name)
    file = _FILE.match(given)
    path = _plain(file[1]) if file is not None else ""
    if path == "/dev/null" and call == "write":
        return Operation("say", "", int(_content(given)))
    if path == folder and call in ("fsync", "fdatasync"):
        return Operation("sync", "")
    return _of_file(call, given, returned, path) if _within(path, folder) else None


def _of_file(call: str, given: str, returned: int, path: str) -> Operation:
    name = Path(path).name
    match call:
        case "pwrite64":
            return Operation("write", name, int(given.rpartition(",")[2]), _content(given)[:returned])
        case "ftruncate":
            return Operation("cut", name, int(given.rpartition(",")[2]))
        case "fsync" | "fdatasync":
            return Operation("sync", name)
    raise RuntimeError(f"expected no {call} on {name}")


def _plain(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode()


def _content(given: str) -> bytes:
    text = _TEXT.search(given)
    if text is None:
        raise RuntimeError(f"expected what was written, found {given[:80]}")
    return bytes.fromhex(text[1].replace("\\x", ""))


def _within(path: str, folder: str) -> bool:
    # The index of the log is in shared memory, and made anew from the log after a crash.
    return path.startswith(f"{folder}/") and "/" not in path[len(folder) + 1 :] and not path.endswith("-shm")


def states(before: dict[str, bytes], operations: Sequence[Operation], chance: random.Random) -> Iterator[State]:
    """Yield what a power cut can leave at every point of a recording, which began with files that were safe."""
    safe, pending, said = dict(before), list[Operation](), 0
    for operation in operations:
        if operation.kind not in ("sync", "say"):
            pending.append(operation)
            continue
        yield from (State(files, said) for files in _parts(safe, pending, chance))
        if operation.kind == "say":
            said = operation.offset
            continue
        done = [each for each in pending if _is_synced(each, operation.name)]
        for each in done:
            _apply(safe, each)
        pending = [each for each in pending if not _is_synced(each, operation.name)]
    yield from (State(files, said) for files in _parts(safe, pending, chance))


def _is_synced(operation: Operation, name: str) -> bool:
    if operation.kind in ("make", "remove"):
        # A file that was made and synced is there by its name too: the file systems that Linux boots from see to that.
        return not name or (operation.kind == "make" and operation.name == name)
    return operation.name == name


def _parts(safe: dict[str, bytes], pending: Sequence[Operation], chance: random.Random) -> Iterator[dict[str, bytes]]:
    """Yield the files with every part of what is pending done, or with as many parts as are worth it."""
    count = len(pending)
    chosen: Iterator[Sequence[int]]
    if count <= WHOLE_MAX:
        chosen = itertools.chain.from_iterable(itertools.combinations(range(count), size) for size in range(count + 1))
    else:
        chosen = _sample(count, chance)
    for indices in chosen:
        yield _done(safe, [pending[index] for index in indices])
    for last, operation in enumerate(pending):
        for cut in range(SECTOR, len(operation.content), SECTOR):
            torn = operation._replace(content=operation.content[:cut])
            yield _done(safe, [*pending[:last], torn])


def _sample(count: int, chance: random.Random) -> Iterator[Sequence[int]]:
    for size in range(count + 1):
        yield range(size)
    for missing in range(count):
        yield [index for index in range(count) if index != missing]
    for _ in range(1 << WHOLE_MAX):
        bits = chance.getrandbits(count)
        yield [index for index in range(count) if bits >> index & 1]


def _done(safe: dict[str, bytes], operations: Sequence[Operation]) -> dict[str, bytes]:
    files = dict(safe)
    for operation in operations:
        _apply(files, operation)
    return files


def _apply(files: dict[str, bytes], operation: Operation) -> None:
    name, offset = operation.name, operation.offset
    match operation.kind:
        case "make":
            files.setdefault(name, b"")
        case "remove":
            files.pop(name, None)
        case "cut":
            files[name] = files.get(name, b"")[:offset].ljust(offset, b"\0")
        case "write":
            old = files.get(name, b"").ljust(offset, b"\0")
            files[name] = old[:offset] + operation.content + old[offset + len(operation.content) :]
