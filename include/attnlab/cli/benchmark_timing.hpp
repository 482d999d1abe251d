#pragma once
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <omp.h>

#include <attnlab/core/error.hpp>
#include <attnlab/core/precision.hpp>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/// \file
/// Time and memory of a call, with a guard: other processes on the machine make a figure worthless, so it is known when they ran.

namespace attnlab {

/// What repeats of a call took.
struct timing {
    double least = 0, median = 0;  ///< seconds
    double others = 0;             ///< share of one core that other processes used meanwhile
};

namespace detail {

/// From here on, a figure counts as contended.
inline constexpr double contended_share = 0.06;

/// CPU seconds that all processes but this one have used so far, in Linux's ticks of 10 ms.
inline double cpu_seconds_of_others() {
    std::ifstream in("/proc/stat");
    std::string word;
    in >> word;
    double all = 0;
    for (int field = 0; field < 8; ++field) {  // user nice system idle iowait irq softirq steal
        double ticks = 0;
        in >> ticks;
        if (field != 3 && field != 4) all += ticks;
    }
    rusage own{};
    ::getrusage(RUSAGE_SELF, &own);
    auto const seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
    return all / static_cast<double>(::sysconf(_SC_CLK_TCK)) - seconds(own.ru_utime) - seconds(own.ru_stime);
}

inline double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The share of one core that other processes used while f ran. Two ticks are forgiven: what short calls cannot tell from
/// nothing.
template <class F>
double share_of_others(F f) {
    double const before = cpu_seconds_of_others(), start = seconds_now();
    f();
    return std::max(0.0, cpu_seconds_of_others() - before - 0.02) / (seconds_now() - start);
}

/// Returns when nobody else uses the machine, or after `patience` seconds.
inline void wait_for_quiet(double patience) {
    for (double const end = seconds_now() + patience; seconds_now() < end;)
        if (share_of_others([] { std::this_thread::sleep_for(std::chrono::milliseconds(500)); }) <= contended_share) return;
}

/// A number of /proc/self/status in MiB: VmRSS, what is resident; VmHWM, the most that was.
inline double memory_mib(std::string const& field) {
    std::ifstream in("/proc/self/status");
    for (std::string word; in >> word;)
        if (word == field + ":") {
            double kib = 0;
            in >> kib;
            return kib / 1024;
        }
    return std::nan("");
}
/// From now on VmHWM counts anew; memory that was freed goes back first, so that its use again is seen.
inline void reset_peak_memory() {
#ifdef __GLIBC__
    ::malloc_trim(0);
#endif
    std::ofstream("/proc/self/clear_refs") << 5;
}

}  // namespace detail

/// Repeats calls for `budget` seconds, at least five times, after one that is not counted. Where others used the machine
/// meanwhile, it waits for quiet (at most 30 budgets) and times again, three times in all; the quietest counts. A GPU is asked once: others
/// on its machine's cores do not matter.
template <class F>
timing time_calls(double budget, F f, std::string const& device = "cpu") {
    f();
    timing best;
    for (int attempt = 0; attempt < (device == "cpu" ? 3 : 1); ++attempt) {
        if (attempt > 0) detail::wait_for_quiet(30 * budget);
        std::vector<double> times;
        double const others = detail::share_of_others([&] {
            double const begin = detail::seconds_now();
            for (double now = begin; times.size() < 5 || now - begin < budget;) {
                f();
                double const end = detail::seconds_now();
                times.push_back(end - now);
                now = end;
            }
        });
        std::sort(times.begin(), times.end());
        if (attempt == 0 || others < best.others) best = {times.front(), times[times.size() / 2], others};
        if (best.others <= detail::contended_share) break;
    }
    return best;
}

/// One figure. Every benchmark prints lines `name value unit`, and comments after #.
inline void print_figure(std::string const& name, double value, char const* unit) {
    std::cout << name << ' ' << value << ' ' << unit << std::endl;
}

/// Says so where the next figure is not to be trusted.
inline void warn_if_contended(timing const& t) {
    if (t.others > detail::contended_share)
        std::cout << "# contended: other processes used " << t.others << " of a core during the next figure" << std::endl;
}

/// Where a figure is taken, and what is multiplied there.
struct benchmark_place {
    std::string device = "cpu";
    precision products = precision::float32;

    /// As figures are called after it: t4 for four threads, cuda, cuda-bfloat16.
    std::string name() const {
        return (device == "cpu" ? text("t", omp_get_max_threads()) : device) + (products == precision::float32 ? "" : text("-", name_of(products)));
    }
};

inline void print_times(std::string const& name, timing const& t) {
    warn_if_contended(t);
    print_figure(name + ".min", t.least * 1e3, "ms");
    print_figure(name + ".median", t.median * 1e3, "ms");
}

}  // namespace attnlab
