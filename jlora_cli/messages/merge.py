"""What a person may read about merging."""

MESSAGES: dict[str, tuple[str, str]] = {
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
        "checked, nor its prompt template, its rule for newlines and its tokenizer",
        "{path} は jlora 以外で作られたため、{base} が学習時のベースかどうかと、"
        "プロンプトテンプレート、改行の規則、トークナイザーは確認できません",
    ),
    "merge.own_template": (
        "stock transformers' apply_chat_template builds another prompt than the training's "
        "({template}); `jlora infer` and `jlora chat` build the right one",
        "標準の transformers の apply_chat_template は、学習時（{template}）とは別のプロンプトを作ります。"
        "`jlora infer` と `jlora chat` は学習時と同じプロンプトを使います",
    ),
    "merge.unknown_kind": (
        "{path} describes an adapter that adds more than matrices to its base: {names}",
        "{path} は、行列を足すだけでは再現できないアダプターです（{names}）",
    ),
    "merge.unknown_kind.fix": (
        "merge it with the tool that made it, or train plain LoRA, rsLoRA or DoRA",
        "作成に使ったツールで統合するか、通常の LoRA・rsLoRA・DoRA で学習してください",
    ),
    "merge.zero_tensors": (
        "{path}: {count} tensors are all zero, {name} among them: these layers learned nothing",
        "{path}: すべてゼロのテンソルが {count} 個あります（例: {name}）。この層は何も学習していません",
    ),
    "merge.zero_tensors.fix": (
        "copy the adapter again from where it was saved, or train again without these layers",
        "アダプターを保存元からコピーし直すか、この層を対象から外して学習し直してください",
    ),
    "merge.tied": (
        "{path} changes {name}, but this base uses one tensor as input and output embedding",
        "{path} は {name} を変更しますが、このベースは入力と出力で同じ埋め込みを共有しています",
    ),
    "merge.tied.fix": (
        "train without the embeddings, or answer with base and adapter unmerged",
        "埋め込みを対象から外して学習するか、統合せずにベースとアダプターで回答してください",
    ),
    "merge.no_shard": (
        "{path} names {name}, which is not there",
        "{path} に記載の {name} がありません",
    ),
    "merge.no_shard.fix": (
        "download the base again",
        "ベースをダウンロードし直してください",
    ),
    "merge.overflow": (
        "{name} holds numbers that {dtype} cannot hold, or none at all",
        "{name} に {dtype} では表せない値、または数でない値があります",
    ),
    "merge.overflow.fix": (
        "merge with --dtype bfloat16 or float32; nothing was written",
        "--dtype bfloat16 または float32 で統合してください（何も書き出していません）",
    ),
    "merge.bad_verify": (
        "no such way to verify: {verify}",
        "そのような検証方法はありません: {verify}",
    ),
    "merge.bad_verify.fix": (
        "use full, sample or off",
        "full、sample、off のいずれかを指定してください",
    ),
    "merge.memory": (
        "comparing holds a model in float32, some {need} GiB; {free} GiB of memory are free. Where "
        "that does not suffice, merge with --verify off",
        "比較にはモデルを float32 で読み込むため約 {need} GiB を使いますが、空きメモリは {free} GiB です。"
        "足りない場合は --verify off で統合してください",
    ),
    "merge.no_as_trained": (
        "the base cannot be loaded in {quantization} as in the training, so that answer is not "
        "compared: {problem}",
        "学習時と同じ {quantization} ではベースを読み込めないため、その回答とは比較しません: {problem}",
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
    "merge.stage.as_trained": (
        "asking the adapter on its {quantization} base, as it was trained, the same",
        "学習時と同じ {quantization} のベースにも同じ質問中",
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
    "merge.done_unverified": (
        "Merged into {output} ({dtype}). Nothing was compared (--verify off).",
        "{output} に統合しました（{dtype}）。比較はしていません（--verify off）。",
    ),
    "merge.as_trained": (
        "Against the adapter on its {quantization} base, as it was trained: largest logit "
        "difference {difference}, same first choice {agreement}, greedy text {same}.",
        "学習時と同じ {quantization} のベースとの比較: ロジットの最大差 {difference}、"
        "第 1 候補の一致 {agreement}、貪欲法の文章は{same}。",
    ),
}
