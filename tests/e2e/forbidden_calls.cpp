// Preloaded into pollflow by test_privileges.py: once ports are looked at, which is after the
// start, it makes calls that a pollflow has no use for, as somebody would who had taken it over,
// and says what became of them.

#include <dlfcn.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace {

void say(const char* call, bool refused) {
  std::fprintf(stderr, "forbidden call %s: %s\n", call, refused ? "refused" : "made");
}

void try_forbidden_calls() {
  say("execve", execl("/bin/true", "true", nullptr) == -1 && errno == EPERM);
  say("packet socket", socket(AF_PACKET, SOCK_RAW, 0) == -1 && errno == EPERM);
  say("setuid", setuid(0) == -1);
  say("executable memory",
      mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  const auto refuses = [](unsigned long request) {
    return ioctl(STDIN_FILENO, request, "x") == -1 && errno == EPERM;
  };
  say("typing into the terminal", refuses(TIOCSTI) && refuses(TIOCSTI | 1UL << 32));
  say("pasting into the console", refuses(TIOCLINUX));
}

}  // namespace

extern "C" int rte_eth_stats_get(uint16_t port_id, rte_eth_stats* stats) {
  using StatsGet = int (*)(uint16_t, rte_eth_stats*);
  static const auto real = reinterpret_cast<StatsGet>(dlsym(RTLD_NEXT, "rte_eth_stats_get"));
  static bool tried = false;
  if (!tried) try_forbidden_calls();
  tried = true;
  return real(port_id, stats);
}
