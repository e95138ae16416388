// Fokker–Planck stencils: a finite-volume density is a Markov chain on cells. Face i along an axis lies between cells i−1
// and i; up carries mass from i−1 to i, down back, per time; axes have one more face than cells. Walls without flux have
// zero rates; periodic ones store the same rates at both ends. The same conventions as in mfgpde/kernels/cpu.py.
//
// Kernels of radius one: a thread owns one cell of the fastest axis and marches along the slowest, what it has read waits
// in registers, and neighbours along the fastest axis come from the cache. `real` is double or float.

typedef REAL real;
typedef long long wide;  // offsets of large grids

// c(w) = (w/2) coth(w/2) for |w| ≤ 1 to 4e-17: (c − 1)/w² interpolated at seven Chebyshev points of w² in [0, 1]; the
// nearest pole, at w² = −4π², lets Taylor's series need three terms more. In constant memory a coefficient is an operand;
// as a literal it takes two instructions whenever it is used
__constant__ real EVEN[7] = {real(1.2257392372635436e-11), real(-5.268988519780863e-10), real(2.0875729194622377e-08),
                             real(-8.26719218658696e-07), real(3.306878300926343e-05), real(-0.0013888888888851738),
                             real(0.0833333333333333)};

__device__ __forceinline__ real even_series(real w) {
    const real s = w * w;
    real tail = EVEN[0];
#pragma unroll
    for (int k = 1; k < 7; ++k) tail = tail * s + EVEN[k];
    return real(1) + s * tail;
}

__device__ __forceinline__ real even_part(real w) {
    const real a = fabs(w);
    if (a <= real(1)) return even_series(w);
    return a < real(80) ? real(0.5) * a + a / expm1(a) : real(0.5) * a;
}

// the flux w(low + high)/2 − c(w)(high − low), in units of D/h
__device__ __forceinline__ real fitted(real w, real low, real high) {
    const real step = high - low, mean = real(0.5) * step + low;
    return w * mean - even_series(w) * step;
}

__device__ __forceinline__ wide flat_thread() { return wide(blockIdx.x) * blockDim.x + threadIdx.x; }

// up = rate·B(−w), down = rate·B(w), B(w) = w/(e^w − 1)
extern "C" __global__ void jump_rates(const real* __restrict__ peclet, const real* __restrict__ rate,
                                      real* __restrict__ up, real* __restrict__ down, wide size) {
    const wide i = flat_thread();
    if (i >= size) return;
    const real w = peclet[i], even = even_part(w), odd = real(0.5) * w;
    up[i] = fmax(rate[0] * (even + odd), real(0));
    down[i] = fmax(rate[0] * (even - odd), real(0));
}

// up = v⁺/h, down = v⁻/h
extern "C" __global__ void upwind_rates(const real* __restrict__ velocity, real inverse_spacing, real* __restrict__ up,
                             real* __restrict__ down, wide size) {
    const wide i = flat_thread();
    if (i >= size) return;
    const real v = velocity[i];
    up[i] = fmax(v, real(0)) * inverse_spacing;
    down[i] = fmax(-v, real(0)) * inverse_spacing;
}

// out = c₀y₀ + c₁p + c₂y₂ + c₃Ap + c₄f₀, a stage of Runge–Kutta–Chebyshev in one pass; out may be y₂. With stage = 0
// out = Ap, and c and the other levels are not read
extern "C" STAGE stage_1d(const real* __restrict__ p, const real* __restrict__ up, const real* __restrict__ down,
                         const real* __restrict__ y0, const real* y2, const real* __restrict__ f0, real* out,
                         const real* __restrict__ c, int stage, int n) {
    const int i = int(flat_thread());
    if (i >= n) return;
    const real low = p[i > 0 ? i - 1 : n - 1], here = p[i], high = p[i + 1 < n ? i + 1 : 0];
    real value = up[i] * low - (down[i] + up[i + 1]) * here + down[i + 1] * high;
    if (stage) value = c[0] * y0[i] + c[1] * here + c[2] * y2[i] + c[3] * value + c[4] * f0[i];
    out[i] = value;
}

