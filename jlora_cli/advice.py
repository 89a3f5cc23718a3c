"""What to run on a machine: profiles that fit it, and whether one run with one model would.

Works offline and with half of the packages: what cannot be found out is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli.config import parse_options, resolve, settle
from jlora_cli.diagnosis import Wanted
from jlora_cli.errors import JloraError
from jlora_cli.finding import Finding, Severity, finding
from jlora_cli.hub import find_model, looks_local
from jlora_cli.memory import GIB, available_gib, device_of, memory_terms, micro_batch
from jlora_cli.messages import say
from jlora_cli.plan import settle_max_length
from jlora_cli.run_folder import read_model_config
from jlora_cli.shape import Shape, read_shape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.config import Resolved, RunConfig
    from jlora_cli.machine import Machine
    from jlora_cli.profile import Fitting

# Model types whose own tokenizer code imports a package that jlora does not bring.
PACKAGES_OF_TYPE = {"qwen": ("tiktoken",), "phi3small": ("tiktoken",)}
BYTES = {"float32": 4, "float64": 8}
FOUR_BIT_FROM = (6, 0)  # bitsandbytes 0.50, "Installation Guide"
SHORTEST = 256


@dataclass(frozen=True)
class Run:
    """One run's memory in GiB by term against what is free; `changes` would make it fit."""

    profile: str
    model: str
    memory_gib: dict[str, float]
    available_gib: float
    changes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        return self.memory_gib["total"] <= self.available_gib

    def as_json(self) -> dict[str, object]:
        """The run as `env-check --json` prints it."""
        return {
            "profile": self.profile,
            "model": self.model,
            "memory_gib": self.memory_gib,
            "available_gib": self.available_gib,
            "fits": self.fits,
            "changes": list(self.changes),
        }


@dataclass(frozen=True)
class Advice:
    """What to run: `fitting` is None where profiles cannot be read, `run` where none was asked."""

    fitting: Fitting | None
    run: Run | None = None
    wanted: Wanted | None = None
    findings: list[Finding] = field(default_factory=list)


class _Model(NamedTuple):
    """What a model's small files tell."""

    wanted: Wanted
    shape: Shape


def advise(machine: Machine, *, profile: str | None, model: str | None) -> Advice:
    """The profiles that fit `machine`, and whether `profile` with `model` would run there.

    Raises:
        JloraError: no such profile, or one with faults.
    """
    try:
        from jlora_cli.profile import fitting_profiles, load_profile  # noqa: PLC0415 - needs yaml
    except ImportError:
        return Advice(None)
    fitting = fitting_profiles(machine)
    if profile is None and model is None:
        return Advice(fitting)
    chosen = load_profile(profile or fitting.recommended)
    resolved = resolve(chosen.resolved_values(), parse_options({"model": model}))
    resolved, cannot = settle(resolved, machine)
    name = resolved.config.model
    if name is None:
        return Advice(fitting, findings=[*cannot, *_by_profile(profile, fitting)])
    try:
        known = _look_at(name)
    except (JloraError, ImportError) as error:
        found = [*cannot, _unknown(name, error), *_by_profile(profile, fitting)]
        return Advice(fitting, findings=found)
    run = _estimate(resolved, known.shape, machine, profile=chosen.name)
    if run is None:
        return Advice(fitting, None, known.wanted, [*cannot, *_by_profile(profile, fitting)])
    return Advice(fitting, run, known.wanted, [*cannot, _run_fit(run, machine)])


def _by_profile(name: str | None, fitting: Fitting) -> list[Finding]:
    """Whether the asked profile, or the packaged one that it extends, is among the fitting."""
    from jlora_cli.profile import load_profile, profile_names  # noqa: PLC0415 - needs yaml

    if name is None:
        return []
    asked = load_profile(name)
    known = next((it for it in (name, asked.parent) if it in profile_names()), None)
    if known is None:
        return []
    other = fitting.recommended
    severity: Severity = "ok" if known in fitting.names else "warning"
    return [finding("profile-fit", severity, name=name, other=other)]


def _unknown(model: str, error: JloraError | ImportError) -> Finding:
    """What could not be learned of a model; that its folder is broken is worse than no network."""
    if isinstance(error, ImportError):
        why, remedy = str(error), say("model-unknown.packages")
    else:
        why, remedy = error.problem, error.remedy
    severity: Severity = "error" if looks_local(model) else "warning"
    return finding("model-unknown", severity, model=model, why=why, fix=remedy)


