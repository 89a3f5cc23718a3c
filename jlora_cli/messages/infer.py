"""What a person may read about answering: one prompt, or a file of them."""

MESSAGES: dict[str, tuple[str, str]] = {
    "generation.empty_prompt": ("the prompt is empty", "プロンプトが空です"),
    "generation.empty_prompt.fix": ("write something", "何か入力してください"),
    "generation.too_long": (
        "{prompt} prompt tokens and {new} new ones do not fit into the model's {context}",
        "プロンプト {prompt} トークンと新規 {new} トークンは、モデルの上限 {context} に収まりません",
    ),
    "generation.too_long.fix": (
        "shorten the prompt or lower --max-new-tokens",
        "プロンプトを短くするか --max-new-tokens を下げてください",
    ),
    "generation.no_such": (
        "{option} {value} is not known",
        "{option} {value} は使えません",
    ),
    "generation.no_such.fix": ("use one of {known}", "{known} のいずれかを指定してください"),
    "generation.other_base": (
        "{path} was trained on other weights than those of {base}: expect poor answers, and name "
        "the base of the training with --base",
        "{path} は {base} とは別の重みで学習されています。回答の質は期待できません。"
        "学習時のベースを --base で指定してください",
    ),
    "generation.no_quantization": (
        "{quantization} needs a CUDA GPU; the device is {device}",
        "{quantization} には CUDA GPU が必要です（デバイスは {device}）",
    ),
    "generation.no_quantization.fix": (
        "use --quantization none",
        "--quantization none を使ってください",
    ),
    "sampling.used": ("Sampling: {parts}", "サンプリング: {parts}"),
    "sampling.part": ("{values} ({source})", "{values}（{source}）"),
    "sampling.source.option": ("as asked", "指定"),
    "sampling.source.model": ("the model's own", "モデルの設定"),
    "sampling.source.recipe": ("known of this model", "このモデルの推奨"),
    "sampling.source.default": ("default", "既定"),
    "sampling.no_such": (
        "there is no setting {name}{hint}",
        "{name} という設定はありません{hint}",
    ),
    "sampling.no_such.fix": ("use one of {known}", "次のいずれかを指定してください: {known}"),
    "sampling.bad_value": (
        "{name} cannot take this value: {value}",
        "{name} に使えない値です: {value}",
    ),
    "sampling.bad_value.fix": ("give {range}", "{range}を指定してください"),
    "sampling.whole_number": ("a whole number", "整数"),
    "sampling.number": ("a number", "数値"),
    "sampling.from": ("{number} from {least} up", "{least} 以上の{number}"),
    "sampling.between": (
        "{number} from {least} to {greatest}",
        "{least} から {greatest} までの{number}",
    ),
    "infer.prompt_or_input": (
        "give either --prompt or --input",
        "--prompt と --input のどちらか一方を指定してください",
    ),
    "infer.input_needs_output": (
        "--input and --output belong together",
        "--input と --output は一緒に指定してください",
    ),
    "infer.output_in_use": ("{path} exists already", "{path} は既に存在します"),
    "infer.output_in_use.fix": ("choose another --output", "別の --output を指定してください"),
    "infer.no_folder": (
        "the folder of {path} does not exist",
        "{path} の親フォルダーがありません",
    ),
    "infer.no_folder.fix": (
        "create it, or choose another --output",
        "フォルダーを作成するか、別の --output を指定してください",
    ),
    "infer.row_too_long": (
        "{path} line {line}: the prompt and --max-new-tokens exceed the model's context",
        "{path} の {line} 行目: プロンプトと --max-new-tokens の合計がモデルの上限を超えています",
    ),
    "infer.row_too_long.fix": (
        "shorten this row or lower --max-new-tokens",
        "この行を短くするか --max-new-tokens を下げてください",
    ),
    "infer.probabilities_of_one": (
        "--show-probabilities and --html go with --prompt",
        "--show-probabilities と --html は --prompt と一緒に指定してください",
    ),
    "infer.same_samples": (
        "{count} samples would be {count} times the same answer: the temperature is 0",
        "温度が 0 なので、{count} 件とも同じ回答になります",
    ),
    "infer.same_samples.fix": (
        "raise --temperature, or leave --num-samples out",
        "--temperature を上げるか、--num-samples を外してください",
    ),
    "infer.bad_extract": ("--extract {kind} is not known", "--extract {kind} は使えません"),
    "infer.bad_extract.fix": ("use one of {known}", "{known} のいずれかを指定してください"),
    "infer.bad_pattern": (
        "--extract: {pattern} is no regular expression: {problem}",
        "--extract: {pattern} は正規表現ではありません: {problem}",
    ),
    "infer.bad_pattern.fix": (
        "escape special characters with a backslash",
        "特殊文字をバックスラッシュでエスケープしてください",
    ),
    "infer.bad_template": (
        "--output-template {template} cannot be read: {problem}",
        "--output-template {template} を解釈できません: {problem}",
    ),
    "infer.bad_template.fix": (
        "write a literal brace twice",
        "波かっこそのものを書くときは、二重に書いてください",
    ),
    "infer.bad_field": (
        "--output-template {template}: {{{name}}} is no name of a key",
        "--output-template {template}: {{{name}}} はキーの名前ではありません",
    ),
    "infer.bad_field.fix": (
        "write the plain name of a key, such as {{answer}}",
        "{{answer}} のように、キーの名前だけを書いてください",
    ),
    "infer.no_field": (
        "--output-template names {{{name}}}, which {where} has not",
        "--output-template の {{{name}}} が {where} にありません",
    ),
    "infer.no_field.fix": (
        "use {{answer}}, {{prompt}}, {{finish_reason}} or a key that every row has",
        "{{answer}}、{{prompt}}、{{finish_reason}}、または全行にあるキーを使ってください",
    ),
    "infer.other_journal": (
        "{path} belongs to a run with other settings: {names} differ",
        "{path} は設定の異なる実行のものです（相違: {names}）",
    ),
    "infer.other_journal.fix": (
        "repeat that run's command to go on, or delete the file to begin anew",
        "続けるには元と同じコマンドを実行し、やり直すにはこのファイルを削除してください",
    ),
    "infer.bad_journal": (
        "{path} is no journal of answers, or was changed",
        "{path} は回答の記録ではないか、書き換えられています",
    ),
    "infer.bad_journal.fix": (
        "delete it to begin anew",
        "最初からやり直すには、このファイルを削除してください",
    ),
    "infer.stage.resuming": (
        "{done} of {total} rows are answered already; going on",
        "{total} 行中 {done} 行は回答済みです。続きから再開します",
    ),
    "infer.kept": (
        "What is answered is kept in {path}; the same command goes on.",
        "回答済みの分は {path} に残っています。同じコマンドで続きから再開できます。",
    ),
    "infer.not_extracted": (
        "in {count} answers, --extract found nothing",
        "{count} 件の回答から --extract で何も取り出せませんでした",
    ),
    "infer.page_written": ("Page written to {path}", "ページを {path} に書き出しました"),
    "odds.title": ("Answer by probability", "確率で色分けした回答"),
    "odds.column.token": ("token", "トークン"),
    "odds.column.probability": ("probability", "確率"),
    "odds.column.others": ("instead of it", "ほかの候補"),
    "odds.part": ("(part of a character)", "（文字の一部）"),
    "generation.unquantized": (
        "trained in {quantization}, answering in full precision: {why}",
        "{quantization} で学習されていますが、量子化せずに回答します（{why}）",
    ),
    "generation.why_device": (
        "the device is {device}, not a CUDA GPU",
        "デバイスが CUDA GPU ではなく {device} です",
    ),
    "generation.why_package": (
        "bitsandbytes is not installed",
        "bitsandbytes がインストールされていません",
    ),
    "infer.written": (
        "{count} answers written to {path}",
        "{count} 件の回答を {path} に書き出しました",
    ),
}
