#include "device.hpp"

#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>

namespace simulated {

device_memory& memory_of_device() {
    static auto* const m = new device_memory;   // outlives what gives memory back when the program ends
    return *m;
}

namespace {

/// One block: its warps go from barrier to barrier, in another order each time.
void run_block(launch const& l, std::uint32_t launch_number, std::array<int, 3> index, shared_memory& shared, counts& c) {
    shared.begin_block(l.program->static_shared + l.shared);
    auto const linear = static_cast<std::uint32_t>((index[2] * l.blocks[1] + index[1]) * l.blocks[0] + index[0]);
    block_state block{l.program, {launch_number, linear}, l.threads, l.blocks, index, &l.arguments, &shared, &c};
    int const threads = l.threads[0] * l.threads[1] * l.threads[2];
    std::vector<warp> warps;
    for (int first = 0; first < threads; first += lanes) warps.emplace_back(block, first);
    std::vector<bool> ended(warps.size());
    for (std::uint32_t phase = 0;; ++phase) {
        bool waiting = false;
        for (std::size_t n = 0; n < warps.size(); ++n) {
            std::size_t const at = (phase % 2 == 0 ? n : warps.size() - 1 - n) + phase / 2;
            std::size_t const w = at % warps.size();
            if (ended[w]) continue;
            ended[w] = warps[w].run() == warp::state::ended;
            waiting = waiting || !ended[w];
        }
        if (!waiting) return;
        shared.barrier();
        for (std::size_t w = 0; w < warps.size(); ++w)
            if (!ended[w]) warps[w].release();
        block.vote_so_far = {false, true};
    }
}

std::string demangled(std::string const& name) {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> const text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
    return status == 0 ? text.get() : name;
}

}  // namespace

counts run(launch const& l) {
    static std::uint32_t launches = 0;
    std::uint32_t const launch_number = ++launches;
    counts total;
    total.launches = 1;
    std::exception_ptr problem;
    long const blocks = static_cast<long>(l.blocks[0]) * l.blocks[1] * l.blocks[2];
#pragma omp parallel
    {
        shared_memory shared;
        counts mine;
        mine.executed.resize(l.program->code.size());
#pragma omp for schedule(dynamic)
        for (long b = 0; b < blocks; ++b) {
            try {
                run_block(l, launch_number, {static_cast<int>(b % l.blocks[0]), static_cast<int>(b / l.blocks[0] % l.blocks[1]), static_cast<int>(b / l.blocks[0] / l.blocks[1])}, shared, mine);
            } catch (...) {
#pragma omp critical
                problem = std::current_exception();
            }
        }
#pragma omp critical
        total += mine;
    }
    if (problem) std::rethrow_exception(problem);
    return total;
}

device& device::one() {
    static device d;
    return d;
}

std::uint64_t device::enqueue(std::function<void()> work) {
    std::lock_guard const lock(mutex_);
    queue_.emplace_back(++given_, std::move(work));
    return given_;
}

bool device::finish(std::uint64_t ticket) {
    std::lock_guard const lock(mutex_);
    while (!queue_.empty() && queue_.front().first <= ticket) {
        auto const work = std::move(queue_.front().second);
        queue_.pop_front();
        if (broken()) continue;   // as on a GPU, nothing works after a fault
        try {
            work();
        } catch (std::exception const& e) {
            problem_ = e.what();
            std::fprintf(stderr, "simulated GPU: %s\n", e.what());
        }
    }
    return !broken();
}
bool device::idle() const {
    std::lock_guard const lock(mutex_);
    return queue_.empty();
}

void device::start(launch l) {
    enqueue([this, l = std::move(l)] {
        try {
            counts_[l.program] += run(l);
        } catch (fault const& f) {
            throw fault(demangled(l.program->name) + ": " + f.what());
        }
    });
}

/// SIMULATED_GPU_COUNTS=1 prints what each kernel did, =FILE also writes each program with how often a warp did each instruction.
device::~device() {
    if (char const* const wanted = std::getenv("SIMULATED_GPU_COUNTS")) report(wanted);
}
void device::report(std::string const& file) const {
    auto const number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    std::fprintf(stderr, "%9s %14s %14s %12s %12s %8s  kernel\n", "launches", "instructions", "multiply-adds", "global, KiB", "shared turns", "x least");
    for (auto const& [program, c] : counts_)
        std::fprintf(stderr, "%9llu %14llu %14llu %12llu %12llu %8.2f  %s\n", number(c.launches), number(c.instructions()), number(c.products), number(c.global_sectors / 32),
                     number(c.shared_wavefronts), c.shared_least == 0 ? 1.0 : static_cast<double>(c.shared_wavefronts) / static_cast<double>(c.shared_least),
                     demangled(program->name).c_str());
    if (file == "1") return;
    std::ofstream out(file);
    for (auto const& [program, c] : counts_) {
        out << "\n" << demangled(program->name) << "\n";
        for (std::size_t i = 0; i < c.executed.size(); ++i) out << c.executed[i] << "\t" << i << "\t" << program->code[i].text << "\n";
    }
}

}  // namespace simulated
