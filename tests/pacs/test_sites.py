"""Which archives may be contacted: only what the file lists, and no secret in it or in any message."""

from pathlib import Path

import pytest

from medloop.core.errors import MedloopError, NotFoundError, SettingError
from medloop.pacs.archive import PacsQuery, date_range
from medloop.pacs.sites import HOSTS_VARIABLE, Secrets, read_sites

SERVER = 'hosts = ["127.0.0.1"]\n[servers.a]\nurl = "http://127.0.0.1:8042/dicom-web"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "pacs.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_host_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    text = SERVER + '[servers.b]\nhost = "pacs.example"\nport = 104\ntitle = "PACS"\n'
    sites = read_sites(written(tmp_path, text))
    assert sites.site("a").port == 8042
    with pytest.raises(SettingError, match="The host of the server b is not allowed"):
        sites.site("b")
    with pytest.raises(NotFoundError, match="lists no server 'c'"):
        sites.site("c")
    with pytest.raises(NotFoundError, match="one must be named"):
        sites.site()


def test_a_machine_narrows_what_a_project_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, SERVER)
    monkeypatch.setenv(HOSTS_VARIABLE, "pacs.example, 10.0.0.1")
    with pytest.raises(SettingError, match="not allowed"):
        read_sites(path).site()
    monkeypatch.setenv(HOSTS_VARIABLE, "127.0.0.1")
    assert read_sites(path).site().name == "a"


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ('password = "hunter2"', "A password never stands in pacs.toml"),
        ('token = "hunter2"', "A token never stands in pacs.toml"),
        ('colour = "hunter2"', "knows no 'colour'"),
        ('port = "hunter2"', "must be int, got str"),
        ('retrieve = "hunter2"', "must be get or move"),
        ('own_title = "A_TITLE_FAR_TOO_LONG_hunter2"', "1 to 16 characters"),
        ("timeout_seconds = -1.0", "above 0"),
        ('user = "hunter2', "is no TOML"),
    ],
)
def test_what_a_server_may_not_say_is_refused_without_quoting_secrets(tmp_path: Path, more: str, rule: str) -> None:
    with pytest.raises(MedloopError, match=rule) as refused:
        read_sites(written(tmp_path, SERVER + more))
    assert "hunter2" not in str(refused.value) or "retrieve" in more


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://pacs.example/dicom-web", "unencrypted"),
        ("https://name:hunter2@pacs.example/dicom-web", "without a name"),
        ("file:///etc/passwd", "must be http"),
        ("gopher://127.0.0.1/", "must be http"),
        ("https://[::1", "no address"),
    ],
)
def test_addresses_that_are_not_a_servers_are_refused(tmp_path: Path, url: str, rule: str) -> None:
    with pytest.raises(SettingError, match=rule) as refused:
        read_sites(written(tmp_path, f'hosts = ["pacs.example"]\n[servers.a]\nurl = "{url}"\n'))
    assert "hunter2" not in str(refused.value)


def test_a_file_that_others_may_change_decides_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, SERVER)
    path.chmod(0o666)
    with pytest.raises(SettingError, match="others may change it"):
        read_sites(path)


def test_credentials_come_from_a_variable_or_a_private_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    site = read_sites(written(tmp_path, SERVER + 'user = "me"\npassword_file = "secret"\n')).site()
    assert site.secrets.password() == "hunter2"
    assert "hunter2" not in repr(site)
    secret.chmod(0o644)
    with pytest.raises(SettingError, match="others may read it"):
        site.secrets.password()
    monkeypatch.delenv("MEDLOOP_TEST_SECRET", raising=False)
    with pytest.raises(SettingError, match="MEDLOOP_TEST_SECRET must hold the credentials"):
        Secrets(token_env="MEDLOOP_TEST_SECRET").token()
    monkeypatch.setenv("MEDLOOP_TEST_SECRET", "hunter3")
    assert Secrets(token_env="MEDLOOP_TEST_SECRET").token() == "hunter3"


def test_days_and_ranges_are_written_as_dicom_matches_them() -> None:
    assert date_range("2026-01-31") == "20260131"
    assert date_range("20260101..2026-01-31") == "20260101-20260131"
    assert date_range("..2026-01-31") == "-20260131"
    for wrong in ("..", "2026-02-30", "yesterday"):
        with pytest.raises(SettingError, match="--date"):
            date_range(wrong)


def test_a_query_that_cannot_be_is_refused_without_quoting_whom_it_is_about() -> None:
    for wrong in ({"patient": "MUSTER\\MANN"}, {"patient": "MUSTER" * 20}, {"study": "MUSTERMANN"}, {"series": "1.2.3"}, {"limit": 0}):
        with pytest.raises(MedloopError) as refused:
            PacsQuery(**wrong)
        assert "MUSTER" not in str(refused.value)
    assert not PacsQuery(patient="*").narrows
    assert PacsQuery(modality="CT").narrows
