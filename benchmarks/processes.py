"""What a whole process costs, one thread each unless said otherwise."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Cost:
    """Of a process from its start to its end."""

    wall: float  # seconds
    cpu: float  # seconds, of all its threads
    peak: float  # GB


def measure(command: list[str]) -> Cost:
    """Runs a command and says what it cost; its output is not shown.

    Raises:
      subprocess.CalledProcessError: it failed.
    """
    environment = {**os.environ, **ONE_THREAD}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def rate(few: list[Cost], many: list[Cost], pairs: int) -> tuple[float, float]:
    """Pictures a (wall second, CPU second), from the medians of both sizes.

    Args:
      pairs: Pictures that the larger size has more.
    """
    wall, cpu = (
        statistics.median(getattr(one, what) for one in many)
        - statistics.median(getattr(one, what) for one in few)
        for what in ("wall", "cpu")
    )
    return pairs / wall, pairs / cpu
