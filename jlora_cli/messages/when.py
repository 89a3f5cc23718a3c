"""What docs/settings.md says besides `setting.NAME`: when to use what, and the words around it."""

MESSAGES: dict[str, tuple[str, str]] = {
    "when.template": (
        "Leave it at auto: the model's own where it brings one. Name one to go on as an earlier "
        "run began; the adapter keeps it, and answers use the same.",
        "auto のままにします（モデル付属のものがあればそれを使います）。以前の学習と同じ形式で続けるときに"
        "指定します。アダプターに保存され、回答時にも同じものを使います。",
    ),
    "when.max_length": (
        "auto is the model's context. Lower it to save memory: what a batch takes grows with its "
        "longest row.",
        "auto はモデルの文脈長です。バッチの消費メモリは最長の行で決まるため、減らすとメモリを節約できます。",
    ),
    "when.truncate": (
        "turns keeps a long conversation's end and leaves out its beginning; drop where an answer "
        "without the beginning would be wrong. Neither cuts an answer; cut does, and is there only to "
        "repeat a recipe that did.",
        "turns は長い対話の冒頭を外して末尾を残します。冒頭がないと回答が不正確になるデータでは drop に"
        "します。どちらも回答を途中で切りません。cut は切るため、既存のレシピの再現だけに使います。",
    ),
    "when.train_on": (
        "all for conversations that are good throughout; last where earlier answers are context "
        "only, such as rows written by another model.",
        "すべての発話が手本になる対話では all、途中の回答が文脈にすぎない場合（別のモデルの出力など）は last"
        " にします。",
    ),
    "when.epochs": (
        "1 for many thousands of rows, 3 for hundreds, more for a style in some dozens; watch the "
        "validation loss.",
        "数千行以上なら 1、数百行なら 3、数十行で文体を変えるならそれ以上。検証損失を見て決めます。",
    ),
    "when.batch_size": (
        "As much as fits in memory; then `gradient_accumulation_steps` for the rest of the step. "
        "Their product is what learning sees.",
        "メモリに収まる範囲で大きくし、足りない分は gradient_accumulation_steps で補います。学習への影響は"
        "両者の積で決まります。",
    ),
    "when.early_stopping_patience": (
        "Where rows are few and epochs many, with validation rows: 2 or 3. Without validation rows "
        "there is nothing to stop by.",
        "行が少なくエポックが多いとき、検証データがあれば 2〜3 にします。検証データがなければ判断できません。",
    ),
    "when.learning_rate": (
        "2e-4 is usual for LoRA on models of 1B and more; small models and few rows take more, to "
        "2e-3. Lower it where the loss jumps.",
        "1B 以上のモデルの LoRA では 2e-4 が標準です。小さなモデルや少ないデータでは 2e-3 まで上げられます。"
        "損失が跳ねるときは下げます。",
    ),
    "when.warmup_steps": (
        "Leave it at auto, which takes `warmup_ratio` of the run: a number of steps is right for "
        "one size of data only.",
        "auto のままにすると warmup_ratio に従います。ステップ数の直接指定は、特定のデータ量でしか適切に"
        "なりません。",
    ),
    "when.optimizer": (
        "adamw: an adapter's states are small. adamw8bit where the rank is high and memory short; "
        "paged-adamw8bit where it runs out only now and then.",
        "通常は adamw（アダプターの状態は小さいため）。高ランクでメモリが足りなければ adamw8bit、ときどき"
        "足りなくなる程度なら paged-adamw8bit。",
    ),
    "when.lora_r": (
        "8 for a style or a format; 16 to 64 for a new task or many thousands of rows, with rslora "
        "from about 32 on.",
        "文体や書式なら 8。新しいタスクや数千行以上のデータなら 16〜64（32 以上では rslora も検討）。",
    ),
    "when.lora_alpha": (
        "Twice the rank is usual. The adapter is multiplied by alpha / rank, so raise it with the "
        "rank; more of it acts like a higher learning rate.",
        "ランクの 2 倍が標準です。アダプターには alpha / ランクが掛かるため、ランクと一緒に上げます。大きく"
        "すると学習率を上げたような効果があります。",
    ),
    "when.lora_dropout": (
        "0.05 to 0.1 where few rows are seen several times; 0 for one pass over many rows, which is "
        "faster too.",
        "少ない行を何周もするなら 0.05〜0.1。多くの行を 1 周だけなら 0（速くもなります）。",
    ),
    "when.lora_targets": (
        "auto (all linear layers) learns most; attention is smaller and faster and enough for a "
        "style; names only to repeat a recipe that gives them.",
        "auto（全線形層）が最もよく学習します。attention は小さく速く、文体の変更には十分です。層の名前の"
        "指定は、既存のレシピを再現するときだけで十分です。",
    ),
    "when.lora_variant": (
        "lora; rslora from rank 32 on, whose scale does not fade with the rank (alpha / root of "
        "rank); dora where some quality is worth a slower step.",
        "通常は lora。ランク 32 以上なら、ランクが高くてもスケールが小さくなりすぎない rslora（alpha / √ランク）。"
        "速度より品質を優先するなら dora。",
    ),
    "when.loraplus_ratio": (
        "1 is plain LoRA. 16 learns faster at the same cost (LoRA+, Hayou et al. 2024); halve the "
        "learning rate where the loss then jumps.",
        "1 は通常の LoRA です。16 にすると同じ計算量でより速く学習します（LoRA+、Hayou ほか 2024）。損失が"
        "跳ねるなら学習率を半分にします。",
    ),
    "when.precision": (
        "Leave it at auto: bfloat16 from Ampere on, float16 on Volta and Turing, float32 elsewhere. "
        "float32 to rule precision out as the cause of a bad loss.",
        "auto のままにします（Ampere 以降は bfloat16、Volta・Turing は float16、ほかは float32）。損失の異常が"
        "精度のせいか切り分けるときは float32 にします。",
    ),
    "when.quantization": (
        "none where the base fits: it is faster and exact. 4bit where it does not; 8bit is nearer "
        "to the base, and usually slower than both (not measured here).",
        "ベースがそのまま収まるなら none（速く、正確です）。収まらないときは 4bit。8bit は元の重みにより近い"
        "ものの、通常はどちらより遅くなります（未測定）。",
    ),
    "when.packing": (
        "Leave it at auto: on for every architecture that it was proven equal for. false to compare "
        "with a tool that pads.",
        "auto のままにします（同値性を検証済みのアーキテクチャでは有効になります）。パディングするツールと"
        "比べるときは false にします。",
    ),
    "when.attention": (
        "Leave it at auto: varlen (one kernel for all rows) where the GPU has it, else sdpa (row by "
        "row). eager to rule a fused kernel out as the cause of a bad loss; it is slower and takes "
        "more memory.",
        "auto のままにします（GPU が対応していれば全行を 1 つのカーネルで計算する varlen、それ以外は 1 行ずつ計算する "
        "sdpa）。損失の異常が融合カーネルのせいか切り分けるときだけ eager にします（遅く、メモリも多く使います）。",
    ),
    "when.gradient_checkpointing": (
        "true where memory runs out: each step then computes the forward pass twice. Lower "
        "batch_size first if it is above 1.",
        "メモリが足りないときに true（各ステップで順伝播を 2 回計算します）。batch_size が 2 以上なら、まずそれを"
        "下げます。",
    ),
    "when.compile": (
        "Leave it at auto: on for runs of more than about twenty minutes on a CUDA GPU under Linux, "
        "because the first steps are spent compiling.",
        "auto のままにします。最初の数ステップがコンパイルに費やされるため、Linux の CUDA GPU で約 20 分を超える"
        "学習でだけ有効になります。",
    ),
    "when.workers": (
        "Leave it at auto, which is 0: rows are encoded before the run starts.",
        "auto（0）のままにします。行は学習の開始前にエンコード済みです。",
    ),
    "when.processes": (
        "auto or a number where one machine has several GPUs: it saves time, not memory. Rows a "
        "step are then multiplied by it.",
        "1 台に複数の GPU があるとき、auto か数を指定します。時間は節約できますがメモリは減りません。1 ステップの"
        "行数はこの数だけ倍になります。",
    ),
    "when.base_dropout": (
        "Leave it at 0: the base is frozen, and its own dropout costs time and keeps attention from "
        "its fast path. Its training value only to repeat a recipe.",
        "0 のままにします。ベースは固定されており、そのドロップアウトは時間を消費し、注意機構の高速な経路も"
        "使えなくします。既存のレシピを再現するときだけ元の値にします。",
    ),
    "when.neftune_alpha": (
        "5 for chat style from few rows (NEFTune, Jain et al. 2023); 0 for exact formats, facts and "
        "classification.",
        "少ないデータで対話の文体を学ぶなら 5（NEFTune、Jain ほか 2023）。厳密な書式・事実・分類では 0。",
    ),
    "when.report_to": (
        "tensorboard for files in RUN/tensorboard that `tensorboard --logdir` shows on this machine; "
        "wandb for a page of Weights & Biases, to which figures and settings are sent (no text of "
        "the rows; WANDB_MODE=offline sends nothing). Without it, metrics.jsonl holds the same "
        "figures.",
        "tensorboard は RUN/tensorboard に記録し、`tensorboard --logdir` で手元で見られます。wandb は "
        "Weights & Biases に数値と設定を送ります（データの文章は送らず、WANDB_MODE=offline なら何も"
        "送りません）。指定しなくても、同じ値が metrics.jsonl に残ります。",
    ),
    "when.evaluation_steps": (
        "auto is once an epoch; a number where one epoch takes hours.",
        "auto は 1 エポックごとです。1 エポックに何時間もかかるなら数を指定します。",
    ),
    "when.checkpoint_steps": (
        "auto is at most ten a run; lower it where the machine may be taken away, as on Colab.",
        "auto は 1 回の学習で最大 10 回です。Colab のように途中で切断されうる環境では小さくします。",
    ),
    "docs.generated": (
        "Written by `python tools/docs.py` from jlora_cli; edit the messages there.",
        "`python tools/docs.py` が jlora_cli から生成しています。文言は jlora_cli/messages を編集してください。",
    ),
    "docs.settings.title": ("Settings of a run", "学習の設定"),
    "docs.settings.intro": (
        "Each setting has one name: `batch_size:` in a profile, `--batch-size` on the command line, "
        "`batch_size` in run.json. An option beats a profile, a profile beats the default given "
        "here. What is `auto` is settled by the machine, the model or the data; `jlora train "
        "--dry-run` shows every value with its source and reason.",
        "設定の名前は一つです。プロファイルでは `batch_size:`、コマンドラインでは `--batch-size`、run.json では "
        "`batch_size` と書きます。オプションはプロファイルに、プロファイルはここにある既定値に優先します。`auto` は"
        "マシン・モデル・データに応じて決まり、`jlora train --dry-run` ですべての値の由来と理由を確認できます。",
    ),
    "docs.settings.entry": (
        "**`{name}`** ({takes}; default {default}): {what}",
        "**`{name}`**（{takes}、既定値 {default}）: {what}",
    ),
    "docs.settings.when": ("*When:* {when}", "*使いどころ:* {when}"),
    "docs.kind.int": ("a whole number", "整数"),
    "docs.kind.float": ("a number", "数値"),
    "docs.kind.text": ("text", "文字列"),
    "docs.kind.names": ("names, with commas between", "コンマ区切りの名前"),
    "docs.kind.texts": ("texts, as a list in a profile", "文字列（プロファイルではリスト）"),
    "docs.kind.switch": ("true or false", "true か false"),
    "docs.kind.or_auto": ("{kind}, or auto", "{kind}、または auto"),
    "docs.findings.title": ("Findings of a training", "学習前後の指摘"),
    "docs.findings.intro": (
        "What `jlora train` may say before step 1, and while a run goes on. An *error* stops the "
        "run: it could not do what was asked. A *warning* and a *note* are listed and go into the "
        "run's record and report. The quotations show the sentences with their places to fill in.",
        "`jlora train` が最初のステップの前と学習中に表示する指摘の一覧です。**エラー**は実行を止めます"
        "（求められたことができないため）。**警告**と**注記**は一覧に表示され、記録とレポートに残ります。"
        "引用部分は実際の文で、斜体は値が入る場所です。",
    ),
    "docs.findings.error": ("**Error.**", "**エラー**"),
    "docs.findings.warning": ("**Warning.**", "**警告**"),
    "docs.findings.note": ("**Note.**", "**注記**"),
    "docs.findings.allowable": (
        " `--allow {id}` makes it a warning.",
        "（`--allow {id}` で警告になります）",
    ),
    "docs.none": ("none", "なし"),
    "docs.profiles.profile": ("profile", "プロファイル"),
    "docs.profiles.about": ("for", "用途"),
    "docs.profiles.model": ("model it names", "指定しているモデル"),
    "docs.profiles.precision": ("precision", "精度"),
    "docs.profiles.quantization": ("quantization", "量子化"),
    "docs.profiles.rows": ("rows a step", "1 ステップの行数"),
    "docs.profiles.max_length": ("max_length", "max_length"),
    "docs.profiles.checkpointing": ("checkpointing", "再計算"),
    "docs.profiles.yes": ("yes", "あり"),
    "docs.profiles.no": ("no", "なし"),
}
