"""What a person may read about Python and its packages."""

MESSAGES: dict[str, tuple[str, str]] = {
    # Python
    "python-version.ok": ("Python {version}.", "Python {version} です。"),
    "python-version.evidence": (
        "Python {version}; jlora is tested with 3.11 to 3.14.",
        "Python {version} です。jlora は 3.11 から 3.14 で動作を確認しています。",
    ),
    "python-version.consequence": (
        "pip may find no torch for this Python.",
        "この Python 用の torch が pip で見つからないことがあります。",
    ),
    "python-version.remedy": (
        "install Python 3.12 from https://www.python.org/downloads/ and make a new environment.",
        "https://www.python.org/downloads/ から Python 3.12 を入れ、仮想環境を作り直してください。",
    ),
    "virtual-environment.ok": (
        "Packages go into an environment of their own.",
        "パッケージは専用の環境に入ります。",
    ),
    "virtual-environment.evidence": (
        "No virtual environment is active.",
        "仮想環境が有効になっていません。",
    ),
    "virtual-environment.consequence": (
        "Packages of other programs may be replaced, and theirs may break jlora.",
        "ほかのプログラムのパッケージを置き換えたり、逆に壊されたりするおそれがあります。",
    ),
    "virtual-environment.remedy": (
        "make one and install jlora there:\n{lines}",
        "仮想環境を作り、そこに jlora を入れてください:\n{lines}",
    ),
    "virtual-environment.lines.bash": (
        "python3 -m venv .venv\n. .venv/bin/activate",
        "python3 -m venv .venv\n. .venv/bin/activate",
    ),
    "virtual-environment.lines.powershell": (
        "py -m venv .venv\n.venv\\Scripts\\Activate.ps1",
        "py -m venv .venv\n.venv\\Scripts\\Activate.ps1",
    ),
    "virtual-environment.lines.cmd": (
        "py -m venv .venv\n.venv\\Scripts\\activate.bat",
        "py -m venv .venv\n.venv\\Scripts\\activate.bat",
    ),
    "python-32bit.evidence": (
        "Python {version} is a 32-bit build.",
        "Python {version} は 32 ビット版です。",
    ),
    "python-32bit.consequence": (
        "There is no torch for it.",
        "32 ビット版の Python で動く torch はありません。",
    ),
    "python-32bit.remedy": (
        "install the 64-bit Python 3.12 from https://www.python.org/downloads/ and make a new "
        "environment.",
        "https://www.python.org/downloads/ から 64 ビット版の Python 3.12 を入れ、"
        "仮想環境を作り直してください。",
    ),
    "intel-mac.evidence": (
        "This Mac has an Intel processor ({cpu}), or Python runs under Rosetta.",
        "この Mac は Intel プロセッサ（{cpu}）か、Python が Rosetta で動いています。",
    ),
    "intel-mac.consequence": (
        "torch has had no wheels for Intel Macs since 2.3, and jlora needs 2.11.",
        "torch は 2.3 から Intel Mac 用のホイールがなく、jlora には 2.11 以降が必要です。",
    ),
    "intel-mac.remedy": (
        "on an M-series Mac install the arm64 Python; otherwise train on another machine. "
        "prepare, tokens and train --dry-run work here.",
        "M シリーズの Mac では arm64 版の Python を入れてください。Intel の Mac では別のマシンで"
        "学習してください。prepare、tokens、train --dry-run はこのまま使えます。",
    ),
    # Packages
    "package-missing.ok": (
        "All {count} packages besides torch are installed.",
        "torch 以外の {count} 個のパッケージがそろっています。",
    ),
    "package-missing.evidence": (
        "Not installed: {names}.{model}",
        "入っていません: {names}{model}",
    ),
    "package-missing.model": (
        " The tokenizer of the chosen model needs {names}.",
        "（選んだモデルのトークナイザーには {names} が必要です）",
    ),
    "package-missing.consequence": (
        "Commands that need them refuse to run.",
        "これらを使うコマンドは動きません。",
    ),
    "package-missing.remedy": ("install them:\n{lines}", "入れてください:\n{lines}"),
    "package-version.ok": (
        "The versions of {count} packages are in the tested ranges.",
        "{count} 個のパッケージのバージョンは、確認済みの範囲にあります。",
    ),
    "package-version.evidence": (
        "Outside the supported versions: {names}.",
        "対応していないバージョンです: {names}",
    ),
    "package-version.consequence": (
        "jlora is not tested with them; results may differ or commands may fail.",
        "動作を確認していないため、結果が変わったり、コマンドが失敗したりすることがあります。",
    ),
    "package-version.remedy": (
        "install versions that are supported:\n{lines}",
        "対応しているバージョンを入れてください:\n{lines}",
    ),
    "package-broken.evidence": (
        "Installed, but cannot be imported: {names}. {detail}",
        "入っていますが、インポートできません: {names}（{detail}）",
    ),
    "package-broken.consequence": (
        "Commands that need them stop with a Python error.",
        "これらを使うコマンドは Python のエラーで止まります。",
    ),
    "package-broken.remedy": ("install them anew:\n{lines}", "入れ直してください:\n{lines}"),
    "package-conflict.evidence": (
        "Packages that do not fit each other: {conflicts}.",
        "互いに合わないパッケージがあります: {conflicts}",
    ),
    "package-conflict.consequence": (
        "An import may fail, or one package may call what the other no longer has.",
        "インポートに失敗したり、相手にない機能を呼び出したりすることがあります。",
    ),
    "package-conflict.remedy": (
        "bring them together; torch stays as it is:\n{lines}",
        "次のコマンドで合わせてください（torch はそのままです）:\n{lines}",
    ),
}
