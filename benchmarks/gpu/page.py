"""docs/gpu.md and docs/gpu.ja.md from the figures that are there, or saying that there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.gpu.contestants import CONTESTANTS
from benchmarks.gpu.judging import TARGETS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
PAGES = {"en": ROOT / "docs" / "gpu.md", "ja": ROOT / "docs" / "gpu.ja.md"}

_ENGLISH = """# Speed on a GPU

`make gpu` (`python -m benchmarks.gpu`) measures this page anew: one command of under 8 minutes on
one NVIDIA GPU, without network but for the environment that `make` makes first. Where there is one
already, `python -m benchmarks.gpu` needs what the extra `train` names, and passes over contestants
whose packages are missing. `--tiny` tries it on a CPU.

{state}

{targets}

{table}

## What is measured

- **Rows**: random ids, 15,015 rows of 150 tokens on average, 12 to 512, spread like those of
  databricks-dolly-15k-ja; a quarter to three quarters of a row are supervised.
- **Bases**: random weights in the shape of rinna/japanese-gpt-neox-3.6b and of Qwen3-8B, made on
  the device; 4 bits are NF4 with double quantization.
- **recipe**: what was run on an A100 (584 s there): stock transformers and PEFT, 4 bits, float16
  with loss scaling, 16 x 2 rows each padded to its cut at 256, logits everywhere. It has no
  `prepare_model_for_kbit_training`, which would slow it down.
- **The profiles**: the optimizer steps of `jlora train` with that profile on that machine, 32 rows
  each, after 10 that warm up; what stands around a step (the log, the screen) is not in it.
- **Share**: FLOPs a second by the rate of `torch.mm` in bfloat16, at the shapes of 16 rows (own)
  and of one square of 8,192. Counted are 4 FLOPs for a weight of the blocks and a *real* token, 4
  for a weight of the output layer and a supervised token, and 12 for a width of all heads and a
  pair of tokens of which one sees the other. Padding is no work, nor is what nothing asks for:
  the gradient below the first block, and of the last block what is behind its attention at places
  that are not supervised. LoRA's own products, 1 in 300, are left out.
- **Peak**: what torch allocated, weights included. **Epoch**: 15,015 rows at that pace.
- **compiled**: with `--compile`, filled up to one shape. The first step holds what compiling takes;
  `agreement` compares loss and gradients of two compiled blocks with the same not compiled.
- TRL and unsloth take part where they are installed beside jlora; they pad to the longest row.
"""
_JAPANESE = """# GPU での速度

このページは `make gpu`（`python -m benchmarks.gpu`）で測り直せます。NVIDIA GPU 1 枚で 8 分未満、
コマンド 1 つです。ネットワークは、`make` が最初に作る環境のほかには使いません。環境が既にあれば
`python -m benchmarks.gpu` だけで済みます。必要なのは追加機能 `train` のパッケージで、足りない
参加者は飛ばします。`--tiny` を付けると CPU で試せます。

{state}

{targets}

{table}

## 測り方

- **行**: ランダムな ID の 15,015 行。平均 150 トークン（12〜512）で、長さの散らばりは
  databricks-dolly-15k-ja に似せています。各行の 1/4〜3/4 が学習対象です。
- **ベース**: rinna/japanese-gpt-neox-3.6b と Qwen3-8B の形をしたランダムな重みをデバイス上で
  作ります。4 ビットは NF4（二重量子化）です。
- **recipe**: A100 で実際に使われたレシピ（A100 では 584 秒）。標準の transformers と PEFT、
  4 ビット、float16 と損失スケーリング、16 x 2 行をすべて 256 までパディングし、全位置のロジットを
  計算します。遅くなる `prepare_model_for_kbit_training` は使っていません。
- **プロファイル**: そのマシンで `jlora train` が行う最適化ステップそのもの（1 ステップ 32 行、
  10 ステップの準備の後）。ステップの外側（ログや画面）は含みません。
- **割合**: 実トークンとブロックの重みごとに 4、学習対象トークンと出力層の重みごとに 4、注意し合う
  トークンの組と全ヘッドの幅ごとに 12 FLOPs と数え、bfloat16 の `torch.mm` の速度で割ります
  （16 行分の形（own）と 8,192 の正方行列）。パディングと、計算する必要のないもの（最初の
  ブロックより下の勾配と、最後のブロックの注意より後ろの、学習対象でない位置）は
  数えません。LoRA 自身の積（約 1/300）も除きます。
- **ピーク**: torch が確保したメモリ（重みを含む）。**エポック**: その速さでの 15,015 行の時間。
- **compiled**: `--compile` を付け、パックの長さを揃えた場合です。最初のステップにコンパイル
  時間が含まれます。`agreement` は、コンパイルした 2 ブロックの損失と勾配をしない場合と比べます。
- TRL と unsloth は、jlora と一緒にインストールされていれば参加します（最長行に合わせて
  パディング）。
