"""What nvidia-smi printed on real machines, as their owners showed it in public issues.

Each page names its source. Rules and empty rows of the tables are left out, as is what stands in
other columns of the second line; nothing else is changed.
"""

from __future__ import annotations

from typing import NamedTuple

from jlora_cli.machine import Gpu, GpuProcess


class Page(NamedTuple):
    """A page, where it was shown, and what stands in it."""

    source: str
    text: str
    driver: str | None
    cuda: tuple[int, int] | None
    gpus: tuple[Gpu, ...] = ()
    error: str = ""


def gpu(name: str, total: int, used: int, **more: object) -> Gpu:
    """A GPU whose memory is given in MiB, as a page gives it; pages tell no capability."""
    return Gpu(name, total / 1024, (total - used) / 1024, (0, 0), **more)  # type: ignore[arg-type]


PAGES = {
    "5090-umd": Page(
        "github.com/noonghunna/club-3090/issues/1229",
        """\
Tue Sep  8 22:16:10 2026
| NVIDIA-SMI 610.57.04              KMD Version: 610.57.04     CUDA UMD Version: 13.3     |
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|   0  NVIDIA GeForce RTX 5090        Off |   00000000:01:00.0 Off |                  N/A |
| 42%   43C    P8             25W /  575W |   29324MiB /  32607MiB |      0%      Default |
|                                         |                        |                  N/A |
|   1  NVIDIA GeForce RTX 5090        Off |   00000000:02:00.0  On |                  N/A |
| 45%   52C    P8             12W /  600W |   30357MiB /  32607MiB |      2%      Default |
""",
        "610.57.04",
        (13, 3),
        tuple(gpu("NVIDIA GeForce RTX 5090", 32607, used) for used in (29324, 30357)),
    ),
    "3060-raspberry": Page(
        "github.com/geerlingguy/raspberry-pi-pcie-devices/issues/790",
        """\
| NVIDIA-SMI 580.95.05              Driver Version: 580.95.05      CUDA Version: 13.0     |
|   0  NVIDIA GeForce RTX 3060        Off |   00000001:01:00.0 Off |                  N/A |
|  0%   26C    P8              4W /  170W |       1MiB /  12288MiB |      0%      Default |
""",
        "580.95.05",
        (13, 0),
        (gpu("NVIDIA GeForce RTX 3060", 12288, 1),),
    ),
    "5070-without-cuda": Page(
        "github.com/shkhln/libc6-shim/issues/14",
        """\
| NVIDIA-SMI 575.64.03              Driver Version: 575.64.03      CUDA Version: N/A      |
|   0  NVIDIA GeForce RTX 5070        Off |   00000000:02:00.0  On |                  N/A |
|  0%   39C    P0             29W /  250W |    1731MiB /  12227MiB |     25%      Default |
""",
        "575.64.03",
        (12, 0),  # by the driver's number
        (gpu("NVIDIA GeForce RTX 5070", 12227, 1731),),
    ),
    "a100-mig": Page(
        "github.com/NVIDIA/mig-parted/issues/31",
        """\
Wed Dec 13 00:32:33 2023
| NVIDIA-SMI 495.29.05    Driver Version: 495.29.05    CUDA Version: 11.5     |
|   0  NVIDIA A100-SXM...  Off  | 00000000:01:00.0 Off |                   On |
| N/A   25C    P0    50W / 500W |     24MiB / 81251MiB |     N/A      Default |
|                               |                      |              Enabled |
|   1  NVIDIA A100-SXM...  Off  | 00000000:41:00.0 Off |                   On |
| N/A   25C    P0    51W / 500W |     24MiB / 81251MiB |     N/A      Default |
|                               |                      |              Enabled |
""",
        "495.29.05",
        (11, 5),
        (gpu("NVIDIA A100-SXM...", 81251, 24, mig=True),) * 2,
    ),
    "a100-mig-instances": Page(
        "github.com/XuehaiPan/nvitop/pull/8",
        """\
|   0  NVIDIA A100-SXM...  Off  | 00000000:01:00.0 Off |                   On |
| N/A   25C    P0    50W / 500W |  34090MiB / 81251MiB |     N/A      Default |
|                               |                      |              Enabled |
| MIG devices:                                                                |
| GPU  GI  CI  MIG |         Memory-Usage |        Vol|         Shared        |
|  0    3   0   0  |  14366MiB / 19968MiB | 28      0 |  2   0    1    0    0 |
|                  |      4MiB / 32767MiB |           |                       |
|  0    5   0   1  |   9826MiB / 19968MiB | 28      0 |  2   0    1    0    0 |
""",
        None,
        None,
        (gpu("NVIDIA A100-SXM...", 81251, 34090, mig=True),),
    ),
    "a10g-470": Page(
        "github.com/bottlerocket-os/bottlerocket-core-kit/pull/122",
        """\
Tue Sep  3 23:10:20 2024
| NVIDIA-SMI 470.256.02   Driver Version: 470.256.02   CUDA Version: 11.4     |
|   0  NVIDIA A10G         On   | 00000000:00:1E.0 Off |                    0 |
|  0%   25C    P8     9W / 300W |      0MiB / 22731MiB |      0%      Default |
|                               |                      |                  N/A |
""",
        "470.256.02",
        (11, 4),
        (gpu("NVIDIA A10G", 22731, 0),),
    ),
    "4090-550": Page(
        "github.com/RLinf/RLinf/issues/255",
        """\
| NVIDIA-SMI 550.163.01             Driver Version: 550.163.01     CUDA Version: 12.4     |
|   0  NVIDIA GeForce RTX 4090        Off |   00000000:4E:00.0 Off |                  Off |
| 30%   29C    P8             22W /  450W |     507MiB /  24564MiB |      0%      Default |
|                                         |                        |                  N/A |
""",
        "550.163.01",
        (12, 4),
        (gpu("NVIDIA GeForce RTX 4090", 24564, 507),),
    ),
    "rtx4000-535": Page(
        "github.com/akash-network/provider-configs/pull/12",
        """\
| NVIDIA-SMI 535.129.03             Driver Version: 535.129.03   CUDA Version: 12.2     |
|   0  Quadro RTX 4000                Off | 00000000:06:00.0 Off |                  N/A |
| 30%   25C    P8              10W / 125W |      1MiB /  8192MiB |      0%      Default |
""",
        "535.129.03",
        (12, 2),
        (gpu("Quadro RTX 4000", 8192, 1),),
    ),
    "4070-wsl": Page(
        "github.com/microsoft/WSL/issues/11277",
        """\
Fri Jul 19 13:41:16 2024
| NVIDIA-SMI 555.52.01              Driver Version: 555.99         CUDA Version: 12.5     |
|   0  NVIDIA GeForce RTX 4070 ...    On  |   00000000:01:00.0  On |                  N/A |
|  0%   43C    P8              3W /  220W |     576MiB /  12282MiB |      0%      Default |
""",
        "555.99",
        (12, 5),
        (gpu("NVIDIA GeForce RTX 4070 ...", 12282, 576),),
    ),
    "windows-517": Page(
        "github.com/microsoft/WSL/issues/9134",
        """\
Wed Nov  9 21:31:58 2022
| NVIDIA-SMI 517.48       Driver Version: 517.48       CUDA Version: 11.7     |
| GPU  Name            TCC/WDDM | Bus-Id        Disp.A | Volatile Uncorr. ECC |
|   0  NVIDIA GeForce ... WDDM  | 00000000:0A:00.0  On |                  N/A |
|  0%   31C    P8    16W / 250W |    576MiB / 11264MiB |      0%      Default |
|                               |                      |                  N/A |
|   1  NVIDIA GeForce ... WDDM  | 00000000:43:00.0  On |                  N/A |
|  0%   29C    P8    17W / 250W |   2152MiB / 11264MiB |      0%      Default |
""",
        "517.48",
        (11, 7),
        tuple(gpu("NVIDIA GeForce ...", 11264, used) for used in (576, 2152)),
    ),
    "wsl-silent": Page(
        "github.com/microsoft/WSL/issues/9134",
        """\
 NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the \
latest NVIDIA driver is installed and running.

Failed to properly shut down NVML: Driver Not Loaded
""",
        None,
        None,
        error="NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make "
        "sure that the latest NVIDIA driver is installed and running.",
    ),
    "mismatch": Page(
        "github.com/tinygrad/open-gpu-kernel-modules/issues/47",
        """\
Failed to initialize NVML: Driver/library version mismatch
NVML library version: 570.124
""",
        None,
        None,
        error="Failed to initialize NVML: Driver/library version mismatch",
    ),
    "colab-v100": Page(
        "github.com/rapidsai-community/rapidsai-csp-utils/issues/34",
        """\
| NVIDIA-SMI 450.66       Driver Version: 418.67       CUDA Version: 10.1     |
|   0  Tesla V100-SXM2...  Off  | 00000000:00:04.0 Off |                    0 |
| N/A   38C    P0    41W / 300W |  10633MiB / 16130MiB |      0%      Default |
|                               |                      |                 ERR! |
""",
        "418.67",
        (10, 1),
        (gpu("Tesla V100-SXM2...", 16130, 10633),),
    ),
    "colab-k80": Page(
        "github.com/rapidsai-community/notebooks-contrib/issues/208",
        """\
Fri Oct 11 14:00:43 2019
| NVIDIA-SMI 430.40       Driver Version: 418.67       CUDA Version: 10.1     |
|   0  Tesla K80           Off  | 00000000:00:04.0 Off |                    0 |
| N/A   70C    P8    35W / 149W |      0MiB / 11441MiB |      0%      Default |
""",
        "418.67",
        (10, 1),
        (gpu("Tesla K80", 11441, 0),),
    ),
    "1050-384": Page(
        "github.com/pytorch/pytorch/issues/6551",
        """\
Fri Apr 13 10:31:23 2018
| NVIDIA-SMI 384.111                Driver Version: 384.111                   |
|   0  GeForce GTX 105...  Off  | 00000000:01:00.0 Off |                  N/A |
| N/A   33C    P0    N/A /  N/A |    430MiB /  4041MiB |      0%      Default |
| Processes:                                                       GPU Memory |
|  GPU       PID   Type   Process name                             Usage      |
|    0       994      G   /usr/lib/xorg/Xorg                           271MiB |
|    0      1709      G   compiz                                        66MiB |
""",
        "384.111",
        None,
        (
            gpu(
                "GeForce GTX 105...",
                4041,
                430,
                processes=(
                    GpuProcess("Xorg", 994, 271 / 1024),
                    GpuProcess("compiz", 1709, 66 / 1024),
                ),
            ),
        ),
    ),
    "titan-450": Page(
        "github.com/rossumai/nvgpu/pull/15",
        """\
Wed Jul 29 21:51:11 2020
| NVIDIA-SMI 450.57       Driver Version: 450.57       CUDA Version: 11.0     |
|   0  TITAN Xp            On   | 00000000:17:00.0 Off |                  N/A |
| 23%   39C    P8     9W / 250W |      7MiB / 12196MiB |      0%      Default |
""",
        "450.57",
        (11, 0),
        (gpu("TITAN Xp", 12196, 7),),
    ),
    "p4-550": Page(
        "github.com/slackr31337/wyoming-piper-gpu/pull/20",
        """\
Sun Jan 12 16:15:58 2025
| NVIDIA-SMI 550.135                Driver Version: 550.135        CUDA Version: 12.4     |
|   0  Tesla P4                       Off |   00000000:86:00.0 Off |                  Off |
| N/A   49C    P0             24W /   75W |    7719MiB /   8192MiB |      6%      Default |
""",
        "550.135",
        (12, 4),
        (gpu("Tesla P4", 8192, 7719),),
    ),
    "6000d-590": Page(
        "github.com/aikitoria/open-gpu-kernel-modules/issues/20",
        """\
| NVIDIA-SMI 590.44.01              Driver Version: 590.44.01      CUDA Version: 13.1     |
|   0  NVIDIA RTX 6000D               On  |   00000000:13:00.0 Off |                    0 |
| N/A   26C    P8             28W /  600W |       0MiB /  85651MiB |      0%      Default |
|                                         |                        |             Disabled |
""",
        "590.44.01",
        (13, 1),
        (gpu("NVIDIA RTX 6000D", 85651, 0),),
    ),
}
