"""Folders of diffusers: what their files say is what the library makes of them; what is missing or pickled is named."""

import json

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.app import check
from mfgpde.app.asked import Asked
from mfgpde.scores.diffusers_folder import WEIGHTS, folder

MODEL = {"_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 1}
RULE = {"_class_name": "DDPMScheduler", "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}


def written(path, model=MODEL, rule=RULE, weights=WEIGHTS):
    (path / "config.json").write_text(json.dumps(model))
    (path / "scheduler_config.json").write_text(json.dumps(rule))
    (path / weights).write_bytes(b"")
    return path


def test_what_the_files_say(tmp_path):
    found = folder(written(tmp_path))
    assert (found.shape, found.dimension, found.predicts, found.time) == ((1, 8, 8), 64, "v", "step")
    assert found.process == mfg.processes.squared_cosine_betas()
    flow = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    assert folder(written(tmp_path, rule=flow)).process == mfg.processes.Straight()
    karras = {"_class_name": "EDMEulerScheduler", "sigma_max": 20.0, "sigma_data": 0.7}
    found = folder(written(tmp_path, rule=karras))
    assert (found.process, found.predicts, found.sigma_data) == (mfg.processes.EDM(20.0), "edm", 0.7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rule": RULE | {"beta_schedule": "sigmoid"}}, "beta_schedule is 'sigmoid'"),
        ({"rule": RULE | {"prediction_type": "flow"}}, "prediction_type is 'flow'"),
        ({"model": MODEL | {"num_class_embeds": 10}}, "conditional"),
        ({"model": {"_class_name": "UNet2DModel"}}, "sample_size"),
        ({"model": {"sample_size": 8}}, "_class_name"),
        ({"weights": "diffusion_pytorch_model.bin"}, "is a pickle"),
    ],
)
def test_what_is_missing_is_named(tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        folder(written(tmp_path, **change))


def test_options_that_contradict_the_files_are_refused(tmp_path):
    written(tmp_path)
    for words in ({"predicts": "noise"}, {"time": "process"}, {"process": "cosine"}):
        with pytest.raises(ValueError, match=r"says|leave"):
            check.prepare(Asked(str(tmp_path), **words))


def tiny(torch, path, **rule):
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
    unet = diffusers.UNet2DModel(
        sample_size=4,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        **blocks,
    )
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler(**rule)).save_pretrained(path)
    return unet, diffusers.DDPMScheduler(**rule)


@pytest.mark.parametrize("rule", [{}, {"beta_schedule": "scaled_linear", "rescale_betas_zero_snr": True}, RULE])
def test_schedules_are_those_of_the_library(torch, tmp_path, rule):
    rule = {key: value for key, value in rule.items() if key[0] != "_"}
    _, scheduler = tiny(torch, tmp_path, **rule)
    process = folder(tmp_path).process
    ours = process.mean_coefficient(process.instants[1:]) ** 2
    theirs = scheduler.alphas_cumprod.double().numpy()
    assert np.abs(ours - theirs).max() < 1e-5  # a product of a thousand factors in single precision
    assert np.abs(ours[:900] / theirs[:900] - 1).max() < 1e-4


def test_a_folder_is_the_score_that_its_library_would_step_with(torch, tmp_path):
    """At an index of the list: x̂₀ of the library's own scheduler and ours, from the same prediction."""
    unet, scheduler = tiny(torch, tmp_path, **{key: value for key, value in RULE.items() if key[0] != "_"})
    trial = check.prepare(Asked(str(tmp_path), trajectories=64))
    assert trial.dimension == 16
    k, x = 500, np.random.default_rng(0).normal(size=(3, 16))
    t = (k + 1) / 1000
    images = torch.as_tensor(x, dtype=torch.float32).reshape(3, 1, 4, 4)
    with torch.no_grad():
        predicted = unet(images, k).sample
    scheduler.config.clip_sample = False
    start = scheduler.step(predicted, k, images).pred_original_sample.reshape(3, 16).numpy()
    now = trial.process.schedule(t)
    ours = (x + now.sigma**2 * trial.score(x, t)) / now.alpha
    assert np.abs(ours - start).max() < 1e-4 * np.abs(start).max()  # single precision there
    assert trial.about["read from files"].startswith("UNet2DModel on states (1, 4, 4)")
    assert "x of shape (n, 1, 4, 4)" in trial.about["read as"]


@pytest.mark.parametrize("slip", ["truncated", "transposed", "missing", "half"])
def test_weights_that_do_not_fit_are_one_sentence_before_any_work(torch, tmp_path, slip):
    tiny(torch, tmp_path)
    from safetensors.torch import load_file, save_file

    path = tmp_path / "unet" / WEIGHTS
    weights = load_file(path)
    name = "time_embedding.linear_1.weight"  # (32, 8)
    if slip == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif slip == "half":
        save_file({key: value.half() for key, value in weights.items()}, path)
    else:
        turned = {name: weights[name].T.contiguous()} if slip == "transposed" else {}
        save_file({key: value for key, value in weights.items() if key != name} | turned, path)
    if slip == "half":  # the library makes them single again: what was rounded stays a network
        assert check.prepare(Asked(str(tmp_path), trajectories=64)).dimension == 16
        return
    with pytest.raises(ValueError, match=r"diffusion_pytorch_model.safetensors") as said:
        check.prepare(Asked(str(tmp_path), trajectories=64))
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("net.load_state_dict({'weight': torch.zeros(3, 2), 'bias': torch.zeros(2)})", "size mismatch for weight"),
        ("net.to('cuda')", "cannot be run"),
        ("net.load_state_dict(torch.load('weights.pt', weights_only=True))", "weights.pt"),
    ],
)
def test_a_module_whose_file_fails_is_one_sentence(torch, tmp_path, line, words):
    if "cuda" in line and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    (tmp_path / "mine.py").write_text(f"import torch\nnet = torch.nn.Linear(3, 2)\n{line}\n")
    with pytest.raises(ValueError, match=words) as said:
        check.prepare(Asked(f"{tmp_path / 'mine.py'}:net", dimension=2))
    assert "\n" not in str(said.value)
