// Chains that jump along any lattice vectors, as in mfgpde/kernels/jumps.py: edge m of a cell joins it and the cell `offset`
// away, wrapped; up carries mass ahead, down back, per time, zero where an edge leaves the box. A thread owns one cell, and
// reads the rates of its edges ahead and of those that end in it: along the fastest axis both are contiguous.

// out = Ap, `leave` the total rate of leaving each cell; Aᵀp with up and down exchanged. offsets (count, 3)
extern "C" __global__ void jump(const real* __restrict__ p, const int* __restrict__ offsets, const real* __restrict__ up,
                                const real* __restrict__ down, const real* __restrict__ leave, real* __restrict__ out,
                                int count, int n0, int n1, int n2) {
    const wide at = flat_thread(), size = wide(n0) * n1 * n2;
    if (at >= size) return;
    const int k = int(at % n2), j = int(at / n2 % n1), i = int(at / n2 / n1);
    real total = -leave[at] * p[at];
    for (int m = 0; m < count; ++m) {
        const int di = offsets[3 * m], dj = offsets[3 * m + 1], dk = offsets[3 * m + 2];
        const wide ahead = (wide((i + di + n0) % n0) * n1 + (j + dj + n1) % n1) * n2 + (k + dk + n2) % n2;
        const wide behind = (wide((i - di + n0) % n0) * n1 + (j - dj + n1) % n1) * n2 + (k - dk + n2) % n2;
        total += up[m * size + behind] * p[behind] + down[m * size + at] * p[ahead];
    }
    out[at] = total;
}
