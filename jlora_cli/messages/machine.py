"""What a person may read about machines and env-check."""

from jlora_cli.messages import machine_gpu, machine_packages, machine_room

MESSAGES: dict[str, tuple[str, str]] = {
    **machine_packages.MESSAGES,
    **machine_gpu.MESSAGES,
    **machine_room.MESSAGES,
    # The command
    "help.env_check": (
        "Say what is wrong with this machine, and the line that mends it."
        "\n\nExample: jlora env-check --profile cpu-small",
        "このマシンの問題点と、それを直すコマンドを表示します。"
        "\n\n例: jlora env-check --profile cpu-small",
    ),
    "help.env_check.profile": (
        "Also say whether this profile fits the machine.",
        "このプロファイルがマシンに合うかどうかも調べます。",
    ),
    "help.env_check.model": (
        "Also check what this model needs (a local folder, a hub id, or demo).",
        "このモデルに必要なものも調べます（フォルダー、Hub の ID、または demo）。",
    ),
    "help.env_check.try": (
        "Also try what takes longer: torch.compile, and quantization on a CPU.",
        "時間のかかる項目（torch.compile、CPU での量子化）も試します。",
    ),
    "help.env_check.paste": (
        "Print a Markdown block for an issue, without user name, host name or tokens.",
        "Issue に貼れる Markdown を出力します（ユーザー名、ホスト名、トークンは含みません）。",
    ),
    "help.env_check.fix": (
        "Show each remedy, ask, apply what the package manager can, and check again.",
        "直し方を 1 つずつ表示し、確認してから実行して、もう一度調べます。",
    ),
    "help.env_check.yes": (
        "With --fix: apply the remedies without asking.",
        "--fix のとき、確認せずに実行します。",
    ),
    "env_check.fits": ("Profiles that fit: {names}", "このマシンに合うプロファイル: {names}"),
    "env_check.recommended": (
        "Recommended: --profile {name} ({reason})",
        "おすすめ: --profile {name}（{reason}）",
    ),
    "env_check.apply": ("Run these lines?\n{lines}\n", "次のコマンドを実行しますか?\n{lines}\n"),
    "env_check.nothing": (
        "There is nothing that the package manager can mend.",
        "パッケージマネージャーで直せる問題はありません。",
    ),
    "env_check.by_hand": (
        "{evidence}\nBy hand: {remedy}\n",
        "{evidence}\n手動で行ってください: {remedy}\n",
    ),
    "env_check.worse": (
        "These errors were not there before: {names}. What was run is shown above.",
        "実行前になかったエラーがあります: {names}（実行したコマンドは上のとおりです）",
    ),
    "env_check.no_profiles": (
        "profiles cannot be read until the missing packages are installed",
        "足りないパッケージを入れるまで、プロファイルを読めません",
    ),
    "paste.title": ("jlora {version}: env-check", "jlora {version}: env-check"),
    "env_check.again": ("Checking again.", "もう一度調べます。"),
    "machine.fix-needs-terminal": (
        "--fix asks before it changes anything, and there is no terminal to ask on.",
        "--fix は変更の前に確認しますが、確認するための端末がありません。",
    ),
    "machine.fix-needs-terminal.fix": (
        "add --yes to apply the remedies without asking, or run it in a terminal.",
        "確認なしで実行するには --yes を付けるか、端末で実行してください。",
    ),
    "machine.fix-failed": (
        "this line ended with code {code}: {line}",
        "次のコマンドが終了コード {code} で失敗しました: {line}",
    ),
    "machine.fix-failed.fix": (
        "read its message above, then run the line by hand; what it would have replaced is "
        "still there.",
        "上のメッセージを確認してから、手動で実行してください。"
        "置き換えるはずだったものは、そのまま残っています。",
    ),
    "machine.torch-incomplete": (
        "its files are incomplete",
        "ファイルが不完全です",
    ),
    "machine.torch-slow": (
        "it took more than {seconds} seconds",
        "{seconds} 秒たっても終わりませんでした",
    ),
    "machine.torch-silent": ("it ended without an answer", "応答せずに終了しました"),
    # The asked profile
    "profile-fit.ok": (
        "Profile {name} fits this machine.",
        "プロファイル {name} はこのマシンに合います。",
    ),
    "profile-fit.evidence": (
        "Profile {name} asks for more than this machine has.",
        "プロファイル {name} には、このマシンでは足りません。",
    ),
    "profile-fit.consequence": (
        "The run would be refused or run out of memory.",
        "学習が始まらないか、メモリ不足で止まります。",
    ),
    "model-unknown.evidence": (
        "{model} could not be looked at: {why}",
        "{model} を調べられませんでした: {why}",
    ),
    "model-unknown.consequence": (
        "Whether it fits this machine, and what its tokenizer needs, is not known.",
        "このマシンで動くか、トークナイザーに何が必要かは分かりません。",
    ),
    "model-unknown.remedy": ("{fix}", "{fix}"),
    "model-unknown.packages": (
        "install the missing packages first.",
        "先に、足りないパッケージを入れてください。",
    ),
    "run-fit.ok": (
        "{model} with profile {profile} needs about {needed:.1f} GiB of the {free:.1f} free on "
        "{device}.",
        "{model} をプロファイル {profile} で学習するには {needed:.1f} GiB ほど必要です"
        "（{device} の空きは {free:.1f} GiB）。",
    ),
    "run-fit.evidence": (
        "{model} with profile {profile} needs about {needed:.1f} GiB ({terms}); {free:.1f} are "
        "free on {device}.",
        "{model} をプロファイル {profile} で学習するには {needed:.1f} GiB ほど（{terms}）必要ですが、"
        "{device} の空きは {free:.1f} GiB です。",
    ),
    "run-fit.memory": ("this machine", "このマシンのメモリ"),
    "run-fit.consequence": (
        "The run would stop for want of memory.",
        "学習はメモリ不足で止まります。",
    ),
    "run-fit.remedy": ("{change}", "{change}"),
    "run-fit.options": (
        "add these options to train:\n{options}",
        "train に次のオプションを付けてください:\n{options}",
    ),
    "run-fit.smaller": (
        "choose a smaller model (--model demo works everywhere) or another machine.",
        "小さなモデル（--model demo はどこでも動きます）か、別のマシンを選んでください。",
    ),
    "profile-fit.remedy": ("take --profile {other}.", "--profile {other} を使ってください。"),
    "machine.packages_missing": (
        "training and answering need packages that are not installed: {names}",
        "学習と回答に必要なパッケージがありません: {names}",
    ),
    "machine.packages_missing.fix": ("{line}", "{line}"),
}
