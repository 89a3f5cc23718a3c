"""What a person may read on a run's page."""

MESSAGES: dict[str, tuple[str, str]] = {
    "report.title": ("Run {name}", "実行 {name}"),
    "report.loss": ("Loss", "損失"),
    "report.legend": (
        "loss over {steps} steps: line = training, dots = validation",
        "{steps} ステップの損失（線: 学習、点: 検証）",
    ),
    "report.samples": ("Answers before and after", "学習前後の回答"),
    "report.prompt": ("prompt", "プロンプト"),
    "report.before": ("before", "学習前"),
    "report.during": ("during", "学習中"),
    "report.at_step": ("step {step}: {answer}", "ステップ {step}: {answer}"),
    "report.after": ("after", "学習後"),
    "report.findings": ("Findings", "指摘事項"),
    "report.settings": ("Settings", "設定"),
    "report.setting": ("setting", "設定"),
    "report.value": ("value", "値"),
    "report.source": ("source", "由来"),
    "report.reason": ("reason", "理由"),
    "report.steps": ("optimizer steps", "最適化ステップ"),
    "report.train_loss": ("training loss", "学習損失"),
    "report.validation_loss": ("validation loss", "検証損失"),
    "report.speed": ("tokens/s", "トークン/秒"),
    "report.seconds": ("time", "時間"),
    "report.memory": ("peak memory", "最大メモリ"),
    "report.trainable": ("trainable weights", "学習する重み"),
    "report.figure": ("figure", "項目"),
    "report.incomplete": (
        "{path} was not written by a run: it lacks {names}",
        "{path} は学習の実行が書いたものではありません（{names} がありません）",
    ),
    "report.incomplete.fix": (
        "name a run folder as `jlora train` leaves it",
        "`jlora train` が残した実行フォルダーを指定してください",
    ),
}
