"""What a person may read about a plan: settled values with their reasons, and its figures."""

MESSAGES: dict[str, tuple[str, str]] = {
    "settle.precision_cpu": (
        "half precision is slower than float32 on this device",
        "このデバイスでは半精度の方が float32 より遅くなります",
    ),
    "settle.precision_bfloat16": ("{gpu} has bfloat16", "{gpu} は bfloat16 に対応しています"),
    "settle.precision_float16": (
        "{gpu} has float16 but no bfloat16",
        "{gpu} は float16 のみで bfloat16 に対応していません",
    ),
    "settle.precision_old": (
        "{gpu} gains nothing from half-precision arithmetic",
        "{gpu} では半精度演算の利点がありません",
    ),
    "settle.precision_mps": (
        "float32 is sure on Apple's GPU; bfloat16 may be asked for (neither was measured)",
        "Apple の GPU では float32 が確実です。bfloat16 も指定できます（どちらも未測定）",
    ),
    "settle.precision_amd": (
        "whether {gpu} is fast in half precision is not known here; it may be asked for",
        "{gpu} の半精度が速いかどうかは未確認です（指定はできます）",
    ),
    "settle.precision_unknown": (
        "the driver does not tell what {gpu} is capable of; half precision may be asked for",
        "ドライバーから {gpu} の能力が分かりません（半精度の指定はできます）",
    ),
    "settle.precision_8bit": (
        "8-bit layers multiply in float16 and would cast every other input",
        "8bit の層は float16 で計算し、ほかの精度の入力を毎回変換するためです",
    ),
    "settle.needs_cuda": (
        "a CUDA GPU that torch can use; this machine has none",
        "torch から使える CUDA GPU が必要ですが、このマシンにはありません",
    ),
    "settle.needs_torch": (
        "a CUDA GPU that torch can use; there is {gpu}, but no torch",
        "torch から使える CUDA GPU が必要です。{gpu} はありますが torch がありません",
    ),
    "settle.needs_cuda_torch": (
        "a CUDA GPU that torch can use; torch {version} cannot use {gpu}",
        "torch から使える CUDA GPU が必要ですが、torch {version} は {gpu} を使えません",
    ),
    "settle.needs_capability": (
        "compute capability {needed} or newer; {gpu} has {has}",
        "Compute Capability {needed} 以上が必要ですが、{gpu} は {has} です",
    ),
    "settle.needs_bitsandbytes": (
        "the package bitsandbytes, which is not installed",
        "bitsandbytes パッケージが必要ですが、インストールされていません",
    ),
    "settle.processes_gpus": (
        "one for each of the {count} GPUs that torch can use",
        "torch から使える {count} 個の GPU に 1 つずつ",
    ),
    "settle.processes_one": (
        "no second GPU that torch can use",
        "torch から使える 2 個目の GPU がありません",
    ),
    "settle.processes_windows": (
        "{count} GPUs, but processes cannot share them on Windows; WSL can",
        "GPU は {count} 個ありますが、Windows では複数プロセスで分担できません（WSL では可能です）",
    ),
    "settle.workers": ("rows are encoded before the run starts", "行は開始前にエンコード済みです"),
    "settle.workers_windows": (
        "starting worker processes on Windows costs more than it saves",
        "Windows ではワーカープロセスの起動コストの方が大きくなります",
    ),
    "settle.processes_launched": (
        "started by a launcher such as torchrun",
        "torchrun などのランチャーから起動されました",
    ),
    "settle.optimizer": ("the usual choice", "標準的な選択です"),
    "settle.optimizer_lack": ("{asked} needs {lack}", "{asked} には {lack}"),
    "settle.attention_eager": (
        "{architecture} caps its scores, which no fused attention does",
        "{architecture} はスコアに上限を設けており、融合アテンションでは計算できません",
    ),
    "settle.attention_unfused": (
        "{architecture} has no fused attention",
        "{architecture} には融合された注意機構がありません",
    ),
    "settle.from_adapter": ("as in {source}", "{source} と同じ設定です"),
    "settle.attention_varlen": (
        "all rows of a pack in one kernel of torch",
        "パック内の全行を torch の 1 つのカーネルで計算します",
    ),
    "settle.attention_sdpa": (
        "row by row in torch's fused attention; one kernel for all rows needs {lack}",
        "torch の融合アテンションで 1 行ずつ計算します（全行を 1 つのカーネルで計算するには {lack}）",
    ),
    "settle.attention_masked": (
        "{architecture} is computed as transformers has it, with a mask",
        "{architecture} は transformers の実装（マスク付き）で計算します",
    ),
    "settle.needs_nvidia": ("an NVIDIA GPU", "NVIDIA の GPU が必要です"),
    "settle.needs_newer_torch": ("torch {version} or newer", "torch {version} 以降が必要です"),
    "settle.needs_half": ("bfloat16 or float16", "bfloat16 か float16 が必要です"),
    "settle.needs_no_dropout": ("base_dropout 0", "base_dropout 0 が必要です"),
    "settle.compile_untried": (
        "torch.compile has not been tried with jlora on {gpu}",
        "{gpu} での torch.compile は jlora で試されていません",
    ),
    "settle.compile_old": (
        "Triton needs compute capability {needed}; {gpu} has {has}",
        "Triton には Compute Capability {needed} が必要です（{gpu} は {has}）",
    ),
    "settle.compile_no_compiler": (
        "torch.compile needs a C compiler, gcc or clang, and there is none here",
        "torch.compile に必要な C コンパイラー（gcc か clang）が見つかりません",
    ),
    "settle.compile_rows": (
        "rows that are computed one by one would be compiled anew for every length",
        "1 行ずつ計算する方式では、長さが変わるたびに再コンパイルになります",
    ),
    "settle.compile_quantized": (
        "bitsandbytes' layers are not compiled",
        "bitsandbytes の層はコンパイルされません",
    ),
    "settle.compile_short": (
        "the run is too short: about {minutes} min, and compiling takes one or two",
        "学習が約 {minutes} 分と短く、コンパイルにかかる 1〜2 分を取り戻せません",
    ),
    "settle.compile_pays": (
        "the run takes about {minutes} min, of which compiling saves more than it costs",
        "学習は約 {minutes} 分かかり、コンパイルの時間より節約の方が大きくなります",
    ),
    "settle.checkpointing_small": (
        "less memory on a GPU under {room} GiB, for one more forward pass at every step",
        "{room} GiB 未満の GPU では、毎ステップ順伝播を 1 回増やしてメモリを節約します",
    ),
    "settle.checkpointing_off": (
        "a GPU of this size has room for every layer's values",
        "この大きさの GPU なら全層の中間値が収まります",
    ),
    "settle.checkpointing_cpu": (
        "a CPU is short of time rather than of memory",
        "CPU ではメモリより計算時間が不足しがちです",
    ),
    "settle.checkpointing_mps": (
        "with dropout it is not exact on Apple's GPU",
        "Apple の GPU では、ドロップアウトと併用すると正確になりません",
    ),
    "settle.compile_windows": (
        "torch.compile needs Triton, which torch does not bring on Windows",
        "torch.compile に必要な Triton が Windows の torch に含まれていません",
    ),
    "settle.compile_cpu": (
        "no gain was seen on a CPU, and the first step took 27 s",
        "CPU では効果が見られず、最初のステップに 27 秒かかりました",
    ),
    "settle.packing_on": (
        "rows end to end, no padding; proven equal for {architecture}",
        "行を詰めて並べ、パディングをなくします（{architecture} で同値性を検証済み）",
    ),
    "settle.packing_off": (
        "not proven for {architecture}: padded to the longest row of a batch",
        "{architecture} では未検証のため、バッチ内の最長行に合わせてパディングします",
    ),
    "settle.template_model": ("the model brings its own", "モデル付属のテンプレートです"),
    "settle.template_rows": ("suits these rows", "データの形に合わせました"),
    "settle.output": ("date and model", "日時とモデル名"),
    "plan.reason.warmup": ("{share} of {steps} steps", "{steps} ステップの {share}"),
    "plan.reason.epoch": ("once an epoch", "1 エポックごと"),
    "plan.reason.no_validation": ("no validation rows", "検証データなし"),
    "plan.reason.checkpoint": ("at most ten a run", "1 回の実行で最大 10 回"),
    "plan.reason.context": ("the model's context", "モデルの文脈長"),
    "plan.reason.percentile": (
        "99 % of the rows are no longer; the longest has {longest} tokens",
        "99 % の行が収まります（最長は {longest} トークン）",
    ),
    "plan.reason.memory": (
        "what memory has room for; the rows want {wanted}",
        "メモリに収まる長さです（データは {wanted} を必要とします）",
    ),
    "plan.reason.context_rows": (
        "the model's context; the rows want {wanted}",
        "モデルの文脈長（データは {wanted} を必要とします）",
    ),
    "plan.reason.context_less": (
        "the model's context; {asked} was asked for",
        "モデルの文脈長（指定は {asked}）",
    ),
    "settle.validation": ("lies beside the data", "データと一緒に置かれています"),
    "settle.targets_renamed": (
        "the attention layers of {architecture}; the profile names another's ({asked})",
        "{architecture} の注意層（プロファイルは別のアーキテクチャの {asked} を指定）",
    ),
    "settle.targets": ("all linear layers of {architecture}", "{architecture} の全線形層"),
    "plan.label.rows": ("training rows", "学習行"),
    "plan.label.tokens": ("tokens", "トークン"),
    "plan.label.supervised_tokens": ("supervised tokens", "学習対象のトークン"),
    "plan.label.padding_share": ("share of padding", "パディングの割合"),
    "plan.label.truncated_rows": ("rows without early turns", "古い発話を外した行"),
    "plan.label.cut_answers": ("cut answers", "途中で切れた回答"),
    "plan.label.dropped_rows": ("rows left out", "除外した行"),
    "plan.label.validation_rows": ("validation rows", "検証行"),
    "plan.label.longest_row": ("longest row (tokens)", "最長の行（トークン）"),
    "plan.label.optimizer_steps": ("optimizer steps", "最適化ステップ"),
    "plan.label.warmup_steps": ("warm-up steps", "ウォームアップ"),
    "plan.label.peak_learning_rate": ("peak learning rate", "最大学習率"),
    "plan.label.epochs": ("epochs", "エポック"),
    "plan.label.base_parameters": ("weights of the base", "ベースの重み"),
    "plan.label.trainable_parameters": ("trainable weights", "学習する重み"),
    "plan.label.adapter_mib": ("adapter on disk", "アダプターの容量"),
    "plan.label.checkpoint_mib": ("a checkpoint on disk", "チェックポイントの容量"),
    "plan.label.download_gib": ("to download", "ダウンロード量"),
    "plan.label.device": ("runs on", "実行デバイス"),
    "plan.label.tokens_per_second": ("tokens a second", "毎秒トークン数"),
    "plan.label.seconds_per_epoch": ("time an epoch", "1 エポックの時間"),
    "plan.label.seconds_total": ("time of the run", "全体の時間"),
    "plan.finish": ("{time}, done at {clock}", "{time}（{clock} 終了予定）"),
    "plan.to_measure": ("– (--measure tells)", "–（--measure で測定）"),
    "plan.nothing": ("nothing", "なし"),
    "plan.share": ("{count} ({share} of all)", "{count}（全体の {share}）"),
    "plan.total_estimated": ("{size}, estimated", "{size}（見積もり）"),
    "plan.total_measured": ("{size}, measured", "{size}（実測）"),
    "plan.free_unknown": ("unknown", "不明"),
    "measure.random": (
        "making random weights in the shape of {model}",
        "{model} と同じ形の乱数の重みを作成中",
    ),
    "measure.heaviest": (
        "measuring memory: the heaviest batch, {rows} rows of {tokens} tokens",
        "メモリを測定中: 最も重いバッチ（{rows} 行、{tokens} トークン）",
    ),
    "measure.typical": (
        "measuring speed over the run's first steps",
        "速度を測定中: 学習の最初の数ステップ",
    ),
    "measure.out_of_memory": (
        "memory ran out over {rows} rows of up to {tokens} tokens",
        "{rows} 行（最大 {tokens} トークン）でメモリが不足しました",
    ),
    "measure.out_of_memory.fix": (
        "halve --batch-size and double --gradient-accumulation-steps, or add "
        "--gradient-checkpointing true; both learn the same",
        "--batch-size を半分、--gradient-accumulation-steps を 2 倍にするか、"
        "--gradient-checkpointing true を付けてください（学習内容は変わりません）",
    ),
    "plan.label.memory_gib": ("memory", "メモリ"),
    "plan.label.available_gib": ("free memory", "空きメモリ"),
    "plan.memory.runtime": ("runtime", "実行環境"),
    "plan.memory.base_weights": ("base weights", "ベースの重み"),
    "plan.memory.adapter": ("adapter", "アダプター"),
    "plan.memory.gradients": ("gradients", "勾配"),
    "plan.memory.optimizer": ("optimizer", "最適化状態"),
    "plan.memory.activations": ("activations", "活性値"),
    "plan.memory.logits": ("logits", "ロジット"),
    "plan.memory.rows": ("rows", "行データ"),
    "plan.memory.workspace": ("workspace", "作業領域"),
    "plan.memory.heap": ("freed and kept", "解放後の保持分"),
    "plan.memory.loading": ("loading", "読み込み"),
    "plan.memory.total": ("total", "合計"),
}
