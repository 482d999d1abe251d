#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "device.hpp"

/// \file
/// The names of the CUDA runtime that attnlab's programs call, on a simulated device: link this in the place of cudart. A program's kernels are found as
/// the runtime finds them, by what nvcc registers before main, in PTX that is not compressed (nvcc --no-compress).

using namespace simulated;

namespace {

constexpr std::size_t total_memory = std::size_t{4} << 30;
constexpr std::size_t most_shared = 163 * 1024, most_shared_unasked = 48 * 1024;

/// A program that nvcc has put into the executable; its text is read when a kernel of it is first wanted.
struct program {
    unsigned char const* data;
    std::optional<module> read;
};
/// What a kernel's handle and address on the host lead to.
struct function {
    program* in;
    std::string name;
    kernel const* found = nullptr;
    std::size_t dynamic_shared = most_shared_unasked;
};
struct registry {
    std::deque<program> programs;
    std::map<void const*, function> functions;
    std::set<std::uint64_t> events;
    std::map<void const*, std::size_t> allocations;
    std::size_t allocated = 0;
    cudaError_t last = cudaSuccess;
    static registry& one() {
        static auto* const r = new registry;
        return *r;
    }
};

/// "sm_90a" of a program in PTX.
std::string_view target_of(std::string_view ptx) {
    auto const at = ptx.find(".target ");
    if (at == ptx.npos) return {};
    auto const target = ptx.substr(at + 8, 32);
    return target.substr(0, target.find_first_of(", \n"));
}
/// PTX of a fat binary, of several that for the newest GPU, as an H100 would take: a header of 16 bytes (its size at 8), then entries: kind (1: PTX) in two bytes, the header's size at
/// 4, the text's at 8.
std::string_view ptx_of(unsigned char const* data) {
    auto const number = [&]<class T>(std::size_t at, T) {
        T v;
        std::memcpy(&v, data + at, sizeof v);
        return v;
    };
    std::string_view newest;
    std::size_t at = number(6, std::uint16_t{}), end = at + number(8, std::uint64_t{});
    while (at < end) {
        auto const kind = number(at, std::uint16_t{});
        std::size_t const header = number(at + 4, std::uint32_t{}), size = number(at + 8, std::uint64_t{});
        std::string_view text(reinterpret_cast<char const*>(data + at + header), size);
        if (kind == 1) {
            if (text.find(".version") > 64) throw fault("a program's PTX is compressed: compile it with nvcc --no-compress");
            text = text.substr(0, text.find('\0'));
            if (newest.empty() || target_of(text) > target_of(newest)) newest = text;
        }
        at += header + size;
    }
    if (newest.empty()) throw fault("a program has no PTX: compile it for compute_80 and the like, not for sm_80 alone");
    return newest;
}

kernel const* find(function& f) {
    if (!f.found) {
        if (!f.in->read) {
            f.in->read = parse(ptx_of(f.in->data));
            for (auto const& [name, value] : f.in->read->globals) memory_of_device().add(value.data(), value.size());
        }
        for (auto const& k : f.in->read->kernels)
            if (k.name == f.name) f.found = &k;
        if (!f.found) throw fault("the kernel " + f.name + " is in no program");
    }
    return f.found;
}
/// \return null where it is no kernel, or cannot be read
function* function_at(void const* host) {
    auto const at = registry::one().functions.find(host);
    if (at == registry::one().functions.end()) return nullptr;
    try {
        find(at->second);
        return &at->second;
    } catch (fault const& f) {
        std::fprintf(stderr, "simulated GPU: %s\n", f.what());
        return nullptr;
    }
}

cudaError_t said(cudaError_t e) {
    if (e != cudaSuccess) registry::one().last = e;
    return e;
}
cudaError_t state() { return device::one().broken() ? said(cudaErrorIllegalAddress) : cudaSuccess; }

cudaError_t start(function* f, dim3 grid, dim3 threads, void** arguments, std::size_t shared) {
    if (!f) return said(cudaErrorInvalidDeviceFunction);
    kernel const& k = *f->found;
    bool const fits = grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= 2147483647 && grid.y <= 65535 && grid.z <= 65535 && threads.x > 0 && threads.y > 0 &&
                      threads.z > 0 && threads.z <= 64 && static_cast<std::size_t>(threads.x) * threads.y * threads.z <= static_cast<std::size_t>(k.most_threads);
    if (!fits || shared > f->dynamic_shared || shared + k.static_shared > most_shared) return said(cudaErrorInvalidValue);
    std::vector<unsigned char> bytes(k.parameter_bytes);
    for (std::size_t i = 0; i < k.parameters.size(); ++i) std::memcpy(bytes.data() + k.parameters[i].offset, arguments[i], k.parameters[i].size);
    auto const of = [](dim3 d) { return std::array{static_cast<int>(d.x), static_cast<int>(d.y), static_cast<int>(d.z)}; };
    device::one().start({&k, of(grid), of(threads), shared, std::move(bytes)});
    return state();
}

cudaError_t allocate(void** p, std::size_t bytes) {
    auto& r = registry::one();
    if (r.allocated + bytes > total_memory) return said(cudaErrorMemoryAllocation);
    *p = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
    if (!*p) return said(cudaErrorMemoryAllocation);
    std::memset(*p, 0xcd, bytes);
    r.allocations[*p] = bytes;
    r.allocated += bytes;
    memory_of_device().add(*p, bytes);
    return cudaSuccess;
}
cudaError_t give_back(void* p) {
    auto& r = registry::one();
    auto const at = r.allocations.find(p);
    if (!p) return cudaSuccess;
    if (at == r.allocations.end()) return said(cudaErrorInvalidValue);
    r.allocated -= at->second;
    r.allocations.erase(at);
    memory_of_device().remove(p);
    std::free(p);
    return cudaSuccess;
}
std::uint64_t& ticket(cudaEvent_t e) { return *reinterpret_cast<std::uint64_t*>(e); }

struct configuration {
    dim3 grid, threads;
    std::size_t shared;
    void* stream;
};
thread_local std::vector<configuration> pushed;

}  // namespace

