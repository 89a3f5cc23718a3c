"""What a person may read about tokenizers and templates."""

MESSAGES: dict[str, tuple[str, str]] = {
    "tokenizer.no_folder": (
        "there is no model folder {folder}.",
        "モデルのフォルダー {folder} がありません。",
    ),
    "tokenizer.no_folder.fix": (
        "check the path; a hub id has the form owner/name.",
        "パスを確認してください。Hub の ID は owner/name の形で指定します。",
    ),
    "tokenizer.no_files": (
        "{folder} has no tokenizer: neither a SentencePiece .model file nor tokenizer.json.",
        "{folder} にトークナイザーがありません。SentencePiece の .model ファイルも "
        "tokenizer.json も見つかりません。",
    ),
    "tokenizer.no_files.fix": (
        "copy spiece.model, tokenizer.model or tokenizer.json (and tokenizer_config.json) "
        "from the model's page into that folder.",
        "モデルの配布元から spiece.model、tokenizer.model、tokenizer.json のいずれかと "
        "tokenizer_config.json をこのフォルダーにコピーしてください。",
    ),
    "tokenizer.broken_model": (
        "{file} is not a whole SentencePiece model.",
        "{file} は完全な SentencePiece モデルではありません。",
    ),
    "tokenizer.broken_model.fix": (
        "download it again; a file of a few lines of text is a Git LFS pointer, "
        "which `git lfs pull` replaces.",
        "ダウンロードし直してください。中身が数行のテキストなら Git LFS のポインターなので、"
        "`git lfs pull` を実行してください。",
    ),
    "tokenizer.broken_json": (
        "{file} cannot be read: {reason}.",
        "{file} を読み取れません: {reason}",
    ),
    "tokenizer.broken_json.fix": (
        "mend the file at that place, or download it again.",
        "示された箇所を直すか、ダウンロードし直してください。",
    ),
    "tokenizer.not_an_object": (
        "{file} holds no JSON object.",
        "{file} の中身が JSON オブジェクトではありません。",
    ),
    "tokenizer.not_an_object.fix": (
        "download it again, or remove it if the model needs none.",
        "ダウンロードし直すか、不要であれば削除してください。",
    ),
    "tokenizer.not_utf8": (
        "{file} is not UTF-8 text (byte {place}).",
        "{file} は UTF-8 のテキストではありません ({place} バイト目)。",
    ),
    "tokenizer.not_utf8.fix": (
        "save it as UTF-8, or download it again.",
        "UTF-8 で保存し直すか、ダウンロードし直してください。",
    ),
    "tokenizer.unreadable": (
        "{file} cannot be opened: {reason}.",
        "{file} を開けません: {reason}",
    ),
    "tokenizer.unreadable.fix": (
        "check that the file is there and that you may read it.",
        "ファイルがあること、読み取り権限があることを確認してください。",
    ),
    "tokenizer.shifted": (
        "{folder} names {name}, whose ids differ from those of its .model file, "
        "and has no tokenizer.json.",
        "{folder} が指定する {name} は .model ファイルと異なる ID を使いますが、"
        "tokenizer.json がありません。",
    ),
    "tokenizer.shifted.fix": (
        "add the model's tokenizer.json to that folder.",
        "そのモデルの tokenizer.json をこのフォルダーに追加してください。",
    ),
    "tokenizer.unexpected": (
        "the tokenizer files of {folder} have an unexpected form: {reason}.",
        "{folder} のトークナイザーのファイルが想定外の形式です: {reason}",
    ),
    "tokenizer.unexpected.fix": (
        "download tokenizer_config.json, added_tokens.json and tokenizer.json again.",
        "tokenizer_config.json、added_tokens.json、tokenizer.json をダウンロードし直してください。",
    ),
    "tokenizer.surrogate": (
        "the text holds half a character, {character}, at place {place} (after “{around}”).",
        "テキストの {place} 文字目 (「{around}」の後) に、文字の片割れ {character} があります。",
    ),
    "tokenizer.surrogate.fix": (
        "remove it, or write the whole character; halves come from cutting emoji or rare "
        "kanji apart as UTF-16.",
        "取り除くか、正しい文字に直してください。UTF-16 の途中で絵文字や漢字を切ると生じます。",
    ),
    "tokens.no_text": (
        "there is no text to tokenize.",
        "トークンに分けるテキストがありません。",
    ),
    "tokens.no_text.fix": (
        "give a TEXT, --input FILE, or pipe a text in: jlora tokens demo 'こんにちは。'",
        "テキスト、--input ファイル、またはパイプで渡してください: "
        "jlora tokens demo 'こんにちは。'",
    ),
    "tokens.two_texts": (
        "TEXT and --input exclude each other.",
        "TEXT と --input は同時に指定できません。",
    ),
    "tokens.bad_input": (
        "{file} cannot be read: {reason}.",
        "{file} を読み取れません: {reason}",
    ),
    "tokens.bad_input.fix": (
        "give a UTF-8 file with one JSON object a line.",
        "1 行に 1 つの JSON オブジェクトを書いた UTF-8 のファイルを指定してください。",
    ),
    "tokens.bad_line": (
        '{file} line {line} is not a JSON object with a string "text".',
        '{file} の {line} 行目は、文字列の "text" をもつ JSON オブジェクトではありません。',
    ),
    "tokens.bad_line.fix": (
        'write every line as {{"text": "..."}}.',
        'どの行も {{"text": "..."}} の形で書いてください。',
    ),
    "tokens.no_rules": (
        "{folder} is no adapter of jlora (it has no jlora.json), so nothing is known of how "
        "its text was treated in training.",
        "{folder} には jlora.json がなく jlora のアダプターではないため、"
        "学習時のテキストの扱いが分かりません。",
    ),
    "tokens.no_rules.fix": (
        "name the adapter folder of a run (RUN/adapter), or leave --as-trained out.",
        "実行結果のアダプターのフォルダー (RUN/adapter) を指定するか、"
        "--as-trained を外してください。",
    ),
    "tokens.needs_train": (
        "--against-stock needs transformers, which is not installed.",
        "--against-stock には transformers が必要ですが、インストールされていません。",
    ),
    "tokens.needs_train.fix": (
        "pip install 'jlora[train]'",
        "pip install 'jlora[train]'",
    ),
    "tokens.stock_failed": (
        "transformers' AutoTokenizer cannot load {folder}: {reason}.",
        "transformers の AutoTokenizer では {folder} を読み込めません: {reason}",
    ),
    "tokens.stock_failed.fix": (
        "leave --against-stock out; jlora itself reads this tokenizer.",
        "--against-stock を外してください。jlora 自体はこのトークナイザーを読み込めます。",
    ),
    "tokens.column.id": ("id", "ID"),
    "tokens.column.piece": ("piece", "ピース"),
    "tokens.column.text": ("text", "テキスト"),
    "tokens.column.stock_id": ("stock id", "標準の ID"),
    "tokens.column.stock_piece": ("stock piece", "標準のピース"),
    "tokens.summary": (
        "{count} tokens from {characters} characters.",
        "{characters} 文字が {count} トークンになりました。",
    ),
    "tokens.decoded_same": (
        "They decode to the same text.",
        "復元したテキストは元と同じです。",
    ),
    "tokens.decoded_differs": (
        "They decode to: {decoded}",
        "復元したテキスト: {decoded}",
    ),
    "tokens.unknown": (
        "{count} of them are the unknown token: the model cannot see those characters.",
        "うち {count} 個は未知語トークンで、モデルにはその文字が見えません。",
    ),
    "tokens.stock_same": (
        "AutoTokenizer gives the same ids.",
        "AutoTokenizer の ID も同じです。",
    ),
    "tokens.stock_differs": (
        "AutoTokenizer gives other ids: {count} tokens, decoded: {decoded}",
        "AutoTokenizer の ID は異なります ({count} トークン)。復元したテキスト: {decoded}",
    ),
    "help.tokens": (
        "Show what the model's own tokenizer makes of a text, without BOS, EOS or any rule.\n\n"
        "Example: jlora tokens demo '髙島屋で🐈を見た。'",
        "モデル自身のトークナイザーがテキストをどう分けるかを表示します "
        "(BOS・EOS や変換規則は適用しません)。\n\n"
        "例: jlora tokens demo '髙島屋で🐈を見た。'",
    ),
    "help.tokens.model": (
        "Model folder, adapter folder, hub id, or demo.",
        "モデルのフォルダー、アダプターのフォルダー、Hub の ID、または demo。",
    ),
    "help.tokens.text": (
        "The text. Without it and without --input, standard input is one text "
        "(its last line break left out).",
        "テキスト。省略して --input もない場合は、標準入力全体を 1 つのテキストとして読みます "
        "(末尾の改行は除きます)。",
    ),
    "help.tokens.input": (
        'JSONL file of {"text": ...}; one JSON line is printed for each.',
        '{"text": ...} を並べた JSONL ファイル。各行の結果を JSON で 1 行ずつ出力します。',
    ),
    "help.tokens.as_trained": (
        "First apply the text rules that the adapter was trained with.",
        "アダプターの学習時と同じ変換規則をテキストに適用してから分けます。",
    ),
    "help.tokens.against_stock": (
        "Show the ids of transformers' AutoTokenizer beside (imports transformers).",
        "transformers の AutoTokenizer の ID を並べて表示します (transformers を読み込みます)。",
    ),
    "help.tokens.json": (
        "Print one JSON document.",
        "JSON 文書を 1 つ出力します。",
    ),
    "prompt.no_card": ("{path} is missing", "{path} がありません"),
    "prompt.no_card.fix": (
        "name a folder that jlora made",
        "jlora が作成したフォルダーを指定してください",
    ),
    "prompt.bad_card": ("{path} cannot be read", "{path} を読めません"),
    "prompt.bad_card.fix": (
        "restore the file from the run that made it",
        "作成元の実行からファイルを取り直してください",
    ),
    "prompt.no_chat_template": (
        "{folder} brings no chat template",
        "{folder} にはチャットテンプレートがありません",
    ),
    "prompt.no_chat_template.fix": (
        "use --template chat-markdown or alpaca-ja",
        "--template chat-markdown か alpaca-ja を使ってください",
    ),
    "prompt.no_template": (
        "there is no template {name}; known are {names}",
        "テンプレート {name} はありません（使えるのは {names}）",
    ),
    "prompt.no_template.fix": ("choose one of them", "この中から選んでください"),
    "prompt.no_eos": (
        "the tokenizer in {folder} names no end token",
        "{folder} のトークナイザーに終了トークンがありません",
    ),
    "prompt.no_eos.fix": (
        "name one as eos_token in tokenizer_config.json; without it no answer ever ends",
        "tokenizer_config.json の eos_token で指定してください。ないと回答が終わりません",
    ),
    "prompt.template_syntax": (
        "the chat template is broken at line {line}: {problem}",
        "チャットテンプレートの {line} 行目に誤りがあります: {problem}",
    ),
    "prompt.template_syntax.fix": (
        "use another with --template chat-markdown",
        "--template chat-markdown など別のものを使ってください",
    ),
    "prompt.template_failed": (
        "{origin}: the template {name} refuses these messages: {problem}",
        "{origin}: テンプレート {name} はこのメッセージを受け付けません: {problem}",
    ),
    "prompt.template_failed.fix": (
        "correct the row, or use another --template",
        "行を修正するか、別の --template を使ってください",
    ),
}
