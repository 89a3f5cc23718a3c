"""Load what jlora writes with stock transformers, in environments of its own, and count.

    python tools/portability.py            # or: make portability

Tokenizer folders of the demo base, and of the vocabularies in ../shared/vectors/models where they
are present, are written as `jlora train` and `jlora merge` write them. Each environment loads every
folder with `AutoTokenizer.from_pretrained(folder)` and nothing else, and its ids are compared with
the exact ones. The figures go to benchmarks/results/portability.json and docs/portability.md.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from jlora_cli.hub import ASSETS
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.tokenizer.portable import PROBES, write_portable

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"
OLD = "4.57.6"
LITERALS = ("文</s>文", "<s>", "[PAD]と[UNK]", "＜／ｓ＞と［ＰＡＤ］", "</S>", "あ<unk>い")
# What runs in the environment: no jlora there, no network.
CHILD = """
import json, sys
import tokenizers, transformers
job = json.load(open(sys.argv[1], encoding="utf-8"))
told = {}
for name, folder in job["folders"].items():
    try:
        stock = transformers.AutoTokenizer.from_pretrained(folder)
        ids = [stock.encode(text) for text in job["texts"]]
        texts = [stock.decode(row, skip_special_tokens=False) for row in job["exact"][name]]
        told[name] = {"class": type(stock).__name__, "ids": ids, "texts": texts}
    except Exception as error:
        told[name] = {"error": type(error).__name__}
versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
json.dump({"versions": versions, "told": told}, open(sys.argv[2], "w", encoding="utf-8"))
"""


def sources() -> dict[str, Path]:
    """Name to folder of every tokenizer at hand."""
    found = {"demo": ASSETS / "demo_base"}
    models = VECTORS / "models"
    if models.is_dir():
        found |= {folder.name: folder for folder in sorted(models.iterdir())}
    return found


def all_texts() -> list[str]:
    """The strings of the vectors, where present, and the probes."""
    file = VECTORS / "public.json"
    strings = json.loads(file.read_text(encoding="utf-8"))["strings"] if file.is_file() else []
    return list(dict.fromkeys([*(row["text"] for row in strings), *PROBES, *LITERALS]))


def environment(folder: Path, *wanted: str) -> Path:
    """The Python of a fresh environment with `wanted` in it."""
    venv.create(folder, with_pip=True)
    python = next(p for p in (folder / "bin/python", folder / "Scripts/python.exe") if p.exists())
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def pinned() -> str:
    """The transformers of constraints.txt."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(r"^transformers==(\S+)$", text, re.MULTILINE)
    if found is None:
        raise SystemExit("constraints.txt names no transformers")
    return found[1]


def count(tokenizer: Any, texts: list[str], told: dict[str, Any]) -> dict[str, object]:
    """How many ids and decoded texts of a stock class are those of `tokenizer`."""
    if "error" in told:
        return {"loads": False, "error": told["error"]}
    bos = [tokenizer.bos_id] if tokenizer.adds_bos else []
    counts = {"texts": 0, "wrong_ids": 0, "wrong_text": 0, "with_literal": 0, "literal_differs": 0}
    for text, ids, decoded in zip(texts, told["ids"], told["texts"], strict=True):
        exact = tokenizer.encode(text)
        if any(literal in text for literal in tokenizer.special_ids):
            counts["with_literal"] += 1
            counts["literal_differs"] += ids != bos + exact
            continue
        counts["texts"] += 1
        counts["wrong_ids"] += ids != bos + exact
        counts["wrong_text"] += decoded != tokenizer.decode(exact)
    return {"loads": True, "class": told["class"], **counts}


