"""What surrounds this Python: shell, package manager, variables, hub cache, Windows' own rules."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.machine.values import Hub, Windows

if TYPE_CHECKING:
    from collections.abc import Mapping

# Variables that change what torch, the hub or pip do, and that are easily forgotten.
MISLEADING = re.compile(
    r"(CUDA|NVIDIA|HIP|ROCR)_VISIBLE_DEVICES|LD_LIBRARY_PATH|CUDA_HOME|PYTHONPATH|BNB_CUDA_VERSION"
    r"|HSA_OVERRIDE_GFX_VERSION|OMP_NUM_THREADS|RANK|WORLD_SIZE|TRANSFORMERS_\w+|PYTORCH_\w+|HF_\w+"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|KEY")
SECRET_PLACE = "HF_TOKEN_PATH"  # a path to a token, not one


def misleading_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of MISLEADING that are set: no tokens, no password of an address, "~" for home."""
    return {
        name: without_home(re.sub(r"//[^/@]*@", "//", value))
        for name, value in sorted(environment.items())
        if MISLEADING.fullmatch(name) and not _SECRET.search(name)
    }


def home_folder() -> Path:
    """The user's home; the root where a container's user has none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def without_home(text: str) -> str:
    """`text` with the home folder, which tells the user's name, written as "~"."""
    home = str(home_folder())
    return text.replace(home, "~") if len(home) > 1 else text


def read_hub(environment: Mapping[str, str]) -> Hub:
    """How huggingface_hub will find models, by its own rules, without importing it."""
    home = environment.get("HF_HOME") or _under_cache(environment, "huggingface")
    cache = environment.get("HF_HUB_CACHE") or str(Path(home, "hub"))
    token_file = Path(environment.get(SECRET_PLACE) or Path(home, "token")).expanduser()
    named = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    offline = environment.get("HF_HUB_OFFLINE") or environment.get("TRANSFORMERS_OFFLINE") or ""
    return Hub(
        cache=without_home(cache),
        endpoint=re.sub(r"//[^/@]*@", "//", environment.get("HF_ENDPOINT") or Hub.endpoint),
        offline=offline.upper() in {"1", "ON", "YES", "TRUE"},
        token=any(environment.get(name) for name in named) or token_file.is_file(),
    )


def _under_cache(environment: Mapping[str, str], name: str) -> str:
    return str(Path(environment.get("XDG_CACHE_HOME") or home_folder() / ".cache", name))


def read_shell(environment: Mapping[str, str], system: str) -> str:
    """The shell that a remedy will be pasted into: bash (zsh and sh alike), powershell or cmd.

    PowerShell puts a folder of the user before Windows' own in PSModulePath; cmd sets PROMPT.
    """
    if system != "Windows":
        return "bash"
    if environment.get("MSYSTEM") or environment.get("SHELL", "").endswith(("bash", "bash.exe")):
        return "bash"
    own = environment.get("USERPROFILE", "").lower()
    modules = environment.get("PSModulePath", "").lower()
    started_by_cmd = "PROMPT" in environment and not (own and own in modules)
    return "cmd" if started_by_cmd else "powershell"


def read_manager(environment: Mapping[str, str]) -> str:
    """What manages this environment's packages: pip, uv, conda or poetry."""
    if environment.get("POETRY_ACTIVE") or "pypoetry" in Path(sys.prefix).parts:
        return "poetry"
    if Path(sys.prefix, "conda-meta").is_dir():
        return "conda"
    made_by = Path(sys.prefix, "pyvenv.cfg")
    by_uv = made_by.is_file() and "uv = " in made_by.read_text(encoding="utf-8", errors="replace")
    without_pip = importlib.util.find_spec("pip") is None
    return "uv" if (by_uv or without_pip) and shutil.which("uv") else "pip"


def has_c_compiler(environment: Mapping[str, str]) -> bool:
    """Whether Triton finds one for the launchers of its kernels (triton/runtime/build.py)."""
    return bool(environment.get("CC") or shutil.which("gcc") or shutil.which("clang"))


def installer(manager: str, shell: str) -> str:
    """How the package manager is called from this shell so that it serves this very Python."""
    if manager in ("uv", "poetry"):
        return "uv pip" if manager == "uv" else "poetry"
    if _is_ours(shutil.which("pip")):
        return "pip"
    if _is_ours(shutil.which("python")):
        return "python -m pip"
    called = f'"{sys.executable}"'
    return f"& {called} -m pip" if shell == "powershell" else f"{called} -m pip"


def _is_ours(tool: str | None) -> bool:
    """Whether a tool on PATH lies in this environment. Links are not followed: a venv is links."""
    return tool is not None and Path(tool).absolute().parent == Path(sys.executable).parent


def read_windows() -> Windows:
    """What Windows allows here, and the code page of its console."""
    return Windows(
        long_paths=_registry(r"SYSTEM\CurrentControlSet\Control\FileSystem", "LongPathsEnabled"),
        symlinks=_can_link(),
        code_page=_code_page(),
    )


def _registry(path: str, name: str) -> bool:
    try:
        import winreg  # noqa: PLC0415 - Windows alone has it

        key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path)  # type: ignore[attr-defined,unused-ignore]
        value = winreg.QueryValueEx(key, name)[0]  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, OSError):
        return False
    return bool(value)


def _can_link() -> bool:
    """Whether a symbolic link can be made: the hub's cache saves every second copy by them."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "link").symlink_to(Path(folder, "target"))
    except OSError:
        return False
    return True


def _code_page() -> int:
    windll = getattr(ctypes, "windll", None)
    return int(windll.kernel32.GetConsoleOutputCP()) if windll else 65001
