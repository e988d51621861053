"""The base of every typed error of the sidecar: what failed, where, and what to do next."""


class SidecarError(Exception):
    """An error with a stable `code`, a message for people and the next step."""

    code = "internal"

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}; next: {self.next_step}" if self.next_step else self.message
