// CUDA C++ on the host: blocks one after the other, threads as fibers that meet at barriers; shared memory starts as NaN.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <vector>

#define __global__
#define STAGE __global__ void
#define WIDE_STAGE __global__ void
#define PAIRS_STAGE __global__ void
#define __device__ static
#define __constant__ static
#define __forceinline__ inline
#define __restrict__ __restrict
#define SHARED(type, name, count)                                                            \
    static type name[count];                                                                 \
    if (threadIdx.x == 0) std::fill(name, name + (count), std::numeric_limits<type>::quiet_NaN())
#define BARRIER() shim_wait()

#define ADD(address, value) (*(address) += (value))

using std::min;
using std::cbrt;
using std::fmax;
using std::fmin;
using std::fabs;

struct Place { unsigned x, y, z; };
static Place threadIdx, blockIdx, blockDim, gridDim;

static ucontext_t shim_main, *shim_own;
static std::vector<char> shim_done;
static std::function<void()> shim_body;

static void shim_wait() { swapcontext(shim_own, &shim_main); }

static void shim_fiber(unsigned thread) {
    shim_body();
    shim_done[thread] = 1;
    swapcontext(shim_own, &shim_main);
}

// `backwards` runs the threads of a block from the last to the first: what depends on their order shows
static void shim_launch(const int* grid, const int* block, bool barriers, bool backwards, std::function<void()> body) {
    gridDim = {unsigned(grid[0]), unsigned(grid[1]), unsigned(grid[2])};
    blockDim = {unsigned(block[0]), unsigned(block[1]), 1};
    const int threads = block[0] * block[1];
    shim_body = body;
    std::vector<ucontext_t> fibers(barriers ? threads : 0);
    std::vector<std::vector<char>> stacks(fibers.size(), std::vector<char>(1 << 16));
    for (unsigned z = 0; z < gridDim.z; ++z)
        for (unsigned y = 0; y < gridDim.y; ++y)
            for (unsigned x = 0; x < gridDim.x; ++x) {
                blockIdx = {x, y, z};
                if (!barriers) {
                    for (int t = 0; t < threads; ++t) {
                        const unsigned own = unsigned(backwards ? threads - 1 - t : t);
                        threadIdx = {own % blockDim.x, own / blockDim.x, 0};
                        body();
                    }
                    continue;
                }
                shim_done.assign(threads, 0);
                for (int t = 0; t < threads; ++t) {
                    getcontext(&fibers[t]);
                    fibers[t].uc_stack.ss_sp = stacks[t].data();
                    fibers[t].uc_stack.ss_size = stacks[t].size();
                    fibers[t].uc_link = nullptr;
                    makecontext(&fibers[t], (void (*)())shim_fiber, 1, unsigned(t));
                }
                for (bool first = true, left = true; left; first = false) {
                    left = false;
                    for (int k = 0; k < threads; ++k) {
                        const int t = backwards && !first ? threads - 1 - k : k;  // thread 0 first: it clears shared memory
                        if (shim_done[t]) continue;
                        threadIdx = {unsigned(t), 0, 0};
                        shim_own = &fibers[t];
                        swapcontext(&shim_main, &fibers[t]);
                        left = true;
                    }
                }
            }
}
