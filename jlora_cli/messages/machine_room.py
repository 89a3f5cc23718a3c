"""What a person may read about memory, disks, number formats and what surrounds them."""

MESSAGES: dict[str, tuple[str, str]] = {
    # Memory and disk
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
    "disk-for-model.ok": (
        "Disk: {free:.0f} GiB free; {model} takes {needed:.1f}.",
        "ディスクの空きは {free:.0f} GiB です。{model} には {needed:.1f} GiB ほど必要です。",
    ),
    "disk-for-model.evidence": (
        "Disk: {free:.1f} GiB free; {model}, its checkpoints and its merged copy take {needed:.1f}.",
        "ディスクの空きは {free:.1f} GiB です。{model} とチェックポイント、マージには "
        "{needed:.1f} GiB ほど必要です。",
    ),
    "disk-for-model.consequence": (
        "The download, a checkpoint or the merge will fail half-way.",
        "ダウンロード、チェックポイント、マージのいずれかが途中で失敗します。",
    ),
    "disk-for-model.remedy": (
        "free some space, or point HF_HOME and --output at a larger disk.",
        "空きを増やすか、HF_HOME と --output を大きなディスクに向けてください。",
    ),
    # What surrounds Python
    "variable.evidence": (
        'The variable {name} is set to "{value}".',
        "環境変数 {name} が「{value}」に設定されています。",
    ),
    "variable.consequence": ("{why}", "{why}"),
    "variable.remedy": (
        "unless it is meant, remove it:\n{lines}",
        "意図したものでなければ消してください:\n{lines}",
    ),
    "variable.why.bitsandbytes": (
        "bitsandbytes loads the library of that CUDA, whatever torch was built for.",
        "torch の版に関係なく、bitsandbytes がその CUDA 用のライブラリを読み込みます。",
    ),
    "variable.why.libraries": (
        "CUDA libraries found there are loaded in place of those that came with torch.",
        "torch に付属するものの代わりに、そこにある CUDA のライブラリが読み込まれます。",
    ),
    "variable.why.container": (
        "It tells the NVIDIA Container Toolkit to give this container no GPU.",
        "NVIDIA Container Toolkit に対し、このコンテナーへ GPU を渡さないよう指示しています。",
    ),
    "variable.why.slow": (
        "torch asks the driver for memory at every step, which is many times slower.",
        "torch が毎回ドライバーにメモリを要求するため、何倍も遅くなります。",
    ),
    "variable.why.ignored": (
        "Nothing reads it any more; HF_HOME and HF_HUB_CACHE took its place.",
        "現在は使われていません。代わりに HF_HOME と HF_HUB_CACHE を使います。",
    ),
    "hub-offline.ok": (
        "The model hub is off ({variable}); the model is in {cache}.",
        "モデル Hub への接続は無効です（{variable}）。モデルは {cache} にあります。",
    ),
    "hub-offline.evidence": (
        "The model hub is switched off ({variable}).",
        "モデル Hub への接続が無効です（{variable}）。",
    ),
    "hub-offline.consequence": (
        "Only models that are already in {cache} can be used.",
        "{cache} にあるモデルしか使えません。",
    ),
    "hub-offline.remedy": (
        "unless it is meant, remove the variable:\n{lines}",
        "意図したものでなければ、この変数を消してください:\n{lines}",
    ),
    "hub-endpoint.evidence": (
        "Models come from {endpoint} (HF_ENDPOINT).",
        "モデルは {endpoint} から取得されます（HF_ENDPOINT）。",
    ),
    "hub-endpoint.consequence": (
        "What it does not hold cannot be downloaded, and your token is sent there.",
        "そこにないモデルはダウンロードできず、トークンもそこへ送られます。",
    ),
    "hub-endpoint.remedy": (
        "unless it is meant, remove the variable:\n{lines}",
        "意図したものでなければ、この変数を消してください:\n{lines}",
    ),
    # Windows
    "long-paths.evidence": (
        "Windows allows no paths longer than 260 characters.",
        "Windows で 260 文字を超えるパスが無効になっています。",
    ),
    "long-paths.consequence": (
        "Files deep in the model cache or in an environment may not be found.",
        "モデルのキャッシュや仮想環境の深い場所にあるファイルを開けないことがあります。",
    ),
    "long-paths.remedy": (
        "allow them, in a PowerShell run as administrator, and sign in again:\n"
        "Set-ItemProperty HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem "
        "LongPathsEnabled 1",
        "管理者の PowerShell で有効にし、サインインし直してください:\n"
        "Set-ItemProperty HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem "
        "LongPathsEnabled 1",
    ),
    "symlinks.evidence": (
        "This account may not make symbolic links.",
        "このアカウントではシンボリックリンクを作れません。",
    ),
    "symlinks.consequence": (
        "The cache {cache} copies files in place of linking them: a second revision of a model "
        "takes its whole size again.",
        "キャッシュ {cache} ではリンクの代わりにコピーが作られ、同じモデルの別リビジョンごとに"
        "全体の容量を使います。",
    ),
    "symlinks.remedy": (
        "switch on the Developer Mode of Windows:\nstart ms-settings:developers",
        "Windows の開発者モードを有効にしてください:\nstart ms-settings:developers",
    ),
    "console.evidence": (
        "The console's code page is {page}, not UTF-8 (65001).",
        "コンソールのコードページが UTF-8（65001）ではなく {page} です。",
    ),
    "console.consequence": (
        "jlora writes UTF-8: what is piped to another program or into a file comes out garbled.",
        "jlora の出力は UTF-8 です。ほかのプログラムやファイルへ渡すと文字化けします。",
    ),
    "console.remedy": (
        "switch this console to UTF-8:\n{lines}",
        "このコンソールを UTF-8 に切り替えてください:\n{lines}",
    ),
    "console.lines.powershell": (
        "chcp 65001\n$OutputEncoding = [Console]::OutputEncoding = [Text.Encoding]::UTF8",
        "chcp 65001\n$OutputEncoding = [Console]::OutputEncoding = [Text.Encoding]::UTF8",
    ),
    "console.lines.cmd": ("chcp 65001", "chcp 65001"),
    "console.lines.bash": ("chcp.com 65001", "chcp.com 65001"),
    # Number formats and quantization
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
    "trials.ok": (
        "Tried on {device}, and it works: {names}.",
        "{device} で試して動いたもの: {names}",
    ),
    "compute-fails.evidence": (
        "{trial} was tried on {device} and failed: {detail}",
        "{device} で {trial} を試したところ、失敗しました: {detail}",
    ),
    "compute-fails.consequence": (
        "Training cannot run there.",
        "学習はできません。",
    ),
    "compute-fails.remedy": (
        "restart the computer; if that does not help, install torch anew:\n{lines}",
        "コンピューターを再起動してください。直らない場合は torch を入れ直してください:\n{lines}",
    ),
    "compile-fails.evidence": (
        "torch.compile was tried on {device} and failed: {detail}",
        "{device} で torch.compile を試したところ、失敗しました: {detail}",
    ),
    "compile-fails.consequence": (
        "`compile: true` cannot be used; nothing else needs it.",
        "`compile: true` は使えません。ほかの機能に影響はありません。",
    ),
    "compile-fails.remedy": (
        "leave compile off, or install a C++ compiler (on a GPU, triton needs one too).",
        "compile は無効のままにするか、C++ コンパイラーを入れてください"
        "（GPU では triton もこれを使います）。",
    ),
    "varlen-fails.evidence": (
        "Variable-length attention was tried on {device} and failed: {detail}",
        "{device} で可変長アテンションを試したところ、失敗しました: {detail}",
    ),
    "varlen-fails.consequence": (
        "Packed rows are computed one by one: the same result, slower.",
        "パッキングした行は 1 行ずつ計算します。結果は同じですが、遅くなります。",
    ),
    "varlen-fails.remedy": (
        "train with --attention sdpa.",
        "--attention sdpa で学習してください。",
    ),
    "variable-length.evidence": (
        "{gpu} (compute capability {capability}) is too old for variable-length attention (8.0).",
        "{gpu}（Compute Capability {capability}）は可変長アテンション（8.0 以降）に対応していません。",
    ),
    "variable-length.consequence": (
        "Packed rows are computed one by one: the same result, slower.",
        "パッキングした行は 1 行ずつ計算します。結果は同じですが、遅くなります。",
    ),
    "variable-length.remedy": (
        "leave attention at auto.",
        "attention は auto のままにしてください。",
    ),
    "bitsandbytes-broken.evidence": (
        "bitsandbytes {version} is installed, but {trials} failed when tried: {detail}",
        "bitsandbytes {version} は入っていますが、{trials} を試すと失敗しました: {detail}",
    ),
    "bitsandbytes-broken.consequence": (
        "4-bit or 8-bit training cannot run.",
        "4 ビットまたは 8 ビットの学習は使えません。",
    ),
    "bitsandbytes-broken.remedy": (
        "install it anew, or train with --quantization none:\n{lines}",
        "入れ直すか、--quantization none で学習してください:\n{lines}",
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
}
