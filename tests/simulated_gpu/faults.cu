// A mistake a kernel, for the simulated GPU to name: faults CASE prints what the runtime says.
#include <cuda_runtime.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>

__global__ void one_writes(float* x) { x[0] = 1; }
__global__ void two_warps_write(float* x) {
    __shared__ float s;
    if (threadIdx.x % 32 == 0) s = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = s;
}
__global__ void blocks_add(float* x) {
    if (threadIdx.x == 0) x[0] += 1;
}
__global__ void nobody_wrote(float* x) {
    __shared__ float s[32];
    if (threadIdx.x < 16) s[threadIdx.x] = 1;
    __syncthreads();
    x[threadIdx.x] = s[threadIdx.x];
}
__global__ void neighbours_without_sync(float* x) {
    __shared__ float s[32];
    s[threadIdx.x] = 1;
    x[threadIdx.x] = s[31 - threadIdx.x];
}
__global__ void nobody_waits(float* x) {
    __shared__ __align__(16) float s[4];
    if (threadIdx.x == 0) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(s))), "l"(x) : "memory");
        asm volatile("cp.async.commit_group;" ::: "memory");
        x[4] = s[0];
    }
}
__global__ void half_a_warp(float* x) {
    if (threadIdx.x < 16) x[threadIdx.x] = __shfl_xor_sync(~0u, x[threadIdx.x], 1);
}
__global__ void askew(float* x) { *reinterpret_cast<float4*>(x + 1) = float4{}; }
extern __shared__ float shared[];
__global__ void takes_shared() { shared[threadIdx.x] = 1; }

int main(int argc, char** argv) {
    float* x = nullptr;
    cudaMallocManaged(&x, 256);
    for (int i = 0; i < 64; ++i) x[i] = 0;
    cudaStream_t stream = nullptr;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    static float of_host[32];
    std::map<std::string, std::function<void()>> const cases{
        {"right", [&] { one_writes<<<1, 32, 0, stream>>>(x); }},
        {"early", [&] { one_writes<<<1, 32, 0, stream>>>(x), std::printf("before it was waited for: %g\n", static_cast<double>(x[0])); }},
        {"host_memory", [&] { one_writes<<<1, 32, 0, stream>>>(of_host); }},
        {"race", [&] { two_warps_write<<<1, 64, 0, stream>>>(x); }},
        {"blocks", [&] { blocks_add<<<64, 32, 0, stream>>>(x); }},
        {"unwritten", [&] { nobody_wrote<<<1, 32, 0, stream>>>(x); }},
        {"neighbours", [&] { neighbours_without_sync<<<1, 32, 0, stream>>>(x); }},
        {"copy", [&] { nobody_waits<<<1, 32, 0, stream>>>(x); }},
        {"lanes", [&] { half_a_warp<<<1, 32, 0, stream>>>(x); }},
        {"askew", [&] { askew<<<1, 32, 0, stream>>>(x); }},
        {"too_much", [&] { takes_shared<<<1, 32, 64 * 1024, stream>>>(); }},
    };
    auto const found = argc == 2 ? cases.find(argv[1]) : cases.end();
    if (found == cases.end()) return std::puts("faults CASE: expected one of those in faults.cu"), 2;
    found->second();
    auto const launched = cudaGetLastError(), done = cudaStreamSynchronize(stream);
    auto const problem = launched != cudaSuccess ? launched : done;
    if (problem == cudaSuccess) std::printf("done: %g\n", static_cast<double>(x[0]));
    else std::printf("fault: %s\n", cudaGetErrorString(problem));
    return problem == cudaSuccess ? 0 : 1;
}
