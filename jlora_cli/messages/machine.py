"""What a person may read about machines and env-check."""

MESSAGES: dict[str, tuple[str, str]] = {
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
    "help.env_check.fix": (
        "Show each remedy that is a pip line, ask, apply it, and check again.",
        "pip で直せる項目を 1 つずつ表示し、確認してから実行して、もう一度調べます。",
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
        "There is nothing that pip can mend.",
        "pip で直せる問題はありません。",
    ),
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
        "read pip's message above, then run the line by hand.",
        "上の pip のメッセージを確認してから、手動で実行してください。",
    ),
    "machine.bad-config": ("{path} is not JSON: {fault}", "{path} は JSON ではありません: {fault}"),
    "machine.bad-config.fix": (
        "download the model's config.json again.",
        "モデルの config.json をダウンロードし直してください。",
    ),
    "machine.torch-incomplete": (
        "its files are incomplete",
        "ファイルが不完全です",
    ),
    "machine.torch-slow": (
        "importing it took more than {seconds} seconds",
        "インポートに {seconds} 秒以上かかりました",
    ),
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
    "virtual-environment.lines.posix": (
        "python3 -m venv .venv\n. .venv/bin/activate",
        "python3 -m venv .venv\n. .venv/bin/activate",
    ),
    "virtual-environment.lines.windows": (
        "py -m venv .venv\n.venv\\Scripts\\activate",
        "py -m venv .venv\n.venv\\Scripts\\activate",
    ),
    # torch
    "torch.ok": ("torch {version} (build {build}).", "torch {version}（{build} 版）です。"),
    "torch-missing.evidence": ("torch is not installed.", "torch が入っていません。"),
    "torch-missing.consequence": (
        "train, merge, infer, chat and evaluate cannot run.",
        "train、merge、infer、chat、evaluate が動きません。",
    ),
    "torch-missing.remedy": (
        "install the build that fits this machine:\n{lines}",
        "このマシンに合う版を入れてください:\n{lines}",
    ),
    "torch-broken.evidence": (
        "torch {version} is installed but cannot be imported: {error}",
        "torch {version} は入っていますが、インポートできません: {error}",
    ),
    "torch-broken.consequence": (
        "train, merge, infer, chat and evaluate cannot run.",
        "train、merge、infer、chat、evaluate が動きません。",
    ),
    "torch-broken.remedy": ("install it anew:\n{lines}", "入れ直してください:\n{lines}"),
    "torch-cpu-only.evidence": (
        "torch {version} is a CPU-only build, on a machine with an NVIDIA GPU ({gpu}).",
        "NVIDIA の GPU（{gpu}）があるのに、torch {version} は CPU 専用の版です。",
    ),
    "torch-cpu-only.consequence": (
        "The GPU stays unused, and training takes many times longer.",
        "GPU が使われず、学習に何倍もの時間がかかります。",
    ),
    "torch-cpu-only.remedy": (
        "replace it by the build that fits this driver and this GPU:\n{lines}",
        "このドライバーと GPU に合う版に入れ替えてください:\n{lines}",
    ),
    # GPU and driver
    "no-gpu.evidence": ("No GPU was found.", "GPU が見つかりません。"),
    "no-gpu.consequence": (
        "Training runs on the CPU, which is practical for small models only.",
        "学習は CPU で行います。実用になるのは小さなモデルだけです。",
    ),
    "no-gpu.remedy": ("{advice}", "{advice}"),
    "no-gpu.advice.plain": (
        "take --profile cpu-small; if there is an NVIDIA GPU, install its driver from "
        "https://www.nvidia.com/drivers",
        "--profile cpu-small を使ってください。NVIDIA の GPU がある場合は、"
        "https://www.nvidia.com/drivers からドライバーを入れてください。",
    ),
    "no-gpu.advice.container": (
        "if the host has an NVIDIA GPU, start the container with --gpus all "
        "(the host needs the NVIDIA Container Toolkit); else take --profile cpu-small.",
        "ホストに NVIDIA の GPU がある場合は、コンテナーを --gpus all を付けて起動してください"
        "（ホストに NVIDIA Container Toolkit が必要です）。ない場合は --profile cpu-small を"
        "使ってください。",
    ),
    "no-gpu.advice.wsl": (
        "if the computer has an NVIDIA GPU, update its driver in Windows, not inside WSL, then run "
        "`wsl --update` and `wsl --shutdown` there; else take --profile cpu-small.",
        "NVIDIA の GPU がある場合は、WSL の中ではなく Windows 側でドライバーを更新し、Windows で "
        "`wsl --update` と `wsl --shutdown` を実行してください。ない場合は --profile cpu-small を"
        "使ってください。",
    ),
    "gpu-ok.ok": (
        "torch can use {gpu} ({memory:.1f} GiB, {free:.1f} free).",
        "torch から {gpu} を使えます（メモリ {memory:.1f} GiB、空き {free:.1f} GiB）。",
    ),
    "gpu-memory.evidence": (
        "Only {free:.1f} of {memory:.1f} GiB are free on {gpu}.",
        "{gpu} のメモリ {memory:.1f} GiB のうち、空きは {free:.1f} GiB だけです。",
    ),
    "gpu-memory.consequence": (
        "A run that fits the card may still run out of memory.",
        "本来なら収まる学習でも、メモリ不足で止まることがあります。",
    ),
    "gpu-memory.remedy": (
        "end what uses it; this lists the processes:\nnvidia-smi",
        "GPU を使っているプログラムを終了してください。一覧は次で確認できます:\nnvidia-smi",
    ),
    "gpu-hidden.evidence": (
        'CUDA_VISIBLE_DEVICES is "{value}", which hides {gpu}.',
        "CUDA_VISIBLE_DEVICES が「{value}」なので、{gpu} が隠れています。",
    ),
    "gpu-hidden.consequence": (
        "torch sees no GPU and trains on the CPU.",
        "torch から GPU が見えず、学習は CPU で行われます。",
    ),
    "gpu-hidden.remedy": ("remove the variable:\n{lines}", "この変数を消してください:\n{lines}"),
    "gpu-hidden.lines.posix": ("unset CUDA_VISIBLE_DEVICES", "unset CUDA_VISIBLE_DEVICES"),
    "gpu-hidden.lines.windows": (
        "Remove-Item Env:CUDA_VISIBLE_DEVICES",
        "Remove-Item Env:CUDA_VISIBLE_DEVICES",
    ),
    "gpu-too-old.evidence": (
        "{gpu} (compute capability {capability}) is older than any torch that jlora can use.",
        "{gpu}（Compute Capability {capability}）は古く、"
        "jlora が使える torch では対応していません。",
    ),
    "gpu-too-old.consequence": (
        "Training runs on the CPU.",
        "学習は CPU で行います。",
    ),
    "gpu-too-old.remedy": (
        "take --profile cpu-small, or a GPU of compute capability 5.0 or newer.",
        "--profile cpu-small を使うか、Compute Capability 5.0 以降の GPU を使ってください。",
    ),
    "driver-too-old.evidence": (
        "NVIDIA driver {driver} runs CUDA up to {cuda}; torch for this machine needs more "
        "(build {build}).",
        "NVIDIA ドライバー {driver} が対応する CUDA は {cuda} までで、"
        "このマシンの torch（{build} 版）には足りません。",
    ),
    "driver-too-old.consequence": (
        "torch cannot use the GPU.",
        "torch から GPU を使えません。",
    ),
    "driver-too-old.remedy": (
        "install driver {needed} or newer from https://www.nvidia.com/drivers{other}",
        "https://www.nvidia.com/drivers からドライバー {needed} 以降を入れてください。{other}",
    ),
    "driver-too-old.or": (
        ", or the build of torch that this driver can run:\n{lines}",
        "または、このドライバーで動く版の torch に入れ替えてください:\n{lines}",
    ),
    "architecture-missing.evidence": (
        "torch {version} (build {build}) has no kernels for {gpu} (compute capability "
        "{capability}).",
        "torch {version}（{build} 版）は {gpu}（Compute Capability {capability}）に"
        "対応していません。",
    ),
    "architecture-missing.consequence": (
        'The first computation on the GPU fails: "no kernel image is available".',
        "GPU での最初の計算が「no kernel image is available」で失敗します。",
    ),
    "architecture-missing.remedy": (
        "replace it by the build that holds them:\n{lines}",
        "この GPU に対応した版に入れ替えてください:\n{lines}",
    ),
    "gpu-unusable.evidence": (
        "The driver lists {gpu} (compute capability {capability}), but torch {version} (build "
        "{build}) does not see it.",
        "ドライバーには {gpu}（Compute Capability {capability}）が見えていますが、"
        "torch {version}（{build} 版）からは見えません。",
    ),
    "gpu-unusable.consequence": (
        "Training runs on the CPU, many times slower.",
        "学習が CPU で行われ、何倍も遅くなります。",
    ),
    "gpu-unusable.remedy": (
        "restart the computer (the driver may have been updated under it); if that does not help, "
        "install torch anew:\n{lines}",
        "コンピューターを再起動してください（ドライバーの更新直後かもしれません）。"
        "それでも直らない場合は、torch を入れ直してください:\n{lines}",
    ),
    # Packages
    "package-missing.ok": (
        "All {count} packages besides torch are installed.",
        "torch 以外の {count} 個のパッケージがそろっています。",
    ),
    "package-missing.evidence": ("Not installed: {names}.", "入っていません: {names}"),
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
    # Memory, disk, number formats
    "memory.ok": (
        "Memory: {memory:.1f} GiB, {free:.1f} free.",
        "メモリ: {memory:.1f} GiB（空き {free:.1f} GiB）です。",
    ),
    "memory.evidence": (
        "Memory: {memory:.1f} GiB, of which {free:.1f} are free.",
        "メモリは {memory:.1f} GiB で、空きは {free:.1f} GiB です。",
    ),
    "memory.consequence": (
        "Loading a model of a billion parameters or more may fail.",
        "10 億パラメーター以上のモデルは読み込めないことがあります。",
    ),
    "memory.remedy": (
        "close other programs, or choose a smaller model (--model demo works everywhere).",
        "ほかのプログラムを終了するか、小さなモデルを選んでください"
        "（--model demo はどこでも動きます）。",
    ),
    "disk.ok": ("Disk: {free:.0f} GiB free.", "ディスクの空きは {free:.0f} GiB です。"),
    "disk.evidence": (
        "Disk: {free:.1f} GiB free; a 3.6B model with its merged copy takes {needed:.0f}.",
        "ディスクの空きは {free:.1f} GiB です。3.6B のモデルとそのマージには "
        "{needed:.0f} GiB ほど必要です。",
    ),
    "disk.consequence": (
        "Downloads, checkpoints or merges may fail half-way.",
        "ダウンロード、チェックポイント、マージが途中で失敗することがあります。",
    ),
    "disk.remedy": (
        "free some space, or point HF_HOME and --output at a larger disk.",
        "空きを増やすか、HF_HOME と --output を大きなディスクに向けてください。",
    ),
    "bfloat16.ok": (
        "{device} computes in bfloat16.",
        "{device} は bfloat16 で計算できます。",
    ),
    "bfloat16.evidence": (
        "{device} has no bfloat16 in hardware.",
        "{device} は bfloat16 にハードウェアで対応していません。",
    ),
    "bfloat16.consequence": (
        "bfloat16 would be far slower here; jlora takes {instead} by itself.",
        "bfloat16 はとても遅くなるため、jlora は自動で {instead} を使います。",
    ),
    "bfloat16.remedy": (
        "leave precision at auto.",
        "precision は auto のままにしてください。",
    ),
    "bitsandbytes.ok": (
        "bitsandbytes {version}: 4-bit and 8-bit can run on {gpu}.",
        "bitsandbytes {version}: {gpu} で 4 ビットと 8 ビットを使えます。",
    ),
    "bitsandbytes.evidence": (
        "{gpu} (compute capability {capability}) is older than bitsandbytes supports (6.0).",
        "{gpu}（Compute Capability {capability}）は古く、"
        "bitsandbytes の対応範囲（6.0 以降）に入りません。",
    ),
    "bitsandbytes.consequence": (
        "4-bit and 8-bit training cannot run on it.",
        "4 ビットと 8 ビットの学習は使えません。",
    ),
    "bitsandbytes.remedy": (
        "train with --quantization none.",
        "--quantization none で学習してください。",
    ),
    "bitsandbytes-8bit.evidence": (
        "{gpu} (compute capability {capability}) runs 4-bit; 8-bit needs 7.5.",
        "{gpu}（Compute Capability {capability}）で使えるのは 4 ビットです。"
        "8 ビットには 7.5 以降が必要です。",
    ),
    "bitsandbytes-8bit.consequence": (
        "8-bit training cannot run on it.",
        "8 ビットの学習は使えません。",
    ),
    "bitsandbytes-8bit.remedy": (
        "train with --quantization 4bit or none.",
        "--quantization 4bit か none で学習してください。",
    ),
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
    "profile-fit.remedy": ("take --profile {other}.", "--profile {other} を使ってください。"),
    "machine.packages_missing": (
        "training and answering need packages that are not installed: {names}",
        "学習と回答に必要なパッケージがありません: {names}",
    ),
    "machine.packages_missing.fix": ("{line}", "{line}"),
}
