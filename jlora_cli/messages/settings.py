"""What a person may read about profiles and run settings."""

MESSAGES: dict[str, tuple[str, str]] = {
    "settings.not_a_number": ("must be a number", "数値を指定してください"),
    "settings.not_finite": ("must be a finite number", "有限の数値を指定してください"),
    "settings.out_of_range": ("must be {bounds}", "{bounds} の範囲で指定してください"),
    "settings.not_an_integer": ("must be a whole number", "整数を指定してください"),
    "settings.not_a_choice": ("must be one of {choices}", "{choices} のいずれかを指定してください"),
    "settings.not_text": ("must be text", "文字列を指定してください"),
    "settings.not_a_list": ("must be a list of names", "名前のリストを指定してください"),
    "settings.not_a_switch": ("must be true or false", "true か false を指定してください"),
    "settings.did_you_mean": ("; did you mean {name}?", "（{name} ではありませんか？）"),
    "settings.unknown": ("no such setting", "そのような設定はありません"),
    "settings.from_default": ("default", "既定値"),
    "settings.bad_options": (
        "these settings cannot be used: {faults}",
        "次の設定は使えません: {faults}",
    ),
    "settings.bad_options.fix": (
        "correct them; `jlora train --help` lists every setting",
        "修正してください。`jlora train --help` に全設定の一覧があります",
    ),
    "settings.bad_set": (
        "--set {text} is not KEY=VALUE",
        "--set {text} は KEY=VALUE の形ではありません",
    ),
    "settings.bad_set.fix": (
        "write it like --set learning_rate=2e-4",
        "--set learning_rate=2e-4 のように書いてください",
    ),
    "settings.set_twice": (
        "{name} is given twice, by --set and by its own option",
        "{name} が --set と専用オプションの両方で指定されています",
    ),
    "settings.set_twice.fix": ("keep one of the two", "どちらか一方にしてください"),
    "profile.not_found": (
        "there is no profile {name}; known are: {names}{hint}",
        "プロファイル {name} はありません。使えるのは {names} です{hint}",
    ),
    "profile.not_found.fix": (
        "choose one (`jlora profiles list`), or give the path of a YAML file of your own",
        "`jlora profiles list` から選ぶか、自分の YAML ファイルのパスを指定してください",
    ),
    "profile.circle": (
        "{path} extends itself in a circle",
        "{path} の extends が循環しています",
    ),
    "profile.circle.fix": (
        "remove one of the `extends` lines",
        "`extends` の行を一つ削除してください",
    ),
    "profile.fault": ("line {line}: {fault}", "{line} 行目: {fault}"),
    "profile.more_faults": ("; and {count} more", "。ほかに {count} 件"),
    "profile.faults": ("{path}: {faults}", "{path}: {faults}"),
    "profile.faults.fix": (
        "correct these lines; `jlora profiles show cpu-small` shows a file that works",
        "該当行を修正してください。`jlora profiles show cpu-small` で動作する例を確認できます",
    ),
    "profile.empty": ("{path} is empty", "{path} は空です"),
    "profile.empty.fix": (
        "write at least one setting, or `extends: cpu-small`",
        "設定を一つ以上書くか、`extends: cpu-small` と書いてください",
    ),
    "profile.duplicate_key": (
        "{key} stands here again (first on line {first})",
        "{key} が重複しています（最初は {first} 行目）",
    ),
    "profile.unknown_key": ("unknown key {key}", "不明なキー {key}"),
    "profile.secret": (
        "{key} has no place in a file; log in with `hf auth login` instead",
        "{key} はファイルに書かないでください。代わりに `hf auth login` を使います",
    ),
    "profile.use_precision": (
        "{key} is not a key here; write precision: bfloat16 or precision: float16, one of them",
        "{key} というキーはありません。precision: bfloat16 か precision: float16 のどちらかを書きます",
    ),
    "profile.output_climbs": (
        "a profile may not write outside the folder jlora runs in; give --output yourself",
        "プロファイルから実行フォルダーの外へは書けません。--output で指定してください",
    ),
    "profile.not_utf8": (
        "{path} line {line} is not UTF-8 (saved as Shift_JIS / cp932?)",
        "{path} の {line} 行目が UTF-8 ではありません（Shift_JIS / cp932 で保存されていませんか）",
    ),
    "profile.not_utf8.fix": (
        "save the file as UTF-8 in your editor",
        "エディターで UTF-8 として保存し直してください",
    ),
    "profile.not_a_mapping": (
        "{path} line 1 is not a list of `key: value` lines",
        "{path} の 1 行目が `キー: 値` の形ではありません",
    ),
    "profile.not_a_mapping.fix": (
        "write one `key: value` a line, like `batch_size: 4`",
        "`batch_size: 4` のように 1 行に 1 つずつ書いてください",
    ),
    "profile.not_yaml": (
        "{path} line {line} is not YAML: {problem}",
        "{path} の {line} 行目が YAML として読めません: {problem}",
    ),
    "profile.not_yaml.fix": (
        "indent with spaces, not tabs, and put Windows paths in single quotes",
        "字下げはタブでなく空白にし、Windows のパスは一重引用符で囲んでください",
    ),
    "profile.tag": (
        "{path} line {line} has the tag {tag}, which is never run",
        "{path} の {line} 行目のタグ {tag} は実行しません",
    ),
    "profile.tag.fix": ("remove the tag", "タグを削除してください"),
    "profile.nested": (
        "{path} line {line}: a setting is one value or a list of plain values",
        "{path} の {line} 行目: 設定値は単独の値か単純な値のリストにしてください",
    ),
    "profile.nested.fix": (
        "write it flat, like `epochs: 3`",
        "`epochs: 3` のように平らに書いてください",
    ),
    "profile.reason.cpu": (
        "no GPU that the installed torch can use",
        "インストール済みの torch で使える GPU がありません",
    ),
    "profile.reason.gpu": ("{gpu} with {memory} GiB", "{gpu}（{memory} GiB）"),
    "profile.reason.asked": ("asked for by name", "名前で指定されました"),
}
