"""What a person may read of the command line itself: help texts and what every command shares."""

MESSAGES: dict[str, tuple[str, str]] = {
    "help.app": (
        "LoRA fine-tuning of Hugging Face causal language models that gets Japanese right.",
        "日本語を正しく扱う、Hugging Face 因果言語モデルの LoRA ファインチューニング CLI です。",
    ),
    "help.version": ("Show the version and exit.", "バージョンを表示して終了します。"),
    "help.lang": ("Language of messages: en or ja.", "メッセージの言語（en または ja）。"),
    "help.quiet": (
        "Leave out notes and progress; warnings and errors stay.",
        "案内と進捗を表示しません（警告とエラーは表示します）。",
    ),
    "help.debug": (
        "Show the traceback of a refused run.",
        "拒否されたときにトレースバックを表示します。",
    ),
    "help.json": (
        "Print one JSON document on stdout, nothing else.",
        "標準出力に JSON 文書だけを出力します。",
    ),
    "help.default": (" Default: {value}.", "既定値: {value}。"),
    "help.default_else": (
        " Default: the model's own, else {value}.",
        "既定値: モデルの設定、なければ {value}。",
    ),
    "help.required": (" Required.", "必須。"),
    "help.usage": ("Usage", "使い方"),
    "help.any_options": ("[OPTIONS]", "[オプション]"),
    "help.command_and_rest": ("COMMAND ...", "コマンド ..."),
    "help.arguments": ("Arguments", "引数"),
    "help.options": ("Options", "オプション"),
    "help.commands": ("Commands", "コマンド"),
    "help.help": ("Show this page and exit.", "このページを表示して終了します。"),
    "help.install_completion": (
        "Install completion of commands and options in this shell.",
        "このシェルにコマンドとオプションの補完を設定します。",
    ),
    "help.show_completion": (
        "Show the completion script, to copy it.",
        "補完のスクリプトを表示します。",
    ),
    "help.panel.data": ("Model and data", "モデルとデータ"),
    "help.panel.length": ("Length of the run", "学習の長さ"),
    "help.panel.optimizer": ("Optimizer", "最適化"),
    "help.panel.lora": ("LoRA", "LoRA"),
    "help.panel.speed": ("Speed and memory", "速度とメモリ"),
    "help.panel.regularization": ("Regularization and seed", "正則化と乱数"),
    "help.panel.saving": ("Validation, saving and logging", "検証・保存・記録"),
    "help.panel.sampling": ("Sampling", "サンプリング"),
    "help.panel.loading": ("Loading the model", "モデルの読み込み"),
    "help.source": (
        "A run folder, adapter folder, model folder or hub id.",
        "実行フォルダー、アダプターフォルダー、モデルフォルダー、または Hub の ID。",
    ),
    "help.base": (
        "The base model, in place of the one that the adapter remembers.",
        "アダプターに記録されたものの代わりに使うベースモデル。",
    ),
    "help.system": ("A system message.", "システムメッセージ。"),
    "help.max_new_tokens": ("The most tokens of one answer.", "1 回答あたりの最大トークン数。"),
    "help.temperature": (
        "Sampling temperature; 0 is greedy.",
        "サンプリング温度。0 で貪欲法になります。",
    ),
    "help.top_p": (
        "Nucleus sampling: keep this much probability.",
        "nucleus サンプリングの確率質量。",
    ),
    "help.top_k": (
        "Keep the k most probable tokens; 0 keeps all.",
        "確率の高い k 個だけを残します（0 ですべて）。",
    ),
    "help.repetition_penalty": (
        "Above 1 makes repetition less likely.",
        "1 より大きいと繰り返しを抑えます。",
    ),
    "help.no_repeat_ngram_size": (
        "Let no run of N tokens come twice; 0 is off. 2 breaks Japanese: after one sentence in "
        "「ました。」, no other may end so (「朝はパンを食べました。夜は本を読みました。」).",
        "同じ N トークンの並びを繰り返しません（0 で無効）。2 は日本語を壊します。一度「ました。」で終えると、"
        "ほかの文をそう終えられません（例:「朝はパンを食べました。夜は本を読みました。」）。",
    ),
    "help.stop": (
        r"A text that ends an answer and is left out of it; \n is a newline. May be given again.",
        r"回答を終わらせる文字列（回答には含めません）。\n は改行です。複数回指定できます。",
    ),
    "help.seed": ("Seed of the sampling.", "サンプリングの乱数シード。"),
    "help.quantization": (
        "Load the base in 8 or 4 bits (CUDA). Default: as the adapter was trained.",
        "ベースを 8/4 ビットで読み込みます（CUDA）。既定は学習時と同じです。",
    ),
    "help.precision": (
        "Precision of the weights. Default: what the device has.",
        "重みの精度。既定はデバイスに合わせます。",
    ),
    "help.device": ("Device. Default: the best one here.", "デバイス。既定は最良のものです。"),
    "help.train": (
        "Train a LoRA adapter.\n\nExample: jlora train --profile cpu-small --model demo --data demo",
        "LoRA アダプターを学習します。\n\n例: jlora train --profile cpu-small --model demo --data demo",
    ),
    "help.train.profile": (
        "Hardware profile: a name, the path of a YAML file, or auto.",
        "ハードウェアプロファイル（名前、YAML のパス、auto）。",
    ),
    "help.train.set": (
        "Set any setting, as in a profile. May be repeated.",
        "プロファイルと同じ書き方で設定を上書きします。繰り返し可。",
    ),
    "help.train.from_adapter": (
        "Start from an existing adapter instead of a fresh one.",
        "新規ではなく既存のアダプターから始めます。",
    ),
    "help.train.try": (
        "Train once for each value and combination, over one loaded base; the best is kept.",
        "値の組み合わせごとに学習し、最良のアダプターを残します（ベースの読み込みは一度）。",
    ),
    "help.train.allow": (
        "Let a run go on that preflight refuses for this finding; recorded.",
        "この項目で止められる学習を、あえて実行します（記録されます）。",
    ),
    "help.train.dry_run": ("Show the settled plan and stop.", "確定した計画を表示して終了します。"),
    "help.train.measure": (
        "Run a few real steps for the memory and the time that the plan only estimates.",
        "数ステップを実際に実行し、計画のメモリと所要時間を見積もりではなく実測値にします。",
    ),
    "help.train.resume": (
        "Continue the run in --output from its newest whole checkpoint.",
        "--output の実行を、壊れていない最新のチェックポイントから再開します。",
    ),
    "help.infer": (
        "Answer one prompt, or a file of them.\n\n"
        "Example: jlora infer demo --prompt こんにちは --temperature 0",
        "プロンプト 1 件、またはファイルの全件に回答します。\n\n"
        "例: jlora infer demo --prompt こんにちは --temperature 0",
    ),
    "help.infer.prompt": ("The prompt.", "プロンプト。"),
    "help.infer.input": (
        'JSONL or JSON rows of {"prompt": ...} or {"messages": [...]}, or a CSV with a column '
        "prompt. A run that was ended goes on with the same command.",
        '{"prompt": ...} または {"messages": [...]} の JSONL・JSON、または prompt 列のある CSV。'
        "中断した実行は同じコマンドで続きから再開します。",
    ),
    "help.infer.num_samples": (
        "Answers to each prompt, each from a seed of its own; rows gain a list `answers`.",
        "プロンプトごとの回答数。シードは 1 つずつ変わり、行に `answers` の一覧が加わります。",
    ),
    "help.extract": (
        "Take a part of each answer: without outer space, its first line, its JSON, or what a "
        "regular expression finds (its first group). Rows gain `extracted`.",
        "回答の一部を取り出します（前後の空白を除く、先頭行、JSON、正規表現の最初のグループ）。"
        "行に `extracted` が加わります。",
    ),
    "help.output_template": (
        r"Write this in place of JSON. Names in braces stand for the row's keys, its answer (or what "
        r"was extracted of it) and the answer's figures; \n and \t as usual.",
        r"JSON の代わりにこの書式で書き出します。波かっこの中の名前は、行のキー、answer（または取り出した部分）、"
        r"回答の数値に置き換わります（\n と \t も使えます）。",
    ),
    "help.show_probabilities": (
        "Show each token coloured by its probability, and what else was likely.",
        "各トークンを確率で色分けし、ほかの候補も表示します。",
    ),
    "help.infer.html": (
        "Write the probabilities into a page as well.",
        "確率の表示をページにも書き出します。",
    ),
    "help.infer.output": (
        "Where the answered rows go, in input order.",
        "回答を加えた行の出力先（入力順）。",
    ),
    "help.infer.template": (
        "Prompt template; auto is the one of the training, none continues raw text.",
        "プロンプトテンプレート。auto は学習時のもの、none は生テキストの続きを生成します。",
    ),
    "help.infer.batch_size": ("Prompts answered at a time.", "同時に回答する件数。"),
    "help.chat": (
        "Talk with a model; without SOURCE with the newest run.\n\nExample: jlora chat demo",
        "モデルと会話します。SOURCE を省くと最新の実行を使います。\n\n例: jlora chat demo",
    ),
    "help.chat.compare": (
        "Show the base's answer beside the tuned model's at every turn.",
        "毎回、ベースの返答を調整後の返答と並べて表示します。",
    ),
    "help.chat.source": (
        "A run, adapter or model; default: the newest finished run under runs/.",
        "実行・アダプター・モデル。既定は runs/ の最新の完了した実行。",
    ),
    "help.merge": (
        "Merge an adapter into its base and prove that the result answers the same.\n\n"
        "Example: jlora merge runs/my-run --output merged",
        "アダプターをベースに統合し、同じ回答になることを検証します。\n\n"
        "例: jlora merge runs/my-run --output merged",
    ),
    "help.merge.output": ("The folder to write.", "書き出すフォルダー。"),
    "help.merge.dtype": (
        "Precision of the merged weights. Default: the base's own.",
        "統合後の重みの精度。既定はベースと同じです。",
    ),
    "help.merge.verify": (
        "Ask both models every validation prompt of the run (full), eight of them (sample), or "
        "compare nothing (off).",
        "実行の検証用プロンプトの全件（full）または 8 件（sample）を両方に質問して比較します。off で比較しません。",
    ),
    "help.evaluate": (
        "Score a run, adapter or model on held-out rows.\n\n"
        "Example: jlora evaluate demo --data demo-validation",
        "実行・アダプター・モデルを評価用データで採点します。\n\n"
        "例: jlora evaluate demo --data demo-validation",
    ),
    "help.evaluate.data": (
        "The rows: a file, a prepared folder or a hub id.",
        "評価データ（ファイル、準備済みフォルダー、Hub の ID）。",
    ),
    "help.evaluate.compare_base": (
        "Score the base without the adapter as well.",
        "アダプターなしのベースも採点します。",
    ),
    "help.evaluate.expect": (
        "A regular expression to look for in the answers.",
        "回答に含まれるべき正規表現。",
    ),
    "help.profiles": (
        "List the hardware profiles, or show one.\n\nExample: jlora profiles show cpu-small",
        "ハードウェアプロファイルの一覧、または内容を表示します。\n\n例: jlora profiles show cpu-small",
    ),
    "help.profiles.action": ("list or show.", "list または show。"),
    "help.profiles.name": ("The profile to show: a name or a path.", "表示する名前またはパス。"),
    "help.report": (
        "Rebuild the page of a run, or compare several.\n\nExample: jlora report runs/my-run",
        "実行のレポートを作り直し、複数なら比較します。\n\n例: jlora report runs/my-run",
    ),
    "help.report.runs": ("Run folders.", "実行フォルダー。"),
    "help.init": (
        "Write a small project to start from.\n\nExample: jlora init my-project",
        "小さなプロジェクトのひな形を作ります。\n\n例: jlora init my-project",
    ),
    "help.init.folder": ("The folder to write.", "作成するフォルダー。"),
    "help.demo": (
        "Walk the whole path on the embedded base and data, without network.\n\nExample: jlora demo",
        "同梱のモデルとデータで全工程をオフラインで実行します。\n\n例: jlora demo",
    ),
    "help.demo.output": (
        "Where the demo writes. Default: runs/DATE-demo.",
        "出力先。既定は runs/日時-demo。",
    ),
    "help.demo.svg": (
        "Save the final table as an SVG picture.",
        "最後の表を SVG 画像として保存します。",
    ),
    "cli.bad_language": (
        "--lang takes en or ja, not {lang}",
        "--lang は en か ja です（{lang} は不可）",
    ),
    "cli.interrupted": ("Interrupted.", "中断しました。"),
    "screen.remedy": ("→", "→"),
    "screen.trained": ("trained", "学習対象"),
    "screen.masked": ("only read", "読むだけ"),
    "profiles.usage": (
        "`profiles` takes list, or show and a name",
        "`profiles` は list か show 名前 です",
    ),
    "profiles.name": ("profile", "プロファイル"),
    "profiles.fits": ("fits here", "適合"),
    "profiles.description": ("what it is for", "用途"),
    "profiles.reason": (
        "Recommended here: {name} ({reason}).",
        "このマシンでの推奨: {name}（{reason}）。",
    ),
    "init.in_use": ("{path} exists and is not empty", "{path} は既に存在し、空ではありません"),
    "init.in_use.fix": ("choose another folder", "別のフォルダーを指定してください"),
    "init.done": (
        "Project: {folder}\nNext:\n  cd {folder}\n"
        "  jlora prepare data/train.jsonl --validation data/validation.jsonl --output prepared\n"
        "  jlora train --profile profile.yaml --data prepared\n  jlora chat",
        "プロジェクト: {folder}\n次のコマンド:\n  cd {folder}\n"
        "  jlora prepare data/train.jsonl --validation data/validation.jsonl --output prepared\n"
        "  jlora train --profile profile.yaml --data prepared\n  jlora chat",
    ),
    "demo.in_use": ("{path} exists and is not empty", "{path} は既に存在し、空ではありません"),
    "demo.in_use.fix": ("choose another --output", "別の --output を指定してください"),
    "demo.starting": (
        "The whole path, without network. Each line that starts with $ is what you would type.\n"
        "(loading torch takes some seconds)",
        "全工程をオフラインで実行します。$ で始まる行が、実際に入力するコマンドです。\n"
        "（torch の読み込みに数秒かかります）",
    ),
    "demo.stage.checked": ("{cores} cores, {errors} errors", "{cores} コア、エラー {errors} 件"),
    "demo.stage.scores": (
        "perplexity of the held-out answers {before} → {after}; ending in 「にゃ」 {base} → {tuned}",
        "検証データのパープレキシティ {before} → {after}、「にゃ」で終わる回答 {base} → {tuned}",
    ),
    "demo.stage.equal": (
        "largest logit difference {difference}, same text: {same}",
        "ロジットの最大差 {difference}、文章の一致: {same}",
    ),
    "demo.stage.asking": (
        "{count} held-out prompts: tuned, base and merged",
        "学習に使っていない {count} 件に、調整後・ベース・統合後で回答",
    ),
    "demo.column.prompt": ("prompt", "プロンプト"),
    "demo.column.base": ("base", "ベース"),
    "demo.column.tuned": ("tuned", "調整後"),
    "demo.column.merged": ("merged", "統合後"),
    "demo.figures": (
        "Answers ending in 「にゃ」, of {count} held-out prompts: base {base}, tuned {tuned}, "
        "merged {merged}.\nEnded by themselves: {eos}. Largest logit difference after the merge: "
        "{difference}. {seconds} s in all.",
        "学習に含まれない {count} 件で「にゃ」で終わった回答: ベース {base}、調整後 {tuned}、"
        "統合後 {merged}。\n自分で終わった回答: {eos}。統合後のロジットの最大差: {difference}。"
        "全体で {seconds} 秒。",
    ),
    "demo.where": (
        "Run folder: {run}\nReport:     {report}",
        "実行フォルダー: {run}\nレポート:       {report}",
    ),
    "usage.fix": ("see `{command} --help`", "`{command} --help` を見てください"),
    "usage.no_option": (
        "there is no option {name}{hint}",
        "{name} というオプションはありません{hint}",
    ),
    "usage.missing": ("{name} is missing", "{name} が指定されていません"),
    "usage.no_value": ("{name} wants a value", "{name} には値が必要です"),
    "usage.takes_no_value": ("{name} takes no value", "{name} に値は付けられません"),
    "usage.bad_value": ("{name} cannot take this value{reason}", "{name} に使えない値です{reason}"),
    "usage.no_command": (
        "there is no command {name}{hint}",
        "{name} というコマンドはありません{hint}",
    ),
    "usage.extra": ("too many words: {words}", "余分な語があります: {words}"),
}
