// The rate of change of fourth order, and its Chebyshev stages, in one pass: fluxes less their leading error
// (1/12)[δ²F − ½w(F₊ − F₋) + ½(w₊ − w₋)F], fading where |w| > 4. Péclet numbers w are stored, and either the rates up and
// down or, where |w| ≤ 1 on all faces, nothing more.

// the lines of one axis through a point: cell 0, and face 0, of n cells `stride` apart; walls have rates of zero
struct Stored {
    const real* p;
    const real* up;
    const real* down;
    const real* w;
    wide stride;
    int n, periodic;
};

// the same with rates from w, in units of D/h² until they are `scaled`
struct Series {
    const real* p;
    const real* w;
    real rate;
    wide stride;
    int n, periodic;
};

struct Face {
    real flux, w;
};

template <class Line>
__device__ __forceinline__ real below(const Line& line, int i) {
    return line.p[wide(i > 0 ? i - 1 : line.n - 1) * line.stride];
}

template <class Line>
__device__ __forceinline__ real above(const Line& line, int i) {
    return line.p[wide(i < line.n ? i : 0) * line.stride];
}

__device__ __forceinline__ Face face(const Stored& line, int i) {
    const wide at = wide(i) * line.stride;
    return {line.up[at] * below(line, i) - line.down[at] * above(line, i), line.w[at]};
}

__device__ __forceinline__ Face face(const Series& line, int i) {
    const real w = line.w[wide(i) * line.stride];
    const int open = (i > 0 && i < line.n) || line.periodic;
    return {open ? fitted(w, below(line, i), above(line, i)) : real(0), w};
}

__device__ __forceinline__ real scaled(const Stored&, real value) { return value; }
__device__ __forceinline__ real scaled(const Series& line, real value) { return line.rate * value; }

template <class Line>
__device__ __forceinline__ int before(const Line& line, int i) { return i > 0 ? i - 1 : line.n - 1; }
template <class Line>
__device__ __forceinline__ int after(const Line& line, int i) { return i < line.n ? i + 1 : 1; }

// 1/(12(1 + s²)), s = w²/16; where |w| ≤ 1 by its values at five Chebyshev points of w⁴, to 2e-15: a division costs ten
// times as much, and what it multiplies is a correction
__constant__ real FADING[5] = {real(1.921427202191651e-11), real(-4.9668893176654174e-09), real(1.271565696542395e-06),
                               real(-0.0003255208333260031), real(0.08333333333333319)};

__device__ __forceinline__ real fading(const Stored&, real w) {
    const real s = real(0.0625) * w * w;
    return real(1) / (12 * (1 + s * s));
}
__device__ __forceinline__ real fading(const Series&, real w) {
    const real s = w * w, x = s * s;
    real sum = FADING[0];
#pragma unroll
    for (int k = 1; k < 5; ++k) sum = sum * x + FADING[k];
    return sum;
}

template <class Line>
__device__ __forceinline__ real corrected(const Line& line, const Face& a, const Face& here, const Face& b) {
    const real half = real(0.5) * here.w, middle = real(0.5) * (b.w - a.w) - 2;
    const real error = a.flux * (1 + half) + (b.flux * (1 - half) + here.flux * middle);
    return here.flux - error * fading(line, here.w);
}

// the corrected flux through face i, none through a wall
template <class Line>
__device__ __forceinline__ real through(const Line& line, int i, const Face& a, const Face& here, const Face& b) {
    return (i > 0 && i < line.n) || line.periodic ? corrected(line, a, here, b) : real(0);
}

// F_i − F_{i+1}
template <class Line>
__device__ __forceinline__ real inflow(const Line& line, int i) {
    const Face a = face(line, before(line, i)), b = face(line, i), c = face(line, i + 1), d = face(line, after(line, i + 1));
    return scaled(line, through(line, i, a, b, c) - through(line, i + 1, b, c, d));
}

// what waits in registers while a thread marches along the slowest axis
struct March {
    Face here, next;
    real low;
};

template <class Line>
__device__ __forceinline__ March begin(const Line& line, int i) {
    const Face a = face(line, before(line, i)), here = face(line, i), next = face(line, i + 1);
    return {here, next, through(line, i, a, here, next)};
}

template <class Line>
__device__ __forceinline__ real onward(const Line& line, int i, March& march) {
    const Face b = face(line, after(line, i + 1));
    const real high = through(line, i + 1, march.here, march.next, b), value = scaled(line, march.low - high);
    march = {march.next, b, high};
    return value;
}

extern "C" STAGE corrected_stage_1d(const real* __restrict__ p, const real* __restrict__ up,
                                   const real* __restrict__ down, const real* __restrict__ w, int periodic,
                                   const real* __restrict__ y0, const real* y2, const real* __restrict__ f0, real* out,
                                   const real* __restrict__ c, int stage, int n) {
    const int i = int(flat_thread());
    if (i >= n) return;
    const Stored line = {p, up, down, w, 1, n, periodic};
    real value = inflow(line, i);
    if (stage) value = c[0] * y0[i] + c[1] * p[i] + c[2] * y2[i] + c[3] * value + c[4] * f0[i];
    out[i] = value;
}

