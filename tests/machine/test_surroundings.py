"""Shell, package manager, variables, the hub and Windows' own rules."""

from __future__ import annotations

import ctypes
import sys
import types
from pathlib import Path

import pytest

from jlora_cli.machine import Hub, Windows, surroundings

PROFILE = r"C:\Users\髙﨑"
OWN_MODULES = PROFILE + r"\Documents\PowerShell\Modules;C:\Windows\system32\Modules"


@pytest.mark.parametrize(
    ("environment", "system", "shell"),
    [
        ({"SHELL": "/bin/zsh"}, "Darwin", "bash"),
        ({}, "Linux", "bash"),
        ({"PSModulePath": OWN_MODULES, "USERPROFILE": PROFILE}, "Windows", "powershell"),
        ({"PROMPT": "$P$G", "PSModulePath": r"C:\Windows\system32\Modules",
          "USERPROFILE": PROFILE}, "Windows", "cmd"),
        # PowerShell that was started from cmd inherits its PROMPT.
        ({"PROMPT": "$P$G", "PSModulePath": OWN_MODULES, "USERPROFILE": PROFILE},
         "Windows", "powershell"),
        ({"MSYSTEM": "MINGW64", "PROMPT": "$P$G"}, "Windows", "bash"),
        ({"SHELL": r"C:\Program Files\Git\bin\bash.exe"}, "Windows", "bash"),
        ({}, "Windows", "powershell"),
    ],
)  # fmt: skip
def test_the_shell_is_known_by_what_it_leaves_in_the_environment(environment, system, shell):
    assert surroundings.read_shell(environment, system) == shell


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """A made-up environment in place of this one, without tools on PATH."""
    monkeypatch.setattr(surroundings.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(surroundings.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(surroundings.shutil, "which", lambda name: None)
    return tmp_path


def tools(monkeypatch, **places):
    monkeypatch.setattr(surroundings.shutil, "which", lambda name: places.get(name))


def test_a_c_compiler_is_one_where_triton_looks(monkeypatch):
    tools(monkeypatch)
    assert not surroundings.has_c_compiler({})
    assert surroundings.has_c_compiler({"CC": "/opt/cc"})
    tools(monkeypatch, clang="/usr/bin/clang")
    assert surroundings.has_c_compiler({})


def test_the_manager_is_known_by_the_marks_of_its_environment(prefix, monkeypatch):
    assert surroundings.read_manager({}) == "pip"
    assert surroundings.read_manager({"POETRY_ACTIVE": "1"}) == "poetry"

    (prefix / "pyvenv.cfg").write_text("home = /usr\nuv = 0.9.7\n", encoding="utf-8")
    assert surroundings.read_manager({}) == "pip"  # uv itself is not here
    tools(monkeypatch, uv="/usr/bin/uv")
    assert surroundings.read_manager({}) == "uv"

    (prefix / "conda-meta").mkdir()
    assert surroundings.read_manager({}) == "conda"


def test_an_environment_without_pip_is_served_by_uv(prefix, monkeypatch):
    monkeypatch.setattr(surroundings.importlib.util, "find_spec", lambda name: None)
    tools(monkeypatch, uv="/usr/bin/uv")

    assert surroundings.read_manager({}) == "uv"


def test_an_environment_of_poetry_is_known_by_its_folder(monkeypatch):
    monkeypatch.setattr(surroundings.sys, "prefix", "/home/u/.cache/pypoetry/virtualenvs/nya")

    assert surroundings.read_manager({}) == "poetry"


def test_pip_is_called_so_that_it_serves_this_python(prefix, monkeypatch):
    own = str(prefix / "bin" / "python")
    assert surroundings.installer("pip", "bash") == f'"{own}" -m pip'
    assert surroundings.installer("conda", "powershell") == f'& "{own}" -m pip'
    tools(monkeypatch, pip="/usr/bin/pip")
    assert surroundings.installer("pip", "cmd").startswith('"')
    tools(monkeypatch, pip="/usr/bin/pip", python=own)
    assert surroundings.installer("pip", "bash") == "python -m pip"
    tools(monkeypatch, pip=str(prefix / "bin" / "pip"))
    assert surroundings.installer("pip", "bash") == "pip"


def test_uv_and_poetry_are_called_by_their_names():
    assert surroundings.installer("uv", "bash") == "uv pip"
    assert surroundings.installer("poetry", "cmd") == "poetry"


def test_variables_are_shown_without_secrets_and_without_the_home_folder(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/takasaki"))
    shown = surroundings.misleading_variables(
        {
            "HF_ENDPOINT": "https://me:secret@hub.example",
            "HF_TOKEN": "hf_secret",
            "HF_HOME": "/home/takasaki/hf",
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
            "PATH": "/bin",
            "MY_HF_HOME": "x",
        }
    )

    assert shown == {
        "HF_ENDPOINT": "https://hub.example",
        "HF_HOME": "~/hf",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    }


def test_a_container_s_user_may_have_no_home(monkeypatch):
    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)

    assert surroundings.without_home("/usr/lib") == "/usr/lib"
    assert Path(surroundings.read_hub({}).cache) == Path("/.cache/huggingface/hub")


def test_the_root_folder_is_no_home(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/"))

    assert surroundings.without_home("/usr/lib") == "/usr/lib"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def hub_cache(*parts):
    return str(Path("~", *parts))


def test_the_hub_is_read_by_its_own_rules(home):
    usual = surroundings.read_hub({})
    moved = surroundings.read_hub({"HF_HOME": "/data/hf", "HF_HUB_OFFLINE": "yes"})

    assert usual == Hub(cache=hub_cache(".cache", "huggingface", "hub"))
    assert (Path(moved.cache), moved.offline) == (Path("/data/hf/hub"), True)
    assert surroundings.read_hub({"TRANSFORMERS_OFFLINE": "1"}).offline
    assert not surroundings.read_hub({"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}).offline
    assert surroundings.read_hub({"HF_HUB_CACHE": "/data/hub"}).cache == "/data/hub"
    assert surroundings.read_hub({"XDG_CACHE_HOME": "/c"}).cache == str(Path("/c/huggingface/hub"))


def test_of_a_token_only_its_presence_is_told(home):
    assert not surroundings.read_hub({}).token
    assert surroundings.read_hub({"HF_TOKEN": "hf_secret"}).token

    file = home / ".cache" / "huggingface" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("hf_secret", encoding="utf-8")
    assert "hf_secret" not in str(surroundings.read_hub({}))
    assert surroundings.read_hub({}).token
    assert not surroundings.read_hub({"HF_TOKEN_PATH": str(home / "none")}).token


def test_the_endpoint_is_shown_without_its_password():
    given = {"HF_ENDPOINT": "https://me:secret@hub.example"}

    assert surroundings.read_hub(given).endpoint == "https://hub.example"


@pytest.fixture
def windows(monkeypatch):
    """Windows' registry and console: `windows(LongPathsEnabled=1)`, code page 932."""

    def set_up(page: int = 932, **values: int) -> None:
        def value_of(key, name):
            if name not in values:
                raise FileNotFoundError(name)
            return values[name], 4

        registry = types.SimpleNamespace(
            HKEY_LOCAL_MACHINE=1, OpenKey=lambda hive, path: path, QueryValueEx=value_of
        )
        kernel = types.SimpleNamespace(GetConsoleOutputCP=lambda: page)
        monkeypatch.setitem(sys.modules, "winreg", registry)
        monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=kernel), raising=False)

    return set_up


def test_windows_tells_long_paths_links_and_code_page(windows, monkeypatch):
    windows(LongPathsEnabled=1)
    monkeypatch.setattr(Path, "symlink_to", lambda self, target: None)
    assert surroundings.read_windows() == Windows(True, True, 932)

    windows(page=65001)

    def refused(self, target):
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refused)
    assert surroundings.read_windows() == Windows(False, False, 65001)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has these")
def test_elsewhere_there_is_no_registry_and_no_code_page():
    assert surroundings.read_windows() == Windows(False, True, 65001)
