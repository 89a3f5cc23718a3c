"""What a person may read about data files, prepared folders and hubs."""

from jlora_cli.messages import data_files, data_hub, data_rows

PREPARING: dict[str, tuple[str, str]] = {
    "prepare.output_not_empty": (
        "the folder {path} is there already and not empty.",
        "フォルダー {path} がすでにあり、空ではありません。",
    ),
    "prepare.output_not_empty.fix": (
        "name a new folder with --output, or delete this one.",
        "--output に新しいフォルダーを指定するか、このフォルダーを削除してください。",
    ),
    "prepare.output_is_file": ("{path} is a file.", "{path} はファイルです。"),
    "prepare.output_is_file.fix": (
        "name a folder with --output.",
        "--output にはフォルダーを指定してください。",
    ),
    "prepare.cannot_write": (
        "{path} cannot be written: {why}.",
        "{path} に書き込めません：{why}。",
    ),
    "prepare.cannot_write.fix": (
        "free some space or name another folder with --output; nothing half-written was left.",
        "空きを作るか、--output に別のフォルダーを指定してください。書きかけのものは残していません。",
    ),
    "prepare.bad_validation": (
        "--validation {value} is neither a share between 0 and 1 nor a file.",
        "--validation {value} は 0 から 1 の割合でも、ファイルでもありません。",
    ),
    "prepare.bad_validation.fix": (
        "write a share like 0.1, or the path of a file with validation rows.",
        "0.1 のような割合か、検証用の行のあるファイルのパスを書いてください。",
    ),
    "prepare.too_few_rows": (
        "{count} different rows are too few to set some aside for validation.",
        "異なる行が {count} 件しかなく、検証用に分けられません。",
    ),
    "prepare.too_few_rows.fix": (
        "leave --validation out, or give a file with validation rows.",
        "--validation を外すか、検証用の行のあるファイルを指定してください。",
    ),
    "prepare.only_training_rows": (
        "every validation row of {value} is also a training row.",
        "{value} の検証用の行は、すべて学習用の行にもあります。",
    ),
    "prepare.only_training_rows.fix": (
        "give rows that are not trained on, or a share like --validation 0.1.",
        "学習に使わない行か、--validation 0.1 のような割合を指定してください。",
    ),
    "prepare.no_pyarrow": (
        "--parquet needs pyarrow, which is not installed.",
        "--parquet には pyarrow が必要ですが、入っていません。",
    ),
    "prepare.no_pyarrow.fix": ("run: pip install pyarrow", "実行してください：pip install pyarrow"),
    "prepare.no_rensa": (
        "--dedupe near needs rensa, which is not installed.",
        "--dedupe near には rensa が必要ですが、入っていません。",
    ),
    "prepare.no_rensa.fix": (
        'run: pip install "jlora[dedupe]"',
        '実行してください：pip install "jlora[dedupe]"',
    ),
    "prepare.worker_died": (
        "the system ended one of the processes that read the rows, as a rule for want of memory.",
        "行を読んでいたプロセスの 1 つをシステムが終了させました。多くはメモリー不足です。",
    ),
    "prepare.worker_died.fix": (
        "close other programs and try again; nothing half-written was left.",
        "ほかのプログラムを閉じてから、もう一度実行してください。書きかけのものは残していません。",
    ),
    "prepare.no_source": (
        "name a SOURCE: a file, a folder, a hub id, or - for standard input.",
        "SOURCE（ファイル、フォルダー、ハブの ID、標準入力は -）を指定してください。",
    ),
    "prepare.needs_model": (
        "--max-length counts tokens, and needs --model to count with.",
        "--max-length はトークンを数えるので、--model も指定してください。",
    ),
    "prepare.reading": ("Reading {source}", "{source} を読み込んでいます"),
    "prepare.counting": ("Counting tokens with {model}", "{model} でトークンを数えています"),
    "prepare.writing": ("Writing {path}", "{path} に書き込んでいます"),
    "prepare.duplicates.evidence": (
        "{count} of {rows} rows repeat an earlier row, width of letters and white space aside.",
        "{rows} 行のうち {count} 行が、前にある行と同じです（全角・半角と空白の違いは除く）。",
    ),
    "prepare.duplicates.consequence": (
        "The model learns them several times as strongly.",
        "その行だけ何倍も強く学習されます。",
    ),
    "prepare.duplicates.remedy": ("Drop them with --dedupe.", "--dedupe を付けると取り除けます。"),
    "prepare.overlap.evidence": (
        "{count} validation rows also stand in the training rows and were left out.",
        "検証用の {count} 行は学習用にもあるため、除きました。",
    ),
    "prepare.overlap.consequence": (
        "A row that is trained on says nothing about new text.",
        "学習した行では、新しい文章への性能を測れません。",
    ),
    "prepare.overlap.remedy": (
        "Use validation rows that are not in the training files.",
        "学習用のファイルにない行を検証に使ってください。",
    ),
    "prepare.skipped.evidence": (
        "{count} of {rows} rows were dropped: {reasons}.",
        "{rows} 行のうち {count} 行を取り除きました：{reasons}。",
    ),
    "prepare.skipped.consequence": (
        "Nothing is learnt from them.",
        "取り除いた行は学習に使われません。",
    ),
    "prepare.skipped.remedy": (
        "See them one by one with --on-bad-row stop.",
        "--on-bad-row stop にすると 1 件ずつ表示します。",
    ),
    "prepare.several_files.evidence": (
        "{source} is a folder; these files were read as training rows: {files}.",
        "{source} はフォルダーです。次のファイルを学習用として読み込みました：{files}。",
    ),
    "prepare.several_files.consequence": (
        "A validation file among them would be trained on.",
        "検証用のファイルが混ざっていると、それも学習されます。",
    ),
    "prepare.several_files.remedy": (
        "Name the files one by one if some are not meant for training.",
        "学習に使わないものがあれば、ファイルを 1 つずつ指定してください。",
    ),
    "prepare.too_long.evidence": (
        "{count} rows are longer than --max-length {limit}; the longest has {longest} tokens.",
        "{count} 行が --max-length {limit} を超えています。最も長い行は {longest} トークンです。",
    ),
    "prepare.too_long.consequence": (
        "Training cuts what goes beyond.",
        "超えた部分は学習時に切られます。",
    ),
    "prepare.too_long.remedy": (
        "Train with a larger --max-length, or shorten the rows.",
        "--max-length を大きくして学習するか、行を短くしてください。",
    ),
    "prepare.column.what": ("outcome", "内訳"),
    "prepare.column.count": ("rows", "行数"),
    "prepare.row.read": ("read", "読み込み"),
    "prepare.row.dropped": ("dropped: {reason}", "除外：{reason}"),
    "prepare.row.train": ("training", "学習用"),
    "prepare.row.validation": ("validation", "検証用"),
    "prepare.tokens": (
        "Tokens: {total:,} in all, {supervised:,} of them trained; {mean:,} a row on average,"
        " {longest:,} in the longest.",
        "トークン数：合計 {total:,}（うち学習対象 {supervised:,}）、1 行の平均 {mean:,}、最長"
        " {longest:,}。",
    ),
    "prepare.column.file": ("file", "ファイル"),
    "prepare.column.kind": ("read as", "読み方"),
    "prepare.column.rows": ("rows", "行数"),
    "prepare.format": ("{format} ({columns})", "{format}（{columns}）"),
    "prepare.layout.lines": ("JSON Lines", "JSON Lines"),
    "prepare.layout.array": ("JSON", "JSON"),
    "prepare.layout.table": ("table", "表"),
    "prepare.layout.parquet": ("Parquet", "Parquet"),
    "prepare.layout.passages": ("passages of text", "文章の段落"),
    "prepare.and_more_files": (
        "{evidence} {count} more files are like it.",
        "{evidence}ほか {count} ファイルも同様です。",
    ),
    "prepare.more_files": ("and {count} more files", "ほか {count} ファイル"),
    "prepare.row.role": ("turns: {role}", "発言：{role}"),
    "prepare.role": (
        "{turns:,} ({mean:,.0f} characters each)",
        "{turns:,}（平均 {mean:,.0f} 文字）",
    ),
    "prepare.row.duplicates": ("repeated", "重複"),
    "prepare.column.tokens": ("tokens a row", "1 行のトークン数"),
    "prepare.quantiles": (
        "Half of the rows have up to {p50:,} tokens, 90 % up to {p90:,}, 99 % up to {p99:,}.",
        "行の 50 % は {p50:,} トークン以下、90 % は {p90:,} 以下、99 % は {p99:,} 以下です。",
    ),
    "prepare.audited": (
        "The figures below are of {audited:,} rows, evenly spread.",
        "以下の値は、全体から均等に選んだ {audited:,} 行のものです。",
    ),
    "prepare.done": (
        "Wrote {path} (format of the source: {format}).",
        "{path} に書き込みました（元の形式：{format}）。",
    ),
    "prepare.next": (
        "Next: jlora train --profile cpu-small --model {model} --data {path}",
        "次のコマンド：jlora train --profile cpu-small --model {model} --data {path}",
    ),
    "help.prepare": (
        "Check data and write it in the one form that training reads.\n\nExample: jlora "
        "prepare demo --output prepared --validation 0.1",
        "データを点検し、学習で読む 1 つの形式に書き直します。\n\n例：jlora prepare demo "
        "--output prepared --validation 0.1",
    ),
    "help.prepare.sources": (
        'Files, folders or hub ids (ORG/NAME), "-" for standard input, or "demo" for the embedded '
        "rows.",
        "ファイル、フォルダー、ハブの ID（ORG/NAME）。「-」は標準入力、「demo」は同梱のデータです。",
    ),
    "help.prepare.output": (
        "The folder to write; it must be new or empty.",
        "書き込み先のフォルダー。新しいか、空でなければなりません。",
    ),
    "help.prepare.model": (
        "Audit this model's tokenizer on the rows: tokens, unknown characters, what is lost.",
        "このモデルのトークナイザーで行を点検します（トークン数、語彙にない文字、失われるもの）。",
    ),
    "help.prepare.format": (
        "What the columns mean, where it should not be detected: {formats}.",
        "列の意味を自動で判断させない場合の形式：{formats}。",
    ),
    "help.prepare.template": (
        "The prompt template for counting tokens.",
        "トークンを数えるときのプロンプトのテンプレート。",
    ),
    "help.prepare.validation": (
        "A share of the rows (0.1) or a file to validate with.",
        "検証に使う行の割合（0.1）またはファイル。",
    ),
    "help.prepare.max_length": (
        "Warn of rows longer than this many tokens (with --model).",
        "このトークン数より長い行があれば知らせます（--model と併用）。",
    ),
    "help.prepare.on_bad_row": (
        'What to do with a faulty row: "stop" names it, "skip" drops and counts it.',
        "不備のある行の扱い：「stop」は表示して中止、「skip」は除いて数えます。",
    ),
    "help.prepare.dedupe": (
        'Drop copies of earlier rows, width of letters and white space aside; "--dedupe near" '
        "also drops rows that say nearly the same.",
        "前にある行と同じ行（全角・半角と空白の違いは除く）を取り除きます。「--dedupe near」はほぼ同じ"
        "行も取り除きます。",
    ),
    "help.prepare.map": (
        "What the file calls a column or a speaker: answer=解答, messages=utterances, role=name, "
        "user=客. The number of a column where a table has no header.",
        "列や話者のファイルでの名前：answer=解答、messages=utterances、role=name、user=客。見出し行"
        "のない表では列の番号。",
    ),
    "help.prepare.encoding": (
        "The encoding of the files, where it should not be detected: utf-8, cp932, euc_jp ...",
        "文字コードを自動で判断させない場合の名前：utf-8、cp932、euc_jp など。",
    ),
    "help.prepare.shuffle": (
        "Write the training rows in an order that the seed decides.",
        "学習用の行を、シードで決まる順に並べ替えます。",
    ),
    "help.prepare.limit": (
        "Read only so many good rows, the first ones.",
        "先頭から、使える行をこの数だけ読み込みます。",
    ),
    "help.prepare.sample": (
        "Keep so many of the rows, drawn by the seed.",
        "シードに従って、この数の行を選びます。",
    ),
    "help.prepare.seed": (
        "Decides the split, the order and the draw.",
        "分割、並べ替え、抽出を決める数。",
    ),
    "help.prepare.parquet": (
        "Write the rows as Parquet as well.",
        "Parquet でも書き出します。",
    ),
}

MESSAGES: dict[str, tuple[str, str]] = {
    **data_rows.MESSAGES,
    **data_files.MESSAGES,
    **data_hub.MESSAGES,
    **PREPARING,
}
