from controlplane.local.restart import RestartPolicy, pause_before_restart_ms

POLICY = RestartPolicy(restarts_max=5, window_ms=60_000, pause_ms_min=200, pause_ms_max=3_200)


def test_the_pause_doubles_up_to_its_limit_and_then_the_child_is_given_up() -> None:
    ended_at_ms = [1_000 * n for n in range(1, 7)]
    pauses = [pause_before_restart_ms(POLICY, ended_at_ms[:n], ended_at_ms[n - 1]) for n in range(1, 7)]
    assert pauses == [200, 400, 800, 1600, 3200, None]


def test_ends_older_than_the_window_do_not_count() -> None:
    hourly_ms = [3_600_000 * n for n in range(1, 20)]
    assert pause_before_restart_ms(POLICY, hourly_ms, hourly_ms[-1]) == 200


def test_the_pause_never_exceeds_its_limit() -> None:
    many = RestartPolicy(restarts_max=30)
    assert pause_before_restart_ms(many, list(range(20)), 20) == many.pause_ms_max
