// Fourth order from Péclet numbers in three dimensions, sixteen bytes a thread: it owns two neighbouring cells of the fastest
// axis (four in single precision), so that a face between them is found once, and marches along the slowest with the plane
// after next under way while it computes. Rows are a multiple of that many cells; what starts elsewhere than at sixteen
// bytes, such as every other row of faces across the fastest axis, is read number by number.

constexpr int LANES = 16 / sizeof(real);

struct alignas(16) Lanes {
    real at[LANES];
};

// faces and cells of one direction, side by side
struct Beside {
    Lanes flux, w;
};

template <bool WHOLE>
__device__ __forceinline__ Lanes load(const real* __restrict__ from) {
    if constexpr (WHOLE) {
        return *reinterpret_cast<const Lanes*>(from);
    } else {
        Lanes found;
#pragma unroll
        for (int e = 0; e < LANES; ++e) found.at[e] = from[e];
        return found;
    }
}

template <bool WHOLE>
__device__ __forceinline__ void store(real* to, const Lanes& values) {
    if constexpr (WHOLE) {
        *reinterpret_cast<Lanes*>(to) = values;
    } else {
#pragma unroll
        for (int e = 0; e < LANES; ++e) to[e] = values.at[e];
    }
}

// faces between `low` and `high`; none lets anything through unless `open`
__device__ __forceinline__ Beside between(const Lanes& w, const Lanes& low, const Lanes& high, int open) {
    Beside found;
    found.w = w;
#pragma unroll
    for (int e = 0; e < LANES; ++e) found.flux.at[e] = open ? fitted(w.at[e], low.at[e], high.at[e]) : real(0);
    return found;
}

__device__ __forceinline__ Face of(const Beside& faces, int e) { return {faces.flux.at[e], faces.w.at[e]}; }

__device__ __forceinline__ Lanes through(const Series& line, int i, const Beside& a, const Beside& here, const Beside& b) {
    Lanes found;
#pragma unroll
    for (int e = 0; e < LANES; ++e) found.at[e] = through(line, i, of(a, e), of(here, e), of(b, e));
    return found;
}

__device__ __forceinline__ int is_open(const Series& line, int i) { return (i > 0 && i < line.n) || line.periodic; }

// value += F_i − F_{i+1} across rows, i the row of the cells `here`
template <bool WHOLE>
__device__ __forceinline__ void add_across(const Series& line, int i, const Lanes& here, Lanes& value) {
    const int n = line.n, first = before(line, i), last = after(line, i + 1);
    const Lanes south = load<WHOLE>(line.p + wide(i > 0 ? i - 1 : n - 1) * line.stride);
    const Lanes north = load<WHOLE>(line.p + wide(i + 1 < n ? i + 1 : 0) * line.stride);
    const Lanes w = load<WHOLE>(line.w + wide(i) * line.stride), w_next = load<WHOLE>(line.w + wide(i + 1) * line.stride);
    const Lanes far_south = load<WHOLE>(line.p + wide(first > 0 ? first - 1 : n - 1) * line.stride);
    const Lanes far_north = load<WHOLE>(line.p + wide(last < n ? last : 0) * line.stride);
    const Lanes w_first = load<WHOLE>(line.w + wide(first) * line.stride), w_last = load<WHOLE>(line.w + wide(last) * line.stride);
    const Beside a = between(w_first, far_south, south, is_open(line, first));
    const Beside b = between(w, south, here, is_open(line, i));
    const Beside c = between(w_next, here, north, is_open(line, i + 1));
    const Beside d = between(w_last, north, far_north, is_open(line, last));
    const Lanes low = through(line, i, a, b, c), high = through(line, i + 1, b, c, d);
#pragma unroll
    for (int e = 0; e < LANES; ++e) value.at[e] += line.rate * (low.at[e] - high.at[e]);
}

