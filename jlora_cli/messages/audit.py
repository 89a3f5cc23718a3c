"""What a person may read about a tokenizer's audit: figures, findings, the stock class."""

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
    "unknown-tokens.evidence": (
        "{per_thousand} of 1,000 tokens are unknown to this vocabulary "
        "(prompts {prompts}, answers {answers}): {characters}",
        "1,000 トークンあたり {per_thousand} 個が語彙にない文字です"
        "（プロンプト {prompts}、回答 {answers}）: {characters}",
    ),
    "unknown-tokens.consequence": (
        "The model can neither read nor write these characters.",
        "モデルはこれらの文字を読むことも書くこともできません。",
    ),
    "unknown-tokens.remedy": (
        "replace these characters in the data, or choose a model whose vocabulary falls back to bytes",
        "データ中の該当文字を置き換えるか、バイトフォールバックのある語彙のモデルを選んでください",
    ),
    "newlines-lost.evidence": (
        "this tokenizer cannot write newlines; {count} of {total} answers have some",
        "このトークナイザーは改行を表せませんが、{total} 件中 {count} 件の回答に改行があります",
    ),
    "newlines-lost.consequence": (
        "They become spaces: the model learns one-line answers.",
        "改行は空白になり、1 行の回答として学習されます。",
    ),
    "newlines-lost.remedy": (
        "accept it, or choose a model whose tokenizer keeps newlines",
        "そのまま進めるか、改行を保つトークナイザーのモデルを選んでください",
    ),
    "spaces-lost.evidence": (
        "this tokenizer loses {what}; {count} of {total} answers have some",
        "このトークナイザーでは{what}が失われますが、{total} 件中 {count} 件の回答に含まれます",
    ),
    "spaces-lost.consequence": (
        "They shrink to single spaces or nothing: the model learns code and tables out of shape.",
        "空白 1 つになるか消えるため、コードや表が崩れた形で学習されます。",
    ),
    "spaces-lost.remedy": (
        "leave code and tables out of the answers, or choose a model whose tokenizer keeps white space",
        "回答からコードや表を外すか、空白を保つトークナイザーのモデルを選んでください",
    ),
    "case-folded.evidence": (
        "capital letters become small ones; {rows} of {total} rows have some ({answers} in answers)",
        "大文字は小文字になります。{total} 行中 {rows} 行に大文字があります（うち回答 {answers} 件）",
    ),
    "case-folded.consequence": (
        "The model reads and learns small letters only, in training and at inference alike.",
        "学習でも推論でも、モデルは小文字だけを読み書きします。",
    ),
    "case-folded.remedy": (
        "accept it (this base was trained so), or choose a model that keeps capitals",
        "そのまま進めるか（このベースはそう学習されています）、大文字を保つモデルを選んでください",
    ),
    "special-tokens-in-text.evidence": (
        "{rows} of {total} rows spell control tokens out in their text: {literals}",
        "{total} 行中 {rows} 行の本文に制御トークンの表記があります: {literals}",
    ),
    "special-tokens-in-text.consequence": (
        "jlora keeps them text, so the model learns to write them letter by letter; other tools would end or cut an answer there.",
        "jlora ではただの文字列として学習しますが、他のツールではそこで回答が終わったり途切れたりします。",
    ),
    "special-tokens-in-text.remedy": (
        "remove them from the rows unless the text is about them; the template writes the real ones",
        "本文の話題でない限り取り除いてください。本物の制御トークンはテンプレートが書き込みます",
    ),
    "eos-is-pad.evidence": (
        "the end token and the padding token are the same id {token}",
        "終了トークンとパディングトークンが同じ ID {token} です",
    ),
    "eos-is-pad.consequence": (
        "jlora masks padding by position and still trains the end; tools that mask it by id would never teach the model to stop.",
        "jlora はパディングを位置で除外するため終了も学習しますが、ID で除外するツールではモデルが止まり方を学べません。",
    ),
    "eos-is-pad.remedy": (
        "nothing to do here; for other tools name another pad_token in tokenizer_config.json",
        "jlora では対処不要です。他のツールで使うなら tokenizer_config.json の pad_token を別にしてください",
    ),
    "eos-is-unk.evidence": (
        "the end token and the unknown token are the same id {token}",
        "終了トークンと未知語トークンが同じ ID {token} です",
    ),
    "eos-is-unk.consequence": (
        "Unknown characters would teach the model to stop.",
        "未知の文字があるたびに「終了」と学習してしまいます。",
    ),
    "eos-is-unk.remedy": (
        "check the model's tokenizer_config.json",
        "モデルの tokenizer_config.json を確認してください",
    ),
    "template-specials-split.evidence": (
        "the template writes control tokens that this vocabulary does not have (tokens each): {literals}",
        "テンプレートが使う制御トークンがこの語彙にありません（括弧内は分割後のトークン数）: {literals}",
    ),
    "template-specials-split.consequence": (
        "They fall apart into letters, {more} tokens an exchange, and mark no turn for the model.",
        "文字に分かれて 1 往復あたり {more} トークンになり、発話の区切りとして働きません。",
    ),
    "template-specials-split.remedy": (
        "use --template chat-markdown, or the tokenizer files that belong to this template",
        "--template chat-markdown を使うか、このテンプレートに合うトークナイザーのファイルを使ってください",
    ),
    "ids-outside-embedding.evidence": (
        "the tokenizer has {ids} ids, the model's embedding has room for {rows}",
        "トークナイザーの ID は {ids} 個ありますが、モデルの埋め込みは {rows} 個分です",
    ),
    "ids-outside-embedding.consequence": (
        "Training refuses to start: such an id has no vector.",
        "該当する ID にはベクトルがないため、学習を開始できません。",
    ),
    "ids-outside-embedding.remedy": (
        "use the tokenizer files that belong to these weights",
        "この重みに対応するトークナイザーのファイルを使ってください",
    ),
}
