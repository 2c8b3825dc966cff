"""The table of settings: limits, environment, and the refusal to leave loopback."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError
from medloop.server.web.settings import SETTINGS, ServerSettings, read_settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_hosts_are_accepted(host: str) -> None:
    assert ServerSettings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "localhost.evil.example", "127.0.0.1.evil.example"])
def test_any_other_host_is_refused_in_one_line_that_names_the_remedy(host: str) -> None:
    with pytest.raises(SettingError, match=r"with accounts and encryption only|is an IP address") as caught:
        ServerSettings(host=host)
    assert "medloop users add" in str(caught.value) or "use 127.0.0.1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_was_given_wins_over_the_environment_and_the_environment_over_the_default() -> None:
    environment = {"MEDLOOP_PORT": "9001", "MEDLOOP_THREADS": "3", "HOME": "/"}
    settings = read_settings(environment, {"port": 9002, "threads": None})
    assert (settings.port, settings.threads, settings.host) == (9002, 3, "127.0.0.1")


@pytest.mark.parametrize(("name", "text"), [("PORT", "eighty"), ("PORT", "70000"), ("WORKER", "perhaps"), ("BODY_SECONDS", "nan")])
def test_an_unreadable_or_unfit_variable_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingError):
        read_settings({f"MEDLOOP_{name}": text})


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match="use one of host, port"):
        read_settings({}, {"prot": 1})


@pytest.mark.parametrize(("text", "value"), [("1", True), ("off", False), ("Yes", True), ("0", False)])
def test_switches_are_read_from_usual_words(text: str, value: bool) -> None:
    assert read_settings({"MEDLOOP_WORKER": text}).worker is value


@given(st.sampled_from([s for s in SETTINGS if s.low is not None]), st.floats(allow_nan=True))
def test_a_number_outside_its_limits_is_never_accepted(setting, value: float) -> None:
    number = int(value) if isinstance(setting.default, int) and abs(value) < 1e9 else value
    try:
        settings = read_settings({}, {setting.name: number})
    except SettingError:
        return
    assert setting.low <= getattr(settings, setting.name) <= setting.high


def test_every_setting_explains_itself() -> None:
    assert all(s.help.endswith(".") and len(s.help) > 20 for s in SETTINGS)


@pytest.mark.parametrize("name", ["system", "imported", "", "a\nb", "worker-1"])
def test_the_usual_annotator_is_a_name_that_people_may_have(name: str) -> None:
    with pytest.raises(SettingError, match="annotator: "):
        ServerSettings(annotator=name)
