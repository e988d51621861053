"""What servers say, as people read it."""

from controlplane.cli.servers import HEADERS, server_row, servers_line
from serinus.v1 import admin_pb2

GB = 1024**3
FULL = admin_pb2.ServersView(
    version="v2", sources=2, answering=2, kv_cache_used_ratio=0.98, queue_depth=72, running_requests=24, full=True
)
LOCAL = admin_pb2.ServersView(
    version="v1", sources=1, answering=1, queue_depth=0, cpu_cores=0.94, resident_memory_bytes=0.3 * GB
)


def test_the_line_holds_what_is_known_of_both_versions() -> None:
    assert servers_line([LOCAL, FULL]) == "servers  v1 wait 0 cpu 0.9 mem 307 MB | v2 full: kv 98% wait 72 run 24"


def test_servers_that_do_not_answer_are_no_data_and_versions_that_nobody_asks_are_left_out() -> None:
    silent = admin_pb2.ServersView(version="v2", sources=1, queue_depth=9)
    assert servers_line([silent]) == "servers  v2 no data"
    assert servers_line([admin_pb2.ServersView(version="v1")]) == ""


def test_a_row_has_a_cell_for_each_header_and_dashes_for_what_nobody_said() -> None:
    leaky = admin_pb2.ServersView(
        version="v2",
        sources=1,
        answering=1,
        gpu_memory_used_bytes=70 * GB,
        gpu_memory_bytes=80 * GB,
        memory_growth_per_second=1024 * 1024 / 30,
        leaks=True,
    )
    row = dict(zip(HEADERS, server_row(leaky), strict=True))
    assert row["GPU MEM"] == "70 GB of 80 GB"
    assert row["GROWS"] == "+120 MB/h (steady)"
    assert row["QUEUE"] == "-"
    assert server_row(FULL)[0] == "v2 (full)"
