"""Makes the embedded demo base: `python -m tools.demo_base.pretrain --output FOLDER`."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import sentencepiece as spm
import torch

from tools.demo_base import corpus as corpus_files
from tools.demo_base import folder, report, training, vocabulary

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "jlora_cli" / "assets"
UNSEEN = HERE / "text" / "unseen.txt"
FRESH = HERE / "text" / "fresh.txt"
PROMPTS = ASSETS / "demo_data" / "prompts.jsonl"

SNAPSHOT_LINES = 10
"""Lines of progress (50 optimizer steps each) between two snapshots."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ASSETS / "demo_base")
    parser.add_argument("--prose", type=Path, help="public-domain prose, blank line between works")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--pieces", type=int, default=4608)
    parser.add_argument("--peak", type=float, default=training.PEAK, help="learning rate")
    parser.add_argument("--resume", type=Path, help="go on from this folder's weights")
    parser.add_argument("--snapshot", type=Path, help="folder rewritten while training goes on")
    parser.add_argument("--report-only", action="store_true", help="only measure --output")
    return parser.parse_args()


def say(text: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def make(args: argparse.Namespace, corpus: corpus_files.Corpus) -> None:
    """Vocabulary, training, and the files of the base."""
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    works = vocabulary.prose_works(args.prose) if args.prose else []
    with tempfile.TemporaryDirectory() as scratch:
        if args.resume:
            model, sp = folder.read(args.resume)
            spiece = args.resume / "spiece.model"
        else:
            prefix = Path(scratch) / "spiece"
            vocabulary.train(corpus, works, pieces=args.pieces, prefix=prefix)
            spiece = prefix.with_suffix(".model")
            sp = spm.SentencePieceProcessor(model_file=str(spiece))
            model = training.new_model(sp.get_piece_size())
        say(f"{sum(p.numel() for p in model.parameters())} parameters")
        lines = training.pretrain(
            model,
            dialogues=training.dialogue_batches(corpus, sp, seed=args.seed),
            prose=training.prose_batches(works, sp, seed=args.seed) if works else None,
            budget=training.Budget(args.steps, args.minutes, args.peak),
            seed=args.seed,
        )
        for count, line in enumerate(lines, start=1):
            say(line)
            if args.snapshot and count % SNAPSHOT_LINES == 0:
                folder.write(model, spiece=spiece, folder=args.snapshot)
        folder.write(model, spiece=spiece, folder=args.output)


def measure(output: Path, corpus: corpus_files.Corpus) -> None:
    """Prints size, held-out perplexity and the answers to unseen prompts."""
    model, sp = folder.read(output)
    say(f"{folder.size_mb(output):.2f} MB")
    pairs = corpus.held_out
    say(f"held-out answers: perplexity {report.perplexity(model, sp, pairs):.2f} of {len(pairs)}")
    for path in (FRESH, UNSEEN, PROMPTS):
        say(f"--- {path.name}")
        for prompt in corpus_files.read_prompts(path):
            text, ended = report.answer(model, sp, prompt)
            known = " (asked in training)" if corpus.asks(prompt) else ""
            say(f"{prompt} -> {text!r}{'' if ended else ' (cut)'}{known}")


def main() -> None:
    """Makes the base, then measures it as it was saved."""
    args = arguments()
    corpus = corpus_files.load(seed=args.seed, unseen=[UNSEEN, FRESH, PROMPTS])
    pairs = sum(len(i.questions) for i in corpus.intents)
    say(f"{len(corpus.intents)} intents, {pairs} questions, {len(corpus.held_out)} held out")
    if not args.report_only:
        make(args, corpus)
    measure(args.output, corpus)


if __name__ == "__main__":
    main()