// faces k … k + LANES of a row of faces: of any LANES + 1 numbers in a row, one word of sixteen bytes is whole
template <bool WHOLE>
__device__ __forceinline__ void faces_of(const real* __restrict__ row, int k, real* w) {
    const int ahead = int((16 - (reinterpret_cast<size_t>(row + k) & 15)) & 15) / int(sizeof(real));
    if (WHOLE && ahead <= 1) {
        const Lanes found = load<true>(row + k + ahead);
        const real other = row[ahead ? k : k + LANES];
#pragma unroll
        for (int e = 0; e < LANES; ++e) w[e] = ahead ? (e ? found.at[e - 1] : other) : found.at[e];
        w[LANES] = ahead ? found.at[LANES - 1] : other;
    } else {
#pragma unroll
        for (int e = 0; e <= LANES; ++e) w[e] = row[k + e];
    }
}

// value += F_i − F_{i+1} along a row of cells `line.n` long, for cells k … k + LANES − 1 that hold `here`
template <bool WHOLE>
__device__ __forceinline__ void add_along(const Series& line, int k, const Lanes& here, Lanes& value) {
    const int n = line.n, right = k + LANES;
    const Lanes low = load<WHOLE>(line.p + (k > 0 ? k : n) - LANES), high = load<WHOLE>(line.p + (right < n ? right : 0));
    real q[LANES + 4], w[LANES + 3];
    q[0] = low.at[LANES - 2];
    q[1] = low.at[LANES - 1];
    q[LANES + 2] = high.at[0];
    q[LANES + 3] = high.at[1];
#pragma unroll
    for (int e = 0; e < LANES; ++e) q[e + 2] = here.at[e];
    w[0] = line.w[k > 0 ? k - 1 : n - 1];
    faces_of<WHOLE>(line.w, k, w + 1);
    w[LANES + 2] = line.w[right < n ? right + 1 : 1];
    Face faces[LANES + 3];
#pragma unroll
    for (int e = 0; e < LANES + 3; ++e) {
        const int wall = !line.periodic && ((e == 1 && k == 0) || (e == LANES + 1 && right == n));
        faces[e] = {wall ? real(0) : fitted(w[e], q[e], q[e + 1]), w[e]};
    }
    real before_it = through(line, k, faces[0], faces[1], faces[2]);
#pragma unroll
    for (int e = 0; e < LANES; ++e) {
        const real after_it = e + 1 < LANES ? corrected(line, faces[e + 1], faces[e + 2], faces[e + 3])
                                            : through(line, right, faces[e + 1], faces[e + 2], faces[e + 3]);
        value.at[e] += line.rate * (before_it - after_it);
        before_it = after_it;
    }
}

// what a launch is about, for a thread's column of cells
struct Pairs {
    const real* __restrict__ p;
    const real* __restrict__ w0;
    const real* __restrict__ w1;
    const real* __restrict__ w2;
    const real* __restrict__ rate;
    int periodic0, periodic1, periodic2;
    const real* __restrict__ y0;
    const real* y2;
    const real* __restrict__ f0;
    real* out;
    const real* __restrict__ c;
    int stage, n, m, l, start, stop, j, k;
};

