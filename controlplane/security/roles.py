"""Who may call what on the admin port: three roles, one table of every method, and the decision. Pure.

A role may do all that the ones before it may. A method that is not in the table is refused to everybody but an admin:
whoever adds one has to say here who may call it (a test walks what the server offers).
"""

from enum import IntEnum

from controlplane.security.errors import ForbiddenError, UnauthenticatedError
from controlplane.security.identity import Identity

_ADMIN = "/serinus.v1.Admin/"
_HEALTH = "/grpc.health.v1.Health/"


class Role(IntEnum):
    """`ANYONE`: also who has shown nothing. A viewer reads, an operator releases, an admin sees who did what."""

    ANYONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """As certificates, tokens and people write it."""
        return self.name.lower()


ROLES_BY_WORD = {role.word: role for role in Role if role is not Role.ANYONE}

ROLE_BY_METHOD: dict[str, Role] = {
    f"{_ADMIN}Get": Role.VIEWER,
    f"{_ADMIN}Watch": Role.VIEWER,
    f"{_ADMIN}Explain": Role.VIEWER,
    f"{_ADMIN}Cohort": Role.VIEWER,
    f"{_ADMIN}Alerts": Role.VIEWER,
    f"{_ADMIN}Trends": Role.VIEWER,
    f"{_ADMIN}Acknowledge": Role.OPERATOR,
    f"{_ADMIN}Silence": Role.OPERATOR,
    f"{_ADMIN}Apply": Role.OPERATOR,
    f"{_ADMIN}Pause": Role.OPERATOR,
    f"{_ADMIN}Resume": Role.OPERATOR,
    f"{_ADMIN}Promote": Role.OPERATOR,
    f"{_ADMIN}Approve": Role.OPERATOR,
    f"{_ADMIN}Retry": Role.OPERATOR,
    f"{_ADMIN}Abort": Role.OPERATOR,
    f"{_ADMIN}Feedback": Role.OPERATOR,
    f"{_ADMIN}Audit": Role.ADMIN,
    # Probes have no certificate to show, and learn one word.
    f"{_HEALTH}Check": Role.ANYONE,
    f"{_HEALTH}Watch": Role.ANYONE,
    f"{_HEALTH}List": Role.ANYONE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Role.VIEWER,
}


def role_of(identity: Identity) -> Role:
    """The role that the identity's word names; ANYONE for a party that has none here, such as an Envoy."""
    return ROLES_BY_WORD.get(identity.role, Role.ANYONE)


def require(method: str, identity: Identity | None) -> None:
    """Raises UnauthenticatedError, ForbiddenError unless the identity may call the method. None: nothing was shown."""
    needed = ROLE_BY_METHOD.get(method, Role.ADMIN)
    if needed is Role.ANYONE:
        return
    verb = method.rpartition("/")[2]
    if identity is None:
        raise UnauthenticatedError(
            f"{verb} needs to know who asks, and this call brought neither a token nor a certificate",
            next_step="set SERINUS_TOKEN_FILE to a token of `serinus access add`, or SERINUS_TLS_CERT and its key",
        )
    if role_of(identity) < needed:
        raise ForbiddenError(
            f"{verb} needs the role {needed.word}; {identity.described} has {_worded(role_of(identity))}",
            next_step=f"ask for a token or certificate of the role {needed.word}",
        )


def _worded(role: Role) -> str:
    return "no role on this port" if role is Role.ANYONE else f"the role {role.word}"
