"""What a person may read in a chat."""

MESSAGES: dict[str, tuple[str, str]] = {
    "chat.loading": ("Loading {source} …", "{source} を読み込んでいます…"),
    "chat.welcome": (
        "Type a message; /help lists commands, Ctrl-D ends.",
        "メッセージを入力してください。/help でコマンド一覧、Ctrl-D で終了します。",
    ),
    "chat.you": ("you> ", "あなた> "),
    "chat.bye": ("Good-bye.", "終了します。"),
    "chat.stopped": ("(reply stopped)", "（返答を中断しました）"),
    "chat.cut_off": (
        "(cut off at --max-new-tokens)",
        "（--max-new-tokens で打ち切られました）",
    ),
    "chat.help": (
        "/reset forgets the conversation, /undo takes the last exchange back, /exit or Ctrl-D ends; "
        "Ctrl-C stops a reply.",
        "/reset で会話を消去、/undo で直前のやり取りを取り消し、/exit または Ctrl-D で終了。"
        "Ctrl-C で返答を中断します。",
    ),
    "chat.reset": ("(conversation forgotten)", "（会話を消去しました）"),
    "chat.undone": ("(last exchange taken back)", "（直前のやり取りを取り消しました）"),
    "chat.nothing_to_undo": ("(nothing to take back)", "（取り消すやり取りがありません）"),
    "chat.shortened": (
        "(the conversation no longer fits: its oldest exchanges are forgotten)",
        "（会話が上限を超えたため、古いやり取りから順に忘れます）",
    ),
    "chat.unknown": (
        "There is no {command}; commands are {commands}.",
        "{command} というコマンドはありません。使えるのは {commands} です。",
    ),
}
