"""What a person may read when a hub is asked for a model or a data set."""

MESSAGES: dict[str, tuple[str, str]] = {
    "hub.no_such_folder": ("{model} does not exist.", "{model} がありません。"),
    "hub.no_such_folder.fix": (
        'check the path; a model on a hub is named ORG/NAME, the embedded one "demo".',
        "パスを確かめてください。ハブのモデルは ORG/NAME、同梱のモデルは「demo」と書きます。",
    ),
    "hub.not_a_folder": (
        "{model} is a file, not a folder.",
        "{model} はフォルダーではなくファイルです。",
    ),
    "hub.not_a_folder.fix": (
        "give the folder that holds config.json and the weights.",
        "config.json と重みのあるフォルダーを指定してください。",
    ),
    "hub.gated": (
        "{name} is on the hub, but its owner lets only registered users have it.",
        "{name} はハブにありますが、利用には登録が必要です。",
    ),
    "hub.gated.fix": (
        "accept its terms at {endpoint}/{name}, then log in: hf auth login (or set HF_TOKEN).",
        "{endpoint}/{name} で利用条件に同意し、hf auth login でログインしてください（または "
        "HF_TOKEN を設定）。",
    ),
    "hub.not_found": (
        "{name} is neither a folder here nor on the hub, or you may not see it.",
        "{name} はこのコンピュータのフォルダーにも、ハブにも見つかりません（閲覧権限がない場合"
        "もあります）。",
    ),
    "hub.not_found.fix": (
        "check the spelling of ORG/NAME; for a private one: hf auth login (or set HF_TOKEN).",
        "ORG/NAME の綴りを確かめてください。非公開であれば hf auth login（または HF_TOKEN）が"
        "必要です。",
    ),
    "hub.no_revision": (
        '{name} has no revision "{revision}".',
        "{name} に「{revision}」というリビジョンはありません。",
    ),
    "hub.no_revision.fix": (
        "name a branch, tag or commit of it, or leave @{revision} out.",
        "存在するブランチ、タグ、コミットを指定するか、@{revision} を外してください。",
    ),
    "hub.offline": (
        "{name} is not (wholly) in the local cache, and HF_HUB_OFFLINE forbids the network.",
        "{name} はローカルのキャッシュに揃っておらず、HF_HUB_OFFLINE によりネットワークも使え"
        "ません。",
    ),
    "hub.offline.fix": (
        "fetch it once with the network (unset HF_HUB_OFFLINE), or give a folder.",
        "HF_HUB_OFFLINE を外して一度ダウンロードするか、フォルダーを指定してください。",
    ),
    "hub.unreachable": (
        "{endpoint} cannot be reached for {name}.",
        "{name} のために {endpoint} に接続できません。",
    ),
    "hub.unreachable.fix": (
        "check the connection, proxy and HF_ENDPOINT, then try again: what was fetched is kept. If a "
        "local path was meant: it does not exist.",
        "接続、プロキシ、HF_ENDPOINT を確かめて、もう一度実行してください。取得済みの分は残り"
        "ます。ローカルのパスのつもりなら、そのパスは存在しません。",
    ),
    "hub.unauthorized": (
        "the hub refused the access token sent for {name} (HTTP {status}).",
        "ハブが {name} へのアクセストークンを拒否しました（HTTP {status}）。",
    ),
    "hub.unauthorized.fix": (
        "log in again: hf auth login (or set HF_TOKEN to a token that may read it).",
        "hf auth login でログインし直すか、読み取り権限のあるトークンを HF_TOKEN に設定してく"
        "ださい。",
    ),
    "hub.http": (
        "the hub answered HTTP {status} for {name}.",
        "{name} に対してハブが HTTP {status} を返しました。",
    ),
    "hub.http.fix": (
        "try again in a few minutes: what was fetched is kept.",
        "数分後にもう一度実行してください。取得済みの分は残ります。",
    ),
    "hub.disk_full": (
        "the disk is full: {name} could not be saved.",
        "ディスクがいっぱいで {name} を保存できません。",
    ),
    "hub.disk_full.fix": (
        "free some space, or set HF_HOME to a folder on another disk.",
        "空きを作るか、HF_HOME に別のディスクのフォルダーを設定してください。",
    ),
    "hub.cannot_save": ("{name} could not be fetched: {why}.", "{name} を取得できません：{why}。"),
    "hub.cannot_save.fix": (
        "check your rights to the cache folder (HF_HOME), then try again.",
        "キャッシュフォルダー（HF_HOME）の権限を確かめて、もう一度実行してください。",
    ),
    "hub.no_safetensors": (
        "{name} has no weights in the safetensors format.",
        "{name} に safetensors 形式の重みがありません。",
    ),
    "hub.no_safetensors.fix": (
        "choose a model or revision with *.safetensors; .bin files can run code and are "
        "never loaded.",
        "*.safetensors のあるモデルかリビジョンを選んでください。.bin はコードを実行し得るた"
        "め読み込みません。",
    ),
    "hub.no_data_files": (
        '{name} holds no data file of the split "{split}" that can be read.',
        "{name} に「{split}」として読めるデータファイルがありません。",
    ),
    "hub.no_data_files.fix": (
        "choose a data set with files that end in {suffixes}, or download it and give its files.",
        "{suffixes} で終わるファイルのあるデータセットを選ぶか、ダウンロードしてファイルを指"
        "定してください。",
    ),
    "hub.needs_datasets": (
        "the rows of {name} are in a form that only the package datasets opens: {files}.",
        "{name} の行は、datasets パッケージでしか開けない形式です：{files}。",
    ),
    "hub.needs_datasets.fix": ("{line}", "{line}"),
    "hub.unreadable": (
        "{files} of {name} cannot be read as rows: {why}",
        "{name} の {files} を行として読めません：{why}",
    ),
    "hub.unreadable.fix": (
        "unpack or convert it to JSONL yourself (hf download --repo-type dataset {name}), and "
        "give that file.",
        "hf download --repo-type dataset {name} で取得し、JSONL に変換したファイルを指定してく"
        "ださい。",
    ),
}
