#include "privileges.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <string>

#include "app/second_thread.hpp"
#include "failure.hpp"
#include "support/catch.hpp"
#include "system_calls.hpp"

using namespace pollflow;
using namespace pollflow::app;
using namespace pollflow::test;

namespace {

constexpr int nobody = 65534;

std::string own_id() {
  return std::to_string(syscall(SYS_gettid));
}

bool denied(long result) {
  return result == -1 && errno == EPERM;
}

bool filter_is_built_in() {
  return in_a_process(filter_system_calls);
}

bool root() {
  if (geteuid() == 0) return true;
  WARN("skipped: wants root");
  return false;
}

}  // namespace

TEST_CASE("nothing gives a process more once it refuses new privileges") {
  CHECK(in_a_process([] {
    refuse_new_privileges();
    return status_of(own_id(), "NoNewPrivs") == "1";
  }));
}

TEST_CASE("a process kept out of core files is not dumped, whatever user it becomes") {
  const auto dumpable = [] { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); };
  CHECK(in_a_process([&] {
    keep_out_of_core_files();
    StepDown("", false).step_down(false);
    return dumpable() == 0;
  }));
  if (!root()) return;
  CHECK(in_a_process([&] {
    keep_out_of_core_files();
    StepDown("nobody", false).step_down(false);
    return dumpable() == 0;
  }));
}

TEST_CASE("stepping down leaves no capability in any thread, and the user is another one") {
  if (!root() || !threads_answer()) return;
  for (const bool becomes_user : {true, false}) {
    CAPTURE(becomes_user);
    CHECK(in_a_process([&] {
      const Waiting other;
      const std::string now = StepDown(becomes_user ? "nobody" : "", false).step_down(false);
      bool held = now.find("no capabilities") != std::string::npos;
      for (const std::string& thread : {own_id(), other.id()}) {
        for (const char* set : {"CapPrm", "CapEff", "CapAmb", "CapInh"})
          held &= status_of(thread, set) == "0000000000000000";
        held &= status_of(thread, "Uid") == (becomes_user ? std::to_string(nobody) : "0");
        held &= status_of(thread, "Gid") == (becomes_user ? std::to_string(nobody) : "0");
      }
      return held && denied(setuid(0)) == becomes_user;
    }));
  }
}

TEST_CASE("the calling thread alone keeps CAP_NET_ADMIN when it is needed") {
  if (!root() || !threads_answer()) return;
  for (const char* user : {"nobody", ""}) {
    CAPTURE(user);
    CHECK(in_a_process([&] {
      const Waiting other;
      StepDown(user, false).step_down(true);
      return status_of(own_id(), "CapEff") == "0000000000001000" &&
             status_of(own_id(), "CapPrm") == "0000000000001000" &&
             status_of(other.id(), "CapPrm") == "0000000000000000";
    }));
  }
}

TEST_CASE("a user that there is not, and one that only root could become, are refused") {
  try {
    StepDown("no such user", false);
    FAIL("accepted");
  } catch (const Failure& failure) {
    CHECK(failure.code == ExitCode::usage);
    CHECK(std::string(failure.what()).find("no such user") != std::string::npos);
  }
  if (!root()) return;
  CHECK(in_a_process([] {
    StepDown("nobody", false).step_down(false);
    try {
      StepDown("root", false).step_down(false);
    } catch (const Failure& failure) {
      return failure.code == ExitCode::no_permission;
    }
    return false;
  }));
}

TEST_CASE("behind the filter what pollflow does goes on, and what it never does is denied") {
  if (!filter_is_built_in()) {
    WARN("skipped: built without libseccomp, or with sanitizers");
    return;
  }
  const std::map<std::string, std::function<bool()>> forbidden = {
      {"execve", [] { return denied(execl("/bin/true", "true", nullptr)); }},
      {"fork",
       [] {
         const pid_t child = fork();
         if (child == 0) _exit(0);
         return denied(child);
       }},
      {"ptrace", [] { return denied(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }},
      {"packet socket", [] { return denied(socket(AF_PACKET, SOCK_RAW, 0)); }},
      {"executable memory",
       [] {
         return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                    MAP_FAILED &&
                errno == EPERM;
       }},
      {"kill", [] { return denied(syscall(SYS_kill, getpid(), 0)); }},
      {"tgkill of others", [] { return denied(syscall(SYS_tgkill, 1, 1, 0)); }},
      {"mount", [] { return denied(syscall(SYS_mount, "", "/", "", 0, nullptr)); }},
      {"bpf", [] { return denied(syscall(SYS_bpf, 0, nullptr, 0)); }},
      {"dumpable again", [] { return denied(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
      {"a looser filter", [] { return denied(syscall(SYS_seccomp, 1, 0, nullptr)); }}};
  for (const auto& forbidden_call : forbidden) {
    CAPTURE(forbidden_call.first);
    const std::function<bool()>& call = forbidden_call.second;
    CHECK(in_a_process([&] { return filter_system_calls() && call(); }));
    // In a thread that was there before, too.
    CHECK(in_a_process([&] {
      std::atomic<bool> filtered = false;
      bool held = false;
      std::thread before([&] {
        filtered.wait(false);
        held = call();
      });
      filter_system_calls();
      filtered = true;
      filtered.notify_all();
      before.join();
      return held;
    }));
  }
  CHECK(in_a_process([] {
    filter_system_calls();
    bool ran = false;
    std::thread([&] { ran = true; }).join();
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);
    const int file = open("/proc/self/status", O_RDONLY);
    return ran && udp >= 0 && file >= 0 && status_of(own_id(), "Seccomp") == "2";
  }));
}
