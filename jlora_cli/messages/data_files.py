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
        "mend these rows, or drop them: {command}",
        "行を直すか、取り除いてください：{command}",
    ),
    "data.faults.command": (
        "jlora prepare {path} --output DIR --on-bad-row skip",
        "jlora prepare {path} --output DIR --on-bad-row skip",
    ),
    "data.fault.rerun": (
        "{remedy} Or drop such rows: {command}",
        "{remedy} または、そのような行を取り除いてください：{command}",
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
    "data.stdin_only_prepare": (
        "only jlora prepare reads from standard input.",
        "標準入力から読めるのは jlora prepare だけです。",
    ),
    "data.stdin_only_prepare.fix": (
        "run: jlora prepare - --output DIR, then give DIR.",
        "jlora prepare - --output DIR を実行してから、DIR を指定してください。",
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
        "give JSON Lines, JSON, CSV, TSV, Parquet or plain text.",
        "JSON Lines、JSON、CSV、TSV、Parquet、テキストのいずれかを指定してください。",
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
    "data.no_such_encoding": (
        "there is no encoding {encoding}.",
        "{encoding} という文字コードはありません。",
    ),
    "data.no_such_encoding.fix": (
        "name one like utf-8, cp932, euc_jp or utf-16, or leave --encoding out.",
        "utf-8、cp932、euc_jp、utf-16 のような名前にするか、--encoding を外してください。",
    ),
    "data.not_encoded": (
        "{path} line {line} holds bytes that are not {encoding}.",
        "{path} の {line} 行目（line {line}）に {encoding} として読めないバイトがあります。",
    ),
    "data.not_encoded.fix": (
        "write that line again, or name the encoding with --encoding.",
        "その行を書き直すか、--encoding で文字コードを指定してください。",
    ),
    "data.long_line": (
        "{path} line {line} is longer than {mib} MiB.",
        "{path} の {line} 行目（line {line}）が {mib} MiB を超えています。",
    ),
    "data.long_line.fix": (
        "split that row; JSON Lines has one row a line.",
        "その行を分けてください。JSON Lines は 1 行に 1 件です。",
    ),
    "data.plain_text": (
        "{path} is plain text without rows.",
        "{path} は行の区切りのない文章です。",
    ),
    "data.plain_text.fix": (
        "add --format text: every passage between blank lines is a row then.",
        "--format text を付けてください。空行で区切られた文章がそれぞれ 1 行になります。",
    ),
    "data.no_header": (
        "{path} line {line}: the first line names no columns that mean anything here ({seen}).",
        "{path} の {line} 行目（line {line}）：先頭行に使える列名がありません（{seen}）。",
    ),
    "data.no_header.fix": (
        "where these are names, say which is which: --map question=NAME --map answer=NAME; where"
        " they are a row already, give the numbers of the columns: --map question=1 --map"
        " answer={last}",
        "列名であれば --map question=列名 --map answer=列名 のように対応させてください。すでに"
        "データの行であれば、列の番号で指定します：--map question=1 --map answer={last}",
    ),
    "data.no_mapped_column": (
        '{path} line 1: there is no column "{column}" ({seen}).',
        "{path} の 1 行目（line 1）：「{column}」という列がありません（{seen}）。",
    ),
    "data.no_mapped_column.fix": (
        "name a column that is there with --map.",
        "--map には実際にある列を指定してください。",
    ),
    "data.bad_map": (
        "--map {word} is not NAME=FIELD.",
        "--map {word} は NAME=FIELD の形ではありません。",
    ),
    "data.bad_map.fix": (
        "write --map answer=FIELD, with one of these in front: {names}.",
        "--map answer=列名 のように書いてください。左に置けるもの：{names}。",
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
    "data.unknown_columns": (
        "{path} line {line}: these columns are of no known format:\n{samples}\n  closest:"
        " {closest}",
        "{path} の {line} 行目（line {line}）：この列の組み合わせは既知の形式ではありません。\n"
        "{samples}\n  近い形式：{closest}",
    ),
    "data.unknown_columns.fix": (
        "say which column is which: --map instruction=COLUMN --map output=COLUMN; or write the"
        " rows in one of these formats: {formats}.",
        "--map instruction=列名 --map output=列名 のように対応させるか、次のいずれかの形式で書き"
        "直してください：{formats}。",
    ),
    "data.unknown_columns_map": (
        "{path} line {line}: these columns are of no known format:\n{samples}\n  closest:"
        " {closest}",
        "{path} の {line} 行目（line {line}）：この列の組み合わせは既知の形式ではありません。\n"
        "{samples}\n  近い形式：{closest}",
    ),
    "data.unknown_columns_map.fix": (
        "say which is which; as far as one can guess: {words}",
        "--map で対応を指定してください。推測できる範囲では：{words}",
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
    "data.encoding.evidence": (
        "{path} is {encoding}, and was read as that.",
        "{path} の文字コードは {encoding} で、そのように読み込みました。",
    ),
    "data.encoding.consequence": (
        "What is written is UTF-8.",
        "書き出すファイルは UTF-8 です。",
    ),
    "data.encoding.remedy": (
        "Name another with --encoding, should the text look wrong.",
        "文字が化けていれば --encoding で指定してください。",
    ),
    "data.encoding_guessed.evidence": (
        "{path} is not UTF-8 and was read as {encoding}: {share} % of its characters are then"
        " common in Japanese.",
        "{path} は UTF-8 ではないため、{encoding} として読み込みました（そう読むと文字の {share}"
        " % が日本語でよく使うものになります）。",
    ),
    "data.encoding_guessed.consequence": (
        "What is written is UTF-8.",
        "書き出すファイルは UTF-8 です。",
    ),
    "data.encoding_guessed.remedy": (
        "Name another with --encoding, should the text look wrong.",
        "文字が化けていれば --encoding で指定してください。",
    ),
    "data.aozora.evidence": (
        "{path} is in Aozora Bunko's notation: ruby, notes, legend and colophon were taken away.",
        "{path} は青空文庫の書式です。ルビ、注記、凡例、底本の情報を取り除きました。",
    ),
    "data.aozora.consequence": (
        "The text itself is kept; ※ stands for a character that the file only describes.",
        "本文はそのままです。※ は、ファイルに説明だけがある外字です。",
    ),
    "data.aozora.remedy": (
        "Nothing has to be done.",
        "何もする必要はありません。",
    ),
    "data.tools.evidence": (
        "{path}: {count} turns of tools were left out.",
        "{path}：ツールの発言 {count} 件を除きました。",
    ),
    "data.tools.consequence": (
        "Answers that rest on them are trained without what they rest on.",
        "ツールの結果に基づく応答は、その結果なしで学習されます。",
    ),
    "data.tools.remedy": (
        "Leave such rows out if their answers make no sense alone.",
        "単独では意味をなさない応答の行は、除いてください。",
    ),
    "data.repaired.evidence": (
        "{path}: {count} turns were joined to the one before by the same speaker, or left away"
        " because no answer follows.",
        "{path}：{count} 件の発言を、同じ話者の直前の発言につなぐか、応答が続かないため除きまし"
        "た。",
    ),
    "data.repaired.consequence": (
        "What a speaker says in a row is one turn.",
        "続けて話した発言は 1 つになります。",
    ),
    "data.repaired.remedy": (
        "Nothing has to be done where that is what was meant.",
        "意図どおりであれば、何もする必要はありません。",
    ),
}
