// Line by line: lower envelopes of parabolas and their adjoint, the proximal map of the kinetic energy, systems in time.

#define TILE 128

// out[r, j] = min over i of ½h²(i − j)² + f[r, i], at i = place + offset; every j looks at every i, through shared memory
extern "C" __global__ void envelope(const real* __restrict__ f, real h, int refine, real* __restrict__ out,
                                    int* __restrict__ place, real* __restrict__ offset, wide rows, int n) {
    SHARED(real, tile, TILE);
    const int blocks = (n + TILE - 1) / TILE, j = int(blockIdx.x % blocks) * TILE + int(threadIdx.x);
    const wide row = wide(blockIdx.x / blocks) * n;
    const real half = real(0.5) * h * h;
    real best = real(INFINITY);
    int at = 0;
    for (int start = 0; start < n; start += TILE) {
        BARRIER();
        if (start + int(threadIdx.x) < n) tile[threadIdx.x] = f[row + start + threadIdx.x];
        BARRIER();
        const int count = min(TILE, n - start);
        for (int k = 0; k < count; ++k) {
            const real away = real(start + k - j), value = half * (away * away) + tile[k];
            if (value < best) {
                best = value;
                at = start + k;
            }
        }
    }
    if (j >= n) return;
    real theta = real(0);
    if (refine && at > 0 && at < n - 1) {
        const real a = real(at - j);
        const real below = half * ((a - 1) * (a - 1)) + f[row + at - 1], above = half * ((a + 1) * (a + 1)) + f[row + at + 1];
        const real bend = above - 2 * best + below;
        if (bend > real(0) && bend < real(INFINITY)) {
            theta = fmin(fmax(real(0.5) * (below - above) / bend, real(-0.5)), real(0.5));
            best += real(0.5) * theta * (above - below) + real(0.5) * theta * theta * bend;
        }
    }
    out[row + j] = best;
    place[row + j] = at;
    offset[row + j] = theta;
}

// out[r, i] += mass[r, j] on the three cells about place, by the weights of a parabola at `offset`
extern "C" __global__ void scatter(const real* __restrict__ mass, const int* __restrict__ place,
                                   const real* __restrict__ offset, real* __restrict__ out, wide rows, int n) {
    const wide at = flat_thread();
    if (at >= rows * n) return;
    const wide to = at / n * n + place[at];
    const real m = mass[at], theta = offset[at];
    ADD(&out[to], m * (1 - theta * theta));
    if (theta != real(0)) {
        ADD(&out[to - 1], m * real(0.5) * theta * (theta - 1));
        ADD(&out[to + 1], m * real(0.5) * theta * (theta + 1));
    }
}

// minimise weight·m²/(2μ) + ½|(m, μ) − (m0, μ0)|² over μ ≥ 0, as in mfgpde/kernels/games.py; arrays (lines, n)
extern "C" __global__ void kinetic_proximal(const real* __restrict__ m, const real* __restrict__ mu,
                                            const real* __restrict__ weight, real* __restrict__ out_m,
                                            real* __restrict__ out_mu, wide lines, int n) {
    const wide at = flat_thread();
    if (at >= lines * n) return;
    const real s = weight[at / n], a = m[at], b = mu[at], least = fmax(b, real(0));
    real y = real(0), flow = real(0);
    if (b + a * a / (2 * s) > real(0)) {
        const real c = real(0.5) * s * a * a, enough = real(sizeof(real) == 8 ? 1e-8 : 1e-4);
        y = out_mu[at];
        const real furthest = least + cbrt(c);
        if (!(y > least) || !(y <= furthest)) y = furthest;
        for (int k = 0; k < 200; ++k) {
            const real q = y + s, step = ((y - b) * q * q - c) / (q * (q + 2 * (y - b)));
            y = fmax(y - step, least);
            if (fabs(step) <= enough * (y + s)) break;
        }
        flow = a * y / (y + s);
    }
    out_mu[at] = y;
    out_m[at] = flow;
}

// tridiagonal systems along the first axis of right (n, systems), eliminated before, as in mfgpde/kernels/games.py
extern "C" __global__ void substitute(real* __restrict__ right, const real* __restrict__ factors,
                                      const real* __restrict__ inverses, const real* __restrict__ beside, int n,
                                      wide systems) {
    const wide i = flat_thread();
    if (i >= systems) return;
    real here = right[i];
    for (int k = 1; k < n; ++k) {
        here = right[k * systems + i] - factors[(k - 1) * systems + i] * here;
        right[k * systems + i] = here;
    }
    here *= inverses[(n - 1) * systems + i];
    right[(n - 1) * systems + i] = here;
    for (int k = n - 2; k >= 0; --k) {
        here = (right[k * systems + i] - beside[k * systems + i] * here) * inverses[k * systems + i];
        right[k * systems + i] = here;
    }
}
