"""What a person may read about torch, GPUs and their drivers."""

MESSAGES: dict[str, tuple[str, str]] = {
    # torch
    "torch.ok": ("torch {version} (build {build}).", "torch {version}（{build} 版）です。"),
    "torch-missing.evidence": ("torch is not installed.", "torch が入っていません。"),
    "torch-missing.consequence": (
        "train, merge, infer, chat and evaluate cannot run.",
        "train、merge、infer、chat、evaluate が動きません。",
    ),
    "torch-missing.remedy": (
        "install the build that fits this machine:\n{lines}",
        "このマシンに合う版を入れてください:\n{lines}",
    ),
    "torch-broken.evidence": (
        "torch {version} is installed but cannot be imported: {error}",
        "torch {version} は入っていますが、インポートできません: {error}",
    ),
    "torch-broken.consequence": (
        "train, merge, infer, chat and evaluate cannot run.",
        "train、merge、infer、chat、evaluate が動きません。",
    ),
    "torch-broken.remedy": ("install it anew:\n{lines}", "入れ直してください:\n{lines}"),
    "torch-without-rocm.evidence": (
        "torch {version} is a build for {build}, and there is an AMD card ({gpu}).",
        "AMD の GPU（{gpu}）がありますが、torch {version} は {build} 版です。",
    ),
    "torch-without-rocm.consequence": (
        "Training runs on the CPU. Not every AMD card has ROCm kernels.",
        "学習は CPU で行います。AMD の GPU がすべて ROCm に対応しているわけではありません。",
    ),
    "torch-without-rocm.remedy": (
        "if ROCm supports the card, take its build:\n{lines}",
        "ROCm が対応している GPU なら、ROCm 版に入れ替えてください:\n{lines}",
    ),
    "torch-cpu-only.evidence": (
        "torch {version} is a CPU-only build, on a machine with an NVIDIA GPU ({gpu}).",
        "NVIDIA の GPU（{gpu}）があるのに、torch {version} は CPU 専用の版です。",
    ),
    "torch-cpu-only.consequence": (
        "The GPU stays unused, and training takes many times longer.",
        "GPU が使われず、学習に何倍もの時間がかかります。",
    ),
    "torch-cpu-only.remedy": (
        "replace it by the build that fits this driver and this GPU:\n{lines}",
        "このドライバーと GPU に合う版に入れ替えてください:\n{lines}",
    ),
    # GPU and driver
    "no-gpu.evidence": ("No GPU was found.", "GPU が見つかりません。"),
    "no-gpu.consequence": (
        "Training runs on the CPU, which is practical for small models only.",
        "学習は CPU で行います。実用になるのは小さなモデルだけです。",
    ),
    "no-gpu.remedy": ("{advice}", "{advice}"),
    "no-gpu.advice.plain": (
        "take --profile cpu-small; if there is an NVIDIA GPU, install its driver from "
        "https://www.nvidia.com/drivers",
        "--profile cpu-small を使ってください。NVIDIA の GPU がある場合は、"
        "https://www.nvidia.com/drivers からドライバーを入れてください。",
    ),
    "no-gpu.advice.container": (
        "if the host has an NVIDIA GPU, start the container with --gpus all "
        "(the host needs the NVIDIA Container Toolkit); else take --profile cpu-small.",
        "ホストに NVIDIA の GPU がある場合は、コンテナーを --gpus all を付けて起動してください"
        "（ホストに NVIDIA Container Toolkit が必要です）。ない場合は --profile cpu-small を"
        "使ってください。",
    ),
    "no-gpu.advice.wsl": (
        "if the computer has an NVIDIA GPU, update its driver in Windows, not inside WSL, then run "
        "`wsl --update` and `wsl --shutdown` there; else take --profile cpu-small.",
        "NVIDIA の GPU がある場合は、WSL の中ではなく Windows 側でドライバーを更新し、Windows で "
        "`wsl --update` と `wsl --shutdown` を実行してください。ない場合は --profile cpu-small を"
        "使ってください。",
    ),
    "driver-fails.evidence": (
        "nvidia-smi does not answer: {error}",
        "nvidia-smi が応答しません: {error}",
    ),
    "driver-fails.consequence": (
        "torch cannot use the GPU.",
        "torch から GPU を使えません。",
    ),
    "driver-fails.remedy": ("{advice}", "{advice}"),
    "driver-fails.advice.mismatch": (
        "the driver was updated while the old one is still loaded: restart the computer (for a "
        "container, the host).",
        "ドライバーは更新されましたが、古いものが読み込まれたままです。コンピューター"
        "（コンテナーの場合はホスト）を再起動してください。",
    ),
    "driver-fails.advice.silent": (
        "restart the computer; if that does not help, install the driver anew from "
        "https://www.nvidia.com/drivers (with Secure Boot its kernel module must be signed).",
        "コンピューターを再起動してください。直らない場合は https://www.nvidia.com/drivers から"
        "ドライバーを入れ直してください（Secure Boot ではカーネルモジュールの署名が必要です）。",
    ),
    "wsl-driver.evidence": (
        "A Linux NVIDIA driver is installed inside WSL, over the one that Windows lends.",
        "WSL の中に Linux 用の NVIDIA ドライバーが入っていて、"
        "Windows から渡されるドライバーを隠しています。",
    ),
    "wsl-driver.consequence": (
        "CUDA finds no device in WSL.",
        "WSL の CUDA からデバイスが見つかりません。",
    ),
    "wsl-driver.remedy": (
        "remove it, then run `wsl --shutdown` in Windows:\n"
        "sudo apt-get purge '^nvidia-driver' '^libnvidia'",
        "そのドライバーを削除し、Windows で `wsl --shutdown` を実行してください:\n"
        "sudo apt-get purge '^nvidia-driver' '^libnvidia'",
    ),
    "container-without-gpu.evidence": (
        "The host has an NVIDIA GPU ({gpu}), but this container was given none.",
        "ホストに NVIDIA の GPU（{gpu}）がありますが、このコンテナーには渡されていません。",
    ),
    "container-without-gpu.consequence": (
        "Training runs on the CPU, many times slower.",
        "学習が CPU で行われ、何倍も遅くなります。",
    ),
    "container-without-gpu.remedy": (
        "start the container with the GPU (the host needs the NVIDIA Container Toolkit):\n"
        "docker run --gpus all ...",
        "GPU を渡してコンテナーを起動してください"
        "（ホストに NVIDIA Container Toolkit が必要です）:\n"
        "docker run --gpus all ...",
    ),
    "driver-missing.evidence": (
        "There is an NVIDIA GPU ({gpu}), but no NVIDIA driver answers.",
        "NVIDIA の GPU（{gpu}）がありますが、NVIDIA のドライバーが見つかりません。",
    ),
    "driver-missing.consequence": (
        "Training runs on the CPU, many times slower.",
        "学習が CPU で行われ、何倍も遅くなります。",
    ),
    "driver-missing.remedy": (
        "install the driver from https://www.nvidia.com/drivers, restart, and run "
        "`jlora env-check` again.",
        "https://www.nvidia.com/drivers からドライバーを入れて再起動し、もう一度 "
        "`jlora env-check` を実行してください。",
    ),
    "mig-empty.evidence": (
        "{gpu} is divided (MIG), but torch sees no instance of it.",
        "{gpu} は分割（MIG）が有効ですが、torch からはインスタンスが見えません。",
    ),
    "mig-empty.consequence": (
        "Training runs on the CPU, many times slower.",
        "学習が CPU で行われ、何倍も遅くなります。",
    ),
    "mig-empty.remedy": (
        "make one instance of the whole, or end the division with `sudo nvidia-smi -mig 0`:\n"
        "sudo nvidia-smi mig -cgi 0 -C",
        "全体を 1 つのインスタンスにするか、`sudo nvidia-smi -mig 0` で分割をやめてください:\n"
        "sudo nvidia-smi mig -cgi 0 -C",
    ),
    "gpu-ok.ok": (
        "torch can use {gpu} ({memory:.1f} GiB, {free:.1f} free){also}.",
        "torch から {gpu} を使えます（メモリ {memory:.1f} GiB、空き {free:.1f} GiB）{also}。",
    ),
    "gpu-ok.more": (
        "; {count} more beside it, but a run uses one",
        "。ほかに {count} 個ありますが、学習で使うのは 1 個です",
    ),
    "gpu-memory.evidence": (
        "Only {free:.1f} of {memory:.1f} GiB are free on {gpu}.{users}",
        "{gpu} のメモリ {memory:.1f} GiB のうち、空きは {free:.1f} GiB だけです。{users}",
    ),
    "gpu-memory.users": (" In use by {users}.", "使用中のプログラム: {users}"),
    "gpu-memory.user": (
        "{name} ({size:.1f} GiB, process {pid})",
        "{name}（{size:.1f} GiB、プロセス {pid}）",
    ),
    "gpu-memory.unmeasured": ("{name} (process {pid})", "{name}（プロセス {pid}）"),
    "gpu-memory.consequence": (
        "A run that fits the card may still run out of memory.",
        "本来なら収まる学習でも、メモリ不足で止まることがあります。",
    ),
    "gpu-memory.remedy": (
        "end what uses it; this lists the processes:\nnvidia-smi",
        "GPU を使っているプログラムを終了してください。一覧は次で確認できます:\nnvidia-smi",
    ),
    "gpu-hidden.evidence": (
        'CUDA_VISIBLE_DEVICES is "{value}", which hides {gpu}.',
        "CUDA_VISIBLE_DEVICES が「{value}」なので、{gpu} が隠れています。",
    ),
    "gpu-hidden.consequence": (
        "torch sees no GPU and trains on the CPU.",
        "torch から GPU が見えず、学習は CPU で行われます。",
    ),
    "gpu-hidden.remedy": ("remove the variable:\n{lines}", "この変数を消してください:\n{lines}"),
    "gpu-too-old.evidence": (
        "{gpu} (compute capability {capability}) is older than any torch that jlora can use.",
        "{gpu}（Compute Capability {capability}）は古く、"
        "jlora が使える torch では対応していません。",
    ),
    "gpu-too-old.consequence": (
        "Training runs on the CPU.",
        "学習は CPU で行います。",
    ),
    "gpu-too-old.remedy": (
        "take --profile cpu-small, or a GPU of compute capability 5.0 or newer.",
        "--profile cpu-small を使うか、Compute Capability 5.0 以降の GPU を使ってください。",
    ),
    "driver-too-old.evidence": (
        "NVIDIA driver {driver} runs CUDA up to {cuda}; torch for this machine needs more "
        "(build {build}).",
        "NVIDIA ドライバー {driver} が対応する CUDA は {cuda} までで、"
        "このマシンの torch（{build} 版）には足りません。",
    ),
    "driver-too-old.consequence": (
        "torch cannot use the GPU.",
        "torch から GPU を使えません。",
    ),
    "driver-too-old.remedy": (
        "install driver {needed} or newer from https://www.nvidia.com/drivers{other}",
        "https://www.nvidia.com/drivers からドライバー {needed} 以降を入れてください。{other}",
    ),
    "driver-too-old.or": (
        ", or the build of torch that this driver can run:\n{lines}",
        "または、このドライバーで動く版の torch に入れ替えてください:\n{lines}",
    ),
    "architecture-missing.evidence": (
        "torch {version} (build {build}) has no kernels for {gpu} (compute capability "
        "{capability}).",
        "torch {version}（{build} 版）は {gpu}（Compute Capability {capability}）に"
        "対応していません。",
    ),
    "architecture-missing.consequence": (
        'The first computation on the GPU fails: "no kernel image is available".',
        "GPU での最初の計算が「no kernel image is available」で失敗します。",
    ),
    "architecture-missing.remedy": (
        "replace it by the build that holds them:\n{lines}",
        "この GPU に対応した版に入れ替えてください:\n{lines}",
    ),
    "gpu-unusable.evidence": (
        "The driver lists {gpu} (compute capability {capability}), but torch {version} (build "
        "{build}) does not see it.{said}",
        "ドライバーには {gpu}（Compute Capability {capability}）が見えていますが、"
        "torch {version}（{build} 版）からは見えません。{said}",
    ),
    "gpu-unusable.said": (" CUDA says: {error}", "CUDA の応答: {error}"),
    "gpu-unusable.consequence": (
        "Training runs on the CPU, many times slower.",
        "学習が CPU で行われ、何倍も遅くなります。",
    ),
    "gpu-unusable.remedy": (
        "restart the computer (the driver may have been updated under it); if that does not help, "
        "install torch anew:\n{lines}",
        "コンピューターを再起動してください（ドライバーの更新直後かもしれません）。"
        "それでも直らない場合は、torch を入れ直してください:\n{lines}",
    ),
}
