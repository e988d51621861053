"""The base of every typed error of the control plane: what failed, where, and what to do next.

`code` is stable text for programs; one table (`admin/wire.py`) maps codes to gRPC status.
"""


class SerinusError(Exception):
    """An error with a stable `code`, a message for people and the next step."""

    code = "internal"

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}; next: {self.next_step}" if self.next_step else self.message
