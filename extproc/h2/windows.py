"""Flow control (RFC 9113 5.2, 6.9): what either side may still send. Windows are plain numbers; these are their rules.

Of what the peer sends (`stream_frames.py`):
1. A window starts full. Every byte of a DATA frame counts, padding and all.
2. What the peer sends beyond it is a fault of the peer.
3. Bytes are given back when half the window is used up: one WINDOW_UPDATE for many frames, and the peer never waits.
4. Bytes are given back as they come, because they are worked off before the next read; what is kept of them (a message
   that is not complete) has a bound of its own.

Of what we send (`sending.py`): a window may become negative, by a change of SETTINGS, but never grow beyond 2^31-1.
"""

from extproc.h2.limits import WINDOW_BYTES_MAX


def is_beyond(window_bytes: int) -> bool:
    """Whether a window has grown larger than RFC 9113 6.9.1 permits."""
    return window_bytes > WINDOW_BYTES_MAX
