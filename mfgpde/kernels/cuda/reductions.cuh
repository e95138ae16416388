// Sums and largest values over a grid, several in one pass: each block leaves its share, a second launch adds those.

#define WIDTH 256
#define MEASURES 5

// of p and q: Σp, Σ|p − q|, Σ(p − q)², max|p − q|, Σ p log(p/q); a density that vanishes adds nothing, q ≤ 0 < p infinity
__device__ __forceinline__ void add_measures(real* sums, const real* more) {
    for (int k = 0; k < MEASURES; ++k) sums[k] = k == 3 ? fmax(sums[k], more[k]) : sums[k] + more[k];
}

extern "C" __global__ void measures(const real* __restrict__ p, const real* __restrict__ q, real* __restrict__ shares,
                                    wide size) {
    SHARED(real, held, MEASURES * WIDTH);
    real sums[MEASURES] = {0, 0, 0, 0, 0};
    for (wide i = flat_thread(); i < size; i += wide(gridDim.x) * blockDim.x) {
        const real a = p[i], b = q[i], away = fabs(a - b);
        const real kl = a > real(0) ? (b > real(0) ? a * log(a / b) : real(INFINITY)) : real(0);
        const real more[MEASURES] = {a, away, away * away, away, kl};
        add_measures(sums, more);
    }
    for (int k = 0; k < MEASURES; ++k) held[k * WIDTH + threadIdx.x] = sums[k];
    for (int half = WIDTH / 2; half > 0; half /= 2) {
        BARRIER();
        if (int(threadIdx.x) < half) {
            real own[MEASURES], other[MEASURES];
            for (int k = 0; k < MEASURES; ++k) {
                own[k] = held[k * WIDTH + threadIdx.x];
                other[k] = held[k * WIDTH + threadIdx.x + half];
            }
            add_measures(own, other);
            for (int k = 0; k < MEASURES; ++k) held[k * WIDTH + threadIdx.x] = own[k];
        }
    }
    BARRIER();
    if (threadIdx.x < MEASURES) shares[wide(blockIdx.x) * MEASURES + threadIdx.x] = held[threadIdx.x * WIDTH];
}

// Σa and Σb, or Σa² and Σb², of every `stride`-th entry: a pair a block
extern "C" __global__ void pair_of_sums(const real* __restrict__ a, const real* __restrict__ b, int squared,
                                        real* __restrict__ shares, wide size, int stride) {
    SHARED(real, held, 2 * WIDTH);
    real first = 0, second = 0;
    for (wide i = flat_thread(); i < size; i += wide(gridDim.x) * blockDim.x) {
        const real u = a[i * stride], v = b[i * stride];
        first += squared ? u * u : u;
        second += squared ? v * v : v;
    }
    held[threadIdx.x] = first;
    held[WIDTH + threadIdx.x] = second;
    for (int half = WIDTH / 2; half > 0; half /= 2) {
        BARRIER();
        if (int(threadIdx.x) < half) {
            held[threadIdx.x] += held[threadIdx.x + half];
            held[WIDTH + threadIdx.x] += held[WIDTH + threadIdx.x + half];
        }
    }
    BARRIER();
    if (threadIdx.x < 2) shares[wide(blockIdx.x) * 2 + threadIdx.x] = held[threadIdx.x * WIDTH];
}

// of face Péclet numbers w (outer, n + 1, inner): max|w|, infinite where one is no number, and the fastest departure from a
// cell along the middle axis, B(−w₊) + B(w), in units of D/h², nothing leaving through walls; a pair a block
extern "C" __global__ void departures(const real* __restrict__ w, int periodic, real* __restrict__ shares, wide outer,
                                      int n, int inner) {
    SHARED(real, held, 2 * WIDTH);
    real largest = 0, fastest = 0;
    const wide size = outer * n * inner;
    for (wide at = flat_thread(); at < size; at += wide(gridDim.x) * blockDim.x) {
        const int i = int(at / inner % n);
        const wide low = at + at / (wide(n) * inner) * inner;
        const real a = w[low], b = w[low + inner];
        const real down = i > 0 || periodic ? fmax(even_part(a) - real(0.5) * a, real(0)) : real(0);
        const real up = i + 1 < n || periodic ? fmax(even_part(b) + real(0.5) * b, real(0)) : real(0);
        largest = fmax(largest, a == a && b == b ? fmax(fabs(a), fabs(b)) : real(INFINITY));
        fastest = fmax(fastest, down + up);
    }
    held[threadIdx.x] = largest;
    held[WIDTH + threadIdx.x] = fastest;
    for (int half = WIDTH / 2; half > 0; half /= 2) {
        BARRIER();
        if (int(threadIdx.x) < half) {
            held[threadIdx.x] = fmax(held[threadIdx.x], held[threadIdx.x + half]);
            held[WIDTH + threadIdx.x] = fmax(held[WIDTH + threadIdx.x], held[WIDTH + threadIdx.x + half]);
        }
    }
    BARRIER();
    if (threadIdx.x < 2) shares[wide(blockIdx.x) * 2 + threadIdx.x] = held[threadIdx.x * WIDTH];
}

// the largest of `count` pairs, by one block
extern "C" __global__ void largest_of_pairs(const real* __restrict__ shares, real* __restrict__ out, int count) {
    SHARED(real, held, 2 * WIDTH);
    real first = 0, second = 0;
    for (int i = threadIdx.x; i < count; i += WIDTH) {
        first = fmax(first, shares[2 * i]);
        second = fmax(second, shares[2 * i + 1]);
    }
    held[threadIdx.x] = first;
    held[WIDTH + threadIdx.x] = second;
    for (int half = WIDTH / 2; half > 0; half /= 2) {
        BARRIER();
        if (int(threadIdx.x) < half) {
            held[threadIdx.x] = fmax(held[threadIdx.x], held[threadIdx.x + half]);
            held[WIDTH + threadIdx.x] = fmax(held[WIDTH + threadIdx.x], held[WIDTH + threadIdx.x + half]);
        }
    }
    BARRIER();
    if (threadIdx.x < 2) out[threadIdx.x] = held[threadIdx.x * WIDTH];
}
