"""What a person may read about scores."""

MESSAGES: dict[str, tuple[str, str]] = {
    "evaluate.no_rows": (
        "no row ends in an answer, there is nothing to compare with",
        "回答で終わる行がなく、比較できません",
    ),
    "evaluate.no_rows.fix": (
        "give rows whose last message is the assistant's",
        "最後のメッセージが assistant の行を指定してください",
    ),
    "evaluate.left_out": (
        "{count} rows left out: without an answer at their end, or too long for the model",
        "{count} 行を除外しました（回答で終わっていないか、モデルの上限を超えています）",
    ),
    "evaluate.all_too_long": (
        "no row fits: with {new} new tokens, each exceeds the model's {context}",
        "新規 {new} トークンを加えると、どの行もモデルの上限 {context} に収まりません",
    ),
    "evaluate.all_too_long.fix": (
        "lower --max-new-tokens or give shorter rows",
        "--max-new-tokens を下げるか、短い行を指定してください",
    ),
    "evaluate.bad_pattern": (
        "--expect {pattern} is no regular expression: {problem}",
        "--expect {pattern} は正規表現ではありません: {problem}",
    ),
    "evaluate.bad_pattern.fix": (
        "escape special characters with a backslash",
        "特殊文字をバックスラッシュでエスケープしてください",
    ),
    "evaluate.no_base": (
        "--compare-base needs an adapter; this is a whole model",
        "--compare-base にはアダプターが必要ですが、これはモデル本体です",
    ),
    "evaluate.no_base.fix": ("leave --compare-base out", "--compare-base を外してください"),
    "evaluate.stage.loading": (
        "loading {model} and its adapter",
        "{model} とアダプターを読み込み中",
    ),
    "evaluate.stage.base": ("the same without the adapter", "アダプターなしでも採点中"),
    "evaluate.score": ("score", "指標"),
    "evaluate.base": ("base", "ベース"),
    "evaluate.tuned": ("tuned", "調整後"),
    "evaluate.model": ("model", "モデル"),
    "evaluate.title": ("{rows} rows", "{rows} 行"),
}
