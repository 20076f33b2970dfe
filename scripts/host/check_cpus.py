"""Doctor: CPUs and clocks. A worker polls without pause, so its CPU should have no other work and full speed."""

from host.machine import list_text, parse_list
from host.subject import fail, ok, warn

CPUS = "/sys/devices/system/cpu/"


def checks(subject):
    if subject.eal is None:
        yield warn("no EAL options given: lcores, their NUMA nodes and RSS are not checked",
                   "scripts/doctor ... -- -l 1-4 -a 0000:3b:00.0")
    elif subject.layout is None:
        yield warn("the EAL options lay out no lcores that can be made out: by itself EAL takes every CPU",
                   "-l 1-4 among the EAL options")
    else:
        yield lcores(subject)
        if not missing_cpus(subject):
            yield shared_cores(subject)
            yield isolated(subject)
            yield governor(subject)
    yield tsc(subject)
    yield wall_clock(subject)


def lcores(subject):
    missing = missing_cpus(subject)
    if missing:
        return fail("lcores: there is no CPU %s, or it is not online" % list_text(missing),
                    "choose among CPUs %s" % list_text(subject.machine.cpus(CPUS + "online")))
    layout = subject.layout
    return ok("lcores: main %d controls, %d exports, %s work" % (layout.main, layout.exporter,
                                                                 list_text(layout.workers)))


def missing_cpus(subject):
    return set().union(*subject.layout.cpus.values()) - subject.machine.cpus(CPUS + "online")


def core_of(machine, cpu):
    """The CPUs of the same core, hyper-threads of each other."""
    return machine.cpus(CPUS + "cpu%d/topology/thread_siblings_list" % cpu) or {cpu}


def shared_cores(subject):
    """A worker wants a core for itself: another lcore on the CPU, or on its hyper-thread, takes half of it."""
    layout = subject.layout
    cores = {lcore: frozenset().union(*(core_of(subject.machine, cpu) for cpu in cpus))
             for lcore, cpus in layout.cpus.items()}
    pairs = ["%d and %d" % (min(worker, other), max(worker, other))
             for worker in layout.workers for other in cores
             if other != worker and not (other in layout.workers and other < worker)
             and cores[worker] & cores[other]]
    if pairs:
        return warn("lcores %s share a core (the same CPU, or hyper-threads of one)" % ", ".join(pairs),
                    "cat %scpu*/topology/thread_siblings_list | sort -u; one lcore from each line" % CPUS)
    return ok("every worker lcore has a core for itself")


def isolated(subject):
    machine, cpus = subject.machine, subject.layout.worker_cpus
    nohz_full = machine.cpus(CPUS + "nohz_full")
    kept_free = {"isolcpus": machine.cpus(CPUS + "isolated"), "nohz_full": nohz_full,
                 "rcu_nocbs": nohz_full | rcu_nocbs(machine)}      # nohz_full brings rcu_nocbs with it
    lacking = [name for name, of in kept_free.items() if cpus - of]
    if lacking:
        return warn("CPUs %s of the workers: not all in %s, so the kernel interrupts them" % (list_text(cpus),
                                                                                           ", ".join(lacking)),
                    "boot with " + " ".join("%s=%s" % (name, list_text(cpus)) for name in kept_free))
    return ok("CPUs %s of the workers: isolated from the kernel's scheduler, tick and RCU" % list_text(cpus))


def rcu_nocbs(machine):
    for word in (machine.read("/proc/cmdline") or "").split():
        if word.startswith("rcu_nocbs="):
            value = word.partition("=")[2]
            return machine.cpus(CPUS + "possible") if value == "all" else parse_list(value)
    return set()


def governor(subject):
    slow = {}
    for cpu in subject.layout.worker_cpus:
        name = subject.machine.read(CPUS + "cpu%d/cpufreq/scaling_governor" % cpu)
        if name not in (None, "performance"):
            slow.setdefault(name, set()).add(cpu)
    if not slow:
        return ok("CPU frequency: governor performance, or not the kernel's to choose")
    texts = ("%s on CPUs %s" % (name, list_text(cpus)) for name, cpus in sorted(slow.items()))
    return warn("CPU frequency: governor " + ", ".join(texts),
                "echo performance | tee %scpu*/cpufreq/scaling_governor" % CPUS)


def tsc(subject):
    """pollflow reads the time from the TSC, once a burst."""
    flags = next((line.split() for line in subject.machine.lines("/proc/cpuinfo") if line.startswith("flags")), [])
    lacking = [flag for flag in ("constant_tsc", "nonstop_tsc") if flag not in flags]
    if lacking:
        return warn("clock: the CPU does not promise %s, so flow times may drift" % " and ".join(lacking),
                    "in a guest: have the host pass the CPU's TSC flags on (invtsc)")
    source = subject.machine.read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source != "tsc":
        return warn("clock: the kernel's source is %s and not tsc: it may have found the TSC unstable" % source,
                    "dmesg | grep -i -e tsc -e clocksource")
    return ok("clock: tsc, constant and nonstop")


def wall_clock(subject):
    if subject.machine.clock_is_synchronised():
        return ok("wall clock: synchronised")
    return warn("wall clock: nothing synchronises it, and records carry its time",
                "apt-get install chrony, or timedatectl set-ntp true")
