"""What a person may read about the findings of a run while it goes on."""

MESSAGES: dict[str, tuple[str, str]] = {
    "loss-not-falling.evidence": (
        "the loss does not fall: {first} over the first {window} steps, {last} over those up to step {step}",
        "損失が下がっていません（最初の {window} ステップ: {first}、ステップ {step} までの同数: {last}）",
    ),
    "loss-not-falling.consequence": (
        "Most likely {cause}.",
        "考えられる原因: {cause}。",
    ),
    "loss-not-falling.remedy": ("{advice}", "{advice}"),
    "loss-not-falling.cause.warmup": (
        "the learning rate is still rising: warm-up takes {warmup} of {steps} steps",
        "学習率がまだ上昇中です（全 {steps} ステップのうちウォームアップが {warmup}）",
    ),
    "loss-not-falling.advice.warmup": (
        "lower --warmup-steps to a tenth of the run",
        "--warmup-steps を全体の 1 割程度に下げてください",
    ),
    "loss-not-falling.cause.rate_low": (
        "the learning rate of {rate} is too low for LoRA",
        "学習率 {rate} が LoRA には低すぎます",
    ),
    "loss-not-falling.advice.rate_low": (
        "try --learning-rate 2e-4",
        "--learning-rate 2e-4 を試してください",
    ),
    "loss-not-falling.cause.rate_high": (
        "the learning rate of {rate} is too high",
        "学習率 {rate} が高すぎます",
    ),
    "loss-not-falling.advice.rate_high": (
        "try a third of --learning-rate, or a longer warm-up",
        "--learning-rate を 1/3 程度に下げるか、ウォームアップを長くしてください",
    ),
    "loss-not-falling.cause.few_tokens": (
        "a step learns from only {tokens} supervised tokens",
        "1 ステップの学習対象が {tokens} トークンしかありません",
    ),
    "loss-not-falling.advice.few_tokens": (
        "raise --batch-size, and check that the answers stand in assistant turns",
        "--batch-size を上げ、回答が assistant の発話になっているか確認してください",
    ),
    "loss-not-falling.cause.few_steps": (
        "{steps} steps are too few",
        "{steps} ステップでは少なすぎます",
    ),
    "loss-not-falling.advice.few_steps": (
        "raise --epochs or --learning-rate",
        "--epochs か --learning-rate を上げてください",
    ),
    "loss-not-falling.cause.clipped": (
        "gradients are nearly always clipped to {limit} ({clipped} of the steps), which the "
        "learning rate of {rate} may be too high for",
        "勾配がほぼ常に {limit} で切られており（{clipped} のステップ）、学習率 {rate} が高すぎるおそれがあります",
    ),
    "loss-not-falling.advice.clipped": (
        "try a third of --learning-rate",
        "--learning-rate を 1/3 程度に下げてみてください",
    ),
    "loss-not-falling.cause.unknown": (
        "the answers do not follow from the prompts, or the base knows them already",
        "回答がプロンプトから導けないか、ベースが既に知っている内容です",
    ),
    "loss-not-falling.advice.unknown": (
        "read some rows as trained with `jlora tokens --as-trained`, and raise --lora-r or --learning-rate",
        "`jlora tokens --as-trained` で学習行を確認し、--lora-r か --learning-rate を上げてみてください",
    ),
    "out-of-memory.evidence": (
        "memory ran out in step {step}; micro-batches now have {after} rows instead of {before}",
        "ステップ {step} でメモリが不足したため、マイクロバッチを {before} 行から {after} 行にしました",
    ),
    "out-of-memory.consequence": (
        "Steps take longer; the effective batch and the loss stay the same.",
        "1 ステップの時間は延びますが、実効バッチと損失は変わりません。",
    ),
    "out-of-memory.remedy": (
        "next time use --batch-size {after} and as many more --gradient-accumulation-steps, or "
        "--gradient-checkpointing",
        "次回は --batch-size {after} にしてその分 --gradient-accumulation-steps を増やすか、"
        "--gradient-checkpointing を付けてください",
    ),
    "memory-spilled.evidence": (
        "step {step} took several times as long with the GPU's memory full; "
        "micro-batches now have {after} rows instead of {before}",
        "GPU メモリがいっぱいでステップ {step} の時間が数倍になったため、"
        "マイクロバッチを {before} 行から {after} 行にしました",
    ),
    "memory-spilled.consequence": (
        "Windows puts what does not fit into shared memory, which is many times slower; the "
        "effective batch and the loss stay the same.",
        "Windows では溢れた分が何倍も遅い共有メモリに置かれます。実効バッチと損失は変わりません。",
    ),
    "memory-spilled.remedy": (
        "next time use --batch-size {after} and as many more --gradient-accumulation-steps, or "
        "close programs that use the GPU",
        "次回は --batch-size {after} にしてその分 --gradient-accumulation-steps を増やすか、"
        "GPU を使う他のプログラムを閉じてください",
    ),
}
