"""What a person may read about SOURCEs, models and adapters."""

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
}
