"""The words of the pages, English and Japanese."""

from __future__ import annotations

EN = {
    "title": "Benchmarks of training",
    "intro": "jlora beside its neighbours: the same base, rows, LoRA and epochs, in float32 on a"
    " CPU, each in an environment of its own, in turns. Every figure is the median of the rounds,"
    " with the least and the most behind it; ratios are of two runs of one round. CPU time is"
    " that of all threads of the process. `make bench` measures this page anew.",
    "goals": "Goals",
    "goal": "goal",
    "at_most": "at most",
    "measured": "measured",
    "goal.training_cpu": "{job}: jlora's training CPU time to that of {against}",
    "goal.floor": "{job}: jlora's training CPU time to that of the matrix products alone",
    "goal.peak_memory": "{job}: jlora's peak memory to that of {against}",
    "goal.validation_loss": "{job}: jlora's validation loss to that of {against}",
    "goal.first_step_wall": "start to first step, by the clock, to `trl sft`",
    "goal.first_step_cpu": "start to first step, CPU time, to `trl sft`",
    "goal.scale_cpu_us_per_token": "CPU time of a token, most rows to fewest",
    "goal.scale_resident_mib": "resident memory in the loop, most rows to fewest",
    "goal.busy_threads": "two cores beside a busy process, to one thread, by the clock",
    "job.chat": "`chat`: 55 chat rows on a GPT-2",
    "job.dolly": "`dolly`: instruction rows on a GPT-NeoX",
    "job.long-gpt2": "`long-gpt2`: rows of almost 512 tokens on a GPT-2",
    "job.long-neox": "`long-neox`: rows of almost 512 tokens on a GPT-NeoX",
    "job": "{rows} rows, {tokens:,} tokens of which {supervised:,} are supervised, {epochs}"
    " epoch(s), batches of 4, LoRA of rank 8 on the attention's input layer, learning rate 2e-4;"
    " 6 layers of 512 with random weights ({shape}), template `{template}`. Validation loss of"
    " the base alone: {base_validation_loss:.4f}.",
    "rows_from.demo": " The demo's rows and vocabulary stand in for the real ones.",
    "contestant": "",
    "training_cpu_s": "training, CPU s",
    "training_wall_s": "training, s",
    "peak_mib": "peak memory, MiB",
    "tokens_per_s": "tokens per CPU s",
    "supervised_per_s": "supervised tokens per CPU s",
    "validation_loss": "validation loss",
    "start_to_adapter_wall_s": "start to saved adapter, s",
    "share_of_cpu": "CPU time of jlora to this",
    "seed": "the seed recipe",
    "plain": "a plain script",
    "trl": "TRL",
    "trl-packed": "TRL, packed",
    "llama-factory": "LLaMA-Factory",
    "jlora": "jlora",
    "plain-avx2": "a plain script, AVX2 only",
    "jlora-avx2": "jlora, AVX2 only",
    "note.share": "{name} trained on {rows} of the {of} rows: its seconds and its loss are those"
    " of that part; rates and ratios are per token.",
    "note.tokens": "{name} saw {tokens:,} tokens and {supervised:,} supervised ones an epoch.",
    "floor": "Matrix products alone, in the process of {name}: {gflop} GFLOP at {gflop_per_s}"
    " GFLOP/s are {cpu_s} CPU s; training took {ratio} times that.",
    "how": "How it was measured",
    "fair": "All train in float32, without gradient checkpointing, without saving or validating on"
    " the way, with a linear schedule from the first step. TRL and LLaMA-Factory would choose"
    " checkpointing, and TRL bfloat16: slower on a CPU. Dropout inside the base acts as each tool"
    " has it: jlora turns it off. The rows are those that need no cutting at 512 tokens, and that"
    " come out as the same ids encoded whole or as prompt and answer; everyone gets those ids."
    " The validation loss is computed by one script for all, from each saved adapter. jlora's"
    " time to the saved adapter includes its answers before and after training. The loss of the"
    " seed recipe covers prompts, so its supervised tokens are others.",
    "limit": "The goal of 1.15 was set where a plain script came to 1.15: transformers, PEFT and a"
    " loop, logits at supervised places only, no dropout in the base"
    " (`benchmarks/neighbours/contestants/plain.py`). That was on a CPU without AVX-512, whose"
    " products are slower and whose other work is not, so the same script is measured here too,"
    " both as the CPU is and with AVX2 only.",
    "factory": "LLaMA-Factory runs without torchvision and with an empty module in place of"
    " torchaudio: both are built for other builds of torch and keep it from starting; a text job"
    " uses neither.",
    "machine": "Machine: {processor}; {cores} cores, {memory_gib} GiB, {system}, Python {python}.",
    "start": "From the command to the first step",
    "start_intro": "The demo's base and rows, as the profile cpu-small trains them; one thread.",
    "start_wall": "s",
    "start_cpu": "CPU s",
    "ratio": "ratio",
    "scale": "More rows",
    "scale_intro": "`jlora train` on synthetic rows, the demo's base, {steps} steps of 8 rows.",
    "rows": "rows",
    "scale.cpu_us_per_token": "CPU µs a token",
    "scale.wall_us_per_token": "µs a token",
    "scale.resident_mib": "resident in the loop, MiB",
    "scale.peak_mib": "peak memory, MiB",
    "scale.outside_the_loop_cpu_s": "CPU s outside the loop",
    "threads": "Two cores beside a busy process",
    "threads_intro": "jlora's loop on {rows} rows of `dolly`, seconds by the clock: with one thread"
    " and with two, as OMP_NUM_THREADS says, and with as many as jlora takes without it.",
    "beside": "beside",
    "nothing": "nothing",
    "a busy process": "a busy process",
    "threads.1": "one thread, s",
    "threads.2": "two threads, s",
    "threads.own": "as jlora chooses, s",
    "threads.ratio": "this to one thread",
}
JA = {
    "title": "学習のベンチマーク",
    "intro": "jlora とほかのツールの比較です。同じベースモデル、行、LoRA、エポック数を、"
    "CPU の float32 で、それぞれ専用の環境で、交互に実行します。数値はすべてラウンドの中央値で、"
    "括弧内は最小と最大です。比は同じラウンドの 2 つの実行の比です。CPU 時間は全スレッドの"
    "合計です。`make bench` でこのページを測り直せます。",
    "goals": "目標",
    "goal": "目標",
    "at_most": "上限",
    "measured": "実測",
    "goal.training_cpu": "{job}：{against}に対する jlora の学習 CPU 時間",
    "goal.floor": "{job}：行列積だけの時間に対する jlora の学習 CPU 時間",
    "goal.peak_memory": "{job}：{against}に対する jlora の最大メモリ",
    "goal.validation_loss": "{job}：{against}に対する jlora の検証損失",
    "goal.first_step_wall": "起動から最初のステップまでの実時間（`trl sft` に対する比）",
    "goal.first_step_cpu": "起動から最初のステップまでの CPU 時間（`trl sft` に対する比）",
    "goal.scale_cpu_us_per_token": "1 トークンの CPU 時間（最多行数と最少行数の比）",
    "goal.scale_resident_mib": "学習中の常駐メモリ（最多行数と最少行数の比）",
    "goal.busy_threads": "別のプロセスが動いているときの、1 スレッドに対する 2 コアの実時間",
    "job.chat": "`chat`：GPT-2 で会話 55 行",
    "job.dolly": "`dolly`：GPT-NeoX で指示文",
    "job.long-gpt2": "`long-gpt2`：GPT-2 で約 512 トークンの行",
    "job.long-neox": "`long-neox`：GPT-NeoX で約 512 トークンの行",
    "job": "{rows} 行、{tokens:,} トークン（うち学習対象 {supervised:,}）、{epochs} エポック、"
    "バッチ 4、注意の入力層にランク 8 の LoRA、学習率 2e-4。512 次元 6 層、重みは乱数（{shape}）、"
    "テンプレート `{template}`。ベースモデルだけの検証損失は {base_validation_loss:.4f}。",
    "rows_from.demo": " 実データの代わりにデモの行と語彙を使いました。",
    "contestant": "",
    "training_cpu_s": "学習（CPU 秒）",
    "training_wall_s": "学習（秒）",
    "peak_mib": "最大メモリ（MiB）",
    "tokens_per_s": "トークン／CPU 秒",
    "supervised_per_s": "学習対象トークン／CPU 秒",
    "validation_loss": "検証損失",
    "start_to_adapter_wall_s": "起動からアダプタ保存まで（秒）",
    "share_of_cpu": "これに対する jlora の CPU 時間",
    "seed": "元のレシピ",
    "plain": "素朴なスクリプト",
    "trl": "TRL",
    "trl-packed": "TRL（パッキング）",
    "llama-factory": "LLaMA-Factory",
    "jlora": "jlora",
    "plain-avx2": "素朴なスクリプト（AVX2 のみ）",
    "jlora-avx2": "jlora（AVX2 のみ）",
    "note.share": "{name}は {of} 行のうち {rows} 行だけで学習しました。秒数と損失はその分の値で、"
    "速度と比はトークンあたりの値です。",
    "note.tokens": "{name}が 1 エポックに見たのは {tokens:,} トークン、うち学習対象は"
    " {supervised:,} トークンです。",
    "floor": "{name}のプロセスで測った行列積だけの時間：{gflop} GFLOP を {gflop_per_s} GFLOP/s で"
    " {cpu_s} CPU 秒。学習はその {ratio} 倍でした。",
    "how": "測り方",
    "fair": "すべて float32、勾配チェックポイントなし、途中の保存と検証なし、最初のステップからの"
    "線形スケジュールで学習します。TRL と LLaMA-Factory の既定はチェックポイントあり、TRL の既定は"
    " bfloat16 で、CPU ではもっと遅くなります。ベースモデル内のドロップアウトは各ツールのままで、"
    "jlora は切ります。行は 512 トークンで切る必要がなく、全体でも質問と回答に分けても同じ ID に"
    "なるものだけで、すべてのツールが同じ ID を学習します。検証損失は、保存されたアダプタから同じ"
    "スクリプトで計算します。jlora の保存までの時間には、学習前後の回答例の生成が含まれます。"
    "元のレシピの損失は質問にもかかるため、学習対象トークンの数え方が異なります。",
    "limit": "目標の 1.15 は、素朴なスクリプト（transformers と PEFT とループだけで、ロジットは"
    "学習対象の位置のみ、ベースモデルのドロップアウトなし。"
    "`benchmarks/neighbours/contestants/plain.py`）が 1.15 だった環境で決めたものです。それは"
    " AVX-512 のない CPU で、行列積だけが遅く、ほかの処理は同じ速さでした。そこで同じスクリプトを、"
    "この CPU のままと AVX2 のみの両方で測っています。",
    "factory": "LLaMA-Factory は torchvision なし、torchaudio は空のモジュールに替えて動かします。"
    "どちらも別のビルドの torch 用で、入っていると起動できません。テキストの学習では使いません。",
    "machine": "マシン：{processor}、{cores} コア、{memory_gib} GiB、{system}、Python {python}。",
    "start": "コマンドから最初のステップまで",
    "start_intro": "デモのベースモデルと行を、プロファイル cpu-small の設定で 1 スレッドで学習。",
    "start_wall": "秒",
    "start_cpu": "CPU 秒",
    "ratio": "比",
    "scale": "行が増えたとき",
    "scale_intro": "合成した行とデモのベースモデルで `jlora train`、8 行ずつ {steps} ステップ。",
    "rows": "行",
    "scale.cpu_us_per_token": "1 トークンの CPU 時間（µs）",
    "scale.wall_us_per_token": "1 トークンの時間（µs）",
    "scale.resident_mib": "学習中の常駐メモリ（MiB）",
    "scale.peak_mib": "最大メモリ（MiB）",
    "scale.outside_the_loop_cpu_s": "学習以外の CPU 秒",
    "threads": "別のプロセスが動いているときの 2 コア",
    "threads_intro": "`dolly` の {rows} 行での jlora の学習、実時間の秒数。OMP_NUM_THREADS で"
    " 1 スレッド、2 スレッドと指定した場合と、指定せず jlora に任せた場合。",
    "beside": "並行して",
    "nothing": "何も動いていない",
    "a busy process": "休まないプロセス",
    "threads.1": "1 スレッド（秒）",
    "threads.2": "2 スレッド（秒）",
    "threads.own": "jlora に任せる（秒）",
    "threads.ratio": "1 スレッドに対する比",
}
WORDS = {"en": EN, "ja": JA}
