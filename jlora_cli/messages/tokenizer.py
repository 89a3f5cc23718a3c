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
    "tokenizer.tiktoken": (
        "{file} is a tiktoken vocabulary, which tells neither how text is split nor the special "
        "ids, and there is no tokenizer.json beside it.",
        "{file} は tiktoken の語彙です。テキストの区切り方と特殊トークンの ID が書かれておらず、"
        "tokenizer.json もありません。",
    ),
    "tokenizer.tiktoken.fix": (
        "add the model's tokenizer.json: the edition of the model for transformers (often named "
        "...-hf or ...-HF) has one.",
        "そのモデルの tokenizer.json を追加してください。transformers 用に公開されている版 "
        "(名前が -hf や -HF で終わるものなど) に含まれています。",
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
    "tokenizer.portable": (
        "stock transformers reads the saved tokenizer with the same ids ({count} texts compared); "
        "only a special token written out in a text, such as </s>, becomes its control id there.",
        "保存したトークナイザーは標準の transformers でも同じ ID になります "
        "({count} 件で確認)。ただし本文中の </s> などの特殊トークンの文字列は制御 ID になります。",
    ),
    "tokenizer.not_portable": (
        "the saved folder keeps the original tokenizer files only, because a tokenizer.json for "
        "stock transformers would not give the same ids (first: {example}); jlora reads it exactly.",
        "標準の transformers 向けの tokenizer.json では ID が一致しないため (最初の例: {example})、"
        "元のトークナイザーのファイルだけを保存しました。jlora では正確に読み込めます。",
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
    "tokens.column.figure": ("figure", "項目"),
    "tokens.column.value": ("value", "値"),
    "tokens.row.characters": ("characters", "文字数"),
    "tokens.row.tokens": ("tokens", "トークン数"),
    "tokens.row.per_token": ("characters per token", "1 トークンあたりの文字数"),
    "tokens.row.kinds": ("different ids / vocabulary", "使われた ID / 語彙"),
    "tokens.row.unknown": ("unknown tokens", "未知語トークン"),
    "tokens.row.bytes": ("tokens that are bytes", "バイトのトークン"),
    "tokens.row.newlines": ("newlines lost / in the text", "失われた改行 / 全改行"),
    "tokens.row.unknown_characters": ("unknown characters", "未知の文字"),
    "tokens.row.first": ("first pieces", "先頭のピース"),
    "tokens.share": ("{count} ({share} per 1,000)", "{count} (1,000 あたり {share})"),
    "tokens.more": ("and {count} more", "ほか {count} 種類"),
    "tokens.whole": ("exact (jlora)", "正確な分割 (jlora)"),
    "tokens.part": ("exact (jlora), a part of the text", "正確な分割 (jlora)、テキストの一部"),
    "tokens.stock_block": ("stock: {name}", "標準: {name}"),
    "tokens.kind_changed": ("read in another form", "別の形で読まれる"),
    "tokens.kind_bytes": ("in bytes", "バイト列"),
    "tokens.kind_unknown": ("unknown", "未知語"),
    "tokens.kind_false": ("false token", "偽のトークン"),
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
    "tokens.lost_unknown": (
        "Characters that become the unknown token, which the model cannot see: {count} "
        "({kinds} different): {characters}",
        "未知語トークンになり、モデルには見えない文字: {count} 字 ({kinds} 種類): {characters}",
    ),
    "tokens.lost_newlines": (
        "Newlines that vanish or become spaces: {count}.",
        "消えるか空白になる改行: {count} 個。",
    ),
    "tokens.lost_spaces": (
        "Spaces that vanish: {count}.",
        "消える空白: {count} 個。",
    ),
    "tokens.lost_widths": (
        "Tabs and full-width spaces that become ordinary spaces: {count}.",
        "半角空白に変わるタブと全角空白: {count} 個。",
    ),
    "tokens.lost_forms": (
        "Pieces read in another form (normalization): {count}: {forms}",
        "別の形で読まれるピース (正規化): {count} 個: {forms}",
    ),
    "tokens.stock_same": (
        "The stock class {name} gives the same ids.",
        "標準クラス {name} の ID も同じです。",
    ),
    "tokens.stock_differs": (
        "The stock class {name} gives other ids in {share} % of your chunks ({count} of {all}).",
        "標準クラス {name} では、チャンクの {share} % ({all} 個中 {count} 個) で ID が異なります。",
    ),
    "tokens.stock_false_end": (
        "With the stock class {name}, {share} % of your chunks ({chunks} of {all}) contain a false "
        "end token {literal}: {rate} of 1,000 tokens.",
        "標準クラス {name} では、チャンクの {share} % ({all} 個中 {chunks} 個) に偽の終了トークン "
        "{literal} が入ります (1,000 トークンあたり {rate} 個)。",
    ),
    "tokens.stock_false_token": (
        "With the stock class {name}, {share} % of your chunks ({chunks} of {all}) contain a false "
        "{literal}: {rate} of 1,000 tokens.",
        "標準クラス {name} では、チャンクの {share} % ({all} 個中 {chunks} 個) に偽の {literal} が"
        "入ります (1,000 トークンあたり {rate} 個)。",
    ),
    "tokens.adapter_own": (
        "An adapter for {base} with its own tokenizer files: {file} is read, as it was saved with "
        "the adapter.",
        "{base} のアダプターです。アダプターと一緒に保存された {file} を読みます。",
    ),
    "tokens.adapter_base": (
        "An adapter for {base} without tokenizer files: {file} of that base is read, and no file "
        "tells whether the training used another.",
        "{base} のアダプターで、トークナイザーのファイルがありません。ベースの {file} を読みますが、"
        "学習で別のものを使ったかどうかは、ファイルからは分かりません。",
    ),
    "tokens.no_base": (
        "the adapter in {folder} has no tokenizer files, and its base {base} is not at hand: {reason}",
        "{folder} のアダプターにはトークナイザーのファイルがなく、ベースの {base} も使えません: {reason}",
    ),
    "tokens.no_base.fix": (
        "copy the tokenizer files of {base} into that folder, or name the base: jlora tokens BASE",
        "{base} のトークナイザーのファイルをこのフォルダーにコピーするか、"
        "ベースを直接指定してください: jlora tokens BASE",
    ),
    "tokens.merged": (
        "A model made from {base}: {file} in its folder is read.",
        "{base} から作られたモデルです。同じフォルダーの {file} を読みます。",
    ),
    "tokens.recorded_same": (
        "jlora.json records that the training used exactly this tokenizer.",
        "jlora.json の記録どおり、学習に使われたのはこのトークナイザーです。",
    ),
    "tokens.recorded_other": (
        "jlora.json records another tokenizer than this: these are not the ids of the training.",
        "jlora.json に記録されたトークナイザーとは異なります。ここに出る ID は学習時のものではありません。",
    ),
    "tokens.unknown_is_control": (
        "In {file}, unknown characters are {literal}: a stock class wrote it, and whoever trained "
        "with it trained false {literal} tokens; the base's own .model file gives the true ids.",
        "{file} では未知の文字が {literal} になります。標準クラスが書き出したファイルで、"
        "これで学習すると偽の {literal} を学習します。正しい ID はベースの .model ファイルで得られます。",
    ),
    "tokens.one_picture": (
        "--svg and --html draw one text: give TEXT, standard input or a .txt file.",
        "--svg と --html で描けるのは 1 つのテキストです。TEXT、標準入力、.txt ファイルのいずれかで"
        "渡してください。",
    ),
    "tokens.cannot_write": (
        "{file} cannot be written: {reason}.",
        "{file} に書き込めません: {reason}",
    ),
    "tokens.cannot_write.fix": (
        "name a file in a folder that exists and that you may write to.",
        "書き込める既存のフォルダー内のファイルを指定してください。",
    ),
    "tokens.written": (
        "The picture is in {file}.",
        "図を {file} に保存しました。",
    ),
    "help.tokens": (
        "Show what the model's own tokenizer makes of a text, without BOS, EOS or any rule.\n\n"
        "Example: jlora tokens demo '髙島屋で🐈を見た。'",
        "モデル自身のトークナイザーがテキストをどう分けるかを表示します "
        "(BOS・EOS や変換規則は適用しません)。\n\n"
        "例: jlora tokens demo '髙島屋で🐈を見た。'",
    ),
    "help.tokens.model": (
        "Model, adapter or run folder (of any tool), hub id, or demo.",
        "モデル・アダプター・実行結果のフォルダー (作成ツールは問いません)、Hub の ID、または demo。",
    ),
    "help.tokens.text": (
        "The text. Without it and without --input, standard input is one text "
        "(its last line break left out).",
        "テキスト。省略して --input もない場合は、標準入力全体を 1 つのテキストとして読みます "
        "(末尾の改行は除きます)。",
    ),
    "help.tokens.input": (
        'JSONL file of {"text": ...}: one JSON line is printed for each. A .txt or .md file is one text.',
        '{"text": ...} を並べた JSONL ファイル (結果を 1 行ずつ JSON で出力)。.txt と .md は全体を 1 つの'
        "テキストとして読みます。",
    ),
    "help.tokens.as_trained": (
        "First apply the text rules that the adapter was trained with.",
        "アダプターの学習時と同じ変換規則をテキストに適用してから分けます。",
    ),
    "help.tokens.against_stock": (
        "Show what transformers' AutoTokenizer makes of it beside, false end tokens in red, and how "
        "many chunks of about 200 characters it damages (imports transformers).",
        "transformers の AutoTokenizer の結果を並べ、偽の終了トークンを赤で示し、約 200 文字ごとの"
        "チャンクがどれだけ損なわれるかを数えます (transformers を読み込みます)。",
    ),
    "help.tokens.svg": (
        "Save the coloured pieces as an SVG picture.",
        "色分けしたピースを SVG の図として保存します。",
    ),
    "help.tokens.html": (
        "Save the coloured pieces as an HTML page.",
        "色分けしたピースを HTML のページとして保存します。",
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
