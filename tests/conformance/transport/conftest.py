"""Both transports, once for a file's tests, on asyncio's loop and on uvloop's."""

from collections.abc import Iterator

import pytest

from tests.conformance.transport.both import Both, both
from tests.unit.extproc.transport.sidecar import LOOPS


@pytest.fixture(scope="module", params=LOOPS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(tmp_path_factory.mktemp("pair"), LOOPS[request.param]) as running:
        yield running
