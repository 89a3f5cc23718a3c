"""What a person may read on the screen while a run goes on, and of the loggers that it tells."""

MESSAGES: dict[str, tuple[str, str]] = {
    "screen.step": ("step {value}", "ステップ {value}"),
    "screen.answers": ("answers {value}", "回答 {value}"),
    # What stands in a line, each with its unit.
    "screen.line.loss": ("loss {value}", "損失 {value}"),
    "screen.line.rate": ("lr {value}", "学習率 {value}"),
    "screen.line.rows": ("{value} rows/s", "{value} 行/秒"),
    "screen.line.tokens": ("{value} tokens/s", "{value} トークン/秒"),
    "screen.line.gpu": ("GPU {value}", "GPU {value}"),
    "screen.line.left": ("{value} left", "残り {value}"),
    # Labels of the panel, beside their values.
    "screen.panel.title": ("step {step}, epoch {epoch}", "ステップ {step}、エポック {epoch}"),
    "screen.panel.loss": ("loss", "損失"),
    "screen.panel.validation": ("validation", "検証損失"),
    "screen.panel.rate": ("learning rate", "学習率"),
    "screen.panel.rows": ("rows/s", "行/秒"),
    "screen.panel.tokens": ("tokens/s", "トークン/秒"),
    "screen.panel.memory": ("peak memory", "最大メモリ"),
    "screen.panel.gpu": ("GPU", "GPU"),
    "screen.panel.watts": ("power", "消費電力"),
    "screen.panel.elapsed": ("elapsed", "経過"),
    "screen.panel.left": ("left", "残り"),
    "screen.panel.curve": ("training loss, smoothed", "学習損失（平滑化）"),
    "screen.panel.marks": ("validation loss", "検証損失"),
    "screen.evaluated": (
        "  validation after step {step}: loss {loss}",
        "  ステップ {step} 時点の検証損失: {loss}",
    ),
    "screen.sampled": (
        "  answer after step {step}: {prompt} → {answer}",
        "  ステップ {step} 時点の回答: {prompt} → {answer}",
    ),
    "screen.saved": (
        "  checkpoint of step {step}: {path}",
        "  ステップ {step} のチェックポイント: {path}",
    ),
    "logger.missing": (
        "--report-to needs packages that are not installed: {names}",
        "--report-to に必要なパッケージがありません: {names}",
    ),
    "logger.missing.fix": ("{line}", "{line}"),
    "logger.no_access": (
        "Weights & Biases cannot be reported to: {problem}",
        "Weights & Biases に記録できません: {problem}",
    ),
    "logger.no_access.fix": (
        "log in with `wandb login` or set WANDB_API_KEY; with WANDB_MODE=offline the logs stay in "
        "the run folder",
        "`wandb login` でログインするか WANDB_API_KEY を設定してください。WANDB_MODE=offline なら"
        "ログは実行フォルダーに残ります",
    ),
    "logger.stage": ("curves for {name}: {where}", "{name} の記録先: {where}"),
    "logger.lost": (
        "{name} failed and is left out from here on: {problem}. The run goes on; metrics.jsonl "
        "holds the same figures",
        "{name} でエラーが起きたため、以後は記録しません: {problem}。学習は続けます。"
        "同じ値は metrics.jsonl にあります",
    ),
}
