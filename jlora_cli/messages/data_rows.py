"""What is wrong with a row, and its remedy: "data.row." and the reason that is counted."""

MESSAGES: dict[str, tuple[str, str]] = {
    "data.row.not_decodable": (
        "the bytes are not {encoding} (byte {byte} at position {column})",
        "{encoding} として読めないバイトがあります（{column} バイト目の {byte}）",
    ),
    "data.row.not_decodable.fix": (
        "write this line again; the character there was damaged.",
        "その文字が壊れています。この行を書き直してください。",
    ),
    "data.row.unknown_columns": (
        "its columns are of no known format ({seen})",
        "列の組み合わせが既知の形式ではありません（{seen}）",
    ),
    "data.row.unknown_columns.fix": (
        "delete the row, or name its columns with --map.",
        "その行を削除するか、--map で列名を対応させてください。",
    ),
    "data.row.unmapped": (
        'no "{key}", which --map names for {name} (its keys: {seen})',
        "--map で {name} に対応させた「{key}」がありません（キー：{seen}）",
    ),
    "data.row.unmapped.fix": (
        "name a column that is there, or delete the row.",
        "実際にある列名を指定するか、その行を削除してください。",
    ),
    "data.row.second_list": (
        "the document holds a second list of objects",
        "JSON の中に、行になり得るリストが 2 つあります",
    ),
    "data.row.second_list.fix": (
        "put each list into a file of its own.",
        "リストごとに別のファイルに分けてください。",
    ),
    "data.row.long_row": (
        "a row that begins here is longer than {mib} million characters, or never ends",
        "ここから始まる行が {mib} 百万文字を超えているか、終わりがありません",
    ),
    "data.row.long_row.fix": (
        "close its brackets and quotes, or split it.",
        "かっこと引用符を閉じるか、行を分けてください。",
    ),
    "data.row.long_passage": (
        "a passage without a blank line is longer than {mib} million characters",
        "空行のない文章が {mib} 百万文字を超えています",
    ),
    "data.row.long_passage.fix": (
        "put blank lines between the passages.",
        "文章の切れ目に空行を入れてください。",
    ),
    "data.row.not_an_object": (
        'a row must be a JSON object like {{"messages": [...]}}, this is {kind}',
        '行は {{"messages": [...]}} のような JSON オブジェクトでなければなりませんが、{kind}です',
    ),
    "data.row.not_an_object.fix": (
        "write the row as an object with named columns, or delete the line.",
        "列名を持つオブジェクトとして書くか、その行を削除してください。",
    ),
    "data.row.duplicate_key": ('the key "{key}" stands twice', "キー「{key}」が 2 回現れます"),
    "data.row.duplicate_key.fix": (
        "keep one of the two: readers of JSON disagree on which one counts.",
        "どちらか一方だけを残してください。どちらが有効かは読み手によって異なります。",
    ),
    "data.row.not_a_number": ("{word} is not JSON", "{word} は JSON では使えません"),
    "data.row.not_a_number.fix": (
        'write "" or leave the column out; pandas writes it for empty cells (use fillna("")).',
        '"" と書くか、その列を省いてください。pandas が空のセルに書き出す値です（fillna("") '
        "を使います）。",
    ),
    "data.row.number_too_large": ("a number is too large to read", "数値が大きすぎて読めません"),
    "data.row.number_too_large.fix": (
        "write it as text, in quotes, or leave the column out.",
        "引用符で囲んで文字列にするか、その列を省いてください。",
    ),
    "data.row.too_deep": ("brackets are nested too deeply", "かっこの入れ子が深すぎます"),
    "data.row.too_deep.fix": (
        "delete this line: no training row looks like that.",
        "この行を削除してください。学習データとしてあり得ない形です。",
    ),
    "data.row.single_quotes": (
        'column {column} has a single quote where JSON wants "',
        '{column} 文字目が単一引用符です。JSON では " を使います',
    ),
    "data.row.single_quotes.fix": (
        "write the rows with json.dumps(row, ensure_ascii=False), not with str(row) or print(row).",
        "str(row) や print(row) ではなく json.dumps(row, ensure_ascii=False) で書き出してくだ"
        "さい。",
    ),
    "data.row.fullwidth_sign": (
        'column {column} has the full-width or curly sign {sign} ({code}) where JSON wants "'
        '{plain}"',
        "{column} 文字目が全角または飾りの記号 {sign}（{code}）です。JSON では半角の「{plain}」"
        "を使います",
    ),
    "data.row.fullwidth_sign.fix": (
        'replace {sign} by the half-width "{plain}".',
        "{sign} を半角の「{plain}」に直してください。",
    ),
    "data.row.python_word": (
        "column {column} has Python's {word}, which is not JSON",
        "{column} 文字目の {word} は Python の書き方で、JSON ではありません",
    ),
    "data.row.python_word.fix": (
        "write null, true or false; json.dumps does it for you.",
        "null、true、false と書いてください。json.dumps を使えば自動でそうなります。",
    ),
    "data.row.control_in_json": (
        "column {column} has a raw control character ({code}) inside a text",
        "{column} 文字目に制御文字（{code}）がそのまま入っています",
    ),
    "data.row.control_in_json.fix": (
        "delete it, or write a newline as \\n and a tab as \\t.",
        "削除するか、改行は \\n、タブは \\t と書いてください。",
    ),
    "data.row.cut_off": (
        "the JSON breaks off at column {column}: a text or bracket is never closed",
        "{column} 文字目で JSON が途切れています。文字列またはかっこが閉じていません",
    ),
    "data.row.cut_off.fix": (
        "close it, or fetch the file again: an interrupted download ends like this.",
        "閉じるか、ファイルを取り直してください。ダウンロードが中断されるとこうなります。",
    ),
    "data.row.trailing_comma": (
        "column {column}: a comma stands before a closing bracket",
        "{column} 文字目：閉じかっこの前に余分なカンマがあります",
    ),
    "data.row.trailing_comma.fix": ("delete that comma.", "そのカンマを削除してください。"),
    "data.row.missing_comma": (
        "column {column}: a comma is missing before this, or a text was closed too early",
        "{column} 文字目：直前のカンマがないか、文字列が早く閉じられています",
    ),
    "data.row.missing_comma.fix": (
        'put the comma in, or write a " inside a text as \\".',
        'カンマを入れるか、文字列の中の " を \\" と書いてください。',
    ),
    "data.row.extra_data": (
        "something follows the row at column {column}",
        "{column} 文字目から、行の後ろに余分なものがあります",
    ),
    "data.row.extra_data.fix": (
        "put each row on a line of its own.",
        "1 行に 1 件ずつ書いてください。",
    ),
    "data.row.bad_escape": (
        "column {column}: this backslash begins nothing that JSON knows",
        "{column} 文字目：このバックスラッシュは JSON の書き方にありません",
    ),
    "data.row.bad_escape.fix": (
        "write a backslash inside a text as \\\\.",
        "文字列の中のバックスラッシュは \\\\ と書いてください。",
    ),
    "data.row.not_json": (
        "not valid JSON from column {column} on",
        "{column} 文字目から JSON として正しくありません",
    ),
    "data.row.not_json.fix": (
        'write one JSON object a line, for example {{"messages": [...]}}.',
        '1 行に 1 つの JSON オブジェクト（例：{{"messages": [...]}}）を書いてください。',
    ),
    "data.row.after_array": (
        "something follows the end of the JSON document",
        "JSON が終わったあとに余分なものがあります",
    ),
    "data.row.after_array.fix": (
        "delete it, or join the two lists into one.",
        "削除するか、2 つのリストを 1 つにまとめてください。",
    ),
    "data.row.unclosed_quote": (
        "a quote opened here is never closed, or stands inside a cell undoubled",
        "ここで開いた引用符が閉じていないか、セルの中の引用符が重ねられていません",
    ),
    "data.row.unclosed_quote.fix": (
        'close the quote, and write a " inside a cell as "".',
        '引用符を閉じてください。セルの中の " は "" と書きます。',
    ),
    "data.row.ragged": (
        "expected {expected} columns, found {found}",
        "列は {expected} 個のはずですが、{found} 個あります",
    ),
    "data.row.ragged.fix": (
        "give the row {expected} columns; a cell with a comma or newline in it stands in quotes.",
        "{expected} 列にしてください。カンマや改行を含むセルは引用符で囲みます。",
    ),
    "data.row.missing_key": (
        'no "{key}" (its keys: {seen})',
        "「{key}」がありません（キー：{seen}）",
    ),
    "data.row.missing_key.fix": (
        'add "{key}", or delete the row.',
        "「{key}」を加えるか、その行を削除してください。",
    ),
    "data.row.misspelt_key": (
        'no "{key}", but "{near}" (its keys: {seen})',
        "「{key}」がなく、よく似た「{near}」があります（キー：{seen}）",
    ),
    "data.row.misspelt_key.fix": (
        'rename "{near}" to "{key}".',
        "「{near}」を「{key}」に直してください。",
    ),
    "data.row.other_format": (
        "this row is of the format {format}, the file began as {first}",
        "この行は {format} 形式ですが、ファイルは {first} 形式で始まっています",
    ),
    "data.row.other_format.fix": (
        "put the {format} rows into a file of their own and name both files.",
        "{format} 形式の行を別のファイルに分け、両方のファイルを指定してください。",
    ),
    "data.row.no_messages": (
        '"{key}" must be a list with at least one turn, found {found}',
        "「{key}」は 1 つ以上の発言を持つリストでなければなりませんが、{found} です",
    ),
    "data.row.no_messages.fix": (
        'write [{{"role": "user", "content": "..."}}, {{"role": "assistant", "content": "..."}}],'
        " or delete the row.",
        '[{{"role": "user", "content": "..."}}, {{"role": "assistant", "content": "..."}}] と'
        "書くか、その行を削除してください。",
    ),
    "data.row.turn_not_an_object": (
        "a turn must be an object with role and content, this is {kind}",
        "発言は role と content を持つオブジェクトでなければなりませんが、{kind}です",
    ),
    "data.row.turn_not_an_object.fix": (
        'write the turn as {{"role": "user", "content": "..."}}.',
        '{{"role": "user", "content": "..."}} のように書いてください。',
    ),
    "data.row.role": ("unknown role: {role}", "未知の role です：{role}"),
    "data.row.role.fix": (
        "use system, user or assistant, or say whose it is: --map user=NAME or --map assistant=NAME.",
        "system、user、assistant のいずれかにするか、--map user=名前 や --map assistant=名前 "
        "で役割を指定してください。",
    ),
    "data.row.tools": (
        "nothing that can be trained is left without its tool calls and tool results",
        "ツール呼び出しとその結果を除くと、学習できる会話が残りません",
    ),
    "data.row.tools.fix": (
        "delete the row, or keep only its system, user and assistant texts.",
        "その行を削除するか、system・user・assistant の文章だけを残してください。",
    ),
    "data.row.not_text": (
        '"{key}" must be text, found {kind}',
        "「{key}」は文字列でなければなりませんが、{kind}です",
    ),
    "data.row.not_text.fix": (
        "write it in quotes, or delete the row.",
        "引用符で囲んで文字列にするか、その行を削除してください。",
    ),
    "data.row.other_part": (
        '"{key}" holds a part of the type {part}; only text can be trained on',
        "「{key}」に {part} 型の要素があります。学習できるのは文章だけです",
    ),
    "data.row.other_part.fix": (
        "delete that part or the row; nothing is fetched from its address.",
        "その要素か行を削除してください。そこに書かれたアドレスには接続しません。",
    ),
    "data.row.empty": ('"{key}" is empty', "「{key}」が空です"),
    "data.row.empty.fix": (
        "fill it in, or delete the row.",
        "内容を書くか、その行を削除してください。",
    ),
    "data.row.empty_answer": (
        'the answer ("{key}") is empty: there is nothing to learn from',
        "応答（「{key}」）が空で、学習するものがありません",
    ),
    "data.row.empty_answer.fix": (
        "write the answer, or delete the row.",
        "応答を書くか、その行を削除してください。",
    ),
    "data.row.lone_surrogate": (
        '"{key}" holds half a character (lone surrogate {code})',
        "「{key}」に文字の半分（単独サロゲート {code}）があります",
    ),
    "data.row.lone_surrogate.fix": (
        "write the whole character again: a text was cut in the middle of an emoji or a rare "
        "kanji.",
        "その文字を書き直してください。絵文字や珍しい漢字の途中で文章が切られています。",
    ),
    "data.row.control_character": (
        '"{key}" holds a control character ({code})',
        "「{key}」に制御文字（{code}）があります",
    ),
    "data.row.control_character.fix": (
        "delete the character: it is no part of a text.",
        "その文字を削除してください。文章の一部ではありません。",
    ),
    "data.row.no_answer": (
        "no assistant turn: there is nothing to learn from",
        "assistant の発言がなく、学習するものがありません",
    ),
    "data.row.no_answer.fix": (
        "add the assistant's answer, or delete the row.",
        "assistant の応答を加えるか、その行を削除してください。",
    ),
    "data.row.ends_with_user": (
        "the conversation ends with the user",
        "会話が user の発言で終わっています",
    ),
    "data.row.ends_with_user.fix": (
        "add the assistant's answer, or delete the last turn.",
        "assistant の応答を加えるか、最後の発言を削除してください。",
    ),
    "data.row.system_not_first": (
        "turn {turn} is a system turn, which may only stand first",
        "{turn} 番目が system です。system は先頭にしか置けません",
    ),
    "data.row.system_not_first.fix": (
        "move it to the front, or join it with the one there.",
        "先頭に移すか、先頭の system とまとめてください。",
    ),
    "data.row.same_role_twice": (
        "turn {turn} is {role} again: roles must take turns",
        "{turn} 番目でまた {role} が話しています。役割は交互でなければなりません",
    ),
    "data.row.same_role_twice.fix": (
        "join the two turns into one, or split the row.",
        "2 つの発言を 1 つにまとめるか、行を分けてください。",
    ),
    "data.row.no_question": (
        'neither {"prompt": ...} nor {"messages": [...]} with a question',
        '{"prompt": ...} でも、質問を含む {"messages": [...]} でもありません',
    ),
    "data.row.no_question.fix": (
        "write a question under one of these keys",
        "いずれかのキーに質問を書いてください",
    ),
}
