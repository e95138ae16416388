// out[b, i, a] = Σ_j table[i, j] u[b, j, a]: a product along the middle axis of u (outer, n, inner), by tiles in shared memory.
// A block fills EDGE rows i of EDGE columns (b, a), each of its 8 × 8 threads a square of 4 × 4, eight rows and columns apart;
// while it multiplies one tile of depth DEPTH, the next is on its way into registers. Small tiles: small tables need blocks.

#define EDGE 32
#define DEPTH 16
#define PART 8  // entries of a tile that a thread loads

extern "C" __global__ void table_product(const real* __restrict__ table, const real* __restrict__ u, real* __restrict__ out,
                                         int m, wide columns, int n, int inner) {
    SHARED(real, left, DEPTH * (EDGE + 1));
    SHARED(real, right, DEPTH * (EDGE + 1));
    const int thread = int(threadIdx.x), row = thread / 8, column = thread % 8;
    const int top = int(blockIdx.y) * EDGE;
    const wide first = wide(blockIdx.x) * EDGE;
    // neighbours read along rows of the table, and along the columns of u, or its lines where those are columns
    const int depth = thread % DEPTH, across = thread / DEPTH, lined = inner == 1;
    const int down = lined ? depth : thread / EDGE, side = lined ? across : thread % EDGE;
    const wide own = first + side, base = lined ? own * n : own / inner * n * inner + own % inner;
    real sum[4][4] = {}, a[PART], b[PART];
    for (int start = 0; start < n + DEPTH; start += DEPTH) {
        if (start > 0) {
            BARRIER();
            for (int k = 0; k < PART; ++k) {
                left[depth * (EDGE + 1) + across + 4 * k] = a[k];
                if (lined) right[down * (EDGE + 1) + side + 4 * k] = b[k];
                else right[(down + 2 * k) * (EDGE + 1) + side] = b[k];
            }
            BARRIER();
        }
        if (start < n)
            for (int k = 0; k < PART; ++k) {
                const int i = top + across + 4 * k, j = start + depth;
                a[k] = i < m && j < n ? table[wide(i) * n + j] : real(0);
                const int d = start + (lined ? down : down + 2 * k);
                const int inside = own + (lined ? 4 * k : 0) < columns && d < n;
                b[k] = inside ? u[lined ? base + wide(4 * k) * n + d : base + wide(d) * inner] : real(0);
            }
        if (start == 0) continue;
        for (int d = 0; d < DEPTH; ++d) {
            real x[4], y[4];
            for (int k = 0; k < 4; ++k) {
                x[k] = left[d * (EDGE + 1) + row + 8 * k];
                y[k] = right[d * (EDGE + 1) + column + 8 * k];
            }
            for (int i = 0; i < 4; ++i)
                for (int j = 0; j < 4; ++j) sum[i][j] += x[i] * y[j];
        }
    }
    for (int j = 0; j < 4; ++j) {
        const wide at = first + column + 8 * j;
        if (at >= columns) continue;
        const wide to = at / inner * m * inner + at % inner;
        for (int i = 0; i < 4; ++i)
            if (top + row + 8 * i < m) out[to + wide(top + row + 8 * i) * inner] = sum[i][j];
    }
}