extern "C" {

// What nvcc's code calls (crt/host_runtime.h).

void** __cudaRegisterFatBinary(void* wrapper) {
    unsigned char const* data = nullptr;
    std::memcpy(&data, static_cast<unsigned char*>(wrapper) + 8, sizeof data);
    return reinterpret_cast<void**>(&registry::one().programs.emplace_back(program{data, {}}));
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }
void __cudaRegisterFunction(void** in, char const* host, char*, char const* name, int, uint3*, uint3*, dim3*, dim3*, int*) {
    registry::one().functions[host] = {reinterpret_cast<program*>(in), name};
}
void __cudaRegisterVar(void**, char*, char*, char const*, int, std::size_t, int, int) {}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 threads, std::size_t shared, CUstream_st* stream) {
    pushed.push_back({grid, threads, shared, stream});
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* threads, std::size_t* shared, void* stream) {
    auto const c = pushed.back();
    pushed.pop_back();
    *grid = c.grid, *threads = c.threads, *shared = c.shared;
    *static_cast<void**>(stream) = c.stream;
    return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* handle, void const* host) {
    *handle = reinterpret_cast<cudaKernel_t>(const_cast<void*>(host));
    return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t handle, dim3 grid, dim3 threads, void** arguments, std::size_t shared, cudaStream_t) {
    return start(function_at(handle), grid, threads, arguments, shared);
}

// What it calls by the runtime's own interface (cuda_runtime_api.h).