extern "C" STAGE stage_2d(const real* __restrict__ p, const real* __restrict__ up0, const real* __restrict__ down0,
                         const real* __restrict__ up1, const real* __restrict__ down1, const real* __restrict__ y0,
                         const real* y2, const real* __restrict__ f0, real* out,
                         const real* __restrict__ c, int stage, int n, int m, int rows) {
    const int j = int(flat_thread());
    if (j >= m) return;
    const int start = blockIdx.y * rows, stop = min(start + rows, n);
    const int west = j > 0 ? j - 1 : m - 1, east = j + 1 < m ? j + 1 : 0;
    real south = p[wide(start > 0 ? start - 1 : n - 1) * m + j], here = p[wide(start) * m + j];
    real up = up0[wide(start) * m + j], down = down0[wide(start) * m + j];
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide row = wide(i) * m, faces = wide(i) * (m + 1) + j;
        const real north = p[wide(i + 1 < n ? i + 1 : 0) * m + j];
        const real up_n = up0[row + m + j], down_n = down0[row + m + j];
        const real up_w = up1[faces], down_w = down1[faces], up_e = up1[faces + 1], down_e = down1[faces + 1];
        real value = up * south + down_n * north;
        value += up_w * p[row + west] + down_e * p[row + east];
        value -= (down + up_n + down_w + up_e) * here;
        if (stage)
            value = c[0] * y0[row + j] + c[1] * here + c[2] * y2[row + j] + c[3] * value + c[4] * f0[row + j];
        out[row + j] = value;
        south = here;
        here = north;
        up = up_n;
        down = down_n;
    }
}

extern "C" STAGE stage_3d(const real* __restrict__ p, const real* __restrict__ up0, const real* __restrict__ down0,
                         const real* __restrict__ up1, const real* __restrict__ down1, const real* __restrict__ up2,
                         const real* __restrict__ down2, const real* __restrict__ y0, const real* y2,
                         const real* __restrict__ f0, real* out,
                         const real* __restrict__ c, int stage, int n, int m, int l, int rows) {
    const int k = int(flat_thread()), j = int(blockIdx.y * blockDim.y + threadIdx.y);
    if (k >= l || j >= m) return;
    const int start = blockIdx.z * rows, stop = min(start + rows, n);
    const int west = k > 0 ? k - 1 : l - 1, east = k + 1 < l ? k + 1 : 0;
    const int south = j > 0 ? j - 1 : m - 1, north = j + 1 < m ? j + 1 : 0;
    const wide plane = wide(m) * l, own = wide(j) * l + k;
    real below = p[wide(start > 0 ? start - 1 : n - 1) * plane + own], here = p[wide(start) * plane + own];
    real up = up0[wide(start) * plane + own], down = down0[wide(start) * plane + own];
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide base = wide(i) * plane, row = base + wide(j) * l;
        const wide side = (wide(i) * (m + 1) + j) * l + k, face = (wide(i) * m + j) * (l + 1) + k;
        const real above = p[wide(i + 1 < n ? i + 1 : 0) * plane + own];
        const real up_a = up0[base + plane + own], down_a = down0[base + plane + own];
        const real up_s = up1[side], down_s = down1[side], up_n = up1[side + l], down_n = down1[side + l];
        const real up_w = up2[face], down_w = down2[face], up_e = up2[face + 1], down_e = down2[face + 1];
        real value = up * below + down_a * above;
        value += up_s * p[base + wide(south) * l + k] + down_n * p[base + wide(north) * l + k];
        value += up_w * p[row + west] + down_e * p[row + east];
        value -= (down + up_a + down_s + up_n + down_w + up_e) * here;
        if (stage)
            value = c[0] * y0[row + k] + c[1] * here + c[2] * y2[row + k] + c[3] * value + c[4] * f0[row + k];
        out[row + k] = value;
        below = here;
        here = above;
        up = up_a;
        down = down_a;
    }
}

