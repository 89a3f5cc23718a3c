"""What a person may read in a chat."""

MESSAGES: dict[str, tuple[str, str]] = {
    "chat.loading": ("Loading {source} …", "{source} を読み込んでいます…"),
    "chat.ready": (
        "{model}, template {template}, context {context} tokens, on {device}.",
        "{model}、テンプレート {template}、コンテキスト {context} トークン、{device} で実行。",
    ),
    "chat.adapter_on": ("adapter on {base}", "{base} のアダプター"),
    "chat.welcome": (
        "Type a message; /help lists commands, Ctrl-D ends.",
        "メッセージを入力してください。/help でコマンド一覧、Ctrl-D で終了します。",
    ),
    "chat.you": ("you> ", "あなた> "),
    "chat.edit": ("edit> ", "編集> "),
    "chat.bye": ("Good-bye.", "終了します。"),
    "chat.stopped": (
        "(reply stopped; what was said stays, /undo takes it back)",
        "（返答を中断しました。ここまでの返答は残ります。/undo で取り消せます）",
    ),
    "chat.stopped_early": ("(reply stopped before it began)", "（返答の前に中断しました）"),
    "chat.cut_off": (
        "(cut off at {count} tokens; /params max_new_tokens={more} allows more)",
        "（{count} トークンで打ち切りました。/params max_new_tokens={more} で延ばせます）",
    ),
    "chat.empty": ("(the answer is empty)", "（返答は空でした）"),
    "chat.left_out": (
        "(the conversation has outgrown the context: the model no longer sees its first {count} exchanges)",
        "（会話がコンテキストを超えたため、最初の {count} 往復はモデルに渡していません）",
    ),
    "chat.help.help": ("these lines", "この一覧を表示します"),
    "chat.help.reset": ("forget the conversation", "会話を消去します"),
    "chat.help.undo": ("take the last exchange back", "直前のやり取りを取り消します"),
    "chat.help.retry": ("ask the last message again", "直前のメッセージをもう一度尋ねます"),
    "chat.help.edit": ("change the last message and ask again", "直前のメッセージを直して尋ねます"),
    "chat.help.system": (
        "show or set the system message; - removes it",
        "システムメッセージを表示・設定します（- で削除）",
    ),
    "chat.help.params": (
        "show or set the sampling: /params temperature=0.2",
        "サンプリングを表示・設定します（例: /params temperature=0.2）",
    ),
    "chat.help.save": (
        "append the conversation as a training row",
        "会話を学習データの 1 行として追記します",
    ),
    "chat.help.load": (
        "go on with the last conversation of a file",
        "ファイルの最後の会話を読み込んで続けます",
    ),
    "chat.help.compare": (
        "base beside tuned: for the last message, or for TEXT alone",
        "ベースと調整後を並べます（直前のメッセージ、または TEXT だけについて）",
    ),
    "chat.help.probs": (
        "how probable each token of the last answer was",
        "直前の返答をトークンごとの確率で表示します",
    ),
    "chat.help.stats": ("speed, context and cache", "速度、コンテキスト、キャッシュを表示します"),
    "chat.help.exit": ("end", "終了します"),
    "chat.help_keys": (
        "A message that begins with a slash is typed with two; one of several lines stands between "
        '""" and """, or its lines end in \\. Ctrl-C stops a reply.',
        'スラッシュで始まるメッセージは // と入力します。複数行は """ と """ で囲むか、行末に \\ を'
        "置きます。Ctrl-C で返答を中断します。",
    ),
    "chat.reset": ("(conversation forgotten)", "（会話を消去しました）"),
    "chat.undone": ("(last exchange taken back)", "（直前のやり取りを取り消しました）"),
    "chat.nothing_to_undo": ("(nothing to take back)", "（取り消すやり取りがありません）"),
    "chat.nothing_to_repeat": ("(nothing was asked yet)", "（まだ何も尋ねていません）"),
    "chat.edit_needs_text": (
        "(write the new message behind /edit)",
        "（/edit の後に新しいメッセージを書いてください）",
    ),
    "chat.no_answer": ("(there is no answer to look at yet)", "（対象となる返答がまだありません）"),
    "chat.needs": ("(name the file: {command})", "（ファイルを指定してください: {command}）"),
    "chat.no_system": ("(no system message)", "（システムメッセージはありません）"),
    "chat.system": ("(system message: {text})", "（システムメッセージ: {text}）"),
    "chat.saved": (
        "(exchanges saved as one row: {count}, in {path})",
        "（{count} 往復を 1 行として {path} に保存しました）",
    ),
    "chat.saved_stopped": (
        "(replies among them that you stopped: {count}; complete or remove them before training)",
        "（うち中断した返答: {count} 件。学習の前に補うか削除してください）",
    ),
    "chat.loaded": (
        "(exchanges loaded: {count}, from {path})",
        "（{path} から {count} 往復を読み込みました）",
    ),
    "chat.nothing_to_save": ("there is nothing to save yet", "保存するやり取りがまだありません"),
    "chat.nothing_to_save.fix": ("ask something first", "先に何か尋ねてください"),
    "chat.is_folder": ("{path} is a folder", "{path} はフォルダーです"),
    "chat.is_folder.fix": ("name a file in it", "その中のファイル名を指定してください"),
    "chat.other_suffix": (
        "{path} does not end in {suffix}",
        "{path} の拡張子が {suffix} ではありません",
    ),
    "chat.other_suffix.fix": (
        "name a {suffix} file: a row of it is a conversation",
        "{suffix} ファイルを指定してください（1 行が 1 つの会話です）",
    ),
    "chat.cannot_save": (
        "this conversation is no training row: {problem}",
        "この会話は学習データの行にできません: {problem}",
    ),
    "chat.cannot_save.fix": (
        "take that exchange back with /undo, or change it with /edit",
        "/undo で取り消すか、/edit で直してください",
    ),
    "chat.other_rows": (
        '{path} holds rows of the format {format}, not {{"messages": [...]}}',
        '{path} の行は {{"messages": [...]}} ではなく {format} 形式です',
    ),
    "chat.other_rows.fix": (
        "name another file, or convert this one with `jlora prepare`",
        "別のファイルを指定するか、`jlora prepare` で変換してください",
    ),
    "chat.takes_no_lines": (
        "{path} is not JSON Lines in UTF-8: a row behind what it holds would make it unreadable",
        "{path} は UTF-8 の JSON Lines ではなく、行を追加すると読めなくなります",
    ),
    "chat.takes_no_lines.fix": (
        "name another file, or convert this one with `jlora prepare`",
        "別のファイルを指定するか、`jlora prepare` で変換してください",
    ),
    "chat.no_question_first": (
        "{place} begins with an answer, not with a question",
        "{place} が質問ではなく回答から始まっています",
    ),
    "chat.no_question_first.fix": (
        "name a file of whole conversations",
        "質問から始まる会話のファイルを指定してください",
    ),
    "chat.no_adapter": (
        "there is nothing to compare: this model has no adapter that could be switched off",
        "比較できません。このモデルには切り離せるアダプターがありません",
    ),
    "chat.no_adapter.fix": (
        "chat with a run or an adapter",
        "実行フォルダーかアダプターを指定してください",
    ),
    "chat.base": ("base", "ベース"),
    "chat.tuned": ("tuned", "調整後"),
    "chat.stats_last": (
        "last answer: {tokens} tokens, {speed} tokens/s, the first after {first} s; prompt {prompt} tokens, "
        "{reused} of them from the cache; context {used} of {context}",
        "直前の返答: {tokens} トークン、{speed} トークン/秒、最初のトークンまで {first} 秒。プロンプト {prompt} "
        "トークン（うちキャッシュ {reused}）。コンテキスト {used} / {context}",
    ),
    "chat.stats_all": (
        "so far: answers {answers}, tokens {tokens}; from the cache {share} of all prompts' tokens",
        "累計: 返答 {answers} 件、{tokens} トークン。プロンプトの {share} をキャッシュから再利用",
    ),
    "chat.unknown": (
        "There is no {command}{hint} (/help lists the commands; // begins a message with a slash)",
        "{command} というコマンドはありません{hint}。/help で一覧、// でスラッシュから始まる文になります。",
    ),
}