cudaError_t cudaLaunchKernelExC(cudaLaunchConfig_t const* c, void const* host, void** arguments) {
    return start(function_at(host), c->gridDim, c->blockDim, arguments, c->dynamicSmemBytes);
}
cudaError_t cudaFuncSetAttribute(void const* host, cudaFuncAttribute which, int value) {
    auto* const f = function_at(host);
    if (!f) return said(cudaErrorInvalidDeviceFunction);
    if (which == cudaFuncAttributeMaxDynamicSharedMemorySize) {
        if (static_cast<std::size_t>(value) > most_shared) return said(cudaErrorInvalidValue);
        f->dynamic_shared = static_cast<std::size_t>(value);
    }
    return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, void const* host) {
    auto* const f = function_at(host);
    if (!f) return said(cudaErrorInvalidDeviceFunction);
    *a = {};
    a->maxThreadsPerBlock = f->found->most_threads;
    a->sharedSizeBytes = f->found->static_shared;
    a->localSizeBytes = f->found->local;
    a->ptxVersion = a->binaryVersion = 80;
    a->numRegs = 64;
    a->maxDynamicSharedSizeBytes = static_cast<int>(f->dynamic_shared);
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* v) { return *v = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* v) { return *v = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* n) { return *n = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* n) { return *n = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int n) { return n == 0 ? cudaSuccess : said(cudaErrorInvalidDevice); }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
    *p = {};
    std::strcpy(p->name, "simulated GPU");
    p->major = 8;
    p->multiProcessorCount = 4;
    p->totalGlobalMem = total_memory;
    p->concurrentManagedAccess = p->managedMemory = 1;
    p->warpSize = lanes;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
    switch (which) {
    case cudaDevAttrClockRate: *value = 1000000; break;
    case cudaDevAttrMultiProcessorCount: *value = 4; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 8; break;
    case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = most_shared_unasked; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = most_shared; break;
    case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
    case cudaDevAttrConcurrentManagedAccess: *value = 1; break;
    default: *value = 0;
    }
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) { return *total = total_memory, *free = total_memory - registry::one().allocated, cudaSuccess; }

cudaError_t cudaMallocManaged(void** p, std::size_t bytes, unsigned) { return allocate(p, bytes); }
cudaError_t cudaMallocHost(void** p, std::size_t bytes) { return allocate(p, bytes); }
cudaError_t cudaHostAlloc(void** p, std::size_t bytes, unsigned) { return allocate(p, bytes); }
cudaError_t cudaMallocAsync(void** p, std::size_t bytes, cudaStream_t) { return allocate(p, bytes); }
/// These wait for all work, as the driver does.
cudaError_t cudaFree(void* p) { return device::one().finish(), give_back(p); }
cudaError_t cudaFreeHost(void* p) { return device::one().finish(), give_back(p); }
cudaError_t cudaFreeAsync(void* p, cudaStream_t) {
    device::one().enqueue([p] { give_back(p); });
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, void const* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
    device::one().enqueue([=] { std::memcpy(to, from, bytes); });
    return state();
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
    device::one().enqueue([=] {
        auto const at = reinterpret_cast<word>(to);
        if (bytes > 0 && memory_of_device().around(at).end < at + bytes) throw fault("cudaMemsetAsync writes to no memory of the device");
        std::memset(to, value, bytes);
    });
    return state();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) { return *s = reinterpret_cast<cudaStream_t>(new int), cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t s) { return delete reinterpret_cast<int*>(s), cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return device::one().finish() ? cudaSuccess : state(); }
cudaError_t cudaDeviceSynchronize() { return device::one().finish() ? cudaSuccess : state(); }
cudaError_t cudaStreamQuery(cudaStream_t) {
    if (device::one().idle()) return state();
    device::one().finish();
    return cudaErrorNotReady;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return *e = reinterpret_cast<cudaEvent_t>(new std::uint64_t(0)), cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t e) { return delete reinterpret_cast<std::uint64_t*>(e), cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t) { return ticket(e) = device::one().last_ticket(), cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t e) { return device::one().finish(ticket(e)) ? cudaSuccess : state(); }

cudaError_t cudaGetLastError() { return std::exchange(registry::one().last, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return registry::one().last; }
char const* cudaGetErrorName(cudaError_t) { return "an error of the simulated GPU"; }
char const* cudaGetErrorString(cudaError_t e) {
    if (device::one().broken()) return device::one().problem().c_str();
    switch (e) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "an argument is not valid: size of grid or block, or shared memory that was not asked for";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidDeviceFunction: return "no kernel of this program";
    default: return "an error of the simulated GPU";
    }
}

}  // extern "C"
