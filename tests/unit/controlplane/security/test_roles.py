"""The table of methods and roles, and what it says to whom."""

import pytest

from controlplane.security.errors import ForbiddenError, UnauthenticatedError
from controlplane.security.identity import LOCAL, Identity
from controlplane.security.roles import ROLE_BY_METHOD, Role, require

VIEWER, OPERATOR, ADMIN = (Identity("token", role, "ann") for role in ("viewer", "operator", "admin"))
ENVOY = Identity("certificate", "envoy", "edge-1")
GET, PAUSE = "/serinus.v1.Admin/Get", "/serinus.v1.Admin/Pause"


@pytest.mark.parametrize("method", ROLE_BY_METHOD)
@pytest.mark.parametrize("identity", [VIEWER, OPERATOR, ADMIN, ENVOY, LOCAL])
def test_every_pair_of_method_and_role_is_decided_by_the_order_of_roles(method: str, identity: Identity) -> None:
    has = {"viewer": 1, "operator": 2, "admin": 3}.get(identity.role, 0)
    if has >= ROLE_BY_METHOD[method]:
        require(method, identity)
    else:
        with pytest.raises(ForbiddenError):
            require(method, identity)


def test_a_viewer_reads_and_an_operator_releases() -> None:
    require(GET, VIEWER)
    require(PAUSE, OPERATOR)
    with pytest.raises(ForbiddenError) as error:
        require(PAUSE, VIEWER)
    assert str(error.value) == (
        "Pause needs the role operator; token ann has the role viewer; "
        "next: ask for a token or certificate of the role operator"
    )


def test_an_envoy_has_no_role_on_the_admin_port() -> None:
    with pytest.raises(ForbiddenError, match="certificate spiffe://serinus/envoy/edge-1 has no role on this port"):
        require(GET, ENVOY)


def test_who_shows_nothing_gets_health_and_nothing_else() -> None:
    require("/grpc.health.v1.Health/Check", None)
    with pytest.raises(UnauthenticatedError, match="next: set SERINUS_TOKEN_FILE"):
        require(GET, None)


def test_a_method_that_nobody_has_put_into_the_table_is_for_admins() -> None:
    require("/serinus.v1.Admin/New", ADMIN)
    with pytest.raises(ForbiddenError):
        require("/serinus.v1.Admin/New", OPERATOR)


def test_roles_are_written_in_small_letters() -> None:
    assert [role.word for role in Role] == ["anyone", "viewer", "operator", "admin"]
