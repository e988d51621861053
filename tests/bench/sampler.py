"""Where a process spends its CPU, by samples of its main thread's stack every millisecond of CPU: unlike cProfile it
does not slow down what is called often, so the shares are true. What gRPC does without Python counts for its caller.
"""

import signal
from collections import Counter
from types import FrameType, TracebackType

_EVERY_S = 0.001
_LINES_MAX = 45


class Sampler:
    """A context manager. `text` tells the shares: of a function itself, and of it with all that it called."""

    def __init__(self) -> None:
        self._own: Counter[str] = Counter()
        self._all: Counter[str] = Counter()
        self._samples = 0

    def __enter__(self) -> "Sampler":
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        self._samples += 1
        names = []
        while frame is not None:
            code = frame.f_code
            names.append(f"{'/'.join(code.co_filename.split('/')[-2:])}:{code.co_name}")
            frame = frame.f_back
        if names:
            self._own[names[0]] += 1
            self._all.update(set(names))

    @property
    def text(self) -> str:
        lines = [f"{self._samples} samples; own %, with callees %"]
        for name, count in sorted(self._all.items(), key=lambda item: -item[1])[:_LINES_MAX]:
            lines.append(f"{100 * self._own[name] / self._samples:6.1f} {100 * count / self._samples:6.1f}  {name}")
        return "\n".join(lines)
