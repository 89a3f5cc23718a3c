"""What a person may read about the findings of a training: evidence, consequence and remedy of each id."""

MESSAGES: dict[str, tuple[str, str]] = {
    "precision-unavailable.evidence": (
        "{asked} was asked for, {instead} is used",
        "{asked} が指定されましたが {instead} を使います",
    ),
    "precision-unavailable.consequence": ("{reason}", "{reason}"),
    "precision-unavailable.remedy": (
        "leave --precision auto",
        "--precision auto のままにしてください",
    ),
    "quantization-unavailable.evidence": (
        "{quantization} needs {lack}",
        "{quantization} には {lack}",
    ),
    "quantization-unavailable.consequence": (
        "The base cannot be loaded in it.",
        "ベースをこの形式で読み込めません。",
    ),
    "quantization-unavailable.remedy": (
        "use --quantization none, or see what `jlora env-check` says of the GPU and the packages",
        "--quantization none を使うか、`jlora env-check` で GPU とパッケージを確認してください",
    ),
    "profile-does-not-fit.evidence": (
        "profile {name} needs {lack}",
        "プロファイル {name} には {lack}",
    ),
    "profile-does-not-fit.consequence": (
        "It may run out of memory here, or settle on something else than its file says.",
        "メモリが足りなくなるか、ファイルの記載とは違う設定になることがあります。",
    ),
    "profile-does-not-fit.remedy": ("use --profile {other}", "--profile {other} を使ってください"),
    "no-supervised-tokens.evidence": (
        "{data}: no token is supervised ({rows} rows, {dropped} dropped)",
        "{data}: 学習対象のトークンがありません（{rows} 行、除外 {dropped} 行）",
    ),
    "no-supervised-tokens.consequence": (
        "The loss would be zero throughout and nothing learned.",
        "損失は常にゼロで、何も学習されません。",
    ),
    "no-supervised-tokens.remedy": (
        "raise --max-length, or check that the rows have assistant turns",
        "--max-length を上げるか、assistant の発話があるか確認してください",
    ),
    "eos-not-supervised.evidence": (
        "{rows} of {total} rows do not train the end token",
        "{total} 行中 {rows} 行で終了トークンが学習対象になっていません",
    ),
    "eos-not-supervised.consequence": (
        "The model would not learn to stop.",
        "モデルが止まり方を学習できません。",
    ),
    "eos-not-supervised.remedy": (
        "use a template that ends answers with the end token",
        "回答を終了トークンで閉じるテンプレートを使ってください",
    ),
    "rows-dropped.evidence": (
        "{count} rows are longer than --max-length and are left out (longest kept: {longest} tokens)",
        "{count} 行が --max-length を超えるため除外されます（残った最長: {longest} トークン）",
    ),
    "rows-dropped.consequence": (
        "Their answers are not learned; a cut answer would teach never to end.",
        "その回答は学習されません。途中で切ると終わり方を学べないため、切らずに除外します。",
    ),
    "rows-dropped.remedy": (
        "raise --max-length up to the model's context, or shorten these rows",
        "モデルの文脈長まで --max-length を上げるか、該当行を短くしてください",
    ),
    "few-rows.evidence": ("only {rows} rows", "データが {rows} 行しかありません"),
    "few-rows.consequence": (
        "The model may learn them by heart and little else.",
        "丸暗記になり、汎化しないおそれがあります。",
    ),
    "few-rows.remedy": (
        "write more rows; 50 change a style",
        "行を増やしてください（文体の変更なら 50 行程度）",
    ),
    "duplicate-rows.evidence": (
        "{count} of {rows} rows stand twice",
        "{rows} 行中 {count} 行が重複しています",
    ),
    "duplicate-rows.consequence": ("They weigh double.", "重複した行が二重に効きます。"),
    "duplicate-rows.remedy": (
        "drop them with `jlora prepare --dedupe`",
        "`jlora prepare --dedupe` で取り除けます",
    ),
    "validation-in-training.evidence": (
        "{count} of {total} validation rows stand in the training rows too",
        "検証データ {total} 行中 {count} 行が学習データにも含まれています",
    ),
    "validation-in-training.consequence": (
        "The validation loss will look better than it is.",
        "検証損失が実際より良く見えます。",
    ),
    "validation-in-training.remedy": (
        "hold rows out with `jlora prepare --validation 0.1`",
        "`jlora prepare --validation 0.1` で検証データを分けてください",
    ),
    "warmup-exceeds-run.evidence": (
        "warm-up of {warmup} steps in a run of {steps}",
        "{steps} ステップの実行に対してウォームアップが {warmup} ステップです",
    ),
    "warmup-exceeds-run.consequence": (
        "The learning rate would reach {rate} instead of {asked}, and the loss hardly fall.",
        "学習率は {asked} ではなく {rate} までしか上がらず、損失がほとんど下がりません。",
    ),
    "warmup-exceeds-run.remedy": (
        "use --warmup-steps {room}",
        "--warmup-steps {room} にしてください",
    ),
    "too-few-steps.evidence": (
        "only {steps} optimizer steps",
        "最適化ステップが {steps} 回しかありません",
    ),
    "too-few-steps.consequence": ("Little can be learned in so few.", "ほとんど学習できません。"),
    "too-few-steps.remedy": (
        "raise --epochs, or lower --batch-size or --gradient-accumulation-steps",
        "--epochs を上げるか、--batch-size や --gradient-accumulation-steps を下げてください",
    ),
    "learning-rate-unusual.evidence": (
        "learning rate {rate}",
        "学習率が {rate} です",
    ),
    "learning-rate-unusual.consequence": (
        "LoRA usually wants 1e-4 to 2e-3: far below it learns little, far above it breaks.",
        "LoRA では通常 1e-4〜2e-3 です。低すぎると学習が進まず、高すぎると壊れます。",
    ),
    "learning-rate-unusual.remedy": (
        "try --learning-rate 2e-4",
        "--learning-rate 2e-4 を試してください",
    ),
    "memory-exceeded.evidence": (
        "about {needed} GiB are needed, {free} GiB are free",
        "約 {needed} GiB 必要ですが、空きは {free} GiB です",
    ),
    "memory-exceeded.consequence": (
        "The run would end for lack of memory.",
        "メモリ不足で終了します。",
    ),
    "memory-exceeded.remedy": ("{ways}", "{ways}"),
    "memory-exceeded.enough": ("use {ways}", "{ways} にしてください"),
    "memory-exceeded.or": (", or ", "、または "),
    "memory-exceeded.nothing": (
        "combine --batch-size 1, --gradient-checkpointing true and a smaller --max-length, "
        "or take a smaller model: none is enough alone",
        "単独で足りる設定はありません。--batch-size 1、--gradient-checkpointing true、"
        "短い --max-length を組み合わせるか、より小さいモデルを選んでください",
    ),
    "output-in-use.evidence": (
        "{path} exists and is not empty",
        "{path} は既に存在し、空ではありません",
    ),
    "output-in-use.consequence": (
        "Two runs in one folder would mix their files.",
        "一つのフォルダーに二つの実行が混ざってしまいます。",
    ),
    "output-in-use.remedy": (
        "choose another --output, or continue that run with --resume",
        "別の --output を指定するか、--resume でその実行を続けてください",
    ),
    "targets-match-nothing.refused": (
        "no linear layer is named {names}; this architecture has {known}",
        "{names} という線形層はありません。このアーキテクチャには {known} があります",
    ),
    "targets-match-nothing.refused.fix": (
        "choose among them with --lora-targets, or use auto",
        "--lora-targets でこの中から選ぶか、auto を使ってください",
    ),
    "targets-match-nothing.evidence": (
        "no linear layer of this architecture is named {names}",
        "このアーキテクチャに {names} という線形層はありません",
    ),
    "targets-match-nothing.consequence": (
        "The adapter would have nothing to attach to.",
        "アダプターを取り付ける先がありません。",
    ),
    "targets-match-nothing.remedy": (
        "choose among {known} with --lora-targets, or use auto",
        "--lora-targets で {known} から選ぶか、auto を使ってください",
    ),
    "unknown-tokens.evidence": (
        "{per_thousand} of 1,000 tokens are unknown to this vocabulary "
        "(prompts {prompts}, answers {answers}): {characters}",
        "1,000 トークンあたり {per_thousand} 個が語彙にない文字です"
        "（プロンプト {prompts}、回答 {answers}）: {characters}",
    ),
    "unknown-tokens.consequence": (
        "The model can neither read nor write these characters.",
        "モデルはこれらの文字を読むことも書くこともできません。",
    ),
    "unknown-tokens.remedy": (
        "replace these characters in the data, or choose a model whose vocabulary falls back to bytes",
        "データ中の該当文字を置き換えるか、バイトフォールバックのある語彙のモデルを選んでください",
    ),
    "newlines-lost.evidence": (
        "this tokenizer cannot write newlines; of {total} rows {rows} have some, {count} in answers",
        "このトークナイザーは改行を表せませんが、{total} 行中 {rows} 行（回答は {count} 件）に改行があります",
    ),
    "newlines-lost.consequence": (
        "They become spaces, in training and in answers alike.",
        "改行は、学習でも回答でも空白になります。",
    ),
    "newlines-lost.remedy": (
        "accept it, or choose a model whose tokenizer keeps newlines",
        "そのまま進めるか、改行を保つトークナイザーのモデルを選んでください",
    ),
    "spaces-lost.evidence": (
        "this tokenizer loses {what}; {count} of {total} answers have some",
        "このトークナイザーでは{what}が失われますが、{total} 件中 {count} 件の回答に含まれます",
    ),
    "spaces-lost.consequence": (
        "They shrink to single spaces or nothing: the model learns code and tables out of shape.",
        "空白 1 つになるか消えるため、コードや表が崩れた形で学習されます。",
    ),
    "spaces-lost.remedy": (
        "leave code and tables out of the answers, or choose a model whose tokenizer keeps white space",
        "回答からコードや表を外すか、空白を保つトークナイザーのモデルを選んでください",
    ),
    "case-folded.evidence": (
        "capital letters become small ones; {rows} of {total} rows have some ({answers} in answers)",
        "大文字は小文字になります。{total} 行中 {rows} 行に大文字があります（うち回答 {answers} 件）",
    ),
    "case-folded.consequence": (
        "The model reads and learns small letters only, in training and at inference alike.",
        "学習でも推論でも、モデルは小文字だけを読み書きします。",
    ),
    "case-folded.remedy": (
        "accept it (this base was trained so), or choose a model that keeps capitals",
        "そのまま進めるか（このベースはそう学習されています）、大文字を保つモデルを選んでください",
    ),
    "special-tokens-in-text.evidence": (
        "{rows} of {total} rows spell control tokens out in their text: {literals}",
        "{total} 行中 {rows} 行の本文に制御トークンの表記があります: {literals}",
    ),
    "special-tokens-in-text.consequence": (
        "jlora keeps them text, so the model learns to write them letter by letter; other tools would end or cut an answer there.",
        "jlora ではただの文字列として学習しますが、他のツールではそこで回答が終わったり途切れたりします。",
    ),
    "special-tokens-in-text.remedy": (
        "remove them from the rows unless the text is about them; the template writes the real ones",
        "本文の話題でない限り取り除いてください。本物の制御トークンはテンプレートが書き込みます",
    ),
    "eos-is-pad.evidence": (
        "the end token and the padding token are the same id {token}",
        "終了トークンとパディングトークンが同じ ID {token} です",
    ),
    "eos-is-pad.consequence": (
        "jlora masks padding by position and still trains the end; tools that mask it by id would never teach the model to stop.",
        "jlora はパディングを位置で除外するため終了も学習しますが、ID で除外するツールではモデルが止まり方を学べません。",
    ),
    "eos-is-pad.remedy": (
        "nothing to do here; for other tools name another pad_token in tokenizer_config.json",
        "jlora では対処不要です。他のツールで使うなら tokenizer_config.json の pad_token を別にしてください",
    ),
    "eos-is-unk.evidence": (
        "the end token and the unknown token are the same id {token}",
        "終了トークンと未知語トークンが同じ ID {token} です",
    ),
    "eos-is-unk.consequence": (
        "Unknown characters would teach the model to stop.",
        "未知の文字があるたびに「終了」と学習してしまいます。",
    ),
    "eos-is-unk.remedy": (
        "check the model's tokenizer_config.json",
        "モデルの tokenizer_config.json を確認してください",
    ),
    "template-specials-split.evidence": (
        "the template writes control tokens that this vocabulary does not have (tokens each): {literals}",
        "テンプレートが使う制御トークンがこの語彙にありません（括弧内は分割後のトークン数）: {literals}",
    ),
    "template-specials-split.consequence": (
        "They fall apart into letters, {more} tokens an exchange, and mark no turn for the model.",
        "文字に分かれて 1 往復あたり {more} トークンになり、発話の区切りとして働きません。",
    ),
    "template-specials-split.remedy": (
        "use --template chat-markdown, or the tokenizer files that belong to this template",
        "--template chat-markdown を使うか、このテンプレートに合うトークナイザーのファイルを使ってください",
    ),
    "system-not-written.evidence": (
        "{rows} rows have a system message, which the template {template} does not write",
        "{rows} 行に system メッセージがありますが、テンプレート {template} はそれを書きません",
    ),
    "system-not-written.consequence": (
        "The model is shown none of it, in training or later.",
        "学習でもその後でも、モデルにはまったく見えません。",
    ),
    "system-not-written.remedy": (
        "use --template chat-markdown, which writes it, or put the text into the first question",
        "system も書く --template chat-markdown を使うか、その文章を最初の質問に入れてください",
    ),
    "ids-outside-embedding.evidence": (
        "the tokenizer has {ids} ids, the model's embedding has room for {rows}",
        "トークナイザーの ID は {ids} 個ありますが、モデルの埋め込みは {rows} 個分です",
    ),
    "ids-outside-embedding.consequence": (
        "Training refuses to start: such an id has no vector.",
        "該当する ID にはベクトルがないため、学習を開始できません。",
    ),
    "ids-outside-embedding.remedy": (
        "use the tokenizer files that belong to these weights",
        "この重みに対応するトークナイザーのファイルを使ってください",
    ),
    "base-is-adapter.evidence": (
        "{model} is an adapter, not a base model",
        "{model} はアダプターで、ベースモデルではありません",
    ),
    "base-is-adapter.consequence": (
        "There are no base weights to train on.",
        "学習の土台になる重みがありません。",
    ),
    "base-is-adapter.remedy": (
        "use --model {base} --from-adapter {model}",
        "--model {base} --from-adapter {model} を使ってください",
    ),
    "model-not-for-language.evidence": (
        "the rows are Japanese, and the model's vocabulary spells {density} characters a token",
        "データは日本語ですが、このモデルの語彙では 1 トークンが {density} 文字です",
    ),
    "model-not-for-language.consequence": (
        "It was made for another language: training is slow, and little Japanese is known to build on.",
        "別の言語向けのモデルです。学習が遅く、土台になる日本語の知識もほとんどありません。",
    ),
    "model-not-for-language.remedy": (
        "choose a base that was trained on Japanese, such as rinna/japanese-gpt2-medium",
        "rinna/japanese-gpt2-medium など、日本語で学習されたベースを選んでください",
    ),
    "template-differs.evidence": (
        "the model brings a chat template of its own, and the template {template} writes other prompts",
        "モデル自身のチャットテンプレートがありますが、{template} は別のプロンプトを書きます",
    ),
    "template-differs.consequence": (
        "What the model knows of conversations is learned anew, and other programs would use its own.",
        "モデルが覚えた対話の形式が生かされず、ほかのプログラムはモデル自身のものを使います。",
    ),
    "template-differs.remedy": ("use --template model", "--template model を使ってください"),
    "eos-untrained.evidence": (
        "the end token {token} has an embedding row that was never trained ({why})",
        "終了トークン {token} の埋め込みは学習されていません（{why}）",
    ),
    "eos-untrained.consequence": (
        "The embedding is frozen, so the model can hardly learn to write it: answers would not end.",
        "埋め込みは固定されるため、このトークンを書くことを学べず、回答が終わりません。",
    ),
    "eos-untrained.remedy": (
        "use a template that ends with a token the base knows, such as --template chat-markdown",
        "ベースが知っているトークンで終わるテンプレート（--template chat-markdown など）を使ってください",
    ),
    "eos-untrained.zero": ("all zeros", "すべてゼロ"),
    "eos-untrained.copy": ("the same as of token {other}", "トークン {other} と同じ値"),
    "few-supervised-tokens.evidence": (
        "{supervised} supervised tokens in {rows} rows",
        "{rows} 行で学習対象は {supervised} トークンだけです",
    ),
    "few-supervised-tokens.consequence": (
        "Hardly more than the end of each answer is learned.",
        "各回答の終わり以外はほとんど学習されません。",
    ),
    "few-supervised-tokens.remedy": (
        "check that the answers stand in the column you think, with `jlora prepare`",
        "回答の列が正しいか `jlora prepare` で確認してください",
    ),
    "prompts-supervised.evidence": (
        "{rows} of {total} texts hold a question and its answer in one ({mark})",
        "{total} 件中 {rows} 件のテキストに質問と回答が一緒に書かれています（{mark}）",
    ),
    "prompts-supervised.consequence": (
        "The loss covers the questions too: the model learns to ask as much as to answer.",
        "損失が質問にもかかり、回答と同じだけ質問の書き方を学習します。",
    ),
    "prompts-supervised.remedy": (
        "give the rows as instruction/output or messages; jlora writes the template itself",
        "instruction/output や messages の形で渡してください。テンプレートは jlora が書きます",
    ),
    "answers-truncated.evidence": (
        "{count} of {rows} answers are cut off at {length} tokens",
        "{rows} 件中 {count} 件の回答が {length} トークンで切れます",
    ),
    "answers-truncated.consequence": (
        "Their ends are never learned: the model learns to break off, or to go on.",
        "終わりが学習されず、途中で切れたり終わらなかったりする回答を覚えます。",
    ),
    "answers-truncated.remedy": (
        "use --truncate turns, which leaves such rows out, or raise --max-length (longest row: {longest})",
        "該当行を除外する --truncate turns を使うか、--max-length を上げてください（最長の行: {longest}）",
    ),
    "unused-setting.evidence": (
        "nothing reads {names} in this run",
        "この実行では {names} は使われません",
    ),
    "unused-setting.consequence": ("{reasons}.", "{reasons}。"),
    "unused-setting.remedy": (
        "remove what is not meant, or the setting that overrides it",
        "不要な設定か、それを上書きしている設定を削除してください",
    ),
    "unused-setting.by": ("{name} is overridden by {other}", "{name} は {other} に上書きされます"),
    "unused-setting.no_validation": (
        "{name} needs validation rows",
        "{name} には検証データが必要です",
    ),
    "unused-setting.text": (
        "{name} has no meaning for rows of plain text",
        "{name} はプレーンテキストの行には関係しません",
    ),
    "padding-wasted.evidence": (
        "{share} of what is computed would be padding",
        "計算の {share} がパディングになります",
    ),
    "padding-wasted.consequence": (
        "The run takes that much longer and learns nothing from it.",
        "その分だけ時間がかかり、学習には役立ちません。",
    ),
    "padding-wasted.remedy": ("use --packing auto", "--packing auto を使ってください"),
}
