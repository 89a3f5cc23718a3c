"""What a person may read about SOURCEs, models, merge, infer, chat and evaluate."""

MESSAGES: dict[str, tuple[str, str]] = {
    "source.is_file": ("{path} is a file, not a folder", "{path} はフォルダーではなくファイルです"),
    "source.is_file.fix": (
        "give the run, adapter or model folder",
        "実行・アダプター・モデルのフォルダーを指定してください",
    ),
    "source.unfinished": (
        "{path} is not a finished run (status: {status})",
        "{path} は完了した実行ではありません（状態: {status}）",
    ),
    "source.unfinished.fix": (
        "finish it with `jlora train ... --output {path} --resume`, or name another run",
        "`jlora train ... --output {path} --resume` で完了させるか、別の実行を指定してください",
    ),
    "source.unknown": (
        "{path} holds neither a run, nor an adapter, nor a model",
        "{path} には実行もアダプターもモデルもありません",
    ),
    "source.unknown.fix": (
        "name a folder with run.json, adapter_config.json or config.json",
        "run.json、adapter_config.json、config.json のいずれかがあるフォルダーを指定してください",
    ),
    "source.no_adapter_config": ("{path} is missing", "{path} がありません"),
    "source.no_adapter_config.fix": (
        "copy it from where the adapter was saved; its weights are useless without it",
        "アダプターの保存元からコピーしてください。これがないと重みを使えません",
    ),
    "source.no_adapter_weights": ("{path} is missing", "{path} がありません"),
    "source.no_adapter_weights.fix": (
        "copy it from where the adapter was saved; nothing was looked up on a hub",
        "アダプターの保存元からコピーしてください（Hub への問い合わせはしていません）",
    ),
    "source.pickled_adapter": (
        "{path} is a pickle, which can run code when it is read",
        "{path} は pickle 形式で、読み込むだけでコードが実行されるおそれがあります",
    ),
    "source.pickled_adapter.fix": (
        "save the adapter as safetensors where it was made",
        "作成元で safetensors 形式に保存し直してください",
    ),
    "source.bad_json": ("{path} cannot be read: {problem}", "{path} を読めません: {problem}"),
    "source.bad_json.fix": (
        "restore the file from where it came from",
        "元の場所からファイルを取り直してください",
    ),
    "source.no_object": ("it is no JSON object", "JSON オブジェクトではありません"),
    "source.missing": ("{path} does not exist", "{path} は存在しません"),
    "source.missing.fix": (
        "check the path; runs are listed by `ls runs`",
        "パスを確認してください（`ls runs` で実行の一覧が見られます）",
    ),
    "source.no_base": (
        "{path} does not name a base model",
        "{path} にベースモデルの記録がありません",
    ),
    "source.no_base.fix": ("name it with --base", "--base で指定してください"),
    "source.no_run": (
        "there is no finished run under {folder}",
        "{folder} に完了した実行がありません",
    ),
    "source.no_run.fix": (
        "name a SOURCE (`jlora chat demo` works everywhere), or train first",
        "SOURCE を指定するか（`jlora chat demo` は常に使えます）、先に学習してください",
    ),
    "source.cannot_write": ("cannot write {path}: {problem}", "{path} に書き込めません: {problem}"),
    "source.cannot_write.fix": ("choose another folder", "別のフォルダーを指定してください"),
    "model.no_config": ("{path} is missing", "{path} がありません"),
    "model.no_config.fix": (
        "name a folder that holds a whole model",
        "モデル一式が入ったフォルダーを指定してください",
    ),
    "model.needs_code": (
        "{path} asks for Python code that came with the model, which jlora never runs",
        "{path} はモデル付属の Python コードを要求していますが、jlora は実行しません",
    ),
    "model.needs_code.fix": (
        "choose a model of an architecture that transformers has itself",
        "transformers に含まれるアーキテクチャのモデルを選んでください",
    ),
    "model.pickled": (
        "{folder} holds its weights as a pickle (.bin), which can run code when it is read",
        "{folder} の重みは pickle（.bin）形式で、読み込むだけでコードが実行されるおそれがあります",
    ),
    "model.pickled.fix": (
        "convert it to safetensors, or take a revision that has them",
        "safetensors に変換するか、safetensors のあるリビジョンを使ってください",
    ),
    "model.no_weights": (
        "{folder} holds no *.safetensors",
        "{folder} に *.safetensors がありません",
    ),
    "model.no_weights.fix": (
        "copy the weights there, or name another model",
        "重みをコピーするか、別のモデルを指定してください",
    ),
    "model.damaged": (
        "{path} is empty or cut off: {problem}",
        "{path} が空か途中で切れています: {problem}",
    ),
    "model.damaged.fix": (
        "copy or download it again",
        "もう一度コピーまたはダウンロードしてください",
    ),
    "model.embedding_differs": (
        "{folder}: config.json says {said} tokens, the embedding has {rows} rows",
        "{folder}: config.json の語彙数は {said} ですが、埋め込みは {rows} 行です",
    ),
    "model.embedding_differs.fix": (
        "restore the config.json that belongs to these weights",
        "重みに対応する config.json に戻してください",
    ),
    "model.tokenizer_larger": (
        "{folder}: the tokenizer has {ids} ids, the embedding only {rows} rows",
        "{folder}: トークナイザーの ID は {ids} 個ですが、埋め込みは {rows} 行しかありません",
    ),
    "model.tokenizer_larger.fix": (
        "use the tokenizer files that came with these weights",
        "重みと一緒に配布されたトークナイザーを使ってください",
    ),
    "model.cannot_load": (
        "{folder} cannot be loaded: {problem}",
        "{folder} を読み込めません: {problem}",
    ),
    "model.cannot_load.fix": (
        "check that config.json and the weights belong together (`--debug` shows more)",
        "config.json と重みの組み合わせを確認してください（`--debug` で詳細）",
    ),
    "model.tensors_differ": (
        "{folder}: the weights do not fit config.json: {missing} tensors are missing, {misshapen} of another "
        "shape, {unexpected} left over, among them {name}",
        "{folder}: 重みが config.json に合いません（不足 {missing} 個、形の違い {misshapen} 個、余り {unexpected} 個。例: {name}）",
    ),
    "model.tensors_differ.fix": (
        "restore the config.json that belongs to these weights, or download the weights again",
        "重みに対応する config.json に戻すか、重みをダウンロードし直してください",
    ),
    "model.no_reason": ("no reason given", "理由は示されていません"),
    "model.no_device": (
        "torch cannot use {device} here; it can use {known}",
        "この環境の torch は {device} を使えません（使えるのは {known}）",
    ),
    "model.no_device.fix": ("run `jlora env-check`", "`jlora env-check` を実行してください"),
    "adapter.not_lora": (
        "{path} describes no LoRA adapter (peft_type is {kind})",
        "{path} は LoRA アダプターのものではありません（peft_type: {kind}）",
    ),
    "adapter.not_lora.fix": (
        "name an adapter that was trained with LoRA",
        "LoRA で学習したアダプターを指定してください",
    ),
    "adapter.rank_differs": (
        "{path}: its tensors have rank {rank}, adapter_config.json says {said}",
        "{path}: テンソルのランクは {rank} ですが、adapter_config.json では {said} です",
    ),
    "adapter.rank_differs.fix": (
        "restore the adapter_config.json that belongs to these weights",
        "この重みに対応する adapter_config.json に戻してください",
    ),
    "adapter.tensors_differ": (
        "{path}: {matched} of {total} tensors fit this base ({missing} missing, {unexpected} unexpected)",
        "{path}: {total} 個中 {matched} 個のテンソルしかこのベースに合いません"
        "（不足 {missing}、余分 {unexpected}）",
    ),
    "adapter.tensors_differ.fix": (
        "name the base that the adapter was trained on with --base",
        "学習に使ったベースを --base で指定してください",
    ),
    "adapter.shape_differs": (
        "{path}: {name} is {shape}, this base needs {wanted}",
        "{path}: {name} の形は {shape} ですが、このベースでは {wanted} が必要です",
    ),
    "adapter.shape_differs.fix": (
        "name the base that the adapter was trained on with --base",
        "学習に使ったベースを --base で指定してください",
    ),
    "adapter.not_finite": (
        "{path}: {name} holds NaN or infinite values",
        "{path}: {name} に NaN または無限大が含まれています",
    ),
    "adapter.not_finite.fix": (
        "train again with a lower learning rate; this adapter cannot answer",
        "学習率を下げて学習し直してください。このアダプターは使えません",
    ),
    "generation.empty_prompt": ("the prompt is empty", "プロンプトが空です"),
    "generation.empty_prompt.fix": ("write something", "何か入力してください"),
    "generation.too_long": (
        "{prompt} prompt tokens and {new} new ones do not fit into the model's {context}",
        "プロンプト {prompt} トークンと新規 {new} トークンは、モデルの上限 {context} に収まりません",
    ),
    "generation.too_long.fix": (
        "shorten the prompt or lower --max-new-tokens",
        "プロンプトを短くするか --max-new-tokens を下げてください",
    ),
    "generation.no_such": (
        "{option} {value} is not known",
        "{option} {value} は使えません",
    ),
    "generation.no_such.fix": ("use one of {known}", "{known} のいずれかを指定してください"),
    "generation.other_base": (
        "{path} was trained on other weights than those of {base}: expect poor answers, and name "
        "the base of the training with --base",
        "{path} は {base} とは別の重みで学習されています。回答の質は期待できません。"
        "学習時のベースを --base で指定してください",
    ),
    "generation.no_quantization": (
        "{quantization} needs a CUDA GPU; the device is {device}",
        "{quantization} には CUDA GPU が必要です（デバイスは {device}）",
    ),
    "generation.no_quantization.fix": (
        "use --quantization none",
        "--quantization none を使ってください",
    ),
    "sampling.used": ("Sampling: {parts}", "サンプリング: {parts}"),
    "sampling.part": ("{values} ({source})", "{values}（{source}）"),
    "sampling.source.option": ("as asked", "指定"),
    "sampling.source.model": ("the model's own", "モデルの設定"),
    "sampling.source.recipe": ("known of this model", "このモデルの推奨"),
    "sampling.source.default": ("default", "既定"),
    "merge.no_adapter": (
        "{source} is no adapter, there is nothing to merge",
        "{source} はアダプターではなく、統合できません",
    ),
    "merge.no_adapter.fix": (
        "name a run folder or an adapter folder",
        "実行フォルダーかアダプターフォルダーを指定してください",
    ),
    "merge.output_in_use": (
        "{path} exists and is not empty",
        "{path} は既に存在し、空ではありません",
    ),
    "merge.output_in_use.fix": ("choose another --output", "別の --output を指定してください"),
    "merge.no_effect": (
        "{path} changes nothing: every lora_B tensor is zero (untrained?)",
        "{path} は何も変えません: lora_B がすべてゼロです（未学習？）",
    ),
    "merge.no_effect.fix": (
        "train it first, or use the base as it is",
        "先に学習するか、ベースをそのまま使ってください",
    ),
    "merge.other_base": (
        "{path} was trained on other weights than those in {base}",
        "{path} は {base} とは別の重みで学習されています",
    ),
    "merge.other_base.fix": (
        "name the base of the training with --base",
        "学習時のベースを --base で指定してください",
    ),
    "merge.quantized_base": (
        "{base} holds quantized weights; an adapter merged into them would answer differently",
        "{base} の重みは量子化済みで、アダプターを統合すると回答が変わってしまいます",
    ),
    "merge.quantized_base.fix": (
        "name the full-precision base with --base",
        "量子化前のベースを --base で指定してください",
    ),
    "merge.unchecked": (
        "{path} was not made by jlora: whether {base} is the base it was trained on cannot be "
        "checked, nor its prompt template",
        "{path} は jlora 以外で作られたため、{base} が学習時のベースかどうかと"
        "プロンプトテンプレートは確認できません",
    ),
    "merge.bad_dtype": ("no such precision: {dtype}", "そのような精度はありません: {dtype}"),
    "merge.bad_dtype.fix": (
        "use float32, bfloat16 or float16",
        "float32、bfloat16、float16 のいずれかを指定してください",
    ),
    "merge.differs": (
        "the merged model differs from base + adapter: logits by up to {difference}, same first "
        "choice in {agreement}",
        "統合後のモデルがベース＋アダプターと一致しません: ロジットの差 {difference}、"
        "第 1 候補の一致 {agreement}",
    ),
    "merge.differs.fix": (
        "merge with --dtype float32; nothing was written",
        "--dtype float32 で統合してください（何も書き出していません）",
    ),
    "merge.stage.reading": (
        "asking base + adapter {count} prompts",
        "ベース＋アダプターに {count} 件を質問中",
    ),
    "merge.stage.merging": ("merging in {dtype}", "{dtype} で統合中"),
    "merge.stage.verifying": (
        "asking the merged model, read back from disk, the same",
        "書き出した統合モデルを読み直し、同じ質問で検証中",
    ),
    "merge.same": ("identical", "完全一致"),
    "merge.not_same": ("not identical", "一致しない箇所あり"),
    "merge.done": (
        "Merged into {output} ({dtype}). Against base + adapter on {prompts} prompts: largest logit "
        "difference {difference}, same first choice {agreement}, greedy text {same}.",
        "{output} に統合しました（{dtype}）。{prompts} 件での比較: ロジットの最大差 {difference}、"
        "第 1 候補の一致 {agreement}、貪欲法の文章は{same}。",
    ),
    "infer.prompt_or_input": (
        "give either --prompt or --input",
        "--prompt と --input のどちらか一方を指定してください",
    ),
    "infer.input_needs_output": (
        "--input and --output belong together",
        "--input と --output は一緒に指定してください",
    ),
    "infer.output_in_use": ("{path} exists already", "{path} は既に存在します"),
    "infer.output_in_use.fix": ("choose another --output", "別の --output を指定してください"),
    "infer.no_folder": (
        "the folder of {path} does not exist",
        "{path} の親フォルダーがありません",
    ),
    "infer.no_folder.fix": (
        "create it, or choose another --output",
        "フォルダーを作成するか、別の --output を指定してください",
    ),
    "infer.row_too_long": (
        "{path} line {line}: the prompt and --max-new-tokens exceed the model's context",
        "{path} の {line} 行目: プロンプトと --max-new-tokens の合計がモデルの上限を超えています",
    ),
    "infer.row_too_long.fix": (
        "shorten this row or lower --max-new-tokens",
        "この行を短くするか --max-new-tokens を下げてください",
    ),
    "infer.cannot_read": ("{path} cannot be read: {problem}", "{path} を読めません: {problem}"),
    "infer.cannot_read.fix": (
        "give a JSONL file in UTF-8",
        "UTF-8 の JSONL ファイルを指定してください",
    ),
    "infer.bad_row": (
        '{path} line {line} is neither {{"prompt": ...}} nor {{"messages": [...]}} with a question',
        '{path} の {line} 行目が {{"prompt": ...}} でも、質問を含む {{"messages": [...]}} でもありません',
    ),
    "infer.bad_row.fix": ("correct this line", "この行を修正してください"),
    "infer.written": (
        "{count} answers written to {path}",
        "{count} 件の回答を {path} に書き出しました",
    ),
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
    "evaluate.no_rows": (
        "no row ends in an answer, there is nothing to compare with",
        "回答で終わる行がなく、比較できません",
    ),
    "evaluate.no_rows.fix": (
        "give rows whose last message is the assistant's",
        "最後のメッセージが assistant の行を指定してください",
    ),
    "evaluate.left_out": (
        "{count} rows left out: without an answer at their end, or too long for the model",
        "{count} 行を除外しました（回答で終わっていないか、モデルの上限を超えています）",
    ),
    "evaluate.all_too_long": (
        "no row fits: with {new} new tokens, each exceeds the model's {context}",
        "新規 {new} トークンを加えると、どの行もモデルの上限 {context} に収まりません",
    ),
    "evaluate.all_too_long.fix": (
        "lower --max-new-tokens or give shorter rows",
        "--max-new-tokens を下げるか、短い行を指定してください",
    ),
    "evaluate.bad_pattern": (
        "--expect {pattern} is no regular expression: {problem}",
        "--expect {pattern} は正規表現ではありません: {problem}",
    ),
    "evaluate.bad_pattern.fix": (
        "escape special characters with a backslash",
        "特殊文字をバックスラッシュでエスケープしてください",
    ),
    "evaluate.no_base": (
        "--compare-base needs an adapter; this is a whole model",
        "--compare-base にはアダプターが必要ですが、これはモデル本体です",
    ),
    "evaluate.no_base.fix": ("leave --compare-base out", "--compare-base を外してください"),
    "evaluate.stage.loading": (
        "loading {model} and its adapter",
        "{model} とアダプターを読み込み中",
    ),
    "evaluate.stage.base": ("the same without the adapter", "アダプターなしでも採点中"),
    "evaluate.score": ("score", "指標"),
    "evaluate.base": ("base", "ベース"),
    "evaluate.tuned": ("tuned", "調整後"),
    "evaluate.model": ("model", "モデル"),
    "evaluate.title": ("{rows} rows", "{rows} 行"),
    "report.incomplete": (
        "{path} was not written by a run: it lacks {names}",
        "{path} は学習の実行が書いたものではありません（{names} がありません）",
    ),
    "report.incomplete.fix": (
        "name a run folder as `jlora train` leaves it",
        "`jlora train` が残した実行フォルダーを指定してください",
    ),
}
