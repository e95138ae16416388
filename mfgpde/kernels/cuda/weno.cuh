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

// slopes from below and above along the middle axis of u (outer, n + 6, inner), which has three more cells at both ends
extern "C" __global__ void weno_slopes(const real* __restrict__ u, real inverse_spacing, real* __restrict__ low,
                                       real* __restrict__ high, wide outer, int n, int inner) {
    const wide at = flat_thread();
    if (at >= outer * n * inner) return;
    const real* line = u + at + at / (wide(n) * inner) * 6 * inner;
    real d[6], here = line[0];
    for (int k = 0; k < 6; ++k) {
        const real next = line[wide(k + 1) * inner];
        d[k] = (next - here) * inverse_spacing;
        here = next;
    }
    low[at] = weighed(d[0], d[1], d[2], d[3], d[4]);
    high[at] = weighed(d[5], d[4], d[3], d[2], d[1]);
}
