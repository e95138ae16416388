// out[b, i, a] = Σ_j table[i, j] u[b, j, a]: a product along the middle axis of u (outer, n, inner), by tiles in shared memory.
// A block fills EDGE rows i of EDGE columns (b, a); each of its 16 × 16 threads a square of 4 × 4, 16 rows and columns apart.

#define EDGE 64
#define DEPTH 16

extern "C" __global__ void table_product(const real* __restrict__ table, const real* __restrict__ u, real* __restrict__ out,
                                         int m, wide columns, int n, int inner) {
    SHARED(real, left, DEPTH * (EDGE + 1));
    SHARED(real, right, DEPTH * (EDGE + 1));
    const int thread = int(threadIdx.x), row = thread / 16, column = thread % 16;
    const int top = int(blockIdx.y) * EDGE;
    const wide first = wide(blockIdx.x) * EDGE;
    real sum[4][4] = {};
    for (int start = 0; start < n; start += DEPTH) {
        BARRIER();
        for (int k = thread; k < DEPTH * EDGE; k += 256) {
            const int i = k / DEPTH, j = k % DEPTH;  // neighbours read along the table's rows
            left[j * (EDGE + 1) + i] = top + i < m && start + j < n ? table[wide(top + i) * n + start + j] : real(0);
            const int c = inner > 1 ? k % EDGE : k / DEPTH, d = inner > 1 ? k / EDGE : k % DEPTH;  // and along those of u
            const wide at = first + c;
            const int inside = at < columns && start + d < n;
            right[d * (EDGE + 1) + c] = inside ? u[(at / inner * n + start + d) * inner + at % inner] : real(0);
        }
        BARRIER();
        for (int d = 0; d < DEPTH; ++d) {
            real a[4], b[4];
            for (int k = 0; k < 4; ++k) {
                a[k] = left[d * (EDGE + 1) + row + 16 * k];
                b[k] = right[d * (EDGE + 1) + column + 16 * k];
            }
            for (int i = 0; i < 4; ++i)
                for (int j = 0; j < 4; ++j) sum[i][j] += a[i] * b[j];
        }
    }
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) {
            const int r = top + row + 16 * i;
            const wide at = first + column + 16 * j;
            if (r < m && at < columns) out[(at / inner * m + r) * inner + at % inner] = sum[i][j];
        }
}