def _look_at(model: str) -> _Model:
    folder = find_model(model, what="config")
    config = read_model_config(folder)
    shape = read_shape(config)
    sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]
    stored = str(config.get("dtype") or config.get("torch_dtype") or "float16")
    weights = sum(sizes) or shape.parameters * BYTES.get(stored, 2)
    packages = tuple(_tokenizer_packages(folder, config))
    return _Model(Wanted(model, packages, weights / GIB, cached=bool(sizes)), shape)


def _tokenizer_packages(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """What the model's tokenizer cannot do without, by its type and its files."""
    yield from PACKAGES_OF_TYPE.get(str(config.get("model_type")), ())
    if any(folder.glob("*.tiktoken")):
        yield "tiktoken"
    if any(folder.glob("*.model")):
        yield from ("sentencepiece", "protobuf")


def _estimate(resolved: Resolved, shape: Shape, machine: Machine, *, profile: str) -> Run | None:
    """The plan's memory figure for the longest rows that the run may have."""
    if not shape.layers:
        return None
    resolved = settle_max_length(resolved, shape.context)
    if resolved.config.packing == "auto":
        resolved = resolved.with_auto({"packing": (True, "")})
    free = round(available_gib(machine), 2)
    terms = _memory(resolved.config, shape, machine)
    run = Run(profile, resolved.config.model or "", terms, free)
    return (
        run if run.fits else replace(run, changes=_changes(resolved.config, shape, machine, free))
    )


def _memory(config: RunConfig, shape: Shape, machine: Machine) -> dict[str, float]:
    """Memory in GiB by term, and their total: the one place that asks the estimate."""
    lengths = [int(config.max_length)] * config.batch_size
    batch = micro_batch(lengths, sum(lengths), packing=config.packing is True)
    terms = memory_terms(config, shape, batch, device_of(machine))
    return {name: round(gib, 3) for name, gib in terms.items()}


def _changes(config: RunConfig, shape: Shape, machine: Machine, free: float) -> tuple[str, ...]:
    """Options that make the run fit, the ones first that change nothing of what is learned.

    Empty where no option helps.
    """
    told: list[str] = []
    for option, changed in _smaller(config, machine):
        config = changed
        told = [each for each in told if each.split()[0] != option.split()[0]] + [option]
        if _memory(config, shape, machine)["total"] <= free:
            return tuple(told)
    return ()


def _smaller(config: RunConfig, machine: Machine) -> Iterator[tuple[str, RunConfig]]:
    """(option, config with it), each upon the one before."""
    if config.gradient_checkpointing is not True:
        config = replace(config, gradient_checkpointing=True)
        yield "--gradient-checkpointing true", config
    if config.batch_size > 1:
        steps = config.gradient_accumulation_steps * config.batch_size
        config = replace(config, batch_size=1, gradient_accumulation_steps=steps)
        yield f"--batch-size 1 --gradient-accumulation-steps {steps}", config
    gpu = machine.usable_gpu
    can = gpu is not None and gpu.kind == "cuda" and gpu.capability >= FOUR_BIT_FROM
    if can and config.quantization == "none":
        config = replace(config, quantization="4bit")
        yield "--quantization 4bit", config
    length = int(config.max_length) // 2
    while length >= SHORTEST:
        config = replace(config, max_length=length)
        yield f"--max-length {length}", config
        length //= 2


def _run_fit(run: Run, machine: Machine) -> Finding:
    gpu = machine.usable_gpu
    largest = sorted(run.memory_gib.items(), key=lambda term: -term[1])[1:4]
    remedy = say("run-fit.options", options=" ".join(run.changes))
    return finding(
        "run-fit",
        "ok" if run.fits else "warning",
        model=run.model,
        profile=run.profile,
        needed=run.memory_gib["total"],
        free=run.available_gib,
        device=gpu.name if gpu and gpu.kind == "cuda" else say("run-fit.memory"),
        terms=", ".join(f"{name} {size:.1f}" for name, size in largest),
        change=remedy if run.changes else say("run-fit.smaller"),
    )
