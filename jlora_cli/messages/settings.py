"""What a person may read about the settings of a run."""

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
    "settings.write_instead": ("; write {own} instead", "。代わりに {own} と書いてください"),
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
        "Too long: leave out early turns first (turns), the row (drop), or cut its end (cut).",
        "長すぎる行: 古い発話から外す（turns）、行ごと外す（drop）、末尾を切る（cut）。",
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
        "Training processes, one a GPU; auto is every GPU.",
        "学習プロセス数（GPU ごとに 1 つ、auto は全 GPU）。",
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
    "setting.report_to": (
        "Draw curves elsewhere too (both: with a comma between).",
        "他のツールにも記録します（両方はコンマ区切り）。",
    ),
    "setting.output": ("The run folder.", "実行フォルダー。"),
}