extern "C" STAGE corrected_stage_2d(const real* __restrict__ p, const real* __restrict__ up0,
                                   const real* __restrict__ down0, const real* __restrict__ w0,
                                   const real* __restrict__ up1, const real* __restrict__ down1,
                                   const real* __restrict__ w1, int periodic0, int periodic1, const real* __restrict__ y0,
                                   const real* y2, const real* __restrict__ f0, real* out,
                                   const real* __restrict__ c, int stage, int n, int m, int rows) {
    const int j = int(flat_thread());
    if (j >= m) return;
    const int start = blockIdx.y * rows, stop = min(start + rows, n);
    const Stored column = {p + j, up0 + j, down0 + j, w0 + j, m, n, periodic0};
    March march = begin(column, start);
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide row = wide(i) * m, faces = wide(i) * (m + 1);
        const Stored line = {p + row, up1 + faces, down1 + faces, w1 + faces, 1, m, periodic1};
        real value = onward(column, i, march) + inflow(line, j);
        if (stage)
            value = c[0] * y0[row + j] + c[1] * p[row + j] + c[2] * y2[row + j] + c[3] * value + c[4] * f0[row + j];
        out[row + j] = value;
    }
}

extern "C" WIDE_STAGE corrected_stage_3d(const real* __restrict__ p, const real* __restrict__ up0,
                                   const real* __restrict__ down0, const real* __restrict__ w0,
                                   const real* __restrict__ up1, const real* __restrict__ down1,
                                   const real* __restrict__ w1, const real* __restrict__ up2,
                                   const real* __restrict__ down2, const real* __restrict__ w2, int periodic0, int periodic1,
                                   int periodic2, const real* __restrict__ y0, const real* y2,
                                   const real* __restrict__ f0, real* out,
                                   const real* __restrict__ c, int stage, int n, int m, int l, int rows) {
    const int k = int(flat_thread()), j = int(blockIdx.y * blockDim.y + threadIdx.y);
    if (k >= l || j >= m) return;
    const int start = blockIdx.z * rows, stop = min(start + rows, n);
    const wide plane = wide(m) * l, own = wide(j) * l + k;
    const Stored column = {p + own, up0 + own, down0 + own, w0 + own, plane, n, periodic0};
    March march = begin(column, start);
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide base = wide(i) * plane, across = wide(i) * (m + 1) * l + k, along = (wide(i) * m + j) * (l + 1);
        const Stored middle = {p + base + k, up1 + across, down1 + across, w1 + across, l, m, periodic1};
        const Stored line = {p + base + wide(j) * l, up2 + along, down2 + along, w2 + along, 1, l, periodic2};
        real value = onward(column, i, march) + inflow(middle, j) + inflow(line, k);
        const wide at = base + own;
        if (stage)
            value = c[0] * y0[at] + c[1] * p[at] + c[2] * y2[at] + c[3] * value + c[4] * f0[at];
        out[at] = value;
    }
}

extern "C" STAGE corrected_fitted_stage_2d(const real* __restrict__ p, const real* __restrict__ w0,
                                   const real* __restrict__ w1, const real* __restrict__ rate, int periodic0, int periodic1,
                                   const real* __restrict__ y0, const real* y2, const real* __restrict__ f0, real* out,
                                   const real* __restrict__ c, int stage, int n, int m, int rows) {
    const int j = int(flat_thread());
    if (j >= m) return;
    const real rate0 = rate[0], rate1 = rate[1];
    const int start = blockIdx.y * rows, stop = min(start + rows, n);
    const Series column = {p + j, w0 + j, rate0, m, n, periodic0};
    March march = begin(column, start);
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide row = wide(i) * m;
        const Series line = {p + row, w1 + wide(i) * (m + 1), rate1, 1, m, periodic1};
        real value = onward(column, i, march) + inflow(line, j);
        if (stage)
            value = c[0] * y0[row + j] + c[1] * p[row + j] + c[2] * y2[row + j] + c[3] * value + c[4] * f0[row + j];
        out[row + j] = value;
    }
}

extern "C" WIDE_STAGE corrected_fitted_stage_3d(const real* __restrict__ p, const real* __restrict__ w0,
                                   const real* __restrict__ w1, const real* __restrict__ w2,
                                   const real* __restrict__ rate, int periodic0, int periodic1, int periodic2, const real* __restrict__ y0,
                                   const real* y2, const real* __restrict__ f0, real* out,
                                   const real* __restrict__ c, int stage, int n, int m, int l, int rows) {
    const int k = int(flat_thread()), j = int(blockIdx.y * blockDim.y + threadIdx.y);
    if (k >= l || j >= m) return;
    const real rate0 = rate[0], rate1 = rate[1], rate2 = rate[2];
    const int start = blockIdx.z * rows, stop = min(start + rows, n);
    const wide plane = wide(m) * l, own = wide(j) * l + k;
    const Series column = {p + own, w0 + own, rate0, plane, n, periodic0};
    March march = begin(column, start);
#pragma unroll 1
    for (int i = start; i < stop; ++i) {
        const wide base = wide(i) * plane;
        const Series middle = {p + base + k, w1 + wide(i) * (m + 1) * l + k, rate1, l, m, periodic1};
        const Series line = {p + base + wide(j) * l, w2 + (wide(i) * m + j) * (l + 1), rate2, 1, l, periodic2};
        real value = onward(column, i, march) + inflow(middle, j) + inflow(line, k);
        const wide at = base + own;
        if (stage)
            value = c[0] * y0[at] + c[1] * p[at] + c[2] * y2[at] + c[3] * value + c[4] * f0[at];
        out[at] = value;
    }
}
