// Mass carried by a map, by multilinear shares, as in mfgpde/kernels/transport.py: a thread carries one cell, cut finer where
// the map stretches. `cost` receives each cell's sum of share·|target − source|², in cells².

#define MOST_PARTS 24

__device__ __forceinline__ int parts(real here, real left, real right, int least) {
    const real stretch = real(0.5) * fmax(fabs(here - left), fabs(right - here));
    const int wanted = stretch < real(MOST_PARTS) ? int(ceil(4 * stretch)) : MOST_PARTS;
    return wanted > least ? min(wanted, MOST_PARTS) : least;
}

__device__ __forceinline__ int larger(int a, int b) { return a > b ? a : b; }

// a place on a line of n cells: the cell below it, and how far it is from there
__device__ __forceinline__ int cell_below(real* x, int n) {
    *x = fmin(fmax(*x, real(0)), real(n - 1));
    const int a = min(int(*x), n - 2);
    *x -= a;
    return a;
}

extern "C" __global__ void carry_2d(const real* __restrict__ mass, const real* __restrict__ tx, const real* __restrict__ ty,
                                    int least, real* out, real* __restrict__ cost, int n, int m) {
    const wide at = flat_thread();
    if (at >= wide(n) * m) return;
    real total = 0;
    if (mass[at] > real(0)) {
        const int i = int(at / m), j = int(at % m);
        const wide up = i > 0 ? at - m : at, down = i + 1 < n ? at + m : at, back = j > 0 ? at - 1 : at,
                   fore = j + 1 < m ? at + 1 : at;
        const int na = larger(parts(tx[at], tx[up], tx[down], least), parts(ty[at], ty[up], ty[down], least));
        const int nb = larger(parts(tx[at], tx[back], tx[fore], least), parts(ty[at], ty[back], ty[fore], least));
        const real part = mass[at] / (na * nb);
        for (int p = 0; p < na; ++p) {
            real u = (p + real(0.5)) / na - real(0.5);
            const int step = u > real(0) ? (i + 1 < n ? m : 0) : (i > 0 ? -m : 0);
            u = fabs(u);
            for (int q = 0; q < nb; ++q) {
                real v = (q + real(0.5)) / nb - real(0.5);
                const wide side = v > real(0) ? fore : back;
                v = fabs(v);
                real x = (1 - u) * ((1 - v) * tx[at] + v * tx[side]) + u * ((1 - v) * tx[at + step] + v * tx[side + step]);
                real y = (1 - u) * ((1 - v) * ty[at] + v * ty[side]) + u * ((1 - v) * ty[at + step] + v * ty[side + step]);
                const int a = cell_below(&x, n), c = cell_below(&y, m);
                for (int k = 0; k < 4; ++k) {
                    const int da = k / 2, dc = k % 2;
                    const real w = part * (da ? x : 1 - x) * (dc ? y : 1 - y);
                    const real far = real(a + da - i), wide_off = real(c + dc - j);
                    if (w != real(0)) ADD(&out[wide(a + da) * m + c + dc], w);  // on a line of one cell a neighbour is none
                    total += w * (far * far + wide_off * wide_off);
                }
            }
        }
    }
    cost[at] = total;
}

extern "C" __global__ void carry_3d(const real* __restrict__ mass, const real* __restrict__ tx, const real* __restrict__ ty,
                                    const real* __restrict__ tz, int least, real* out, real* __restrict__ cost, int n, int m,
                                    int l) {
    const wide at = flat_thread();
    if (at >= wide(n) * m * l) return;
    real total = 0;
    if (mass[at] > real(0)) {
        const int place[3] = {int(at / (wide(m) * l)), int(at / l % m), int(at % l)}, size[3] = {n, m, l};
        const wide stride[3] = {wide(m) * l, l, 1};
        const real* const t[3] = {tx, ty, tz};
        int cuts[3];
        for (int axis = 0; axis < 3; ++axis) {
            const wide low = place[axis] > 0 ? at - stride[axis] : at;
            const wide high = place[axis] + 1 < size[axis] ? at + stride[axis] : at;
            cuts[axis] = least;
            for (int c = 0; c < 3; ++c) cuts[axis] = larger(cuts[axis], parts(t[c][at], t[c][low], t[c][high], least));
        }
        const real part = mass[at] / (cuts[0] * cuts[1] * cuts[2]);
        for (int cut = 0; cut < cuts[0] * cuts[1] * cuts[2]; ++cut) {
            const int which[3] = {cut / (cuts[1] * cuts[2]), cut / cuts[2] % cuts[1], cut % cuts[2]};
            real x[3] = {tx[at], ty[at], tz[at]};
            for (int axis = 0; axis < 3; ++axis) {
                const real o = (which[axis] + real(0.5)) / cuts[axis] - real(0.5);
                const int inside = o > real(0) ? place[axis] + 1 < size[axis] : place[axis] > 0;
                const wide side = !inside ? at : (o > real(0) ? at + stride[axis] : at - stride[axis]);
                for (int c = 0; c < 3; ++c) x[c] += fabs(o) * (t[c][side] - t[c][at]);
            }
            const int a = cell_below(&x[0], n), c = cell_below(&x[1], m), e = cell_below(&x[2], l);
            for (int k = 0; k < 8; ++k) {
                const int da = k / 4, dc = k / 2 % 2, de = k % 2;
                const real w = part * (da ? x[0] : 1 - x[0]) * (dc ? x[1] : 1 - x[1]) * (de ? x[2] : 1 - x[2]);
                const real one = real(a + da - place[0]), two = real(c + dc - place[1]), three = real(e + de - place[2]);
                if (w != real(0)) ADD(&out[(wide(a + da) * m + c + dc) * l + e + de], w);
                total += w * (one * one + two * two + three * three);
            }
        }
    }
    cost[at] = total;
}
