"""Make .venv with everything in it: find a Python ≥ 3.12, create the environment, install the locked requirements.

Runs on any Python 3; needs only the standard library. `python3 bootstrap.py [DIR]`, default DIR is .venv.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LEAST = (3, 12)


def version(python):
    """Return (major, minor) of an interpreter, or None if it does not run."""
    code = "import sys, ensurepip; print(sys.version_info[0], sys.version_info[1])"
    try:
        done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
        return tuple(map(int, done.stdout.split())) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def candidates():
    """Yield interpreters: an explicit choice, this one, the PATH, pyenv."""
    if os.environ.get("MFGPDE_PYTHON"):
        yield os.environ["MFGPDE_PYTHON"]
    yield sys.executable
    for name in ("python3.13", "python3.12", "python3.14", "python3", "python"):
        path = shutil.which(name)
        if path:
            yield path
    for root in (os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")):
        if root:
            for path in sorted(glob.glob(os.path.join(root, "versions", "3.*", "bin", "python"))):
                yield path


def run(*command):
    """Run a command quietly; show what it said if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
    return done.returncode == 0


def main():
    """Create or refresh the environment; do nothing if it is already what the lock says."""
    target = os.path.join(ROOT, sys.argv[1] if len(sys.argv) > 1 else ".venv")
    lock = os.path.join(ROOT, "requirements.lock")
    with open(lock, "rb") as one, open(os.path.join(ROOT, "pyproject.toml"), "rb") as other:
        stamp = hashlib.sha256(one.read() + other.read()).hexdigest()
    mark, inside = os.path.join(target, "mfgpde.stamp"), os.path.join(target, "bin", "python")
    if os.path.exists(mark) and open(mark).read() == stamp and version(inside):
        return 0
    found = [(v, p) for v, p in ((version(p), p) for p in candidates()) if v and v >= LEAST]
    missing = []
    if not found:
        missing.append("Python 3.12 or newer with venv (none on the PATH or under pyenv, this one is %d.%d): " % sys.version_info[:2]
                       + "`pyenv install 3.12`, or `uv python install 3.12`, or apt-get install python3.12-venv where the "
                       "system has it (Debian 13, Ubuntu 24.04; not Debian 12); or name one by MFGPDE_PYTHON")  # fmt: skip
    if not any(shutil.which(name) for name in (os.environ.get("CC") or "cc", "gcc", "clang")):
        missing.append("a C compiler, for finite elements: on Debian or Ubuntu apt-get install gcc")
    if missing:
        sys.exit("mfgpde needs\n- " + "\n- ".join(missing))
    python = found[0][1]
    if version(inside) is None or version(inside) < LEAST:
        print("creating %s with %s" % (os.path.relpath(target, ROOT), python), flush=True)
        shutil.rmtree(target, ignore_errors=True)
        if not run(python, "-m", "venv", target):
            sys.exit("could not create %s" % target)
    print("installing (once; under a minute on a fast connection)", flush=True)
    fast = run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv>=0.9")
    installer = [inside, "-m", "uv", "pip"] if fast else [inside, "-m", "pip"]
    extra = ["--python", inside] if fast else []
    if not run(*installer, "install", *extra, "--require-hashes", "-r", lock):
        sys.exit("could not install requirements.lock")
    if not run(*installer, "install", *extra, "--no-deps", "--no-build-isolation", "-e", "."):
        sys.exit("could not install mfgpde itself")
    with open(mark, "w") as file:
        file.write(stamp)
    return 0


if __name__ == "__main__":
    sys.exit(main())
