"""What a person may read about profiles and run settings."""

MESSAGES: dict[str, tuple[str, str]] = {
    "settings.not_a_number": ("must be a number", "数値を指定してください"),
    "settings.not_finite": ("must be a finite number", "有限の数値を指定してください"),
    "settings.out_of_range": ("must be {bounds}", "{bounds} の範囲で指定してください"),
    "settings.not_an_integer": ("must be a whole number", "整数を指定してください"),
    "settings.not_a_choice": ("must be one of {choices}", "{choices} のいずれかを指定してください"),
    "settings.not_text": ("must be text", "文字列を指定してください"),
    "settings.not_a_list": ("must be a list of names", "名前のリストを指定してください"),
    "settings.not_a_switch": ("must be true or false", "true か false を指定してください"),
    "settings.did_you_mean": ("; did you mean {name}?", "（{name} ではありませんか？）"),
    "settings.unknown": ("no such setting", "そのような設定はありません"),
    "settings.from_default": ("default", "既定値"),
    "settings.bad_options": (
        "these settings cannot be used: {faults}",
        "次の設定は使えません: {faults}",
    ),
    "settings.bad_options.fix": (
        "correct them; `jlora train --help` lists every setting",
        "修正してください。`jlora train --help` に全設定の一覧があります",
    ),
    "settings.bad_set": (
        "--set {text} is not KEY=VALUE",
        "--set {text} は KEY=VALUE の形ではありません",
    ),
    "settings.bad_set.fix": (
        "write it like --set learning_rate=2e-4",
        "--set learning_rate=2e-4 のように書いてください",
    ),
    "settings.set_twice": ("{name} is given twice", "{name} が二度指定されています"),
    "settings.set_twice.fix": ("keep one of the two", "どちらか一方にしてください"),
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
    "profile.empty": ("{path} is empty", "{path} は空です"),
    "profile.empty.fix": (
        "write at least one setting, or `extends: cpu-small`",
        "設定を一つ以上書くか、`extends: cpu-small` と書いてください",
    ),
    "profile.duplicate_key": (
        "{key} stands here again (first on line {first})",
        "{key} が重複しています（最初は {first} 行目）",
    ),
    "profile.unknown_key": ("unknown key {key}", "不明なキー {key}"),
    "profile.secret": (
        "{key} has no place in a file; log in with `hf auth login` instead",
        "{key} はファイルに書かないでください。代わりに `hf auth login` を使います",
    ),
    "profile.use_precision": (
        "{key} is not a key here; write precision: bfloat16 or precision: float16, one of them",
        "{key} というキーはありません。precision: bfloat16 か precision: float16 のどちらかを書きます",
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
    "profile.reason.cpu": (
        "no GPU that the installed torch can use",
        "インストール済みの torch で使える GPU がありません",
    ),
    "profile.reason.gpu": ("{gpu} with {memory} GiB", "{gpu}（{memory} GiB）"),
    "profile.reason.asked": ("asked for by name", "名前で指定されました"),
    "setting.model": (
        "Base model: a folder, a hub id, or demo.",
        "ベースモデル（フォルダー、Hub の ID、demo）。",
    ),
    "setting.data": (
        "Training rows: a file, a prepared folder, a hub id, or demo.",
        "学習データ（ファイル、準備済みフォルダー、Hub の ID、demo）。",
    ),
    "setting.validation": ("Validation rows, named likewise.", "検証データ（指定方法は同じ）。"),
    "setting.template": (
        "Prompt template: auto, model, chat-markdown, alpaca-ja or none.",
        "プロンプトテンプレート（auto、model、chat-markdown、alpaca-ja、none）。",
    ),
    "setting.max_length": ("The most tokens of a row.", "1 行の最大トークン数。"),
    "setting.truncate": (
        "Too long: leave early turns out first (turns), or the row (drop).",
        "長すぎるとき、古い発話から外す（turns）か行ごと外す（drop）か。",
    ),
    "setting.epochs": ("Passes over the rows.", "データを何周するか。"),
    "setting.max_steps": (
        "Optimizer steps, in place of epochs.",
        "エポックの代わりに指定するステップ数。",
    ),
    "setting.batch_size": ("Rows of a micro-batch.", "マイクロバッチの行数。"),
    "setting.gradient_accumulation_steps": (
        "Micro-batches of an optimizer step.",
        "1 ステップあたりのマイクロバッチ数。",
    ),
    "setting.learning_rate": ("Peak learning rate.", "最大学習率。"),
    "setting.lr_scheduler": ("How it falls after warm-up.", "ウォームアップ後の学習率の下げ方。"),
    "setting.warmup_steps": ("Steps of rising learning rate.", "学習率を上げていくステップ数。"),
    "setting.warmup_ratio": (
        "Warm-up as a share of the run, where steps are auto.",
        "warmup_steps が auto のときの全体に対する割合。",
    ),
    "setting.weight_decay": ("AdamW's weight decay.", "AdamW の重み減衰。"),
    "setting.max_grad_norm": ("Gradients are clipped to this norm.", "勾配ノルムの上限。"),
    "setting.optimizer": (
        "Optimizer; the 8-bit ones need CUDA.",
        "最適化手法（8bit は CUDA が必要）。",
    ),
    "setting.precision": ("Precision of weights and arithmetic.", "重みと演算の精度。"),
    "setting.quantization": (
        "Quantize the frozen base (CUDA).",
        "固定したベースの量子化（CUDA）。",
    ),
    "setting.lora_r": ("Rank of the adapter.", "アダプターのランク。"),
    "setting.lora_alpha": ("Scale: alpha / rank.", "スケール（alpha / ランク）。"),
    "setting.lora_dropout": ("Dropout before the adapter.", "アダプター前段のドロップアウト。"),
    "setting.lora_targets": (
        "Layers that get one: auto (all linear), attention, or names.",
        "対象の層（auto は全線形層、attention、または名前）。",
    ),
    "setting.lora_variant": (
        "rslora for high ranks, dora for quality at more time.",
        "rslora は高ランク向け、dora は時間をかけて品質を上げます。",
    ),
    "setting.packing": ("Rows end to end instead of padding.", "パディングせず行を詰めます。"),
    "setting.attention": ("Attention implementation.", "注意機構の実装。"),
    "setting.compile": (
        "torch.compile the model; pays on long GPU runs.",
        "torch.compile（長い GPU 学習向け）。",
    ),
    "setting.gradient_checkpointing": (
        "Less memory for more time.",
        "時間と引き換えにメモリを節約します。",
    ),
    "setting.workers": ("Data-loading processes.", "データ読み込みプロセス数。"),
    "setting.processes": (
        "Processes that train together: auto is one a GPU.",
        "一緒に学習するプロセス数（auto は GPU ごとに 1 つ）。",
    ),
    "setting.seed": (
        "Seed of order, dropout and adapter.",
        "順序・ドロップアウト・初期値の乱数シード。",
    ),
    "setting.evaluation_steps": ("Validate every so many steps.", "検証の間隔（ステップ）。"),
    "setting.checkpoint_steps": ("Save every so many steps.", "保存の間隔（ステップ）。"),
    "setting.keep_checkpoints": ("Checkpoints kept.", "残すチェックポイント数。"),
    "setting.early_stopping_patience": (
        "Stop after more than so many evaluations without gain.",
        "改善しない検証がこの回数を超えたら終了します。",
    ),
    "setting.logging_steps": ("Write metrics every so many steps.", "記録の間隔（ステップ）。"),
    "setting.neftune_alpha": (
        "NEFTune noise on embeddings (5 is usual); helps chat style.",
        "NEFTune の埋め込みノイズ（通常 5）。対話の文体に効きます。",
    ),
    "setting.loraplus_ratio": (
        "LoRA+: learning rate of B over that of A (16 is usual).",
        "LoRA+ の学習率比 B/A（通常 16）。",
    ),
    "setting.base_dropout": (
        "The base's own dropout while training.",
        "学習中のベース側ドロップアウト。",
    ),
    "setting.train_on": ("Assistant turns that are trained.", "学習対象の assistant 発話。"),
    "setting.sample_prompts": (
        "Prompts answered before and after.",
        "学習前後に回答させるプロンプト。",
    ),
    "setting.sample_steps": (
        "Answer them every so many steps too.",
        "学習中にも回答させる間隔（ステップ）。",
    ),
    "setting.output": ("The run folder.", "実行フォルダー。"),
    "profile.about.cpu-small": (
        "small models on a CPU, two cores and up",
        "CPU での小さなモデル（2 コア以上）",
    ),
    "profile.about.surface-cuda": (
        "a laptop GPU of 2 to 6 GB, such as a Surface Book's (Windows too)",
        "Surface Book などノート PC の 2〜6 GB の GPU（Windows も可）",
    ),
    "profile.about.a100-4bit": (
        "a 3.6B model in 4 bits on an A100, or any Ampere GPU with 24 GB",
        "A100、または 24 GB の Ampere 世代 GPU で 3.6B モデルを 4 ビットで",
    ),
    "profile.about.a100": (
        "a 3.6B model in bfloat16 on an A100 (40 or 80 GB)",
        "A100（40/80 GB）で 3.6B モデルを bfloat16 で",
    ),
}
