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
    "infer.cannot_read": ("{path} cannot be read: {problem}", "{path} を読めません: {problem}"),
    "infer.cannot_read.fix": (
        "give a JSONL file in UTF-8",
        "UTF-8 の JSONL ファイルを指定してください",
    ),
    "infer.bad_row": (
        '{path} line {line} is neither {{"prompt": ...}} nor {{"messages": [...]}} with a question',
        '{path} の {line} 行目が {{"prompt": ...}} でも、質問を含む {{"messages": [...]}} でもありません',
    ),
    "infer.bad_row.fix": ("correct this line", "この行を修正してください"),
    "infer.written": (
        "{count} answers written to {path}",
        "{count} 件の回答を {path} に書き出しました",
    ),
}
