"""Train a small UNet of diffusers on the 8 × 8 digits of scikit-learn, and write it as a folder of diffusers.

    python docs/examples/digits/train.py my_digits
    mfgpde check my_digits --data my_digits/digits.npz:held_out --training my_digits/digits.npz:training

The 17 levels of a pixel become −1, −7/8, …, 1, as such models have them; 797 images train, 1000 are held out. The network
predicts v on the squared cosine schedule. The weights beside this file are those of this script: a minute of one core.
"""

import copy
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

import mfgpde as mfg

warnings.simplefilter("ignore")
import diffusers  # noqa: E402

HELD_OUT, STEPS, BATCH, RATE, KEPT = 1000, 2000, 64, 2e-3, 0.995
SHAPE = {"sample_size": 8, "in_channels": 1, "out_channels": 1, "layers_per_block": 1, "block_out_channels": (12, 16)}
BLOCKS = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2, "add_attention": False}


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return training and held-out images (n, 64), pixels in −1 … 1."""
    pixels = 2 * mfg.densities.digits()[0] - 1
    pixels = pixels[np.random.default_rng(0).permutation(len(pixels))]
    return pixels[HELD_OUT:], pixels[:HELD_OUT]


def trained(data: np.ndarray, scheduler: diffusers.DDPMScheduler) -> torch.nn.Module:
    """Return the network whose weights are the mean over the last steps of those that lower the loss of v."""
    torch.manual_seed(0)
    network = diffusers.UNet2DModel(**SHAPE, **BLOCKS, norm_num_groups=4)
    mean = copy.deepcopy(network).requires_grad_(False)
    x = torch.as_tensor(data, dtype=torch.float32).reshape(-1, 1, 8, 8)
    adam = torch.optim.Adam(network.parameters(), lr=RATE)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    for step in range(STEPS):
        start, noise = x[torch.randint(len(x), (BATCH,))], torch.randn(BATCH, 1, 8, 8)
        t = torch.randint(scheduler.config.num_train_timesteps, (BATCH,))
        wanted = scheduler.get_velocity(start, noise, t)
        loss = (network(scheduler.add_noise(start, noise, t), t).sample - wanted).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        slower.step()
        for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
            kept.lerp_(new, 1 - min(KEPT, step / (step + 10)))
        if step % 500 == 0:
            print(f"step {step}: loss {float(loss):.3f}", flush=True)
    return mean


def main(place: Path) -> None:
    """Write network, scheduler and both halves of the data."""
    training, held_out = images()
    scheduler = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    trained(training, scheduler).save_pretrained(place)
    scheduler.save_config(place)
    np.savez_compressed(place / "digits.npz", training=training, held_out=held_out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