template <bool WHOLE>
__device__ __forceinline__ void march(const Pairs& of) {
    const int n = of.n, m = of.m, l = of.l, j = of.j, k = of.k;
    const wide plane = wide(m) * l, own = wide(j) * l + k;
    const Series column = {of.p + own, of.w0 + own, of.rate[0], plane, n, of.periodic0};
    const int i0 = of.start, first = before(column, i0);
    // cells of planes i − 1, i, i + 1 and i + 2, faces i, i + 1 and i + 2
    Lanes here = load<WHOLE>(column.p + wide(i0) * plane), near = load<WHOLE>(column.p + wide(i0 + 1 < n ? i0 + 1 : 0) * plane);
    Beside face_here, face_next;
    Lanes low;
    {
        const Lanes below_it = load<WHOLE>(column.p + wide(i0 > 0 ? i0 - 1 : n - 1) * plane);
        const Lanes far = load<WHOLE>(column.p + wide(first > 0 ? first - 1 : n - 1) * plane);
        const Beside a = between(load<WHOLE>(column.w + wide(first) * plane), far, below_it, is_open(column, first));
        face_here = between(load<WHOLE>(column.w + wide(i0) * plane), below_it, here, is_open(column, i0));
        face_next = between(load<WHOLE>(column.w + wide(i0 + 1) * plane), here, near, is_open(column, i0 + 1));
        low = through(column, i0, a, face_here, face_next);
    }
    int last = after(column, i0 + 1);
    Lanes far = load<WHOLE>(column.p + wide(last < n ? last : 0) * plane), w_far = load<WHOLE>(column.w + wide(last) * plane);
#pragma unroll 1
    for (int i = i0; i < of.stop; ++i) {
        Lanes farther = far, w_farther = w_far;
        const int following = last < n ? last + 1 : 1;
        if (i + 1 < of.stop) {  // under way while this plane is computed
            farther = load<WHOLE>(column.p + wide(following < n ? following : 0) * plane);
            w_farther = load<WHOLE>(column.w + wide(following) * plane);
        }
        const wide base = wide(i) * plane;
        Lanes value = low;
        const Beside face_far = between(w_far, near, far, is_open(column, last));
        low = through(column, i + 1, face_here, face_next, face_far);
#pragma unroll
        for (int e = 0; e < LANES; ++e) value.at[e] = column.rate * (value.at[e] - low.at[e]);
        face_here = face_next;
        face_next = face_far;
        const Series middle = {of.p + base + k, of.w1 + wide(i) * (m + 1) * l + k, of.rate[1], l, m, of.periodic1};
        add_across<WHOLE>(middle, j, here, value);
        const Series line = {of.p + base + wide(j) * l, of.w2 + (wide(i) * m + j) * (l + 1), of.rate[2], 1, l, of.periodic2};
        add_along<WHOLE>(line, k, here, value);
        const wide at = base + own;
        if (of.stage) {
            const Lanes y0 = load<WHOLE>(of.y0 + at), f0 = load<WHOLE>(of.f0 + at), y2 = load<WHOLE>(of.y2 + at);
#pragma unroll
            for (int e = 0; e < LANES; ++e)
                value.at[e] = of.c[0] * y0.at[e] + of.c[1] * here.at[e] + of.c[2] * y2.at[e] + of.c[3] * value.at[e] +
                              of.c[4] * f0.at[e];
        }
        store<WHOLE>(of.out + at, value);
        here = near;
        near = far;
        far = farther;
        w_far = w_farther;
        last = following;
    }
}

extern "C" PAIRS_STAGE corrected_fitted_pairs_3d(const real* __restrict__ p, const real* __restrict__ w0,
                                   const real* __restrict__ w1, const real* __restrict__ w2,
                                   const real* __restrict__ rate, int periodic0, int periodic1, int periodic2,
                                   const real* __restrict__ y0, const real* y2, const real* __restrict__ f0, real* out,
                                   const real* __restrict__ c, int stage, int n, int m, int l, int rows) {
    const int k = LANES * int(flat_thread()), j = int(blockIdx.y * blockDim.y + threadIdx.y);
    if (k >= l || j >= m) return;
    const int start = blockIdx.z * rows, stop = min(start + rows, n);
    const Pairs of = {p, w0, w1, w2, rate, periodic0, periodic1, periodic2, y0, y2, f0, out, c, stage, n, m, l, start, stop, j, k};
    const size_t all = size_t(p) | size_t(w0) | size_t(w1) | size_t(y0) | size_t(y2) | size_t(f0) | size_t(out);
    if (all & 15) march<false>(of);
    else march<true>(of);
}
