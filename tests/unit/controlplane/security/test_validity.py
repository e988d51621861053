"""A connection may outlive the certificate that it began with."""

import pytest

from controlplane.security import ca
from controlplane.security.errors import UnauthenticatedError
from controlplane.security.validity import check_running

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
CERT = ca.issue_client(ca.make_authority(now_ms=NOW_MS, days=9), "viewer", now_ms=NOW_MS).cert_pem


def test_a_certificate_is_good_to_its_last_second_and_no_longer() -> None:
    check_running(CERT, now_ms=NOW_MS)
    check_running(CERT, now_ms=NOW_MS + 9 * DAY_MS - 1_000)
    with pytest.raises(UnauthenticatedError, match="the certificate has ended"):
        check_running(CERT, now_ms=NOW_MS + 9 * DAY_MS)


def test_what_cannot_be_read_is_left_to_tls_which_has_taken_it() -> None:
    check_running(b"", now_ms=NOW_MS)
    check_running(b"no certificate", now_ms=NOW_MS)
