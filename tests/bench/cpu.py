"""What a process of this machine has used so far, from /proc: nanoseconds of CPU (user and system), bytes of memory."""

from pathlib import Path


def cpu_ns(pid: int) -> int:
    """Of all its threads. The scheduler's own account: `utime` and `stime` count whole hundredths of a second."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except FileNotFoundError:  # a thread that has just ended
            continue
    return total


def rss_bytes(pid: int) -> int:
    """Resident now."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1_024
