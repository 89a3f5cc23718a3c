"""What a person may read about a tokenizer's audit: figures, the stock class."""

MESSAGES: dict[str, tuple[str, str]] = {
    "audit.comma": (", ", "、"),
    "audit.column.what": ("tokenizer", "トークナイザー"),
    "audit.column.figure": ("measured", "測定値"),
    "audit.row.unknown": ("unknown tokens", "未知語トークン"),
    "audit.row.characters": ("unknown characters", "語彙にない文字"),
    "audit.row.bytes": ("byte fallback", "バイト単位のトークン"),
    "audit.row.density": ("characters per token", "1 トークンあたりの文字数"),
    "audit.row.round_trip": ("round trip", "往復の一致"),
    "audit.row.kept": ("survives", "保たれるもの"),
    "audit.row.lost": ("is lost", "失われるもの"),
    "audit.row.ids": ("control ids", "制御トークンの ID"),
    "audit.row.literals": ("control tokens in the text", "本文中の制御トークンの表記"),
    "audit.unknown": (
        "{per_thousand} of 1,000 (prompts {prompts}, answers {answers})",
        "1,000 トークンあたり {per_thousand} 個（プロンプト {prompts}、回答 {answers}）",
    ),
    "audit.unknown_untold": (
        "cannot be counted: the template writes the same id",
        "数えられません（テンプレートが同じ ID を使うため）",
    ),
    "audit.share": ("{share} % of the tokens", "全トークンの {share} %"),
    "audit.round_trip": (
        "{share} % of {rows:,} rows come back exactly as written, {folded} % but for their width",
        "{rows:,} 行のうち {share} % が元の表記のまま復元されます（全角・半角の違いを除けば {folded} %）",
    ),
    "audit.survives.newlines": ("newlines", "改行"),
    "audit.survives.spaces": ("runs of spaces", "連続する空白"),
    "audit.survives.tabs": ("tabs", "タブ"),
    "audit.survives.indentation": ("indentation", "字下げ"),
    "audit.survives.case": ("capitals", "大文字"),
    "audit.survives.width": ("full and half width", "全角・半角の別"),
    "audit.not_distinct": ("not distinct", "重複あり"),
    "audit.outside": ("outside the embedding", "埋め込みの範囲外"),
    "audit.brief": (
        "Tokenizer: unknown {unknown}, byte fallback {bytes} %, {density} characters per token",
        "トークナイザー: 未知語 {unknown}、バイト単位 {bytes} %、1 トークンあたり {density} 文字",
    ),
    "audit.stock_differs": (
        "stock {name} (transformers {version}) would give other ids for {count} of {total} texts; "
        "jlora uses the exact ones",
        "標準の {name}（transformers {version}）では {total} 件中 {count} 件の ID が変わります。"
        "jlora は正確な ID を使います",
    ),
    "audit.stock_same": (
        "stock {name} (transformers {version}) gives the same ids for all {total} texts ({count} differ)",
        "標準の {name}（transformers {version}）でも {total} 件すべて同じ ID です（不一致 {count} 件）",
    ),
    "audit.stock_failed": (
        "not compared with the stock class: {reason}; jlora reads this tokenizer itself",
        "標準のクラスとは比較していません（{reason}）。jlora はこのトークナイザーを自身で読み込みます",
    ),
    "audit.no_transformers": (
        "transformers is not installed (pip install 'jlora[train]')",
        "transformers がインストールされていません。pip install 'jlora[train]' で入ります",
    ),
    "audit.needs_model": (
        "--stock-parity needs --model",
        "--stock-parity には --model が必要です",
    ),
    "help.prepare.stock_parity": (
        "Compare with transformers' AutoTokenizer as well (with --model; imports transformers once).",
        "transformers の AutoTokenizer とも比較します（--model と併用。初回のみ transformers を読み込みます）。",
    ),
}
