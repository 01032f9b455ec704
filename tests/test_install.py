"""Set-up: where packages come from, and who installs them."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[1] / "requirements" / "install.py"
_SPEC = importlib.util.spec_from_file_location("install", _PATH)
assert _SPEC and _SPEC.loader
install = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(install)

PINS = ["scipy==1.0", "torch==2.0+cpu", "uv==0.1"]
UV = "uv pip install"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "cpu.txt"
    path.write_text("# locked\n" + "\n".join(PINS))
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run, in place of running it; what `refused` (a part of the command) names fails."""
    commands: list[str] = []

    def module(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
        commands.append(" ".join(command))
        status = int(any(part in commands[-1] for part in refused))
        return subprocess.CompletedProcess(command, status, stderr=f"no to {len(commands)}" if status else "")

    refused: list[str] = []
    monkeypatch.setattr(install, "module", module)
    monkeypatch.setattr(install, "refused", refused, raising=False)
    monkeypatch.setattr(install, "compile_bytecode", lambda: None)
    monkeypatch.setattr(install, "pip_settings", dict)
    return commands


def test_pip_s_configuration_is_read_with_variables_first(tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_text("[global]\nfind-links = /everywhere\nindex-url = http://one/simple\n[install]\nfind-links = /here\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://two/simple")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    settings = install.pip_settings()
    assert (settings["find-links"], settings["index-url"]) == ("/here", "http://two/simple")


def test_uv_is_told_the_indexes_of_pip(asked, lock, monkeypatch):
    monkeypatch.setattr(install, "pip_settings", lambda: {"index-url": "http://one", "extra-index-url": "http://two\nhttp://three"})
    install.install(lock)
    first, second, third = asked
    assert first.endswith("uv==0.1") and second.startswith(UV) and "--editable" in third
    assert "--index-url=http://one --extra-index-url=http://two --extra-index-url=http://three --requirement" in second
    assert install.CPU_TORCH_INDEX not in second


def test_torch_comes_from_its_own_index_where_no_other_has_it(asked, lock, capsys):
    install.refused += [f"unsafe-best-match --requirement {lock}"]
    install.install(lock)
    assert [command.startswith(UV) for command in asked] == [False, True, True, False]
    assert f"--extra-index-url={install.CPU_TORCH_INDEX}" in asked[2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("gone", [UV, "uv==0.1"])
def test_pip_installs_where_uv_can_t(asked, lock, gone, capsys):
    install.refused += [f"{gone} -q" if gone == UV else f"--no-deps {gone}"]
    install.install(lock)
    assert any("--only-binary=:all: torch==2.0+cpu" in command for command in asked)
    assert f"--prefer-binary {' '.join(PINS)}" in asked[-2]
    told = capsys.readouterr()
    assert "pip does" in told.out
    assert told.err == ("no to 2\nno to 3\n" if gone == UV else "")


def test_a_package_that_can_t_be_had_is_named(asked, lock):
    install.refused += [UV, "--prefer-binary"]
    with pytest.raises(SystemExit, match=r"cpu\.txt: pip's message above names the package\. Remedy"):
        install.install(lock)
    install.refused += ["torch=="]
    with pytest.raises(SystemExit, match=r"torch==2\.0\+cpu could not be installed\. Remedy: allow access"):
        install.install(lock)
