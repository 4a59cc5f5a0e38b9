"""What the benchmarks share: floors and ours from one run, medians, ratios, and how they are said."""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SYMBOLS = ("BTCUSDT", "DOGEUSDT", "ETHUSDT", "LUNAUSDT")
"""Those of the recorded market that have 1-minute bars."""
MEGABYTE = 1024 * 1024


def say(figures: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print figures, one JSON object or a line each."""
    if as_json:
        print(json.dumps({figure["name"]: figure for figure in figures}))
        return
    for figure in figures:
        print(sentence(figure))
        for name, value in figure.get("parts", {}).items():
            print(f"    {name}: {value}")


def sentence(figure: dict[str, Any]) -> str:
    """Say a figure in one line: ours, floor, ratio, target, met or not."""
    unit = figure["unit"]
    parts = [f"{figure['name']}: ours {figure['ours']:g} {unit}"]
    if "floor" in figure:
        parts.append(f"floor {figure['floor']:g} {unit} ({figure['floor_is']})")
        parts.append(f"ratio {figure['ratio']:.2f}")
    if "left_out" in figure:
        parts.append(f"left out: {figure['left_out']}")
    if "target" in figure:
        parts.append(f"target {figure['target']}: {'met' if figure['is_met'] else 'not met'}")
    return "; ".join(parts)


def figure(name: str, *, ours: float, unit: str, **more: Any) -> dict[str, Any]:
    """Return a figure without a floor."""
    return {"name": name, "ours": rounded(ours), "unit": unit, **more}


def compared(
    name: str,
    *,
    ours: float,
    floor: float,
    unit: str,
    floor_is: str,
    ratio_max: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a figure beside its floor; the ratio is ours / floor, so that less is better."""
    ratio = round(ours / floor, 3)
    found = figure(name, ours=ours, unit=unit, floor=rounded(floor), floor_is=floor_is, ratio=ratio)
    if ratio_max is not None:
        found |= {"target": f"ratio at most {ratio_max:g}", "is_met": ratio <= ratio_max}
    return found | more


def below(found: dict[str, Any], limit: float) -> dict[str, Any]:
    """Set a figure a limit it must stay below."""
    return found | {"target": f"below {limit:g} {found['unit']}", "is_met": found["ours"] < limit}


def rounded(value: float) -> float:
    """Return a value with four digits that count."""
    return float(f"{value:.4g}")


def spread(times_s: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    return median(times_s), quantiles(times_s, n=100)[98]


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser that knows what all benchmarks take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--dir", help="a folder on the disk to measure; default the one for temporary files")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def recorded_bars() -> Path | None:
    """Return the folder of recorded bars: `ohlcv` in HOLDFAST_DATA or `../shared/data`; None where there is none."""
    folder = Path(os.environ.get("HOLDFAST_DATA", ROOT.parent / "shared" / "data")) / "ohlcv"
    return folder if folder.is_dir() else None


def compiled_once(folder: Path) -> dict[str, str]:
    """Return an environment in which the first process keeps what it compiles for those after it, in a folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a living process has used so far, in user and system mode together."""
    # The kernel numbers the CPU clock of a process like this; `clock_getcpuclockid` does the same sum.
    return time.clock_gettime((~pid << 3) | 2)


def rss_mb(pid: int) -> float:
    """Return the megabytes of memory a living process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def thread_cpu_s(native_id: int) -> float:
    """Return the seconds of CPU that a thread of this process has used so far; raise OSError where it has ended."""
    return time.clock_gettime((~native_id << 3) | 6)
