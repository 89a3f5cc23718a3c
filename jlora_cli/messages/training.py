"""What a person may read about plans, preflight and training runs."""

MESSAGES: dict[str, tuple[str, str]] = {
    "train.no_model": ("no model is named", "モデルが指定されていません"),
    "train.no_model.fix": (
        "add --model: a folder, a hub id, or demo for the embedded one",
        "--model にフォルダー、Hub の ID、または同梱モデルの demo を指定してください",
    ),
    "train.no_data": ("no data is named", "データが指定されていません"),
    "train.no_data.fix": (
        "add --data: a file, a prepared folder, a hub id, or demo for the embedded rows",
        "--data にファイル、準備済みフォルダー、Hub の ID、または同梱データの demo を指定してください",
    ),
    "train.not_an_adapter": ("{source} is no adapter", "{source} はアダプターではありません"),
    "train.not_an_adapter.fix": (
        "name a run folder or an adapter folder",
        "実行フォルダーかアダプターフォルダーを指定してください",
    ),
    "train.other_base": (
        "{source} was trained on other weights than those in {base}",
        "{source} は {base} とは別の重みで学習されています",
    ),
    "train.other_base.fix": (
        "name the base of that training with --model",
        "そのアダプターの学習に使ったベースを --model で指定してください",
    ),
    "train.adapter_differs": (
        "the adapter of {source} is of another kind: {settings}",
        "{source} のアダプターの設定が指定と異なります（{settings}）",
    ),
    "train.adapter_differs.fix": (
        "leave these options out, or train a new adapter without --from-adapter",
        "これらのオプションを外すか、--from-adapter なしで新しく学習してください",
    ),
    "train.other_prompt": (
        "{source} was trained with another prompt format; this run goes on with its own",
        "{source} は別のプロンプト形式で学習されています。この実行の形式で続けます",
    ),
    "train.profile": ("Profile {name}: {reason}", "プロファイル {name}: {reason}"),
    "train.plan": (
        "{rows} rows, {tokens} tokens ({supervised} supervised); {steps} steps, warm-up {warmup}, "
        "peak learning rate {rate}; memory about {memory} of {free} GiB",
        "{rows} 行、{tokens} トークン（うち学習対象 {supervised}）。{steps} ステップ、"
        "ウォームアップ {warmup}、最大学習率 {rate}。メモリ約 {memory} / {free} GiB",
    ),
    "train.refused": ("{id}: {what}. {why}", "{id}: {what}。{why}"),
    "train.plan_column": ("plan", "計画"),
    "train.stage.loading": ("loading {model}", "{model} を読み込み中"),
    "train.stage.sample_before": ("{count} answers before training", "学習前の回答 {count} 件"),
    "train.stage.sample_after": ("{count} answers after training", "学習後の回答 {count} 件"),
    "train.stage.training": ("training, {steps} steps", "学習中（{steps} ステップ）"),
    "train.stage.resumed": (
        "resumed after step {step} from {path}",
        "ステップ {step} から再開（{path}）",
    ),
    "train.stopped_early": (
        "stopped after step {step}: the validation loss no longer falls; the best adapter is kept",
        "ステップ {step} で終了: 検証損失が下がらなくなりました。最良のアダプターを保存します",
    ),
    "train.interrupted": (
        "Interrupted and saved. Continue with the same command and --resume --output {output}",
        "中断し、保存しました。同じコマンドに --resume --output {output} を付けると再開できます",
    ),
    "train.finished": (
        "Loss {first} at step 1, {last} over the last 10 of {steps} steps; {seconds} s. "
        "Run folder: {output}\n"
        "Next: jlora chat {output}",
        "損失は最初 {first}、{steps} ステップ中の最後の 10 では {last}（{seconds} 秒）。"
        "実行フォルダー: {output}\n"
        "次のコマンド: jlora chat {output}",
    ),
    "guard.loss_not_finite": (
        "the loss of step {step} is not a number; its rows: {rows}",
        "ステップ {step} の損失が数値になりませんでした。該当行: {rows}",
    ),
    "guard.loss_not_finite.fix": (
        "lower --learning-rate, or try --precision float32; the last checkpoint is kept",
        "--learning-rate を下げるか --precision float32 を試してください（直前のチェックポイントは残ります）",
    ),
    "guard.gradient_not_finite": (
        "the gradient of step {step} is not finite",
        "ステップ {step} の勾配が有限の値になりませんでした",
    ),
    "guard.gradient_not_finite.fix": (
        "lower --learning-rate, or try --precision float32",
        "--learning-rate を下げるか --precision float32 を試してください",
    ),
    "guard.out_of_memory": (
        "memory ran out in step {step}, over {tokens} tokens in {rows} rows",
        "ステップ {step} でメモリが不足しました（{rows} 行、{tokens} トークン）",
    ),
    "guard.out_of_memory.fix": (
        "halve --batch-size and double --gradient-accumulation-steps, or add --gradient-checkpointing; "
        "both learn the same",
        "--batch-size を半分、--gradient-accumulation-steps を 2 倍にするか、--gradient-checkpointing を付けてください"
        "（学習内容は変わりません）",
    ),
    "guard.adapter_dead": (
        "after {step} steps no adapter weight has moved",
        "{step} ステップ経ってもアダプターの重みが変化していません",
    ),
    "guard.adapter_dead.fix": (
        "check the learning rate and --lora-targets",
        "学習率と --lora-targets を確認してください",
    ),
    "checkpoint.cannot_save": (
        "{path} cannot be written: {problem}",
        "{path} を書き込めません: {problem}",
    ),
    "checkpoint.cannot_save.fix": (
        "make room on the disk, then run the same command with --resume; older checkpoints are whole",
        "ディスクの空きを増やし、同じコマンドに --resume を付けてください（以前のチェックポイントは無事です）",
    ),
    "resume.unreadable": (
        "{path} was not written by jlora, or for another adapter: {problem}",
        "{path} は jlora が書いたものでないか、別のアダプター用です: {problem}",
    ),
    "resume.unreadable.fix": (
        "delete that checkpoint and resume from the one before it, or start anew without --resume",
        "そのチェックポイントを削除して一つ前から再開するか、--resume を外して最初から始めてください",
    ),
    "resume.damaged": ("{path} is damaged and is left aside", "{path} は壊れているため使いません"),
    "resume.nothing": (
        "{path} holds no whole checkpoint",
        "{path} に完全なチェックポイントがありません",
    ),
    "resume.nothing.fix": (
        "start anew, without --resume",
        "--resume を外して最初から始めてください",
    ),
    "resume.no_output": ("--resume needs --output RUN", "--resume には --output RUN が必要です"),
    "resume.no_output.fix": (
        "name the folder of the interrupted run",
        "中断した実行のフォルダーを指定してください",
    ),
    "resume.finished": ("{path} is finished already", "{path} は既に完了しています"),
    "resume.finished.fix": (
        "use it, or train into another --output",
        "そのまま使うか、別の --output で学習してください",
    ),
    "resume.differs": (
        "{path} belongs to another run; there and here differ: {names}",
        "{path} は別の実行のものです（異なる値: {names}）",
    ),
    "resume.differs.fix": (
        "resume with the same settings, data and base, or start a new run",
        "同じ設定・データ・ベースで再開するか、新しく始めてください",
    ),
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
    "settle.workers": ("rows are encoded before the run starts", "行は開始前にエンコード済みです"),
    "settle.workers_windows": (
        "starting worker processes on Windows costs more than it saves",
        "Windows ではワーカープロセスの起動コストの方が大きくなります",
    ),
    "settle.optimizer": ("the usual choice", "標準的な選択です"),
    "settle.optimizer_no_cuda": (
        "{asked} needs a CUDA GPU",
        "{asked} には CUDA GPU が必要です",
    ),
    "settle.attention_eager": (
        "{architecture} has no fused attention",
        "{architecture} には融合された注意機構がありません",
    ),
    "settle.from_adapter": ("as in {source}", "{source} と同じ設定です"),
    "settle.attention": (
        "torch's own attention, the fastest that is everywhere",
        "どこでも使える中で最速の torch 標準の注意機構です",
    ),
    "settle.checkpointing_small": (
        "less memory for about a third more time, on a GPU under 30 GiB",
        "30 GiB 未満の GPU では、約 1/3 の時間増でメモリを節約します",
    ),
    "settle.checkpointing_off": ("memory is not short here", "メモリに余裕があります"),
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
    "plan.reason.context_less": (
        "the model's context; {asked} was asked for",
        "モデルの文脈長（指定は {asked}）",
    ),
    "precision-unavailable.evidence": (
        "{asked} was asked for, {instead} is used",
        "{asked} が指定されましたが {instead} を使います",
    ),
    "precision-unavailable.consequence": ("{reason}", "{reason}"),
    "precision-unavailable.remedy": (
        "leave --precision auto",
        "--precision auto のままにしてください",
    ),
    "quantization-unavailable.evidence": (
        "{quantization} needs a CUDA GPU that torch can use; this machine has none",
        "{quantization} には torch から使える CUDA GPU が必要ですが、このマシンにはありません",
    ),
    "quantization-unavailable.consequence": (
        "The base cannot be loaded in it.",
        "ベースをこの形式で読み込めません。",
    ),
    "quantization-unavailable.remedy": (
        "use --quantization none, or run `jlora env-check` if there is a GPU",
        "--quantization none を使うか、GPU があるなら `jlora env-check` を実行してください",
    ),
    "no-supervised-tokens.evidence": (
        "{data}: no token is supervised ({rows} rows, {dropped} dropped)",
        "{data}: 学習対象のトークンがありません（{rows} 行、除外 {dropped} 行）",
    ),
    "no-supervised-tokens.consequence": (
        "The loss would be zero throughout and nothing learned.",
        "損失は常にゼロで、何も学習されません。",
    ),
    "no-supervised-tokens.remedy": (
        "raise --max-length, or check that the rows have assistant turns",
        "--max-length を上げるか、assistant の発話があるか確認してください",
    ),
    "eos-not-supervised.evidence": (
        "{rows} of {total} rows do not train the end token",
        "{total} 行中 {rows} 行で終了トークンが学習対象になっていません",
    ),
    "eos-not-supervised.consequence": (
        "The model would not learn to stop.",
        "モデルが止まり方を学習できません。",
    ),
    "eos-not-supervised.remedy": (
        "use a template that ends answers with the end token",
        "回答を終了トークンで閉じるテンプレートを使ってください",
    ),
    "rows-dropped.evidence": (
        "{count} rows are longer than --max-length and are left out (longest kept: {longest} tokens)",
        "{count} 行が --max-length を超えるため除外されます（残った最長: {longest} トークン）",
    ),
    "rows-dropped.consequence": (
        "Their answers are not learned; a cut answer would teach never to end.",
        "その回答は学習されません。途中で切ると終わり方を学べないため、切らずに除外します。",
    ),
    "rows-dropped.remedy": (
        "raise --max-length up to the model's context, or shorten these rows",
        "モデルの文脈長まで --max-length を上げるか、該当行を短くしてください",
    ),
    "few-rows.evidence": ("only {rows} rows", "データが {rows} 行しかありません"),
    "few-rows.consequence": (
        "The model may learn them by heart and little else.",
        "丸暗記になり、汎化しないおそれがあります。",
    ),
    "few-rows.remedy": (
        "write more rows; 50 change a style",
        "行を増やしてください（文体の変更なら 50 行程度）",
    ),
    "duplicate-rows.evidence": (
        "{count} of {rows} rows stand twice",
        "{rows} 行中 {count} 行が重複しています",
    ),
    "duplicate-rows.consequence": ("They weigh double.", "重複した行が二重に効きます。"),
    "duplicate-rows.remedy": (
        "drop them with `jlora prepare --dedupe`",
        "`jlora prepare --dedupe` で取り除けます",
    ),
    "validation-in-training.evidence": (
        "{count} of {total} validation rows stand in the training rows too",
        "検証データ {total} 行中 {count} 行が学習データにも含まれています",
    ),
    "validation-in-training.consequence": (
        "The validation loss will look better than it is.",
        "検証損失が実際より良く見えます。",
    ),
    "validation-in-training.remedy": (
        "hold rows out with `jlora prepare --validation 0.1`",
        "`jlora prepare --validation 0.1` で検証データを分けてください",
    ),
    "warmup-exceeds-run.evidence": (
        "warm-up of {warmup} steps in a run of {steps}",
        "{steps} ステップの実行に対してウォームアップが {warmup} ステップです",
    ),
    "warmup-exceeds-run.consequence": (
        "The learning rate would reach {rate} instead of {asked}, and the loss hardly fall.",
        "学習率は {asked} ではなく {rate} までしか上がらず、損失がほとんど下がりません。",
    ),
    "warmup-exceeds-run.remedy": (
        "use --warmup-steps {room}",
        "--warmup-steps {room} にしてください",
    ),
    "too-few-steps.evidence": (
        "only {steps} optimizer steps",
        "最適化ステップが {steps} 回しかありません",
    ),
    "too-few-steps.consequence": ("Little can be learned in so few.", "ほとんど学習できません。"),
    "too-few-steps.remedy": (
        "raise --epochs, or lower --batch-size or --gradient-accumulation-steps",
        "--epochs を上げるか、--batch-size や --gradient-accumulation-steps を下げてください",
    ),
    "learning-rate-unusual.evidence": (
        "learning rate {rate}",
        "学習率が {rate} です",
    ),
    "learning-rate-unusual.consequence": (
        "LoRA usually wants 1e-4 to 2e-3: far below it learns little, far above it breaks.",
        "LoRA では通常 1e-4〜2e-3 です。低すぎると学習が進まず、高すぎると壊れます。",
    ),
    "learning-rate-unusual.remedy": (
        "try --learning-rate 2e-4",
        "--learning-rate 2e-4 を試してください",
    ),
    "memory-exceeded.evidence": (
        "about {needed} GiB are needed, {free} GiB are free",
        "約 {needed} GiB 必要ですが、空きは {free} GiB です",
    ),
    "memory-exceeded.consequence": (
        "The run may end for lack of memory.",
        "メモリ不足で終了するおそれがあります。",
    ),
    "memory-exceeded.remedy": (
        "lower --batch-size (now {batch_size}) and raise --gradient-accumulation-steps, or --max-length",
        "--batch-size（現在 {batch_size}）を下げて --gradient-accumulation-steps を上げるか、"
        "--max-length を下げてください",
    ),
    "output-in-use.evidence": (
        "{path} exists and is not empty",
        "{path} は既に存在し、空ではありません",
    ),
    "output-in-use.consequence": (
        "Two runs in one folder would mix their files.",
        "一つのフォルダーに二つの実行が混ざってしまいます。",
    ),
    "output-in-use.remedy": (
        "choose another --output, or continue that run with --resume",
        "別の --output を指定するか、--resume でその実行を続けてください",
    ),
    "targets-match-nothing.refused": (
        "no linear layer is named {names}; this architecture has {known}",
        "{names} という線形層はありません。このアーキテクチャには {known} があります",
    ),
    "targets-match-nothing.refused.fix": (
        "choose among them with --lora-targets, or use auto",
        "--lora-targets でこの中から選ぶか、auto を使ってください",
    ),
    "settle.validation": ("lies beside the data", "データと一緒に置かれています"),
    "settle.targets": ("all linear layers of {architecture}", "{architecture} の全線形層"),
    "targets-match-nothing.evidence": (
        "no linear layer of this architecture is named {names}",
        "このアーキテクチャに {names} という線形層はありません",
    ),
    "targets-match-nothing.consequence": (
        "The adapter would have nothing to attach to.",
        "アダプターを取り付ける先がありません。",
    ),
    "targets-match-nothing.remedy": (
        "choose among {known} with --lora-targets, or use auto",
        "--lora-targets で {known} から選ぶか、auto を使ってください",
    ),
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
    "plan.label.trainable_parameters": ("trainable weights", "学習する重み"),
    "plan.label.memory_gib": ("memory (GiB)", "メモリ（GiB）"),
    "plan.label.available_gib": ("free memory (GiB)", "空きメモリ（GiB）"),
    "plan.memory.runtime": ("runtime", "実行環境"),
    "plan.memory.base_weights": ("base weights", "ベースの重み"),
    "plan.memory.adapter": ("adapter", "アダプター"),
    "plan.memory.gradients": ("gradients", "勾配"),
    "plan.memory.optimizer": ("optimizer", "最適化状態"),
    "plan.memory.activations": ("activations", "活性"),
    "plan.memory.logits": ("logits", "ロジット"),
    "plan.memory.total": ("total", "合計"),
}