"""
_WORDS = {
    "en": {
        "none": "**Not measured yet**: no GPU was at hand. The targets are for one H200.",
        "some": "Measured on {device}, torch {torch}. The targets are for one H200.",
        "targets": ("to reach", "found", "reached"),
        "columns": (
            *(
                "",
                "attention",
                "tokens/s",
                "rows/s",
                "step (s)",
                "share of own rate",
                "of the square's",
            ),
            *("peak (GiB)", "epoch (s)", "first step (s)"),
        ),
        "reached": {"yes": "yes", "no": "no", "not measured": "not measured"},
        "missing": "not measured",
        "failed": "failed",
        "rates": "`torch.mm` in bfloat16: {own:.0f} TFLOP/s at the shapes of 16 rows, {square:.0f} "
        "TFLOP/s for a square of 8,192.",
        "agreement": "Compiled and not: losses {loss:.1e} apart, gradients at most {most:.1e}; "
        "compiling two blocks took {seconds} s.",
    },
    "ja": {
        "none": "**未測定**: 使える GPU がありませんでした。目標は H200 1 枚に対するものです。",
        "some": "{device}、torch {torch} で測定。目標は H200 1 枚に対するものです。",
        "targets": ("目標", "結果", "達成"),
        "columns": (
            *(
                "",
                "注意",
                "トークン/秒",
                "行/秒",
                "ステップ (秒)",
                "行列積速度に対する割合",
                "正方行列比",
            ),
            *("ピーク (GiB)", "エポック (秒)", "最初のステップ (秒)"),
        ),
        "reached": {"yes": "はい", "no": "いいえ", "not measured": "未測定"},
        "missing": "未測定",
        "failed": "失敗",
        "rates": "bfloat16 の `torch.mm`: 16 行分の形で {own:.0f} TFLOP/s、8,192 の正方行列で "
        "{square:.0f} TFLOP/s。",
        "agreement": "コンパイルの有無による差: 損失 {loss:.1e}、勾配は最大 {most:.1e}。"
        "2 ブロックのコンパイルに {seconds} 秒。",
    },
}


def write_pages() -> None:
    """Write both pages from the results that are there."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8", newline="\n")


def pages() -> dict[Path, str]:
    """Both pages as they should stand."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else None
    return {PAGES[language]: page(known, language) for language in PAGES}


def page(known: dict[str, Any] | None, language: str) -> str:
    """The page in `language` for a document of results, or for none."""
    words: Any = _WORDS[language]
    state = words["none"]
    if known is not None:
        machine = known["machine"]
        state = words["some"].format(
            device=machine["device"], torch=machine["packages"].get("torch", "?")
        )
    results = known["results"] if known else {}
    parts = [_table(results, words), *_remarks(results, words)]
    text = _ENGLISH if language == "en" else _JAPANESE
    targets = _targets(known, words, japanese=language == "ja")
    return text.format(state=state, targets=targets, table="\n\n".join(parts))


def _targets(known: dict[str, Any] | None, words: Any, *, japanese: bool) -> str:
    found = {verdict["target"]: verdict for verdict in (known or {}).get("targets", [])}
    lines = _head(words["targets"])
    for target in TARGETS:
        verdict = found.get(target.target, {"found": None, "reached": "not measured"})
        value = "–" if verdict["found"] is None else f"{verdict['found']:g}"
        title = target.japanese if japanese else target.target
        lines.append(f"| {title} | {value} | {words['reached'][verdict['reached']]} |")
    return "\n".join(lines)


def _table(results: dict[str, Any], words: Any) -> str:
    lines = _head(words["columns"])
    for contestant in CONTESTANTS:
        if contestant.side not in ("rate", "agreement"):
            cells = _cells(results.get(contestant.name, {}), words)
            lines.append(f"| {contestant.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(found: dict[str, Any], words: Any) -> list[str]:
    if "tokens_per_s" not in found:
        failed = found.get("status") == "failed"
        why = f": {found['reason']}" if found.get("status") == "skipped" else ""
        return [(words["failed"] if failed else words["missing"]) + why, *["–"] * 8]
    return [
        str(found.get("settings", {}).get("attention", "–")),
        f"{found['tokens_per_s']:,.0f}",
        f"{found['rows_per_s']:.1f}",
        f"{found['step_s']:.3f}",
        *(_percent(found.get(key)) for key in ("share_of_own", "share_of_square")),
        f"{found['peak_gib']:.1f}",
        f"{found['epoch_s']:.0f}",
        f"{found['first_step_s']:.1f}",
    ]


def _remarks(results: dict[str, Any], words: Any) -> list[str]:
    made = []
    rate, agreed = results.get("rate", {}), results.get("agreement", {})
    if "own" in rate:
        rates = {which: rate[which] / 1e12 for which in ("own", "square")}
        made.append(words["rates"].format(**rates))
    if "loss_apart" in agreed:
        told = {"loss": agreed["loss_apart"], "most": agreed["gradients_apart"]}
        made.append(words["agreement"].format(**told, seconds=agreed["compile_s"]))
    return made


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _head(columns: tuple[str, ...]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def line(name: str, found: dict[str, Any]) -> str:
    """One contestant on the terminal, as soon as it is known."""
    if "tokens_per_s" in found:
        share = _percent(found.get("share_of_own"))
        return (
            f"{name:18} {found['tokens_per_s']:10,.0f} tokens/s {found['rows_per_s']:8.1f} rows/s  "
            f"share {share:>5}  peak {found['peak_gib']:6.2f} GiB  epoch {found['epoch_s']:8.1f} s"
            f"  first step {found['first_step_s']:.1f} s"
        )
    if "square" in found:
        own, square = found["own"] / 1e12, found["square"] / 1e12
        return f"{name:18} {own:.3g} TFLOP/s at own shapes, {square:.3g} for a square"
    if "loss_apart" in found:
        loss, most = found["loss_apart"], found["gradients_apart"]
        return f"{name:18} losses {loss:.1e} apart, gradients {most:.1e}: {found['agrees']}"
    return f"{name:18} {found['status']}: {found['reason']}"
