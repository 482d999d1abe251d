#pragma once
#include <barrier>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include <attnlab/train/ranks.hpp>

/// What threads share that play at being ranks.
struct thread_team {
    explicit thread_team(int n) : size(n), gate(n), at(static_cast<std::size_t>(n)) {}
    int size;
    std::barrier<> gate;
    std::vector<void*> at;
    bool failed = false;
};

/// Ranks without MPI: each is a thread of this program. Numbers are summed in the order of the ranks.
class thread_ranks : public attnlab::ranks {
public:
    thread_ranks(thread_team& team, int rank) : team_(&team), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return team_->size; }
    void begin_sum(std::span<float> x) override { add_up(x); }
    void begin_sum(std::span<double> x) override { add_up(x); }
    void finish_sums() override {}
    void sum(std::span<double> x) override { add_up(x); }
    void broadcast(std::span<std::byte> x) override {
        meet(x.data(), [&] {
            for (void* to : team_->at)
                if (to != x.data()) std::memcpy(to, x.data(), x.size());
        });
    }
    void first_alone(std::function<void()> const& work) override {
        std::exception_ptr problem;
        meet(nullptr, [&] {
            try {
                work();
            } catch (...) {
                problem = std::current_exception();
            }
            team_->failed = problem != nullptr;
        });
        if (problem) std::rethrow_exception(problem);
        attnlab::require(!team_->failed, "rank 0 failed");
    }

private:
    template <class T>
    void add_up(std::span<T> x) {
        meet(x.data(), [&] {
            for (std::size_t i = 0; i < x.size(); ++i) {
                T sum = 0;
                for (void* p : team_->at) sum += static_cast<T*>(p)[i];
                for (void* p : team_->at) static_cast<T*>(p)[i] = sum;
            }
        });
    }
    template <class Work>
    void meet(void* own, Work work) {
        team_->at[static_cast<std::size_t>(rank_)] = own;
        team_->gate.arrive_and_wait();
        if (rank_ == 0) work();
        team_->gate.arrive_and_wait();
    }

    thread_team* team_;
    int rank_;
};

/// Runs `each(ranks)` on n threads.
template <class Each>
void on_ranks(int n, Each each) {
    thread_team team(n);
    std::vector<std::thread> threads;
    for (int r = 0; r < n; ++r)
        threads.emplace_back([&, r] {
            thread_ranks own(team, r);
            each(own);
        });
    for (auto& t : threads) t.join();
}
