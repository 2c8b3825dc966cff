import pytest

from medloop.interaction.nninteractive.leases import FullError, LeaseGoneError, Leases, Terms

from .serving import MovedClock


def table(clock: MovedClock, most: int = 2) -> Leases[list[int]]:
    return Leases(list, Terms(most, clock=clock))


def test_each_lease_holds_its_own_until_it_is_released():
    leases = table(MovedClock())
    a, b = leases.claim(), leases.claim()
    with leases.use(a) as held:
        held.append(1)
    with leases.use(b) as held:
        assert held == []
    with pytest.raises(FullError, match=r"capacity \(2 sessions\)"):
        leases.claim()
    leases.release(a)
    leases.release(a)
    leases.claim()


def test_only_actions_count_against_idleness_and_anything_against_death():
    clock = MovedClock()
    leases = table(clock)
    token = leases.claim()
    for _ in range(10):
        clock.now += 60.0
        leases.remaining(token, seen=True)
    assert leases.remaining(token, seen=False) == 0.0
    with leases.use(token):
        pass
    assert leases.remaining(token, seen=False) == 600.0
    clock.now += 60.5
    with pytest.raises(LeaseGoneError):
        leases.remaining(token, seen=True)


def test_an_idle_lease_ends_though_its_program_beats():
    clock = MovedClock()
    leases = table(clock)
    token = leases.claim()
    for _ in range(11):
        clock.now += 55.0
        if clock.now - 1000.0 > 600.0:
            break
        leases.remaining(token, seen=True)
    assert leases.sweep() == 1
    assert not leases.holds(token)


def test_work_under_way_is_never_taken_away():
    clock = MovedClock()
    leases = table(clock, most=1)
    token = leases.claim()
    with leases.use(token):
        clock.now += 10_000.0
        assert leases.sweep() == 0
        with pytest.raises(FullError):
            leases.claim()
    assert leases.remaining(token, seen=False) == 600.0


def test_a_dead_lease_makes_room_for_the_next():
    clock = MovedClock()
    leases = table(clock, most=1)
    leases.claim()
    clock.now += 61.0
    leases.claim()


@pytest.mark.parametrize("token", [None, "", "unknown"])
def test_an_unknown_token_is_refused(token: str | None):
    with pytest.raises(LeaseGoneError, match="claim a new session"), table(MovedClock()).use(token):
        pass
