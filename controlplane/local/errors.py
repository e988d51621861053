"""Typed errors of the one-machine stack."""

from controlplane.errors import SerinusError


class StackError(SerinusError):
    """A process of the stack could not be started, or was given up. The message names it, its address and its log."""

    code = "stack"


class AddressTakenError(StackError):
    """An address the stack was told to listen on cannot be bound. Nothing was started."""

    code = "address_taken"


class StateInUseError(StackError):
    """Another stack runs on the same state directory."""

    code = "state_in_use"


class EnvoyBinaryError(SerinusError):
    """There is no Envoy that can be run, or it is too old."""

    code = "envoy_binary"