// the same from face Péclet numbers |w| ≤ 1 (0 on walls) and rates D/h² per axis: coefficients on the fly. Weights
// and rates are read from memory: a launch that is recorded serves whatever they are
extern "C" STAGE fitted_stage_2d(const real* __restrict__ p, const real* __restrict__ w0, const real* __restrict__ w1,
                                const real* __restrict__ rate, int periodic0, int periodic1, const real* __restrict__ y0,
                                const real* y2, const real* __restrict__ f0, real* out,
                                const real* __restrict__ c, int stage, int n, int m, int rows) {
    const int j = int(flat_thread());
    if (j >= m) return;
    const real rate0 = rate[0], rate1 = rate[1];
    const int start = blockIdx.y * rows, stop = min(start + rows, n);
    const int west = j > 0 ? j - 1 : (periodic1 ? m - 1 : j), east = j + 1 < m ? j + 1 : (periodic1 ? 0 : j);
    const int before = start > 0 ? start - 1 : (periodic0 ? n - 1 : 0);
    real here = p[wide(start) * m + j];
    real low = rate0 * fitted(w0[wide(start) * m + j], p[wide(before) * m + j], here);
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide row = wide(i) * m, faces = wide(i) * (m + 1) + j;
        const real north = p[wide(i + 1 < n ? i + 1 : (periodic0 ? 0 : i)) * m + j];
        const real high = rate0 * fitted(w0[row + m + j], here, north);
        const real left = rate1 * fitted(w1[faces], p[row + west], here);
        const real right = rate1 * fitted(w1[faces + 1], here, p[row + east]);
        real value = (low - high) + (left - right);
        if (stage)
            value = c[0] * y0[row + j] + c[1] * here + c[2] * y2[row + j] + c[3] * value + c[4] * f0[row + j];
        out[row + j] = value;
        low = high;
        here = north;
    }
}

extern "C" STAGE fitted_stage_3d(const real* __restrict__ p, const real* __restrict__ w0, const real* __restrict__ w1,
                                const real* __restrict__ w2, const real* __restrict__ rate, int periodic0, int periodic1,
                                int periodic2, const real* __restrict__ y0, const real* y2,
                                const real* __restrict__ f0, real* out, const real* __restrict__ c, int stage,
                                int n, int m, int l, int rows) {
    const int k = int(flat_thread()), j = int(blockIdx.y * blockDim.y + threadIdx.y);
    if (k >= l || j >= m) return;
    const real rate0 = rate[0], rate1 = rate[1], rate2 = rate[2];
    const int start = blockIdx.z * rows, stop = min(start + rows, n);
    const int west = k > 0 ? k - 1 : (periodic2 ? l - 1 : k), east = k + 1 < l ? k + 1 : (periodic2 ? 0 : k);
    const int south = j > 0 ? j - 1 : (periodic1 ? m - 1 : j), north = j + 1 < m ? j + 1 : (periodic1 ? 0 : j);
    const wide plane = wide(m) * l, own = wide(j) * l + k;
    const int before = start > 0 ? start - 1 : (periodic0 ? n - 1 : 0);
    real here = p[wide(start) * plane + own];
    real low = rate0 * fitted(w0[wide(start) * plane + own], p[wide(before) * plane + own], here);
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide base = wide(i) * plane, row = base + wide(j) * l;
        const wide side = (wide(i) * (m + 1) + j) * l + k, face = (wide(i) * m + j) * (l + 1) + k;
        const real above = p[wide(i + 1 < n ? i + 1 : (periodic0 ? 0 : i)) * plane + own];
        const real high = rate0 * fitted(w0[base + plane + own], here, above);
        const real back = rate1 * fitted(w1[side], p[base + wide(south) * l + k], here);
        const real fore = rate1 * fitted(w1[side + l], here, p[base + wide(north) * l + k]);
        const real left = rate2 * fitted(w2[face], p[row + west], here);
        const real right = rate2 * fitted(w2[face + 1], here, p[row + east]);
        real value = (low - high) + (back - fore) + (left - right);
        if (stage)
            value = c[0] * y0[row + k] + c[1] * here + c[2] * y2[row + k] + c[3] * value + c[4] * f0[row + k];
        out[row + k] = value;
        low = high;
        here = above;
    }
}

