"""What a person may read about data files as a whole."""

MESSAGES: dict[str, tuple[str, str]] = {
    "data.kind.null": ("null", "null "),
    "data.kind.boolean": ("true or false", "真偽値"),
    "data.kind.number": ("a number", "数値"),
    "data.kind.text": ("text", "文字列"),
    "data.kind.list": ("a list", "リスト"),
    "data.kind.object": ("an object", "オブジェクト"),
    "data.fault": (
        "{path} line {line}: {problem}.",
        "{path} の {line} 行目（line {line}）：{problem}。",
    ),
    "data.fault.every_row": (
        "{path} line {line}: {problem}. All {count} rows are alike in this.",
        "{path} の {line} 行目（line {line}）：{problem}。全 {count} 行が同じです。",
    ),
    "data.faults": (
        "{path} has {count} rows that cannot be used:\n{lines}",
        "{path} には使えない行が {count} 件あります：\n{lines}",
    ),
    "data.faults.fix": (
        "mend these rows, or drop them: jlora prepare {path} --output DIR --on-bad-row skip",
        "行を直すか、取り除いてください：jlora prepare {path} --output DIR --on-bad-row skip",
    ),
    "data.faults.line": (
        "  line {line}: {problem} - {remedy}",
        "  {line} 行目（line {line}）：{problem} → {remedy}",
    ),
    "data.faults.rest": ("  and {count} more", "  ほか {count} 件"),
    "data.warning": ("{evidence} {remedy}", "{evidence}{remedy}"),
    "data.no_rows": ("{path} has no rows.", "{path} に行がありません。"),
    "data.no_rows.fix": (
        'give a file with at least one row, for example {{"messages": [...]}}.',
        '1 行以上あるファイル（例：{{"messages": [...]}}）を指定してください。',
    ),
    "data.missing_file": ("{path} does not exist.", "{path} がありません。"),
    "data.missing_file.fix": (
        "check the path; a data set on a hub is named ORG/NAME.",
        "パスを確かめてください。ハブのデータセットは ORG/NAME と書きます。",
    ),
    "data.missing_file_near": ("{path} does not exist.", "{path} がありません。"),
    "data.missing_file_near.fix": ("did you mean {near}?", "{near} ではありませんか。"),
    "data.bad_link": (
        "{path} is a link that leads to itself or to nothing.",
        "{path} は自分自身か、存在しない場所を指すリンクです。",
    ),
    "data.bad_link.fix": (
        "give the file itself, or make the link again.",
        "ファイルそのものを指定するか、リンクを作り直してください。",
    ),
    "data.not_a_file": (
        "{path} is neither a file nor a folder, but a pipe or a device.",
        "{path} はファイルでもフォルダーでもなく、パイプまたはデバイスです。",
    ),
    "data.not_a_file.fix": (
        "write the rows into a file and give that.",
        "行をファイルに保存してから指定してください。",
    ),
    "data.cannot_open": ("{path} cannot be read: {why}.", "{path} を読めません：{why}。"),
    "data.cannot_open.fix": (
        "check the name and your rights to it.",
        "名前と読み取りの権限を確かめてください。",
    ),
    "data.broken_gzip": (
        "{path} is gzip data that are cut off or damaged.",
        "{path} は途中で切れたか壊れた gzip データです。",
    ),
    "data.broken_gzip.fix": ("fetch the file again.", "ファイルを取り直してください。"),
    "data.excel": ("{path} is an Excel workbook.", "{path} は Excel のブックです。"),
    "data.excel.fix": (
        'open it in Excel and save it as "CSV UTF-8 (comma delimited)".',
        "Excel で開き、「CSV UTF-8（コンマ区切り）」で保存してください。",
    ),
    "data.archive": ("{path} is an archive.", "{path} は圧縮ファイルです。"),
    "data.archive.fix": (
        "unpack it, then give the folder or the files in it.",
        "展開してから、中のフォルダーかファイルを指定してください。",
    ),
    "data.binary": (
        "{path} is a document, not rows.",
        "{path} は文書で、行のデータではありません。",
    ),
    "data.binary.fix": (
        "give JSON Lines, JSON, CSV, TSV or Parquet.",
        "JSON Lines、JSON、CSV、TSV、Parquet のいずれかを指定してください。",
    ),
    "data.lfs_pointer": (
        "{path} is a Git LFS pointer: the data themselves were not fetched.",
        "{path} は Git LFS のポインタで、データ本体が取得されていません。",
    ),
    "data.lfs_pointer.fix": (
        'run "git lfs install" and "git lfs pull" in that repository.',
        "そのリポジトリで「git lfs install」と「git lfs pull」を実行してください。",
    ),
    "data.web_page": (
        "{path} line {line}: this is a web page (HTML or XML), not data.",
        "{path} の {line} 行目（line {line}）：データではなくウェブページ（HTML または XML）です。",
    ),
    "data.web_page.fix": (
        'download the raw file: on a hub or on GitHub, the link named "raw" or "download".',
        "生のファイルをダウンロードしてください（ハブや GitHub では「raw」「download」のリンク）。",
    ),
    "data.service_error": (
        "{path} line {line}: this looks like the error answer of a web service, not data ("
        "keys: {seen}).",
        "{path} の {line} 行目（line {line}）：データではなく、ウェブサービスのエラー応答のよ"
        "うです（キー：{seen}）。",
    ),
    "data.service_error.fix": (
        "look into the file, then download the data again.",
        "ファイルの中身を見てから、データをダウンロードし直してください。",
    ),
    "data.encoding": (
        "{path} line {line} is not UTF-8; it looks like {encoding}.",
        "{path} の {line} 行目（line {line}）は UTF-8 ではなく、{encoding} のようです。",
    ),
    "data.encoding.fix": (
        "save it as UTF-8: iconv -f {encoding} -t UTF-8 {path} > NEW_FILE (on Windows: "
        "Notepad, Save as, UTF-8).",
        "UTF-8 で保存し直してください：iconv -f {encoding} -t UTF-8 {path} > 新しいファイル（"
        "Windows ではメモ帳の「名前を付けて保存」で UTF-8）。",
    ),
    "data.not_utf8": (
        "{path} line {line} holds bytes that are not UTF-8.",
        "{path} の {line} 行目（line {line}）に UTF-8 として読めないバイトがあります。",
    ),
    "data.not_utf8.fix": (
        "write that line again as UTF-8; a character in it was damaged.",
        "文字が壊れています。その行を UTF-8 で書き直してください。",
    ),
    "data.long_line": (
        "{path} line {line} is longer than {mib} MiB.",
        "{path} の {line} 行目（line {line}）が {mib} MiB を超えています。",
    ),
    "data.long_line.fix": (
        "split that row; JSON Lines has one row a line.",
        "その行を分けてください。JSON Lines は 1 行に 1 件です。",
    ),
    "data.large_document": (
        "{path} is one JSON document of more than {gib} GiB.",
        "{path} は {gib} GiB を超える 1 つの JSON です。",
    ),
    "data.large_document.fix": (
        "write it as JSON Lines, one row a line: jq -c '.[]' {path} > NEW_FILE.jsonl",
        "1 行 1 件の JSON Lines にしてください：jq -c '.[]' {path} > 新しいファイル.jsonl",
    ),
    "data.plain_text": (
        "{path} is plain text without rows.",
        "{path} は行の区切りのない文章です。",
    ),
    "data.plain_text.fix": (
        'write each passage as a JSON line: {{"text": "..."}}.',
        '文章ごとに {{"text": "..."}} という JSON の行にしてください。',
    ),
    "data.no_header": (
        "{path} line {line}: the first line names no columns that mean anything here ({seen}).",
        "{path} の {line} 行目（line {line}）：先頭行に使える列名がありません（{seen}）。",
    ),
    "data.no_header.fix": (
        "put a first line with column names, for example instruction,input,output or question,"
        "answer.",
        "instruction,input,output や question,answer のような列名の行を先頭に加えてください。",
    ),
    "data.separator": (
        '{path} line {line}: the columns are separated by "{sign}" ({seen}).',
        "{path} の {line} 行目（line {line}）：列が「{sign}」で区切られています（{seen}）。",
    ),
    "data.separator.fix": (
        "save it with commas as .csv, or with tabs as .tsv.",
        "カンマ区切りの .csv か、タブ区切りの .tsv で保存してください。",
    ),
    "data.no_pyarrow": (
        "{path} is Parquet, and pyarrow, which reads it, is not installed.",
        "{path} は Parquet ですが、それを読む pyarrow が入っていません。",
    ),
    "data.no_pyarrow.fix": ("run: pip install pyarrow", "実行してください：pip install pyarrow"),
    "data.broken_parquet": (
        "{path} is not a whole Parquet file.",
        "{path} は Parquet として壊れています。",
    ),
    "data.broken_parquet.fix": ("fetch the file again.", "ファイルを取り直してください。"),
    "data.unknown_format": (
        "{path} line {line}: these columns are of no known format: {seen}.",
        "{path} の {line} 行目（line {line}）：この列の組み合わせは既知の形式ではありません："
        "{seen}。",
    ),
    "data.unknown_format.fix": (
        "rename the columns to those of a known format ({formats}), for example instruction, "
        "input and output.",
        "既知の形式（{formats}）の列名に直してください（例：instruction、input、output）。",
    ),
    "data.no_such_format": (
        'there is no format "{format}".',
        "「{format}」という形式はありません。",
    ),
    "data.no_such_format.fix": (
        "use one of {formats}.",
        "{formats} のいずれかを指定してください。",
    ),
    "data.empty_folder": (
        "{path} is a folder without data files.",
        "フォルダー {path} にデータファイルがありません。",
    ),
    "data.empty_folder.fix": (
        "give a folder with files that end in {suffixes}.",
        "{suffixes} で終わるファイルのあるフォルダーを指定してください。",
    ),
    "data.array_in_lines.evidence": (
        "{path} line {line} begins a JSON array, although the name says JSON Lines; its rows "
        "were read.",
        "{path} は名前は JSON Lines ですが、{line} 行目（line {line}）から JSON の配列です。"
        "行は読み込みました。",
    ),
    "data.array_in_lines.consequence": (
        "Tools that go by the name refuse the file.",
        "名前で判断するツールでは読めません。",
    ),
    "data.array_in_lines.remedy": (
        "Name it .json to be understood elsewhere.",
        "ほかのツールでも読めるように、名前を .json にしてください。",
    ),
    "data.special_tokens.evidence": (
        '{path} line {line}: the text "{word}" looks like a model\'s control token ({count} '
        "such rows).",
        "{path} の {line} 行目（line {line}）：「{word}」はモデルの制御トークンに見えます（該"
        "当 {count} 行）。",
    ),
    "data.special_tokens.consequence": (
        "jlora trains it as ordinary text, never as the control token.",
        "jlora では制御トークンではなく、普通の文字として学習します。",
    ),
    "data.special_tokens.remedy": (
        "Delete it from the rows if it was left there by another tool.",
        "ほかのツールの名残りであれば、行から削除してください。",
    ),
}
