"""`mfgpde check`: a model on trial from the command line, its help a guide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mfgpde.app.complaints import Complaints

PACKAGE = Path(__file__).parents[1]
MODEL, DATA, TRIAL, RESULT = "The model", "The data", "The trial", "The result"


def check(
    score: Annotated[
        str,
        typer.Argument(
            help="A folder of diffusers, file.py:NAME or module:NAME (PyTorch, JAX, NumPy), weights (.npz, .safetensors), "
            "or a certificate.json, again."
        ),
    ],
    predicts: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="What the network returns: score (default), potential, noise, data, v, flow (a velocity), or edm.",
        ),
    ] = None,
    process: Annotated[
        str,
        typer.Option(
            "--process",
            "--schedule",
            rich_help_panel=MODEL,
            help="Its noise: the name of a process with Gaussian transitions, such as cosine, edm, squared-cosine-betas; "
            "a name that there is not is answered with those that there are.",
        ),
    ] = "variance-preserving",
    option: Annotated[
        list[str] | None,
        typer.Option(rich_help_panel=MODEL, help="NAME=VALUE of that process, such as horizon=10; several times."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="What the network is called with: process (t, default), reversed (noise at 0), step, share, thousandths, "
            "sigma, log-sigma, c-noise.",
        ),
    ] = None,
    sigma_data: Annotated[float | None, typer.Option(rich_help_panel=MODEL, help="Of --predicts edm: 0.5.")] = None,
    dimension: Annotated[
        int | None, typer.Option(rich_help_panel=MODEL, help="Where neither score nor data say it.")
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(rich_help_panel=MODEL, help="Of a file of weights: softplus, tanh, silu, gelu, relu, sin."),
    ] = None,
    sharpness: Annotated[float | None, typer.Option(rich_help_panel=MODEL, help="β of softplus(βz)/β: 1.")] = None,
    inputs: Annotated[
        str | None, typer.Option(rich_help_panel=MODEL, help="Order of a network's inputs: xt, or tx.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(rich_help_panel=MODEL, help="What weights return: vector, or potential.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA,
            help="Samples (n, d): .npy, .npz (FILE.npz:NAME), .csv; or a law, as in two-rings:radii=1.3,2.8. Without, "
            "nothing is compared with data.",
        ),
    ] = None,
    training: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=DATA, help="Above three dimensions, the points that it was fitted to: are they repeated?"
        ),
    ] = None,
    stop: Annotated[
        float, typer.Option(rich_help_panel=TRIAL, help="The time at which generation stops; data get its noise.")
    ] = 1e-3,
    half_width: Annotated[
        float | None, typer.Option(rich_help_panel=TRIAL, help="Up to three dimensions, half the side of the box.")
    ] = None,
    cells: Annotated[
        int | None, typer.Option(rich_help_panel=TRIAL, help="Up to three dimensions, cells a side: 128.")
    ] = None,
    elements: Annotated[
        int | None,
        typer.Option(rich_help_panel=TRIAL, help="Solve again by finite elements on so many cells a side."),
    ] = None,
    bars: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=TRIAL,
            help="bounds: bound the error of the SDE's law in L¹ by its residual, for one more solve; ladders.",
        ),
    ] = None,
    trajectories: Annotated[
        int | None, typer.Option(min=64, rich_help_panel=TRIAL, help="Above three dimensions, how many: 4096.")
    ] = None,
    seed: Annotated[int, typer.Option(rich_help_panel=TRIAL, help="Of trajectories and noise.")] = 0,
    require: Annotated[
        list[str] | None,
        typer.Option(rich_help_panel=RESULT, help="What must hold, as in 'W2(ode,data) <= 0.1' or 'leak <= 1e-3'."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(rich_help_panel=RESULT, help="An earlier certificate.json: says what moved beyond its error bar."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", rich_help_panel=RESULT, help="Folder for the page and the numbers.")
    ] = Path("results/check"),
) -> None:
    r"""Put a model on trial: does it solve its own equation, and how far is what it generates from the data?

    A folder of diffusers says all by itself; of a module, say what it predicts, on which schedule, called with what time:

    \b
      mfgpde check path/to/pipeline --data samples.npy
      mfgpde check my_model.py:module --predicts noise --schedule cosine --data samples.csv
      mfgpde check my_flow.py:velocity --predicts flow --schedule straight --time reversed --data samples.npy
      mfgpde check weights.safetensors --data four-blobs

    Given data, the network is first compared with what each prediction on each schedule would return: a slip is named
    before the long work. Up to three dimensions laws are found on a grid, above along trajectories: docs/check_my_score.md.

    Exit code 1: a requirement is refuted; 2: it failed, or one is undecided; 3: moved since the earlier certificate.
    """
    words = {key: value for key, value in locals().items() if key not in ("out", "require", "against")}
    from mfgpde.app.terminal import Terminal
    from mfgpde.core.progress import meter
    from mfgpde.report import table

    console = Terminal()
    with Complaints():
        from mfgpde.app import certificates, outputs
        from mfgpde.app import check as trials
        from mfgpde.app.asked import asked
        from mfgpde.app.requirements import Certificate, Requirement
        from mfgpde.core.lock import locked

        required = [Requirement.read(text) for text in require or ()]
        earlier = Certificate.load(against) if against else None
        with locked(outputs.folder(out) / "certificate.json", "the certificate"):
            trial = trials.prepare(asked(words | {"option": tuple(option or ())}))
            with meter("check") as bar:
                steps = iter(range(1, 8))
                found = trials.tried(trial, lambda text: bar(next(steps) / 8, text), out)
            result = certificates.written(out, trial, found, PACKAGE)
    console.print(table.certificate_table(result))
    for failure in found.failures:
        console.remark(failure, "✗", "bold red")
    for warning in found.warnings:
        console.remark(warning)
    console.print(" ".join(result["judgement"]), highlight=False)
    files = f"Certificate: {out / 'certificate.html'}   Data: {out / 'certificate.json'}"
    console.print(f"{result['cost']['seconds']:.0f} s. {files}", highlight=False)
    with Complaints():
        from mfgpde.app import gates

        raise typer.Exit(gates.code(Certificate(result), required, earlier, console, failed=bool(found.failures)))
