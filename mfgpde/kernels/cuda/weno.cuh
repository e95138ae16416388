// One-sided slopes of fifth order (WENO5), as in mfgpde/kernels/weno.py. — Jiang, Peng, SIAM J. Sci. Comput. 21 (2000)

__device__ __forceinline__ real square(real x) { return x * x; }

__device__ __forceinline__ real weighed(real a, real b, real c, real d, real e) {
    const real k = real(13.0 / 12.0), quarter = real(0.25), sixth = real(1.0 / 6.0);
    const real s0 = k * square(a - 2 * b + c) + quarter * square(a - 4 * b + 3 * c);
    const real s1 = k * square(b - 2 * c + d) + quarter * square(b - d);
    const real s2 = k * square(c - 2 * d + e) + quarter * square(3 * c - 4 * d + e);
    const real largest = fmax(fmax(a * a, b * b), fmax(c * c, fmax(d * d, e * e)));
    const real least = real(1e-6) * largest + real(sizeof(real) == 8 ? 1e-99 : 1e-18);
    const real w0 = real(0.1) / square(s0 + least), w1 = real(0.6) / square(s1 + least), w2 = real(0.3) / square(s2 + least);
    const real q0 = 2 * a - 7 * b + 11 * c, q1 = -b + 5 * c + 2 * d, q2 = 2 * c + 5 * d - e;
    return sixth * (w0 * q0 + w1 * q1 + w2 * q2) / (w0 + w1 + w2);
}

// cell k of a line of n, beyond its ends periodic (walls = 0), mirrored (1), or on a parabola through three cells (2)
__device__ __forceinline__ real cell(const real* __restrict__ line, int k, int n, wide stride, int walls) {
    if (k >= 0 && k < n) return line[wide(k) * stride];
    if (walls == 0) return line[wide((k + n) % n) * stride];
    if (walls == 1) return line[wide(k < 0 ? -1 - k : 2 * n - 1 - k) * stride];
    const int away = k < 0 ? -k : k - n + 1;
    const wide first = k < 0 ? 0 : wide(n - 1) * stride, step = k < 0 ? stride : -stride;
    const real j = real(away), outer = real(0.5) * (1 + j) * (2 + j), middle = -j * (2 + j), inner = real(0.5) * j * (1 + j);
    return outer * line[first] + middle * line[first + step] + inner * line[first + 2 * step];
}

// along the middle axis of u (outer, n, inner): slopes from below and above at [cell, axis] of d components, and Δu summed
extern "C" __global__ void weno_slopes(const real* __restrict__ u, real inverse_spacing, int walls, real* __restrict__ low,
                                       real* __restrict__ high, real* __restrict__ laplacian, int d, int axis, wide outer,
                                       int n, int inner) {
    const wide at = flat_thread();
    if (at >= outer * n * inner) return;
    const int i = int(at / inner % n);
    const real* line = u + at / (wide(n) * inner) * n * inner + at % inner;
    real v[7], e[6];
    for (int k = 0; k < 7; ++k) v[k] = cell(line, i + k - 3, n, inner, walls);
    for (int k = 0; k < 6; ++k) e[k] = (v[k + 1] - v[k]) * inverse_spacing;
    low[at * d + axis] = weighed(e[0], e[1], e[2], e[3], e[4]);
    high[at * d + axis] = weighed(e[5], e[4], e[3], e[2], e[1]);
    const real bent = (16 * (v[2] + v[4]) - v[1] - v[5] - 30 * v[3]) * (inverse_spacing * inverse_spacing / 12);
    laplacian[at] = axis ? laplacian[at] + bent : bent;
}