def measure(here: Path) -> dict[str, Any]:
    """Everything: folders written, loaded in each environment, compared."""
    texts, folders, exact = all_texts(), {}, {}
    tokenizers = {name: load_tokenizer(folder) for name, folder in sources().items()}
    rows: dict[str, dict[str, Any]] = {}
    for name, tokenizer in tokenizers.items():
        target = here / "folders" / name
        target.mkdir(parents=True)
        portable = write_portable(tokenizer, target, texts)
        shutil.copyfile(tokenizer.folder / "config.json", target / "config.json")
        folders[name], exact[name] = str(target), [tokenizer.encode(text) for text in texts]
        rows[name] = {"portable": portable.exact, "tokenizer_json": portable.tokenizer_json}
    job, answer = here / "job.json", here / "answer.json"
    job.write_text(json.dumps({"folders": folders, "texts": texts, "exact": exact}), "utf-8")
    environments = []
    for version in (OLD, pinned()):
        # The last two only for folders with the original files: stock classes convert those.
        wanted = (f"transformers=={version}", "sentencepiece", "protobuf")
        python = environment(here / f"env-{version}", *wanted)
        # Isolated: neither this folder nor the caller's environment is on its path.
        subprocess.run([python, "-I", "-c", CHILD, job, answer], check=True, cwd=here)
        document = json.loads(answer.read_text(encoding="utf-8"))
        environments.append(document["versions"])
        for name, told in document["told"].items():
            rows[name][version] = count(tokenizers[name], texts, told)
    return {"texts": len(texts), "environments": environments, "vocabularies": rows}


def page(document: dict[str, Any]) -> str:
    """docs/portability.md."""
    versions = [row["transformers"] for row in document["environments"]]
    head = ["vocabulary", "written", *(f"transformers {v}" for v in versions)]
    lines = [
        "# Portable tokenizers",
        "",
        "What `jlora train` and `jlora merge` write, loaded with stock",
        "`AutoTokenizer.from_pretrained(folder)` and compared with the exact tokenizer. The counts",
        "are texts with other ids, of those without a special literal in them; a literal such as",
        "`</s>` in a text is text to jlora and the control id to stock tools.",
        "",
        "Where the rebuilt `tokenizer.json` would not be exact, the folder keeps the original",
        "files only, its `jlora.json` says so, and stock classes go wrong as on the original.",
        "",
        "Decode with `skip_special_tokens=False`: otherwise an unknown character leaves nothing",
        "behind, where SentencePiece writes ` ⁇ `. A run of byte pieces that is no UTF-8 (a slip",
        "of the model, never an encoded text) may show more U+FFFD than SentencePiece does.",
        "Two combining marks out of Unicode's canonical order are put in order by the rebuilt",
        "file and left by SentencePiece (1 of 3,000 texts of random signs).",
        "Lower-casing (`do_lower_case`) is jlora's, before the tokenizer; elsewhere do it first.",
        "",
        "`make portability` measures this page anew.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for name, row in document["vocabularies"].items():
        written = "original files" if not row["portable"] else f"{row['tokenizer_json']}, exact"
        cells = [name, written, *(cell(row[version]) for version in versions)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def cell(counts: dict[str, Any]) -> str:
    """One figure of the table."""
    if not counts["loads"]:
        return f"does not load ({counts['error']})"
    return f"{counts['wrong_ids']} of {counts['texts']}"


def main() -> int:
    """Measure, write both files, and say by the exit code whether what is promised holds."""
    ask = argparse.ArgumentParser(description="stock transformers on what jlora writes")
    ask.add_argument("--results", type=Path, default=ROOT / "benchmarks/results/portability.json")
    ask.add_argument("--page", type=Path, default=ROOT / "docs/portability.md")
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        document = measure(Path(folder))
    for path in (asked.results, asked.page):
        path.parent.mkdir(parents=True, exist_ok=True)
    asked.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8", newline="\n")
    asked.page.write_text(page(document), encoding="utf-8", newline="\n")
    promised = [row for row in document["vocabularies"].values() if row["portable"]]
    cells = [row[v["transformers"]] for row in promised for v in document["environments"]]
    wrong = sum(not c["loads"] or c["wrong_ids"] + c["wrong_text"] > 0 for c in cells)
    print(f"{len(promised)} portable vocabularies, {len(cells)} loads, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
