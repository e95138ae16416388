"""The forms of what is stored of a run: its claims, their findings and controls, as plain data with types."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class SideForm(TypedDict):
    """An estimate; a value or an error that was infinite or not a number is null; `at` is empty for one in the limit."""

    value: float | None
    error: float | None
    kind: str
    method: str
    at: NotRequired[str]


class FindingForm(TypedDict):
    """A finding with what it came to, `at` which resolution or parameter it speaks, and `because` of what δ is wide.

    Records made earlier lack these.
    """

    label: str
    left: SideForm
    relation: str
    right: SideForm
    resolution: float
    excess: float | None
    bar: float | None
    kind: NotRequired[str]
    outcome: str
    margin: float | None
    suspect_bar: bool
    at: NotRequired[str]
    because: NotRequired[str]


class ReachForm(TypedDict):
    """On which side of 1 a coefficient is off by what is noticed, 1 or −1 (0: neither), and whether that was measured.

    `tried` changes beside the first were looked at; records made earlier lack it.
    """

    sign: int
    measured: bool
    tried: NotRequired[int]


class JudgedForm(FindingForm):
    """A finding of a claim, with the variants that refuted it and the changes of coefficients that it would notice.

    Records made earlier lack `reach`: their changes are of first order.
    """

    refuted_by: list[str]
    detects: dict[str, float]
    reach: NotRequired[dict[str, ReachForm]]
    spread: NotRequired[list[float]]


class VariantForm(TypedDict):
    """What a finding came to under a control."""

    label: str
    kind: NotRequired[str]
    outcome: str
    excess: float | None
    bar: float | None


class ControlForm(TypedDict):
    """A control: its outcome, the finding that says most, and what the others came to."""

    description: str
    outcome: str
    reason: str
    finding: FindingForm | None
    findings: list[VariantForm]


class SeriesForm(TypedDict):
    """Points for a plot."""

    label: str
    x_label: str
    x: list[float]
    y_label: str
    y: list[float]
    logarithmic: str


class VerdictForm(TypedDict):
    """What a claim came to."""

    outcome: str
    margin: float | None
    detects: dict[str, float]
    reach: NotRequired[dict[str, ReachForm]]
    reason: str
    trace: NotRequired[str]


class TriedForm(VerdictForm):
    """What was found when a claim was tried."""

    findings: list[JudgedForm]
    controls: list[ControlForm]
    series: list[SeriesForm]


class SeedForm(TypedDict):
    """What a claim came to with one of several seeds."""

    seed: int
    outcome: str
    margin: float | None
    reason: str


class ClaimForm(TriedForm):
    """A claim's record; what a claim says of itself is there if its file could be loaded.

    `loaded` has the hashes of what files it executed, as seen from its folder, that its `key` does not know.
    """

    id: str
    level: str
    seed: int
    title: str
    statement: str
    seconds: float
    path: NotRequired[str]
    source: NotRequired[str]
    standing: NotRequired[str]
    assumes: NotRequired[list[str]]
    random: NotRequired[bool]
    repeatable: NotRequired[bool]
    over_seeds: NotRequired[list[SeedForm]]
    worst_seed: NotRequired[int]
    output: NotRequired[str]
    key: NotRequired[str]
    loaded: NotRequired[dict[str, str]]
    seeds: NotRequired[int]
    twice: NotRequired[bool]
    strict: NotRequired[bool]
    digest: NotRequired[str]


class Provenance(TypedDict):
    """Where results came from."""

    versions: dict[str, str]
    python: str
    machine: str
    commit: str


class Manifest(TypedDict):
    """The terms of a run."""

    format: int
    level: str
    seed: int
    seeds: int
    twice: bool
    strict: bool
    key: str
    started: str
    provenance: Provenance
    ids: NotRequired[list[str]]


class RunForm(Manifest):
    """A run: "running" or "complete", with what was found so far."""

    state: str
    claims: list[ClaimForm]
    resumed: NotRequired[int]
    remarks: NotRequired[list[str]]
    seconds: NotRequired[float]
    digest: NotRequired[str]


class Listed(TypedDict):
    """What a claim says of itself before it is tried."""

    standing: str
    source: str
    controls: list[str]
    cases: list[str]


class RunLine(TypedDict):
    """A run in a folder's history: outcome, margin and seconds of each claim."""

    started: str
    commit: str
    claims: dict[str, tuple[str, float | None, float]]


class CertificateLine(TypedDict):
    """A certificate in a folder's history."""

    started: str
    score: str
    process: str
    residual: float
    numbers: dict[str, float]
