"""What a person may read about hardware profiles: their faults, what they are for, which one to take."""

MESSAGES: dict[str, tuple[str, str]] = {
    "profile.not_found": (
        "there is no profile {name}; known are: {names}{hint}",
        "プロファイル {name} はありません。使えるのは {names} です{hint}",
    ),
    "profile.not_found.fix": (
        "choose one (`jlora profiles list`), or give the path of a YAML file of your own",
        "`jlora profiles list` から選ぶか、自分の YAML ファイルのパスを指定してください",
    ),
    "profile.no_parent": (
        "{path} extends {name}, which does not exist; known are: {names}{hint}",
        "{path} の extends が指す {name} はありません。使えるのは {names} です{hint}",
    ),
    "profile.no_parent.fix": (
        "extend one of these, or a file beside this one",
        "この中から選ぶか、同じ場所にあるファイルを指定してください",
    ),
    "profile.circle": (
        "{path} extends itself in a circle",
        "{path} の extends が循環しています",
    ),
    "profile.circle.fix": (
        "remove one of the `extends` lines",
        "`extends` の行を一つ削除してください",
    ),
    "profile.fault": ("line {line}: {fault}", "{line} 行目: {fault}"),
    "profile.more_faults": ("; and {count} more", "。ほかに {count} 件"),
    "profile.faults": ("{path}: {faults}", "{path}: {faults}"),
    "profile.faults.fix": (
        "correct these lines; `jlora profiles show cpu-small` shows a file that works",
        "該当行を修正してください。`jlora profiles show cpu-small` で動作する例を確認できます",
    ),
    "profiles.picks": ("picks", "選ぶもの"),
    "profiles.rows": (
        "{batch_size} x {gradient_accumulation_steps} rows of {max_length}",
        "{batch_size} x {gradient_accumulation_steps} 行、{max_length} トークン",
    ),
    "profile.empty": ("{path} is empty", "{path} は空です"),
    "profile.empty.fix": (
        "write at least one setting, or `extends: cpu-small`",
        "設定を一つ以上書くか、`extends: cpu-small` と書いてください",
    ),
    "profile.duplicate_key": (
        "{key} stands here again (first on line {first})",
        "{key} が重複しています（最初は {first} 行目）",
    ),
    "profile.unknown_key": (
        "unknown key {key}, which nothing reads (unused-setting)",
        "不明なキー {key} は読み取られません（unused-setting）",
    ),
    "profile.nested_key": (
        "{key} under {section}: nothing reads it there (unused-setting)",
        "{section}: の下の {key} は読み取られません（unused-setting）",
    ),
    "profile.at_the_top": (
        "; write {own} at the top level",
        "。字下げせずに {own} と書いてください",
    ),
    "profile.secret": (
        "{key} has no place in a file; log in with `hf auth login` instead",
        "{key} はファイルに書かないでください。代わりに `hf auth login` を使います",
    ),
    "profile.output_climbs": (
        "a profile may not write outside the folder jlora runs in; give --output yourself",
        "プロファイルから実行フォルダーの外へは書けません。--output で指定してください",
    ),
    "profile.not_utf8": (
        "{path} line {line} is not UTF-8 (saved as Shift_JIS / cp932?)",
        "{path} の {line} 行目が UTF-8 ではありません（Shift_JIS / cp932 で保存されていませんか）",
    ),
    "profile.not_utf8.fix": (
        "save the file as UTF-8 in your editor",
        "エディターで UTF-8 として保存し直してください",
    ),
    "profile.cannot_read": ("{path} cannot be read: {problem}", "{path} を読めません: {problem}"),
    "profile.cannot_read.fix": (
        "check the file and its permissions",
        "ファイルとその権限を確認してください",
    ),
    "profile.not_a_mapping": (
        "{path} line {line} is not a list of `key: value` lines",
        "{path} の {line} 行目が `キー: 値` の形ではありません",
    ),
    "profile.not_a_mapping.fix": (
        "write one `key: value` a line, like `batch_size: 4`",
        "`batch_size: 4` のように 1 行に 1 つずつ書いてください",
    ),
    "profile.not_yaml": (
        "{path} line {line} is not YAML: {problem}",
        "{path} の {line} 行目が YAML として読めません: {problem}",
    ),
    "profile.not_yaml.fix": (
        "indent with spaces, not tabs, and put Windows paths in single quotes",
        "字下げはタブでなく空白にし、Windows のパスは一重引用符で囲んでください",
    ),
    "profile.too_deep": ("nested too deep", "入れ子が深すぎます"),
    "profile.tag": (
        "the tag {tag} has no place in a profile and is never run",
        "タグ {tag} はプロファイルに書けず、実行もしません",
    ),
    "profile.not_as_tagged": ("cannot be read as {tag}", "{tag} として読めません"),
    "profile.nested": (
        "must be one value or a list of plain values, written flat",
        "単独の値か単純な値のリストで、平らに書いてください",
    ),
    "profile.reason.asked": ("asked for by name", "名前で指定されました"),
    # Why a profile is the one to take.
    "profile.why.multi-gpu": (
        "{count} GPUs ({gpu}, {memory} GiB) share the rows of every step",
        "{count} 個の GPU（{gpu}、{memory} GiB）で各ステップの行を分担します",
    ),
    "profile.why.h200": (
        "{gpu} with {memory} GiB: long rows fit without quantization and checkpointing",
        "{gpu}（{memory} GiB）なら、長い行も量子化や再計算なしで収まります",
    ),
    "profile.why.a100": (
        "{gpu} with {memory} GiB: a 3.6B model fits in bfloat16, which is faster than quantized",
        "{gpu}（{memory} GiB）なら 3.6B モデルが bfloat16 のまま収まり、量子化するより高速です",
    ),
    "profile.why.rtx-24gb": (
        "{gpu} with {memory} GiB: a 3.6B model fits in bfloat16 with checkpointing",
        "{gpu}（{memory} GiB）なら 3.6B モデルが、再計算を使えば bfloat16 のまま収まります",
    ),
    "profile.why.t4": (
        "{gpu} with {memory} GiB: it has float16 but no bfloat16",
        "{gpu}（{memory} GiB）は float16 のみで bfloat16 に対応していません",
    ),
    "profile.why.rtx-12gb-4bit": (
        "{gpu} with {memory} GiB: a 3.6B model fits in 4 bits, with long rows",
        "{gpu}（{memory} GiB）なら 3.6B モデルが 4 ビットで、長い行でも収まります",
    ),
    "profile.why.rtx-8gb-4bit": (
        "{gpu} with {memory} GiB: a 3.6B model fits in 4 bits",
        "{gpu}（{memory} GiB）なら 3.6B モデルが 4 ビットで収まります",
    ),
    "profile.why.surface-cuda": (
        "{gpu} with {memory} GiB: small models fit",
        "{gpu}（{memory} GiB）なら小さなモデルが収まります",
    ),
    "profile.why.apple-mps": (
        "{gpu}, whose GPU shares {memory} GiB with the rest of the Mac",
        "{gpu} の GPU は Mac 本体と {memory} GiB のメモリを共有しています",
    ),
    "profile.why.cpu": (
        "{start}; {cores} cores and {memory} GiB of memory",
        "{start}。CPU は {cores} コア、メモリ {memory} GiB です",
    ),
    "profile.why.cpu-small": (
        "no GPU that the installed torch can use",
        "インストール済みの torch で使える GPU がありません",
    ),
    "profile.why.gpu_unusable": (
        "torch {version} cannot use {gpu}, see `jlora env-check`",
        "torch {version} は {gpu} を使えません。`jlora env-check` を参照してください",
    ),
    "profile.why.gpu_too_small": (
        "{gpu} has only {memory} GiB",
        "{gpu} のメモリは {memory} GiB しかありません",
    ),
    "profile.why.untold": (
        "the driver does not tell how much memory {gpu} has",
        "ドライバーから {gpu} のメモリ量が分かりません",
    ),
    "profile.why.xpu": (
        "training on {gpu} (Intel XPU) has never been tried, so it runs on the CPU",
        "{gpu}（Intel XPU）での学習は未検証のため、CPU で行います",
    ),
    "profile.why.but_bitsandbytes": (
        "; more would fit in 4 bits, but bitsandbytes is not installed",
        "。4 ビットならさらに大きなモデルが収まりますが、bitsandbytes がありません",
    ),
    "profile.why.but_amd": (
        "; AMD GPUs run through torch's CUDA calls, and nobody has tried them here",
        "。AMD の GPU は torch の CUDA 互換機能で動きますが、動作は未検証です",
    ),
    # What a machine lacks for a profile: goes on after "needs".
    "profile.needs.memory": (
        "{memory} GiB of GPU memory; {gpu} has {has}",
        "{memory} GiB の GPU メモリが必要ですが、{gpu} は {has} GiB です",
    ),
    "profile.needs.memory_told": (
        "{memory} GiB of GPU memory; how much {gpu} has, the driver does not tell",
        "{memory} GiB の GPU メモリが必要ですが、{gpu} のメモリ量が分かりません",
    ),
    "profile.needs.precision": (
        "{precision}, which {gpu} does not have",
        "{precision} が必要ですが、{gpu} は対応していません",
    ),
    "profile.needs.gpus": (
        "{count} GPUs that torch can use; there are {has}",
        "torch から使える GPU が {count} 個必要ですが、{has} 個です",
    ),
    "profile.needs.not_windows": (
        "{count} GPUs that processes can share, which Windows does not offer; WSL does",
        "GPU {count} 個を複数プロセスで分担できる環境が必要ですが、Windows では分担できません（WSL では可能です）",
    ),
    "profile.needs.mps": (
        "an Apple silicon Mac and a torch that can use its GPU",
        "Apple シリコンの Mac と、その GPU を使える torch が必要です",
    ),
    "profile.needs.cpu": (
        "{cores} cores and {memory} GiB of memory; here are {has_cores} and {has_memory}",
        "{cores} コアと {memory} GiB のメモリが必要ですが、{has_cores} コア、{has_memory} GiB です",
    ),
    "profile.about.cpu-small": (
        "small models on a CPU, two cores and up",
        "CPU での小さなモデル（2 コア以上）",
    ),
    "profile.about.cpu": (
        "models to about 1B on a CPU with 8 cores and 24 GiB of memory or more",
        "CPU（8 コア・メモリ 24 GiB 以上）での約 1B までのモデル",
    ),
    "profile.about.surface-cuda": (
        "a laptop GPU of 2 to 6 GB, such as a Surface Book's (Windows too)",
        "Surface Book などノート PC の 2〜6 GB の GPU（Windows も可）",
    ),
    "profile.about.t4": (
        "a T4 (Colab) or another GPU of 14 GiB and up without bfloat16",
        "T4（Colab）など、bfloat16 のない 14 GiB 以上の GPU",
    ),
    "profile.about.rtx-8gb-4bit": (
        "a 3.6B model in 4 bits on a GPU of 8 GB (Windows too)",
        "8 GB の GPU で 3.6B モデルを 4 ビットで（Windows も可）",
    ),
    "profile.about.rtx-12gb-4bit": (
        "a 3.6B model in 4 bits with long rows on a GPU of 12 or 16 GB",
        "12〜16 GB の GPU で 3.6B モデルを 4 ビットで、長い行も",
    ),
    "profile.about.rtx-24gb": (
        "a 3.6B model in bfloat16 on a GPU of 24 GB (RTX 3090, 4090, 5090, A10, L4)",
        "24 GB の GPU（RTX 3090・4090・5090、A10、L4）で 3.6B モデルを bfloat16 で",
    ),
    "profile.about.a100-8bit": (
        "a 3.6B model in 8 bits on an A100, or any Ampere GPU with 24 GB",
        "A100、または 24 GB の Ampere 世代 GPU で 3.6B モデルを 8 ビットで",
    ),
    "profile.about.a100-4bit": (
        "a 3.6B model in 4 bits on an A100, or any Ampere GPU with 24 GB",
        "A100、または 24 GB の Ampere 世代 GPU で 3.6B モデルを 4 ビットで",
    ),
    "profile.about.a100": (
        "a 3.6B model in bfloat16 on an A100 or H100 (40 GB and up)",
        "A100・H100（40 GB 以上）で 3.6B モデルを bfloat16 で",
    ),
    "profile.about.h200": (
        "a 3.6B model in bfloat16 with long rows on an H200 (140 GB)",
        "H200（140 GB）で 3.6B モデルを bfloat16 で、長い行も",
    ),
    "profile.about.apple-mps": (
        "small models on the GPU of an Apple silicon Mac",
        "Apple シリコン Mac の GPU での小さなモデル",
    ),
    "profile.about.multi-gpu": (
        "several GPUs of 14 GiB and up in one machine (not on Windows)",
        "1 台に複数ある 14 GiB 以上の GPU（Windows を除く）",
    ),
}
