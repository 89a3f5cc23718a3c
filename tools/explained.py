"""What docs/findings.md says of each finding of a training: how it comes about, how jlora tells."""

# In English and in Japanese.
EXPLAINED: dict[str, tuple[str, str]] = {
    "base-is-adapter": (
        "`--model` names a LoRA adapter, or a run folder that holds one: a few megabytes that are nothing without their base. To train an adapter further, name the base as the model and the adapter after `--from-adapter`.",
        "`--model` に LoRA アダプター（またはそれを含む実行フォルダー）が指定されています。アダプターは数 MB の差分で、ベースなしでは使えません。学習を続けるには、ベースを `--model` に、アダプターを `--from-adapter` に指定します。",
    ),
    "model-not-for-language": (
        "Where the rows are Japanese and there is enough text to judge, jlora counts the characters that one token spells. Vocabularies made for Japanese give 1.2 to 2; one that gives less than 0.8 writes kana and kanji byte by byte, which makes rows two to three times as long and shows that the base has read little Japanese.",
        "データが日本語で十分な量があるとき、1 トークンあたりの文字数を数えます。日本語向けの語彙では 1.2〜2 文字です。0.8 文字未満の語彙は仮名や漢字をバイト単位で書くため、行が 2〜3 倍の長さになり、ベースが日本語をほとんど読んでいないことも示します。",
    ),
    "template-differs": (
        "Chat models were trained with one way of writing a conversation, which their tokenizer carries along. With another, that training is of little use, and programs that load the adapter later will write the model's own form. jlora renders one question both ways and compares.",
        "チャットモデルは決まった対話の書式で学習されており、その書式はトークナイザーに付属しています。別の書式ではその学習が生かされず、後でアダプターを読み込むプログラムはモデル自身の書式を使います。jlora は同じ質問を両方の書式で書いて比べます。",
    ),
    "template-specials-split": (
        "A chat template writes control tokens such as `<|im_start|>`; a vocabulary that lacks one spells it out letter by letter. It works, but costs tokens in every turn, and the model cannot tell it from text. Mostly a template was copied from another model.",
        "チャットテンプレートは `<|im_start|>` などの制御トークンを書きます。語彙にないと一文字ずつの文字列になり、動きはしますが発話ごとにトークンを消費し、本文と区別できません。多くは別のモデルからテンプレートを写したことが原因です。",
    ),
    "system-not-written": (
        "Some templates have no place for a system message, and some write a sentence of their own in its place (llm-jp-3). A persona or a rule that stands there alone is then neither learned nor asked for. jlora renders a system message and looks whether it is there.",
        "system メッセージの場所がないテンプレートや、代わりに決まった文を書くテンプレート（llm-jp-3）があります。そこにだけ書かれた人物設定や規則は、学習されず、推論でも使われません。jlora は system メッセージを書かせてみて、残るかどうかを確かめます。",
    ),
    "ids-outside-embedding": (
        "The tokenizer has more ids than the model has embedding rows, so some text has no vector: mostly tokenizer files of another model, or added tokens without resized embeddings.",
        "トークナイザーの ID がモデルの埋め込みの行数を超えており、ベクトルのない文字列が生じます。別のモデルのトークナイザーを使っているか、埋め込みを広げずにトークンを追加したことが主な原因です。",
    ),
    "eos-is-pad": (
        "Tools that hide padding by its id hide the end of every answer with it, and the model never learns to stop. jlora hides padding by its place, so the end is trained all the same; the finding is there for the other tools that may use these files.",
        "パディングを ID で隠すツールでは、回答の終わりも一緒に隠れ、モデルが止まり方を学べません。jlora は位置で隠すため終わりも学習されます。同じファイルを使う他のツールのための注意です。",
    ),
    "eos-is-unk": (
        "Every character that the vocabulary lacks becomes the end token: a row with a rare kanji then teaches to stop in mid sentence. Stock classes of transformers 5 do this to several Japanese vocabularies; jlora's own ids do it only where the files themselves say so.",
        "語彙にない文字がすべて終了トークンになり、珍しい漢字を含む行は文の途中で止まることを教えてしまいます。transformers 5 の標準クラスはいくつかの日本語語彙でこれを起こします。jlora では、ファイル自体がそう定めている場合にだけ生じます。",
    ),
    "eos-untrained": (
        "LoRA leaves the embedding as it is. If the row of the token that ends an answer is all zeros, or the very copy of another special token's, it stands for nothing, and hardly any training makes the model write it. Base models with tokens reserved for chat look so; their chat versions do not. jlora reads the row from the weights where these lie on this machine.",
        "LoRA は埋め込みを変えません。回答を閉じるトークンの行がすべてゼロか、ほかの特殊トークンと同じ値なら、意味を持たないままで、学習しても書けるようになりません。チャット用のトークンを予約しただけのベースモデルに見られます。重みが手元にあるとき、その行を読んで確かめます。",
    ),
    "no-supervised-tokens": (
        "Nothing in the rows is trained: all of them too long for `max_length`, or none with an answer. Usual trainers run through with a loss of 0 and save an adapter that does nothing.",
        "学習対象が一つもありません。すべての行が `max_length` を超えたか、回答がありません。一般的なトレーナーでは損失 0 のまま最後まで進み、何もしないアダプターが保存されます。",
    ),
    "few-supervised-tokens": (
        "On average less than one token of answer besides its end. Mostly the wrong column was taken as the answer.",
        "回答が、終了トークンのほかに平均 1 トークンもありません。多くは回答の列を取り違えています。",
    ),
    "prompts-supervised": (
        "Rows of the form `text` are trained from end to end. Where a script has written question and answer into one text, the model learns to write questions as well, and the control tokens of the template stay letters. Given as conversations, only the answers are trained.",
        "`text` 形式の行は全体が学習されます。質問と回答を一つのテキストにまとめると、質問の書き方まで学習され、テンプレートの制御トークンもただの文字列になります。対話として渡せば、回答だけが学習されます。",
    ),
    "eos-not-supervised": (
        "Rows whose end the loss never looks at: the model learns what to say and not when to stop, and answers run on until the limit. jlora ends every answer itself, so this comes from `--truncate cut` with rows that are all too long. `--allow eos-not-supervised` runs it all the same.",
        "損失が回答の終わりを見ていない行です。内容は学んでも止まり方を学ばず、上限まで書き続けます。jlora は各回答を必ず終了トークンで閉じるため、`--truncate cut` ですべての行が切れる場合に生じます。`--allow eos-not-supervised` で実行できます。",
    ),
    "answers-truncated": (
        "With `--truncate cut` what is too long loses its end, as in most scripts. The default leaves early turns of a conversation out first, and then the row, so that no answer is ever cut.",
        "`--truncate cut` では、多くのスクリプトと同じく長すぎる行の末尾が切れます。既定では対話の古い発話から外し、それでも長い行は除外するため、回答が切れることはありません。",
    ),
    "rows-dropped": (
        "Rows that stay longer than `max_length` even without early turns are left out and counted, each named in `prepare`. `--max-length auto` holds 99 % of the rows where context and memory allow.",
        "古い発話を外しても `max_length` を超える行は除外され、数えられます。`--max-length auto` は、文脈長とメモリが許す限り 99 % の行を収めます。",
    ),
    "few-rows": (
        "Below twenty rows an adapter mostly repeats them. Fifty good rows change how a model speaks; new knowledge wants thousands.",
        "20 行未満では、ほぼそのままの繰り返しになります。話し方を変えるには 50 行ほど、知識を加えるには数千行が目安です。",
    ),
    "duplicate-rows": (
        "The same row more than once weighs more than others and makes a validation loss look better where one copy falls on each side.",
        "重複した行は他の行より強く効き、学習側と検証側に分かれると検証損失が実際より良く見えます。",
    ),
    "validation-in-training": (
        "A validation row that was trained on measures memory and not learning. jlora compares the ids of the rows.",
        "学習に使った行で検証すると、学習ではなく暗記を測ることになります。jlora は行の ID 列を比べます。",
    ),
    "unknown-tokens": (
        "Characters that the vocabulary does not have become one unknown token; the model can neither read nor write them. Old vocabularies lack emoji and rarer kanji such as 𠮷 or 髙.",
        "語彙にない文字は一つの未知語トークンになり、モデルは読むことも書くこともできません。古い語彙には絵文字や 𠮷・髙 などがないことがあります。",
    ),
    "newlines-lost": (
        "Some Japanese vocabularies turn a newline into a space, and no newline rule of jlora's can help where `<NL>` is no piece of theirs. A warning where answers lose lines; a note where only questions do.",
        "日本語の語彙には改行を空白に変えるものがあり、`<NL>` が語彙になければ jlora の改行規則でも補えません。回答の改行が失われるときは警告、質問だけなら注記になります。",
    ),
    "spaces-lost": (
        "Runs of spaces, tabs or indentation that do not come back from the tokenizer: code and tables are learned out of shape.",
        "連続する空白やタブ、字下げがトークナイザーで失われ、コードや表が崩れた形で学習されます。",
    ),
    "case-folded": (
        "The base was trained on small letters, and jlora follows it, in training and in answers alike: rinna's GPT-2 models.",
        "ベースが小文字で学習されているため、jlora は学習でも回答でも小文字にします（rinna の GPT-2 系など）。",
    ),
    "special-tokens-in-text": (
        "`</s>`, `＜／ｓ＞` or `<|im_end|>` typed in a row stay text in jlora. In other tools they become the real control token and end an answer early.",
        "本文に書かれた `</s>` や `＜／ｓ＞`、`<|im_end|>` は、jlora ではただの文字列です。ほかのツールでは本物の制御トークンになり、回答が途中で終わります。",
    ),
    "warmup-exceeds-run": (
        "The learning rate rises during warm-up; a warm-up as long as the run never reaches its peak, and the loss hardly falls. A recipe that was run on 55 rows had 100 steps of warm-up in a run of 42: its loss went from 3.989 to 3.980. `--allow warmup-exceeds-run` runs it all the same.",
        "ウォームアップ中は学習率が上がり続けるため、実行と同じ長さだと最大値に届かず、損失がほとんど下がりません。実際に使われたレシピでは、55 行・42 ステップの学習にウォームアップが 100 ステップあり、損失は 3.989 から 3.980 にしか下がりませんでした。`--allow warmup-exceeds-run` で実行できます。",
    ),
    "too-few-steps": (
        "Fewer than ten optimizer steps: too few for the optimizer's averages to settle.",
        "最適化ステップが 10 回未満では、最適化の移動平均が落ち着く前に終わります。",
    ),
    "learning-rate-unusual": (
        "LoRA wants more than full fine-tuning, usually 1e-4 to 2e-3 at ranks of 8 to 64. A trainer's default of 5e-5 learns very little in a short run; above 5e-3 the loss tends to break.",
        "LoRA は全体の学習より高い学習率（ランク 8〜64 で通常 1e-4〜2e-3）を必要とします。トレーナーの既定値 5e-5 では短い学習でほとんど進まず、5e-3 を超えると損失が壊れがちです。",
    ),
    "unused-setting": (
        "Settings that stand in a profile or on the command line and that this run does not read: `epochs` beside `max_steps`, a patience without validation rows. A key of a profile that jlora does not know is refused with its line, since a recipe whose learning rate was never passed on is how one evening was lost.",
        "プロファイルやコマンドラインにあっても、この実行では使われない設定です（`max_steps` と並ぶ `epochs`、検証データのない patience など）。プロファイルの未知のキーは行番号を示して拒否します。学習率が実は渡っていなかった、という失敗が実際にあったためです。",
    ),
    "padding-wasted": (
        "Rows of different lengths are filled up to the longest of their batch. Packed, they stand one after the other and nothing is filled up; attention never crosses from one to the next.",
        "長さの違う行は、バッチ内の最長の行まで埋められます。packing では行を続けて並べるため、埋める必要がありません。行をまたいで注意が向くことはありません。",
    ),
    "targets-match-nothing": (
        "The names of linear layers differ by architecture: `c_attn` in GPT-2, `query_key_value` in GPT-NeoX, `q_proj` and others in Llama. An adapter on no layer learns nothing.",
        "線形層の名前はアーキテクチャごとに違います（GPT-2 は `c_attn`、GPT-NeoX は `query_key_value`、Llama は `q_proj` など）。どの層にも付かないアダプターは何も学びません。",
    ),
    "precision-unavailable": (
        "The hardware cannot calculate in the precision that was asked for, or only many times slower: bfloat16 needs an NVIDIA GPU from Ampere on, float16 gains nothing before Volta, and a CPU without bfloat16 was 42 to 97 times slower in a matrix product. jlora takes what fits and says so.",
        "指定された精度をハードウェアで計算できないか、何倍も遅くなります。bfloat16 は Ampere 以降の NVIDIA GPU が必要で、float16 は Volta より前では利点がなく、bfloat16 のない CPU では行列積が 42〜97 倍遅くなりました。jlora は適した精度を選び、その旨を表示します。",
    ),
    "quantization-unavailable": (
        "4-bit and 8-bit bases are calculated by bitsandbytes on CUDA GPUs. Without one, the base cannot be loaded in that form.",
        "4bit・8bit のベースは、bitsandbytes が CUDA GPU 上で計算します。ない環境では、その形で読み込めません。",
    ),
    "memory-exceeded": (
        "The estimate of the run's peak is above what is free now. `jlora train --measure` replaces the estimate by a few real steps. `--allow memory-exceeded` runs it all the same; if memory does run out, jlora halves the micro-batch and goes on.",
        "ピークの見積もりが現在の空きメモリを超えています。`jlora train --measure` は見積もりの代わりに実際に数ステップ動かして測ります。`--allow memory-exceeded` で実行でき、足りなくなればマイクロバッチを半分にして続けます。",
    ),
    "output-in-use": (
        "The folder holds something already. Two runs in one folder have mixed their checkpoints in other tools; here a run has a folder of its own, and only `--resume` goes on in one.",
        "フォルダーに既に何かがあります。ほかのツールでは二つの実行のチェックポイントが混ざることがありました。jlora では実行ごとに専用のフォルダーを使い、続きは `--resume` だけで行います。",
    ),
    "profile-does-not-fit": (
        "The profile was made for another kind of machine: its batch, precision or quantization will not run well on this one.",
        "このプロファイルは別の種類のマシン向けです。バッチや精度、量子化がこのマシンに合いません。",
    ),
    "loss-not-falling": (
        "Told while the run goes on: the loss of the last steps is no lower than that of the first. The likely cause is chosen from what was measured: a learning rate too low or too high, warm-up still on, too little to learn.",
        "学習中に表示されます。直近の損失が最初より下がっていません。学習率が低すぎる・高すぎる、ウォームアップ中、学習対象が少ないなど、測定値から最もありそうな原因を示します。",
    ),
    "out-of-memory": (
        "Told while the run goes on: memory ran out, the micro-batch was halved and its number doubled, so that batch and loss stay the same, and the step was done again.",
        "学習中に表示されます。メモリが不足したため、マイクロバッチを半分にして回数を倍にし、同じバッチ・同じ損失のままそのステップをやり直しました。",
    ),
    "memory-spilled": (
        "Told while the run goes on: on Windows a full GPU does not fail but moves into the computer's own memory, and a step takes many times as long. jlora sees the jump beside a full GPU and halves the micro-batch as for memory that ran out.",
        "学習中に表示されます。Windows では GPU のメモリが足りなくなってもエラーにならず、本体のメモリに移って何倍も遅くなります。jlora は GPU が満杯のときの急な遅れを検知し、メモリ不足と同じようにマイクロバッチを半分にします。",
    ),
}
