#include "quiet/stepper.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "quiet/instruction.hpp"
#include "quiet/symbols.hpp"

namespace pollflow::test {
namespace {

// What allocates, what locks, what writes to a log. The C++ ones are operator new and delete: of an
// object, an array, and aligned; and delete with a size.
constexpr std::array forbidden_functions = {"malloc",
                                            "calloc",
                                            "realloc",
                                            "free",
                                            "posix_memalign",
                                            "aligned_alloc",
                                            "memalign",
                                            "_Znwm",
                                            "_Znam",
                                            "_ZnwmSt11align_val_t",
                                            "_ZnamSt11align_val_t",
                                            "_ZnwmRKSt9nothrow_t",
                                            "_ZdlPv",
                                            "_ZdaPv",
                                            "_ZdlPvm",
                                            "_ZdaPvm",
                                            "_ZdlPvSt11align_val_t",
                                            "_ZdlPvmSt11align_val_t",
                                            "rte_malloc",
                                            "rte_zmalloc",
                                            "rte_calloc",
                                            "rte_realloc",
                                            "rte_malloc_socket",
                                            "rte_zmalloc_socket",
                                            "rte_calloc_socket",
                                            "rte_realloc_socket",
                                            "rte_free",
                                            "pthread_mutex_lock",
                                            "pthread_mutex_trylock",
                                            "pthread_mutex_unlock",
                                            "pthread_spin_lock",
                                            "pthread_spin_trylock",
                                            "pthread_rwlock_rdlock",
                                            "pthread_rwlock_wrlock",
                                            "pthread_cond_wait",
                                            "pthread_cond_signal",
                                            "sem_wait",
                                            "sem_post",
                                            "rte_log",
                                            "rte_vlog"};

// The child is a fork, so what was linked lies at the same addresses there.
std::unordered_map<uint64_t, std::string> forbidden_by_address() {
  std::unordered_map<uint64_t, std::string> by_address;
  for (const char* name : forbidden_functions) {
    void* const address = dlsym(RTLD_DEFAULT, name);
    if (address != nullptr) by_address.emplace(reinterpret_cast<uint64_t>(address), name);
  }
  return by_address;
}

std::string text_of(Deed deed) {
  return deed == Deed::system_call ? "system call" : "locked instruction";
}

[[noreturn]] void fail(const char* doing) {
  throw std::system_error(errno, std::generic_category(), doing);
}

// Makes parent and child share a CPU for as long as they take turns, which is quicker by half.
class OneCpu {
 public:
  OneCpu() {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;
  ~OneCpu() { sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
};

// A traced child, as its parent sees it.
class Stepper {
 public:
  explicit Stepper(pid_t child) : child_(child), forbidden_(forbidden_by_address()) {}

  // Until the child has ended; true when it ended well.
  bool run() {
    int status = wait();
    ptrace(PTRACE_SETOPTIONS, child_, nullptr, PTRACE_O_EXITKILL);
    for (; WIFSTOPPED(status); status = wait()) {
      const int signal = WSTOPSIG(status);
      if (signal == SIGTRAP) watch();
      go_on(PTRACE_CONT, signal == SIGTRAP ? 0 : signal);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
  }

  [[nodiscard]] Account account() const {
    std::map<Finding, uint64_t> times;  // places of one function are one finding
    for (const auto& [deed, count] : seen_) {
      const auto& [what, at, call] = deed;
      const Symbols::Place place = symbols_->place_of(at);
      const bool outside = !symbols_->in_program(at);
      times[{.what = what,
             .where = place.function,
             .file = place.file,
             .caller = outside ? symbols_->place_of(call).function : "",
             .times = 0}] += count;
    }
    Account account{.instructions = instructions_};
    for (const auto& [finding, count] : times)
      account.findings.emplace_back(finding).times = count;
    return account;
  }

 private:
  int wait() const {
    int status = 0;
    if (waitpid(child_, &status, 0) != child_) fail("waiting for the child");
    return status;
  }

  void go_on(__ptrace_request how, int signal) const {
    if (ptrace(how, child_, nullptr, signal) != 0) fail("letting the child go on");
  }

  uint64_t user(size_t offset) const {
    errno = 0;
    const long value = ptrace(PTRACE_PEEKUSER, child_, offset, nullptr);
    if (errno != 0) fail("reading the child's registers");
    return static_cast<uint64_t>(value);
  }

  // 0 where there is no memory.
  uint64_t word(uint64_t address) const {
    errno = 0;
    const long value = ptrace(PTRACE_PEEKTEXT, child_, address, nullptr);
    return errno == 0 ? static_cast<uint64_t>(value) : 0;
  }

  // From one mark to the next, which is stepped over.
  void watch() {
    if (!symbols_) symbols_.emplace(child_);
    uint64_t before = 0;
    for (int signal = 0;;) {
      const uint64_t at = user(offsetof(user_regs_struct, rip));
      const Deed deed = deed_at(at);
      if (deed == Deed::mark) {
        ptrace(PTRACE_POKEUSER, child_, offsetof(user_regs_struct, rip), at + 1);
        return;
      }
      if (at != before) note(at, deed);  // else one more round of a REP
      before = at;
      go_on(PTRACE_SINGLESTEP, std::exchange(signal, 0));
      const int status = wait();
      if (!WIFSTOPPED(status)) throw std::runtime_error("the child ended between two marks");
      if (WSTOPSIG(status) != SIGTRAP) signal = WSTOPSIG(status);
    }
  }

  Deed deed_at(uint64_t address) {
    const auto [known, is_new] = deeds_.try_emplace(address);
    if (is_new) {
      const std::array words = {word(address), word(address + 8)};
      std::array<uint8_t, sizeof words> code{};
      std::memcpy(code.data(), words.data(), code.size());
      known->second = deed_of(code);
    }
    return known->second;
  }

  void note(uint64_t at, Deed deed) {
    ++instructions_;
    if (deed == Deed::call && symbols_->in_program(at)) call_ = at;
    if (deed == Deed::system_call || deed == Deed::locked) ++seen_[{text_of(deed), at, call_}];
    const auto found = forbidden_.find(at);
    if (found == forbidden_.end()) return;
    const uint64_t caller = word(user(offsetof(user_regs_struct, rsp)));
    ++seen_[{found->second, caller - 1,
             call_}];  // within the call, should it be the function's last
  }

  pid_t child_;
  std::unordered_map<uint64_t, std::string> forbidden_;
  std::optional<Symbols> symbols_;
  std::unordered_map<uint64_t, Deed> deeds_;
  std::map<std::tuple<std::string, uint64_t, uint64_t>, uint64_t> seen_;  // what, where, call_
  uint64_t call_ = 0;  // where the program itself last called a function
  uint64_t instructions_ = 0;
};

// One number that parent and child both see.
class SharedNumber {
 public:
  SharedNumber()
      : memory_(mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0)) {
    if (memory_ == MAP_FAILED) fail("sharing memory with the child");
  }
  SharedNumber(const SharedNumber&) = delete;
  SharedNumber& operator=(const SharedNumber&) = delete;
  ~SharedNumber() { munmap(memory_, sizeof(uint64_t)); }

  uint64_t& operator*() const { return *static_cast<uint64_t*>(memory_); }

 private:
  void* memory_;
};

[[noreturn]] void be_traced(const std::function<uint64_t()>& child, uint64_t& packets) {
  try {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) fail("being traced");
    packets = child();
    _exit(EXIT_SUCCESS);
  } catch (const std::exception& error) {
    fmt::print(stderr, "the traced child: {}\n", error.what());
    std::fflush(stderr);
  }
  _exit(EXIT_FAILURE);
}

}  // namespace

std::string Account::text() const {
  std::string lines = fmt::format("{} instructions, {} packets\n", instructions, packets);
  for (const Finding& finding : findings)
    lines +=
        fmt::format("{} x {} in {} [{}]{}\n", finding.times, finding.what, finding.where,
                    finding.file, finding.caller.empty() ? "" : ", called by " + finding.caller);
  return lines;
}

uint64_t Account::take(std::string_view file) {
  uint64_t times = 0;
  std::erase_if(findings, [&](const Finding& finding) {
    const bool its = finding.file.starts_with(file);
    if (its) times += finding.times;
    return its;
  });
  return times;
}

bool can_trace() {
  const pid_t child = fork();
  if (child == 0) {
    const bool traced = ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
    if (traced) mark();
    _exit(traced ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return false;
  const bool steps = ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0;
  kill(child, SIGKILL);
  while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
  }
  return steps;
}

Account step(const std::function<uint64_t()>& child) {
  const OneCpu taking_turns;
  const SharedNumber packets;
  const pid_t process = fork();
  if (process < 0) fail("forking");
  if (process == 0) be_traced(child, *packets);
  Stepper stepper(process);
  if (!stepper.run()) throw std::runtime_error("the traced child failed; its words are above");
  Account account = stepper.account();
  account.packets = *packets;
  return account;
}

}  // namespace pollflow::test
