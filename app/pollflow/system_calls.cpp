#include "system_calls.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "failure.hpp"

namespace pollflow::app {
namespace {

// By name, since not every architecture has each of them.
constexpr std::array allowed = {
    // Files and devices that are open; ioctl below.
    "read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "fcntl", "dup",
    "dup2", "dup3", "poll", "ppoll", "select", "pselect6", "fsync", "ftruncate", "fallocate",
    "flock",
    // Configuration, routes, what drivers read of /sys; files of huge pages.
    "open", "openat", "stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "unlink",
    "unlinkat", "mkdir", "rmdir", "memfd_create",
    // Waiting for several.
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd",
    "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "pipe", "pipe2",
    // Collectors, control clients, metrics readers, the kernel's routes.
    "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "send", "recv", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg",
    "recvmmsg", "shutdown",
    // Memory, on its NUMA node; mmap and mprotect below.
    "brk", "munmap", "mremap", "madvise", "mbind", "get_mempolicy", "set_mempolicy", "mlock",
    "mlock2", "munlock", "mincore", "move_pages",
    // Threads; clone below.
    "set_robust_list", "rseq", "futex", "sched_yield", "sched_getaffinity", "sched_setaffinity",
    "sched_getparam", "sched_getscheduler", "getcpu", "gettid", "exit", "membarrier",
    "set_tid_address", "arch_prctl",
    // Signals; tgkill below.
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack",
    "restart_syscall", "pause",
    // Time, and who one is.
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
    "times", "getrandom", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid",
    "getrusage", "getrlimit", "prlimit64", "uname", "sysinfo", "exit_group"};

constexpr std::array families = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

[[noreturn]] void fail(const char* step, int error) {
  throw Failure(ExitCode::failed,
                fmt::format("{} the filter of system calls failed ({}); --seccomp=false does "
                            "without it",
                            step, std::strerror(-error)));
}

// Conditions on an argument: it is `value`; of its bits in `mask` those of `value` are set.
scmp_arg_cmp is(unsigned argument, scmp_datum_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}
scmp_arg_cmp has(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

class Filter {
 public:
  Filter() : rules_(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release) {
    if (!rules_) fail("making", -ENOMEM);
    // For all threads, by a search in a tree: workers make no system calls, but exporters do.
    must(seccomp_attr_set(rules_.get(), SCMP_FLTATR_CTL_TSYNC, 1));
    seccomp_attr_set(rules_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }

  void allow(const char* name, const std::vector<scmp_arg_cmp>& conditions = {}) {
    add(SCMP_ACT_ALLOW, name, conditions);
  }
  void add(uint32_t action, const char* name, const std::vector<scmp_arg_cmp>& conditions = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;
    must(seccomp_rule_add_array(rules_.get(), action, number,
                                static_cast<unsigned>(conditions.size()), conditions.data()));
  }

  void load() {
    const int result = seccomp_load(rules_.get());
    if (result != 0) fail("loading", result);
  }

 private:
  static void must(int result) {
    if (result != 0) fail("making", result);
  }

  std::unique_ptr<void, void (*)(scmp_filter_ctx)> rules_;
};

// A device's requests, but of those of a terminal (type 'T') no more than what it is: TIOCSTI would
// type into the shell that pollflow was started from. A rule can only say which bits are as they
// have to be, so: some bit of the type is not as in 'T'. The kernel reads 32 bits, and so do these.
void allow_requests_of_devices(Filter& filter) {
  constexpr scmp_datum_t terminal = 'T' << 8;
  for (scmp_datum_t bit = 1 << 8; bit < 1 << 16; bit <<= 1)
    filter.allow("ioctl", {has(1, bit, ~terminal & bit)});
  filter.allow("ioctl", {has(1, UINT32_MAX, TCGETS)});
}

}  // namespace

bool filter_system_calls() {
  Filter filter;
  for (const char* name : allowed)
    filter.allow(name);
  allow_requests_of_devices(filter);
  for (const int family : families)
    filter.allow("socket", {is(0, static_cast<scmp_datum_t>(family))});
  // Threads, not processes. What clone3 is asked for a filter cannot see; the C library then takes
  // clone.
  filter.allow("clone", {has(0, CLONE_THREAD, CLONE_THREAD)});
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  filter.allow("mmap", {has(2, PROT_EXEC, 0)});
  filter.allow("mprotect", {has(2, PROT_EXEC, 0)});
  filter.allow("prctl", {is(0, PR_SET_NAME)});
  // Itself: abort().
  filter.allow("tgkill", {is(0, static_cast<scmp_datum_t>(getpid()))});
  filter.load();
  return true;
}

}  // namespace pollflow::app
