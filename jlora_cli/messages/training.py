"""What a person may read about training runs."""

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
    "train.settings": ("Settings: {settings}", "設定: {settings}"),
    "train.plan": (
        "{rows} rows, {tokens} tokens ({supervised} supervised); {steps} steps, warm-up {warmup}, "
        "peak learning rate {rate}; memory about {memory} of {free} GiB",
        "{rows} 行、{tokens} トークン（うち学習対象 {supervised}）。{steps} ステップ、"
        "ウォームアップ {warmup}、最大学習率 {rate}。メモリ約 {memory} / {free} GiB",
    ),
    "train.from_cache": (
        "Rows as they were encoded before; JLORA_CACHE_GIB=0 keeps none.",
        "行は以前のエンコード結果を使います（JLORA_CACHE_GIB=0 で保存しません）",
    ),
    "train.refused": ("{id}: {what}. {why}", "{id}: {what}。{why}"),
    "allow.unknown": (
        "--allow {id}: there is no such finding{hint}",
        "--allow {id}: そのような項目はありません{hint}",
    ),
    "allow.unknown.fix": (
        "what can be allowed: {known}",
        "許可できるのは {known} です",
    ),
    "allow.impossible": (
        "--allow {id}: such a run cannot be done at all",
        "--allow {id}: この状態では学習そのものができません",
    ),
    "allow.impossible.fix": (
        "mend what it names; what can be allowed: {known}",
        "指摘された点を直してください。許可できるのは {known} です",
    ),
    "try.fixed": (
        "--try cannot change {names}: base and rows are loaded once",
        "--try では {names} を変えられません。ベースとデータは一度だけ読み込みます",
    ),
    "try.fixed.fix": (
        "start a run for each, or choose among {variable}",
        "それぞれ別に学習するか、{variable} から選んでください",
    ),
    "try.unknown": (
        "--try {text} is not KEY=VALUE,VALUE{hint}",
        "--try {text} は KEY=VALUE,VALUE の形ではありません{hint}",
    ),
    "try.unknown.fix": (
        "write it like --try learning_rate=1e-4,5e-4",
        "--try learning_rate=1e-4,5e-4 のように書いてください",
    ),
    "try.no_validation": (
        "--try compares runs on held-out rows, and there are none",
        "--try は検証データで比べますが、検証データがありません",
    ),
    "try.no_validation.fix": (
        "hold some out with `jlora prepare DATA --validation 0.1 --output DIR`, or name a file with --validation",
        "`jlora prepare DATA --validation 0.1 --output DIR` で分けるか、--validation でファイルを指定してください",
    ),
    "try.not_with": (
        "--try cannot be used with {option}",
        "--try は {option} と一緒に使えません",
    ),
    "try.not_with.fix": (
        "leave one of the two out",
        "どちらか一方を外してください",
    ),
    "try.stage": ("{number} of {of}: {settings}", "{number}/{of}: {settings}"),
    "try.number": ("try", "試行"),
    "try.settings": ("settings", "設定"),
    "try.steps": ("steps", "ステップ"),
    "try.loss": ("training loss", "学習損失"),
    "try.validation": ("validation loss", "検証損失"),
    "try.seconds": ("seconds", "秒"),
    "try.best": (
        "Best: {settings}. Its run folder is {output}; the others keep their records in {tries}.",
        "最良: {settings}。実行フォルダーは {output}、ほかの記録は {tries} にあります。",
    ),
    "try.interrupted": (
        "Interrupted and saved. Continue this try with the same command and, in place of --try, "
        "{words}",
        "中断し、保存しました。同じコマンドの --try の代わりに {words} を付けると、"
        "この試行を再開できます",
    ),
    "train.preview": ("rows as they are trained", "学習される行の例"),
    "train.plan_column": ("plan", "計画"),
    "train.stage.loading": ("loading {model}", "{model} を読み込み中"),
    "train.stage.processes": (
        "{count} processes train together",
        "{count} プロセスで一緒に学習します",
    ),
    "train.stage.sample_before": ("{count} answers before training", "学習前の回答 {count} 件"),
    "train.stage.sample_after": ("{count} answers after training", "学習後の回答 {count} 件"),
    "train.stage.training": ("training, {steps} steps", "学習中（{steps} ステップ）"),
    "train.stage.threads": (
        "{count} of {most} threads from here on: other programs keep {busy} cores busy",
        "ここから {most} スレッドのうち {count} スレッドで計算します"
        "（ほかのプログラムが {busy} コアを使用中）",
    ),
    "train.stage.resumed": (
        "resumed after step {step} from {path}",
        "ステップ {step} から再開（{path}）",
    ),
    "train.stopped_early": (
        "stopped after step {step}: the validation loss no longer falls; the best adapter is kept",
        "ステップ {step} で終了: 検証損失が下がらなくなりました。最良のアダプターを保存します",
    ),
    "train.interrupted": (
        "Interrupted and saved. Continue with the same command and {words}",
        "中断し、保存しました。同じコマンドに {words} を付けると再開できます",
    ),
    "train.finished": (
        "Loss {first} at step 1, {last} over the last {count} of {steps} steps; {seconds} s. "
        "Run folder: {output}\n"
        "Next: jlora chat {typed}",
        "損失は最初 {first}、{steps} ステップ中の最後の {count} では {last}（{seconds} 秒）。"
        "実行フォルダー: {output}\n"
        "次のコマンド: jlora chat {typed}",
    ),
    "train.found": (
        "{evidence}. {consequence} To mend it: {remedy}",
        "{evidence}。{consequence}対処: {remedy}",
    ),
    "train.sample_left_out": (
        "memory ran out over the sample prompt “{prompt}”; it is left out",
        "サンプルプロンプト「{prompt}」の回答中にメモリが不足したため、省きました",
    ),
    "guard.rows": ("{named} and {more} more", "{named}、ほか {more} 行"),
    "guard.loss_not_finite": (
        "the loss of step {step} is not a number; its rows: {rows}",
        "ステップ {step} の損失が数値になりませんでした。該当行: {rows}",
    ),
    "guard.loss_not_finite.fix": (
        "look at these rows, then train anew with a lower --learning-rate or --precision float32",
        "該当行を確認し、--learning-rate を下げるか --precision float32 にして学習し直してください",
    ),
    "guard.gradient_not_finite": (
        "the gradient of step {step} is not finite; its rows: {rows}",
        "ステップ {step} の勾配が有限の値になりませんでした。該当行: {rows}",
    ),
    "guard.gradient_not_finite.fix": (
        "look at these rows, then train anew with a lower --learning-rate or --precision float32",
        "該当行を確認し、--learning-rate を下げるか --precision float32 にして学習し直してください",
    ),
    "guard.steps_skipped": (
        "float16 overflowed in {count} steps in a row, the last one {step}; its rows: {rows}",
        "float16 のオーバーフローで {count} ステップ続けて更新できませんでした（最後はステップ {step}）。"
        "該当行: {rows}",
    ),
    "guard.steps_skipped.fix": (
        "train anew with a lower --learning-rate, or with --precision bfloat16 or float32",
        "--learning-rate を下げるか、--precision を bfloat16 か float32 にして学習し直してください",
    ),
    "guard.scale_at_floor": (
        "float16 still overflows in step {step} with its loss scale down at {scale:g}; its rows: {rows}",
        "ステップ {step} では損失スケールを {scale:g} まで下げても float16 がオーバーフローします。該当行: {rows}",
    ),
    "guard.scale_at_floor.fix": (
        "train anew with --precision bfloat16 or float32",
        "--precision を bfloat16 か float32 にして学習し直してください",
    ),
    "guard.out_of_memory": (
        "memory ran out in step {step} with one row at a time; the longest has {tokens} tokens",
        "ステップ {step} で 1 行ずつにしてもメモリが不足しました（最長の行は {tokens} トークン）",
    ),
    "guard.out_of_memory.fix": (
        "add --gradient-checkpointing, lower --max-length, or use a smaller or quantized base",
        "--gradient-checkpointing を付けるか、--max-length を下げるか、小さいベースや量子化を使ってください",
    ),
    "guard.adapter_dead": (
        "after {step} steps no adapter weight has moved",
        "{step} ステップ経ってもアダプターの重みが変化していません",
    ),
    "guard.adapter_dead.fix": (
        "check the learning rate and --lora-targets",
        "学習率と --lora-targets を確認してください",
    ),
    "guard.result_not_finite": (
        "the adapter is no result: {name} holds numbers that are not finite",
        "アダプターを保存できません: {name} に有限でない値があります",
    ),
    "guard.result_not_finite.fix": (
        "train anew with a lower --learning-rate or --precision float32",
        "--learning-rate を下げるか --precision float32 にして学習し直してください",
    ),
    "guard.result_zero": (
        "the adapter is no result: every lora_B tensor is zero, so it would change nothing",
        "アダプターを保存できません: lora_B がすべてゼロで、何の効果もありません",
    ),
    "guard.result_zero.fix": (
        "check the learning rate and --lora-targets",
        "学習率と --lora-targets を確認してください",
    ),
    "processes.differ": (
        "{asked} processes were asked for, but the launcher started {started}",
        "プロセス数 {asked} の指定に対し、ランチャーが起動したのは {started} です",
    ),
    "processes.differ.fix": (
        "start jlora without a launcher, which then starts them itself, or give both the same number",
        "ランチャーを使わずに起動する（jlora が自分で起動します）か、両方に同じ数を指定してください",
    ),
    "processes.unavailable": (
        "{asked} processes were asked for, but this torch was built without torch.distributed",
        "プロセス数 {asked} が指定されましたが、この torch には torch.distributed がありません",
    ),
    "processes.unavailable.fix": (
        "use --processes 1, or install a torch build with torch.distributed",
        "--processes 1 にするか、torch.distributed を含む torch をインストールしてください",
    ),
    "processes.not_started": (
        "a process that was started to train along ended at once with exit code {code}",
        "一緒に学習するはずのプロセスが起動直後に終了しました（終了コード {code}）",
    ),
    "processes.not_started.fix": (
        "read what it said above; --processes 1 needs no other process",
        "上に表示された内容を確認してください。--processes 1 なら他のプロセスは不要です",
    ),
    "processes.lost": (
        "another process of this run no longer answers: {problem}",
        "この実行の別のプロセスが応答しなくなりました: {problem}",
    ),
    "processes.lost.fix": (
        "read what it said above (without a word it most likely ran out of memory), then continue "
        "from the last checkpoint with --resume",
        "上に表示された内容を確認し（何もなければメモリ不足の可能性が高いです）、"
        "--resume で直前のチェックポイントから再開してください",
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
}
