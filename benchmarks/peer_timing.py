"""Times and memory of PyTorch's calls, taken as `attnlab benchmark` takes its own (include/attnlab/cli/benchmark_timing.hpp)."""
import ctypes
import gc
import os
import resource
import time


def _others():
    """CPU seconds that all other processes have used."""
    with open("/proc/stat") as f:
        fields = f.readline().split()[1:9]                                  # user nice system idle iowait irq softirq steal
    own = resource.getrusage(resource.RUSAGE_SELF)
    busy = sum(int(v) for i, v in enumerate(fields) if i not in (3, 4))
    return busy / os.sysconf("SC_CLK_TCK") - own.ru_utime - own.ru_stime


def share_of_others(f):
    """Share of one core that others used while f ran; two ticks are forgiven."""
    before, start = _others(), time.perf_counter()
    f()
    return max(0.0, _others() - before - 0.02) / (time.perf_counter() - start)


def times(f, budget, warm=2):
    """(least, median, share of others) over repeats; again after a wait for quiet where others used over 6 % of a core."""
    for _ in range(warm):
        f()
    best = None
    for attempt in range(3):
        end = time.perf_counter() + (30 * budget if attempt else 0)
        while time.perf_counter() < end and share_of_others(lambda: time.sleep(0.5)) > 0.06:
            pass
        taken = []

        def repeat():
            begin = time.perf_counter()
            while len(taken) < 5 or time.perf_counter() - begin < budget:
                start = time.perf_counter()
                f()
                taken.append(time.perf_counter() - start)

        others = share_of_others(repeat)
        taken.sort()
        if best is None or others < best[2]:
            best = taken[0], taken[len(taken) // 2], others
        if best[2] <= 0.06:
            break
    return best


def emit(name, taken):
    if taken[2] > 0.06:
        print(f"# contended: other processes used {taken[2]:.2f} of a core during the next figure")
    print(f"{name}.min {taken[0] * 1e3:.4f} ms\n{name}.median {taken[1] * 1e3:.4f} ms", flush=True)


def resident_mib(field="VmRSS"):
    """VmRSS, or VmHWM: the most since `reset_peak`."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith(field))


def reset_peak():
    """From now on VmHWM counts anew; memory that was freed goes back first, so that its use again is seen."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")
