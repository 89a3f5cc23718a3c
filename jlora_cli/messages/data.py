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
    "prepare.needs_model": (
        "--max-length counts tokens, and needs --model to count with.",
        "--max-length はトークンを数えるので、--model も指定してください。",
    ),
    "prepare.reading": ("Reading {source}", "{source} を読み込んでいます"),
    "prepare.counting": ("Counting tokens with {model}", "{model} でトークンを数えています"),
    "prepare.writing": ("Writing {path}", "{path} に書き込んでいます"),
    "prepare.duplicates.evidence": (
        "{count} of {rows} rows are exact copies of an earlier row.",
        "{rows} 行のうち {count} 行が、前にある行と完全に同じです。",
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
        "The longest row has {longest} tokens, more than --max-length {limit}.",
        "最も長い行は {longest} トークンで、--max-length {limit} を超えています。",
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
        'Files, folders or hub ids (ORG/NAME), or "demo" for the embedded rows.',
        "ファイル、フォルダー、ハブの ID（ORG/NAME）。「demo」は同梱のデータです。",
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
        "Drop exact copies of earlier rows.",
        "前にある行と完全に同じ行を取り除きます。",
    ),
}

MESSAGES: dict[str, tuple[str, str]] = {
    **data_rows.MESSAGES,
    **data_files.MESSAGES,
    **data_hub.MESSAGES,
    **PREPARING,
}
