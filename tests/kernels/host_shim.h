// CUDA C++ on the host: blocks one after the other, threads as fibers that meet at barriers; shared memory starts as NaN.
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <functional>
#include <limits>

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

// A fiber is made once and begins a block's body anew when it is resumed after the last: contexts of their own cost a system
// call a switch, and stacks more than what runs on them. `_setjmp` keeps no mask of signals, and needs none.
struct Fiber {
    jmp_buf here;
    bool done;
};
static std::deque<Fiber> shim_fibers;
static Fiber* shim_own;
static jmp_buf shim_main;
static std::function<void()> shim_body;

__attribute__((noinline)) static void shim_wait() {
    if (_setjmp(shim_own->here) == 0) _longjmp(shim_main, 1);
}

static void shim_fiber() {
    for (;;) {
        shim_wait();
        shim_body();
        shim_own->done = true;
    }
}

__attribute__((noinline)) static void shim_resume(Fiber& fiber) {
    shim_own = &fiber;
    if (_setjmp(shim_main) == 0) _longjmp(fiber.here, 1);
}

static void shim_make_fiber() {
    const size_t size = 1 << 16;
    static ucontext_t unused, context;
    getcontext(&context);
    context.uc_stack.ss_sp = std::malloc(size);
    context.uc_stack.ss_size = size;
    context.uc_link = nullptr;
    makecontext(&context, shim_fiber, 0);
    shim_fibers.emplace_back();
    shim_own = &shim_fibers.back();
    if (_setjmp(shim_main) == 0) swapcontext(&unused, &context);
}

// `backwards` runs the threads of a block from the last to the first: what depends on their order shows
static void shim_launch(const int* grid, const int* block, bool barriers, bool backwards, std::function<void()> body) {
    gridDim = {unsigned(grid[0]), unsigned(grid[1]), unsigned(grid[2])};
    blockDim = {unsigned(block[0]), unsigned(block[1]), 1};
    const int threads = block[0] * block[1];
    shim_body = body;
    while (barriers && shim_fibers.size() < size_t(threads)) shim_make_fiber();
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
                for (int t = 0; t < threads; ++t) shim_fibers[t].done = false;
                for (bool first = true, left = true; left; first = false) {
                    left = false;
                    for (int k = 0; k < threads; ++k) {
                        const int t = backwards && !first ? threads - 1 - k : k;  // thread 0 first: it clears shared memory
                        if (shim_fibers[t].done) continue;
                        threadIdx = {unsigned(t), 0, 0};
                        shim_resume(shim_fibers[t]);
                        left = true;
                    }
                }
            }
}
