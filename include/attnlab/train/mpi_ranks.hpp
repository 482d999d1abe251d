#pragma once
#ifdef ATTNLAB_USE_MPI
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1   // the C++ bindings that MPI 3 removed
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/train/mpirun.hpp>
#include <attnlab/train/peer_watch.hpp>
#include <attnlab/train/rank_threads.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// Ranks by MPI, on CPUs. Compiled where ATTNLAB_USE_MPI is defined, which attnlab::compiled does where CMake finds MPI.

namespace attnlab {

/// All processes that mpirun has started; one object a program. MPI does not promise that a sum has the same bits whenever it is taken, it
/// recommends it to its implementations; those of Open MPI and MPICH choose the order by the number of ranks and of numbers alone.
class mpi_ranks final : public ranks {
public:
    /// \throws error where MPI does not see the ranks that were started
    mpi_ranks() {
        int provided = 0;
        check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "to begin");
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
        MPI_Comm_size(MPI_COMM_WORLD, &size_);
        if (auto const started = told_by_mpirun(); started.size != size_)
            fail("MPI: ", started.size, " ranks were started, of which this one sees ", size_, ": expected the mpirun of the MPI that attnlab was built with, ", library());
        meet_local_ranks();
    }

    /// All leave together; one that fails just goes, and mpirun ends the others.
    ~mpi_ranks() override {
        if (std::uncaught_exceptions() > 0) return;
        MPI_Barrier(MPI_COMM_WORLD);
        watch_.reset();
        MPI_Barrier(MPI_COMM_WORLD);
        MPI_Finalize();
    }

    int rank() const override { return rank_; }
    int size() const override { return size_; }

    void begin_sum(std::span<float> x) override { begin(x.data(), x.size(), MPI_FLOAT, sizeof(float)); }
    void begin_sum(std::span<double> x) override { begin(x.data(), x.size(), MPI_DOUBLE, sizeof(double)); }
    void progress() override {
        int done = 0;
        if (!begun_.empty()) check(MPI_Testall(static_cast<int>(begun_.size()), begun_.data(), &done, MPI_STATUSES_IGNORE), "a sum");
        if (done) begun_.clear();
    }
    void finish_sums() override {
        auto const from = std::chrono::steady_clock::now();
        check(MPI_Waitall(static_cast<int>(begun_.size()), begun_.data(), MPI_STATUSES_IGNORE), "a sum");
        begun_.clear();
        waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    }

    void sum(std::span<double> x) override {
        check(MPI_Allreduce(MPI_IN_PLACE, x.data(), static_cast<int>(x.size()), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD), "a sum");
    }
    void broadcast(std::span<std::byte> x) override {
        for (; !x.empty(); x = x.subspan(std::min(x.size(), at_once)))
            check(MPI_Bcast(x.data(), static_cast<int>(std::min(x.size(), at_once)), MPI_BYTE, 0, MPI_COMM_WORLD), "to pass on what rank 0 has");
    }
    void first_alone(std::function<void()> const& work) override {
        std::exception_ptr problem;
        if (rank_ == 0) {
            omp_set_num_threads(threads_.alone);
            try {
                work();
            } catch (...) {
                problem = std::current_exception();
            }
            omp_set_num_threads(threads_.together);
        }
        // MPI's own way to wait keeps a core busy.
        char failed = problem ? 1 : 0;
        MPI_Request told;
        check(MPI_Ibcast(&failed, 1, MPI_CHAR, 0, MPI_COMM_WORLD, &told), "to wait");
        for (int done = 0; !done;) {
            check(MPI_Test(&told, &done, MPI_STATUS_IGNORE), "to wait");
            if (!done) std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
        if (problem) std::rethrow_exception(problem);
        require(!failed, "rank 0 failed");
    }

    void if_lost(std::string line) override {
        std::lock_guard const lock(saying_);
        line_ = std::move(line);
    }
    double seconds_waited() const override { return waited_; }

private:
    static constexpr std::size_t at_once = std::size_t{1} << 30;   // MPI counts in int

    static std::string library() {
        char name[MPI_MAX_LIBRARY_VERSION_STRING];
        int n = 0;
        MPI_Get_library_version(name, &n);
        std::string const all(name, static_cast<std::size_t>(n));
        return all.substr(0, all.find_first_of(",\n"));
    }

    void check(int code, char const* what) const {
        if (code == MPI_SUCCESS) return;
        char words[MPI_MAX_ERROR_STRING];
        int n = 0;
        MPI_Error_string(code, words, &n);
        fail("MPI: ", what, ": ", std::string(words, static_cast<std::size_t>(n)));
    }

    void begin(void* x, std::size_t n, MPI_Datatype type, std::size_t bytes) {
        auto* at = static_cast<std::byte*>(x);
        for (std::size_t some; n > 0; n -= some, at += some * bytes) {
            some = std::min(n, at_once / bytes);
            check(MPI_Iallreduce(MPI_IN_PLACE, at, static_cast<int>(some), type, MPI_SUM, MPI_COMM_WORLD, &begun_.emplace_back()), "a sum");
        }
        progress();
    }

    /// Those of this machine: they share its cores, and see when another is lost.
    void meet_local_ranks() {
        MPI_Comm here;
        check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &here), "to find the ranks of this machine");
        int n = 0;
        MPI_Comm_size(here, &n);
        std::vector<peer_watch::peer> all(static_cast<std::size_t>(n));
        peer_watch::peer own{rank_, ::getpid()};
        check(MPI_Allgather(&own, sizeof own, MPI_BYTE, all.data(), sizeof own, MPI_BYTE, here), "to find the ranks of this machine");
        MPI_Comm_free(&here);
        threads_ = rank_threads(n);
        omp_set_num_threads(threads_.together);
        std::erase_if(all, [&](auto const& p) { return p.rank == rank_; });
        if (!all.empty()) watch_ = std::make_unique<peer_watch>(all, [this](int ended, int left) { lost(ended, left); });
    }

    /// The lowest rank left says so; without it no sum will ever come, so all go.
    [[noreturn]] void lost(int ended, int left) {
        if (left == peer_watch::none || rank_ < left) {
            std::lock_guard const lock(saying_);
            std::cerr << text("error: rank ", ended, " was lost ", line_, "\n") << std::flush;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(300));   // so that nobody takes this rank for the one that was lost
        ::_exit(1);
    }

    int rank_ = 0, size_ = 1;
    thread_counts threads_{1, 1};
    std::vector<MPI_Request> begun_;
    double waited_ = 0;
    std::mutex saying_;
    std::string line_ = "before the first step";
    std::unique_ptr<peer_watch> watch_;
};

}  // namespace attnlab
#endif
