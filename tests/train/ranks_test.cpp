// Training in several ranks, played by threads: what mpirun does with them, tests/program/ranks_test.cpp tries.
#include <boost/test/unit_test.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/train/gradient_carrier.hpp>
#include <attnlab/train/peer_watch.hpp>
#include <attnlab/train/trainer.hpp>

#include "bigram.hpp"
#include "io/folder.hpp"
#include "thread_ranks.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(training_ranks)

namespace {

train_settings small(std::int64_t micro_batches) {
    train_settings s;
    s.max_iters = 12;
    s.eval_interval = 5;
    s.eval_iters = 3;
    s.gradient_accumulation_steps = micro_batches;
    s.batch_size = 12;
    s.block_size = 8;
    s.schedule = {0.05, 0.005, 3, 12};
    s.grad_clip = 0.05;   // at work in every step
    return s;
}

/// The rule's batches, in which the first rows have few targets and one row none.
struct uneven_batches : rule_batches {
    void batch(std::uint64_t i, view<token, 2> x, view<token, 2> y) const {
        rule_batches::batch(i, x, y);
        for (index_t b = 0; b < y.shape(0) / 2; ++b)
            for (index_t t = 0; t < y.shape(1) - b; ++t) y(b, t) = -1;
    }
};

/// A bigram that passes over targets of -1, as models do.
struct masked : bigram<double> {
    using bigram<double>::bigram;
    double loss_and_gradient(view<token const, 2> x, view<token const, 2> y, double scale) {
        std::vector<token> some_x, some_y;
        for (index_t i = 0; i < y.size(); ++i)
            if (y.data()[i] != -1) some_x.push_back(x.data()[i]), some_y.push_back(y.data()[i]);
        std::array<index_t, 2> const shape{1, static_cast<index_t>(some_x.size())};
        return bigram<double>::loss_and_gradient({some_x.data(), shape}, {some_y.data(), shape}, scale);
    }
};

double largest_difference(std::vector<double> const& a, std::vector<double> const& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_shares_of_all_ranks_are_the_batch) {
    for (std::int64_t const micro_batches : {1, 2, 3, 4, 6, 40})
        for (index_t const rows : {1, 4, 6, 12})
            for (int const ranks : {1, 2, 3, 4, 8}) {
                std::vector<int> taken(static_cast<std::size_t>(micro_batches * rows));
                bool const whole = ranks / std::gcd(micro_batches, std::int64_t{ranks}) == 1;
                try {
                    for (int rank = 0; rank < ranks; ++rank) {
                        batch_share const share(micro_batches, rows, rank, ranks);
                        BOOST_TEST(share.cuts() == !whole);
                        for (std::int64_t n = 0; n < share.count(); ++n)
                            for (index_t r = 0; r < share[n].rows; ++r) ++taken[static_cast<std::size_t>(share[n].micro_batch * rows + share[n].first + r)];
                    }
                    BOOST_TEST(std::count(taken.begin(), taken.end(), 1) == static_cast<std::ptrdiff_t>(taken.size()));
                } catch (usage_error const& e) {
                    BOOST_TEST(!whole);
                    BOOST_TEST(names(e.what(), text("gradient_accumulation_steps: '", micro_batches, "'"), text("multiple of ", ranks), "batch_size"));
                }
            }
    batch_share const dealt(6, 5, 1, 3);   // as nanoGPT deals them out
    BOOST_TEST(dealt.count() == 2);
    BOOST_TEST(dealt[1].micro_batch == 4);
}

// In double and with AdamW, so that all but the order of sums must agree.
BOOST_AUTO_TEST_CASE(several_ranks_are_one_process) {
    for (std::int64_t const micro_batches : {1, 2, 4}) {
        masked whole;
        std::vector<double> losses;
        attnlab::trainer(whole, small(micro_batches)).run(uneven_batches{}, {{}, [&](step_record const& r) { losses.push_back(r.loss); }});
        for (int const n : {2, 3, 4}) {
            std::vector<std::vector<double>> found(static_cast<std::size_t>(n));
            std::vector<double> told;
            std::atomic<int> evaluations = 0;
            on_ranks(n, [&](ranks& all) {
                masked model(static_cast<std::uint64_t>(all.rank() + 1));   // other first values: those of rank 0 count
                attnlab::trainer t(model, small(micro_batches));
                t.train_among(all, 64);
                train_hooks<masked> hooks;
                hooks.on_evaluate = [&](std::int64_t, masked&, loss_estimate) { ++evaluations; };
                hooks.on_step = [&](step_record const& r) { told.push_back(r.loss); };
                t.run(uneven_batches{}, hooks);
                found[static_cast<std::size_t>(all.rank())] = values(model.parameters());
            });
            for (auto const& f : found) BOOST_TEST((f == found[0]), "all ranks have the same bits");
            BOOST_TEST(largest_difference(found[0], values(whole.parameters())) < 1e-12);
            BOOST_TEST(largest_difference(told, losses) < 1e-12);
            BOOST_TEST(told.size() == losses.size());   // rank 0 alone tells
            BOOST_TEST(evaluations == 4);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_run_goes_on_with_another_number_of_ranks) {
    folder f;
    auto s = small(2);
    masked whole;
    attnlab::trainer(whole, s).run(uneven_batches{});
    s.checkpoint = f / "a.safetensors";
    std::vector<double> found;
    for (auto const& [n, until] : {std::pair{2, 5}, {4, 7}, {1, 9}, {3, 12}}) {
        auto part = s;
        part.max_iters = until;
        on_ranks(n, [&](ranks& all) {
            masked model(99);
            if (part.max_iters == 5 && all.rank() == 0) model.parameters().initialize(1);
            attnlab::trainer t(model, part);
            t.train_among(all);
            if (part.max_iters > 5) all.first_alone([&] { t.resume(part.checkpoint); });
            t.run(uneven_batches{});
            if (all.rank() == 0) found = values(model.parameters());
        });
        BOOST_TEST(read_training_state(safetensors_reader(s.checkpoint)).tokens_seen == until * 2 * 12 * 8);
    }
    BOOST_TEST(largest_difference(found, values(whole.parameters())) < 1e-12);
}

/// Its loss is no number in one rank.
struct failing : masked {
    int rank = 0, calls = 0;
    double loss_and_gradient(view<token const, 2> x, view<token const, 2> y, double scale) {
        double const loss = masked::loss_and_gradient(x, y, scale);
        return rank == 1 && ++calls > 3 ? std::numeric_limits<double>::quiet_NaN() : loss;
    }
};

BOOST_AUTO_TEST_CASE(what_goes_wrong_in_one_rank_stops_all_at_the_same_step) {
    std::vector<std::string> lines(3);
    on_ranks(3, [&](ranks& all) {
        failing model;
        model.rank = all.rank();
        attnlab::trainer t(model, small(3));
        t.train_among(all);
        try {
            t.run(uneven_batches{});
        } catch (error const& e) {
            lines[static_cast<std::size_t>(all.rank())] = e.what();
        }
    });
    for (auto const& line : lines) BOOST_TEST(names(line, "train: step 3: the loss is nan"));

    on_ranks(2, [&](ranks& all) {   // what rank 0 does alone
        masked model;
        attnlab::trainer t(model, small(2));
        t.train_among(all);
        try {
            t.run(uneven_batches{}, {[](std::int64_t, masked&, loss_estimate) { fail("disk full"); }, {}});
        } catch (error const& e) {
            lines[static_cast<std::size_t>(all.rank())] = e.what();
        }
    });
    BOOST_TEST(lines[0] == "disk full");
    BOOST_TEST(lines[1] == "rank 0 failed");
}

/// Notes what is to be summed.
struct noting final : ranks {
    std::vector<std::span<float>> sums;
    int finished = 0;
    int rank() const override { return 0; }
    int size() const override { return 2; }
    void begin_sum(std::span<float> x) override { sums.push_back(x); }
    void begin_sum(std::span<double>) override {}
    void finish_sums() override { ++finished; }
    void sum(std::span<double>) override {}
    void broadcast(std::span<std::byte>) override {}
    void first_alone(std::function<void()> const&) override {}
};

BOOST_AUTO_TEST_CASE(buckets_begin_when_they_are_full_and_where_depends_on_nobody) {
    parameter_list<float> parameters;
    for (index_t const n : {40, 7, 100, 30, 3}) parameters.add("p" + std::to_string(n), {n}, zeros);
    parameters.allocate();
    std::vector<std::ptrdiff_t> cuts;
    for (bool const told : {true, false}) {
        noting all;
        gradient_buckets<float> buckets(parameters, all, 32 * sizeof(float), [] {});
        auto const begun_from = [&] { return all.sums.empty() ? nullptr : all.sums.back().data(); };
        if (told) {
            buckets.done(4);
            BOOST_TEST(all.sums.empty());   // not full
            buckets.done(3);
            BOOST_TEST(all.sums.size() == 1u);
            BOOST_TEST(begun_from() >= parameters.items()[3]->gradient.data());
            buckets.done(1);
            BOOST_TEST(begun_from() >= parameters.items()[1]->gradient.data());
            BOOST_TEST(begun_from() < parameters.items()[1]->gradient.data() + 32);
        }
        buckets.finish();
        BOOST_TEST(all.finished == 1);
        std::vector<std::ptrdiff_t> here;
        auto* end = parameters.gradients().data() + parameters.gradients().size();
        for (auto const& s : all.sums) {   // one after the other, from the end to the beginning, nothing twice
            BOOST_TEST(s.data() + s.size() == end);
            end = s.data();
            here.push_back(end - parameters.gradients().data());
        }
        BOOST_TEST(end == parameters.gradients().data());
        if (told) cuts = here;
        else BOOST_TEST(here == cuts, boost::test_tools::per_element());
    }
}

/// A model whose gradients, as on a GPU, are there when somebody has waited for them.
struct late : masked {
    static inline thread_local std::function<void()> under_way;
    static void arrive() {
        if (under_way) std::exchange(under_way, nullptr)();
    }
    double loss_and_gradient(view<token const, 2> x, view<token const, 2> y, double scale, gradients_done const& done = {}) {
        arrive();
        auto const to = parameters().gradients();
        std::vector<double> const before(to.begin(), to.end());
        double const loss = masked::loss_and_gradient(x, y, scale);
        under_way = [to, after = std::vector<double>(to.begin(), to.end())] { std::copy(after.begin(), after.end(), to.begin()); };
        std::copy(before.begin(), before.end(), to.begin());
        if (done) done(0);
        return loss;
    }
    static array_operations<double> const& operations() {
        static array_operations<double> const all = [] {
            auto o = host_operations<double>;
            o.gradient_norm = [](parameter_list<double>& p) { return arrive(), gradient_norm(p); };
            o.synchronize = [] { arrive(); };
            return o;
        }();
        return all;
    }
};
/// Who comes after the kernels by himself.
struct after_kernels final : thread_ranks {
    int early = 0;   ///< sums begun while kernels were under way
    explicit after_kernels(thread_ranks const& r) : thread_ranks(r) {}
    bool follows_kernels() const override { return true; }
    void begin_sum(std::span<double> x) override {
        early += late::under_way != nullptr;
        late::arrive();
        thread_ranks::begin_sum(x);
    }
};

BOOST_AUTO_TEST_CASE(who_reads_on_the_host_waits_for_the_kernels) {
    masked whole;
    attnlab::trainer(whole, small(2)).run(uneven_batches{});
    for (bool const by_itself : {false, true}) {
        std::vector<double> found;
        on_ranks(2, [&](thread_ranks& host) {
            after_kernels follows(host);
            ranks& all = by_itself ? static_cast<ranks&>(follows) : host;
            late model;
            attnlab::trainer t(model, small(2));
            t.train_among(all, 64);
            t.run(uneven_batches{});
            if (all.rank() == 0) found = values(model.parameters());
            if (by_itself && all.rank() == 0) BOOST_TEST(follows.early > 0);   // nobody waited for it
        });
        BOOST_TEST(largest_difference(found, values(whole.parameters())) < 1e-12);
    }
}

BOOST_AUTO_TEST_CASE(nccl_carries_where_each_rank_has_a_gpu) {
    std::array<gpu_id, 3> gpus{gpu_id{1, 2}, gpu_id{1, 3}, gpu_id{255}};
    on_ranks(3, [&](ranks& all) {
        auto const found = gather(all, gpus[static_cast<std::size_t>(all.rank())]);
        if (all.rank() == 1) BOOST_TEST((std::ranges::equal(found, gpus)));
    });
    BOOST_TEST(choose_carrier({}, true).text == "MPI");
    BOOST_TEST(choose_carrier(gpus, true).by_nccl);
    BOOST_TEST(choose_carrier(gpus, false).text == "MPI, for this program was built without NCCL");
    gpus[2] = gpus[0];
    BOOST_TEST(!choose_carrier(gpus, true).by_nccl);
    BOOST_TEST(choose_carrier(gpus, true).text == "MPI, for ranks 0 and 2 share a GPU");
}

BOOST_AUTO_TEST_CASE(a_process_that_ends_is_noticed) {
    auto const sleeper = [] {
        auto const child = ::fork();
        if (child == 0) {
            ::pause();
            ::_exit(0);
        }
        return child;
    };
    auto const first = sleeper(), second = sleeper();
    std::atomic<int> ended = peer_watch::none, left = peer_watch::none;
    {
        peer_watch const watch({{2, second}, {0, first}}, [&](int e, int l) { left = l, ended = e; });
        ::kill(second, SIGKILL);
        for (int i = 0; i < 5000 && ended == peer_watch::none; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    BOOST_TEST(ended == 2);
    BOOST_TEST(left == 0);
    ended = peer_watch::none;
    { peer_watch const watch({{0, first}}, [&](int e, int) { ended = e; }); }   // over before anything happened
    BOOST_TEST(ended == peer_watch::none);
    ::kill(first, SIGKILL);
    for (auto child : {first, second}) ::waitpid(child, nullptr, 0);
}

BOOST_AUTO_TEST_SUITE_END()
