"""Measures several sides in turn, so that whatever else the machine does meets all of them, and prints a table.

The other scripts of this folder import it; it needs nothing but Python 3.
"""

import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Callable


@dataclass
class Side:
    """One of the things that are compared. `run` does it once and returns what it took, in seconds."""

    name: str
    run: Callable[[], float]
    times: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.times)


def in_turn(sides: list[Side], rounds: int, warm_up: int = 1) -> None:
    """Runs each side once per round; the first `warm_up` rounds do not count."""
    for number in range(warm_up + rounds):
        for side in sides:
            seconds = side.run()
            note(f"{'warm-up' if number < warm_up else f'round {number - warm_up + 1}'}: {side.name}: {seconds:.3f} s")
            if number >= warm_up:
                side.times.append(seconds)


def table(sides: list[Side], against: Side) -> str:
    """A Markdown table. A ratio is the side's median by that of `against`."""
    lines = ["| side | median | min | max | ratio |", "|---|---|---|---|---|"]
    for side in sides:
        ratio = side.median / against.median
        times = f"{side.median:.3f} s | {min(side.times):.3f} s | {max(side.times):.3f} s"
        lines.append(f"| {side.name} | {times} | {ratio:.2f} |")
    return "\n".join(lines)


def machine() -> str:
    """What the numbers were measured on, in one line."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as cpus:
        for line in cpus:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{model}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"


def version(command: list[str]) -> str:
    """The first line that a program prints of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout or done.stderr).splitlines()[0].strip()


def note(text: str) -> None:
    """Tells how far it is, beside the table."""
    print(text, file=sys.stderr, flush=True)