// out += Aᵀu along the middle axis of u (outer, n, inner)
extern "C" __global__ void backward_axis(const real* __restrict__ u, const real* __restrict__ up, const real* __restrict__ down,
                              real* __restrict__ out, wide outer, int n, int inner) {
    const wide at = flat_thread();
    if (at >= outer * n * inner) return;
    const int i = int(at / inner % n);
    const wide face = at + at / (wide(n) * inner) * inner;
    const wide low = at + wide((i > 0 ? i - 1 : n - 1) - i) * inner, high = at + wide((i + 1 < n ? i + 1 : 0) - i) * inner;
    out[at] += up[face + inner] * (u[high] - u[at]) + down[face] * (u[low] - u[at]);
}

// out = c₀y₀ + c₁y₁ + c₂y₂ + c₃f₁ + c₄f₀; out may be one of them
extern "C" __global__ void recurrence(const real* y0, const real* y1, const real* y2, const real* f1, const real* f0,
                                   const real* __restrict__ c, real* out, wide size) {
    const wide i = flat_thread();
    if (i < size) out[i] = c[0] * y0[i] + c[1] * y1[i] + c[2] * y2[i] + c[3] * f1[i] + c[4] * f0[i];
}

// the upwind value at face i of a line of n cells, limited after van Leer; stride between cells
__device__ __forceinline__ real limited(const real* __restrict__ line, real v, int i, int n, int periodic, int stride) {
    if ((i == 0 || i == n) && !periodic) return real(0);
    const int left = i > 0 ? i - 1 : n - 1, right = i < n ? i : 0;
    const int step = v > real(0) ? -1 : 1, near = v > real(0) ? left : right, ahead = v > real(0) ? right : left;
    int far = near + step;
    const int outside = far < 0 || far >= n;
    far = far < 0 ? n - 1 : (far >= n ? 0 : far);
    const real value = line[wide(near) * stride];
    const real back = value - line[wide(far) * stride], front = line[wide(ahead) * stride] - value;
    const real bent = back * front > real(0) && (periodic || !outside) ? back * front / (back + front) : real(0);
    return v * (value + bent);
}

// out −= ∂(v p) along the middle axis of p (outer, n, inner); velocity = v/h on faces
extern "C" __global__ void limited_flux(const real* __restrict__ p, const real* __restrict__ velocity, int periodic,
                                        real* __restrict__ out, wide outer, int n, int inner) {
    const wide at = flat_thread();
    if (at >= outer * n * inner) return;
    const int i = int(at / inner % n);
    const wide block = at / (wide(n) * inner), face = at + block * inner;
    const real* line = p + block * n * inner + at % inner;
    out[at] += limited(line, velocity[face], i, n, periodic, inner) -
               limited(line, velocity[face + inner], i + 1, n, periodic, inner);
}

// out += D(s₊ − s₋)/h + m(Qm − f), m = (s₋ + s₊)/2, along the middle axis of s (outer, n + 1, inner): the score's bracket
extern "C" __global__ void score_axis(const real* __restrict__ s, const real* __restrict__ drift, real spread, real square,
                                      real* __restrict__ out, wide outer, int n, int inner) {
    const wide at = flat_thread();
    if (at >= outer * n * inner) return;
    const wide face = at + at / (wide(n) * inner) * inner;
    const real low = s[face], high = s[face + inner], mean = real(0.5) * (low + high);
    out[at] += spread * (high - low) + mean * (square * mean - drift[at]);
}

// ∂u/∂x on all faces normal to the middle axis of u (outer, n, inner): periodic, mirrored, or beyond far walls a parabola
extern "C" __global__ void face_slopes(const real* __restrict__ u, real inverse_spacing, int periodic, int far,
                                       real* __restrict__ out, wide outer, int n, int inner) {
    const wide at = flat_thread();
    if (at >= outer * (n + 1) * inner) return;
    const int i = int(at / inner % (n + 1));
    const real* line = u + at / (wide(n + 1) * inner) * n * inner + at % inner;
    real step;
    if (i > 0 && i < n) step = line[wide(i) * inner] - line[wide(i - 1) * inner];
    else if (periodic) step = line[0] - line[wide(n - 1) * inner];
    else if (!far) step = real(0);
    else if (i == 0) step = 3 * line[inner] - 2 * line[0] - line[wide(2) * inner];
    else step = 2 * line[wide(n - 1) * inner] - 3 * line[wide(n - 2) * inner] + line[wide(n - 3) * inner];
    out[at] = step * inverse_spacing;
}
